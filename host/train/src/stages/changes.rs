//! What a step changed about questions, and which policies decided so.

use std::collections::BTreeMap;
use std::sync::Arc;

use exgrpo_log::ProblemRow;

/// Who decided about a question: SHA-256 of the policy that answered, or [`BUILTIN`](exgrpo_core::journal::BUILTIN).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deciders {
    /// Who assigned the bucket.
    pub difficulty: String,
    /// Who decided on retirement.
    pub retirement: String,
}

/// What a step changed, by the question's row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Rows of the `problems` table.
    pub problems: BTreeMap<u32, ProblemRow>,
    /// Of every question that policies were asked about, changed or not.
    pub deciders: BTreeMap<u32, Arc<Deciders>>,
}

impl Changes {
    /// Adds what happened later in the same step: the later row of a question, with the bucket from before the first,
    /// and who decided last.
    pub fn extend(&mut self, later: Self) {
        for (row, mut problem) in later.problems {
            if let Some(earlier) = self.problems.get(&row) {
                problem.bucket_before = earlier.bucket_before;
            }
            self.problems.insert(row, problem);
        }
        self.deciders.extend(later.deciders);
    }
}
