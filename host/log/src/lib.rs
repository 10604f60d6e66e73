//! The run log: the only place that names arrow and parquet for writing runs.
//!
//! A table is a folder of the run directory, a part a file in it: `experiences/part-000012-000012.parquet` holds the
//! rows of step 12. Parts appear complete or not at all, those of `metrics` last, so that a step is in the log once
//! its metrics are. Equal rows of a run make equal files. What a column means is in the file, in the field's metadata.
//! Every part names its run; those of `metrics` hold the digests of the parts that appeared with them and of the part
//! of `metrics` before, so that what is missing, damaged or of another run is noticed when the run is resumed.

mod evaluations;
pub mod metric;
pub mod metrics;
pub mod parquet_footer;
pub mod part;
pub mod read;
pub mod rows;
mod run_log;
#[cfg(test)]
mod sample;
mod survey;
mod table;
#[cfg(test)]
mod tests;
mod word;

use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

use exgrpo_core::atomic::{self, AtomicError};
use exgrpo_core::rundir::RunDirError;

pub use evaluations::{EvaluationRow, write_part};
pub use metric::Metric;
pub use metrics::MetricsRow;
pub use rows::{DecisionRow, EventRow, ExperienceRow, ProblemChange, ProblemRow};
pub use run_log::{Begin, RunLog};
pub use survey::Survey;
pub use table::{
    EVALUATION_KEY, PARTS_KEY, PREVIOUS_KEY, RUN_KEY, Row, SCHEMA_VERSION, TABLE_KEY, VALUES_KEY, VERSION_KEY,
};

/// Names of all tables, in the order in which a step's parts appear.
pub const TABLES: [&str; 5] =
    [ExperienceRow::TABLE, DecisionRow::TABLE, ProblemRow::TABLE, EventRow::TABLE, metrics::TABLE];

/// Why the log can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system refused.
    #[error("can't {action} {path}{hint}", path = .path.display(), hint = atomic::hint(.source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A part could not be written.
    #[error(transparent)]
    Write(#[from] AtomicError),
    /// Rows could not be encoded.
    #[error("can't encode rows of {table}")]
    Encode {
        /// Table.
        table: &'static str,
        /// Why not.
        source: ParquetError,
    },
    /// A part can't be read.
    #[error("{path} is no sound part of {table}: {problem}", path = .path.display())]
    Broken {
        /// The part.
        path: PathBuf,
        /// Table.
        table: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A part was written by a later version of this program.
    #[error(
        "{path} has schema version {version}, and this program knows versions up to {SCHEMA_VERSION}; read it with \
         a newer one", path = .path.display()
    )]
    Newer {
        /// The part.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A new run was to be written where a log is.
    #[error("{path} holds a log already; resume that run, or choose another run directory", path = .0.display())]
    Exists(PathBuf),
    /// A part holds rows before and after the step to resume after.
    #[error(
        "{path} holds steps on both sides of step {resume_after}; resume from a checkpoint of step {last} or later, \
         or from one before step {first}", path = .path.display()
    )]
    Straddles {
        /// The part.
        path: PathBuf,
        /// Its first step.
        first: u32,
        /// Its last step.
        last: u32,
        /// Step to resume after.
        resume_after: u32,
    },
    /// Parts could not be set aside.
    #[error(transparent)]
    SetAside(#[from] RunDirError),
    /// The run began with metrics that this program doesn't have.
    #[error(
        "{path} has metrics that this run does not know ({}); resume with the program and configuration that wrote it",
        gone.join(", "), path = .path.display()
    )]
    MetricsChanged {
        /// A part of the metrics.
        path: PathBuf,
        /// Keys that only the part has.
        gone: Vec<String>,
    },
    /// A metric key can't be a column, or occurs twice.
    #[error("metric key {0:?} is empty, reserved or given twice")]
    MetricKey(String),
    /// A metric was reported that was not declared when the log was opened.
    #[error("metric {0:?} was not declared when the log was opened")]
    UnknownMetric(String),
    /// Rows or flushes are out of order.
    #[error("{table} has a row of step {step}, which is not among the steps {first} to {last} of this flush")]
    OutOfRange {
        /// Table.
        table: &'static str,
        /// Step of the row.
        step: u32,
        /// First step of the flush.
        first: u32,
        /// Last step of the flush.
        last: u32,
    },
    /// A flush does not follow the one before.
    #[error("steps {first} to {last} can't be flushed after step {flushed}")]
    OutOfOrder {
        /// First step of the flush.
        first: u32,
        /// Last step of the flush.
        last: u32,
        /// Last step that is in the log.
        flushed: u32,
    },
}

/// For `map_err`.
fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError::Io { action, path, source }
}
