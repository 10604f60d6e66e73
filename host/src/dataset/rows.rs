//! Rows of a file as JSON objects, one at a time: JSONL, a JSON array, Parquet.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Map, Value};

/// A row: columns by name.
pub(super) type Row = Map<String, Value>;

/// Rows with their numbers, which start at 1; lines for JSONL.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = anyhow::Result<(usize, Row)>> + 'a>;

/// Rows of `text`, one a line.
pub(super) fn of_text(text: &str) -> Rows<'_> {
    Box::new(lines(text.lines().map(|line| Ok(line.to_owned()))))
}

/// Rows of a file, by its name: `.parquet`, `.json` (an array of rows), anything else is JSONL. Only a JSON array is
/// read as a whole.
pub(super) fn of_file(path: &Path) -> anyhow::Result<Rows<'static>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("can't read dataset {name}"))?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => parquet(file).with_context(|| format!("dataset {name} is no readable Parquet")),
        Some("json") => {
            let value: Value = serde_json::from_reader(BufReader::new(file))
                .with_context(|| format!("dataset {name} is no JSON array"))?;
            let Value::Array(rows) = value else {
                bail!(
                    "dataset {name} holds one JSON value, not an array of rows\nhint: a row a line goes by .jsonl"
                );
            };
            Ok(Box::new(rows.into_iter().enumerate().map(|(index, row)| Ok((index + 1, object(row)?)))))
        }
        _ => Ok(Box::new(lines(BufReader::new(file).lines()))),
    }
}

fn lines(
    lines: impl Iterator<Item = std::io::Result<String>>,
) -> impl Iterator<Item = anyhow::Result<(usize, Row)>> {
    lines.enumerate().filter_map(|(index, line)| {
        let row = match line {
            Ok(line) if line.trim().is_empty() => return None,
            Ok(line) => serde_json::from_str(&line).map_err(anyhow::Error::from),
            Err(error) => Err(error.into()),
        };
        Some(row.map(|row| (index + 1, row)))
    })
}

fn parquet(file: File) -> anyhow::Result<Rows<'static>> {
    let reader = SerializedFileReader::new(file)?;
    let num_row_groups = reader.num_row_groups();
    let groups = (0..num_row_groups).flat_map(move |group| -> Vec<anyhow::Result<Row>> {
        // The row iterator borrows its group, so a group is taken at a time.
        let rows = || -> anyhow::Result<Vec<anyhow::Result<Row>>> {
            let group = reader.get_row_group(group)?;
            let rows = group.get_row_iter(None)?;
            Ok(rows.map(|row| object(row?.to_json_value())).collect())
        };
        rows().unwrap_or_else(|error| vec![Err(error)])
    });
    Ok(Box::new(groups.enumerate().map(|(index, row)| Ok((index + 1, row?)))))
}

fn object(value: Value) -> anyhow::Result<Row> {
    match value {
        Value::Object(row) => Ok(row),
        other => Err(anyhow!("a row is {}, not an object", kind(&other))),
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
