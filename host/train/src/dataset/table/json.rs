//! JSON Lines and JSON arrays.

use std::io::{self, BufRead, Read};

use anyhow::{anyhow, bail};
use serde_json::value::RawValue;

use super::{Numbered, Rows, cell};
use exgrpo_core::bounded::ROW_BYTES;
use exgrpo_core::escape::foreign;

/// Lines, a row each. One that is too long is left out without being kept in memory.
pub(super) struct Lines<R> {
    reader: R,
    number: usize,
}

impl<R> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = anyhow::Result<Numbered>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.number += 1;
            match line(&mut self.reader) {
                Ok(None) => return None,
                Ok(Some(Ok(line))) if line.iter().all(u8::is_ascii_whitespace) => {}
                Ok(Some(line)) => return Some(Ok((self.number, line.and_then(|line| row(&line))))),
                Err(error) => {
                    return Some(Err(anyhow!("line {} can't be read: {error}", self.number)));
                }
            }
        }
    }
}

/// The next line; none at the end, and a reason in place of one that is longer than a row may be.
fn line(reader: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, String>>> {
    let mut line = Vec::new();
    reader.by_ref().take(ROW_BYTES as u64 + 1).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() <= ROW_BYTES || line.ends_with(b"\n") {
        return Ok(Some(Ok(line)));
    }
    drop(line);
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let (used, is_last) = (end.map_or(buffer.len(), |end| end + 1), end.is_some() || buffer.is_empty());
        reader.consume(used);
        if is_last {
            return Ok(Some(Err(format!("longer than {ROW_BYTES} bytes"))));
        }
    }
}

fn row(line: &[u8]) -> Result<super::Row, String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("not UTF-8: {error}"))?;
    cell::row_of_json(text)
}

/// Rows of a JSON array, parsed one at a time: parsed rows take ten times as much memory as their text.
pub(super) fn array(text: String) -> anyhow::Result<Rows<'static>> {
    // All of it is JSON, or none of it is taken.
    let _: serde::de::IgnoredAny =
        serde_json::from_str(&text).map_err(|error| anyhow!("{}", foreign(&error.to_string())))?;
    if !text.trim_start().starts_with('[') {
        bail!(
            "it holds one JSON value, not an array of rows\n\
             hint: write the rows as an array, or as JSON Lines, one object a line"
        );
    }
    let mut at = text.find('[').map_or(0, |open| open + 1);
    let rows = (1..).map_while(move |number| {
        let rest = text[at..].trim_start_matches([',', ' ', '\n', '\r', '\t']);
        if rest.is_empty() || rest.starts_with(']') {
            return None;
        }
        at = text.len() - rest.len();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        match values.next()? {
            Ok(value) => {
                let row = match value.get().len() > ROW_BYTES {
                    true => Err(format!("longer than {ROW_BYTES} bytes")),
                    false => cell::row(value),
                };
                at += values.byte_offset();
                Some(Ok((number, row)))
            }
            // Not after the check above, but where such a row would end is not known.
            Err(error) => {
                at = text.len();
                Some(Err(anyhow!("row {number} can't be read: {error}")))
            }
        }
    });
    Ok(Box::new(rows))
}
