//! The paper's choice of questions without its replay: a drawn question gets a whole group of fresh rollouts, and no
//! stored trajectory joins it. The paper has no such ablation; it tells the curriculum's effect from the replay's.

use exgrpo_guest_sdk::{
    Decision, Policy, ProblemColumns, Result, Retirement, Sampling, Trajectories, TrajectoryColumns, paper,
};

/// Questions from the pool, trajectories never.
#[derive(Debug)]
pub struct FreshMedium;

impl Policy for FreshMedium {
    type Parameters = ();

    fn new((): ()) -> Result<Self> {
        Ok(Self)
    }
}

impl Trajectories for FreshMedium {
    fn choose(&self, trajectories: &TrajectoryColumns, _step: u32, _seed: u64) -> Result<Vec<Option<u32>>> {
        Ok(vec![None; trajectories.num_questions()])
    }
}

impl Retirement for FreshMedium {
    fn decide(&self, problems: &ProblemColumns, _step: u32) -> Result<Vec<Decision>> {
        Ok(paper::retire_after(problems, 1))
    }
}

impl Sampling for FreshMedium {
    fn bucket_weights(&self, counts: &[u32], group_size: u32, _step: u32) -> Result<Vec<f32>> {
        paper::gaussian_weights(counts, 0.5 * f64::from(group_size), 1.0)
    }
}

exgrpo_guest_sdk::export!(FreshMedium: Retirement, Sampling, Trajectories);

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::testing;

    use super::*;

    #[test]
    fn no_trajectory_is_replayed() {
        let trajectories = testing::trajectories(&[&[0.3, 0.1], &[], &[0.2]]);
        assert_eq!(FreshMedium.choose(&trajectories, 1, 0), Ok(vec![None; 3]));
    }
}
