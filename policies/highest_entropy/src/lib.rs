//! The paper's ablation of the trajectory's choice: the highest mean entropy instead of the lowest.
//! Everything else is as in `gaussian_medium`.

use exgrpo_guest_sdk::{
    Decision, Policy, ProblemColumns, Result, Retirement, Sampling, Trajectories, TrajectoryColumns, paper,
};

/// The most uncertain trajectory.
#[derive(Debug)]
pub struct HighestEntropy;

impl Policy for HighestEntropy {
    type Parameters = ();

    fn new((): ()) -> Result<Self> {
        Ok(Self)
    }
}

impl Trajectories for HighestEntropy {
    fn choose(&self, trajectories: &TrajectoryColumns, _step: u32, _seed: u64) -> Result<Vec<Option<u32>>> {
        Ok(paper::highest_entropy(trajectories))
    }
}

impl Retirement for HighestEntropy {
    fn decide(&self, problems: &ProblemColumns, _step: u32) -> Result<Vec<Decision>> {
        Ok(paper::retire_after(problems, 1))
    }
}

impl Sampling for HighestEntropy {
    fn bucket_weights(&self, counts: &[u32], group_size: u32, _step: u32) -> Result<Vec<f32>> {
        paper::gaussian_weights(counts, 0.5 * f64::from(group_size), 1.0)
    }
}

exgrpo_guest_sdk::export!(HighestEntropy: Retirement, Sampling, Trajectories);

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::testing;

    use super::*;

    #[test]
    fn the_most_uncertain_oldest_trajectory_is_replayed() {
        let trajectories = testing::trajectories(&[&[0.3, 0.7, 0.7], &[], &[f32::NAN, 0.1]]);
        assert_eq!(HighestEntropy.choose(&trajectories, 1, 0), Ok(vec![Some(1), None, Some(4)]));
    }
}
