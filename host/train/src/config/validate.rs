//! Contradictions within a configuration, and between it and an engine.

use anyhow::bail;

use super::{Config, RatioOf, RolloutSection};
use exgrpo_engine::Capabilities;

impl Config {
    /// First contradiction found, as an error that names the keys.
    pub fn validate(&self) -> anyhow::Result<()> {
        if i64::try_from(self.seed).is_err() {
            bail!("seed = {} can't be written as TOML: at most {}", self.seed, i64::MAX);
        }
        let positive = [
            ("steps", u64::from(self.steps)),
            ("objective.updates", u64::from(self.objective.updates)),
            ("objective.tokens_per_micro_batch", u64::from(self.objective.tokens_per_micro_batch)),
            ("eval.samples", u64::from(self.eval.samples)),
            ("checkpoint.every", u64::from(self.checkpoint.every)),
            ("checkpoint.minutes", u64::from(self.checkpoint.minutes)),
            ("checkpoint.keep", u64::from(self.checkpoint.keep)),
        ];
        for (key, value) in positive {
            if value == 0 {
                bail!("{key} must be at least 1");
            }
        }
        let share = self.checkpoint.max_share;
        if !(share > 0.0 && share <= 1.0) {
            bail!("checkpoint.max_share is {share}, it must be above 0 and at most 1");
        }
        self.model.validate()?;
        if self.rollout.group_size < 2 {
            bail!(
                "rollout.group_size is {}: an advantage compares at least 2 rollouts of a question",
                self.rollout.group_size
            );
        }
        if !self.rollout.questions.is_multiple_of(self.objective.updates) {
            bail!(
                "rollout.questions = {} can't be split into objective.updates = {} equal mini-batches",
                self.rollout.questions,
                self.objective.updates
            );
        }
        unit_interval("replay.experience_ratio", self.replay.experience_ratio)?;
        unit_interval("replay.min_reward", self.replay.min_reward)?;
        if self.replay.replay_start_accuracy >= 1.0 || self.replay.replay_start_accuracy.is_nan() {
            bail!("replay.replay_start_accuracy must be below 1; a negative value starts at the second step");
        }
        if let Some(max) = self.replay.max_success
            && (max >= self.rollout.group_size || max < self.replay.min_success)
        {
            bail!(
                "replay.max_success = {max} must be at least min_success = {} and below group_size = {}",
                self.replay.min_success,
                self.rollout.group_size
            );
        }
        if self.replay.min_success == 0 {
            bail!("replay.min_success must be at least 1: only successes can be stored");
        }
        if !(self.rollout.temperature > 0.0 && self.rollout.temperature.is_finite()) {
            bail!("rollout.temperature must be above 0: a group of equal rollouts teaches nothing");
        }
        probability("rollout.top_p", self.rollout.top_p)?;
        self.validate_ratio()?;
        probability("eval.top_p", self.eval.top_p)?;
        if !(self.eval.temperature >= 0.0 && self.eval.temperature.is_finite()) {
            bail!("eval.temperature must be 0 (greedy) or above");
        }
        if self.objective.kl_coefficient > 0.0 && self.score_temperature() != 1.0 {
            bail!(
                "objective.kl_coefficient compares models at temperature 1, objective.ratio_of = \"sampler\" at {}\n\
                 hint: set rollout.temperature=1, or objective.kl_coefficient=0",
                self.rollout.temperature
            );
        }
        self.prompt.validate()?;
        self.objective.validate()?;
        self.optim.validate()?;
        self.guest.validate().map_err(|reason| anyhow::anyhow!("guest: {reason}"))
    }

    /// Refuses to train on an engine what it can't do.
    ///
    /// # Errors
    /// A key asks for what `can` doesn't have; it is named.
    pub fn check_engine(&self, can: Capabilities) -> anyhow::Result<()> {
        let asked = [
            ("a run", true, can.trains, "train"),
            (
                "replay.enabled = true",
                self.replay.enabled,
                can.scores && can.entropies,
                "tell entropies of stored solutions",
            ),
            (
                "objective.entropy_coefficient",
                self.objective.entropy_coefficient != 0.0,
                can.entropies,
                "tell entropies",
            ),
            (
                "objective.kl_coefficient",
                self.objective.kl_coefficient != 0.0,
                can.scores,
                "score given completions",
            ),
            (
                "optim.skip_grad_norm",
                self.optim.skip_grad_norm.is_finite(),
                can.grad_norm,
                "tell a gradient's norm",
            ),
            (
                "optim.max_grad_norm",
                self.optim.max_grad_norm.is_finite(),
                can.grad_norm,
                "tell a gradient's norm",
            ),
        ];
        match asked.into_iter().find(|(_, is_asked, is_able, _)| *is_asked && !is_able) {
            Some((key, _, _, deed)) => bail!("{key} asks for an engine that can {deed}, model.engine can't"),
            None => Ok(()),
        }
    }

    /// Refuses ratios of other probabilities than completions are drawn with, unless that is asked for in so many words.
    fn validate_ratio(&self) -> anyhow::Result<()> {
        let RolloutSection { temperature, top_p, .. } = self.rollout;
        match self.objective.ratio_of {
            RatioOf::Model if temperature != 1.0 || top_p < 1.0 => bail!(
                "rollout.temperature = {temperature} and rollout.top_p = {top_p} draw completions with other \
                 probabilities than objective.ratio_of = \"model\" compares: the ratios would be biased\n\
                 hint: set objective.ratio_of=sampler for the probabilities that are drawn with (top_p = 1), or \
                 objective.ratio_of=model-uncorrected to accept the bias"
            ),
            RatioOf::Sampler if top_p < 1.0 => bail!(
                "objective.ratio_of = \"sampler\" with rollout.top_p = {top_p}: a token that has left the nucleus has no \
                 ratio\nhint: set rollout.top_p=1, or objective.ratio_of=model-uncorrected to accept biased ratios"
            ),
            _ => Ok(()),
        }
    }
}

fn unit_interval(key: &str, value: f32) -> anyhow::Result<()> {
    if !(0.0..=1.0).contains(&value) {
        bail!("{key} is {value}, it must lie between 0 and 1");
    }
    Ok(())
}

fn probability(key: &str, value: f32) -> anyhow::Result<()> {
    if !(value > 0.0 && value <= 1.0) {
        bail!("{key} is {value}, it must be above 0 and at most 1");
    }
    Ok(())
}
