//! Group-relative advantages.

use crate::config::Advantage;
use crate::types::RolloutGroup;

/// Below this standard deviation a standardized advantage is 0 rather than noise.
const EPSILON: f32 = 1e-6;

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

/// Advantages of one group's rewards.
pub fn advantages(rewards: &[f32], advantage: Advantage) -> Vec<f32> {
    let count = rewards.len() as f32;
    let mean = rewards.iter().sum::<f32>() / count;
    let centred = rewards.iter().map(|reward| reward - mean);
    match advantage {
        Advantage::Centred => centred.collect(),
        Advantage::Standardized => {
            let variance = centred.clone().map(|value| value * value).sum::<f32>() / (count - 1.0).max(1.0);
            centred.map(|value| value / (variance.sqrt() + EPSILON)).collect()
        }
    }
}
