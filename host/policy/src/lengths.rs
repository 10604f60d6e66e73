//! Columns that go to a policy are as long as they must be; the errors name the one that isn't.

use exgrpo_core::columns::{Column, ProblemColumns, TrajectoryColumns};

/// `column` has as many rows as others.
pub(super) fn equal(column: &str, length: usize, expected: usize) -> Result<(), String> {
    if length == expected {
        return Ok(());
    }
    Err(format!("column `{column}` has {length} rows, others {expected}"))
}

fn extra_lengths(extra: &[Column], rows: usize) -> Result<(), String> {
    extra.iter().try_for_each(|column| equal(&column.name, column.values.len(), rows))
}

/// Every column of a question has a row.
pub(super) fn problem_lengths(problems: &ProblemColumns) -> Result<(), String> {
    let rows = problems.len();
    equal("num_success", problems.num_success.len(), rows)?;
    equal("group_size", problems.group_size.len(), rows)?;
    equal("attempts", problems.attempts.len(), rows)?;
    equal("solved_streak", problems.solved_streak.len(), rows)?;
    equal("last_step", problems.last_step.len(), rows)?;
    equal("stored", problems.stored.len(), rows)?;
    extra_lengths(&problems.extra, rows)
}

/// Every column of a trajectory has a row, and the questions' shares of them cover all.
pub(super) fn trajectory_lengths(trajectories: &TrajectoryColumns) -> Result<(), String> {
    let rows = trajectories.id.len();
    equal("entropy", trajectories.entropy.len(), rows)?;
    equal("logprob", trajectories.logprob.len(), rows)?;
    equal("reward", trajectories.reward.len(), rows)?;
    equal("length", trajectories.length.len(), rows)?;
    equal("step", trajectories.step.len(), rows)?;
    extra_lengths(&trajectories.extra, rows)?;
    let offsets = &trajectories.offsets;
    let ordered = offsets.is_sorted() && offsets.first().is_none_or(|&first| first == 0);
    if !ordered || offsets.last().is_some_and(|&last| last as usize != rows) {
        return Err("`offsets` must rise from 0 to the number of rows".to_owned());
    }
    Ok(())
}
