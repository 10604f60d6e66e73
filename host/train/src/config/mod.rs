//! One TOML is one run. Every key has a vetted default, unknown keys are rejected, contradictions are rejected before
//! anything is loaded, and the resolved configuration is written into the run directory.

mod given;
mod run_toml;
mod sections;

use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::dataset::{Columns, Mapping};
use exgrpo_core::bounded;
pub use exgrpo_engine::objective::{Advantage, Aggregation, Clip, Kind, ObjectiveSection, RatioOf};
pub use exgrpo_models::{Engine, ModelSection, PromptSection, PromptTemplate};
use exgrpo_policy::GuestConfig;
pub use run_toml::{MAX_RUN_TOML, RunToml};
pub use sections::*;

/// The whole configuration of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seed of all random streams.
    pub seed: u64,
    /// Optimization steps; one step trains on `rollout.questions` groups.
    pub steps: u32,
    /// `paper`, or `reference` for what the published code does where the two differ.
    pub mode: Mode,
    /// The network.
    pub model: ModelSection,
    /// How questions are put to it.
    pub prompt: PromptSection,
    /// The questions.
    pub dataset: DatasetSection,
    /// Sampling.
    pub rollout: RolloutSection,
    /// Learning from experience.
    pub replay: ReplaySection,
    /// Solutions by others.
    pub demonstrations: DemonstrationsSection,
    /// Loss.
    pub objective: ObjectiveSection,
    /// AdamW.
    pub optim: OptimSection,
    /// Wasm policies.
    pub policy: PolicySection,
    /// Limits of policies and what happens when one is broken.
    pub guest: GuestConfig,
    /// Held-out accuracy.
    pub eval: EvalSection,
    /// Checkpoints.
    pub checkpoint: CheckpointSection,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 150,
            mode: Mode::Paper,
            model: ModelSection::default(),
            prompt: PromptSection::default(),
            dataset: DatasetSection::default(),
            rollout: RolloutSection::default(),
            replay: ReplaySection::default(),
            demonstrations: DemonstrationsSection::default(),
            objective: ObjectiveSection::default(),
            optim: OptimSection::default(),
            policy: PolicySection::default(),
            guest: GuestConfig::default(),
            eval: EvalSection::default(),
            checkpoint: CheckpointSection::default(),
        }
    }
}

impl Config {
    /// Reads `file` (defaults when `None`), applies `key=value` overrides in order, and validates the result.
    pub fn resolve(file: Option<&Path>, overrides: &[String]) -> anyhow::Result<Self> {
        let mut table = match file {
            None => toml::Table::new(),
            Some(path) => bounded::read_text(path, bounded::CONFIG_BYTES)
                .with_context(|| format!("can't read configuration {}", path.display()))?
                .parse()
                .with_context(|| format!("configuration {} is not TOML", path.display()))?,
        };
        // What a run adds to its configuration: the rest is a configuration like any other.
        table.remove(run_toml::RUN_TABLE);
        for item in overrides {
            set(&mut table, item)?;
        }
        given::suit(&mut table)?;
        let origin = file.map_or_else(|| "the configuration".to_owned(), |path| path.display().to_string());
        let config: Self = toml::Value::Table(table).try_into().with_context(|| {
            format!("{origin} is not usable\nhint: `exgrpo-host config` prints every key with its default")
        })?;
        config.validate().with_context(|| format!("{origin} contradicts itself"))?;
        Ok(config)
    }

    /// The configuration of an existing run, from its `run.toml`.
    ///
    /// # Errors
    /// The file can't be read, is not as it was written, or was written by a program with other keys.
    pub fn recorded(path: &Path) -> anyhow::Result<Self> {
        Ok(RunToml::read(path)?.config)
    }

    /// The configuration as TOML.
    pub fn to_toml(&self) -> anyhow::Result<String> {
        toml::to_string(self).context("can't write the configuration as TOML")
    }

    /// How rows of the datasets become questions.
    pub fn mapping(&self) -> Mapping {
        let DatasetSection { layout, question, answer, solution, .. } = self.dataset.clone();
        let columns = Columns { question, answer, solution };
        Mapping {
            layout,
            columns,
            max_prompt_tokens: self.rollout.max_prompt_tokens as usize,
            max_demonstration_tokens: self
                .demonstrations
                .enabled
                .then_some(self.rollout.max_new_tokens as usize),
        }
    }

    /// First contradiction found, as an error that names the keys.
    pub fn validate(&self) -> anyhow::Result<()> {
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

    /// Temperature of the distribution that recorded log-probs and entropies, and the ratios against them, are of.
    pub fn score_temperature(&self) -> f32 {
        match self.objective.ratio_of {
            RatioOf::Model | RatioOf::ModelUncorrected => 1.0,
            RatioOf::Sampler => self.rollout.temperature,
        }
    }

    /// Groups with `min_success..=max_success` correct members enter the pool.
    pub fn max_success(&self) -> u32 {
        self.replay.max_success.unwrap_or(self.rollout.group_size - 1)
    }
}

pub(crate) fn unit_interval(key: &str, value: f32) -> anyhow::Result<()> {
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

/// Sets a dotted key. The value is read as TOML where it is TOML, else as a string.
fn set(table: &mut toml::Table, item: &str) -> anyhow::Result<()> {
    let Some((key, text)) = item.split_once('=') else {
        bail!("--set {item:?} has no `=`\nhint: write it as rollout.questions=16");
    };
    let value = format!("value = {text}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()));
    let mut path: Vec<&str> = key.trim().split('.').collect();
    let last = path.pop().unwrap_or_default();
    let mut table = table;
    for part in path {
        table = table
            .entry(part)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .with_context(|| format!("--set {item:?}: {part:?} is not a table"))?;
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(overrides: &[&str]) -> anyhow::Result<Config> {
        Config::resolve(None, &overrides.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn overrides_reach_their_key_and_survive_a_round_trip() {
        let config = resolve(&[
            "rollout.questions=16",
            "mode=reference",
            "policy.files=[\"a.wasm\"]",
            "objective.clip=never",
        ])
        .unwrap();
        assert_eq!((config.rollout.questions, config.mode), (16, Mode::Reference));
        assert_eq!(config.objective.clip, Clip::Never);
        let again: Config = toml::from_str(&config.to_toml().unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn other_data_and_models_get_no_lengths_and_no_test_questions_of_the_default_task() {
        let lengths = |config: &Config| (config.rollout.max_prompt_tokens, config.rollout.max_new_tokens);
        let default = resolve(&[]).unwrap();
        assert_eq!(lengths(&default), (32, 64));
        assert_eq!((default.dataset.test.as_str(), default.eval.enabled), ("embedded:arithmetic/test", true));

        let own = resolve(&["dataset.train=own.jsonl", "rollout.max_new_tokens=100"]).unwrap();
        assert_eq!((lengths(&own), own.rollout.questions), ((0, 100), 0));
        assert_eq!((own.dataset.test.as_str(), own.eval.enabled), ("", false));

        let own = resolve(&["dataset.train=own.jsonl", "dataset.test=test.jsonl", "model.path=own"]).unwrap();
        assert_eq!((lengths(&own), own.eval.enabled), ((0, 0), true));
        let model = resolve(&["model.path=own", "rollout.max_prompt_tokens=7"]).unwrap();
        assert_eq!((lengths(&model), model.eval.enabled), ((7, 0), true));
        let same = resolve(&["dataset.train=embedded:arithmetic/train"]).unwrap();
        assert_eq!((lengths(&same), same.eval.enabled), ((32, 64), true));

        let error = format!("{:#}", resolve(&["dataset.train=own.jsonl", "eval.enabled=true"]).unwrap_err());
        assert!(error.contains("hint: set dataset.test"), "{error}");
    }

    #[test]
    fn ratios_are_of_what_they_are_asked_to_be() {
        for (overrides, temperature) in [
            (vec![], 1.0),
            (vec!["rollout.temperature=0.7", "objective.ratio_of=sampler"], 0.7),
            (
                vec!["rollout.temperature=0.7", "objective.ratio_of=model-uncorrected", "rollout.top_p=0.9"],
                1.0,
            ),
            (vec!["eval.temperature=0.6", "eval.top_p=0.5"], 1.0),
        ] {
            assert_eq!(resolve(&overrides).unwrap().score_temperature(), temperature, "{overrides:?}");
        }
    }

    #[test]
    fn unknown_keys_and_contradictions_name_the_key() {
        for (item, expected) in [
            ("rollout.question=16", "question"),
            ("model.engine=tpu", "tpu"),
            ("rollout.group_size=1", "group_size"),
            ("rollout.questions=31", "objective.updates"),
            ("replay.max_success=8", "max_success"),
            ("rollout.top_p=0.0", "top_p"),
            ("replay.experience_ratio=1.5", "experience_ratio"),
            ("replay.min_reward=1.5", "min_reward"),
            ("rollout.temperature=0.7", "objective.ratio_of=sampler"),
            ("rollout.top_p=0.9", "objective.ratio_of=model-uncorrected"),
            ("optim.lr=-1.0", "lr"),
            ("steps=0", "steps"),
            ("checkpoint.max_share=0.0", "max_share"),
            ("prompt.template=own", "prompt.text"),
            ("prompt.text=x", "prompt.template"),
            ("prompt.date=today", "prompt.date"),
            ("seed", "no `=`"),
        ] {
            let error = format!("{:#}", resolve(&[item]).unwrap_err());
            assert!(error.contains(expected), "{item}: {error}");
        }
        let error = resolve(&["objective.ratio_of=sampler", "rollout.top_p=0.9"]).unwrap_err();
        assert!(format!("{error:#}").contains("nucleus"), "{error:#}");
        let error = resolve(&["model.engine=candle", "model.threads=2"]).unwrap_err();
        assert!(format!("{error:#}").contains("model.threads"), "{error:#}");
    }
}
