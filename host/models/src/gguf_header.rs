//! A look over a GGUF file's header before candle reads it: candle 0.11 allocates by the lengths that it finds and divides
//! by the alignment, so that a damaged file could end the process.

use std::io::{self, BufRead, Seek, SeekFrom};

/// Kinds of metadata values.
const U32: u32 = 4;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Most dimensions of a tensor.
const MAX_DIMS: u32 = 4;

/// Walks the header and checks that everything it announces fits into the file.
///
/// # Errors
/// Something does not, the version is unknown, or the file can't be read. The text says what.
pub(super) fn check(reader: &mut (impl BufRead + Seek)) -> Result<(), String> {
    let len = reader.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    reader.rewind().map_err(|error| error.to_string())?;
    let mut walk = Walk { reader, at: 0, len };
    let checked = walk.header();
    walk.reader.rewind().map_err(|error| error.to_string())?;
    checked
}

struct Walk<'a, R> {
    reader: &'a mut R,
    at: u64,
    len: u64,
}

impl<R: BufRead + Seek> Walk<'_, R> {
    fn header(&mut self) -> Result<(), String> {
        if self.bytes::<4>()? != *b"GGUF" {
            return Err("it does not begin with GGUF".to_owned());
        }
        let version = self.u32()?;
        if !(2..=3).contains(&version) {
            return Err(format!("its version is {version}, 2 and 3 are known"));
        }
        let (num_tensors, num_values) = (self.u64()?, self.u64()?);
        for _ in 0..num_values {
            let key = self.string()?;
            let kind = self.u32()?;
            if key == b"general.alignment" && kind == U32 {
                if self.u32()? == 0 {
                    return Err("its alignment is 0".to_owned());
                }
            } else {
                self.value(kind)?;
            }
        }
        for _ in 0..num_tensors {
            self.string()?;
            let num_dims = self.u32()?;
            if num_dims > MAX_DIMS {
                return Err(format!("a tensor has {num_dims} dimensions"));
            }
            let mut num_elements = 1u64;
            for _ in 0..num_dims {
                num_elements = num_elements.saturating_mul(self.u64()?);
            }
            // The smallest kinds take more than a bit an element.
            if num_elements > self.len.saturating_mul(8) {
                return Err(format!("a tensor has {num_elements} elements, more than the file can hold"));
            }
            self.skip(4 + 8)?;
        }
        Ok(())
    }

    fn value(&mut self, kind: u32) -> Result<(), String> {
        match kind {
            STRING => self.string().map(drop),
            ARRAY => {
                let (kind, count) = (self.u32()?, self.u64()?);
                match kind {
                    STRING => (0..count).try_for_each(|_| self.string().map(drop)),
                    ARRAY => Err("it holds a list of lists".to_owned()),
                    kind => self.skip(count.saturating_mul(size_of_kind(kind)?)),
                }
            }
            kind => self.skip(size_of_kind(kind)?),
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, String> {
        let len = self.u64()?;
        self.must_hold(len)?;
        let mut bytes = vec![0; len as usize];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.must_hold(N as u64)?;
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, count: u64) -> Result<(), String> {
        self.must_hold(count)?;
        self.at += count;
        self.reader.seek_relative(count as i64).map_err(|error| error.to_string())
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.at += bytes.len() as u64;
        self.reader.read_exact(bytes).map_err(|error: io::Error| error.to_string())
    }

    fn must_hold(&self, count: u64) -> Result<(), String> {
        match count <= self.len - self.at {
            true => Ok(()),
            false => Err(format!("it ends in the middle: {count} bytes are announced at byte {}", self.at)),
        }
    }
}

/// Bytes of a value that has a fixed size.
fn size_of_kind(kind: u32) -> Result<u64, String> {
    match kind {
        0 | 1 | 7 => Ok(1),
        2 | 3 => Ok(2),
        4..=6 => Ok(4),
        10..=12 => Ok(8),
        other => Err(format!("a value is of an unknown kind, {other}")),
    }
}
