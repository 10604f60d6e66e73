//! When replay starts: after the first step whose own rollouts are good enough.

use crate::config::ReplaySection;
use exgrpo_core::types::{Origin, RolloutGroup, Verdict};

/// Correct fresh rollouts over all fresh rollouts of a step. What the model didn't write in this step, stored and
/// demonstrated solutions, says nothing of it; a rollout that could not be judged is not known to be correct. `None`
/// when the step has no fresh rollout that was judged.
pub(super) fn pass_rate(groups: &[RolloutGroup]) -> Option<f32> {
    let fresh = || groups.iter().flat_map(|group| &group.rollouts).filter(|r| r.origin == Origin::Fresh);
    let correct = fresh().filter(|rollout| rollout.verdict == Verdict::Correct).count();
    let is_judged = fresh().any(|rollout| rollout.verdict.is_scored());
    is_judged.then(|| (correct as f64 / fresh().count() as f64) as f32)
}

/// True when replay starts after a step of this pass rate, NaN before the first: strictly above the threshold.
pub(super) fn opens(replay: &ReplaySection, pass_rate: f32) -> bool {
    replay.enabled && pass_rate > replay.replay_start_accuracy
}

#[cfg(test)]
mod tests {
    use super::*;
    use exgrpo_core::types::{group_of, rollout_of};

    #[test]
    fn the_pass_rate_is_of_the_models_own_rollouts() {
        use {Origin::*, Verdict::*};
        let group = |members: &[(Origin, Verdict)]| {
            group_of(members.iter().map(|&(origin, verdict)| rollout_of(origin, verdict, 1.0)).collect())
        };
        let groups = [
            group(&[(Demonstrated, Correct), (Fresh, Incorrect), (Fresh, Correct), (Fresh, Unscorable)]),
            group(&[(Replayed, Correct), (Fresh, Incorrect), (Fresh, Incorrect), (Fresh, OutOfBudget)]),
        ];
        assert_eq!(pass_rate(&groups), Some(1.0 / 6.0));
        assert_eq!(pass_rate(&[group(&[(Replayed, Correct), (Fresh, OutOfBudget)])]), None);
        assert_eq!(pass_rate(&[]), None);
    }

    #[test]
    fn replay_starts_strictly_above_the_threshold() {
        let replay = ReplaySection::default();
        let seven_of_twenty = (7.0f64 / 20.0) as f32;
        assert!(!opens(&replay, seven_of_twenty), "the default is 0.35");
        assert!(opens(&replay, 0.36) && !opens(&replay, 0.34) && !opens(&replay, f32::NAN));
        let at_once = ReplaySection { replay_start_accuracy: -1.0, ..ReplaySection::default() };
        assert!(opens(&at_once, 0.0) && !opens(&at_once, f32::NAN));
        assert!(!opens(&ReplaySection { enabled: false, ..at_once }, 1.0));
        // Any decimal threshold that a count of rollouts meets exactly.
        for (correct, count) in [(1, 10), (3, 10), (7, 10), (33, 100), (358, 1024), (179, 512)] {
            let exact = format!("{}", f64::from(correct) / f64::from(count)).parse().unwrap();
            let replay = ReplaySection { replay_start_accuracy: exact, ..ReplaySection::default() };
            assert!(!opens(&replay, (f64::from(correct) / f64::from(count)) as f32));
            assert!(opens(&replay, (f64::from(correct + 1) / f64::from(count)) as f32));
        }
    }
}
