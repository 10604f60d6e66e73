//! Writing checkpoints, and removing those that newer ones replace.

use std::collections::BTreeSet;

use anyhow::Context;

use super::state::{FileRecord, STATE, StateFile};
use super::{CONFIG, FILES, GuestStates, OPTIMIZER, POOL, RunState, WEIGHTS, read};
use exgrpo_core::atomic::{self, PreparedDir};
use exgrpo_core::rundir::RunDir;
use exgrpo_engine::Actor;
use exgrpo_pool::ExperiencePool;

/// Writes the checkpoints of a run.
#[derive(Debug)]
pub struct Writer {
    dir: RunDir,
    /// Text of run.toml.
    config: String,
    /// Readable checkpoints kept, at least 1.
    keep: u32,
    guest_states: GuestStates,
    /// Steps of checkpoints that this process wrote or read whole.
    readable: BTreeSet<u32>,
}

/// A checkpoint whose bytes are on the disk, under a temporary name.
#[derive(Debug)]
pub struct Prepared {
    step: u32,
    folder: PreparedDir,
    bytes: u64,
}

impl Prepared {
    /// Bytes of its files, policies' states aside.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Writer {
    /// A writer for the run in `dir`. `config`: the text of its run.toml; `keep`: how many readable checkpoints stay.
    pub fn new(dir: RunDir, config: String, keep: u32, guest_states: GuestStates) -> Self {
        Self { dir, config, keep, guest_states, readable: BTreeSet::new() }
    }

    /// Notes that the checkpoint of `step` was read whole.
    pub fn add_readable(&mut self, step: u32) {
        self.readable.insert(step);
    }

    /// Puts the checkpoint of `state.step` on the disk without giving it its name yet.
    ///
    /// # Errors
    /// A file can't be written; nothing is left then.
    pub fn prepare(
        &mut self,
        state: RunState,
        actor: &Actor,
        pool: &ExperiencePool,
    ) -> anyhow::Result<Prepared> {
        let path = self.dir.checkpoint(state.step);
        self.fill(state, actor, pool).with_context(|| format!("can't write checkpoint {}", path.display()))
    }

    fn fill(
        &mut self,
        mut state: RunState,
        actor: &Actor,
        pool: &ExperiencePool,
    ) -> anyhow::Result<Prepared> {
        let step = state.step;
        let mut guest_states = Vec::new();
        for policy in &mut state.policies {
            let state = policy.state.take();
            guest_states.push(state.map(|state| self.guest_states.store(&state)).transpose()?);
        }
        let mut bytes = 0;
        let folder = PreparedDir::fill(&self.dir.checkpoint(step), |temp| {
            actor.save_weights(&temp.join(WEIGHTS))?;
            actor.save_optimizer(&temp.join(OPTIMIZER))?;
            std::fs::write(temp.join(POOL), pool.to_bytes()?).context("can't write the pool")?;
            std::fs::write(temp.join(CONFIG), &self.config).context("can't copy run.toml")?;
            let files = FILES.iter().map(|name| FileRecord::of(temp, name)).collect::<Result<Vec<_>, _>>()?;
            let file = StateFile::new(files, guest_states, state);
            let text = file.to_text()?;
            bytes = file.bytes() + text.len() as u64;
            std::fs::write(temp.join(STATE), text).context("can't write the state")?;
            Ok(())
        })?;
        Ok(Prepared { step, folder, bytes })
    }

    /// Gives a checkpoint its name, then removes those that it replaces. Something else of that name is set aside.
    ///
    /// # Errors
    /// It can't be renamed, or an older one not be removed.
    pub fn publish(&mut self, prepared: Prepared) -> anyhow::Result<()> {
        let path = self.dir.checkpoint(prepared.step);
        if path.exists() {
            self.dir.set_aside(prepared.step.saturating_sub(1), &[path])?;
        }
        prepared.folder.publish()?;
        self.readable.insert(prepared.step);
        self.prune()
    }

    /// Removes checkpoints of ours that are older than the latest readable ones, and policies' states that no checkpoint
    /// names any more.
    fn prune(&mut self) -> anyhow::Result<()> {
        let mut num_kept = 0;
        for step in self.dir.checkpoint_steps()?.into_iter().rev() {
            if num_kept < self.keep {
                num_kept += u32::from(self.is_readable(step));
            } else if StateFile::read(&self.dir.checkpoint(step)).is_ok() {
                atomic::remove(&self.dir.checkpoint(step))?;
                self.readable.remove(&step);
            }
        }
        match self.guest_states_in_use()? {
            Some(used) => self.guest_states.keep_only(&used),
            None => Ok(()),
        }
    }

    fn is_readable(&mut self, step: u32) -> bool {
        let path = self.dir.checkpoint(step);
        if self.readable.contains(&step) {
            return StateFile::read(&path).is_ok_and(|file| file.has_its_files(&path));
        }
        let is_readable = read(&self.dir, step, u64::MAX, &mut self.guest_states).is_ok();
        if is_readable {
            self.readable.insert(step);
        }
        is_readable
    }

    /// States that a checkpoint names, those set aside included; none when one can't tell.
    fn guest_states_in_use(&self) -> anyhow::Result<Option<BTreeSet<String>>> {
        let mut used = BTreeSet::new();
        for path in self.dir.all_checkpoints()? {
            match StateFile::read(&path) {
                Ok(file) => used.extend(file.guest_states.into_iter().flatten().map(|named| named.sha256)),
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(used))
    }
}
