//! One TOML is one run. Every key has a vetted default, unknown keys are rejected, contradictions are rejected before
//! anything is loaded, and the resolved configuration is written into the run directory.

mod described;
mod given;
mod meant;
#[cfg(test)]
mod reference;
mod run_toml;
mod sections;
mod validate;

use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::dataset::{Columns, Mapping};
use exgrpo_core::bounded;
pub use exgrpo_engine::objective::{Advantage, Aggregation, Clip, Kind, ObjectiveSection, RatioOf};
pub use exgrpo_models::{Engine, ModelSection, PromptSection, PromptTemplate};
use exgrpo_policy::GuestConfig;
pub use run_toml::{MAX_RUN_TOML, RunToml, unsealed};
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
        let config: Self = toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| {
            let hint = meant::hint(&error.to_string());
            anyhow::Error::from(error).context(format!("{origin} is not usable\nhint: {hint}"))
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

    /// The same with a comment on every key, and the keys that are not given as comments.
    ///
    /// # Errors
    /// A value can't be written as TOML.
    pub fn described(&self) -> anyhow::Result<String> {
        Ok(described::described(&self.to_toml()?))
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

/// Sets a dotted key. The value is read as TOML where it is TOML, else as a string.
fn set(table: &mut toml::Table, item: &str) -> anyhow::Result<()> {
    let Some((key, text)) = item.split_once('=') else {
        bail!("--set {item:?} has no `=`\nhint: write it as rollout.questions=16");
    };
    let value = format!("value = {text}")
        .parse::<toml::Table>()
        .ok()
        // A line break may bring other keys along: such a text is no value of TOML.
        .filter(|parsed| parsed.len() == 1)
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
mod tests;
