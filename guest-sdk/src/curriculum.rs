//! The slots about experience: which questions are drawn again, and which of their trajectories is replayed.

use crate::{Policy, ProblemColumns, Result, TrajectoryColumns};

/// How hard a bucket is, for summaries.
///
/// ```
/// use exgrpo_guest_sdk::{Level, paper};
///
/// assert_eq!(paper::level(7, 8), Level::Easy);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// A bucket of questions of about the same difficulty.
///
/// ```
/// use exgrpo_guest_sdk::{BucketInfo, Level};
///
/// let bucket = BucketInfo::new("never solved", Level::Hard);
/// assert_eq!(bucket.name, "never solved");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketInfo {
    /// Name for people; it shows up in logs.
    pub name: String,
    /// Level for summaries.
    pub level: Level,
}

impl BucketInfo {
    /// A bucket of that name and level.
    pub fn new(name: impl Into<String>, level: Level) -> Self {
        Self { name: name.into(), level }
    }
}

/// Slot `difficulty`: sorts questions into buckets, 0 the hardest.
///
/// ```
/// use exgrpo_guest_sdk::{BucketInfo, Difficulty, Level, Policy, ProblemColumns, Result, testing};
///
/// /// Two buckets: at least half of the group is right, or not.
/// struct Halves;
///
/// impl Policy for Halves {
///     type Parameters = ();
///     fn new((): ()) -> Result<Self> {
///         Ok(Self)
///     }
/// }
///
/// impl Difficulty for Halves {
///     fn buckets(&self, _group_size: u32) -> Vec<BucketInfo> {
///         vec![BucketInfo::new("mostly wrong", Level::Hard), BucketInfo::new("mostly right", Level::Easy)]
///     }
///
///     fn assign(&self, problems: &ProblemColumns) -> Result<Vec<u32>> {
///         let groups = problems.num_success.iter().zip(&problems.group_size);
///         Ok(groups.map(|(&right, &size)| u32::from(2 * right >= size)).collect())
///     }
/// }
///
/// assert_eq!(Halves.assign(&testing::problems(8, &[0, 3, 4, 8])), Ok(vec![0, 0, 1, 1]));
/// ```
pub trait Difficulty: Policy {
    /// The buckets for groups of `group_size`, in the order of their numbers.
    fn buckets(&self, group_size: u32) -> Vec<BucketInfo>;

    /// One bucket number a row. Only rows that changed since the last call are sent.
    ///
    /// # Errors
    /// Up to the policy.
    fn assign(&self, problems: &ProblemColumns) -> Result<Vec<u32>>;
}

/// What happens to a question.
///
/// ```
/// use exgrpo_guest_sdk::{Decision, paper, testing};
///
/// // Solved by all 8: the paper takes it out.
/// assert_eq!(paper::retire_after(&testing::problems(8, &[8, 7]), 1), [Decision::Retire, Decision::Keep]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Leave it as it is, in the pool or retired.
    Keep,
    /// Take it out of the pool.
    Retire,
    /// Take it back.
    Revive,
}

impl Decision {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Retire => "retire",
            Self::Revive => "revive",
        }
    }
}

/// Slot `retirement`: which questions leave the pool, and which come back.
///
/// ```
/// use exgrpo_guest_sdk::{Decision, Policy, ProblemColumns, Result, Retirement, testing};
///
/// /// A question rests while all of its latest group was correct.
/// struct Rest;
/// # impl Policy for Rest {
/// #     type Parameters = ();
/// #     fn new((): ()) -> Result<Self> {
/// #         Ok(Self)
/// #     }
/// # }
///
/// impl Retirement for Rest {
///     fn decide(&self, problems: &ProblemColumns, _step: u32) -> Result<Vec<Decision>> {
///         let decision = |&streak: &u32| if streak > 0 { Decision::Retire } else { Decision::Revive };
///         Ok(problems.solved_streak.iter().map(decision).collect())
///     }
/// }
///
/// let problems = testing::problems(8, &[3, 8]);
/// assert_eq!(Rest.decide(&problems, 1), Ok(vec![Decision::Revive, Decision::Retire]));
/// ```
pub trait Retirement: Policy {
    /// One decision a row. Only rows that changed are sent: questions that were just tried, retired ones among them
    /// when they came from the dataset, and all after a swap. Reviving one that is not retired does nothing.
    ///
    /// # Errors
    /// Up to the policy.
    fn decide(&self, problems: &ProblemColumns, step: u32) -> Result<Vec<Decision>>;
}

/// Slot `sampling`: how likely each question is to be drawn for replay, and how much of the batch replay gets. The host
/// draws a bucket, then a question within it.
///
/// ```
/// use exgrpo_guest_sdk::{Policy, ProblemColumns, Result, Sampling, testing};
///
/// /// All buckets alike; within one, what has waited longest. Replay fades in over 100 steps.
/// struct Stalest;
/// # impl Policy for Stalest {
/// #     type Parameters = ();
/// #     fn new((): ()) -> Result<Self> {
/// #         Ok(Self)
/// #     }
/// # }
///
/// impl Sampling for Stalest {
///     fn bucket_weights(&self, counts: &[u32], _group_size: u32, _step: u32) -> Result<Vec<f32>> {
///         Ok(vec![1.0; counts.len()])
///     }
///
///     fn row_weights(&self, problems: &ProblemColumns, _buckets: &[u32], step: u32) -> Result<Vec<f32>> {
///         Ok(problems.last_step.iter().map(|&last_step| (step - last_step) as f32 + 1.0).collect())
///     }
///
///     fn replay_ratio(&self, step: u32, _batch: u32, _pass_rate: f32, configured: f32) -> Result<f32> {
///         Ok(configured * (step as f32 / 100.0).min(1.0))
///     }
/// }
///
/// assert_eq!(Stalest.row_weights(&testing::problems(8, &[3, 4]), &[3, 4], 10), Ok(vec![10.0, 10.0]));
/// assert_eq!(Stalest.replay_ratio(50, 128, 0.4, 0.5), Ok(0.25));
/// ```
pub trait Sampling: Policy {
    /// Weight of each bucket as a whole, however many questions it holds: finite, not negative, one a bucket. `counts`
    /// are the bucket's questions that can be drawn now; empty buckets are left out by the host, which makes
    /// probabilities of the rest. Asked once a step.
    ///
    /// # Errors
    /// Up to the policy.
    fn bucket_weights(&self, counts: &[u32], group_size: u32, step: u32) -> Result<Vec<f32>>;

    /// Weight of each question within its bucket: finite, not negative, one a row. Only rows that changed are sent. An
    /// empty answer, which is the default, means that all are alike.
    ///
    /// # Errors
    /// Up to the policy.
    fn row_weights(&self, problems: &ProblemColumns, buckets: &[u32], step: u32) -> Result<Vec<f32>> {
        let _ = (problems, buckets, step);
        Ok(Vec::new())
    }

    /// Share of the batch's questions that replay gets at this step, in 0..=1. `configured` is the run's
    /// `experience_ratio`, and the default answer; `pass_rate` is the latest step's share of correct rollouts among
    /// its fresh ones. Asked once the host has opened replay.
    ///
    /// # Errors
    /// Up to the policy.
    fn replay_ratio(&self, step: u32, batch: u32, pass_rate: f32, configured: f32) -> Result<f32> {
        let _ = (step, batch, pass_rate);
        Ok(configured)
    }
}

/// Slot `selection`: the policy chooses from the whole pool itself, for curricula that are no weighting. It costs more
/// than [`Sampling`], because the whole pool crosses into the sandbox at every step.
///
/// ```
/// use exgrpo_guest_sdk::{Policy, ProblemColumns, Result, Selection, testing};
///
/// /// The questions that were tried least; among equals, those with the lower row.
/// struct LeastTried;
/// # impl Policy for LeastTried {
/// #     type Parameters = ();
/// #     fn new((): ()) -> Result<Self> {
/// #         Ok(Self)
/// #     }
/// # }
///
/// impl Selection for LeastTried {
///     fn select(&self, problems: &ProblemColumns, k: u32, _step: u32, _seed: u64) -> Result<Vec<u32>> {
///         let mut rows: Vec<u32> = (0..problems.len() as u32).collect();
///         rows.sort_by_key(|&row| problems.attempts[row as usize]);
///         rows.truncate(k as usize);
///         Ok(rows)
///     }
/// }
///
/// let mut problems = testing::problems(8, &[3, 4, 5]);
/// problems.attempts = vec![24, 8, 16];
/// assert_eq!(LeastTried.select(&problems, 2, 1, 0), Ok(vec![1, 2]));
/// ```
pub trait Selection: Policy {
    /// At most `k` distinct rows of `problems`. Every random choice must come from `seed`, see
    /// [`Random`](crate::Random).
    ///
    /// # Errors
    /// Up to the policy.
    fn select(&self, problems: &ProblemColumns, k: u32, step: u32, seed: u64) -> Result<Vec<u32>>;
}

/// Slot `trajectories`: which stored trajectory of a drawn question is replayed.
///
/// ```
/// use exgrpo_guest_sdk::{Policy, Result, Trajectories, TrajectoryColumns, testing};
///
/// /// The newest trajectory.
/// struct Newest;
/// # impl Policy for Newest {
/// #     type Parameters = ();
/// #     fn new((): ()) -> Result<Self> {
/// #         Ok(Self)
/// #     }
/// # }
///
/// impl Trajectories for Newest {
///     fn choose(&self, trajectories: &TrajectoryColumns, _step: u32, _seed: u64) -> Result<Vec<Option<u32>>> {
///         // Rows are ordered from old to new.
///         Ok(trajectories.rows().map(|rows| rows.last().map(|row| row as u32)).collect())
///     }
/// }
///
/// let trajectories = testing::trajectories(&[&[0.5, 0.2], &[], &[0.9]]);
/// assert_eq!(Newest.choose(&trajectories, 1, 0), Ok(vec![Some(1), None, Some(2)]));
/// ```
pub trait Trajectories: Policy {
    /// For each question the row of the chosen trajectory, one of its own [`rows`](TrajectoryColumns::rows); `None`
    /// replays nothing: all members of the group are fresh. Every random choice must come from `seed`.
    ///
    /// # Errors
    /// Up to the policy.
    fn choose(&self, trajectories: &TrajectoryColumns, step: u32, seed: u64) -> Result<Vec<Option<u32>>>;
}

/// Slot `state`: memory that goes into the run's checkpoints, so that a resumed run goes on as if nothing had happened.
/// A policy that exports it is asked by one instance, in the order of the steps.
///
/// ```
/// use std::cell::Cell;
/// use exgrpo_guest_sdk::{Policy, PolicyError, Result, Sampling, State};
///
/// /// Replays less at every call.
/// struct Fading {
///     calls: Cell<u32>,
/// }
///
/// impl Policy for Fading {
///     type Parameters = ();
///     fn new((): ()) -> Result<Self> {
///         Ok(Self { calls: Cell::new(0) })
///     }
/// }
///
/// impl Sampling for Fading {
///     fn bucket_weights(&self, counts: &[u32], _group_size: u32, _step: u32) -> Result<Vec<f32>> {
///         Ok(vec![1.0; counts.len()])
///     }
///
///     fn replay_ratio(&self, _step: u32, _batch: u32, _pass_rate: f32, configured: f32) -> Result<f32> {
///         self.calls.set(self.calls.get() + 1);
///         Ok(configured / self.calls.get() as f32)
///     }
/// }
///
/// impl State for Fading {
///     fn snapshot(&self) -> Result<Vec<u8>> {
///         Ok(self.calls.get().to_le_bytes().to_vec())
///     }
///
///     fn restore(&self, data: &[u8]) -> Result<()> {
///         let bytes = data.try_into().map_err(|_| PolicyError::invalid_input("a snapshot has 4 bytes"))?;
///         self.calls.set(u32::from_le_bytes(bytes));
///         Ok(())
///     }
/// }
///
/// let (before, after) = (Fading::new(())?, Fading::new(())?);
/// before.replay_ratio(1, 128, 0.4, 0.5)?;
/// after.restore(&before.snapshot()?)?;
/// assert_eq!(after.replay_ratio(2, 128, 0.4, 0.5), Ok(0.25));
/// # Ok::<(), PolicyError>(())
/// ```
pub trait State: Policy {
    /// Everything that the policy remembers, in a form of its own.
    ///
    /// # Errors
    /// Up to the policy.
    fn snapshot(&self) -> Result<Vec<u8>>;

    /// Goes back to what `snapshot` gave.
    ///
    /// # Errors
    /// `data` is no snapshot of this policy.
    fn restore(&self, data: &[u8]) -> Result<()>;
}
