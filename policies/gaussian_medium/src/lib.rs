//! The curriculum of ExGRPO (arXiv 2510.02245), in all its slots: medium questions are replayed most, by their
//! trajectory of the lowest mean entropy, and a question that all members solve retires.
//!
//! The width `sigma` is in success counts, as in the published implementation. The paper's formula taken literally has
//! sigma = 1 on accuracies, which is nearly uniform over the buckets: set `sigma` to the group size for it. In general,
//! a width of s on accuracies is s times the group size here, so the default is 1/K there.

use exgrpo_guest_sdk::{
    BucketInfo, Decision, Difficulty, Policy, ProblemColumns, Result, Retirement, Sampling, Trajectories,
    TrajectoryColumns, paper, parameters,
};

parameters! {
    /// What a run may set.
    pub struct Settings {
        /// Centre of the Gaussian, as a share of the group size.
        mu: f64 = 0.5, within 0.0..=1.0;
        /// Width of the Gaussian, in success counts.
        sigma: f64 = 1.0, above 0.0;
        /// Groups in a row that must be all correct before a question retires.
        retire_after: u32 = 1, within 1..;
    }
}

/// The paper's curriculum.
#[derive(Debug)]
pub struct GaussianMedium(Settings);

impl Policy for GaussianMedium {
    type Parameters = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self(settings))
    }
}

impl Difficulty for GaussianMedium {
    fn buckets(&self, group_size: u32) -> Vec<BucketInfo> {
        paper::success_count_buckets(group_size)
    }

    fn assign(&self, problems: &ProblemColumns) -> Result<Vec<u32>> {
        paper::success_counts(problems)
    }
}

impl Retirement for GaussianMedium {
    fn decide(&self, problems: &ProblemColumns, _step: u32) -> Result<Vec<Decision>> {
        Ok(paper::retire_after(problems, self.0.retire_after))
    }
}

impl Sampling for GaussianMedium {
    fn bucket_weights(&self, counts: &[u32], group_size: u32, _step: u32) -> Result<Vec<f32>> {
        paper::gaussian_weights(counts, self.0.mu * f64::from(group_size), self.0.sigma)
    }
}

impl Trajectories for GaussianMedium {
    fn choose(&self, trajectories: &TrajectoryColumns, _step: u32, _seed: u64) -> Result<Vec<Option<u32>>> {
        Ok(paper::lowest_entropy(trajectories))
    }
}

exgrpo_guest_sdk::export!(GaussianMedium: Difficulty, Retirement, Sampling, Trajectories);

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::testing;

    use super::*;

    fn policy(parameters: &str) -> GaussianMedium {
        testing::policy(parameters).unwrap()
    }

    fn probabilities(parameters: &str) -> Vec<f32> {
        let weights = policy(parameters).bucket_weights(&[5; 9], 8, 1).unwrap();
        testing::probabilities(&weights)
    }

    /// Witness: N(k; 4, 1) for k = 1..=7 over its sum.
    #[test]
    fn medium_buckets_are_likeliest() {
        let expected = [0.0, 0.0044, 0.0540, 0.2420, 0.3991, 0.2420, 0.0540, 0.0044, 0.0];
        testing::assert_close(&probabilities("{}"), &expected, 5e-5);
    }

    /// Witness: N(k/8; 0.5, 1) for k = 1..=7 over its sum.
    #[test]
    fn the_literal_formula_is_nearly_uniform() {
        let expected = [0.0, 0.137, 0.143, 0.146, 0.147, 0.146, 0.143, 0.137, 0.0];
        testing::assert_close(&probabilities(r#"{ "sigma": 8 }"#), &expected, 5e-4);
    }

    #[test]
    fn mu_moves_the_centre() {
        let probabilities = probabilities(r#"{ "mu": 0.25 }"#);
        assert!(probabilities.iter().all(|&probability| probability <= probabilities[2]));
    }

    #[test]
    fn questions_retire_after_a_streak() {
        let mut problems = testing::problems(8, &[7, 8, 8]);
        problems.solved_streak[2] = 2;
        assert_eq!(
            policy("{}").decide(&problems, 1),
            Ok(vec![Decision::Keep, Decision::Retire, Decision::Retire])
        );
        assert_eq!(
            policy(r#"{ "retire_after": 2 }"#).decide(&problems, 1),
            Ok(vec![Decision::Keep, Decision::Keep, Decision::Retire])
        );
    }

    #[test]
    fn the_calmest_oldest_trajectory_is_replayed() {
        let trajectories = testing::trajectories(&[&[0.3, 0.1, 0.1], &[], &[f32::NAN, 2.0]]);
        assert_eq!(policy("{}").choose(&trajectories, 1, 0), Ok(vec![Some(1), None, Some(4)]));
    }

    #[test]
    fn bad_parameters_are_refused() {
        for bad in [r#"{ "sigma": 0 }"#, r#"{ "mu": 1.5 }"#, r#"{ "retire_after": 0 }"#, r#"{ "mean": 0.5 }"#]
        {
            assert!(testing::policy::<GaussianMedium>(bad).is_err(), "{bad}");
        }
    }
}
