//! Reading a policy's file: nothing but a regular file, and none of it before its size was looked at.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Why a policy's file was not read.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFileError {
    /// A folder, a pipe, a device.
    #[error("{path} is no regular file", path = .0.display())]
    NotAFile(PathBuf),
    /// More bytes than are taken.
    #[error("{path} has {bytes} bytes, guest.file_mib allows {most}", path = .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// Bytes that are taken.
        most: u64,
    },
    /// The system refused.
    #[error("can't read {path}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// The bytes of the file at `path`, at most `most` of them. Takes as long as reading that many does, whatever lies
/// there: a pipe is not waited for.
///
/// # Errors
/// It is no regular file, has more than `most` bytes, or can't be read.
pub fn read_policy_file(path: &Path, most: u64) -> Result<Vec<u8>, PolicyFileError> {
    let failed = |source| PolicyFileError::Io { path: path.to_owned(), source };
    let check = |metadata: &Metadata| match metadata.len() {
        _ if !metadata.is_file() => Err(PolicyFileError::NotAFile(path.to_owned())),
        bytes if bytes > most => Err(PolicyFileError::TooLarge { path: path.to_owned(), bytes, most }),
        bytes => Ok(bytes),
    };
    // Before it is opened, because opening a device can do something; and after, because it may be another file by then.
    check(&std::fs::metadata(path).map_err(failed)?)?;
    let file = open(path).map_err(failed)?;
    let bytes = check(&file.metadata().map_err(failed)?)?;
    let mut contents = Vec::with_capacity(bytes as usize);
    // A file that grows meanwhile is not followed.
    file.take(most.saturating_add(1)).read_to_end(&mut contents).map_err(failed)?;
    match contents.len() as u64 {
        bytes if bytes > most => Err(PolicyFileError::TooLarge { path: path.to_owned(), bytes, most }),
        _ => Ok(contents),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe that nobody writes to would wait.
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_up_to_the_limit_and_not_beyond() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.wasm");
        std::fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read_policy_file(&path, 100).unwrap(), [7; 100]);
        assert!(matches!(
            read_policy_file(&path, 99),
            Err(PolicyFileError::TooLarge { bytes: 100, most: 99, .. })
        ));
        assert!(matches!(read_policy_file(&dir.path().join("none"), 99), Err(PolicyFileError::Io { .. })));
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_regular_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read_policy_file(dir.path(), 99), Err(PolicyFileError::NotAFile(_))));
        let pipe = dir.path().join("pipe.wasm");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(read_policy_file(&pipe, 99), Err(PolicyFileError::NotAFile(_))));
        // Its link is as much a pipe.
        let link = dir.path().join("link.wasm");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        assert!(matches!(read_policy_file(&link, 99), Err(PolicyFileError::NotAFile(_))));
        assert!(matches!(read_policy_file(Path::new("/dev/zero"), 99), Err(PolicyFileError::NotAFile(_))));
    }

    /// A thousand times what memory there is: read, it would end the process.
    #[test]
    #[cfg(unix)]
    fn a_huge_file_is_refused_by_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse.wasm");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let refused = read_policy_file(&path, 32 << 20).unwrap_err().to_string();
        assert!(refused.ends_with("has 1099511627776 bytes, guest.file_mib allows 33554432"), "{refused}");
    }
}
