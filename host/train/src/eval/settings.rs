//! What an evaluation was asked, and whether a directory holds that very evaluation.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::Benchmark;
use crate::config::{Engine, PromptSection};
use crate::identity::{self, Identity, RowsIdentity};
use exgrpo_core::atomic;
use exgrpo_core::journal::Slot;
use exgrpo_core::rundir::RunDir;
use exgrpo_core::sealed;
use exgrpo_engine::Precision;
use exgrpo_log::{EvaluationRow, Row, read};
use exgrpo_models::ModelSource;
use exgrpo_models::prompt::Prompts;
use exgrpo_policy::{GuestConfig, PolicySet};

/// File of an evaluation's directory that says what was asked.
const SETTINGS: &str = "eval.toml";
/// File whose lock says that a process writes the directory.
const LOCK: &str = "eval.lock";
/// Version of the layout of [`SETTINGS`].
const VERSION: u32 = 2;

/// Keys that are compared by content: the names of what is asked, and how much of it.
const NAMES: [&str; 3] = ["model", "datasets", "limit"];

/// Everything that decides an evaluation's outcome. Two that differ can't share a directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Version of this file's layout.
    pub version: u32,
    /// Version of the program that samples.
    pub program: String,
    /// Model; a run stands for its latest checkpoint, a name on the hub for its commit. `identity` knows its content.
    pub model: String,
    /// Files of questions, as they were named. `identity` knows their content.
    pub datasets: Vec<String>,
    /// SHA-256 of the verifier, `builtin` without one.
    pub verifier: String,
    /// Its parameters in force, as JSON.
    pub verifier_params: String,
    /// Completions a question; by default 32 for AIME and AMC and 1 for the rest, as the paper has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// Questions of each benchmark, the first ones; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Sampling temperature; 0 takes the likeliest token.
    pub temperature: f32,
    /// Nucleus sampling; 1 draws from the whole vocabulary.
    pub top_p: f32,
    /// Longest completion in tokens.
    pub max_new_tokens: u32,
    /// Seed.
    pub seed: u64,
    /// Implementation of the network.
    pub engine: Engine,
    /// What its products are rounded to.
    pub precision: Precision,
    /// How questions are put to the model.
    pub prompt: PromptSection,
    /// Limits of the verifier.
    pub guest: GuestConfig,
    /// The questions that are asked and the model that is asked, by content.
    pub identity: Identity,
}

/// Held while this process writes an evaluation's directory.
#[derive(Debug)]
pub(super) struct Claim {
    _lock: File,
}

impl Settings {
    /// The version of the layout that this program writes.
    pub const VERSION: u32 = VERSION;

    /// The verifier's SHA-256 and its parameters in force.
    pub fn verifier_of(policies: &PolicySet) -> (String, String) {
        let components = policies.components();
        let params = components.into_iter().find(|info| info.slots.contains(&Slot::Verifier));
        let params = params.map(|info| info.params).unwrap_or_default();
        (policies.digest(Slot::Verifier).to_owned(), serde_json::Value::Object(params).to_string())
    }

    /// What is asked, by content: the questions of each benchmark, and the model with its weights.
    pub fn identity_of(benchmarks: &[Benchmark], source: &ModelSource, prompts: &Prompts<'_>) -> Identity {
        let rows = benchmarks
            .iter()
            .map(|benchmark| (benchmark.name.clone(), RowsIdentity::of(&benchmark.questions)));
        let mut identity = Identity {
            rows: rows.collect(),
            model: identity::model(source, prompts),
            settings: BTreeMap::new(),
        };
        identity.add_weights(&source.weights);
        identity
    }

    /// Completions of each of a benchmark's questions.
    pub(super) fn samples_of(&self, benchmark: &str) -> u32 {
        let name = benchmark.to_lowercase();
        let is_small = name.contains("aime") || name.contains("amc");
        self.samples.unwrap_or(if is_small { 32 } else { 1 })
    }

    /// What is about to be asked and how it is sampled, for people: a run samples otherwise than an evaluation where nothing
    /// is said.
    pub fn asked(&self, benchmarks: &[Benchmark]) -> String {
        let questions: usize = benchmarks.iter().map(|benchmark| benchmark.questions.len()).sum();
        let samples = |benchmark: &Benchmark| self.samples_of(&benchmark.name);
        let (least, most) = (
            benchmarks.iter().map(samples).min().unwrap_or(0),
            benchmarks.iter().map(samples).max().unwrap_or(0),
        );
        let samples = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let nucleus = if self.top_p < 1.0 { format!(", top_p {}", self.top_p) } else { String::new() };
        format!(
            "{questions} questions x {samples} at temperature {}{nucleus}, up to {} tokens, seed {}; runs have temperatures of \
             their own, rollout.temperature and eval.temperature",
            self.temperature, self.max_new_tokens, self.seed
        )
    }

    /// A name for a directory that the same settings find again.
    ///
    /// # Errors
    /// The settings can't be written as TOML.
    pub fn label(&self) -> anyhow::Result<String> {
        let digest = self.sha256()?;
        let stem = Path::new(&self.model).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let stem = stem.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
        Ok(format!("eval-{stem}-{}", &digest[..8]))
    }

    /// SHA-256 of all that is compared.
    ///
    /// # Errors
    /// The settings can't be written as TOML.
    pub(super) fn sha256(&self) -> anyhow::Result<String> {
        Ok(sealed::sha256(&serde_json::to_vec(&self.content()?)?))
    }

    /// All that is compared: the identity, and every other key that is no name.
    fn content(&self) -> anyhow::Result<Identity> {
        let mut table: toml::Table = toml::to_string(self)?.parse()?;
        table.remove("identity");
        let mut settings = identity::flatten(&table);
        settings.retain(|key, _| !NAMES.contains(&key.as_str()) && !identity::is_free_limit(key));
        Ok(Identity { settings, ..self.identity.clone() })
    }

    /// Makes `out` the directory of an evaluation with these settings, or finds that it is.
    ///
    /// # Errors
    /// Another process writes it, it holds another evaluation or rows of nobody knows what, or it can't be written.
    pub(super) fn claim(&self, out: &Path) -> anyhow::Result<Claim> {
        if RunDir::at(out).config().exists() {
            bail!("{} is the directory of a run\nhint: choose another --out", out.display());
        }
        let folder = out.join(EvaluationRow::TABLE);
        std::fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
        let lock = lock(out)?;
        let path = out.join(SETTINGS);
        if path.exists() {
            self.check(out, &path)?;
        } else {
            if !read::parts(out, EvaluationRow::TABLE)?.is_empty() {
                bail!(
                    "{} holds rows of an evaluation, but no {SETTINGS} that says which\nhint: choose another --out",
                    out.display()
                );
            }
            atomic::write_file(&path, toml::to_string(self)?.as_bytes())?;
        }
        atomic::remove_leftovers(out)?;
        Ok(Claim { _lock: lock })
    }

    /// Compares with what `path` says.
    fn check(&self, out: &Path, path: &Path) -> anyhow::Result<()> {
        let there = Self::read(path).map_err(|error| {
            anyhow!("{} can't be used: {error:#}\nhint: choose another --out", path.display())
        })?;
        if let Some(differences) = there.content()?.differences(&self.content()?, &BTreeMap::new()) {
            bail!(
                "{} holds another evaluation: {differences}\nhint: choose another --out; without one every evaluation \
                 has a directory of its own",
                out.display()
            );
        }
        Ok(())
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let table: toml::Table =
            exgrpo_core::bounded::read_text(path, exgrpo_core::bounded::CONFIG_BYTES)?.parse()?;
        match table.get("version").and_then(toml::Value::as_integer) {
            Some(version) if version == i64::from(VERSION) => Ok(toml::Value::Table(table).try_into()?),
            Some(version) => bail!("it has layout version {version}, this program reads {VERSION}"),
            None => bail!("it names no layout version, this program reads {VERSION}"),
        }
    }
}

fn lock(out: &Path) -> anyhow::Result<File> {
    let path = out.join(LOCK);
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.with_context(|| format!("can't open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "{} is being written by another process\nhint: wait for it, or choose another --out",
            out.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("can't lock {}", path.display()))
        }
    }
}
