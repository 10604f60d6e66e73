//! A step's metrics, gathered from what its stages answered. Keys and definitions stand in [`exgrpo_log::metric`].

use std::collections::BTreeMap;

use crate::config::ReplaySection;
use crate::stages::batch::DropReason;
use crate::stages::update::UpdateReport;
use exgrpo_core::types::{Origin, Rollout, RolloutGroup, Verdict};
use exgrpo_log::metric::{self, Metric};
use exgrpo_pool::ExperiencePool;

/// Metrics collected over a step. A key that is never set is null in the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    values: BTreeMap<Metric, f64>,
}

impl Metrics {
    /// Sets one value; NaN means there is none.
    pub fn set(&mut self, metric: Metric, value: f64) {
        self.values.insert(metric, value);
    }

    /// The value of `metric`, when it was set to a number.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.values.get(&metric).copied().filter(|value| !value.is_nan())
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(metric, &value)| (metric.key(), value))
    }

    /// What the rollouts of a step say.
    pub fn set_rollouts(&mut self, groups: &[RolloutGroup], step: u32, replay: &ReplaySection) {
        let all = || groups.iter().flat_map(|group| &group.rollouts);
        let of = |origin: Origin| all().filter(move |rollout| rollout.origin == origin);
        self.set(metric::REWARD_MEAN, mean(all().filter(is_scored).map(|r| f64::from(r.reward))));
        self.set(metric::CORRECT, mean(all().map(is_correct)));
        self.set(metric::ADVANTAGE_MEAN, mean(all().filter(is_scored).map(|r| f64::from(r.advantage))));
        for origin in Origin::ALL {
            let lengths = of(origin).map(|r| r.completion.ids.len() as f64);
            let rewards = of(origin).filter(is_scored).map(|r| f64::from(r.reward));
            let entropies = of(origin).map(|r| f64::from(r.completion.mean_entropy()));
            self.set(metric::REWARD_MEAN_OF.of(origin), mean(rewards));
            self.set(metric::CORRECT_OF.of(origin), mean(of(origin).map(is_correct)));
            self.set(metric::LENGTH_OF.of(origin), mean(lengths));
            self.set(metric::ENTROPY_OF.of(origin), mean(entropies));
        }
        let fresh_tokens: usize = of(Origin::Fresh).map(|r| r.completion.ids.len()).sum();
        self.set(metric::SAMPLED_TOKENS, fresh_tokens as f64);
        self.set(
            metric::FINISHED,
            mean(of(Origin::Fresh).map(|r| f64::from(u8::from(r.completion.finished)))),
        );
        self.set(
            metric::REPLAY_GROUPS,
            groups.iter().filter(|group| group.drawn_from.is_some()).count() as f64,
        );
        self.set(metric::REPLAY_SHARE, of(Origin::Replayed).count() as f64 / all().count() as f64);
        self.set(
            metric::REPLAY_AGE_MEAN,
            mean(of(Origin::Replayed).map(|r| f64::from(step - r.sampled_step))),
        );
        let spurned = all().filter(|rollout| replay.spurns(rollout)).count();
        self.set(metric::BELOW_MIN_REWARD, spurned as f64);
        let groups_of = |test: fn(&RolloutGroup) -> bool| groups.iter().filter(|g| test(g)).count() as f64;
        self.set(metric::SOLVE_ALL, groups_of(|group| all_are(group, Verdict::Correct)));
        self.set(metric::SOLVE_NONE, groups_of(|group| all_are(group, Verdict::Incorrect)));
        self.set(metric::NOT_WHOLLY_SCORED, groups_of(|group| group.num_unscored() > 0));
    }

    /// What the pool looks like after a step.
    pub fn set_pool(&mut self, pool: &ExperiencePool, group_size: u32) {
        let counts = pool.counts();
        for bucket in 0..=group_size {
            let count = counts.get(bucket as usize).copied().unwrap_or_default();
            self.set(metric::POOL_BUCKET.of(bucket), f64::from(count));
        }
        let other: u32 = counts.iter().skip(group_size as usize + 1).sum();
        self.set(metric::POOL_BUCKET_OTHER, f64::from(other));
        self.set(metric::POOL_QUESTIONS, pool.num_drawable() as f64);
        self.set(metric::POOL_EXPERIENCES, pool.num_experiences() as f64);
        self.set(metric::POOL_RETIRED, pool.num_retired() as f64);
    }

    /// What was left out of the loss, by reason.
    pub fn set_dropped(&mut self, dropped: &[Option<DropReason>]) {
        for (reason, metric) in [
            (DropReason::Unscorable, metric::DROPPED_UNSCORABLE),
            (DropReason::OutOfBudget, metric::DROPPED_OUT_OF_BUDGET),
            (DropReason::ZeroAdvantage, metric::DROPPED_ZERO_ADVANTAGE),
        ] {
            let count = dropped.iter().filter(|dropped| **dropped == Some(reason)).count();
            self.set(metric, count as f64);
        }
    }

    /// What the updates of a step did.
    pub fn set_update(&mut self, report: &UpdateReport) {
        let stats = &report.stats;
        for (origin, of) in Origin::ALL.map(|origin| (origin, stats.of(origin))) {
            let has_tokens = of.num_tokens > 0;
            self.set(metric::LOSS_OF.of(origin), if has_tokens { of.loss } else { f64::NAN });
            self.set(metric::RATIO_MEAN.of(origin), of.ratio_mean());
            self.set(metric::RATIO_VARIANCE.of(origin), of.ratio_variance());
            self.set(metric::RATIO_MAX.of(origin), if has_tokens { of.ratio_max } else { f64::NAN });
            self.set(metric::APPROXIMATE_KL.of(origin), of.approximate_kl());
        }
        self.set(metric::CLIP_FRACTION_FRESH, stats.fresh.clip_fraction());
        self.set(metric::LOSS, stats.loss());
        self.set(metric::ENTROPY, stats.entropy_sum / report.num_computed_tokens as f64);
        let divergence = stats.kl_sum / stats.all().num_tokens as f64;
        self.set(metric::REFERENCE_KL, if report.has_reference { divergence } else { f64::NAN });
        self.set(metric::TOKENS, report.num_tokens as f64);
        self.set(metric::DROPPED_TOKENS, stats.all().num_dropped as f64);
        self.set(metric::GRAD_NORM, mean(report.grad_norms.iter().copied()));
        self.set(metric::LR, report.lr);
        self.set(metric::SKIPPED, f64::from(report.num_skipped));
    }
}

/// 1 for a correct rollout, 0 for any other, one without a verdict that carries a reward among them.
fn is_correct(rollout: &Rollout) -> f64 {
    f64::from(u8::from(rollout.verdict == Verdict::Correct))
}

fn all_are(group: &RolloutGroup, verdict: Verdict) -> bool {
    group.rollouts.iter().all(|rollout| rollout.verdict == verdict)
}

fn is_scored(rollout: &&Rollout) -> bool {
    rollout.verdict.is_scored()
}

/// Mean; NaN without values.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0u64), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { f64::NAN } else { sum / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exgrpo_core::types::{group_of, rollout_of};

    #[test]
    fn a_number_says_what_it_is_of() {
        use {Origin::*, Verdict::*};
        let group = |members: &[(Origin, Verdict, f32)]| {
            group_of(
                members
                    .iter()
                    .map(|&(origin, verdict, reward)| rollout_of(origin, verdict, reward))
                    .collect(),
            )
        };
        let mut groups = [
            group(&[(Fresh, Correct, 1.0), (Fresh, OutOfBudget, f32::NAN), (Fresh, Unscorable, f32::NAN)]),
            group(&[(Demonstrated, Correct, 1.0), (Fresh, Correct, 0.5), (Fresh, Correct, 1.0)]),
            group(&[(Replayed, Correct, 1.0), (Fresh, Incorrect, 0.25), (Fresh, Incorrect, 0.0)]),
            group(&[(Fresh, Incorrect, 0.0), (Fresh, Incorrect, 0.0), (Fresh, Incorrect, 0.0)]),
        ];
        groups[0].rollouts[0].advantage = 0.5;
        let mut metrics = Metrics::default();
        metrics.set_rollouts(&groups, 3, &ReplaySection::default());
        for (key, expected) in [
            (metric::CORRECT, 5.0 / 12.0),
            (metric::CORRECT_OF.of(Origin::Fresh), 3.0 / 10.0),
            (metric::CORRECT_OF.of(Origin::Replayed), 1.0),
            (metric::CORRECT_OF.of(Origin::Demonstrated), 1.0),
            (metric::ADVANTAGE_MEAN, 0.5 / 10.0),
            (metric::REWARD_MEAN, 4.75 / 10.0),
            (metric::REWARD_MEAN_OF.of(Origin::Fresh), 2.75 / 8.0),
            (metric::SOLVE_ALL, 1.0),
            (metric::SOLVE_NONE, 1.0),
            (metric::NOT_WHOLLY_SCORED, 1.0),
            (metric::BELOW_MIN_REWARD, 1.0),
        ] {
            let have = metrics.get(key.clone()).unwrap_or(f64::NAN);
            assert!((have - expected).abs() < 1e-12, "{key}: {have} instead of {expected}");
        }
        metrics.set(metric::GRAD_NORM, f64::NAN);
        assert_eq!(metrics.get(metric::GRAD_NORM), None, "there is none");
    }
}
