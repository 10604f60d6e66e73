//! A line a run.

use crate::recorded::RecordedRun;
use crate::text::{Side, percent, table};
use exgrpo_core::types::Origin;
use exgrpo_log::metric;

/// Runs as a table: policies, seed, steps, share correct of the last step's fresh rollouts, held-out accuracy before and
/// after, state. Shares are in percent.
///
/// # Errors
/// A part of a run's metrics can't be read.
pub fn page(runs: &[RecordedRun]) -> anyhow::Result<String> {
    let head = ["run", "policies", "seed", "steps", "correct %", "held-out %", "state"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for run in runs {
        let last = run.metrics_of(run.last_step())?.unwrap_or_default();
        let correct = last.values.get(metric::CORRECT_OF.of(Origin::Fresh).key()).copied();
        let heldout = match run.heldout()? {
            (None, None) => "-".to_owned(),
            (before, after) => format!("{} → {}", percent(before), percent(after)),
        };
        rows.push(vec![
            run.name(),
            run.label(),
            run.config().seed.to_string(),
            format!("{}/{}", run.last_step(), run.config().steps),
            percent(correct),
            heldout,
            run.state.to_string(),
        ]);
    }
    use Side::{Left, Right};
    Ok(table(&[Left, Left, Right, Right, Right, Right, Left], &rows))
}
