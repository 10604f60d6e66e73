//! Files and folders that appear under their names complete or not at all, whatever moment the process dies at.
//!
//! What is being written lies under a name that starts with [`TEMP_PREFIX`], on the same file system as its target,
//! and gets its own name by one rename once its bytes are on the disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Names of unfinished files and folders start with this; readers' patterns skip hidden names.
pub const TEMP_PREFIX: &str = ".tmp-";

/// True for what is not finished yet, or never will be because its writer died.
pub fn is_temp(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(TEMP_PREFIX.as_bytes()))
}

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
#[error("can't {action} {path}{hint}", path = .path.display(), hint = hint(.source))]
pub struct AtomicError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl AtomicError {
    fn new(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }

    /// The operating system's word.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// What a person can do about an error of the file system, as a line of its own; empty where the error says it.
pub fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "\nhint: free some space and resume the run"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "\nhint: make the folder writable or choose another run directory"
        }
        _ if is_out_of_descriptors(error) => "\nhint: let the process open more files (ulimit -n)",
        _ => "",
    }
}

/// True when the process, or the whole system, has as many files open as it may.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        [Errno::MFILE, Errno::NFILE]
            .into_iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

/// Writes `contents` to `path`, replacing a file of that name. The temporary lies in the same folder.
pub fn write_file(path: &Path, contents: &[u8]) -> Result<(), AtomicError> {
    write_files(parent(path), &[(path, contents)])
}

/// Writes several files, replacing those of the same names. None gets its name before the bytes of all are on the
/// disk; then they get them in the order given. The temporaries lie in `temp_dir`, which must be on the same file
/// system: for folders in which readers look at every file.
pub fn write_files<P: AsRef<Path>>(temp_dir: &Path, files: &[(P, &[u8])]) -> Result<(), AtomicError> {
    let temps: Vec<_> = files.iter().map(|(path, _)| temp_dir.join(temp_name(path.as_ref()))).collect();
    let written = write_temps(&temps, files);
    if written.is_err() {
        // The first error is the one worth telling; a leftover is removed when the run is resumed.
        temps.iter().for_each(|temp| {
            let _ = fs::remove_file(temp);
        });
    }
    written?;
    files.iter().try_for_each(|(path, _)| sync_dir(parent(path.as_ref())))
}

fn write_temps<P: AsRef<Path>>(temps: &[PathBuf], files: &[(P, &[u8])]) -> Result<(), AtomicError> {
    let mut open_files = Vec::new();
    for (temp, (_, contents)) in temps.iter().zip(files) {
        let mut file = File::create(temp).map_err(AtomicError::new("create", temp))?;
        file.write_all(contents).map_err(AtomicError::new("write", temp))?;
        open_files.push(file);
    }
    for (temp, file) in temps.iter().zip(open_files) {
        file.sync_all().map_err(AtomicError::new("write", temp))?;
    }
    for (temp, (path, _)) in temps.iter().zip(files) {
        fs::rename(temp, path).map_err(AtomicError::new("write", path.as_ref()))?;
    }
    Ok(())
}

/// Makes the folder `path` with what `fill` puts into it, replacing a folder of that name. `fill` gets the folder
/// under its temporary name. Files and folders in it are on the disk before it gets its own name.
///
/// When a folder is replaced and the process dies between two renames, neither is left under the name: callers that
/// look for the latest of several folders then find the one before.
pub fn write_dir(path: &Path, fill: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    Ok(PreparedDir::fill(path, fill)?.publish()?)
}

/// A folder whose files are on the disk and which has not got its own name yet; dropping it removes it.
#[derive(Debug)]
pub struct PreparedDir {
    path: PathBuf,
    temp: PathBuf,
    is_published: bool,
}

impl PreparedDir {
    /// Makes the folder that is to be `path`; see [`write_dir`].
    ///
    /// # Errors
    /// What `fill` says, or the file system; nothing is left then.
    pub fn fill(path: &Path, fill: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let temp = parent(path).join(temp_name(path));
        remove(&temp)?;
        fs::create_dir_all(&temp).map_err(AtomicError::new("create", &temp))?;
        let prepared = Self { path: path.to_owned(), temp, is_published: false };
        fill(&prepared.temp)?;
        sync_tree(&prepared.temp)?;
        Ok(prepared)
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn publish(mut self) -> Result<(), AtomicError> {
        let (path, temp) = (&self.path, &self.temp);
        if path.exists() {
            let old = parent(path).join(format!("{}.old", temp_name(path)));
            remove(&old)?;
            fs::rename(path, &old).map_err(AtomicError::new("replace", path))?;
            fs::rename(temp, path).map_err(AtomicError::new("write", path))?;
            remove(&old)?;
        } else {
            fs::rename(temp, path).map_err(AtomicError::new("write", path))?;
        }
        self.is_published = true;
        sync_dir(parent(&self.path))
    }
}

impl Drop for PreparedDir {
    fn drop(&mut self) {
        if !self.is_published {
            // A leftover is removed when the run is resumed.
            let _ = fs::remove_dir_all(&self.temp);
        }
    }
}

/// Makes the folder `path`, and those above it, so that it lasts over a loss of power. One that is there is fine.
pub fn create_dir(path: &Path) -> Result<(), AtomicError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(AtomicError::new("create", path))?;
    sync_dir(parent(path))
}

/// Moves a file or a folder on the same file system; the folder that it goes to is made.
pub fn rename(from: &Path, to: &Path) -> Result<(), AtomicError> {
    create_dir(parent(to))?;
    fs::rename(from, to).map_err(AtomicError::new("move", from))?;
    sync_dir(parent(to))?;
    sync_dir(parent(from))
}

/// Removes what a process that died left unfinished in `dir`; says how many files and folders that was. A folder
/// that does not exist has none.
pub fn remove_leftovers(dir: &Path) -> Result<usize, AtomicError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(AtomicError::new("list", dir))?,
    };
    let mut num_removed = 0;
    for entry in entries {
        let entry = entry.map_err(AtomicError::new("list", dir))?;
        if is_temp(&entry.path()) {
            remove(&entry.path())?;
            num_removed += 1;
        }
    }
    Ok(num_removed)
}

/// Removes a file or a folder with all that is in it; nothing there is fine too.
pub fn remove(path: &Path) -> Result<(), AtomicError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(AtomicError::new("remove", path)),
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// `experiences/part-1.parquet` → `.tmp-experiences-part-1.parquet`: unique where one process writes a run.
fn temp_name(path: &Path) -> String {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    format!("{TEMP_PREFIX}{}-{}", name(parent(path)), name(path))
}

fn sync_tree(dir: &Path) -> Result<(), AtomicError> {
    for entry in fs::read_dir(dir).map_err(AtomicError::new("list", dir))? {
        let path = entry.map_err(AtomicError::new("list", dir))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(AtomicError::new("write", &path))?;
        }
    }
    sync_dir(dir)
}

/// Makes renames within `dir` last over a loss of power. Other systems than Unix can't open a folder as a file.
fn sync_dir(dir: &Path) -> Result<(), AtomicError> {
    if cfg!(unix) {
        File::open(dir).and_then(|file| file.sync_all()).map_err(AtomicError::new("write", dir))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(dir.path()), ["a.txt"]);
    }

    #[test]
    fn a_folder_that_fails_half_way_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("7");
        write_dir(&path, |temp| Ok(fs::write(temp.join("weights"), "old")?)).unwrap();
        let failed = write_dir(&path, |temp| {
            fs::write(temp.join("weights"), "new")?;
            anyhow::bail!("out of luck")
        });
        assert_eq!(failed.unwrap_err().to_string(), "out of luck");
        assert_eq!(fs::read_to_string(path.join("weights")).unwrap(), "old");
        write_dir(&path, |temp| Ok(fs::write(temp.join("weights"), "new")?)).unwrap();
        assert_eq!(fs::read_to_string(path.join("weights")).unwrap(), "new");
        assert_eq!(names(dir.path()), ["7"]);
    }

    #[test]
    fn leftovers_go_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("keep"), "").unwrap();
        fs::write(dir.path().join(".tmp-checkpoints-3"), "half").unwrap();
        fs::create_dir(dir.path().join(".tmp-checkpoints-4")).unwrap();
        assert_eq!(remove_leftovers(dir.path()).unwrap(), 2);
        assert_eq!(names(dir.path()), ["keep"]);
        assert_eq!(remove_leftovers(&dir.path().join("missing")).unwrap(), 0);
    }

    #[test]
    fn errors_name_the_path() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let error = write_file(&dir.path().join("file/below"), b"").unwrap_err();
        assert!(error.to_string().starts_with("can't create "), "{error}");
        assert!(error.to_string().contains("file/.tmp-file-below"), "{error}");
    }

    /// `/dev/full` takes no byte: what a full disk says, and that it is said with advice.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_comes_with_advice() {
        let error = File::options().write(true).open("/dev/full").unwrap().write_all(b"x").unwrap_err();
        let error = AtomicError::new("write", Path::new("part"))(error);
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().ends_with("free some space and resume the run"), "{error}");
    }
}
