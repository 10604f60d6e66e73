//! Checkpoints: everything that a run needs to go on as if it had never stopped. A checkpoint is a directory that
//! appears under its name only when it is complete.
//!
//! `state.jsonl` names the other files with their sizes and digests and ends with its own; what policies asked to be
//! remembered lies beside the checkpoints, by content. Nothing is used before all of it was checked.

mod buckets;
mod guest_states;
mod older;
mod schedule;
mod state;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use exgrpo_core::rundir::RunDir;
use exgrpo_core::sealed;
use exgrpo_policy::PolicySnapshot;
use exgrpo_pool::ExperiencePool;

pub use guest_states::{GuestStates, StateRef};
pub use schedule::Schedule;
pub use state::RunState;
use state::{STATE, StateFile};
pub use writer::{Prepared, Writer};

const WEIGHTS: &str = exgrpo_engine::WEIGHTS_FILE;
/// File of the optimizer state.
pub const OPTIMIZER: &str = "optimizer.safetensors";
const POOL: &str = "pool.safetensors";
/// Copy of the run's run.toml, should that be lost. Another name, so that a checkpoint is never taken for a run.
pub const CONFIG: &str = "config.toml";

/// All files of a checkpoint but its state.
const FILES: [&str; 4] = [WEIGHTS, OPTIMIZER, POOL, CONFIG];

/// True when `dir` is a checkpoint of ours, sound or not.
pub fn is_checkpoint(dir: &Path) -> bool {
    dir.join(STATE).is_file() || dir.join(older::STATE).is_file()
}

/// Reads and checks the whole checkpoint of `step`; weights and optimizer lie in it, checked. `max_guest_state`: the
/// most bytes that a policy may have asked to be remembered.
///
/// # Errors
/// A file is absent, damaged or of another version; a number is out of its range; the parts contradict each other.
pub fn read(
    dir: &RunDir,
    step: u32,
    max_guest_state: u64,
    guest_states: &mut GuestStates,
) -> anyhow::Result<(RunState, ExperiencePool)> {
    let path = dir.checkpoint(step);
    let file = StateFile::read(&path)?;
    file.check_files(&path)?;
    let StateFile { guest_states: named, mut state, .. } = file;
    let pool_path = path.join(POOL);
    let bytes = sealed::read_limited(&pool_path, u64::MAX)?;
    let in_pool = || format!("{} can't be used", pool_path.display());
    let pool = ExperiencePool::from_bytes(&bytes).with_context(in_pool)?;
    pool.check_as_of(state.step, state.weights_version).with_context(in_pool)?;
    let in_state = || format!("{} can't be used", path.join(STATE).display());
    state.check(step, &pool).with_context(in_state)?;
    if named.len() != state.policies.len() {
        bail!("{} has another number of policies than of their states", path.join(STATE).display());
    }
    for (snapshot, named) in state.policies.iter_mut().zip(named) {
        snapshot.state = named.map(|named| guest_states.load(&named, max_guest_state)).transpose()?;
    }
    Ok((state, pool))
}

/// Checks the files of the checkpoint in `dir` and answers the step that it was written after.
///
/// # Errors
/// A file is absent, damaged or of another version.
pub fn check(dir: &Path) -> anyhow::Result<u32> {
    let file = StateFile::read(dir)?;
    file.check_files(dir)?;
    Ok(file.state.step)
}

/// The same for a checkpoint whose weights are used and from which no run goes on: one of layout 1 will do.
///
/// # Errors
/// As [`check`].
pub fn check_weights(dir: &Path) -> anyhow::Result<u32> {
    match !dir.join(STATE).exists() && dir.join(older::STATE).is_file() {
        true => older::check(dir),
        false => check(dir),
    }
}

/// The bytes of each policy of a snapshot, from the run directory. `limit`: bytes of the largest file that is read.
///
/// # Errors
/// A file is absent, too large, or not what its name says.
pub fn policy_bytes(
    dir: &RunDir,
    snapshots: Vec<PolicySnapshot>,
    limit: u64,
) -> anyhow::Result<Vec<(PolicySnapshot, Arc<[u8]>)>> {
    let read = |snapshot: PolicySnapshot| {
        let path = dir.policy(&snapshot.digest);
        let hint = || {
            format!(
                "the checkpoint names the policy {}\nhint: put that component there again and resume",
                path.display()
            )
        };
        let bytes = sealed::read_limited(&path, limit).with_context(hint)?;
        if sealed::sha256(&bytes) != snapshot.digest {
            return Err(anyhow::anyhow!("it is damaged: its SHA-256 is not its name").context(hint()));
        }
        Ok((snapshot, bytes.into()))
    };
    snapshots.into_iter().map(read).collect()
}

/// Says how run.toml can be had back: checkpoints hold copies.
pub fn run_toml_hint(dir: &RunDir) -> String {
    match config_copy(dir) {
        Some(copy) => {
            format!("hint: a checkpoint holds a copy: cp {} {}", copy.display(), dir.config().display())
        }
        None if crate::config::RunToml::read_to_look_at(&dir.config())
            .is_ok_and(|toml| toml.is_unsealed()) =>
        {
            "hint: a new run may begin with its settings, without the table [run]: --config FILE".to_owned()
        }
        None => {
            "hint: put back the file that the run was begun with; nothing else of it was touched".to_owned()
        }
    }
}

/// The newest sound copy.
fn config_copy(dir: &RunDir) -> Option<PathBuf> {
    let steps = dir.checkpoint_steps().ok()?;
    let mut copies = steps.into_iter().rev().map(|step| dir.checkpoint(step).join(CONFIG));
    copies.find(|path| sealed::read_sealed(path, sealed::Format::Toml, crate::config::MAX_RUN_TOML).is_ok())
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
