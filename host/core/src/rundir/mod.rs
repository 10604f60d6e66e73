//! The run directory: what lies where, how one is named and made, and the lock that says which process writes.

mod clock;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::atomic::{self, AtomicError};
use crate::sealed;
use clock::{date, time};

/// Why a run directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// Something is there already.
    #[error("{path} exists already; resume that run, or choose another name", path = .0.display())]
    Exists(PathBuf),
    /// There is no run to open.
    #[error("{path} is not a run directory: it has no run.toml", path = .0.display())]
    NotARun(PathBuf),
    /// The process that made it was killed before the run began.
    #[error(
        "the run in {path} was killed before it began; nothing was lost\n\
         hint: run the same command again, with --out {path}", path = .0.display()
    )]
    Unbegun(PathBuf),
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

    /// Makes the run directory `root` and takes its lock. An empty folder is fine, and so is what a process left that
    /// was killed while it made this very directory; anything else there is an error.
    pub fn create(root: impl Into<PathBuf>) -> Result<(Self, RunLock), RunDirError> {
        let run = Self::at(root);
        atomic::create_dir(run.root.parent().unwrap_or(Path::new("")))?;
        match fs::create_dir(&run.root) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(io_error("create", &run.root))?,
        }
        // Looked at before the lock's file is made, so that a folder of somebody's stays as it is, and after, because
        // another process may have begun a run there meanwhile.
        if !run.is_empty() && !run.is_unbegun() {
            return Err(RunDirError::Exists(run.root));
        }
        let lock = run.lock()?;
        if !run.is_unbegun() {
            return Err(RunDirError::Exists(run.root));
        }
        atomic::remove_leftovers(&run.root)?;
        for dir in [run.policies(), run.checkpoints()] {
            atomic::create_dir(&dir)?;
        }
        Ok((run, lock))
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(&self.root).is_ok_and(|mut entries| entries.next().is_none())
    }

    /// True when there is nothing but what making a run directory leaves until run.toml, its last file, is written.
    fn is_unbegun(&self) -> bool {
        let is_policy = |name: &str| name.strip_suffix(".wasm").is_some_and(sealed::is_sha256);
        self.lock_file().is_file()
            && holds_only(&self.root, |name| ["run.lock", "policies", "checkpoints", "model"].contains(&name))
            && holds_only(&self.policies(), is_policy)
            && holds_only(&self.checkpoints(), |_| false)
    }

    /// Makes a run directory with a name of its own in `parent`: date (UTC), `label`, a short id, as in
    /// `2026-11-24-gaussian_medium-1f3c`. `label` is the policy's name.
    pub fn create_named(parent: &Path, label: &str) -> Result<(Self, RunLock), RunDirError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut attempt = 0u32;
        loop {
            let seed = format!("{} {} {attempt}", now.as_nanos(), std::process::id());
            let id = &sealed::sha256(seed.as_bytes())[..4];
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
            return Err(match run.is_empty() || run.is_unbegun() {
                true => RunDirError::Unbegun(run.root),
                false => RunDirError::NotARun(run.root),
            });
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

    /// Steps of the checkpoints that are there, ascending. Folders with other names are somebody's own.
    pub fn checkpoint_steps(&self) -> Result<Vec<u32>, RunDirError> {
        let mut steps = Vec::new();
        for name in names(&self.checkpoints())? {
            let step = name.parse::<u32>().ok();
            steps.extend(step.filter(|&step| self.checkpoint(step).ends_with(&name)));
        }
        steps.sort_unstable();
        Ok(steps)
    }

    /// Every checkpoint that is there, those that were set aside included.
    pub fn all_checkpoints(&self) -> Result<Vec<PathBuf>, RunDirError> {
        let mut roots = vec![self.root.clone()];
        roots.extend(names(&self.superseded())?.into_iter().map(|name| self.superseded().join(name)));
        let mut found = Vec::new();
        for run in roots.into_iter().map(Self::at) {
            found.extend(run.checkpoint_steps()?.into_iter().map(|step| run.checkpoint(step)));
        }
        Ok(found)
    }

    /// What policies asked to be remembered, by content.
    pub fn guest_states(&self) -> PathBuf {
        self.root.join("guest_states")
    }

    /// What was made again since: parts and checkpoints of steps after one that the run went back to.
    pub fn superseded(&self) -> PathBuf {
        self.root.join("superseded")
    }

    /// Moves files and folders of the run out of the way, into a folder of their own that keeps their places in the
    /// run. `step`: the step after which the run goes on. Answers that folder; nothing is ever removed.
    pub fn set_aside(&self, step: u32, paths: &[PathBuf]) -> Result<PathBuf, RunDirError> {
        let number = |name: &String| name.split_once('-').and_then(|(number, _)| number.parse::<u32>().ok());
        let last = names(&self.superseded())?.iter().filter_map(number).max().unwrap_or_default();
        let folder = self.superseded().join(format!("{}-after-{step:06}", last.saturating_add(1)));
        for path in paths {
            let place = path.strip_prefix(&self.root).unwrap_or(path);
            atomic::rename(path, &folder.join(place))?;
        }
        Ok(folder)
    }

    /// Folder of a table of the run log.
    pub fn table(&self, table: &str) -> PathBuf {
        self.root.join(table)
    }

    /// Stores a policy under its content; returns its SHA-256 in hexadecimal digits. Storing it again does nothing.
    pub fn store_policy(&self, wasm: &[u8]) -> Result<String, RunDirError> {
        let digest = sealed::sha256(wasm);
        let path = self.policy(&digest);
        // A file of that name may be damaged.
        if !sealed::read_limited(&path, wasm.len() as u64).is_ok_and(|there| there == wasm) {
            atomic::create_dir(&self.policies())?;
            atomic::write_file(&path, wasm)?;
        }
        Ok(digest)
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("run.lock")
    }

    /// True while a process writes the run.
    ///
    /// # Errors
    /// The lock can't be looked at.
    pub fn is_being_written(&self) -> Result<bool, RunDirError> {
        let path = self.lock_file();
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
        let path = self.lock_file();
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
        let owner = format!("process {} since {} {}\n", std::process::id(), date(now), time(now));
        file.rewind()
            .and_then(|()| file.set_len(0))
            .and_then(|()| file.write_all(owner.as_bytes()))
            .map_err(io_error("write", &path))?;
        Ok(RunLock { _file: file })
    }
}

/// Names in a folder; none when there is no such folder. Names that are no text are left out.
fn names(dir: &Path) -> Result<Vec<String>, RunDirError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_error("list", dir))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(io_error("list", dir))?.file_name().into_string().ok());
    }
    Ok(names)
}

/// True when every entry of `dir` is unfinished or has a name that `is_known`; true of a folder that is not there.
fn holds_only(dir: &Path, is_known: impl Fn(&str) -> bool) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return !dir.exists() };
    entries.into_iter().all(|entry| {
        entry.is_ok_and(|entry| {
            atomic::is_temp(&entry.path()) || entry.file_name().to_str().is_some_and(&is_known)
        })
    })
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

#[cfg(test)]
mod tests;
