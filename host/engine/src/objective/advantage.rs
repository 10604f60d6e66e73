//! Group-relative advantages.

use crate::objective::Advantage;
use exgrpo_core::types::RolloutGroup;

/// Added to the standard deviation, as the published code does: rewards that differ by less teach next to nothing.
const EPSILON: f64 = 1e-6;

/// Writes each member's advantage: reward minus the mean of the group's scored members (Dr. GRPO, arXiv 2503.20783),
/// over their standard deviation (n - 1) when standardized (GRPO, arXiv 2402.03300). A replayed member counts like any
/// other (ExGRPO, arXiv 2510.02245, section 4.2). A member without a reward gets 0 and leaves the statistics alone.
pub fn assign_advantages(group: &mut RolloutGroup, advantage: Advantage) {
    let rewards: Vec<f32> = group.scored().map(|rollout| rollout.reward).collect();
    let values = advantages(&rewards, advantage);
    let mut values = values.into_iter();
    for rollout in &mut group.rollouts {
        rollout.advantage = if rollout.verdict.is_scored() { values.next().unwrap_or_default() } else { 0.0 };
    }
}

/// Advantages of one group's rewards, exactly 0 when all are equal.
pub fn advantages(rewards: &[f32], advantage: Advantage) -> Vec<f32> {
    // In f64, which holds a sum of equal f32 without rounding: in f32 the mean of equal rewards may be another number.
    let rewards = || rewards.iter().copied().map(f64::from);
    let count = rewards().len() as f64;
    let mean = rewards().sum::<f64>() / count;
    let scale = match advantage {
        Advantage::Centred => 1.0,
        Advantage::Standardized => {
            let squares: f64 = rewards().map(|reward| (reward - mean).powi(2)).sum();
            (squares / (count - 1.0).max(1.0)).sqrt() + EPSILON
        }
    };
    rewards().map(|reward| ((reward - mean) / scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: [Advantage; 2] = [Advantage::Centred, Advantage::Standardized];

    #[test]
    fn equal_rewards_have_no_advantage_whatever_their_number() {
        for reward in [0.1f32, 0.2, 0.3, 0.7, 0.9, 1.0 / 3.0, 1.0 / 7.0, 1e-7, 0.0, 1.0] {
            for count in 2..=64 {
                for kind in BOTH {
                    let values = advantages(&vec![reward; count], kind);
                    assert!(values.iter().all(|&value| value == 0.0), "{count} x {reward}: {values:?}");
                }
            }
        }
    }

    #[test]
    fn rewards_that_hardly_differ_have_hardly_an_advantage() {
        let next = f32::from_bits(0.3f32.to_bits() + 1);
        let values = advantages(&[0.3, 0.3, 0.3, next], Advantage::Standardized);
        // By hand: d = 2^-25, mean d/4 above 0.3, standard deviation d/2, so (3d/4) / (d/2 + 1e-6) = 0.0220.
        assert!((values[3] - 0.0220).abs() < 1e-3, "{values:?}");
        assert!(values[..3].iter().all(|&value| value < 0.0 && value == values[0]), "{values:?}");
        assert_eq!(advantages(&[0.5], Advantage::Standardized), [0.0]);
        assert!(advantages(&[], Advantage::Centred).is_empty());
    }

    proptest! {
        /// Against whole-number arithmetic: rewards are n / 1024, exact in f32, so that sums are whole.
        #[test]
        fn advantages_equal_exact_arithmetic(parts in prop::collection::vec(0i64..=1024, 2..=64)) {
            let rewards: Vec<f32> = parts.iter().map(|&part| part as f32 / 1024.0).collect();
            let (count, sum) = (parts.len() as i64, parts.iter().sum::<i64>());
            let squares: i64 = parts.iter().map(|&part| (count * part - sum).pow(2)).sum();
            let deviation = (squares as f64 / (count - 1) as f64).sqrt() / (count as f64 * 1024.0);
            for (kind, scale) in BOTH.into_iter().zip([1.0, deviation + 1e-6]) {
                for (&part, value) in parts.iter().zip(advantages(&rewards, kind)) {
                    let exact = (count * part - sum) as f64 / (count as f64 * 1024.0) / scale;
                    prop_assert!((f64::from(value) - exact).abs() <= 2e-7 * exact.abs(), "{} for {}", value, exact);
                    prop_assert_eq!(value == 0.0, count * part == sum);
                }
            }
        }
    }
}
