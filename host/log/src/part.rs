//! Parts: their names, and rows as the bytes of a Parquet file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::table::{SCHEMA_VERSION, TABLE_KEY, VALUES_KEY, VERSION_KEY};
use super::{LogError, io_error};
use exgrpo_core::sealed;

/// A file of a table: the rows of the steps `first..=last`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it lies.
    pub path: PathBuf,
    /// Table that it belongs to.
    pub table: String,
    /// First step.
    pub first: u32,
    /// Last step.
    pub last: u32,
}

impl Part {
    /// The part of `table` in the run at `run_dir` that holds these steps.
    pub fn new(run_dir: &Path, table: &str, first: u32, last: u32) -> Self {
        let path = run_dir.join(table).join(format!("part-{first:06}-{last:06}.parquet"));
        Self { path, table: table.to_owned(), first, last }
    }

    /// The part of another table that appears with this one.
    pub(super) fn with_table(&self, table: &str) -> Self {
        let run_dir = self.path.parent().and_then(Path::parent).unwrap_or(Path::new(""));
        Self::new(run_dir, table, self.first, self.last)
    }

    /// The error that says what is wrong with the part.
    pub(super) fn broken(&self, problem: impl ToString) -> LogError {
        LogError::Broken { path: self.path.clone(), table: self.table.clone(), problem: problem.to_string() }
    }
}

/// Parts of a table that are there, by first step. A table without a folder has none; files with other names are
/// not the log's.
pub fn parts(run_dir: &Path, table: &str) -> Result<Vec<Part>, LogError> {
    let dir = run_dir.join(table);
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_error("list", &dir))?,
    };
    let mut parts = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error("list", &dir))?.path();
        if let Some((first, last)) = path.file_name().and_then(|name| steps_of(name.to_str()?)) {
            parts.push(Part { path, table: table.to_owned(), first, last });
        }
    }
    parts.sort_by_key(|part| (part.first, part.last));
    Ok(parts)
}

/// `part-000012-000013.parquet` → (12, 13)
fn steps_of(name: &str) -> Option<(u32, u32)> {
    let (first, last) = name.strip_prefix("part-")?.strip_suffix(".parquet")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Bytes of the file with these columns and entries in its metadata. They depend on nothing but the arguments.
pub(super) fn encode(
    table: &str,
    schema: Schema,
    arrays: Vec<ArrayRef>,
    metadata: Vec<KeyValue>,
) -> Result<Vec<u8>, ParquetError> {
    let properties = properties(table, &schema, metadata);
    let schema = Arc::new(schema);
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    writer.write(&batch)?;
    writer.flush()?;
    writer.sync()?;
    let values = sealed::sha256(writer.inner());
    writer.append_key_value_metadata(KeyValue::new(VALUES_KEY.to_owned(), values));
    writer.into_inner()
}

fn properties(table: &str, schema: &Schema, mut metadata: Vec<KeyValue>) -> WriterProperties {
    metadata.insert(0, KeyValue::new(TABLE_KEY.to_owned(), table.to_owned()));
    metadata.insert(1, KeyValue::new(VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string()));
    let mut properties = WriterProperties::builder()
        .set_created_by("exgrpo".to_owned())
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_key_value_metadata(Some(metadata));
    for field in schema.fields() {
        let (path, leaf) = match field.data_type() {
            DataType::List(element) => {
                (vec![field.name().clone(), "list".to_owned(), "element".to_owned()], element.data_type())
            }
            leaf => (vec![field.name().clone()], leaf),
        };
        let is_list = path.len() > 1;
        let path = ColumnPath::new(path);
        // Floats hardly repeat: a dictionary of them is their size once more.
        if leaf.is_floating() {
            properties = properties.set_column_dictionary_enabled(path.clone(), false);
        }
        // Nobody looks for a range of tokens or log-probs.
        if is_list {
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    properties.build()
}
