//! The nouns that stages pass to each other.
//!
//! Letters in shape comments: P questions a step, G members of a group (K in the paper), B = P·G rollouts,
//! T tokens, V vocabulary.

/// Id of a token in the tokenizer's vocabulary.
pub type TokenId = u32;

/// One dataset row.
///
/// Example: `Question { id: 0x51…, prompt: "38+47-19=", answer: "66", prompt_ids: vec![7, 12, 15, …], … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Stable id: a hash of prompt and answer.
    pub id: u64,
    /// Benchmark that it belongs to: the row's `data_source`.
    pub benchmark: Option<String>,
    /// Text that the Actor continues.
    pub prompt: String,
    /// System message that the row brings along, for models that are asked by a chat template.
    pub system: Option<String>,
    /// Gold answer as the dataset gives it; only a verifier reads it.
    pub answer: String,
    /// `prompt` as token ids.
    pub prompt_ids: Vec<TokenId>,
    /// A solution that somebody else wrote, as token ids that end with a stop token; only where a run wants it.
    pub demonstration_ids: Option<Vec<TokenId>>,
}

/// Where a rollout comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Sampled at this step.
    Fresh,
    /// A stored experience that joins a group as its member 0.
    Replayed,
    /// A solution from the dataset that joins a group as its member 0 (LUFFY, arXiv 2504.14945).
    Demonstrated,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fresh, Self::Replayed, Self::Demonstrated];

    /// The word used in logs and metric keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Replayed => "replayed",
            Self::Demonstrated => "demonstrated",
        }
    }
}

/// What is known of a rollout's correctness. `Unscorable` and `OutOfBudget` are never reward 0: such a rollout
/// leaves its group's statistics and is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The verifier accepts the answer.
    Correct,
    /// The verifier rejects the answer.
    Incorrect,
    /// The verifier can't tell (an unreadable gold answer, a fault on this row).
    Unscorable,
    /// The host's budget for this row ran out.
    OutOfBudget,
}

impl Verdict {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Correct => "correct",
            Self::Incorrect => "incorrect",
            Self::Unscorable => "unscorable",
            Self::OutOfBudget => "out-of-budget",
        }
    }

    /// True when the verdict carries a reward.
    pub fn is_scored(self) -> bool {
        matches!(self, Self::Correct | Self::Incorrect)
    }
}

/// Tokens that the Actor sampled, with what was known when it did. The three columns have equal length T, the
/// end-of-sequence token included when there is one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Completion {
    /// Sampled token ids. `[T]`
    pub ids: Vec<TokenId>,
    /// Log-probability of each token under the weights that sampled it, over the whole vocabulary, at temperature 1 or, by
    /// `objective.ratio_of`, at that of the sampler. `[T]`
    pub logprobs: Vec<f32>,
    /// Entropy in nats of the same distribution at each token. `[T]`
    pub entropies: Vec<f32>,
    /// True when sampling stopped at a stop token, false at the length limit.
    pub finished: bool,
}

impl Completion {
    /// Mean of `entropies`; NaN when there is no token.
    pub fn mean_entropy(&self) -> f32 {
        self.entropies.iter().sum::<f32>() / self.entropies.len() as f32
    }
}

/// One completion of one question, fresh or replayed, and what the stages found out about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// Tokens with `old_logprobs` (`completion.logprobs`), which are never recomputed.
    pub completion: Completion,
    /// Fresh, replayed or demonstrated.
    pub origin: Origin,
    /// Stored experience that this rollout replays.
    pub experience_id: Option<u64>,
    /// Step at which the tokens were sampled.
    pub sampled_step: u32,
    /// Version of the weights that sampled the tokens; 0 is the base model.
    pub weights_version: u32,
    /// Decoded completion, special tokens left out. What the verifier reads.
    pub text: String,
    /// The verifier's word, `Unscorable` until it has spoken.
    pub verdict: Verdict,
    /// Reward, meaningful when the verdict is scored.
    pub reward: f32,
    /// Extracted answer, when the verifier reports one.
    pub answer: Option<String>,
    /// Fuel that the verification used.
    pub verifier_fuel: u64,
    /// Group-relative advantage, the same for all tokens; 0 when not scored.
    pub advantage: f32,
}

/// The G rollouts of one question.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutGroup {
    /// Row of the question in the dataset.
    pub row: u32,
    /// Bucket that the question was drawn from, when it was drawn for replay.
    pub drawn_from: Option<u32>,
    /// Members; a replayed or demonstrated one comes first. `[G]`
    pub rollouts: Vec<Rollout>,
}

impl RolloutGroup {
    /// Members with a reward.
    pub fn scored(&self) -> impl Iterator<Item = &Rollout> {
        self.rollouts.iter().filter(|r| r.verdict.is_scored())
    }

    /// Correct members.
    pub fn num_success(&self) -> u32 {
        self.rollouts.iter().filter(|r| r.verdict == Verdict::Correct).count() as u32
    }

    /// Members without a verdict that carries a reward. While there are any, the group's accuracy is not known.
    pub fn num_unscored(&self) -> u32 {
        (self.rollouts.len() - self.scored().count()) as u32
    }
}

/// A group of these members, for tests of stages.
#[cfg(any(test, feature = "testing"))]
pub fn group_of(rollouts: Vec<Rollout>) -> RolloutGroup {
    RolloutGroup { row: 0, drawn_from: None, rollouts }
}

/// A rollout of three tokens, for tests of stages.
#[cfg(any(test, feature = "testing"))]
pub fn rollout_of(origin: Origin, verdict: Verdict, reward: f32) -> Rollout {
    Rollout {
        completion: Completion {
            ids: vec![1, 2, 3],
            logprobs: vec![-0.5; 3],
            entropies: vec![0.25; 3],
            finished: true,
        },
        origin,
        experience_id: None,
        sampled_step: 1,
        weights_version: 0,
        text: String::new(),
        verdict,
        reward,
        answer: None,
        verifier_fuel: 0,
        advantage: 0.0,
    }
}
