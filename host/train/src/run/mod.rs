//! A run: everything that crosses steps, and how it begins and resumes.

mod identity;
mod inputs;
mod open;
mod record;
mod replay_start;
mod report;
mod resume;
mod step;
mod swaps;
mod warnings;

use std::collections::BTreeSet;
use std::path::Path;

use crate::checkpoint::{Schedule, Writer};
use crate::config::Config;
use crate::control::Control;
use crate::dataset::{ChoicesFrom, Dataset, KeptBack, QuestionQueue, Unusable};
use crate::identity::Identity;
use exgrpo_core::columns::BucketInfo;
use exgrpo_core::rng::Streams;
use exgrpo_core::rundir::{RunDir, RunLock};
use exgrpo_core::signals;
use exgrpo_core::types::TokenId;
use exgrpo_engine::Actor;
use exgrpo_log::RunLog;
use exgrpo_models::tokenizer::Tokenizer;
use exgrpo_policy::PolicySet;
use exgrpo_pool::ExperiencePool;

pub use inputs::{load_policies, loader, policy_hint};
pub use report::{StepReport, Summary};

/// A run that is ready for its next step. Fields are in the order in which a step uses them.
pub struct Run {
    config: Config,
    /// What the run began with, for its checkpoints.
    identity: Identity,
    dir: RunDir,
    _lock: RunLock,
    streams: Streams,
    dataset: Dataset,
    heldout: Dataset,
    tokenizer: Tokenizer,
    stop_ids: Vec<TokenId>,
    actor: Actor,
    /// The model that the run began with, where the loss keeps close to it.
    reference: Option<Actor>,
    policies: PolicySet,
    /// Buckets of the difficulty slot; empty before the first step.
    buckets: Vec<BucketInfo>,
    queue: QuestionQueue,
    pool: ExperiencePool,
    log: RunLog,
    checkpoints: Writer,
    schedule: Schedule,
    /// Latest step that is in a checkpoint.
    saved: u32,
    /// What was found and done when the run was opened.
    notes: Vec<String>,
    /// What was chosen where the configuration left it open.
    choices: Vec<String>,
    control: Control,
    swaps: swaps::Swaps,
    progress: RunProgress,
    /// Warnings that people were told of, by reason.
    warned: BTreeSet<&'static str>,
}

/// The small state of a run.
#[derive(Debug, Clone, PartialEq)]
struct RunProgress {
    /// Steps done.
    step: u32,
    /// Optimizer updates done.
    weights_version: u32,
    /// True once replay has started.
    replay_open: bool,
    /// Share of correct rollouts among the latest step's fresh ones; NaN before the first.
    pass_rate: f32,
    /// Held-out accuracy before the first step.
    heldout_before: Option<f64>,
}

impl Run {
    /// Configuration as resolved.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The run's directory.
    pub fn dir(&self) -> &Path {
        self.dir.root()
    }

    /// Steps done.
    pub fn steps_done(&self) -> u32 {
        self.progress.step
    }

    /// True when there is nothing left to do.
    pub fn is_done(&self) -> bool {
        self.progress.step >= self.config.steps
    }

    /// True once somebody asked the run to stop and its latest step is in a checkpoint. One who asks between a step's end
    /// and this question waits for the next step.
    pub fn is_interrupted(&self) -> bool {
        is_interrupted(self.saved, self.progress.step, signals::stop_asked())
    }

    /// What was found and done when the run was opened, a line for people each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What was chosen where the configuration left it open, a line for people each.
    pub fn choices(&self) -> &[String] {
        &self.choices
    }

    /// Columns that seem to belong to what is asked and are not asked: dataset, column, rows.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        let section = &self.config.dataset;
        let both = [(section.train.as_str(), &self.dataset), (section.test.as_str(), &self.heldout)];
        both.into_iter().flat_map(|(source, dataset)| {
            dataset.left_out.iter().map(move |(name, rows)| (source, name.as_str(), *rows))
        })
    }

    /// Where the datasets had choices: dataset, and what was found.
    pub fn choices_from(&self) -> impl Iterator<Item = (&str, &ChoicesFrom)> {
        let section = &self.config.dataset;
        let both = [(section.train.as_str(), &self.dataset), (section.test.as_str(), &self.heldout)];
        both.into_iter().flat_map(|(source, dataset)| dataset.choices.iter().map(move |from| (source, from)))
    }

    /// Held-out accuracy before the first step, once it was measured.
    pub fn heldout_before(&self) -> Option<f64> {
        self.progress.heldout_before
    }

    /// The policies in force.
    pub fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// What the policies in force do that a person may not have meant.
    pub fn policy_warning(&self) -> Option<String> {
        self.policies.override_warning()
    }

    /// Datasets that have rows that can't be used, and those rows.
    pub fn unusable(&self) -> impl Iterator<Item = (&str, &Unusable)> {
        let section = &self.config.dataset;
        let both = [(section.train.as_str(), &self.dataset), (section.test.as_str(), &self.heldout)];
        both.into_iter()
            .map(|(name, dataset)| (name, &dataset.unusable))
            .filter(|(_, unusable)| !unusable.is_empty())
    }

    /// Held-out questions.
    pub fn num_heldout(&self) -> usize {
        self.heldout.len()
    }

    /// Training questions whose solution can't be demonstrated although that is wanted.
    pub fn not_demonstrable(&self) -> &Unusable {
        &self.dataset.not_demonstrable
    }

    /// Names of the dataset's columns that policies see beside what the host knows of questions.
    pub fn extra_columns(&self) -> &[String] {
        &self.dataset.extra_names
    }

    /// Numeric columns of the dataset that policies don't see.
    pub fn kept_back(&self) -> &[KeptBack] {
        &self.dataset.kept_back
    }

    /// The network.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
}

/// True when nothing is lost by stopping after `step`, of which `saved` is the latest that is in a checkpoint.
fn is_interrupted(saved: u32, step: u32, stop_asked: bool) -> bool {
    saved == step && stop_asked
}

#[cfg(test)]
mod tests {
    use super::is_interrupted;

    #[test]
    fn a_run_does_not_stop_before_its_latest_step_is_in_a_checkpoint() {
        assert!(is_interrupted(3, 3, true));
        assert!(!is_interrupted(1, 3, true), "whoever asked came after the decision on a checkpoint");
        assert!(!is_interrupted(3, 3, false));
    }
}
