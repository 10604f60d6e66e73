//! The tables of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use crate::dataset::Layout;
use exgrpo_core::types::{Origin, Rollout, Verdict};

/// Which of paper and published code is followed where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Experience is collected from the first step on, every group updates its question's accuracy, retired
    /// questions leave the pool only, displaced fresh questions go back to the queue.
    Paper,
    /// Experience is collected once replay has started, groups without a success change nothing, retired questions
    /// also leave the queue at the next epoch, displaced fresh questions are lost for the epoch.
    Reference,
}

/// `[dataset]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetSection {
    /// Training questions: a file of JSON Lines, JSON, CSV, TSV or Parquet, or `embedded:arithmetic/train`.
    pub train: String,
    /// Held-out questions, the same way; empty for none, which is the default where `train` is set.
    pub test: String,
    /// Layout of the rows: `auto`, `plain`, `gsm8k`, `math`, `verl` or `multiple-choice`.
    pub layout: Layout,
    /// Column of the question, where it is not the layout's; a dotted path such as `prompt.0.content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// Column of the gold answer, the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Column of a solution, the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
}

impl Default for DatasetSection {
    fn default() -> Self {
        Self {
            train: "embedded:arithmetic/train".to_owned(),
            test: "embedded:arithmetic/test".to_owned(),
            layout: Layout::Auto,
            question: None,
            answer: None,
            solution: None,
        }
    }
}

/// `[rollout]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutSection {
    /// Questions a step (B in the paper), fresh and replayed together. 0, the default where data are set, takes 64, or as
    /// many as there are where they are fewer.
    pub questions: u32,
    /// Rollouts a question (K in the paper); a replayed trajectory is one of them.
    pub group_size: u32,
    /// Sampling temperature.
    pub temperature: f32,
    /// Nucleus sampling; 1 draws from the whole vocabulary.
    pub top_p: f32,
    /// Longest completion in tokens. 0, the default where data or model are set, leaves it to the model: at most 256, and
    /// at most half of its positions.
    pub max_new_tokens: u32,
    /// Longest prompt in tokens. 0, the default where data or model are set, takes the longest that the data has and that
    /// leaves room for a completion.
    pub max_prompt_tokens: u32,
}

impl Default for RolloutSection {
    fn default() -> Self {
        Self {
            questions: 64,
            group_size: 8,
            temperature: 1.0,
            top_p: 1.0,
            max_new_tokens: 64,
            max_prompt_tokens: 32,
        }
    }
}

/// `[replay]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplaySection {
    /// False trains on-policy, whatever the policies say: the baseline.
    pub enabled: bool,
    /// Share of a step's questions that are replayed (ρ in the paper), 0 to 1; a policy may choose another.
    pub experience_ratio: f32,
    /// Replay starts after the first step whose share of correct rollouts, among the fresh ones, is above this. Negative:
    /// at once.
    pub replay_start_accuracy: f32,
    /// Fewest correct members of a group that enters the pool.
    pub min_success: u32,
    /// Most correct members of a group that enters the pool; by default one less than the group's size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_success: Option<u32>,
    /// Least reward of a correct rollout that is stored, 0 to 1. The paper's successes have reward 1.
    pub min_reward: f32,
}

impl ReplaySection {
    /// True for a rollout that is worth storing when its group enters the pool: fresh, correct, and of enough reward.
    pub fn stores(&self, rollout: &Rollout) -> bool {
        self.is_success(rollout) && rollout.reward >= self.min_reward
    }

    /// True for a fresh and correct rollout that is not stored because its reward is too small.
    pub fn spurns(&self, rollout: &Rollout) -> bool {
        self.is_success(rollout) && rollout.reward < self.min_reward
    }

    fn is_success(&self, rollout: &Rollout) -> bool {
        rollout.origin == Origin::Fresh && rollout.verdict == Verdict::Correct
    }
}

impl Default for ReplaySection {
    fn default() -> Self {
        Self {
            enabled: true,
            experience_ratio: 0.5,
            replay_start_accuracy: 0.35,
            min_success: 1,
            max_success: None,
            min_reward: 1.0,
        }
    }
}

/// `[demonstrations]`: solutions of the dataset as group members (LUFFY, arXiv 2504.14945).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemonstrationsSection {
    /// True makes the dataset's solution a member of every fresh question's group.
    pub enabled: bool,
    /// Last step with demonstrations; 0 for all. What comes after is learning from one's own experience.
    pub until_step: u32,
}

/// How a learning rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Not at all.
    Constant,
    /// In a straight line to 0.
    Linear,
    /// Along half a cosine to 0 (arXiv 1608.03983, equation 5, without restarts).
    Cosine,
}

/// `[optim]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimSection {
    /// Learning rate, after warming up and before it decays.
    pub lr: f64,
    /// Steps over which the learning rate rises to `lr`, in equal parts; 0 begins with all of it.
    pub warmup_steps: u32,
    /// How the learning rate falls afterwards: `constant`, `linear` or `cosine`.
    pub decay: Decay,
    /// Last step with a learning rate above 0; where it decays and nothing is said, the run's `steps` when it begins.
    pub decay_steps: u32,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the square root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global norm.
    pub max_grad_norm: f64,
    /// An update whose gradient norm is above this, or not finite, is skipped and counted.
    pub skip_grad_norm: f64,
}

impl Default for OptimSection {
    fn default() -> Self {
        Self {
            lr: 1e-4,
            warmup_steps: 0,
            decay: Decay::Constant,
            decay_steps: 0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            skip_grad_norm: 500.0,
        }
    }
}

impl OptimSection {
    /// Learning rate of `step`, from 1.
    pub fn lr_at(&self, step: u32) -> f64 {
        if step <= self.warmup_steps {
            return self.lr * f64::from(step) / f64::from(self.warmup_steps);
        }
        let length = f64::from(self.decay_steps.saturating_sub(self.warmup_steps).max(1));
        let done = (f64::from(step - self.warmup_steps - 1) / length).min(1.0);
        match self.decay {
            Decay::Constant => self.lr,
            Decay::Linear => self.lr * (1.0 - done),
            Decay::Cosine => self.lr * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * done)),
        }
    }

    pub(super) fn validate(&self) -> anyhow::Result<()> {
        for (key, value) in [("lr", self.lr), ("eps", self.eps), ("max_grad_norm", self.max_grad_norm)] {
            if !(value > 0.0 && value.is_finite()) {
                bail!("optim.{key} is {value}, it must be above 0");
            }
        }
        if self.decay != Decay::Constant && self.decay_steps <= self.warmup_steps {
            bail!(
                "optim.decay_steps = {} leaves no step to decay in after warmup_steps = {}",
                self.decay_steps,
                self.warmup_steps
            );
        }
        if self.decay == Decay::Constant && self.decay_steps > 0 {
            bail!("optim.decay_steps is for a learning rate that decays\nhint: set optim.decay=cosine");
        }
        for (key, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&value) {
                bail!("optim.{key} is {value}, it must be at least 0 and below 1");
            }
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            bail!("optim.weight_decay is {}, it must be 0 or above", self.weight_decay);
        }
        if self.skip_grad_norm.is_nan() || self.skip_grad_norm <= 0.0 {
            bail!("optim.skip_grad_norm is {}, it must be above 0 (inf never skips)", self.skip_grad_norm);
        }
        Ok(())
    }
}

/// `[policy]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySection {
    /// Components; each fills the slots that it exports, slots without one are filled by built-in defaults.
    pub files: Vec<PathBuf>,
    /// Parameters by name, handed to the component that declares them.
    pub params: BTreeMap<String, toml::Value>,
    /// Watch the files and take a changed one over between two steps.
    pub watch: bool,
}

impl Default for PolicySection {
    fn default() -> Self {
        Self { files: Vec::new(), params: BTreeMap::new(), watch: true }
    }
}

/// `[eval]`: accuracy on the held-out questions before and after a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvalSection {
    /// Measure before the first and after the last step.
    pub enabled: bool,
    /// Also measure after every so many steps; 0 does not.
    pub every: u32,
    /// Completions a question.
    pub samples: u32,
    /// Sampling temperature; 0 is greedy.
    pub temperature: f32,
    /// Nucleus sampling.
    pub top_p: f32,
}

impl Default for EvalSection {
    fn default() -> Self {
        Self { enabled: true, every: 0, samples: 2, temperature: 1.0, top_p: 1.0 }
    }
}

/// `[checkpoint]`: how often the state of a run is written, which is what a kill can cost. One is always written after
/// the first step, after the last and on an interrupt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointSection {
    /// Only after steps that are a multiple of this.
    pub every: u32,
    /// And only when writing one takes at most this share of the time since the one before; 1 leaves the clock out.
    pub max_share: f64,
    /// In any case once in so many minutes.
    pub minutes: u32,
    /// Readable checkpoints kept.
    pub keep: u32,
}

impl Default for CheckpointSection {
    fn default() -> Self {
        Self { every: 1, max_share: 0.1, minutes: 10, keep: 2 }
    }
}
