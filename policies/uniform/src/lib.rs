//! No curriculum: every question of the pool is drawn alike, whatever its bucket, and any of its trajectories is
//! replayed. In the paper's ablation this is replay without question selection and without trajectory selection.

use exgrpo_guest_sdk::{
    Decision, Policy, ProblemColumns, Random, Result, Retirement, Sampling, Trajectories, TrajectoryColumns,
    paper,
};

/// Everything alike.
#[derive(Debug)]
pub struct Uniform;

impl Policy for Uniform {
    type Parameters = ();

    fn new((): ()) -> Result<Self> {
        Ok(Self)
    }
}

impl Sampling for Uniform {
    /// A bucket with twice the questions is drawn twice as often, so that each question has the same chance.
    fn bucket_weights(&self, counts: &[u32], _group_size: u32, _step: u32) -> Result<Vec<f32>> {
        Ok(counts.iter().map(|&count| count as f32).collect())
    }
}

impl Trajectories for Uniform {
    fn choose(&self, trajectories: &TrajectoryColumns, _step: u32, seed: u64) -> Result<Vec<Option<u32>>> {
        let mut random = Random::new(seed);
        let mut draw = |rows: std::ops::Range<usize>| {
            let offset = random.below(rows.len());
            rows.clone().nth(offset).map(|row| row as u32)
        };
        Ok(trajectories.rows().map(&mut draw).collect())
    }
}

impl Retirement for Uniform {
    fn decide(&self, problems: &ProblemColumns, _step: u32) -> Result<Vec<Decision>> {
        Ok(paper::retire_after(problems, 1))
    }
}

exgrpo_guest_sdk::export!(Uniform: Retirement, Sampling, Trajectories);

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::testing;

    use super::*;

    #[test]
    fn buckets_weigh_as_much_as_they_hold() {
        assert_eq!(Uniform.bucket_weights(&[4, 0, 12], 2, 1), Ok(vec![4.0, 0.0, 12.0]));
    }

    #[test]
    fn each_trajectory_is_drawn_and_the_seed_decides() {
        let trajectories = testing::trajectories(&[&[0.1, 0.2, 0.3], &[], &[0.4]]);
        let mut seen = [0; 3];
        for seed in 0..3000 {
            let chosen = Uniform.choose(&trajectories, 1, seed).unwrap();
            assert_eq!(chosen, Uniform.choose(&trajectories, 1, seed).unwrap());
            assert_eq!(chosen[1..], [None, Some(3)]);
            seen[chosen[0].unwrap() as usize] += 1;
        }
        // Standard deviation is 26.
        assert!(seen.iter().all(|&count: &i32| (count - 1000).abs() < 130), "{seen:?}");
    }
}
