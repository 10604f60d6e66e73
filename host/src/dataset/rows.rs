//! Rows of a file as JSON objects, one at a time: JSONL, a JSON array, Parquet.
//!
//! Files come from strangers. What can't be read at all is an error, what can't be read of one row is that row's reason;
//! a row, a line and a batch have a largest size, and the Parquet reader works in a container.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use serde_json::{Map, Value};

use crate::bounded::{self, ROW_BYTES, ROWS_BYTES};
use crate::contain::{self, Budget};
use crate::escape::{foreign, quoted};
use crate::parquet_footer::{self, MAX_COLUMNS};

/// A row: columns by name.
pub(super) type Row = Map<String, Value>;

/// A row with its number, which starts at 1 and counts lines for JSONL; or why this one row can't be read.
pub(super) type Numbered = (usize, Result<Row, String>);

/// Rows of a file. An error ends them: what follows can't be read.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = anyhow::Result<Numbered>> + 'a>;

/// Rows of a Parquet file that are read at a time.
const BATCH: usize = 256;
/// What opening a Parquet file, or reading a batch of it, may take. Pages are read whole.
const READING: Budget = Budget { memory: 1 << 30, time: Duration::from_secs(120) };

/// Rows of `text`, one a line.
pub(super) fn of_text(text: &str) -> Rows<'_> {
    Box::new(Lines { reader: text.as_bytes(), number: 0 })
}

/// Rows of a file, by its name: `.parquet`, `.json` (an array of rows), anything else is JSONL. Only a JSON array is
/// read as a whole.
pub(super) fn of_file(path: &Path) -> anyhow::Result<Rows<'static>> {
    let name = path.display();
    let (file, len) = bounded::open(path).with_context(|| format!("can't read dataset {name}"))?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => {
            parquet(file, len).with_context(|| format!("dataset {name} is no readable Parquet"))
        }
        Some("json") => {
            let text = bounded::read_text(path, ROWS_BYTES).with_context(|| {
                format!(
                    "can't read dataset {name}\nhint: a file with a row a line, .jsonl, may have any size"
                )
            })?;
            json(text).with_context(|| format!("dataset {name} is no JSON array"))
        }
        _ => Ok(Box::new(Lines { reader: BufReader::new(file), number: 0 })),
    }
}

/// Lines of JSONL. One that is too long is left out without being kept in memory.
struct Lines<R> {
    reader: R,
    number: usize,
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

fn row(bytes: &[u8]) -> Result<Row, String> {
    let value = serde_json::from_slice(bytes).map_err(|error| foreign(&error.to_string()).to_string())?;
    object(value)
}

/// Rows of a JSON array, parsed one at a time: parsed rows take ten times as much memory as their text.
fn json(text: String) -> anyhow::Result<Rows<'static>> {
    // All of it is JSON, or none of it is taken.
    let _: serde::de::IgnoredAny = serde_json::from_str(&text)?;
    if !text.trim_start().starts_with('[') {
        bail!("it holds one JSON value, not an array of rows\nhint: a row a line goes by .jsonl");
    }
    let mut at = text.find('[').map_or(0, |open| open + 1);
    let rows = (1..).map_while(move |number| {
        let rest = text[at..].trim_start_matches([',', ' ', '\n', '\r', '\t']);
        if rest.is_empty() || rest.starts_with(']') {
            return None;
        }
        at = text.len() - rest.len();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let value = values.next()?;
        match value {
            Ok(value) => {
                at += values.byte_offset();
                Some(Ok((number, object(value))))
            }
            // Nested too deeply, say: where such a row ends is not known.
            Err(error) => {
                at = text.len();
                Some(Err(anyhow!("row {number} can't be read: {error}")))
            }
        }
    });
    Ok(Box::new(rows))
}

/// Rows of a Parquet file, batch by batch.
fn parquet(mut file: File, len: u64) -> anyhow::Result<Rows<'static>> {
    parquet_footer::check(&mut file, len).map_err(|error| anyhow!(error))?;
    let open = move || SerializedFileReader::new(file).map_err(|error| error.to_string());
    let reader = contain::run(READING, open)?.map_err(|error| anyhow!("{}", foreign(&error)))?;
    let announced = reader.metadata().file_metadata().num_rows();
    let rows = RowIter::from_file_into(Box::new(reader));
    Ok(Box::new(ParquetRows { rows: Some(rows), batch: Vec::new().into_iter(), number: 0, announced }))
}

struct ParquetRows {
    /// None once an error or the end was met.
    rows: Option<RowIter<'static>>,
    batch: std::vec::IntoIter<Result<Row, String>>,
    number: usize,
    announced: i64,
}

impl Iterator for ParquetRows {
    type Item = anyhow::Result<Numbered>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.len() == 0 {
            match contain::run(READING, batch(self.rows.take()?)) {
                Ok((rows, batch, None)) => {
                    self.rows = (batch.len() == BATCH).then_some(rows);
                    self.batch = batch.into_iter();
                }
                Ok((_, _, Some(error))) => return Some(Err(self.broken(&error))),
                Err(breach) => return Some(Err(self.broken(&breach.to_string()))),
            }
        }
        let row = self.batch.next()?;
        self.number += 1;
        Some(Ok((self.number, row)))
    }
}

impl ParquetRows {
    fn broken(&self, error: &str) -> anyhow::Error {
        anyhow!(
            "of its {} rows none behind row {} can be read: {}\nhint: fetch the file again",
            self.announced,
            self.number,
            foreign(error)
        )
    }
}

type Batch = (RowIter<'static>, Vec<Result<Row, String>>, Option<String>);

/// Reads the next rows of `rows`, up to an error of the file.
fn batch(mut rows: RowIter<'static>) -> impl FnOnce() -> Batch {
    move || {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            match rows.next() {
                None => break,
                Some(Err(error)) => return (rows, batch, Some(error.to_string())),
                Some(Ok(row)) => batch.push(json_row(&row)),
            }
        }
        (rows, batch, None)
    }
}

/// A row as JSON. Dates beyond what has a calendar, and texts that are none, make the reader panic: then the row can't be
/// used.
fn json_row(row: &parquet::record::Row) -> Result<Row, String> {
    let mut object = Row::new();
    for (name, field) in row.get_column_iter() {
        let value = contain::catch_panic(|| field.to_json_value())
            .map_err(|_| format!("column {} holds a value that can't be written as text", quoted(name)))?;
        object.insert(name.clone(), value);
    }
    Ok(object)
}

fn object(value: Value) -> Result<Row, String> {
    match value {
        Value::Object(row) if row.len() > MAX_COLUMNS => Err(format!("more than {MAX_COLUMNS} columns")),
        Value::Object(row) => Ok(row),
        other => Err(format!("a row is {}, not an object", kind(&other))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
