//! What ExGRPO (arXiv 2510.02245) does, in pieces that a policy takes or leaves.
//!
//! Where the paper's text and its implementation part ways about the question's weight, this is the implementation:
//! a Gaussian over success counts, not over accuracies.

use crate::{BucketInfo, Decision, Level, PolicyError, ProblemColumns, Result, TrajectoryColumns};

/// Level of a question that `num_success` of `group_size` rollouts solved: easy above 75 %, hard below 25 %, medium
/// between, both ends included.
///
/// ```
/// use exgrpo_guest_sdk::{Level, paper};
///
/// let levels: Vec<Level> = [1, 2, 6, 7].into_iter().map(|count| paper::level(count, 8)).collect();
/// assert_eq!(levels, [Level::Hard, Level::Medium, Level::Medium, Level::Easy]);
/// ```
pub fn level(num_success: u32, group_size: u32) -> Level {
    let (quadruple, group_size) = (4 * u64::from(num_success), u64::from(group_size));
    if quadruple > 3 * group_size {
        Level::Easy
    } else if quadruple < group_size || group_size == 0 {
        Level::Hard
    } else {
        Level::Medium
    }
}

/// One bucket a success count, `0..=group_size`, named like `3/8`.
///
/// ```
/// use exgrpo_guest_sdk::{BucketInfo, Level, paper};
///
/// let buckets = paper::success_count_buckets(8);
/// assert_eq!(buckets.len(), 9);
/// assert_eq!(buckets[3], BucketInfo::new("3/8", Level::Medium));
/// ```
pub fn success_count_buckets(group_size: u32) -> Vec<BucketInfo> {
    let bucket = |count| BucketInfo::new(format!("{count}/{group_size}"), level(count, group_size));
    (0..=group_size).map(bucket).collect()
}

/// Sorts questions into the buckets of [`success_count_buckets`]: the bucket is the success count of the latest
/// group that was scored wholly.
///
/// ```
/// use exgrpo_guest_sdk::{paper, testing};
///
/// assert_eq!(paper::success_counts(&testing::problems(8, &[0, 3, 8])), Ok(vec![0, 3, 8]));
/// ```
///
/// # Errors
/// A question has more successes than members.
pub fn success_counts(problems: &ProblemColumns) -> Result<Vec<u32>> {
    let groups = problems.num_success.iter().zip(&problems.group_size);
    if let Some(row) = groups.clone().position(|(num_success, group_size)| num_success > group_size) {
        let (num_success, group_size) = (problems.num_success[row], problems.group_size[row]);
        return Err(PolicyError::invalid_input(format!(
            "question {} has {num_success} successes in a group of {group_size}",
            problems.id[row]
        )));
    }
    Ok(problems.num_success.clone())
}

/// Bucket weights N(k; `mean`, `sigma`) over the success counts k, both in counts: for the buckets of
/// [`success_count_buckets`] that hold partly solved questions. Buckets 0 and K have no weight, nor has an empty one.
///
/// Weights are relative to the likeliest bucket that holds a question, which has weight 1; only their ratios matter.
/// So a pool whose questions all lie far from the mean still has a bucket with a weight.
///
/// ```
/// use exgrpo_guest_sdk::{paper, testing};
///
/// // The paper's default for groups of 8. Bucket 6 holds no question.
/// let weights = paper::gaussian_weights(&[9, 9, 9, 9, 9, 9, 0, 9, 9], 4.0, 1.0)?;
/// testing::assert_close(&weights, &[0.0, 0.0111, 0.1353, 0.6065, 1.0, 0.6065, 0.0, 0.0111, 0.0], 1e-4);
/// # Ok::<(), exgrpo_guest_sdk::PolicyError>(())
/// ```
///
/// # Errors
/// `sigma` is not above 0, or `mean` is not finite.
pub fn gaussian_weights(counts: &[u32], mean: f64, sigma: f64) -> Result<Vec<f32>> {
    if !(sigma > 0.0 && sigma.is_finite() && mean.is_finite()) {
        return Err(PolicyError::invalid_config("a Gaussian has a finite mean and a sigma above 0"));
    }
    let group_size = counts.len().saturating_sub(1);
    let drawable = |bucket: usize| (1..group_size).contains(&bucket) && counts[bucket] > 0;
    let exponent = |bucket: usize| {
        let distance = (bucket as f64 - mean) / sigma;
        -0.5 * distance * distance
    };
    let best =
        (0..counts.len()).filter(|&bucket| drawable(bucket)).map(exponent).fold(f64::NEG_INFINITY, f64::max);
    let weight = |bucket| if drawable(bucket) { (exponent(bucket) - best).exp() as f32 } else { 0.0 };
    Ok((0..counts.len()).map(weight).collect())
}

/// Retires questions whose last `streak` groups, or more, were all correct. Never revives.
///
/// ```
/// use exgrpo_guest_sdk::{Decision, paper, testing};
///
/// let problems = testing::problems(8, &[7, 8]);
/// assert_eq!(paper::retire_after(&problems, 1), [Decision::Keep, Decision::Retire]);
/// assert_eq!(paper::retire_after(&problems, 2), [Decision::Keep, Decision::Keep]);
/// ```
pub fn retire_after(problems: &ProblemColumns, streak: u32) -> Vec<Decision> {
    let decision = |&solved: &u32| if solved >= streak.max(1) { Decision::Retire } else { Decision::Keep };
    problems.solved_streak.iter().map(decision).collect()
}

/// The trajectory of the lowest mean entropy of each question. The oldest one wins a tie, and a number wins over NaN.
///
/// ```
/// use exgrpo_guest_sdk::{paper, testing};
///
/// let trajectories = testing::trajectories(&[&[0.5, 0.2, 0.2], &[], &[f32::NAN, 0.9]]);
/// assert_eq!(paper::lowest_entropy(&trajectories), [Some(1), None, Some(4)]);
/// ```
pub fn lowest_entropy(trajectories: &TrajectoryColumns) -> Vec<Option<u32>> {
    first_best(trajectories, |candidate, best| candidate < best)
}

/// The trajectory of the highest mean entropy of each question. The oldest one wins a tie, and a number wins over NaN.
///
/// ```
/// use exgrpo_guest_sdk::{paper, testing};
///
/// let trajectories = testing::trajectories(&[&[0.5, 0.2, 0.5], &[], &[f32::NAN, 0.9]]);
/// assert_eq!(paper::highest_entropy(&trajectories), [Some(0), None, Some(4)]);
/// ```
pub fn highest_entropy(trajectories: &TrajectoryColumns) -> Vec<Option<u32>> {
    first_best(trajectories, |candidate, best| candidate > best)
}

/// Of each question the first row that no later one beats.
fn first_best(trajectories: &TrajectoryColumns, beats: impl Fn(f32, f32) -> bool) -> Vec<Option<u32>> {
    let entropy = &trajectories.entropy;
    let better = |best: usize, row: usize| {
        let (candidate, champion) = (entropy[row], entropy[best]);
        if beats(candidate, champion) || (champion.is_nan() && !candidate.is_nan()) { row } else { best }
    };
    trajectories.rows().map(|rows| rows.reduce(better).map(|row| row as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, assert_close, probabilities};

    /// Witness: probabilities of the published sampler for K = 8, as evaluated by hand from N(k; 4, 1).
    #[test]
    fn default_weights_give_the_published_probabilities() {
        let weights = gaussian_weights(&[10; 9], 4.0, 1.0).unwrap();
        assert_eq!((weights[0], weights[8]), (0.0, 0.0));
        assert_close(
            &probabilities(&weights[1..8]),
            &[0.0044, 0.0540, 0.2420, 0.3991, 0.2420, 0.0540, 0.0044],
            5e-5,
        );
    }

    /// Witness: the paper's formula taken literally, N(k/8; 0.5, 1), evaluated by hand.
    #[test]
    fn sigma_of_a_whole_group_is_the_literal_formula() {
        let weights = gaussian_weights(&[10; 9], 4.0, 8.0).unwrap();
        assert_close(
            &probabilities(&weights[1..8]),
            &[0.137, 0.143, 0.146, 0.147, 0.146, 0.143, 0.137],
            5e-4,
        );
    }

    #[test]
    fn a_pool_far_from_the_mean_keeps_a_weight() {
        let mut counts = vec![0; 257];
        counts[1] = 3;
        counts[2] = 1;
        let weights = gaussian_weights(&counts, 128.0, 1.0).unwrap();
        assert_eq!(weights[2], 1.0);
        assert!(weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0));
        assert_eq!(gaussian_weights(&[5, 0, 5], 1.0, 1.0), Ok(vec![0.0; 3]));
        assert_eq!(gaussian_weights(&[5], 0.0, 1.0), Ok(vec![0.0]));
        assert_eq!(gaussian_weights(&[], 0.0, 1.0), Ok(vec![]));
        for (mean, sigma) in [(4.0, 0.0), (4.0, f64::NAN), (f64::INFINITY, 1.0), (4.0, -1.0)] {
            assert!(gaussian_weights(&[1; 9], mean, sigma).is_err());
        }
    }

    #[test]
    fn levels_include_their_ends() {
        assert_eq!(level(1, 4), Level::Medium);
        assert_eq!(level(3, 4), Level::Medium);
        assert_eq!(level(4, 4), Level::Easy);
        assert_eq!(level(0, 4), Level::Hard);
        assert_eq!(level(0, 0), Level::Hard);
        assert_eq!(level(u32::MAX, u32::MAX), Level::Easy);
    }

    #[test]
    fn only_nan_leaves_the_oldest() {
        let trajectories =
            testing::trajectories(&[&[f32::NAN, f32::NAN], &[0.3, f32::NAN], &[f32::NAN, 7.0]]);
        assert_eq!(lowest_entropy(&trajectories), [Some(0), Some(2), Some(5)]);
        assert_eq!(highest_entropy(&trajectories), [Some(0), Some(2), Some(5)]);
    }

    #[test]
    fn more_successes_than_members_is_refused() {
        let mut problems = testing::problems(8, &[3]);
        problems.num_success[0] = 9;
        assert_eq!(
            success_counts(&problems).unwrap_err().to_string(),
            "question 1 has 9 successes in a group of 8"
        );
    }
}
