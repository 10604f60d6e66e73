//! Parquet, batch by batch.

use std::fs::File;
use std::time::Duration;

use ::arrow::datatypes::{DataType, FieldRef};
use anyhow::anyhow;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::{Numbered, Row, Rows, arrow as cells};
use exgrpo_core::contain::{self, Budget};
use exgrpo_core::escape::foreign;
use exgrpo_log::parquet_footer;

/// Rows that are read at a time.
const BATCH: usize = 256;
/// What opening a file, or reading a batch of it, may take. Pages are read whole.
const READING: Budget = Budget { memory: 1 << 30, time: Duration::from_secs(120) };

/// Rows of a file of `len` bytes.
pub(super) fn rows(mut file: File, len: u64) -> anyhow::Result<Rows<'static>> {
    parquet_footer::check(&mut file, len).map_err(|error| anyhow!(error))?;
    let open = move || {
        let builder = builder(file).map_err(|error| error.to_string())?;
        let announced = builder.metadata().file_metadata().num_rows();
        let reader = builder.with_batch_size(BATCH).build().map_err(|error| error.to_string())?;
        Ok((reader, announced))
    };
    let (reader, announced) =
        contain::run(READING, open)?.map_err(|error: String| anyhow!("{}", foreign(&error)))?;
    Ok(Box::new(Batches { reader: Some(reader), batch: Vec::new().into_iter(), number: 0, announced }))
}

/// A reader by Arrow's schema in the file, or by Parquet's own where that one asks for dictionaries that the reader can't
/// make: of anything but text.
fn builder(file: File) -> parquet::errors::Result<ParquetRecordBatchReaderBuilder<File>> {
    let again = file.try_clone()?;
    let by_arrow = ParquetRecordBatchReaderBuilder::try_new(file);
    let is_readable = |field: &FieldRef| match field.data_type() {
        DataType::Dictionary(_, values) => matches!(**values, DataType::Utf8 | DataType::LargeUtf8),
        _ => true,
    };
    match by_arrow {
        Ok(builder) if builder.schema().fields().iter().all(is_readable) => Ok(builder),
        _ => {
            let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            ParquetRecordBatchReaderBuilder::try_new_with_options(again, plain)
        }
    }
}

struct Batches {
    /// None once an error or the end was met.
    reader: Option<ParquetRecordBatchReader>,
    batch: std::vec::IntoIter<Row>,
    number: usize,
    announced: i64,
}

impl Iterator for Batches {
    type Item = anyhow::Result<Numbered>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.batch.len() == 0 {
            match contain::run(READING, next_batch(self.reader.take()?)) {
                Ok((reader, Some(Ok(batch)))) => {
                    self.reader = Some(reader);
                    self.batch = batch.into_iter();
                }
                Ok((_, None)) if self.number as i64 == self.announced => return None,
                Ok((_, None)) => return Some(Err(self.broken("the file ends there"))),
                Ok((_, Some(Err(error)))) => return Some(Err(self.broken(&error))),
                Err(breach) => return Some(Err(self.broken(&breach.to_string()))),
            }
        }
        let row = self.batch.next()?;
        self.number += 1;
        Some(Ok((self.number, Ok(row))))
    }
}

impl Batches {
    fn broken(&self, error: &str) -> anyhow::Error {
        anyhow!(
            "of its {} rows those behind row {} can't all be read: {}\nhint: fetch the file again",
            self.announced,
            self.number,
            foreign(error)
        )
    }
}

/// What the reader says next: a batch, an error, or none at the end.
type Next = (ParquetRecordBatchReader, Option<Result<Vec<Row>, String>>);

fn next_batch(mut reader: ParquetRecordBatchReader) -> impl FnOnce() -> Next {
    move || {
        let batch = reader.next().map(|batch| match batch {
            Ok(batch) => Ok(cells::rows(&batch)),
            Err(error) => Err(error.to_string()),
        });
        (reader, batch)
    }
}
