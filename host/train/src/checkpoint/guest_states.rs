//! What policies asked to be remembered, by content: compressed, and written once however many checkpoints name it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use exgrpo_core::rundir::RunDir;
use exgrpo_core::{atomic, sealed};

/// Name by content of a policy's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateRef {
    /// SHA-256 of the state, in hexadecimal digits.
    pub sha256: String,
    /// Its size before compression.
    pub bytes: u64,
}

/// The folder of policies' states in a run.
#[derive(Debug)]
pub struct GuestStates {
    dir: PathBuf,
    /// Digests of files that this process wrote or read whole.
    intact: BTreeSet<String>,
}

impl GuestStates {
    /// The states of the run at `run`.
    pub fn of(run: &RunDir) -> Self {
        Self { dir: run.guest_states(), intact: BTreeSet::new() }
    }

    /// Stores a state; what is there already is not written again.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn store(&mut self, state: &[u8]) -> anyhow::Result<StateRef> {
        let named = StateRef { sha256: sealed::sha256(state), bytes: state.len() as u64 };
        if self.intact.contains(&named.sha256) && self.path(&named.sha256).is_file() {
            return Ok(named);
        }
        // A file from before this process may be damaged.
        if self.load(&named, named.bytes).is_ok() {
            return Ok(named);
        }
        atomic::create_dir(&self.dir)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let compressed = encoder.write_all(state).and_then(|()| encoder.finish());
        let compressed = compressed.context("can't compress a policy's state")?;
        atomic::write_file(&self.path(&named.sha256), &compressed)?;
        self.intact.insert(named.sha256.clone());
        Ok(named)
    }

    /// Reads a state of at most `limit` bytes back.
    ///
    /// # Errors
    /// It is larger, absent or damaged.
    pub fn load(&mut self, named: &StateRef, limit: u64) -> anyhow::Result<Vec<u8>> {
        if !sealed::is_sha256(&named.sha256) {
            bail!("a policy's state is named {:?}, which is no SHA-256", named.sha256);
        }
        if named.bytes > limit {
            bail!("the state {} has {} bytes, guest.output_mib allows {limit}", named.sha256, named.bytes);
        }
        let path = self.path(&named.sha256);
        // Deflate makes nothing much larger than it was.
        let compressed = sealed::read_limited(&path, named.bytes.saturating_add(named.bytes / 8 + 1024))?;
        let state =
            decompress(&compressed, named.bytes).with_context(|| format!("{} is damaged", path.display()))?;
        if state.len() as u64 != named.bytes || sealed::sha256(&state) != named.sha256 {
            bail!("{} is damaged: it does not hold what its name says", path.display());
        }
        self.intact.insert(named.sha256.clone());
        Ok(state)
    }

    /// Removes all states but those with these digests. Files with other names are somebody's own.
    ///
    /// # Errors
    /// A file can't be removed.
    pub fn keep_only(&mut self, used: &BTreeSet<String>) -> anyhow::Result<()> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return Ok(()) };
        for entry in entries.flatten() {
            let path = entry.path();
            let digest = digest_in_name(&path);
            if digest.is_some_and(|digest| !used.contains(digest)) {
                atomic::remove(&path)?;
            }
        }
        self.intact.retain(|digest| used.contains(digest));
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.dir.join(format!("{digest}.gz"))
    }
}

fn digest_in_name(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".gz").filter(|digest| sealed::is_sha256(digest))
}

/// At most one byte more than `bytes`, however much `compressed` would unfold to.
fn decompress(compressed: &[u8], bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut state = Vec::new();
    GzDecoder::new(compressed).take(bytes.saturating_add(1)).read_to_end(&mut state)?;
    Ok(state)
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use exgrpo_core::rng::Streams;

    #[test]
    fn a_state_is_written_once_small_and_read_back_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let (run, _lock) = RunDir::create(dir.path().join("run")).unwrap();
        let mut states = GuestStates::of(&run);
        let state: Vec<u8> = (0..300_000u32).flat_map(|n| (n / 100).to_le_bytes()).collect();
        let named = states.store(&state).unwrap();
        let path = states.path(&named.sha256);
        let written = std::fs::metadata(&path).unwrap();
        assert!(written.len() < state.len() as u64 / 20, "{} bytes", written.len());
        assert_eq!(states.store(&state).unwrap(), named);
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), written.modified().unwrap());
        assert_eq!(GuestStates::of(&run).load(&named, named.bytes).unwrap(), state);

        let too_small = states.load(&named, named.bytes - 1).unwrap_err();
        assert!(too_small.to_string().contains("guest.output_mib"), "{too_small}");
        let longer = StateRef { bytes: named.bytes + 1, ..named.clone() };
        assert!(states.load(&longer, u64::MAX).is_err());
        let shorter = StateRef { bytes: named.bytes - 1, ..named.clone() };
        assert!(states.load(&shorter, u64::MAX).is_err());
        let outside = StateRef { sha256: "../run.lock".to_owned(), bytes: 9 };
        assert!(states.load(&outside, u64::MAX).unwrap_err().to_string().contains("no SHA-256"));
        // Another state of the same length under this name.
        let other: Vec<u8> = state.iter().map(|byte| byte ^ 1).collect();
        let other = states.store(&other).unwrap();
        std::fs::copy(states.path(&other.sha256), &path).unwrap();
        assert!(GuestStates::of(&run).load(&named, named.bytes).is_err());
        // What was stored and is gone is stored again.
        std::fs::remove_file(&path).unwrap();
        states.store(&state).unwrap();
        assert_eq!(GuestStates::of(&run).load(&named, named.bytes).unwrap(), state);

        let sound = std::fs::read(&path).unwrap();
        for damaged in [&sound[..sound.len() / 2], b"", b"no gzip"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(GuestStates::of(&run).load(&named, named.bytes).is_err());
        }
        // A process that comes later mends the file instead of trusting its name.
        let mut later = GuestStates::of(&run);
        later.store(&state).unwrap();
        assert_eq!(later.load(&named, named.bytes).unwrap(), state);

        let other = later.store(b"other").unwrap();
        std::fs::write(run.guest_states().join("notes.gz"), "somebody's own").unwrap();
        later.keep_only(&[other.sha256.clone()].into()).unwrap();
        assert!(!path.exists() && later.path(&other.sha256).exists());
        assert!(run.guest_states().join("notes.gz").exists());
    }

    #[test]
    fn what_does_not_compress_is_read_back_too() {
        let dir = tempfile::tempdir().unwrap();
        let (run, _lock) = RunDir::create(dir.path().join("run")).unwrap();
        let mut rng = Streams::new(1).stream("test", 0, 0);
        for len in [0u64, 1, 1_000, 8_192, 9_000, 100_000] {
            let state: Vec<u8> = (0..len).map(|_| rng.random()).collect();
            let named = GuestStates::of(&run).store(&state).unwrap();
            assert_eq!(GuestStates::of(&run).load(&named, len).unwrap(), state);
        }
    }

    #[test]
    fn what_unfolds_to_more_than_it_says_is_not_unfolded() {
        let dir = tempfile::tempdir().unwrap();
        let (run, _lock) = RunDir::create(dir.path().join("run")).unwrap();
        let mut states = GuestStates::of(&run);
        let zeros = states.store(&vec![0; 32 << 20]).unwrap();
        let small = StateRef { sha256: sealed::sha256(b"x"), bytes: 1 << 20 };
        std::fs::rename(states.path(&zeros.sha256), states.path(&small.sha256)).unwrap();
        let unfolded = decompress(&std::fs::read(states.path(&small.sha256)).unwrap(), small.bytes).unwrap();
        assert_eq!(unfolded.len(), (1 << 20) + 1);
        assert!(states.load(&small, 1 << 20).is_err());
    }
}
