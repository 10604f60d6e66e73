//! `[objective]`: what the loss is.

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// What the loss of fresh tokens is. Replayed tokens and demonstrations are shaped as ExGRPO does, by any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// ExGRPO's and GRPO's: PPO's clipped ratio a token, one ε on both sides.
    Exgrpo,
    /// DAPO's clip-higher (arXiv 2503.14476): another ε above than below.
    Dapo,
    /// GSPO (arXiv 2507.18071): one ratio a sequence.
    Gspo,
    /// CISPO (arXiv 2506.13585): clipped weights of log-probs, so that no token loses its gradient.
    Cispo,
}

/// When the ratio of fresh tokens is clipped. Replayed tokens never are: they are shaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clip {
    /// Until replay starts, as the paper and the published code do.
    BeforeReplay,
    /// In every step.
    Always,
    /// In no step.
    Never,
}

/// What an advantage is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advantage {
    /// Reward minus the group's mean (Dr. GRPO, ExGRPO).
    Centred,
    /// The same over the group's standard deviation (GRPO).
    Standardized,
}

/// How token losses become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// Sum over all tokens of a mini-batch over the longest possible completion.
    SumOverMaxLength,
    /// Mean over all tokens of a mini-batch.
    TokenMean,
    /// Mean over the sequences of a mini-batch of the mean over their tokens.
    SequenceMean,
}

/// Whose probabilities the ratios compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RatioOf {
    /// The model's, at temperature 1 over the whole vocabulary, as in the paper. They are those that completions are
    /// drawn with only at `rollout.temperature = 1` and `rollout.top_p = 1`, and refused elsewhere.
    Model,
    /// The model's in any case: ratios, and so gradients, are biased where completions are drawn otherwise.
    ModelUncorrected,
    /// Those that completions are drawn with: of the softmax at `rollout.temperature`. Needs `rollout.top_p = 1`, because a
    /// token may have left the nucleus of later weights, which makes its ratio 0.
    Sampler,
}

/// `[objective]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveSection {
    /// `exgrpo`, `dapo`, `gspo` or `cispo`. One of the others brings the defaults of its paper along for `clip`, both
    /// epsilons, `advantage` and `aggregation`.
    pub kind: Kind,
    /// When the ratio of fresh tokens is clipped.
    pub clip: Clip,
    /// Half-width of the clip range below a ratio of 1, and above it where nothing else is said.
    pub clip_epsilon: f32,
    /// Half-width of the clip range above a ratio of 1; not for `exgrpo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_epsilon_high: Option<f32>,
    /// β of policy shaping, r / (r + β), for replayed tokens; 0 replaces shaping by the plain ratio.
    pub shaping_beta: f32,
    /// Per-token ratio against the stored log-probs of replayed tokens; false takes the current ones (ratio 1).
    pub importance_correction: bool,
    /// Whose probabilities ratios compare, and the entropy bonus is of: `model`, `model-uncorrected` or `sampler`.
    pub ratio_of: RatioOf,
    /// What an advantage is divided by.
    pub advantage: Advantage,
    /// How token losses become one number.
    pub aggregation: Aggregation,
    /// Weight of the mean token entropy of a mini-batch.
    pub entropy_coefficient: f32,
    /// Weight of the divergence from the model that the run began with, which is kept in memory and scores every sequence;
    /// 0 does without.
    pub kl_coefficient: f32,
    /// Mini-batches a step, each with its own optimizer update.
    pub updates: u32,
    /// Most tokens, prompts included, of one forward and backward pass; fewer where their activations would take more
    /// than 512 MiB and more than the parameters.
    pub tokens_per_micro_batch: u32,
}

impl Default for ObjectiveSection {
    fn default() -> Self {
        Self {
            kind: Kind::Exgrpo,
            clip: Clip::BeforeReplay,
            clip_epsilon: 0.2,
            clip_epsilon_high: None,
            shaping_beta: 0.1,
            importance_correction: true,
            ratio_of: RatioOf::Model,
            advantage: Advantage::Centred,
            aggregation: Aggregation::SumOverMaxLength,
            entropy_coefficient: 0.001,
            kl_coefficient: 0.0,
            updates: 2,
            tokens_per_micro_batch: 4096,
        }
    }
}

impl ObjectiveSection {
    /// # Errors
    /// A value out of its range; the key is named.
    pub fn validate(&self) -> anyhow::Result<()> {
        if !(0.0..=1.0).contains(&self.clip_epsilon) {
            bail!("objective.clip_epsilon is {}, it must lie between 0 and 1", self.clip_epsilon);
        }
        if let Some(high) = self.clip_epsilon_high {
            if self.kind == Kind::Exgrpo {
                bail!(
                    "objective.clip_epsilon_high is for other kinds than exgrpo\nhint: set objective.kind = \"dapo\""
                );
            }
            if !(high >= 0.0 && high.is_finite()) {
                bail!("objective.clip_epsilon_high is {high}, it must be 0 or above");
            }
        }
        if !(self.kl_coefficient >= 0.0 && self.kl_coefficient.is_finite()) {
            bail!("objective.kl_coefficient is {}, it must be 0 (none) or above", self.kl_coefficient);
        }
        if !(self.shaping_beta >= 0.0 && self.shaping_beta.is_finite()) {
            bail!("objective.shaping_beta is {}, it must be 0 (no shaping) or above", self.shaping_beta);
        }
        if !self.entropy_coefficient.is_finite() {
            bail!("objective.entropy_coefficient must be a finite number");
        }
        Ok(())
    }
}
