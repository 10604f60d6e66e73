//! One difficulty bucket: the questions that can be drawn from it now, with their weights.

use super::sum_tree::SumTree;

/// Rows of the questions in a bucket, in an order that only pushes and removals decide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bucket {
    /// Dataset rows.
    pub(super) rows: Vec<u32>,
    /// Weight of each row, in the same order.
    pub(super) weights: SumTree,
}

impl Bucket {
    /// Questions in the bucket.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without questions.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row and returns its position.
    pub(super) fn push(&mut self, row: u32, weight: f32) -> u32 {
        self.rows.push(row);
        self.weights.push(f64::from(weight));
        self.rows.len() as u32 - 1
    }

    /// Removes the row at `position`; answers the row that now stands there, if another moved into the gap.
    pub(super) fn remove(&mut self, position: u32) -> Option<u32> {
        let position = position as usize;
        self.rows.swap_remove(position);
        self.weights.swap_remove(position);
        self.rows.get(position).copied()
    }
}
