//! Questions: reading them, and the queue that hands out fresh ones.

mod extra;
mod layout;
mod queue;
mod reader;
mod table;
mod unusable;

use std::path::Path;

use anyhow::bail;

use exgrpo_core::types::Question;
use exgrpo_models::EMBEDDED;
use exgrpo_models::prompt::Prompts;

pub use extra::KeptBack;
pub use layout::{Columns, Layout};
pub use queue::QuestionQueue;
pub use table::{Cell, Numbered as TableRow, Row, at, names as column_names};
pub use unusable::Unusable;

const ARITHMETIC_TRAIN: &str = include_str!("../../../../datasets/arithmetic/train.jsonl");
const ARITHMETIC_TEST: &str = include_str!("../../../../datasets/arithmetic/test.jsonl");

/// How rows become questions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapping {
    /// Layout of the rows.
    pub layout: Layout,
    /// Columns named by hand.
    pub columns: Columns,
    /// Longest prompt in tokens; 0 sets no limit.
    pub max_prompt_tokens: usize,
    /// Longest demonstration in tokens, its stop token included; none when solutions are not wanted.
    pub max_demonstration_tokens: Option<usize>,
}

/// Rows that are asked with choices from the same column, or from the same first of several columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoicesFrom {
    /// The column.
    pub column: String,
    /// Rows.
    pub rows: usize,
    /// Letter of the right choice in the first of these rows.
    pub answer: String,
    /// Its text.
    pub text: String,
}

/// All questions of one split, numbered from 0.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    /// Questions.
    pub questions: Vec<Question>,
    /// Names of the numeric fields that rows carry at their top level and from which the answer doesn't follow; policies
    /// see them as extra columns.
    pub extra_names: Vec<String>,
    /// Values of those fields, a column a name; NaN where a row has none.
    pub extra: Vec<Vec<f32>>,
    /// Numeric fields that policies don't see.
    pub kept_back: Vec<KeptBack>,
    /// Columns that seem to belong to what is asked and are not asked, each with its number of rows.
    pub left_out: Vec<(String, usize)>,
    /// Where rows had their choices.
    pub choices: Vec<ChoicesFrom>,
    /// Rows that are no questions.
    pub unusable: Unusable,
    /// Solutions that can't be demonstrated although that is wanted; their questions are there all the same.
    pub not_demonstrable: Unusable,
}

/// Rows of a file in any format that datasets may have.
///
/// # Errors
/// The file can't be read.
pub fn read_table(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<TableRow>>> {
    table::of_file(path)
}

impl Dataset {
    /// Reads `source`: an embedded name, or a file of JSON Lines, a JSON array, CSV, TSV or Parquet; the text formats may
    /// be packed by gzip or zstd. `prompts` says how a question is put to the model. Rows that can't be used are counted
    /// by reason.
    ///
    /// # Errors
    /// The file can't be read, or none of its rows can be used.
    pub fn read(source: &str, mapping: &Mapping, prompts: &Prompts<'_>) -> anyhow::Result<Self> {
        let open = || match source.strip_prefix(EMBEDDED) {
            Some("arithmetic/train") => Ok(table::of_text(ARITHMETIC_TRAIN)),
            Some("arithmetic/test") => Ok(table::of_text(ARITHMETIC_TEST)),
            Some(name) => {
                bail!("no embedded dataset {name:?}\nhint: there are arithmetic/train and arithmetic/test")
            }
            None => table::of_file(Path::new(source)),
        };
        reader::collect(&open, source, mapping, prompts)
    }

    /// Number of questions.
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    /// True without questions; never so for a dataset that was read.
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }
}

#[cfg(test)]
mod tests;
