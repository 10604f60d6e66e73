//! Who fills each slot, in one line for people, and what that line alone does not show.

use super::journal::Note;
use super::policy_set::{MemberId, PolicySet};
use exgrpo_core::journal::{EventKind, Slot};

impl PolicySet {
    /// Who fills each slot, in one line: `gaussian_medium 0.1.0 (e4adef24f63b): difficulty, retirement | built in: …`.
    pub fn slot_table(&self) -> String {
        let mut groups: Vec<(Option<MemberId>, Vec<String>)> = Vec::new();
        for slot in Slot::ALL {
            let holder = self.holder(slot);
            let name = if holder.emptied {
                format!("{} (emptied)", slot.as_str())
            } else {
                slot.as_str().to_owned()
            };
            match groups.iter_mut().find(|(id, _)| *id == holder.now) {
                Some((_, slots)) => slots.push(name),
                None => groups.push((holder.now, vec![name])),
            }
        }
        // What is built in comes last.
        groups.sort_by_key(|(id, _)| id.is_none());
        let groups = groups.into_iter().map(|(id, slots)| {
            let holder = id.map_or_else(|| "built in".to_owned(), |id| self.title(id));
            format!("{holder}: {}", slots.join(", "))
        });
        groups.collect::<Vec<_>>().join(" | ")
    }

    /// What one slot makes of another, when two components that need not know of each other fill them.
    pub fn override_warning(&self) -> Option<String> {
        let (selection, sampling) = (self.holder(Slot::Selection).now?, self.holder(Slot::Sampling).now?);
        (selection != sampling).then(|| {
            format!(
                "{} fills selection and chooses from the whole pool, so that the bucket weights of {} are not asked \
                 for\nhint: exgrpo-host swap RUN --slot selection builtin",
                self.title(selection),
                self.title(sampling)
            )
        })
    }

    /// Journals who fills each slot now, and a warning where one slot overrides another.
    pub fn note_slots(&mut self) {
        let detail = self.slot_table();
        self.journal.note(Note { kind: EventKind::Slots, slot: None, digest: None, reason: None, detail });
        self.note_override();
    }

    pub(super) fn note_override(&mut self) {
        if let Some(warning) = self.override_warning() {
            self.warn("override", warning);
        }
    }

    fn title(&self, id: MemberId) -> String {
        let Some(member) = self.members.get(&id) else { return String::new() };
        let info = &member.policy.info;
        let digest: String = info.digest.chars().take(12).collect();
        // A policy names itself: nothing in its name may end the line.
        let name: String = format!("{} {}", info.name, info.version)
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        format!("{name} ({digest})")
    }
}
