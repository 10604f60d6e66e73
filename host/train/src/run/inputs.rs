//! What a run is given, read and checked: configuration, model, questions, policies.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::config::{Config, Decay, Engine};
use crate::dataset::{Dataset, Mapping};
use crate::identity::Identity;
use exgrpo_engine::Actor;
use exgrpo_engine::check_gpu;
use exgrpo_models::ModelSource;
use exgrpo_models::prompt::Prompts;
use exgrpo_policy::{Loader, PolicySet, PolicySource, Probe};

/// Longest completion in tokens where neither the user nor the model says less.
const MAX_NEW_TOKENS: usize = 256;
/// Questions a step where nobody says how many, and there are as many.
const QUESTIONS: usize = 64;

/// What a run is given, read and checked.
pub(super) struct Inputs {
    pub(super) config: Config,
    pub(super) loader: Loader,
    pub(super) source: ModelSource,
    pub(super) train: Dataset,
    /// Held-out questions; none where the configuration names none.
    pub(super) test: Dataset,
    /// What was chosen where the configuration left it open, a line for people each.
    pub(super) choices: Vec<String>,
}

impl Inputs {
    pub(super) fn read(mut config: Config, source: ModelSource) -> anyhow::Result<Self> {
        config.validate()?;
        if config.model.engine == Engine::Cuda {
            // That there is no GPU is said before anything is made.
            check_gpu()?;
        }
        let leaves_prompts = config.rollout.max_prompt_tokens == 0;
        let is_chosen = leaves_prompts || config.rollout.max_new_tokens == 0;
        choose_lengths(&mut config, source.config.max_position_embeddings)?;
        let loader = loader(&config)?;
        let mapping = config.mapping();
        let prompts = Prompts::new(&config.prompt, &source)?;
        let train = Dataset::read(&config.dataset.train, &mapping, &prompts)?;
        let mapping = Mapping { max_demonstration_tokens: None, ..mapping };
        let test = match config.dataset.test.as_str() {
            "" => Dataset::default(),
            test => Dataset::read(test, &mapping, &prompts)?,
        };
        if config.demonstrations.enabled && train.not_demonstrable.len() == train.len() {
            bail!(
                "demonstrations.enabled, but no question of {} has a solution that can be shown: {}\n\
                 hint: dataset.solution names the column",
                config.dataset.train,
                train.not_demonstrable
            );
        }
        let mut choices = Vec::new();
        choose_questions(&mut config, train.len(), &mut choices)?;
        if is_chosen {
            let questions = train.questions.iter().chain(&test.questions);
            let longest = questions.map(|question| question.prompt_ids.len()).max().unwrap_or(0);
            if leaves_prompts {
                config.rollout.max_prompt_tokens = longest as u32;
            }
            choices.push(format!(
                "lengths: prompts have up to {longest} tokens, completions are cut at {} (the model takes {} together); \
                 rollout.max_new_tokens sets another limit",
                config.rollout.max_new_tokens, source.config.max_position_embeddings
            ));
        }
        if config.model.path != Config::default().model.path {
            choices.push(format!("learning rate: {}; optim.lr sets another", config.optim.lr));
            if config.dataset.train == Config::default().dataset.train {
                choices.push(
                    "questions: the small sums of the default task; dataset.train names others".to_owned(),
                );
            }
        }
        if config.optim.decay != Decay::Constant && config.steps > config.optim.decay_steps {
            choices.push(format!(
                "warning: the learning rate is 0 after step {}, {} more are to come: they sample and learn nothing\n\
                 hint: begin a run with optim.decay_steps={} to learn in all of them",
                config.optim.decay_steps,
                config.steps - config.optim.decay_steps,
                config.steps
            ));
        }
        let known: HashSet<u64> = train.questions.iter().map(|question| question.id).collect();
        let shared = test.questions.iter().filter(|question| known.contains(&question.id)).count();
        if shared > 0 {
            choices.push(format!(
                "warning: {shared} of {} held-out questions are trained on too: held-out accuracy is not of unseen questions",
                test.len()
            ));
        }
        if test.is_empty() {
            choices
                .push("no held-out questions, so nothing is evaluated: dataset.test names them".to_owned());
        }
        Ok(Self { config, loader, source, train, test, choices })
    }

    pub(super) fn load_policies(&self) -> anyhow::Result<Policies> {
        load(&self.config, &self.loader, |path, _| read_policy(&self.config, path))
    }

    pub(super) fn identity(&self) -> anyhow::Result<Identity> {
        Identity::of_run(&self.config, &self.train, &self.test, &self.source)
    }

    pub(super) fn build_actor(&self) -> anyhow::Result<Actor> {
        self.source.actor(&self.config.model)
    }
}

/// Policies, and the files that they were read from.
pub(super) struct Policies {
    pub(super) set: PolicySet,
    pub(super) bytes: Vec<Arc<[u8]>>,
}

/// Loads and probes the configured policies, outside of a run.
///
/// # Errors
/// A file can't be read or is refused; two claim one slot; a parameter is taken by none.
pub fn load_policies(config: &Config) -> anyhow::Result<PolicySet> {
    Ok(load(config, &loader(config)?, |path, _| read_policy(config, path))?.set)
}

fn read_policy(config: &Config, path: &Path) -> anyhow::Result<PolicySource> {
    PolicySource::read(path, config.guest.most_file_bytes())
        .with_context(|| format!("can't use policy {}\nhint: {}", path.display(), policy_hint(path)))
}

/// What to do where a policy's file can't be read: people give its name, or leave its ending out.
pub fn policy_hint(path: &Path) -> String {
    const BUILD: &str = "`cargo xtask policies` builds the shipped policies into policies/";
    let is_named = |path: &Path| path.extension().is_some_and(|ending| ending == "wasm");
    let mut file = path.as_os_str().to_owned();
    file.push(".wasm");
    let candidates =
        [PathBuf::from(&file), Path::new("policies").join(&file), Path::new("policies").join(path)];
    let there = candidates.iter().find(|candidate| is_named(candidate) && candidate.is_file());
    match there {
        Some(file) => format!("a policy is given by its file: {}", file.display()),
        None if is_named(path) => BUILD.to_owned(),
        None => format!("a policy is given by its file, such as policies/gsm8k.wasm; {BUILD}"),
    }
}

/// Fills in the number of questions a step where it is 0, a multiple of the mini-batches; says so, and says where a step
/// asks a question more than once.
fn choose_questions(
    config: &mut Config,
    num_questions: usize,
    choices: &mut Vec<String>,
) -> anyhow::Result<()> {
    let updates = config.objective.updates as usize;
    let questions = config.rollout.questions as usize;
    if questions > num_questions {
        choices.push(format!(
            "rollout.questions = {questions}, the data have {num_questions}: a step asks some of them more than once"
        ));
    }
    if questions == 0 {
        let most = QUESTIONS.max(updates).min(num_questions) / updates * updates;
        if most == 0 {
            bail!(
                "{num_questions} questions can't be split into objective.updates = {updates} mini-batches\n\
                 hint: set objective.updates=1"
            );
        }
        config.rollout.questions = most as u32;
        choices.push(format!(
            "questions: {most} a step of {num_questions}; rollout.questions sets another number"
        ));
    }
    Ok(())
}

/// Fills in lengths that are 0: completions first, prompts with what is left of the model's `positions`.
fn choose_lengths(config: &mut Config, positions: usize) -> anyhow::Result<()> {
    let rollout = &mut config.rollout;
    if rollout.max_new_tokens == 0 {
        let room = match rollout.max_prompt_tokens {
            0 => positions / 2,
            prompt => positions.saturating_sub(prompt as usize),
        };
        rollout.max_new_tokens = room.clamp(1, MAX_NEW_TOKENS) as u32;
    }
    if rollout.max_prompt_tokens == 0 {
        let room = positions.saturating_sub(rollout.max_new_tokens as usize).max(1);
        rollout.max_prompt_tokens = u32::try_from(room).unwrap_or(u32::MAX);
    }
    let longest = u64::from(rollout.max_prompt_tokens) + u64::from(rollout.max_new_tokens);
    if longest > positions as u64 {
        bail!(
            "rollout.max_prompt_tokens + rollout.max_new_tokens = {longest}, the model takes {positions} positions"
        );
    }
    Ok(())
}

/// Loads and probes the configured policies, each from what `read` makes of its file and position.
pub(super) fn load(
    config: &Config,
    loader: &Loader,
    read: impl Fn(&Path, usize) -> anyhow::Result<PolicySource>,
) -> anyhow::Result<Policies> {
    let probe = Probe { group_size: config.rollout.group_size, step: 1, ..Probe::default() };
    let files = config.policy.files.iter().enumerate();
    let sources: Vec<PolicySource> =
        files.map(|(index, path)| read(path, index)).collect::<anyhow::Result<_>>()?;
    let candidates = loader.prepare_all(&sources, &probe).into_iter().collect::<Result<_, _>>()?;
    let bytes = sources.into_iter().map(|source| source.bytes).collect();
    Ok(Policies { set: PolicySet::new(loader, candidates)?, bytes })
}

/// A loader with the run's limits and parameters.
///
/// # Errors
/// A limit is out of range, or the engine can't be started.
pub fn loader(config: &Config) -> anyhow::Result<Loader> {
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let params: BTreeMap<String, String> =
        config.policy.params.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    Loader::new(&config.guest, &params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_is_given_by_its_name_alone_is_answered_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gsm8k.wasm");
        std::fs::write(&file, "").unwrap();
        assert_eq!(
            policy_hint(&dir.path().join("gsm8k")),
            format!("a policy is given by its file: {}", file.display())
        );
        assert!(policy_hint(Path::new("nobody_s")).contains("such as policies/gsm8k.wasm"));
        assert!(policy_hint(Path::new("nobody_s.wasm")).starts_with("`cargo xtask policies`"));
    }
}
