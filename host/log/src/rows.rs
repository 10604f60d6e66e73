//! Rows of the tables with fixed columns.
//!
//! Columns whose name starts with `time` hold clocks and durations. Everything else is equal in two runs with the
//! same configuration; readers that compare runs leave out exactly those. An optional column is null where there is
//! nothing to say (a NaN is nothing).

use exgrpo_core::journal::{Decision, Event, EventKind, Slot};
use exgrpo_core::types::{Origin, Verdict};

use super::table::{Word, table};

/// Implements [`Word`] by an enum's `as_str`.
macro_rules! words {
    ($type:ident: $($variant:ident),+) => {
        impl Word for $type {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    };
}

words!(Origin: Fresh, Replayed, Demonstrated);
words!(Verdict: Correct, Incorrect, Unscorable, OutOfBudget);
words!(Slot: Difficulty, Retirement, Sampling, Selection, Trajectories, Verifier);
words!(EventKind: Swap, SwapRefused, Fault, ReplayStart, Checkpoint, GuestLog, Slots, Warning);
words!(ProblemChange: Retired, Revived, Bucket, Stored, Weight);

table! {
    "experiences",
    /// A rollout of a step, fresh, replayed or demonstrated.
    #[derive(Debug, Clone, PartialEq)]
    pub struct ExperienceRow {
        /// Step, from 1.
        pub step: u32,
        /// Position of the group in the step's batch, from 0.
        pub group_index: u32,
        /// Position in the group, from 0. A replayed member comes first.
        pub member: u32,
        /// Stable id of the question.
        pub question_id: u64,
        /// Row of the question in the dataset.
        pub question_row: u32,
        /// `fresh` (sampled at this step), `replayed` (a stored experience) or `demonstrated` (a solution of the dataset,
        /// whose old log-probs are 0 by definition).
        pub origin: Origin,
        /// Id of the stored experience that is replayed.
        pub experience_id: Option<u64>,
        /// Bucket that the question was drawn from, when its group was drawn for replay.
        pub drawn_from_bucket: Option<u32>,
        /// Step at which the completion was sampled.
        pub sampled_step: u32,
        /// Version of the weights that sampled the completion; 0 is the base model.
        pub weights_version: u32,
        /// Prompt as text.
        pub prompt: String,
        /// Completion as text, special tokens left out. What the verifier read.
        pub completion: String,
        /// Prompt as token ids.
        pub prompt_ids: Vec<u32>,
        /// Completion as token ids, the stop token included.
        pub completion_ids: Vec<u32>,
        /// Log-probability of each completion token, recorded when it was sampled.
        #[unit = "nats"]
        pub old_logprobs: Vec<f32>,
        /// Mean of `old_logprobs`.
        #[unit = "nats"]
        pub mean_logprob: f32,
        /// Mean token entropy when sampled.
        #[unit = "nats"]
        pub mean_entropy: f32,
        /// True when a stop token ended the completion, false when the length limit did.
        pub finished: bool,
        /// `correct`, `incorrect`, `unscorable` or `out-of-budget`. The last two carry no reward.
        pub verdict: Verdict,
        /// Reward; null when the verdict carries none.
        pub reward: Option<f32>,
        /// Answer that the verifier extracted.
        pub answer: Option<String>,
        /// Group-relative advantage, the same for all tokens; 0 when not scored.
        pub advantage: f32,
        /// True when the rollout's tokens are in the loss.
        pub in_loss: bool,
        /// Why the rollout is not in the loss.
        pub drop_reason: Option<String>,
        /// Bucket of the question after this step's assignment.
        pub bucket: Option<u32>,
        /// Level of that bucket: `easy`, `medium` or `hard`.
        pub bucket_level: Option<String>,
        /// Correct members of the group.
        pub num_success: u32,
        /// Members of the group that were scored.
        pub group_size: u32,
        /// Mean of exp(logprobs - old_logprobs) over the completion's tokens and the step's updates.
        pub ratio_mean: Option<f32>,
        /// Largest of those ratios.
        pub ratio_max: Option<f32>,
        /// Share of those ratios that were clipped.
        pub clip_fraction: Option<f32>,
        /// Digest of the policy that answered with the verdict, `builtin` for the host's own verifier.
        pub verifier_digest: String,
        /// Digest of the policy that drew the question, when it was drawn for replay: that of `selection` where it
        /// chose, else that whose bucket weights it was drawn by.
        pub sampling_digest: Option<String>,
        /// Digest of the policy that chose the stored trajectory, when one was.
        pub trajectories_digest: Option<String>,
        /// Digest of the policy that assigned the bucket at this step; null when none was asked about the question, so that
        /// its bucket, if it has one, is an earlier step's.
        pub difficulty_digest: Option<String>,
        /// Digest of the policy that decided on retirement at this step; null as for `difficulty_digest`.
        pub retirement_digest: Option<String>,
        /// Fuel that the verification used.
        pub verifier_fuel: u64,
    }
}

table! {
    "decisions",
    /// A call of a policy function.
    #[derive(Debug, Clone, PartialEq)]
    pub struct DecisionRow {
        /// Step that the decision belongs to.
        pub step: u32,
        /// Position among the step's decisions, from 0.
        pub decision_index: u32,
        /// Slot that was asked.
        pub slot: Slot,
        /// Function within the slot.
        pub function: String,
        /// SHA-256 of the component that answered, or `builtin`.
        pub digest: String,
        /// SHA-256 of the arguments, the first 16 hexadecimal digits.
        pub inputs_digest: String,
        /// Seed handed to the policy, when the function takes one.
        pub seed: Option<u64>,
        /// Rows in the arguments.
        pub num_rows: u32,
        /// The answer as JSON; for `verify` a count of each verdict.
        pub output: String,
        /// Fuel used; 0 for built-in defaults.
        pub fuel: u64,
        /// Wall time of the call.
        #[unit = "microseconds"]
        pub time_us: f32,
        /// Why the component's own answer was not used, when it was not.
        pub fault: Option<String>,
    }
}

table! {
    "events",
    /// Something that a person who opens the log later wants to know of: a swap, a fault, a checkpoint.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct EventRow {
        /// Step during or before which it happened.
        pub step: u32,
        /// Position among the step's events, from 0.
        pub event_index: u32,
        /// When it happened, since 1970 (UTC).
        #[unit = "milliseconds"]
        pub time_unix_ms: u64,
        /// Kind.
        pub kind: EventKind,
        /// Slot concerned, if one is.
        pub slot: Option<Slot>,
        /// Digest of the policy concerned, if one is.
        pub digest: Option<String>,
        /// A typed reason in one word, where there is one.
        pub reason: Option<String>,
        /// One sentence.
        pub detail: String,
    }
}

table! {
    "problems",
    /// A question whose bucket, weight, retirement or presence in the pool changed: its state after the step. At
    /// most one row a step and question, so that the latest row of each question is the pool.
    #[derive(Debug, Clone, PartialEq)]
    pub struct ProblemRow {
        /// Step.
        pub step: u32,
        /// Stable id of the question.
        pub question_id: u64,
        /// Row of the question in the dataset.
        pub question_row: u32,
        /// Correct members of its latest group whose members were all scored, a replayed one included.
        pub num_success: u32,
        /// Members of that group; 0 while there was none.
        pub group_size: u32,
        /// Rollouts so far, scored or not.
        pub attempts: u32,
        /// Such groups in a row whose members were all correct. Another group ends the row when one of its members is
        /// incorrect, and leaves it as it is otherwise.
        pub solved_streak: u32,
        /// Step of its latest group, scored or not; 0 when it was never tried.
        pub last_step: u32,
        /// Stored trajectories.
        pub stored: u32,
        /// Bucket before the step.
        pub bucket_before: Option<u32>,
        /// Bucket after the step.
        pub bucket: Option<u32>,
        /// Weight of the question within its bucket.
        pub weight: Option<f32>,
        /// True when the question is out of the pool for being solved.
        pub retired: bool,
        /// What changed, the first that applies of `retired`, `revived`, `bucket`, `stored`, `weight`.
        pub change: ProblemChange,
    }
}

/// What changed of a question. A row is due for any of these; it carries the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemChange {
    /// It left the pool for being solved.
    Retired,
    /// It came back.
    Revived,
    /// It belongs to another bucket.
    Bucket,
    /// It has another number of stored trajectories.
    Stored,
    /// It has another weight within its bucket.
    Weight,
}

impl ProblemChange {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retired => "retired",
            Self::Revived => "revived",
            Self::Bucket => "bucket",
            Self::Stored => "stored",
            Self::Weight => "weight",
        }
    }
}

impl DecisionRow {
    /// The row of a decision. `decision_index`: position among the step's decisions.
    pub fn new(decision: &Decision, decision_index: u32) -> Self {
        Self {
            step: decision.step,
            decision_index,
            slot: decision.slot,
            function: decision.function.to_owned(),
            digest: decision.digest.clone(),
            inputs_digest: decision.inputs_digest.clone(),
            seed: decision.seed,
            num_rows: decision.num_rows,
            output: decision.output.clone(),
            fuel: decision.fuel,
            time_us: decision.duration_us,
            fault: decision.fault.clone(),
        }
    }
}

impl EventRow {
    /// The row of an event. `event_index`: position among the step's events; `time_unix_ms`: when it happened.
    pub fn new(event: &Event, event_index: u32, time_unix_ms: u64) -> Self {
        Self {
            step: event.step,
            event_index,
            time_unix_ms,
            kind: event.kind,
            slot: event.slot,
            digest: event.digest.clone(),
            reason: event.reason.map(str::to_owned),
            detail: event.detail.clone(),
        }
    }
}
