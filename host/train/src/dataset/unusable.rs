//! What became of rows that are no questions.

use std::collections::BTreeMap;
use std::fmt;

/// Most reasons that are told apart.
const MAX_REASONS: usize = 50;

/// Rows that can't be used, counted by reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unusable {
    reasons: BTreeMap<String, Reason>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason {
    num_rows: usize,
    /// Number of the first such row, and what it said.
    first: (usize, String),
}

impl Unusable {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.reasons.values().map(|reason| reason.num_rows).sum()
    }

    /// True when every row could be used.
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    pub(super) fn add(&mut self, row: usize, reason: String, detail: String) {
        // Some reasons quote what a row holds: rows decide how many there are.
        let is_listed = self.reasons.len() < MAX_REASONS || self.reasons.contains_key(&reason);
        let (reason, detail) = match is_listed {
            true => (reason, detail),
            false => ("of other reasons".to_owned(), reason),
        };
        let first = Reason { num_rows: 0, first: (row, detail) };
        self.reasons.entry(reason).or_insert(first).num_rows += 1;
    }
}

/// Reasons with their counts and the first row of each, on one line.
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (reason, Reason { num_rows, first: (row, detail) })) in self.reasons.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            write!(f, "{separator}{num_rows} x {reason} (first: row {row}{detail})")?;
        }
        Ok(())
    }
}
