//! The paper's Gaussian over success counts, cut to questions of medium difficulty (25 % to 75 % solved, ends included):
//! buckets of another level are never replayed.

use exgrpo_guest_sdk::{
    BucketInfo, Decision, Difficulty, Level, Policy, ProblemColumns, Result, Retirement, Sampling,
    Trajectories, TrajectoryColumns, paper,
};

/// Only medium questions.
#[derive(Debug)]
pub struct MediumOnly;

impl Policy for MediumOnly {
    type Parameters = ();

    fn new((): ()) -> Result<Self> {
        Ok(Self)
    }
}

/// The weights below are about these buckets, so this policy claims the slot as well.
impl Difficulty for MediumOnly {
    fn buckets(&self, group_size: u32) -> Vec<BucketInfo> {
        paper::success_count_buckets(group_size)
    }

    fn assign(&self, problems: &ProblemColumns) -> Result<Vec<u32>> {
        paper::success_counts(problems)
    }
}

impl Sampling for MediumOnly {
    fn bucket_weights(&self, counts: &[u32], group_size: u32, _step: u32) -> Result<Vec<f32>> {
        // Buckets without a question have no weight in the Gaussian: emptying one leaves it out.
        let medium = |(count, &held)| match paper::level(count, group_size) {
            Level::Medium => held,
            Level::Easy | Level::Hard => 0,
        };
        let counts: Vec<u32> = (0..).zip(counts).map(medium).collect();
        paper::gaussian_weights(&counts, 0.5 * f64::from(group_size), 1.0)
    }
}

impl Retirement for MediumOnly {
    fn decide(&self, problems: &ProblemColumns, _step: u32) -> Result<Vec<Decision>> {
        Ok(paper::retire_after(problems, 1))
    }
}

impl Trajectories for MediumOnly {
    fn choose(&self, trajectories: &TrajectoryColumns, _step: u32, _seed: u64) -> Result<Vec<Option<u32>>> {
        Ok(paper::lowest_entropy(trajectories))
    }
}

exgrpo_guest_sdk::export!(MediumOnly: Difficulty, Retirement, Sampling, Trajectories);

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::testing;

    use super::*;

    /// Witness: N(k; 4, 1) for k = 2..=6 over its sum.
    #[test]
    fn only_medium_buckets_have_a_weight() {
        let weights = MediumOnly.bucket_weights(&[5; 9], 8, 1).unwrap();
        let expected = [0.0, 0.0, 0.0545, 0.2442, 0.4026, 0.2442, 0.0545, 0.0, 0.0];
        testing::assert_close(&testing::probabilities(&weights), &expected, 5e-5);
    }

    #[test]
    fn a_pool_without_medium_questions_has_no_weight() {
        assert_eq!(MediumOnly.bucket_weights(&[5, 5, 0, 0, 0, 0, 0, 5, 5], 8, 1), Ok(vec![0.0; 9]));
    }
}
