//! Tables from outside, a row at a time: JSON Lines, a JSON array, CSV, TSV, Parquet, and the text formats in gzip or
//! zstd.
//!
//! Files come from strangers. What can't be read at all is an error, what can't be read of one row is that row's reason;
//! a row, a line and a batch have a largest size, and the Parquet reader works in a container. What a file is, its first
//! bytes say; its name decides only between the text formats.

mod arrow;
mod cell;
mod delimited;
mod json;
mod parquet;
mod source;

#[cfg(test)]
pub(super) use cell::row_of_json;
pub use cell::{Cell, Row, at, names};
pub(super) use source::{of_file, of_text};

/// A row with its number, or why this one row can't be read. Numbers start at 1; for JSON Lines, CSV and TSV they are
/// those of the lines on which rows begin.
pub type Numbered = (usize, Result<Row, String>);

/// Rows of a file. An error ends them: what follows can't be read.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = anyhow::Result<Numbered>> + 'a>;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
