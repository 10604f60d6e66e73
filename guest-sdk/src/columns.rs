//! What a policy sees of questions and stored trajectories: columns of equal length rather than a record a row,
//! because a column crosses into the sandbox ten times faster.

use std::ops::Range;

use crate::{PolicyError, Result};

/// A named column that the interface has no field for, such as a dataset's own difficulty.
///
/// ```
/// use exgrpo_guest_sdk::Column;
///
/// let column = Column { name: "level".into(), values: vec![1.0, f32::NAN] };
/// assert!(column.values[1].is_nan(), "not known for row 1");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Column {
    /// Name, as the dataset has it.
    pub name: String,
    /// One value a row; NaN means not known.
    pub values: Vec<f32>,
}

/// What the host knows of a set of questions, one entry a question in every column.
///
/// ```
/// use exgrpo_guest_sdk::testing;
///
/// // Three questions in groups of 8, of which 0, 3 and 8 members were correct.
/// let problems = testing::problems(8, &[0, 3, 8]);
/// assert_eq!(problems.len(), 3);
/// let accuracy = problems.num_success[1] as f32 / problems.group_size[1] as f32;
/// assert_eq!(accuracy, 0.375);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProblemColumns {
    /// Stable question ids.
    pub id: Vec<u64>,
    /// Correct members of the latest group that was scored wholly, 0..=`group_size`. A replayed member counts too. A group
    /// with a member that is unscorable or out of budget changes nothing here: its accuracy is not known.
    pub num_success: Vec<u32>,
    /// Size of that group (K); 0 while there was none.
    pub group_size: Vec<u32>,
    /// Rollouts so far, scored or not.
    pub attempts: Vec<u32>,
    /// Groups in a row, up to the latest, that were scored wholly and all correct. Another group ends the row when one of
    /// its members is incorrect, and leaves it as it is otherwise.
    pub solved_streak: Vec<u32>,
    /// Step of the latest group, scored wholly or not; 0 when never tried.
    pub last_step: Vec<u32>,
    /// Stored (correct) trajectories.
    pub stored: Vec<u32>,
    /// Further columns: numeric ones of the dataset from which the answer doesn't follow. The run says at its start and
    /// in run.toml which.
    pub extra: Vec<Column>,
}

impl ProblemColumns {
    /// Number of questions.
    pub fn len(&self) -> usize {
        self.id.len()
    }

    /// True without any question.
    pub fn is_empty(&self) -> bool {
        self.id.is_empty()
    }

    /// Values of the further column `name`, when the host sends it.
    pub fn extra(&self, name: &str) -> Option<&[f32]> {
        find(&self.extra, name)
    }

    /// Checks that all columns have the same length. Done for every call before a policy's method runs.
    ///
    /// # Errors
    /// A column is shorter or longer than `id`.
    pub fn check(&self) -> Result<()> {
        let rows = self.len();
        check_length("num_success", self.num_success.len(), rows)?;
        check_length("group_size", self.group_size.len(), rows)?;
        check_length("attempts", self.attempts.len(), rows)?;
        check_length("solved_streak", self.solved_streak.len(), rows)?;
        check_length("last_step", self.last_step.len(), rows)?;
        check_length("stored", self.stored.len(), rows)?;
        self.extra.iter().try_for_each(|column| check_length(&column.name, column.values.len(), rows))
    }
}

/// Stored trajectories of several questions, ragged: those of question p are rows `offsets[p]..offsets[p + 1]` of every
/// other column, oldest first.
///
/// ```
/// use exgrpo_guest_sdk::testing;
///
/// // Mean entropies: two trajectories of question 0, none of question 1, one of question 2.
/// let trajectories = testing::trajectories(&[&[0.5, 0.2], &[], &[0.9]]);
/// let rows: Vec<_> = trajectories.rows().collect();
/// assert_eq!(rows, [0..2, 2..2, 2..3]);
/// assert_eq!(trajectories.entropy[rows[2].clone()], [0.9]);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrajectoryColumns {
    /// Row ranges, one entry more than there are questions.
    pub offsets: Vec<u32>,
    /// Ids of the stored experiences.
    pub id: Vec<u64>,
    /// Mean token entropy in nats under the current weights; NaN means not known.
    pub entropy: Vec<f32>,
    /// Mean log-probability under the weights that sampled.
    pub logprob: Vec<f32>,
    /// Reward when stored.
    pub reward: Vec<f32>,
    /// Tokens.
    pub length: Vec<u32>,
    /// Step at which it was sampled.
    pub step: Vec<u32>,
    /// Further columns, one value a trajectory.
    pub extra: Vec<Column>,
}

impl TrajectoryColumns {
    /// Number of questions.
    pub fn num_questions(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// The rows of each question, in the order of the questions.
    pub fn rows(&self) -> impl Iterator<Item = Range<usize>> {
        self.offsets.windows(2).map(|pair| pair[0] as usize..pair[1] as usize)
    }

    /// Values of the further column `name`, when the host sends it.
    pub fn extra(&self, name: &str) -> Option<&[f32]> {
        find(&self.extra, name)
    }

    /// Checks that all columns have the same length and that `offsets` covers them. Done for every call before a
    /// policy's method runs.
    ///
    /// # Errors
    /// A column is shorter or longer than `id`, or the offsets do not rise from 0 to that length.
    pub fn check(&self) -> Result<()> {
        let rows = self.id.len();
        check_length("entropy", self.entropy.len(), rows)?;
        check_length("logprob", self.logprob.len(), rows)?;
        check_length("reward", self.reward.len(), rows)?;
        check_length("length", self.length.len(), rows)?;
        check_length("step", self.step.len(), rows)?;
        self.extra.iter().try_for_each(|column| check_length(&column.name, column.values.len(), rows))?;
        let ends = (self.offsets.first().copied(), self.offsets.last().map(|&end| end as usize));
        if ends != (Some(0), Some(rows)) || self.offsets.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(PolicyError::invalid_input(format!(
                "offsets do not rise from 0 to {rows} trajectories"
            )));
        }
        Ok(())
    }
}

fn find<'a>(columns: &'a [Column], name: &str) -> Option<&'a [f32]> {
    columns.iter().find(|column| column.name == name).map(|column| column.values.as_slice())
}

fn check_length(name: &str, length: usize, rows: usize) -> Result<()> {
    if length == rows {
        return Ok(());
    }
    Err(PolicyError::invalid_input(format!("column {name} has {length} entries, {rows} expected")))
}

#[cfg(test)]
mod tests {
    use crate::testing;

    #[test]
    fn ragged_columns_and_bad_offsets_are_refused() {
        let mut problems = testing::problems(8, &[1, 2]);
        assert_eq!(problems.check(), Ok(()));
        problems.stored.pop();
        assert_eq!(problems.check().unwrap_err().to_string(), "column stored has 1 entries, 2 expected");

        let good = testing::trajectories(&[&[0.5, 0.2], &[0.9]]);
        assert_eq!(good.check(), Ok(()));
        for offsets in [vec![], vec![0], vec![0, 2], vec![1, 2, 3], vec![0, 4, 3], vec![0, 2, 4]] {
            let bad = super::TrajectoryColumns { offsets: offsets.clone(), ..good.clone() };
            assert!(bad.check().is_err(), "{offsets:?}");
        }
    }
}
