//! Files from outside: regular ones only, and no more of them than they may have. A pipe or a device never ends, a
//! folder is none, and a size is looked at before memory is taken.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of a configuration that people write, or of a small JSON file of a model.
pub const CONFIG_BYTES: u64 = 16 << 20;
/// Most bytes of a `tokenizer.json`: the largest that are published have 35 million.
pub const TOKENIZER_BYTES: u64 = 64 << 20;
/// Most bytes of a chat template.
pub const TEMPLATE_BYTES: u64 = 1 << 20;
/// Most bytes of a file of prompts, or of a dataset that is one JSON array.
pub const ROWS_BYTES: u64 = 1 << 30;
/// Most bytes of one row of a dataset, a line of JSONL.
pub const ROW_BYTES: usize = 16 << 20;

/// Opens a regular file; its size comes with it.
///
/// # Errors
/// There is none, it is a folder, a pipe or a device, or the system refuses it.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    // Looked at before it is opened: opening a pipe waits for whoever writes into it.
    regular(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    Ok((file, metadata.len()))
}

/// The bytes of a regular file that has at most `most`.
///
/// # Errors
/// As [`open`], or it has more.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, len) = open(path)?;
    if len > most {
        return Err(too_large(&format!("{len}"), most));
    }
    // A file may grow while it is read, and some say that they are empty when they are not.
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len as usize)?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(too_large(&format!("more than {most}"), most)),
        false => Ok(bytes),
    }
}

/// The text of a regular file that has at most `most` bytes, without the byte order mark that some editors put first.
///
/// # Errors
/// As [`read`], or it isn't UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let text = String::from_utf8(read(path, most)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("it is not UTF-8: {error}")))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}

fn too_large(len: &str, most: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it has {len} bytes, at most {most} are read"))
}

fn regular(metadata: &std::fs::Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = if kind.is_dir() { "a directory" } else { "a pipe or a device" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, not a regular file")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "\u{feff}four").unwrap();
        assert_eq!(read(&path, 7).unwrap(), b"\xef\xbb\xbffour");
        assert_eq!(read_text(&path, 7).unwrap(), "four");
        let error = read(&path, 6).unwrap_err();
        assert_eq!(error.to_string(), "it has 7 bytes, at most 6 are read");
        assert!(read(dir.path(), 7).unwrap_err().to_string().contains("a directory"));
        assert_eq!(read(&dir.path().join("b"), 7).unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::write(&path, [0xff]).unwrap();
        assert!(read_text(&path, 7).unwrap_err().to_string().contains("not UTF-8"));
    }

    /// `/dev/zero` never ends, and a sparse file announces more than memory has.
    #[test]
    #[cfg(target_os = "linux")]
    fn devices_and_sizes_are_refused_before_memory_is_taken() {
        assert!(read(Path::new("/dev/zero"), u64::MAX).unwrap_err().to_string().contains("a device"));
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 40).unwrap();
        let error = read(file.path(), CONFIG_BYTES).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        // A file that says 0 bytes and has some.
        assert!(!read(Path::new("/proc/self/status"), CONFIG_BYTES).unwrap().is_empty());
        assert!(read(Path::new("/proc/self/status"), 10).is_err());
    }
}
