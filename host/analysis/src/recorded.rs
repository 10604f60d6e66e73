//! A run as its directory has it.

use std::fmt;
use std::path::{Path, PathBuf};

use exgrpo_core::rundir::RunDir;
use exgrpo_log::part::{Part, parts};
use exgrpo_log::{Metric, MetricsRow, Survey, metric, metrics, read};
use exgrpo_train::config::{Config, RunToml, unsealed};
use exgrpo_train::identity::{self, Identity};

/// A run that was recorded, or goes on.
#[derive(Debug)]
pub struct RecordedRun {
    /// Its directory.
    pub dir: PathBuf,
    /// What it began with.
    pub toml: RunToml,
    /// Policies that it began with.
    pub policies: Vec<RecordedPolicy>,
    /// Whether it goes on.
    pub state: State,
    metrics: Vec<Part>,
}

/// A policy, as run.toml names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordedPolicy {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// Slots that it filled.
    pub slots: Vec<String>,
    /// Parameters, as JSON.
    pub params: String,
}

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A process writes it.
    Running,
    /// All of its steps are done.
    Finished,
    /// Steps are left, and nobody writes it.
    Stopped,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        })
    }
}

impl RecordedRun {
    /// Opens the run in `dir`. No part is read yet.
    ///
    /// # Errors
    /// run.toml is absent, damaged or of another program; the directory can't be listed.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let run = RunDir::at(dir);
        let toml = RunToml::read_to_look_at(&run.config())?;
        let metrics = parts(dir, metrics::TABLE)?;
        let last = metrics.last().map_or(0, |part| part.last);
        let state = match run.is_being_written()? {
            true => State::Running,
            false if last >= toml.config.steps => State::Finished,
            false => State::Stopped,
        };
        let policies = toml.run.get("policies").and_then(toml::Value::as_array);
        let policies = policies.into_iter().flatten().map(RecordedPolicy::of).collect();
        Ok(Self { dir: dir.to_owned(), toml, policies, state, metrics })
    }

    /// What is wrong with its log, a line each; of a run of before parts had digests, only steps that are missing.
    ///
    /// # Errors
    /// A folder can't be listed; a part is of a later program.
    pub fn problems(&self) -> anyhow::Result<Vec<String>> {
        if self.toml.is_unsealed() {
            let told = unsealed(&RunDir::at(&self.dir).config());
            return Ok(std::iter::once(told).chain(self.gaps()?).collect());
        }
        // Parts come and go while a run is written.
        if self.state == State::Running {
            return Ok(Vec::new());
        }
        let mut problems = Survey::of(&self.dir)?.problems(&self.toml.id)?;
        problems.extend(self.lost_end()?);
        Ok(problems)
    }

    /// Only steps that are missing, without reading a part.
    ///
    /// # Errors
    /// A folder can't be listed.
    pub fn gaps(&self) -> anyhow::Result<Vec<String>> {
        if self.state == State::Running {
            return Ok(Vec::new());
        }
        let mut gaps = Survey::of(&self.dir)?.gaps();
        gaps.extend(self.lost_end()?);
        Ok(gaps)
    }

    /// A checkpoint of a later step than the log's last: steps are logged before one is written.
    fn lost_end(&self) -> anyhow::Result<Option<String>> {
        let last = self.last_step();
        let newest = RunDir::at(&self.dir).checkpoint_steps()?.pop().filter(|step| *step > last);
        Ok(newest.map(|step| {
            format!("the log ends at step {last}, and there is a checkpoint of step {step}: what it had logged is gone")
        }))
    }

    /// Last part of its path.
    pub fn name(&self) -> String {
        RunDir::at(&self.dir).name()
    }

    /// What it was given, by content; nothing of runs that did not record it.
    ///
    /// # Errors
    /// run.toml's table of it is damaged.
    pub fn identity(&self) -> anyhow::Result<Identity> {
        Ok(identity::of_run_toml(&self.toml)?.unwrap_or_default())
    }

    /// Configuration that it began with.
    pub fn config(&self) -> &Config {
        &self.toml.config
    }

    /// Names of the policies that it began with.
    pub fn label(&self) -> String {
        let names: Vec<&str> = self.policies.iter().map(|policy| &*policy.name).collect();
        if names.is_empty() { "built in".to_owned() } else { names.join(" + ") }
    }

    /// Its last step that is in the log; 0 before the first.
    pub fn last_step(&self) -> u32 {
        self.metrics.last().map_or(0, |part| part.last)
    }

    /// Metrics of all steps.
    ///
    /// # Errors
    /// A part can't be read.
    pub fn metrics(&self) -> anyhow::Result<Vec<MetricsRow>> {
        Ok(read::metrics(&self.dir)?)
    }

    /// Metrics of the step, if it is in the log. Reads one part.
    ///
    /// # Errors
    /// The part can't be read.
    pub fn metrics_of(&self, step: u32) -> anyhow::Result<Option<MetricsRow>> {
        let Some(part) = self.metrics.iter().find(|part| (part.first..=part.last).contains(&step)) else {
            return Ok(None);
        };
        Ok(read::part_metrics(part)?.into_iter().find(|row| row.step == step))
    }

    /// Held-out accuracy before the first step, and the latest one after a step. Reads at most three parts.
    ///
    /// # Errors
    /// A part can't be read.
    pub fn heldout(&self) -> anyhow::Result<(Option<f64>, Option<f64>)> {
        let value = |step: u32, wanted: &Metric| -> anyhow::Result<Option<f64>> {
            Ok(self.metrics_of(step)?.and_then(|row| row.values.get(wanted.key()).copied()))
        };
        let last = self.last_step();
        let before = value(1, &metric::HELDOUT_BEFORE)?;
        let mut after = value(last, &metric::HELDOUT_ACCURACY)?;
        let every = self.config().eval.every;
        if after.is_none() && every > 0 {
            after = value(last - last % every, &metric::HELDOUT_ACCURACY)?;
        }
        Ok((before, after))
    }
}

impl RecordedPolicy {
    fn of(entry: &toml::Value) -> Self {
        let text = |key: &str| entry.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let slots = entry.get("slots").and_then(toml::Value::as_array);
        let slots = slots.into_iter().flatten().filter_map(|slot| Some(slot.as_str()?.to_owned()));
        Self {
            name: text("name"),
            version: text("version"),
            digest: text("digest"),
            slots: slots.collect(),
            params: text("params"),
        }
    }
}
