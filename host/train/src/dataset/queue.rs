//! The order in which questions come.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use exgrpo_core::rng::Streams;

/// More epochs than any run begins; below it counting on can't overflow.
const MAX_EPOCH: u64 = 1 << 53;

/// Hands out fresh questions: every row once an epoch, in an order drawn anew each epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Recorded")]
pub struct QuestionQueue {
    num_rows: u32,
    epoch: u64,
    /// Rows still to come in this epoch, the next one last.
    remaining: Vec<u32>,
}

/// A queue as a checkpoint holds it, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    num_rows: u32,
    epoch: u64,
    remaining: Vec<u32>,
}

impl TryFrom<Recorded> for QuestionQueue {
    type Error = String;

    fn try_from(Recorded { num_rows, epoch, remaining }: Recorded) -> Result<Self, String> {
        if let Some(row) = remaining.iter().find(|&&row| row >= num_rows) {
            return Err(format!("the queue holds row {row} of {num_rows}"));
        }
        let mut rows = remaining.clone();
        rows.sort_unstable();
        if let Some(pair) = rows.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("the queue holds row {} twice", pair[0]));
        }
        if num_rows == 0 || epoch == 0 && !rows.is_empty() || epoch > MAX_EPOCH {
            return Err(format!(
                "no queue has {num_rows} rows, {} of them to come, in epoch {epoch}",
                rows.len()
            ));
        }
        Ok(Self { num_rows, epoch, remaining })
    }
}

impl QuestionQueue {
    /// Rows that it is over.
    pub fn num_rows(&self) -> u32 {
        self.num_rows
    }

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
    fn a_recorded_queue_is_checked_before_it_is_used() {
        let mut queue = QuestionQueue::new(4);
        queue.take(1, &Streams::new(3), |_| false);
        let text = serde_json::to_string(&queue).unwrap();
        assert_eq!(serde_json::from_str::<QuestionQueue>(&text).unwrap(), queue);
        for (changed, expected) in [
            (r#"{"num_rows":4,"epoch":1,"remaining":[1,4]}"#, "row 4 of 4"),
            (r#"{"num_rows":4,"epoch":1,"remaining":[1,2,1]}"#, "row 1 twice"),
            (r#"{"num_rows":4,"epoch":0,"remaining":[1]}"#, "epoch 0"),
            (r#"{"num_rows":0,"epoch":1,"remaining":[]}"#, "0 rows"),
            (r#"{"num_rows":4,"epoch":18446744073709551615,"remaining":[]}"#, "epoch"),
        ] {
            let error = serde_json::from_str::<QuestionQueue>(changed).unwrap_err().to_string();
            assert!(error.contains(expected), "{changed}: {error}");
        }
    }

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
