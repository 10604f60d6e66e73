//! A step's metrics: one number a key, `stage/what[/origin]`. Definitions stand in `log::metrics`.

use std::collections::BTreeMap;

use crate::batch::DropReason;
use crate::config::ReplaySection;
use crate::update::UpdateReport;
use exgrpo_core::types::{Origin, Rollout, RolloutGroup, Verdict};
use exgrpo_pool::ExperiencePool;

/// Metrics that every run has, whatever its group size.
const KEYS: &[&str] = &[
    "advantage/mean",
    "batch/dropped/out-of-budget",
    "batch/dropped/unscorable",
    "batch/dropped/zero-advantage",
    "batch/not_wholly_scored",
    "batch/solve_all",
    "batch/solve_none",
    "dataset/epoch",
    "guest/faults",
    "guest/fuel",
    "heldout/accuracy",
    "heldout/before",
    "objective/approximate_kl/demonstrated",
    "objective/approximate_kl/fresh",
    "objective/approximate_kl/replayed",
    "objective/clip_fraction/fresh",
    "objective/dropped_tokens",
    "objective/entropy",
    "objective/loss",
    "objective/loss/demonstrated",
    "objective/loss/fresh",
    "objective/loss/replayed",
    "objective/ratio_max/demonstrated",
    "objective/ratio_max/fresh",
    "objective/ratio_max/replayed",
    "objective/ratio_mean/demonstrated",
    "objective/ratio_mean/fresh",
    "objective/ratio_mean/replayed",
    "objective/ratio_variance/demonstrated",
    "objective/ratio_variance/fresh",
    "objective/ratio_variance/replayed",
    "objective/tokens",
    "optim/grad_norm",
    "optim/skipped",
    "pool/bucket_other",
    "pool/experiences",
    "pool/questions",
    "pool/retired",
    "replay/age_mean",
    "replay/below_min_reward",
    "replay/groups",
    "replay/is_mixed",
    "replay/ratio",
    "replay/share",
    "reward/mean",
    "reward/mean/demonstrated",
    "reward/mean/fresh",
    "reward/mean/replayed",
    "rollout/correct",
    "rollout/correct/demonstrated",
    "rollout/correct/fresh",
    "rollout/correct/replayed",
    "rollout/entropy/demonstrated",
    "rollout/entropy/fresh",
    "rollout/entropy/replayed",
    "rollout/finished",
    "rollout/length/demonstrated",
    "rollout/length/fresh",
    "rollout/length/replayed",
    "rollout/tokens",
    "time/checkpoint_s",
    "time/guest_s",
    "time/rollout_s",
    "time/select_s",
    "time/step_s",
    "time/tokens_per_s",
    "time/update_s",
    "time/verify_s",
];

/// All keys of a run: the fixed ones and one `pool/bucket_<k>` for each number of successes.
pub fn keys(group_size: u32) -> Vec<String> {
    let buckets = (0..=group_size).map(bucket_key);
    KEYS.iter().map(|key| (*key).to_owned()).chain(buckets).collect()
}

fn bucket_key(bucket: u32) -> String {
    format!("pool/bucket_{bucket}")
}

/// Metrics collected over a step. A key that is never set is null in the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    values: BTreeMap<String, f64>,
}

impl Metrics {
    /// Sets one value; NaN means there is none.
    pub fn set(&mut self, key: &str, value: f64) {
        self.values.insert(key.to_owned(), value);
    }

    /// The value of `key`, when it was set to a number.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.values.get(key).copied().filter(|value| !value.is_nan())
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(key, &value)| (key.as_str(), value))
    }

    /// What the rollouts of a step say.
    pub fn set_rollouts(&mut self, groups: &[RolloutGroup], step: u32, replay: &ReplaySection) {
        let all = || groups.iter().flat_map(|group| &group.rollouts);
        let of = |origin: Origin| all().filter(move |rollout| rollout.origin == origin);
        self.set("reward/mean", mean(all().filter(is_scored).map(|r| f64::from(r.reward))));
        self.set("rollout/correct", mean(all().map(is_correct)));
        self.set("advantage/mean", mean(all().filter(is_scored).map(|r| f64::from(r.advantage))));
        for origin in Origin::ALL {
            let name = origin.as_str();
            let lengths = of(origin).map(|r| r.completion.ids.len() as f64);
            let rewards = of(origin).filter(is_scored).map(|r| f64::from(r.reward));
            let entropies = of(origin).map(|r| f64::from(r.completion.mean_entropy()));
            self.set(&format!("reward/mean/{name}"), mean(rewards));
            self.set(&format!("rollout/correct/{name}"), mean(of(origin).map(is_correct)));
            self.set(&format!("rollout/length/{name}"), mean(lengths));
            self.set(&format!("rollout/entropy/{name}"), mean(entropies));
        }
        let fresh_tokens: usize = of(Origin::Fresh).map(|r| r.completion.ids.len()).sum();
        self.set("rollout/tokens", fresh_tokens as f64);
        self.set(
            "rollout/finished",
            mean(of(Origin::Fresh).map(|r| f64::from(u8::from(r.completion.finished)))),
        );
        self.set("replay/groups", groups.iter().filter(|group| group.drawn_from.is_some()).count() as f64);
        self.set("replay/share", of(Origin::Replayed).count() as f64 / all().count() as f64);
        self.set("replay/age_mean", mean(of(Origin::Replayed).map(|r| f64::from(step - r.sampled_step))));
        let spurned = all().filter(|rollout| replay.spurns(rollout)).count();
        self.set("replay/below_min_reward", spurned as f64);
        let groups_of = |test: fn(&RolloutGroup) -> bool| groups.iter().filter(|g| test(g)).count() as f64;
        self.set("batch/solve_all", groups_of(|group| all_are(group, Verdict::Correct)));
        self.set("batch/solve_none", groups_of(|group| all_are(group, Verdict::Incorrect)));
        self.set("batch/not_wholly_scored", groups_of(|group| group.num_unscored() > 0));
    }

    /// What the pool looks like after a step.
    pub fn set_pool(&mut self, pool: &ExperiencePool, group_size: u32) {
        let counts = pool.counts();
        for bucket in 0..=group_size {
            let count = counts.get(bucket as usize).copied().unwrap_or_default();
            self.set(&bucket_key(bucket), f64::from(count));
        }
        let other: u32 = counts.iter().skip(group_size as usize + 1).sum();
        self.set("pool/bucket_other", f64::from(other));
        self.set("pool/questions", pool.num_drawable() as f64);
        self.set("pool/experiences", pool.num_experiences() as f64);
        self.set("pool/retired", pool.num_retired() as f64);
    }

    /// What the updates of a step did.
    pub fn set_update(&mut self, report: &UpdateReport, dropped: &[Option<DropReason>]) {
        for reason in [DropReason::Unscorable, DropReason::OutOfBudget, DropReason::ZeroAdvantage] {
            let count = dropped.iter().filter(|dropped| **dropped == Some(reason)).count();
            self.set(&format!("batch/dropped/{}", reason.as_str()), count as f64);
        }
        let stats = &report.stats;
        for (name, of) in Origin::ALL.map(|origin| (origin.as_str(), stats.of(origin))) {
            let has_tokens = of.num_tokens > 0;
            self.set(&format!("objective/loss/{name}"), if has_tokens { of.loss } else { f64::NAN });
            self.set(&format!("objective/ratio_mean/{name}"), of.ratio_mean());
            self.set(&format!("objective/ratio_variance/{name}"), of.ratio_variance());
            self.set(
                &format!("objective/ratio_max/{name}"),
                if has_tokens { of.ratio_max } else { f64::NAN },
            );
            self.set(&format!("objective/approximate_kl/{name}"), of.approximate_kl());
        }
        self.set("objective/clip_fraction/fresh", stats.fresh.clip_fraction());
        self.set("objective/loss", stats.loss());
        self.set("objective/entropy", stats.entropy_sum / report.num_computed_tokens as f64);
        self.set("objective/tokens", report.num_tokens as f64);
        self.set("objective/dropped_tokens", stats.all().num_dropped as f64);
        self.set("optim/grad_norm", mean(report.grad_norms.iter().copied()));
        self.set("optim/skipped", f64::from(report.num_skipped));
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
            ("rollout/correct", 5.0 / 12.0),
            ("rollout/correct/fresh", 3.0 / 10.0),
            ("rollout/correct/replayed", 1.0),
            ("rollout/correct/demonstrated", 1.0),
            ("advantage/mean", 0.5 / 10.0),
            ("reward/mean", 4.75 / 10.0),
            ("reward/mean/fresh", 2.75 / 8.0),
            ("batch/solve_all", 1.0),
            ("batch/solve_none", 1.0),
            ("batch/not_wholly_scored", 1.0),
            ("replay/below_min_reward", 1.0),
        ] {
            let have = metrics.get(key).unwrap_or(f64::NAN);
            assert!((have - expected).abs() < 1e-12, "{key}: {have} instead of {expected}");
        }
        metrics.set("optim/grad_norm", f64::NAN);
        assert_eq!(metrics.get("optim/grad_norm"), None, "there is none");
    }
}
