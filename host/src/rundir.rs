//! The run directory: what lies where, how one is named and made, and the lock that says which process writes.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::atomic::{self, AtomicError};

/// Why a run directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// Something is there already.
    #[error("{path} exists already; resume that run, or choose another name", path = .0.display())]
    Exists(PathBuf),
    /// There is no run to open.
    #[error("{path} is not a run directory: it has no run.toml", path = .0.display())]
    NotARun(PathBuf),
    /// Another process writes this run.
    #[error("{path} is being written by {owner}; stop it first, or start a run of its own", path = .path.display())]
    Locked {
        /// The run directory.
        path: PathBuf,
        /// What the lock file says of the owner.
        owner: String,
    },
    /// The file system refused.
    #[error("can't {action} {path}{hint}", path = .path.display(), hint = atomic::hint(.source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] AtomicError),
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunDirError {
    let path = path.to_owned();
    move |source| RunDirError::Io { action, path, source }
}

/// Where the parts of a run lie. Making one touches no file: readers need no lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    root: PathBuf,
}

/// Held by the process that writes a run, until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunDir {
    /// The layout of the run at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes the run directory `root` and takes its lock. Fails when anything but an empty folder is there.
    pub fn create(root: impl Into<PathBuf>) -> Result<(Self, RunLock), RunDirError> {
        let run = Self::at(root);
        let parent = run.root.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
        match fs::create_dir(&run.root) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let is_empty = fs::read_dir(&run.root).is_ok_and(|mut entries| entries.next().is_none());
                if !is_empty {
                    return Err(RunDirError::Exists(run.root));
                }
            }
            made => made.map_err(io_error("create", &run.root))?,
        }
        let lock = run.lock()?;
        for dir in [run.policies(), run.checkpoints()] {
            fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
        }
        Ok((run, lock))
    }

    /// Makes a run directory with a name of its own in `parent`: date (UTC), `label`, a short id, as in
    /// `2026-11-24-gaussian_medium-1f3c`. `label` is the policy's name.
    pub fn create_named(parent: &Path, label: &str) -> Result<(Self, RunLock), RunDirError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut attempt = 0u32;
        loop {
            let seed = format!("{} {} {attempt}", now.as_nanos(), std::process::id());
            let id = &hex(&Sha256::digest(seed))[..4];
            let name = format!("{}-{}-{id}", date(now.as_secs()), plain(label));
            match Self::create(parent.join(name)) {
                Err(RunDirError::Exists(_) | RunDirError::Locked { .. }) if attempt < 1000 => attempt += 1,
                made => return made,
            }
        }
    }

    /// Opens the run at `root` to go on writing it, and takes its lock.
    pub fn open(root: impl Into<PathBuf>) -> Result<(Self, RunLock), RunDirError> {
        let run = Self::at(root);
        if !run.config().is_file() {
            return Err(RunDirError::NotARun(run.root));
        }
        let lock = run.lock()?;
        Ok((run, lock))
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Name of the run: the last part of its path.
    pub fn name(&self) -> String {
        self.root.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The resolved configuration.
    pub fn config(&self) -> PathBuf {
        self.root.join("run.toml")
    }

    /// Configuration, tokenizer and chat template of the model that the run began with.
    pub fn model(&self) -> PathBuf {
        self.root.join("model")
    }

    /// Every policy that ever ran, by content.
    pub fn policies(&self) -> PathBuf {
        self.root.join("policies")
    }

    /// The policy whose SHA-256 is `digest`, in hexadecimal digits.
    pub fn policy(&self, digest: &str) -> PathBuf {
        self.policies().join(format!("{digest}.wasm"))
    }

    /// Folder of all checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The checkpoint that was written after `step`.
    pub fn checkpoint(&self, step: u32) -> PathBuf {
        self.checkpoints().join(format!("{step:06}"))
    }

    /// Steps of the checkpoints that are there, ascending.
    pub fn checkpoint_steps(&self) -> Result<Vec<u32>, RunDirError> {
        let dir = self.checkpoints();
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io_error("list", &dir))?,
        };
        let mut steps = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io_error("list", &dir))?;
            // Names that are no number are somebody's own: leave them alone.
            steps.extend(entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
        }
        steps.sort_unstable();
        Ok(steps)
    }

    /// Folder of a table of the run log.
    pub fn table(&self, table: &str) -> PathBuf {
        self.root.join(table)
    }

    /// Stores a policy under its content; returns its SHA-256 in hexadecimal digits. Storing it again does nothing.
    pub fn store_policy(&self, wasm: &[u8]) -> Result<String, RunDirError> {
        let digest = hex(&Sha256::digest(wasm));
        let path = self.policy(&digest);
        if !path.exists() {
            fs::create_dir_all(self.policies()).map_err(io_error("create", &self.policies()))?;
            atomic::write_file(&path, wasm)?;
        }
        Ok(digest)
    }

    /// True while a process writes the run.
    ///
    /// # Errors
    /// The lock can't be looked at.
    pub fn is_being_written(&self) -> Result<bool, RunDirError> {
        let path = self.root.join("run.lock");
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file.map_err(io_error("open", &path))?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(RunDirError::Io { action: "lock", path, source }),
        }
    }

    /// Takes the lock and writes down who holds it. The file stays when the lock goes; an unlocked one means nothing.
    fn lock(&self) -> Result<RunLock, RunDirError> {
        let path = self.root.join("run.lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error("open", &path))?;
        // Somebody may be looking whether it is taken, which takes a moment: look again.
        let mut locked = file.try_lock();
        for _ in 0..10 {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = file.read_to_string(&mut owner);
                let owner = if owner.trim().is_empty() {
                    "another process".to_owned()
                } else {
                    owner.trim().to_owned()
                };
                return Err(RunDirError::Locked { path: self.root.clone(), owner });
            }
            Err(TryLockError::Error(source)) => {
                return Err(RunDirError::Io { action: "lock", path, source });
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let owner = format!("process {} since {} {}\n", std::process::id(), date(now), clock(now));
        file.rewind()
            .and_then(|()| file.set_len(0))
            .and_then(|()| file.write_all(owner.as_bytes()))
            .map_err(io_error("write", &path))?;
        Ok(RunLock { _file: file })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Letters, digits, `_` and `.` stay, everything else becomes `_`: a name that needs no quoting anywhere.
fn plain(label: &str) -> String {
    let plain: String = label
        .chars()
        .take(40)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '_' })
        .collect();
    if plain.trim_matches('.').is_empty() { "run".to_owned() } else { plain }
}

/// `2026-11-24` of seconds since 1970, UTC. The calendar is counted in years that start in March, so that the leap
/// day is a year's last day, and in cycles of 400 years (146,097 days).
fn date(unix_seconds: u64) -> String {
    let days = unix_seconds / 86_400 + 719_468; // since March 1 of the year 0
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = cycle * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

/// `14:03:59 UTC` of seconds since 1970.
fn clock(unix_seconds: u64) -> String {
    let second = unix_seconds % 86_400;
    format!("{:02}:{:02}:{:02} UTC", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Witness: `date -u -d @SECONDS +%F`.
    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (1_709_164_800, "2024-02-29"),
            (1_767_225_599, "2025-12-31"),
            (1_795_478_400, "2026-11-24"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds), expected);
        }
        assert_eq!(clock(1_767_225_599), "23:59:59 UTC");
    }

    #[test]
    fn a_run_is_never_overwritten_and_has_one_writer() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("runs/first");
        let (run, lock) = RunDir::create(&root).unwrap();
        assert!(matches!(RunDir::create(&root), Err(RunDirError::Exists(_))));
        assert!(matches!(RunDir::open(&root), Err(RunDirError::NotARun(_))));
        fs::write(run.config(), "").unwrap();
        assert!(run.is_being_written().unwrap());
        let error = RunDir::open(&root).unwrap_err();
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        assert!(!run.is_being_written().unwrap());
        RunDir::open(&root).unwrap();
        assert!(matches!(RunDir::create(&root), Err(RunDirError::Exists(_))));
    }

    #[test]
    fn named_runs_differ_and_need_no_quoting() {
        let parent = tempfile::tempdir().unwrap();
        let (first, _lock) = RunDir::create_named(parent.path(), "my policy/v2").unwrap();
        let (second, _lock) = RunDir::create_named(parent.path(), "my policy/v2").unwrap();
        assert_ne!(first, second);
        assert!(first.name()[10..].starts_with("-my_policy_v2-"), "{}", first.name());
        assert_eq!(plain(".."), "run");
    }

    #[test]
    fn policies_lie_under_their_content() {
        let parent = tempfile::tempdir().unwrap();
        let (run, _lock) = RunDir::create(parent.path().join("r")).unwrap();
        let digest = run.store_policy(b"abc").unwrap();
        // Witness: printf abc | sha256sum
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(run.store_policy(b"abc").unwrap(), digest);
        assert_eq!(fs::read(run.policy(&digest)).unwrap(), b"abc");
    }

    #[test]
    fn checkpoints_are_listed_by_step() {
        let parent = tempfile::tempdir().unwrap();
        let (run, _lock) = RunDir::create(parent.path().join("r")).unwrap();
        for name in ["000020", "000003", ".tmp-checkpoints-000021", "notes"] {
            fs::create_dir(run.checkpoints().join(name)).unwrap();
        }
        assert_eq!(run.checkpoint_steps().unwrap(), [3, 20]);
        assert_eq!(run.checkpoint(3).file_name().unwrap(), "000003");
    }
}
