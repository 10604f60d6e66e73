//! Draws the questions with the lowest ids from the whole pool, and lets a question rest while more than half of its
//! latest group was correct.

use exgrpo_guest_sdk::{Decision, Policy, ProblemColumns, Result, Retirement, Selection};

/// See the crate's documentation.
pub struct Chooser;

impl Policy for Chooser {
    type Parameters = ();

    fn new((): ()) -> Result<Self> {
        Ok(Self)
    }
}

impl Selection for Chooser {
    fn select(&self, problems: &ProblemColumns, k: u32, _step: u32, _seed: u64) -> Result<Vec<u32>> {
        let mut rows: Vec<u32> = (0..problems.len() as u32).collect();
        rows.sort_by_key(|&row| problems.id[row as usize]);
        rows.truncate(k as usize);
        Ok(rows)
    }
}

impl Retirement for Chooser {
    fn decide(&self, problems: &ProblemColumns, _step: u32) -> Result<Vec<Decision>> {
        let rows = problems.num_success.iter().zip(&problems.group_size);
        let decide = |(&num_success, &group_size): (&u32, &u32)| match 2 * num_success > group_size {
            true => Decision::Retire,
            false => Decision::Revive,
        };
        Ok(rows.map(decide).collect())
    }
}

exgrpo_guest_sdk::export!(Chooser: Retirement, Selection);
