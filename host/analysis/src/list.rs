//! A line a run.

use crate::recorded::RecordedRun;
use crate::text::{Side, percent, table};
use exgrpo_core::types::Origin;
use exgrpo_log::metric;

/// The cells of a run.
#[derive(Debug)]
pub struct Line([String; 7]);

impl Line {
    /// Policies, seed, steps, share correct of the last step's fresh rollouts, held-out accuracy before and after, state.
    /// Shares are in percent.
    ///
    /// # Errors
    /// A part of the run's metrics can't be read.
    pub fn of(run: &RecordedRun) -> anyhow::Result<Self> {
        let last = run.metrics_of(run.last_step())?.unwrap_or_default();
        let correct = last.values.get(metric::CORRECT_OF.of(Origin::Fresh).key()).copied();
        let heldout = match run.heldout()? {
            (None, None) => "-".to_owned(),
            (before, after) => format!("{} → {}", percent(before), percent(after)),
        };
        Ok(Self([
            run.name(),
            run.label(),
            run.config().seed.to_string(),
            format!("{}/{}", run.last_step(), run.config().steps),
            percent(correct),
            heldout,
            run.state.to_string(),
        ]))
    }
}

/// Runs as a table.
pub fn page(lines: Vec<Line>) -> String {
    use Side::{Left, Right};
    let head = ["run", "policies", "seed", "steps", "correct %", "held-out %", "state"];
    let rows: Vec<Vec<String>> = std::iter::once(head.map(str::to_owned))
        .chain(lines.into_iter().map(|line| line.0))
        .map(Vec::from)
        .collect();
    table(&[Left, Left, Right, Right, Right, Right, Left], &rows)
}
