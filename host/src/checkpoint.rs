//! Checkpoints: everything that a run needs to go on as if it had never stopped. A checkpoint is a directory that
//! appears under its name only when it is complete.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::atomic;
use crate::columns::BucketInfo;
use crate::dataset::QuestionQueue;
use crate::guest::PolicySnapshot;
use crate::identity::Identity;
use crate::model::Actor;
use crate::pool::ExperiencePool;
use crate::rundir::RunDir;

/// Version of the layout; a checkpoint of another version is refused.
const VERSION: u32 = 1;

const WEIGHTS: &str = crate::model::WEIGHTS_FILE;
/// File of the optimizer state.
pub const OPTIMIZER: &str = "optimizer.safetensors";
const POOL: &str = "pool.safetensors";
const STATE: &str = "state.json";

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
    pub buckets: Vec<BucketInfo>,
    /// Fresh questions to come.
    pub queue: QuestionQueue,
    /// Policies in force.
    pub policies: Vec<PolicySnapshot>,
    /// Slots that somebody emptied.
    pub emptied_slots: Vec<String>,
    /// Held-out accuracy before the first step.
    pub heldout_before: Option<f64>,
    /// What the run began with; `None` in checkpoints of before it was recorded.
    #[serde(default)]
    pub identity: Option<Identity>,
}

#[derive(Serialize, Deserialize)]
struct StateFile {
    version: u32,
    /// SHA-256 of the other files, so that a damaged one is noticed before it is used.
    files: Vec<(String, String)>,
    state: RunState,
}

/// Writes the checkpoint of `state.step` and removes all but the latest `keep`.
pub fn write(
    dir: &RunDir,
    state: &RunState,
    actor: &Actor,
    pool: &ExperiencePool,
    keep: u32,
) -> anyhow::Result<()> {
    atomic::write_dir(&dir.checkpoint(state.step), |temp| {
        actor.save_weights(&temp.join(WEIGHTS))?;
        actor.save_optimizer(&temp.join(OPTIMIZER))?;
        std::fs::write(temp.join(POOL), pool.to_bytes()?).context("can't write the pool")?;
        let files = [WEIGHTS, OPTIMIZER, POOL]
            .iter()
            .map(|name| Ok(((*name).to_owned(), digest(&temp.join(name))?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let file = StateFile { version: VERSION, files, state: state.clone() };
        let text = serde_json::to_string_pretty(&file).context("can't encode the state")?;
        std::fs::write(temp.join(STATE), text).context("can't write the state")?;
        Ok(())
    })
    .with_context(|| format!("can't write checkpoint {}", dir.checkpoint(state.step).display()))?;
    let steps = dir.checkpoint_steps()?;
    for &step in steps.iter().rev().skip(keep as usize) {
        atomic::remove(&dir.checkpoint(step))?;
    }
    Ok(())
}

/// True when `dir` is a checkpoint of ours.
pub fn is_checkpoint(dir: &Path) -> bool {
    dir.join(STATE).is_file() && dir.join(POOL).is_file()
}

/// Reads the state and the pool of a checkpoint; weights and optimizer lie beside them, checked.
pub fn read(dir: &Path) -> anyhow::Result<(RunState, ExperiencePool)> {
    let state = read_state(dir)?;
    let path = dir.join(POOL);
    let bytes = std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
    let pool = ExperiencePool::from_bytes(&bytes).with_context(|| format!("can't use {}", path.display()))?;
    Ok((state, pool))
}

/// Reads and checks everything but the tensors.
pub fn read_state(dir: &Path) -> anyhow::Result<RunState> {
    let path = dir.join(STATE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    let version: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    if version["version"] != VERSION {
        bail!("{} has layout version {}, this program reads {VERSION}", path.display(), version["version"]);
    }
    let file: StateFile =
        serde_json::from_value(version).with_context(|| format!("{} is incomplete", path.display()))?;
    for (name, expected) in &file.files {
        let path = dir.join(name);
        if digest(&path)? != *expected {
            bail!(
                "{} is damaged: its SHA-256 is not the one recorded\n\
                 hint: remove the directory {} to resume from the checkpoint before it",
                path.display(),
                dir.display()
            );
        }
    }
    Ok(file.state)
}

/// The bytes of each policy of a snapshot, from the run directory.
pub fn policy_bytes(
    dir: &RunDir,
    snapshots: Vec<PolicySnapshot>,
) -> anyhow::Result<Vec<(PolicySnapshot, Arc<[u8]>)>> {
    let read = |snapshot: PolicySnapshot| {
        let path = dir.policy(&snapshot.digest);
        let bytes = std::fs::read(&path)
            .with_context(|| format!("can't read policy {}, which the checkpoint names", path.display()))?;
        Ok((snapshot, bytes.into()))
    };
    snapshots.into_iter().map(read).collect()
}

fn digest(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
