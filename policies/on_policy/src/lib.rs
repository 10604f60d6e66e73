//! The on-policy baseline: all questions come fresh from the dataset, none is replayed and none retires.

use exgrpo_guest_sdk::{Decision, Policy, ProblemColumns, Result, Retirement, Sampling, baseline};

/// No replay at all.
#[derive(Debug)]
pub struct OnPolicy;

impl Policy for OnPolicy {
    type Parameters = ();

    fn new((): ()) -> Result<Self> {
        Ok(Self)
    }
}

impl Sampling for OnPolicy {
    /// Nothing is drawn, so all buckets are alike.
    fn bucket_weights(&self, counts: &[u32], _group_size: u32, _step: u32) -> Result<Vec<f32>> {
        Ok(baseline::equal_weights(counts))
    }

    fn replay_ratio(&self, _step: u32, _batch: u32, _pass_rate: f32, _configured: f32) -> Result<f32> {
        Ok(0.0)
    }
}

impl Retirement for OnPolicy {
    fn decide(&self, problems: &ProblemColumns, _step: u32) -> Result<Vec<Decision>> {
        Ok(baseline::keep(problems))
    }
}

exgrpo_guest_sdk::export!(OnPolicy: Sampling, Retirement);

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::testing;

    use super::*;

    #[test]
    fn nothing_is_replayed_and_nothing_retires() {
        assert_eq!(OnPolicy.replay_ratio(100, 128, 0.9, 0.5), Ok(0.0));
        assert_eq!(OnPolicy.decide(&testing::problems(8, &[3, 8]), 100), Ok(vec![Decision::Keep; 2]));
    }
}
