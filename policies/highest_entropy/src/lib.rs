//! The paper's ablation of the trajectory's choice: the highest mean entropy instead of the lowest. All other slots
//! stay with the built-in.

use exgrpo_guest_sdk::{Policy, Result, Trajectories, TrajectoryColumns, paper};

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

exgrpo_guest_sdk::export!(HighestEntropy: Trajectories);

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
