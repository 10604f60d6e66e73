//! Files that are read back: text that carries its own digest in its last line, and reading within limits. What was
//! cut, changed or put in place of a file is noticed before anything of it is used.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Most bytes that are read at once to compute a digest.
const CHUNK: usize = 1 << 20;

/// Why a recorded file can't be used. Every message names it.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// The file system refused.
    #[error("can't read {path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A folder, a pipe or a device.
    #[error("{path} is not a regular file", path = .0.display())]
    NotAFile(PathBuf),
    /// Larger than anything that is written there.
    #[error("{path} has {bytes} bytes, at most {limit} are read", path = .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// Not UTF-8.
    #[error("{path} is damaged: it is not text", path = .0.display())]
    NotText(PathBuf),
    /// The last line holds no digest.
    #[error("{path} is cut short or of an old version: its last line is not its digest", path = .0.display())]
    NoDigest(PathBuf),
    /// The last line holds another digest.
    #[error("{path} is damaged or was edited: its SHA-256 is not the one in its last line", path = .0.display())]
    Damaged(PathBuf),
}

/// How the last line is written, so that the whole is still of the body's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A comment.
    Toml,
    /// A line of its own with an object.
    JsonLines,
}

impl Format {
    fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Toml => ("# sha256 = \"", "\""),
            Self::JsonLines => ("{\"sha256\":\"", "\"}"),
        }
    }
}

/// `body` with a last line that holds its digest.
pub fn seal(body: &str, format: Format) -> String {
    let (before, after) = format.around();
    let body = if body.ends_with('\n') { body.to_owned() } else { format!("{body}\n") };
    let digest = sha256(body.as_bytes());
    format!("{body}{before}{digest}{after}\n")
}

/// The body of a sealed text. `path` is for the error.
///
/// # Errors
/// The last line is no digest, or not that of the lines before it.
pub fn unseal<'a>(text: &'a str, format: Format, path: &Path) -> Result<&'a str, SealedError> {
    let no_digest = || SealedError::NoDigest(path.to_owned());
    let (before, after) = format.around();
    let lines = text.strip_suffix('\n').ok_or_else(no_digest)?;
    let (body, last) = text.split_at(lines.rfind('\n').map_or(0, |end| end + 1));
    let digest = last.strip_suffix('\n').and_then(|last| last.strip_prefix(before)?.strip_suffix(after));
    match digest.ok_or_else(no_digest)? == sha256(body.as_bytes()) {
        true => Ok(body),
        false => Err(SealedError::Damaged(path.to_owned())),
    }
}

/// Reads a sealed file of at most `limit` bytes and answers its body.
///
/// # Errors
/// It can't be read within the limit, or is not as it was written.
pub fn read_sealed(path: &Path, format: Format, limit: u64) -> Result<String, SealedError> {
    let bytes = read_limited(path, limit)?;
    let text = String::from_utf8(bytes).map_err(|_| SealedError::NotText(path.to_owned()))?;
    unseal(&text, format, path).map(str::to_owned)
}

/// The bytes of a regular file; one that is larger than `limit` is refused before it is read.
///
/// # Errors
/// It is absent, no regular file, or too large.
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, SealedError> {
    let size = size_of(path)?;
    let too_large = |bytes| SealedError::TooLarge { path: path.to_owned(), bytes, limit };
    if size > limit {
        return Err(too_large(size));
    }
    let io_error = |source| SealedError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::with_capacity(size as usize);
    let file = File::open(path).map_err(io_error)?;
    // The file may have grown since it was looked at.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(io_error)?;
    match bytes.len() as u64 > limit {
        true => Err(too_large(bytes.len() as u64)),
        false => Ok(bytes),
    }
}

/// Size of a regular file. Pipes and devices are refused before they are opened, which could wait for ever.
///
/// # Errors
/// It is absent or no regular file.
pub fn size_of(path: &Path) -> Result<u64, SealedError> {
    let metadata = fs::metadata(path).map_err(|source| SealedError::Io { path: path.to_owned(), source })?;
    match metadata.is_file() {
        true => Ok(metadata.len()),
        false => Err(SealedError::NotAFile(path.to_owned())),
    }
}

/// SHA-256 of `bytes` in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Size and SHA-256 of a regular file, which is never in memory as a whole.
///
/// # Errors
/// It can't be read.
pub fn sha256_of_file(path: &Path) -> Result<(u64, String), SealedError> {
    sha256_of_first(path, size_of(path)?)
}

/// The same of the first `size` bytes of a regular file, of all of it where it is shorter.
///
/// # Errors
/// It can't be read.
pub fn sha256_of_first(path: &Path, size: u64) -> Result<(u64, String), SealedError> {
    let size = size.min(size_of(path)?);
    let io_error = |source| SealedError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io_error)?.take(size);
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK.min(size as usize + 1)];
    let mut total = 0;
    loop {
        match file.read(&mut chunk).map_err(io_error)? {
            0 => return Ok((total, hex(&hash.finalize()))),
            count => {
                hash.update(&chunk[..count]);
                total += count as u64;
            }
        }
    }
}

/// True for what [`sha256`] answers: 64 lower-case hexadecimal digits. A recorded digest that becomes part of a path
/// must be one.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "a = 1\nb = 2\n";

    #[test]
    fn what_was_sealed_comes_back_and_every_change_is_noticed() {
        let path = Path::new("run.toml");
        for format in [Format::Toml, Format::JsonLines] {
            let sealed = seal(BODY, format);
            assert_eq!(unseal(&sealed, format, path).unwrap(), BODY);
            for at in 0..sealed.len() {
                let mut flipped = sealed.clone().into_bytes();
                flipped[at] ^= 1;
                let flipped = String::from_utf8(flipped).unwrap();
                assert!(unseal(&flipped, format, path).is_err(), "byte {at} of {format:?}");
                assert!(unseal(&sealed[..at], format, path).is_err(), "cut to {at} bytes");
            }
            assert!(unseal(&format!("{sealed}c = 3\n"), format, path).is_err());
        }
        assert!(matches!(unseal("", Format::Toml, path), Err(SealedError::NoDigest(_))));
        assert_eq!(unseal(&seal("", Format::Toml), Format::Toml, path).unwrap(), "\n");
    }

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_limited(&path, 5).unwrap(), b"12345");
        assert!(matches!(read_limited(&path, 4), Err(SealedError::TooLarge { bytes: 5, limit: 4, .. })));
        assert!(matches!(read_limited(dir.path(), 9), Err(SealedError::NotAFile(_))));
        // Witness: printf 12345 | sha256sum
        let digest = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5";
        assert_eq!(sha256_of_file(&path).unwrap(), (5, digest.to_owned()));
        assert!(is_sha256(digest) && !is_sha256("../../etc/passwd") && !is_sha256(&digest.to_uppercase()));
    }
}
