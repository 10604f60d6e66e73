//! Columns that go to a policy are as long as they must be; the errors name the one that isn't.

use exgrpo_core::columns::{ProblemColumns, TrajectoryColumns};

/// `column` has as many rows as others.
pub(super) fn equal(column: &str, length: usize, expected: usize) -> Result<(), String> {
    if length == expected {
        return Ok(());
    }
    Err(format!("column `{column}` has {length} rows, others {expected}"))
}

/// Every column of a question has a row.
pub(super) fn problem_lengths(problems: &ProblemColumns) -> Result<(), String> {
    problems.check().map_err(|error| error.to_string())
}

/// Every column of a trajectory has a row, and the questions' shares of them cover all.
pub(super) fn trajectory_lengths(trajectories: &TrajectoryColumns) -> Result<(), String> {
    trajectories.check().map_err(|error| error.to_string())
}
