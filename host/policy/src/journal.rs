//! What the policies of a run said and what became of them since the journal was last drained.
//!
//! Nothing in it has a step of its own: policies are loaded, probed, swapped and restored between steps, where no step
//! is under way, and the log takes no row for a step whose part is closed. Whoever drains the journal into a step's part
//! says which step that is.

use std::time::Duration;

use super::store::LogLine;
use exgrpo_core::journal::{Decision, Event, EventKind, Slot};

/// Most lines of policies that are journalled between two drains.
const MAX_LOG_EVENTS: usize = 1_000;

/// Decisions and events that wait for the step whose rows they become.
#[derive(Default)]
pub(super) struct Journal {
    decisions: Vec<Decision>,
    notes: Vec<Note>,
    num_log_events: usize,
    num_dropped_lines: usize,
    /// Time spent in policies.
    pub(super) time: Duration,
}

/// An event before its step is known.
pub(super) struct Note {
    pub(super) kind: EventKind,
    pub(super) slot: Option<Slot>,
    pub(super) digest: Option<String>,
    pub(super) reason: Option<&'static str>,
    pub(super) detail: String,
}

impl Journal {
    /// Journals a call.
    pub(super) fn decide(&mut self, decision: Decision) {
        self.decisions.push(decision);
    }

    /// Journals an event.
    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Journals lines that a policy logged, up to a limit between two drains.
    pub(super) fn log(&mut self, slot: Option<Slot>, digest: Option<&str>, lines: Vec<LogLine>) {
        for line in lines {
            if self.num_log_events >= MAX_LOG_EVENTS {
                self.num_dropped_lines += 1;
                continue;
            }
            self.num_log_events += 1;
            self.note(Note {
                kind: EventKind::GuestLog,
                slot,
                digest: digest.map(str::to_owned),
                reason: Some(line.level),
                detail: line.message,
            });
        }
    }

    /// Everything since the last drain, in the order in which it happened, as rows of `step`.
    pub(super) fn drain(&mut self, step: u32) -> (Vec<Decision>, Vec<Event>) {
        if self.num_dropped_lines > 0 {
            self.note(Note {
                kind: EventKind::GuestLog,
                slot: None,
                digest: None,
                reason: Some("dropped"),
                detail: format!("{} further lines of policies dropped", self.num_dropped_lines),
            });
        }
        self.num_log_events = 0;
        self.num_dropped_lines = 0;
        let decisions = std::mem::take(&mut self.decisions);
        let notes = std::mem::take(&mut self.notes);
        let decisions = decisions.into_iter().map(|decision| Decision { step, ..decision }).collect();
        let event =
            |Note { kind, slot, digest, reason, detail }| Event { step, kind, slot, digest, reason, detail };
        (decisions, notes.into_iter().map(event).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_between_steps_belongs_to_the_step_that_drains_it() {
        let mut journal = Journal::default();
        let line = |message: &str| LogLine { level: "info", message: message.to_owned() };
        journal.log(None, Some("abc"), vec![line("while it was loaded")]);
        assert_eq!(journal.drain(7).1[0].step, 7);
        let many = (0..MAX_LOG_EVENTS + 3).map(|_| line("again"));
        journal.log(None, None, many.collect());
        let (_, events) = journal.drain(8);
        assert_eq!(events.len(), MAX_LOG_EVENTS + 1);
        assert!(events.iter().all(|event| event.step == 8));
        assert!(events[MAX_LOG_EVENTS].detail.starts_with("3 further lines"));
        assert!(journal.drain(9).1.is_empty());
    }
}
