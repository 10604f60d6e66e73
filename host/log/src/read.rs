//! Reading a run log back, part by part. A part that can't be read is an error that names it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::metrics::{self, MetricsRow};
use super::part::Part;
use super::table::{BatchColumns, EVALUATION_KEY, Row, SCHEMA_VERSION, TABLE_KEY, VALUES_KEY, VERSION_KEY};
use super::{LogError, io_error};
use crate::parquet_footer;
use exgrpo_core::contain::{self, Budget};
use exgrpo_core::{bounded, sealed};

pub use super::part::parts;

/// What reading a part may take.
const READING: Budget = Budget { memory: 4 << 30, time: Duration::from_secs(600) };

/// Rows of a table in the run at `run_dir`, in the order of their steps.
pub fn rows<R: Row>(run_dir: &Path) -> Result<Vec<R>, LogError> {
    let mut rows = Vec::new();
    for part in parts(run_dir, R::TABLE)? {
        rows.extend(part_rows(&part)?);
    }
    Ok(rows)
}

/// Rows of one part.
pub fn part_rows<R: Row>(part: &Part) -> Result<Vec<R>, LogError> {
    let mut rows = Vec::new();
    for batch in part_batches(part)? {
        rows.extend(R::from_columns(&BatchColumns::new(&batch)).map_err(|problem| part.broken(problem))?);
    }
    Ok(rows)
}

/// Metrics of the run at `run_dir`, a row a step.
pub fn metrics(run_dir: &Path) -> Result<Vec<MetricsRow>, LogError> {
    let mut rows = Vec::new();
    for part in parts(run_dir, metrics::TABLE)? {
        rows.extend(part_metrics(&part)?);
    }
    Ok(rows)
}

/// Metrics of one part.
pub fn part_metrics(part: &Part) -> Result<Vec<MetricsRow>, LogError> {
    let mut rows = Vec::new();
    for batch in part_batches(part)? {
        let read = metrics_rows(&batch).map_err(|problem| part.broken(problem))?;
        if let Some(row) = read.iter().find(|row| !(part.first..=part.last).contains(&row.step)) {
            return Err(part.broken(format!("it has a row of step {}, which its name does not", row.step)));
        }
        rows.extend(read);
    }
    Ok(rows)
}

fn metrics_rows(batch: &RecordBatch) -> Result<Vec<MetricsRow>, String> {
    let steps = BatchColumns::new(batch).get::<u32>("step")?;
    let mut rows: Vec<_> = steps.into_iter().map(|step| MetricsRow { step, ..Default::default() }).collect();
    let schema = batch.schema_ref();
    for (field, array) in
        schema.fields().iter().zip(batch.columns()).filter(|(field, _)| field.name() != "step")
    {
        let values = array
            .as_primitive_opt::<Float64Type>()
            .ok_or_else(|| format!("column {} has type {}, not Float64", field.name(), array.data_type()))?;
        for (row, value) in rows.iter_mut().zip(values) {
            row.values.extend(value.map(|value| (field.name().clone(), value)));
        }
    }
    Ok(rows)
}

/// Schema of a part.
pub fn part_schema(part: &Part) -> Result<Schema, LogError> {
    contained(part, |part| Ok(open(part)?.schema().as_ref().clone()))
}

/// SHA-256 of what the evaluation was asked that `part` belongs to; none in parts of earlier programs.
pub fn evaluation_of(part: &Part) -> Result<Option<String>, LogError> {
    let [asked] = part_metadata(part, [EVALUATION_KEY])?;
    Ok(asked)
}

/// What a part's metadata say of each of `keys`. The part itself is checked.
pub(super) fn part_metadata<const N: usize>(
    part: &Part,
    keys: [&str; N],
) -> Result<[Option<String>; N], LogError> {
    let keys = keys.map(str::to_owned);
    contained(part, move |part| {
        let reader = open(part)?;
        Ok(keys.map(|key| metadata_value(&reader, &key)))
    })
}

fn metadata_value(reader: &ParquetRecordBatchReaderBuilder<File>, key: &str) -> Option<String> {
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    metadata.into_iter().flatten().find(|entry| entry.key == key)?.value.clone()
}

/// A part as batches of rows.
pub fn part_batches(part: &Part) -> Result<Vec<RecordBatch>, LogError> {
    contained(part, |part| {
        let reader = open(part)?.build().map_err(|error| part.broken(error))?;
        reader.collect::<Result<_, _>>().map_err(|error| part.broken(error))
    })
}

/// Reads a part where it can do no harm: the reader panics over some damaged files, and allocates by what they announce.
fn contained<T: Send + 'static>(
    part: &Part,
    read: impl FnOnce(&Part) -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let copy = part.clone();
    contain::run(READING, move || read(&copy)).map_err(|breach| part.broken(breach))?
}

/// Opens a part and checks that it is what its place says, in a version that this program knows.
fn open(part: &Part) -> Result<ParquetRecordBatchReaderBuilder<File>, LogError> {
    let (mut file, len) = bounded::open(&part.path).map_err(io_error("open", &part.path))?;
    parquet_footer::check(&mut file, len).map_err(|problem| part.broken(problem))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| part.broken(error))?;
    let value = |key: &str| metadata_value(&reader, key);
    match value(TABLE_KEY) {
        Some(table) if table == part.table => {}
        Some(table) => return Err(part.broken(format!("it is a part of {table}"))),
        None => return Err(part.broken(format!("it has no {TABLE_KEY}"))),
    }
    match value(VERSION_KEY).map(|version| version.parse::<u32>()) {
        Some(Ok(version)) if version > SCHEMA_VERSION => {
            return Err(LogError::Newer { path: part.path.clone(), version });
        }
        Some(Ok(_)) => {}
        _ => return Err(part.broken(format!("it has no {VERSION_KEY}"))),
    }
    if value(EVALUATION_KEY).is_some() && value(VALUES_KEY).is_none() {
        return Err(part.broken(format!("it has no {VALUES_KEY}")));
    }
    // Parts of earlier programs do not say it.
    if let Some(recorded) = value(VALUES_KEY) {
        let values = values_sha256(&part.path, len).map_err(io_error("read", &part.path))?;
        if values != recorded {
            return Err(part.broken("its values are not those that were written: their SHA-256 is another"));
        }
    }
    Ok(reader)
}

/// SHA-256 of the bytes before the metadata of the part at `path`, which has `len` bytes.
fn values_sha256(path: &Path, len: u64) -> io::Result<String> {
    let (end, _) = parquet_footer::place(&mut File::open(path)?, len)?;
    let (_, digest) = sealed::sha256_of_first(path, end).map_err(io::Error::other)?;
    Ok(digest)
}
