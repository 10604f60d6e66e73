//! A look over a Parquet file's schema before the reader builds it: parquet 60 recurses once a level of nesting, which
//! can't be contained, and allocates by the numbers of children that it finds.
//!
//! The end of a file is its metadata, the length of these as four bytes, and `PAR1`. The metadata are a struct of Thrift's
//! compact protocol whose field 2 is the list of schema elements, depth first, each with its number of children.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Most bytes of a file's metadata.
const MAX_METADATA: u64 = 64 << 20;
/// Most columns, those inside of others counted.
pub const MAX_COLUMNS: usize = 10_000;
/// Deepest nesting of columns.
const MAX_DEPTH: usize = 32;
/// Deepest nesting of Thrift's values: deeper ones don't occur in metadata.
const MAX_SKIP: u8 = 32;

/// Types of Thrift's compact protocol.
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;

/// Checks that the schema of `file`, which has `len` bytes, is one that can be built; rewinds the file.
///
/// # Errors
/// It is too wide or too deep, or no metadata of Parquet; the text says what.
pub fn check(file: &mut File, len: u64) -> Result<(), String> {
    let checked = metadata(file, len).map_err(|error| error.to_string()).and_then(|bytes| schema(&bytes));
    file.rewind().map_err(|error| error.to_string())?;
    checked
}

/// Where the metadata of `file`, which has `len` bytes, begin, and how many bytes they have. Before them are the values.
///
/// # Errors
/// The file has no metadata of Parquet.
pub fn place(file: &mut File, len: u64) -> io::Result<(u64, u64)> {
    let wrong = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut tail = [0; 8];
    let Some(tail_at) = len.checked_sub(8) else { return Err(wrong("it is shorter than a footer")) };
    file.seek(SeekFrom::Start(tail_at))?;
    file.read_exact(&mut tail)?;
    if tail[4..] != *b"PAR1" {
        return Err(wrong("it does not end with PAR1"));
    }
    let size = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if size > MAX_METADATA {
        return Err(wrong(&format!("its metadata have {size} bytes, at most {MAX_METADATA} are read")));
    }
    let Some(begin) = tail_at.checked_sub(size) else { return Err(wrong("its metadata begin before it")) };
    Ok((begin, size))
}

fn metadata(file: &mut File, len: u64) -> io::Result<Vec<u8>> {
    let (begin, size) = place(file, len)?;
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = vec![0; size as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Walks the schema in a file's metadata.
fn schema(metadata: &[u8]) -> Result<(), String> {
    let mut walk = Walk { bytes: metadata };
    let mut field = 0;
    while let Some(kind) = walk.field(&mut field)? {
        if field != 2 || kind != LIST {
            walk.skip(kind, MAX_SKIP)?;
            continue;
        }
        let (count, kind) = walk.list()?;
        if kind != STRUCT {
            return Err("its schema is no list of elements".to_owned());
        }
        if count > MAX_COLUMNS {
            return Err(format!("it has {count} columns, at most {MAX_COLUMNS} are read"));
        }
        return walk.elements(count);
    }
    Err("it has no schema".to_owned())
}

struct Walk<'a> {
    bytes: &'a [u8],
}

impl Walk<'_> {
    fn elements(&mut self, count: usize) -> Result<(), String> {
        // Children that are still to come, a level an entry.
        let mut open: Vec<usize> = Vec::new();
        for index in 0..count {
            let children = self.children()?;
            if children > count {
                return Err(format!(
                    "an element of its schema has {children} children, there are {count} elements"
                ));
            }
            while open.last() == Some(&0) {
                open.pop();
            }
            match open.last_mut() {
                Some(left) => *left -= 1,
                None if index > 0 => return Err("its schema has two roots".to_owned()),
                None => {}
            }
            if children > 0 {
                open.push(children);
            }
            if open.len() > MAX_DEPTH {
                return Err(format!("its columns are nested deeper than {MAX_DEPTH} levels"));
            }
        }
        Ok(())
    }

    /// Number of children of the element that comes next.
    fn children(&mut self) -> Result<usize, String> {
        let (mut field, mut children) = (0, 0);
        while let Some(kind) = self.field(&mut field)? {
            if field == 5 && (4..=6).contains(&kind) {
                let zigzag = self.varint()?;
                let value = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
                children =
                    usize::try_from(value).map_err(|_| "an element has fewer than no children".to_owned())?;
            } else {
                self.skip(kind, MAX_SKIP)?;
            }
        }
        Ok(children)
    }

    /// Kind of the next field of a struct, whose number goes into `number`; none at its end.
    fn field(&mut self, number: &mut i64) -> Result<Option<u8>, String> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        *number = match byte >> 4 {
            0 => {
                let zigzag = self.varint()?;
                (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)
            }
            delta => number.saturating_add(i64::from(delta)),
        };
        Ok(Some(byte & 0xf))
    }

    /// Length of a list and kind of its items.
    fn list(&mut self) -> Result<(usize, u8), String> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => usize::try_from(self.varint()?).unwrap_or(usize::MAX),
            count => usize::from(count),
        };
        Ok((count, byte & 0xf))
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Result<(), String> {
        if depth == 0 {
            return Err("its metadata are nested too deeply".to_owned());
        }
        match kind {
            // A truth value of a field is in its kind.
            1 | 2 => Ok(()),
            3 => self.take(1),
            4..=6 => self.varint().map(drop),
            7 => self.take(8),
            BINARY => {
                let len = self.varint()?;
                self.take(usize::try_from(len).unwrap_or(usize::MAX))
            }
            LIST | SET => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.item(kind, depth - 1))
            }
            MAP => {
                let count = self.varint()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                (0..count).try_for_each(|_| {
                    self.item(kinds >> 4, depth - 1)?;
                    self.item(kinds & 0xf, depth - 1)
                })
            }
            STRUCT => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, depth - 1)?;
                }
                Ok(())
            }
            other => Err(format!("its metadata have a value of an unknown kind, {other}")),
        }
    }

    /// A value inside of a list or map, where a truth value takes a byte.
    fn item(&mut self, kind: u8, depth: u8) -> Result<(), String> {
        if matches!(kind, 1 | 2) { self.take(1) } else { self.skip(kind, depth) }
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("its metadata hold a number that never ends".to_owned())
    }

    fn byte(&mut self) -> Result<u8, String> {
        let (&first, rest) = self.bytes.split_first().ok_or_else(ends)?;
        self.bytes = rest;
        Ok(first)
    }

    fn take(&mut self, count: usize) -> Result<(), String> {
        self.bytes = self.bytes.get(count..).ok_or_else(ends)?;
        Ok(())
    }
}

fn ends() -> String {
    "its metadata end in the middle".to_owned()
}
