//! What a policy sees of questions and stored trajectories: columns of equal length, mirrors of the records in
//! `guest-sdk/wit`. Native defaults read the same columns as Wasm policies do.

use serde::{Deserialize, Serialize};

/// A named column that the interface has no field for (a dataset's own difficulty, say).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Column {
    /// Name, as the dataset has it.
    pub name: String,
    /// One value a row; NaN means not known.
    pub values: Vec<f32>,
}

/// What is known of a set of questions, one entry a question in every column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProblemColumns {
    /// Stable question ids.
    pub id: Vec<u64>,
    /// Correct members of the latest group; a replayed member counts.
    pub num_success: Vec<u32>,
    /// Size of the latest group; 0 when the question was never tried.
    pub group_size: Vec<u32>,
    /// Rollouts so far.
    pub attempts: Vec<u32>,
    /// Groups in a row that were all correct.
    pub solved_streak: Vec<u32>,
    /// Step of the latest group; 0 when never tried.
    pub last_step: Vec<u32>,
    /// Stored trajectories.
    pub stored: Vec<u32>,
    /// Further columns.
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
}

/// Stored trajectories of several questions, ragged: those of question p are rows `offsets[p]..offsets[p + 1]`
/// of every other column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrajectoryColumns {
    /// Row ranges, one entry more than there are questions.
    pub offsets: Vec<u32>,
    /// Experience ids.
    pub id: Vec<u64>,
    /// Mean token entropy in nats under the current weights.
    pub entropy: Vec<f32>,
    /// Mean log-probability under the weights that sampled.
    pub logprob: Vec<f32>,
    /// Reward when stored.
    pub reward: Vec<f32>,
    /// Tokens.
    pub length: Vec<u32>,
    /// Step at which it was sampled.
    pub step: Vec<u32>,
    /// Further columns.
    pub extra: Vec<Column>,
}

impl TrajectoryColumns {
    /// Number of questions.
    pub fn num_questions(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }
}

/// How hard a bucket is, for summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Solved more than three times in four.
    Easy,
    /// Between.
    Medium,
    /// Solved less than once in four.
    Hard,
}

impl Level {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }
}

/// One difficulty bucket, named by the difficulty slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketInfo {
    /// Name for people.
    pub name: String,
    /// Level for summaries.
    pub level: Level,
}

/// What the retirement slot says of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retirement {
    /// Leave it as it is.
    Keep,
    /// Take it out of the pool.
    Retire,
    /// Take it back into the pool.
    Revive,
}

impl Retirement {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Retire => "retire",
            Self::Revive => "revive",
        }
    }
}
