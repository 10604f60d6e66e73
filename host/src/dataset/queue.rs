//! The order in which questions come.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::rng::Streams;

/// Hands out fresh questions: every row once an epoch, in an order drawn anew each epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuestionQueue {
    num_rows: u32,
    epoch: u64,
    /// Rows still to come in this epoch, the next one last.
    remaining: Vec<u32>,
}

impl QuestionQueue {
    /// A queue over rows `0..num_rows`, before its first epoch.
    pub fn new(num_rows: usize) -> Self {
        Self { num_rows: num_rows as u32, epoch: 0, remaining: Vec::new() }
    }

    /// The next `count` rows. An epoch's end in the middle goes on with the next epoch; rows for which `skip` says
    /// true when an epoch begins are left out of it (unless that would leave fewer than `count`).
    pub fn take(&mut self, count: usize, streams: &Streams, skip: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut rows = Vec::with_capacity(count);
        while rows.len() < count {
            match self.remaining.pop() {
                Some(row) => rows.push(row),
                None => self.begin_epoch(count, streams, &skip),
            }
        }
        rows
    }

    /// Epochs begun so far.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    fn begin_epoch(&mut self, count: usize, streams: &Streams, skip: impl Fn(u32) -> bool) {
        self.epoch += 1;
        self.remaining = (0..self.num_rows).filter(|&row| !skip(row)).collect();
        if self.remaining.len() < count {
            self.remaining = (0..self.num_rows).collect();
        }
        self.remaining.shuffle(&mut streams.stream("dataset", self.epoch, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_hands_out_every_row_once_in_its_own_order() {
        let streams = Streams::new(3);
        let mut queue = QuestionQueue::new(10);
        let first: Vec<u32> = queue.take(10, &streams, |_| false);
        let second: Vec<u32> = (0..5).flat_map(|_| queue.take(2, &streams, |_| false)).collect();
        assert_ne!(first, second);
        for mut epoch in [first, second] {
            epoch.sort_unstable();
            assert_eq!(epoch, (0..10).collect::<Vec<_>>());
        }
        let third = queue.take(5, &streams, |row| row < 5);
        assert!(third.iter().all(|&row| row >= 5));
        assert_eq!(queue.epoch(), 3);
    }
}
