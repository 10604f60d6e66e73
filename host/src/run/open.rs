//! How a run begins, and how it goes on after it was interrupted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::{Progress, Run};
use crate::checkpoint::{self, RunState};
use crate::config::{Config, Engine};
use crate::control::Control;
use crate::dataset::{Dataset, QuestionQueue};
use crate::guest::{Loader, PolicySet, PolicySource, Probe};
use crate::log::RunLog;
use crate::model::{Actor, ModelConfig, Weights};
use crate::model_source::ModelSource;
use crate::pool::ExperiencePool;
use crate::rng::Streams;
use crate::rundir::{RunDir, RunLock};
use crate::{atomic, metrics};

/// Table of run.toml that is about the run rather than its configuration.
const RUN_TABLE: &str = "run";

impl Run {
    /// Begins a run in `out`, or in a directory of its own under `runs/`. Everything is read and checked before the
    /// directory is made.
    pub fn create(config: Config, out: Option<&Path>) -> anyhow::Result<Self> {
        config.validate()?;
        let source = ModelSource::read(&config.model.path)?;
        let loader = loader(&config)?;
        let policies = load_policies(&config, &loader)?;
        let datasets = Datasets::read(&config, &source)?;
        let label = label(&config);
        let (dir, lock) = match out {
            Some(out) => RunDir::create(out)?,
            None => RunDir::create_named(Path::new("runs"), &label)?,
        };
        write_run_toml(&dir, &config, &policies)?;
        for path in &config.policy.files {
            dir.store_policy(&PolicySource::read(path)?.bytes)?;
        }
        let start = Start::fresh(&config, &datasets.train, policies);
        let actor = build_actor(&config, source.config.clone(), source.weights.clone())?;
        Self::assemble(config, dir, lock, loader, start, actor, source, datasets, None)
    }

    /// The engine that the run in `root` has; none when its configuration can't be read, which [`Run::resume`] says.
    pub fn recorded_engine(root: &Path) -> Option<Engine> {
        read_run_toml(&RunDir::at(root)).ok().map(|config| config.model.engine)
    }

    /// Goes on with the run in `root` from its latest checkpoint, up to `steps` steps if given.
    pub fn resume(root: &Path, steps: Option<u32>) -> anyhow::Result<Self> {
        let (dir, lock) = RunDir::open(root)?;
        let mut config = read_run_toml(&dir)?;
        if let Some(steps) = steps {
            config.steps = steps;
        }
        config.validate()?;
        let loader = loader(&config)?;
        let source = ModelSource::read(&config.model.path)?;
        let datasets = Datasets::read(&config, &source)?;
        let Some(&step) = dir.checkpoint_steps()?.last() else {
            // Killed before the first step was done: nothing is lost by starting over.
            let policies = load_policies(&config, &loader)?;
            for path in &config.policy.files {
                dir.store_policy(&PolicySource::read(path)?.bytes)?;
            }
            let start = Start::fresh(&config, &datasets.train, policies);
            let actor = build_actor(&config, source.config.clone(), source.weights.clone())?;
            return Self::assemble(config, dir, lock, loader, start, actor, source, datasets, Some(0));
        };
        let checkpoint = dir.checkpoint(step);
        let (state, pool) = checkpoint::read(&checkpoint)?;
        if pool.num_questions() != datasets.train.len() {
            bail!(
                "the checkpoint knows {} questions, dataset {} has {}: it is not the one the run began with",
                pool.num_questions(),
                config.dataset.train,
                datasets.train.len()
            );
        }
        let weights = Weights::load(&checkpoint, &source.config)?;
        let mut actor = build_actor(&config, source.config.clone(), weights)?;
        actor.load_optimizer(&checkpoint.join(checkpoint::OPTIMIZER))?;
        let snapshots = checkpoint::policy_bytes(&dir, state.policies.clone())?;
        let policies = PolicySet::restore(&loader, snapshots)?;
        let start = Start { state, pool, policies };
        Self::assemble(config, dir, lock, loader, start, actor, source, datasets, Some(step))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a run, each made by its own step of opening")]
    fn assemble(
        config: Config,
        dir: RunDir,
        lock: RunLock,
        loader: Loader,
        start: Start,
        actor: Actor,
        source: ModelSource,
        datasets: Datasets,
        resume_after: Option<u32>,
    ) -> anyhow::Result<Self> {
        let longest = (config.rollout.max_prompt_tokens + config.rollout.max_new_tokens) as usize;
        if longest > source.config.max_position_embeddings {
            bail!(
                "rollout.max_prompt_tokens + rollout.max_new_tokens = {longest}, the model takes {} positions",
                source.config.max_position_embeddings
            );
        }
        let log = RunLog::open(dir.root(), metrics::keys(config.rollout.group_size), resume_after)?;
        let watched = if config.policy.watch { config.policy.files.clone() } else { Vec::new() };
        let control = Control::start(loader.clone(), watched, dir.root())?;
        let Start { state, pool, policies } = start;
        Ok(Self {
            streams: Streams::new(state.seed),
            dataset: datasets.train,
            heldout: datasets.test,
            tokenizer: source.tokenizer,
            stop_ids: source.stop_ids,
            actor,
            policies,
            buckets: state.buckets,
            queue: state.queue,
            pool,
            log,
            control,
            progress: Progress {
                step: state.step,
                weights_version: state.weights_version,
                replay_open: state.replay_open,
                pass_rate: state.pass_rate.unwrap_or(f32::NAN),
                heldout_before: state.heldout_before,
            },
            config,
            dir,
            _lock: lock,
        })
    }
}

/// What a run starts from.
struct Start {
    state: RunState,
    pool: ExperiencePool,
    policies: PolicySet,
}

impl Start {
    fn fresh(config: &Config, dataset: &Dataset, policies: PolicySet) -> Self {
        let state = RunState {
            step: 0,
            weights_version: 0,
            seed: config.seed,
            replay_open: false,
            pass_rate: None,
            buckets: Vec::new(),
            queue: QuestionQueue::new(dataset.len()),
            policies: Vec::new(),
            heldout_before: None,
        };
        let pool = ExperiencePool::new(dataset.questions.iter().map(|question| question.id));
        Self { state, pool, policies }
    }
}

struct Datasets {
    train: Dataset,
    test: Dataset,
}

impl Datasets {
    fn read(config: &Config, source: &ModelSource) -> anyhow::Result<Self> {
        let max = config.rollout.max_prompt_tokens as usize;
        Ok(Self {
            train: Dataset::read(&config.dataset.train, &source.tokenizer, max)?,
            test: Dataset::read(&config.dataset.test, &source.tokenizer, max)?,
        })
    }
}

/// Builds the network on the engine that the configuration names.
pub(super) fn build_actor(config: &Config, shape: ModelConfig, weights: Weights) -> anyhow::Result<Actor> {
    match config.model.engine {
        Engine::Candle => Actor::candle(shape, weights, candle_core::Device::Cpu),
        Engine::Cpu => Actor::cpu(shape, &weights, config.model.threads),
    }
}

/// A loader with the run's limits and parameters.
pub(super) fn loader(config: &Config) -> anyhow::Result<Loader> {
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let params: BTreeMap<String, String> =
        config.policy.params.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    Loader::new(&config.guest, &params)
}

/// Loads and probes the configured policies.
pub(super) fn load_policies(config: &Config, loader: &Loader) -> anyhow::Result<PolicySet> {
    let probe = Probe { group_size: config.rollout.group_size, step: 1, ..Probe::default() };
    let mut candidates = Vec::new();
    for path in &config.policy.files {
        let source = PolicySource::read(path).with_context(|| {
            "hint: `cargo xtask policies` builds the shipped policies into policies/".to_owned()
        })?;
        let candidate = loader
            .prepare(source, &probe)
            .with_context(|| format!("policy {} is refused", path.display()))?;
        candidates.push(candidate);
    }
    Ok(PolicySet::new(loader, candidates)?)
}

/// Names of the policies, for the run's directory.
fn label(config: &Config) -> String {
    let stems: Vec<String> = config
        .policy
        .files
        .iter()
        .filter_map(|path: &PathBuf| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    if stems.is_empty() { "builtin".to_owned() } else { stems.join("+") }
}

fn write_run_toml(dir: &RunDir, config: &Config, policies: &PolicySet) -> anyhow::Result<()> {
    let mut run = toml::Table::new();
    run.insert("name".to_owned(), dir.name().into());
    run.insert("exgrpo_version".to_owned(), env!("CARGO_PKG_VERSION").into());
    run.insert("log_schema_version".to_owned(), i64::from(crate::log::SCHEMA_VERSION).into());
    let components = policies.components().into_iter().map(|info| {
        let mut table = toml::Table::new();
        table.insert("name".to_owned(), info.name.into());
        table.insert("version".to_owned(), info.version.into());
        table.insert("digest".to_owned(), info.digest.into());
        let slots: Vec<&str> = info.slots.iter().map(|slot| slot.as_str()).collect();
        table.insert("slots".to_owned(), slots.into());
        table.insert("params".to_owned(), serde_json::Value::Object(info.params).to_string().into());
        toml::Value::Table(table)
    });
    run.insert("policies".to_owned(), toml::Value::Array(components.collect()));
    let mut file = toml::Table::new();
    file.insert(RUN_TABLE.to_owned(), run.into());
    let text = format!("{}\n{}", config.to_toml()?, toml::to_string(&file)?);
    atomic::write_file(&dir.config(), text.as_bytes())?;
    Ok(())
}

/// The configuration of an existing run.
pub(super) fn read_run_toml(dir: &RunDir) -> anyhow::Result<Config> {
    let path = dir.config();
    let place = || format!("{} can't be used", path.display());
    let mut table: toml::Table =
        std::fs::read_to_string(&path).with_context(place)?.parse().with_context(place)?;
    table.remove(RUN_TABLE);
    toml::Value::Table(table).try_into().with_context(place)
}
