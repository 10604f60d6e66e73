//! What a run leaves, without the clocks: equal for runs that should be equal.

use std::path::Path;

use exgrpo_core::rundir::RunDir;
use exgrpo_log::{DecisionRow, EventRow, ExperienceRow, MetricsRow, ProblemRow, read};

/// All rows of a run, clocks and durations zeroed, and the bytes of its latest weights.
#[derive(Debug, PartialEq)]
pub(crate) struct Leavings {
    pub(crate) experiences: Vec<ExperienceRow>,
    pub(crate) decisions: Vec<DecisionRow>,
    pub(crate) problems: Vec<ProblemRow>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) metrics: Vec<MetricsRow>,
    pub(crate) weights: Vec<u8>,
}

impl Leavings {
    pub(crate) fn of(dir: &Path) -> Self {
        let mut decisions: Vec<DecisionRow> = read::rows(dir).unwrap();
        decisions.iter_mut().for_each(|row| row.time_us = 0.0);
        let mut events: Vec<EventRow> = read::rows(dir).unwrap();
        events.iter_mut().for_each(|row| row.time_unix_ms = 0);
        let mut metrics = read::metrics(dir).unwrap();
        metrics.iter_mut().for_each(|row| row.values.retain(|key, _| !key.starts_with("time/")));
        let run = RunDir::at(dir);
        let step = *run.checkpoint_steps().unwrap().last().unwrap();
        Self {
            experiences: read::rows(dir).unwrap(),
            decisions,
            problems: read::rows(dir).unwrap(),
            events,
            metrics,
            weights: std::fs::read(run.checkpoint(step).join("model.safetensors")).unwrap(),
        }
    }

    /// Panics with the first table that differs.
    pub(crate) fn assert_equals(&self, other: &Self) {
        assert_eq!(self.experiences, other.experiences);
        assert_eq!(self.decisions, other.decisions);
        assert_eq!(self.problems, other.problems);
        assert_eq!(self.events, other.events);
        assert_eq!(self.metrics, other.metrics);
        assert!(self.weights == other.weights, "weights differ");
    }
}
