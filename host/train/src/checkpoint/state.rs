//! The small part of a checkpoint: its file, and what must hold of it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::{FILES, StateRef};
use crate::dataset::QuestionQueue;
use crate::identity::Identity;
use exgrpo_core::columns::BucketInfo;
use exgrpo_core::sealed::{self, Format, SealedError};
use exgrpo_policy::PolicySnapshot;
use exgrpo_pool::ExperiencePool;

/// Version of the layout; a checkpoint of another version is refused.
const VERSION: u32 = 2;

/// File of the state.
pub(super) const STATE: &str = "state.jsonl";

/// The most bytes of it that are read: a queue of a hundred million questions has room.
const MAX_STATE: u64 = 1 << 30;

/// The part of a run's state that is neither tensors nor pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Steps done.
    pub step: u32,
    /// Optimizer updates done: the version of the weights.
    pub weights_version: u32,
    /// Seed of the run's random streams, all of which are functions of it and of `step`.
    pub seed: u64,
    /// True once replay has started.
    pub replay_open: bool,
    /// Share of correct rollouts in the latest step; `None` before the first.
    pub pass_rate: Option<f32>,
    /// Buckets of the difficulty slot.
    #[serde(with = "super::buckets")]
    pub buckets: Vec<BucketInfo>,
    /// Fresh questions to come.
    pub queue: QuestionQueue,
    /// Policies in force. In the file their own states are apart.
    pub policies: Vec<PolicySnapshot>,
    /// Slots that somebody emptied.
    pub emptied_slots: Vec<String>,
    /// Held-out accuracy before the first step.
    pub heldout_before: Option<f64>,
    /// What the run began with; `None` only before the first step.
    pub identity: Option<Identity>,
}

impl RunState {
    /// Checks that it can be the state after `step`, with this pool.
    ///
    /// # Errors
    /// Names what is out of range or contradicts the rest.
    pub(super) fn check(&self, step: u32, pool: &ExperiencePool) -> anyhow::Result<()> {
        if self.step != step {
            bail!("it is the state after step {}, its folder says {step}", self.step);
        }
        if step == 0 {
            bail!("there is no checkpoint before the first step");
        }
        for (name, share) in
            [("pass_rate", self.pass_rate.map(f64::from)), ("heldout_before", self.heldout_before)]
        {
            if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                bail!("{name} is no share between 0 and 1");
            }
        }
        if self.buckets.len() != pool.counts().len() {
            bail!("it names {} buckets, the pool has {}", self.buckets.len(), pool.counts().len());
        }
        if self.queue.num_rows() as usize != pool.num_questions() {
            bail!(
                "its queue is over {} questions, the pool over {}",
                self.queue.num_rows(),
                pool.num_questions()
            );
        }
        self.check_policies()
    }

    fn check_policies(&self) -> anyhow::Result<()> {
        let mut holders = BTreeSet::new();
        for policy in &self.policies {
            if !sealed::is_sha256(&policy.digest) {
                bail!("a policy is named {:?}, which is no SHA-256", policy.digest);
            }
            for slot in &policy.slots {
                if !holders.insert(slot) {
                    bail!("the slot {slot:?} is filled by two policies");
                }
                if self.emptied_slots.contains(slot) {
                    bail!("the slot {slot:?} is filled although it was emptied");
                }
            }
        }
        Ok(())
    }
}

/// A file of the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    name: String,
    bytes: u64,
    sha256: String,
}

impl FileRecord {
    pub(super) fn of(dir: &Path, name: &str) -> Result<Self, SealedError> {
        let (bytes, sha256) = sealed::sha256_of_file(&dir.join(name))?;
        Ok(Self { name: name.to_owned(), bytes, sha256 })
    }
}

/// What the file holds: one line of JSON, then its digest.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StateFile {
    version: u32,
    files: Vec<FileRecord>,
    /// What each of the policies asked to be remembered, in their order.
    pub(super) guest_states: Vec<Option<StateRef>>,
    pub(super) state: RunState,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl StateFile {
    pub(super) fn new(files: Vec<FileRecord>, guest_states: Vec<Option<StateRef>>, state: RunState) -> Self {
        Self { version: VERSION, files, guest_states, state }
    }

    /// Bytes of the files that it lists.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    pub(super) fn to_text(&self) -> anyhow::Result<String> {
        let body = serde_json::to_string(self).context("can't encode the state")?;
        Ok(sealed::seal(&body, Format::JsonLines))
    }

    /// Reads the state of the checkpoint in `dir`; its other files are not looked at.
    pub(super) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(STATE);
        if !path.exists() && dir.join("state.json").is_file() {
            bail!("{} has layout version 1, this program reads {VERSION}", dir.display());
        }
        let body = sealed::read_sealed(&path, Format::JsonLines, MAX_STATE)?;
        Self::from_body(&body).with_context(|| format!("{} can't be used", path.display()))
    }

    pub(super) fn from_body(body: &str) -> anyhow::Result<Self> {
        let Version { version } = serde_json::from_str(body).context("it names no version")?;
        if version != VERSION {
            bail!("it has layout version {version}, this program reads {VERSION}");
        }
        Ok(serde_json::from_str(body)?)
    }

    /// True when all files are there in their sizes; their content is not looked at.
    pub(super) fn has_its_files(&self, dir: &Path) -> bool {
        let is_there =
            |file: &FileRecord| sealed::size_of(&dir.join(&file.name)).is_ok_and(|bytes| bytes == file.bytes);
        self.check_names().is_ok() && self.files.iter().all(is_there)
    }

    /// Compares all files with their digests.
    pub(super) fn check_files(&self, dir: &Path) -> anyhow::Result<()> {
        self.check_names()?;
        for file in &self.files {
            let path = dir.join(&file.name);
            let bytes = sealed::size_of(&path)?;
            if bytes != file.bytes {
                bail!("{} is damaged: it has {bytes} bytes, {} were written", path.display(), file.bytes);
            }
            if FileRecord::of(dir, &file.name)? != *file {
                bail!("{} is damaged: its SHA-256 is not the one recorded", path.display());
            }
        }
        Ok(())
    }

    fn check_names(&self) -> anyhow::Result<()> {
        let names: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        if names != FILES {
            bail!("it lists the files {names:?}, a checkpoint has {FILES:?}");
        }
        Ok(())
    }
}
