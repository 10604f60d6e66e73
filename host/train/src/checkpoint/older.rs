//! Checkpoints of layout 1, whose weights can still be used; no run goes on from them.

use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::{OPTIMIZER, POOL, WEIGHTS};
use exgrpo_core::sealed;

/// The state of a checkpoint of this layout.
pub(super) const STATE: &str = "state.json";

/// The most bytes of it that are read: states of policies were written in it as numbers.
const MAX_STATE: u64 = 4 << 30;

/// What is needed of it.
#[derive(Debug, Deserialize)]
struct StateFile {
    version: u32,
    /// Names and SHA-256 of the other files.
    files: Vec<(String, String)>,
    state: State,
}

#[derive(Debug, Deserialize)]
struct State {
    step: u32,
}

/// Checks the files of the checkpoint in `dir` and answers the step that it was written after. Its state has no digest of
/// its own, so that damage to it alone may go unnoticed; weights are never used without being compared.
///
/// # Errors
/// A file is absent, damaged or of another version.
pub(super) fn check(dir: &Path) -> anyhow::Result<u32> {
    let path = dir.join(STATE);
    let bytes = sealed::read_limited(&path, MAX_STATE)?;
    let file: StateFile =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
    if file.version != 1 {
        bail!("{} has layout version {}, 1 expected", path.display(), file.version);
    }
    let names: Vec<&str> = file.files.iter().map(|(name, _)| &**name).collect();
    if names != [WEIGHTS, OPTIMIZER, POOL] {
        bail!("{} lists the files {names:?}, a checkpoint of its layout has other ones", path.display());
    }
    for (name, recorded) in &file.files {
        let path = dir.join(name);
        if sealed::sha256_of_file(&path)?.1 != *recorded {
            bail!("{} is damaged: its SHA-256 is not the one recorded", path.display());
        }
    }
    Ok(file.state.step)
}
