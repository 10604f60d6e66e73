//! The table that an evaluation writes: a row a completion.

use std::path::Path;

use parquet::file::metadata::KeyValue;

use exgrpo_core::atomic;
use exgrpo_core::types::Verdict;

use super::LogError;
use super::part::{self, Part};
use super::table::{EVALUATION_KEY, Row, table};

table! {
    "evaluations",
    /// A completion of a benchmark's question.
    #[derive(Debug, Clone, PartialEq)]
    pub struct EvaluationRow {
        /// Number of the part that it was judged in, from 1.
        pub step: u32,
        /// Benchmark: the row's `data_source`, or the name of its file.
        pub benchmark: String,
        /// Stable id of the question.
        pub question_id: u64,
        /// Number of the completion among the question's, from 0.
        pub sample: u32,
        /// Question as text.
        pub prompt: String,
        /// Gold answer.
        pub reference: String,
        /// Completion as text, special tokens left out. What the verifier read.
        pub completion: String,
        /// Length of the completion.
        #[unit = "tokens"]
        pub num_tokens: u32,
        /// True when it ended with a stop token, false at the length limit.
        pub finished: bool,
        /// `correct`, `incorrect`, `unscorable` (the verifier could not tell) or `out-of-budget`.
        pub verdict: Verdict,
        /// Extracted answer, when the verifier reports one.
        pub answer: Option<String>,
    }
}

/// Writes one part of the evaluation in `dir` in one rename: the rows whose `step` is `number`. `asked`: SHA-256 of what
/// was asked, which the part carries.
///
/// # Errors
/// The rows can't be encoded or the file can't be written.
pub fn write_part(dir: &Path, number: u32, asked: &str, rows: &[EvaluationRow]) -> Result<(), LogError> {
    let table = EvaluationRow::TABLE;
    let metadata = vec![KeyValue::new(EVALUATION_KEY.to_owned(), asked.to_owned())];
    let bytes = part::encode(table, EvaluationRow::schema(), EvaluationRow::arrays(rows), metadata)
        .map_err(|source| LogError::Encode { table, source })?;
    let part = Part::new(dir, table, number, number);
    // The temporary lies beside the table's folder, in which readers look at every file.
    atomic::write_files(dir, &[(&part.path, &bytes)])?;
    Ok(())
}
