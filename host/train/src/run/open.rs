//! How a run begins, and how it goes on after it was interrupted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};

use super::inputs::{Inputs, Policies, load};
use super::resume::{self, Found};
use super::step::probe_of;
use super::swaps::{Swaps, stored_policy};
use super::{Run, RunProgress, identity};
use crate::checkpoint::{self, GuestStates, RunState, Schedule, Writer};
use crate::config::{Config, Engine, RunToml};
use crate::control::{Content, Control};
use crate::dataset::QuestionQueue;
use crate::identity::Identity;
use exgrpo_core::atomic;
use exgrpo_core::rng::Streams;
use exgrpo_core::rundir::{RunDir, RunLock};
use exgrpo_engine::Actor;
use exgrpo_log::metric;
use exgrpo_log::{Begin, RunLog};
use exgrpo_models::prompt::{self, Prompts};
use exgrpo_policy::{PolicySet, PolicySource};
use exgrpo_pool::ExperiencePool;

impl Run {
    /// Begins a run in `out`, or in a directory of its own under `runs/`. Everything is read and checked before the
    /// directory is made.
    pub fn create(mut config: Config, out: Option<&Path>) -> anyhow::Result<Self> {
        config.validate()?;
        config.check_engine(config.model.engine.capabilities())?;
        let source = crate::trained::read(&config.model.path)?;
        // What is written down doesn't depend on where a branch of the hub or another run is tomorrow.
        config.model.path.clone_from(&source.path);
        config.prompt = prompt::effective(&config.prompt, &source).clone();
        let inputs = Inputs::read(config, source)?;
        let policies = inputs.load_policies()?;
        let (dir, lock) = match out {
            Some(out) => RunDir::create(out)?,
            None => RunDir::create_named(Path::new("runs"), &label(&inputs.config))?,
        };
        let own_template = inputs.source.chat_template.as_deref();
        atomic::write_dir(&dir.model(), |folder| inputs.source.write_files(folder, own_template))?;
        let start = Start::fresh(&inputs, &dir, policies)?;
        let run_toml = RunToml::new(inputs.config.clone(), about_run(&dir, &inputs, &start)?)?;
        // Last: a directory without it is one that the same command makes anew.
        atomic::write_file(&dir.config(), run_toml.text.as_bytes())?;
        let guest_states = GuestStates::of(&dir);
        Self::assemble(inputs, dir, lock, start, run_toml, guest_states, None)
    }

    /// The engine that the run in `root` has; none when its configuration can't be read, which [`Run::resume`] says.
    pub fn recorded_engine(root: &Path) -> Option<Engine> {
        Config::recorded(&RunDir::at(root).config()).ok().map(|config| config.model.engine)
    }

    /// Goes on with the run in `root` from its latest checkpoint that can be used, up to `steps` steps if given. What
    /// was logged after it is made again; the old parts are set aside, never removed. [`Self::notes`] says what was
    /// found and done.
    ///
    /// # Errors
    /// It is no run, a recorded file is damaged without another that could stand in for it, or what the run needs is
    /// not there any more. Nothing was touched.
    pub fn resume(root: &Path, steps: Option<u32>) -> anyhow::Result<Self> {
        Self::go_on(root, steps, resume::find)
    }

    /// Begins the run in `root` again, with all that it has logged and all its checkpoints set aside.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub fn start_over(root: &Path, steps: Option<u32>) -> anyhow::Result<Self> {
        Self::go_on(root, steps, |dir, _, _| resume::from_the_start(dir))
    }

    fn go_on(
        root: &Path,
        steps: Option<u32>,
        find: impl FnOnce(&RunDir, &RunToml, &mut GuestStates) -> anyhow::Result<Found>,
    ) -> anyhow::Result<Self> {
        let (dir, lock, run_toml) = resume::open(root)?;
        let mut guest_states = GuestStates::of(&dir);
        let mut found = find(&dir, &run_toml, &mut guest_states)?;
        let mut config = run_toml.config.clone();
        if let Some(steps) = steps {
            config.steps = steps;
        }
        // The run keeps what its checkpoint doesn't hold of the model: it goes on when the model has moved away.
        let source = match found.step() {
            0 => crate::trained::read(&config.model.path)?,
            step => crate::trained::read(&dir.checkpoint(step).to_string_lossy())?,
        };
        let inputs = Inputs::read(config, source)?;
        let digests = recorded_policies(&run_toml);
        let start = match found.checkpoint.take() {
            Some((state, pool)) => Start::restored(&inputs, &dir, state, pool)?,
            // Killed before the first step was in a checkpoint: nothing is lost by starting over.
            None => {
                let policies = load(&inputs.config, &inputs.loader, |path, index| {
                    let digest = digests.get(index).with_context(|| {
                        format!("{} does not say which policies the run began with", dir.config().display())
                    })?;
                    let bytes = stored_policy(&dir, &inputs.loader, digest)?;
                    Ok(PolicySource { path: Some(path.to_owned()), bytes })
                })?;
                let start = Start::fresh(&inputs, &dir, policies)?;
                if let Some(recorded) = crate::identity::of_run_toml(&run_toml)? {
                    identity::check(&dir, &recorded, &start.identity.without_settings())?;
                }
                start
            }
        };
        let new = run_toml.defaulted.iter().map(|key| {
            format!("run.toml was written by an older version, which had no {key}; that default counts")
        });
        found.notes.extend(new);
        let start = Start { began_with: began_with(&inputs.config, &digests), ..start };
        Self::assemble(inputs, dir, lock, start, run_toml, guest_states, Some(found))
    }

    fn assemble(
        inputs: Inputs,
        dir: RunDir,
        lock: RunLock,
        start: Start,
        run_toml: RunToml,
        guest_states: GuestStates,
        found: Option<Found>,
    ) -> anyhow::Result<Self> {
        let Inputs { config, loader, source, train, test, choices } = inputs;
        let begin = match &found {
            None => Begin::New,
            Some(found) => Begin::After { step: start.state.step, aside: &found.aside },
        };
        let keys = metric::keys(config.rollout.group_size);
        let log = RunLog::open(dir.root(), &run_toml.id, keys, begin)?;
        let mut notes = found.map(|found| found.notes).unwrap_or_default();
        notes.extend_from_slice(log.notes());
        notes.extend_from_slice(&source.notes);
        atomic::remove_leftovers(&dir.checkpoints())?;
        let mut checkpoints = Writer::new(dir.clone(), run_toml.text, config.checkpoint.keep, guest_states);
        if start.state.step > 0 {
            checkpoints.add_readable(start.state.step);
        }
        let Start { state, pool, mut policies, actor, reference, identity, mut began_with } = start;
        if !config.policy.watch {
            began_with.clear();
        }
        let swaps = Swaps::open(&dir, &loader, state.step, &began_with)?;
        let probe = probe_of(&pool, &train, config.rollout.group_size, state.step);
        let (control, problem) = Control::start(swaps.watch(loader, began_with), dir.root(), probe)?;
        if let Some(problem) = problem {
            policies.warn("control", problem);
        }
        Ok(Self {
            streams: Streams::new(state.seed),
            dataset: train,
            heldout: test,
            tokenizer: source.tokenizer,
            stop_ids: source.stop_ids,
            actor,
            reference,
            policies,
            buckets: state.buckets,
            queue: state.queue,
            pool,
            log,
            checkpoints,
            schedule: Schedule::new(config.checkpoint.clone(), Instant::now()),
            saved: state.step,
            notes,
            choices,
            control,
            swaps,
            warned: BTreeSet::new(),
            progress: RunProgress {
                step: state.step,
                weights_version: state.weights_version,
                replay_open: state.replay_open,
                pass_rate: state.pass_rate.unwrap_or(f32::NAN),
                heldout_before: state.heldout_before,
            },
            config,
            identity,
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
    actor: Actor,
    /// The model that the run began with, where the loss keeps close to it.
    reference: Option<Actor>,
    identity: Identity,
    /// Files of policies, each with the digest that the run began with.
    began_with: Vec<(PathBuf, Option<String>)>,
}

impl Start {
    fn fresh(inputs: &Inputs, dir: &RunDir, policies: Policies) -> anyhow::Result<Self> {
        for bytes in &policies.bytes {
            dir.store_policy(bytes)?;
        }
        let state = RunState {
            step: 0,
            weights_version: 0,
            seed: inputs.config.seed,
            replay_open: false,
            pass_rate: None,
            buckets: Vec::new(),
            queue: QuestionQueue::new(inputs.train.len()),
            policies: Vec::new(),
            emptied_slots: Vec::new(),
            heldout_before: None,
            identity: None,
        };
        let pool = ExperiencePool::new(inputs.train.questions.iter().map(|question| question.id))
            .recorded_at(inputs.config.score_temperature());
        let mut identity = inputs.identity()?;
        identity.add_weights(&inputs.source.weights);
        let files = inputs.config.policy.files.iter();
        let began_with = files
            .zip(&policies.bytes)
            .map(|(path, bytes)| (path.clone(), Content::of(bytes).digest().map(str::to_owned)));
        let began_with = began_with.collect();
        let actor = inputs.build_actor()?;
        let reference =
            if inputs.config.objective.kl_coefficient > 0.0 { Some(inputs.build_actor()?) } else { None };
        Ok(Self { state, pool, policies: policies.set, actor, reference, identity, began_with })
    }

    fn restored(
        inputs: &Inputs,
        dir: &RunDir,
        state: RunState,
        pool: ExperiencePool,
    ) -> anyhow::Result<Self> {
        let mut identity = inputs.identity()?;
        if let Some(recorded) = &state.identity {
            identity.keep_weights_of(recorded);
        }
        // Before anything of the checkpoint is combined with what is given now.
        identity::check_resumed(dir, state.identity.as_ref(), &identity, &pool, &inputs.train)?;
        let (stored, wanted) = (pool.score_temperature(), inputs.config.score_temperature());
        if stored != wanted {
            bail!(
                "the checkpoint's experiences have log-probs at temperature {stored}, objective.ratio_of and \
                 rollout.temperature ask for {wanted}: they can't be compared\n\
                 hint: resume with the configuration that the run began with"
            );
        }
        let reference = reference(&inputs.config, &identity)?;
        let mut actor = inputs.build_actor()?;
        actor.load_optimizer(&dir.checkpoint(state.step).join(checkpoint::OPTIMIZER))?;
        let file_limit = inputs.config.guest.file_mib << 20;
        let snapshots = checkpoint::policy_bytes(dir, state.policies.clone(), file_limit)?;
        let policies = PolicySet::restore(&inputs.loader, snapshots, &state.emptied_slots)?;
        Ok(Self { state, pool, policies, actor, reference, identity, began_with: Vec::new() })
    }
}

/// The model that a run began with, from where it was: checkpoints hold only what it has become.
fn reference(config: &Config, identity: &Identity) -> anyhow::Result<Option<Actor>> {
    if config.objective.kl_coefficient == 0.0 {
        return Ok(None);
    }
    let path = &config.model.path;
    let lost = || {
        format!(
            "objective.kl_coefficient compares with the model that the run began with, and {path} can't be used for it\n\
             hint: put that model back in its place"
        )
    };
    let source = crate::trained::read(path).with_context(lost)?;
    if !identity.may_have_begun_with(&source.weights) {
        return Err(anyhow::anyhow!("it has other weights now").context(lost()));
    }
    Ok(Some(source.actor(&config.model)?))
}

/// Digests of the policies that the run of this run.toml began with, in the order of its files.
fn recorded_policies(run_toml: &RunToml) -> Vec<String> {
    let policies = run_toml.run.get("policies").and_then(toml::Value::as_array);
    let digest = |policy: &toml::Value| Some(policy.get("digest")?.as_str()?.to_owned());
    policies.into_iter().flatten().filter_map(digest).collect()
}

fn began_with(config: &Config, digests: &[String]) -> Vec<(PathBuf, Option<String>)> {
    let files = config.policy.files.iter().enumerate();
    files.map(|(index, path)| (path.clone(), digests.get(index).cloned())).collect()
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

/// What run.toml says of a run besides its configuration.
fn about_run(dir: &RunDir, inputs: &Inputs, start: &Start) -> anyhow::Result<toml::Table> {
    let mut run = toml::Table::new();
    run.insert("name".to_owned(), dir.name().into());
    run.insert("exgrpo_version".to_owned(), env!("CARGO_PKG_VERSION").into());
    run.insert("model".to_owned(), inputs.source.path.clone().into());
    if let Some(template) = Prompts::new(&inputs.config.prompt, &inputs.source)?.template() {
        run.insert("prompt_template".to_owned(), template.into());
    }
    run.insert("log_schema_version".to_owned(), i64::from(exgrpo_log::SCHEMA_VERSION).into());
    run.insert("policies_see".to_owned(), inputs.train.extra_names.clone().into());
    let kept_back = inputs.train.kept_back.iter().map(|kept| format!("{}: {}", kept.name, kept.reason));
    run.insert("kept_from_policies".to_owned(), kept_back.collect::<Vec<_>>().into());
    let components = start.policies.components().into_iter().map(|info| {
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
    run.insert("identity".to_owned(), toml::Value::try_from(start.identity.without_settings())?);
    Ok(run)
}
