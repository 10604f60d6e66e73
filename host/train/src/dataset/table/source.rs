//! From a file to its rows: what it is, and what it is packed in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use anyhow::{Context, bail};

use super::delimited::Records;
use super::json::{self, Lines};
use super::{Rows, parquet};
use exgrpo_core::bounded::{self, ROWS_BYTES};

/// Most bytes that a packed file may have when it is unpacked.
const UNPACKED_BYTES: u64 = 256 << 30;
/// Bytes at the beginning of a file that its format is known by.
const HEAD: usize = 64 << 10;
/// Largest window of zstd, as a power of two: what `--long=27` writes is read, as by the `zstd` command.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Rows of `text`, one a line.
pub(in crate::dataset) fn of_text(text: &str) -> Rows<'_> {
    Box::new(Lines::new(text.as_bytes()))
}

/// Rows of a file.
///
/// # Errors
/// It is no regular file, or of no format that is read; the text names the file, the cause and what to do.
pub(in crate::dataset) fn of_file(path: &Path) -> anyhow::Result<Rows<'static>> {
    let name = path.display();
    let (mut file, len) = bounded::open(path).with_context(|| format!("can't read dataset {name}"))?;
    let mut magic = Vec::new();
    file.by_ref().take(8).read_to_end(&mut magic).with_context(|| format!("can't read dataset {name}"))?;
    file.rewind().with_context(|| format!("can't read dataset {name}"))?;
    let suffixes = suffixes(path);
    let kind = suffixes.iter().map(String::as_str).find(|suffix| !is_packing(suffix)).unwrap_or("jsonl");
    if magic.starts_with(b"PAR1") || kind == "parquet" && magic.len() < 8 {
        return parquet::rows(file, len).with_context(|| format!("dataset {name} is no readable Parquet"));
    }
    let text = unpacked(file, &magic).with_context(|| format!("can't read dataset {name}"))?;
    text_rows(text, kind).with_context(|| format!("dataset {name} is no readable {}", title(kind)))
}

fn is_packing(suffix: &str) -> bool {
    matches!(suffix, "gz" | "gzip" | "zst" | "zstd")
}

/// The last two suffixes of a name in lower case, the last one first.
fn suffixes(path: &Path) -> Vec<String> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let mut parts: Vec<String> = name.split('.').map(str::to_owned).collect();
    parts.remove(0);
    parts.reverse();
    parts.truncate(2);
    parts
}

fn title(kind: &str) -> &'static str {
    match kind {
        "json" => "JSON",
        "csv" => "CSV",
        "tsv" => "TSV",
        "parquet" => "Parquet",
        _ => "JSON Lines",
    }
}

/// The text of a file, unpacked where it is packed.
fn unpacked(file: File, magic: &[u8]) -> anyhow::Result<Box<dyn BufRead>> {
    let limited = |packed: Box<dyn Read>| -> Box<dyn BufRead> {
        Box::new(BufReader::with_capacity(HEAD, Limited { reader: packed, left: UNPACKED_BYTES }))
    };
    let mut text = match magic {
        [0x1f, 0x8b, ..] => limited(Box::new(flate2::read::MultiGzDecoder::new(file))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder = zstd::Decoder::new(file)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            limited(Box::new(decoder))
        }
        [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', b'Z', ..] | [b'P', b'K', 3, 4, ..] => {
            bail!("it is packed in a way that is not read\nhint: unpack it, or pack it with gzip or zstd")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => bail!("it is UTF-16\nhint: save it as UTF-8"),
        _ => Box::new(BufReader::with_capacity(HEAD, file)),
    };
    // A byte order mark is not part of the text.
    if text.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        text.consume(3);
    }
    Ok(text)
}

/// An error instead of more bytes than a file may unpack to.
struct Limited<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            let text = format!("it unpacks to more than {UNPACKED_BYTES} bytes");
            io::Error::new(io::ErrorKind::FileTooLarge, text)
        })?;
        Ok(read)
    }
}

fn text_rows(mut text: Box<dyn BufRead>, kind: &str) -> anyhow::Result<Rows<'static>> {
    let head = text.fill_buf()?;
    if kind == "parquet" {
        bail!("it does not begin with PAR1");
    }
    match (kind, head.iter().find(|byte| !byte.is_ascii_whitespace())) {
        ("csv", _) => Ok(Box::new(Records::new(text, None)?)),
        ("tsv", _) => Ok(Box::new(Records::new(text, Some(b'\t'))?)),
        // Only a JSON array is read as a whole.
        (_, Some(b'[')) => json::array(whole(text)?),
        ("json", Some(_)) if !begins_with_a_line_of_json(head) => json::array(whole(text)?),
        ("json", None) => json::array(String::new()),
        _ => Ok(Box::new(Lines::new(text))),
    }
}

/// True where the first line is a value by itself, or is longer than what is looked at: JSON Lines under another name.
fn begins_with_a_line_of_json(head: &[u8]) -> bool {
    let begin = head.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    match head[begin..].iter().position(|&byte| byte == b'\n') {
        None => true,
        Some(end) => serde_json::from_slice::<serde::de::IgnoredAny>(&head[begin..begin + end]).is_ok(),
    }
}

fn whole(text: Box<dyn BufRead>) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    text.take(ROWS_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > ROWS_BYTES {
        bail!("it has more than {ROWS_BYTES} bytes\nhint: JSON Lines, a row a line, may have any size");
    }
    String::from_utf8(bytes).context("it is not UTF-8")
}
