//! What a step and a run tell people, and the rows that a step leaves in the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::warnings;
use crate::batch::DropReason;
use crate::changes::Deciders;
use crate::columns::BucketInfo;
use crate::log::ExperienceRow;
use crate::metrics::Metrics;
use crate::pool::ExperiencePool;
use crate::select::Plan;
use crate::types::{Origin, Question, RolloutGroup};
use crate::update::UpdateReport;

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Step, from 1.
    pub step: u32,
    /// All its metrics.
    pub metrics: Metrics,
    /// Events as lines for people: swaps, refusals, faults.
    pub events: Vec<String>,
}

impl StepReport {
    /// Share of the fresh completions that the length limit cut, where that is worth telling.
    pub fn notable_cut(&self) -> Option<f64> {
        warnings::notable_cut(&self.metrics)
    }
}

/// What a run adds up to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Steps of this process.
    pub steps: u32,
    /// Seconds in steps, held-out evaluation left out.
    pub step_s: f64,
    /// Seconds in policies.
    pub guest_s: f64,
    /// Tokens sampled.
    pub tokens: f64,
    /// Policy faults.
    pub faults: f64,
    /// Latest held-out accuracy.
    pub heldout: Option<f64>,
    /// Metrics of the latest step.
    pub last: Option<Metrics>,
}

impl Summary {
    /// Adds a step.
    pub fn add(&mut self, report: &StepReport) {
        let get = |key| report.metrics.get(key).unwrap_or_default();
        self.steps += 1;
        self.step_s += get("time/step_s");
        self.guest_s += get("time/guest_s");
        self.tokens += get("rollout/tokens");
        self.faults += get("guest/faults");
        self.heldout = report.metrics.get("heldout/accuracy").or(self.heldout);
        self.last = Some(report.metrics.clone());
    }
}

/// What the rows of a step's rollouts are made from.
pub(super) struct RolloutRows<'a> {
    pub(super) step: u32,
    pub(super) questions: &'a [Question],
    pub(super) groups: &'a [RolloutGroup],
    pub(super) pool: &'a ExperiencePool,
    pub(super) buckets: &'a [BucketInfo],
    /// Who drew the replayed questions and chose their trajectories.
    pub(super) plan: &'a Plan,
    /// Who gave the verdicts.
    pub(super) verified_by: &'a str,
    /// Who assigned buckets and decided on retirement.
    pub(super) deciders: &'a BTreeMap<u32, Arc<Deciders>>,
    pub(super) dropped: &'a [Option<DropReason>],
    pub(super) update: &'a UpdateReport,
}

impl RolloutRows<'_> {
    /// A row a rollout, in the order of the batch.
    pub(super) fn rows(&self) -> Vec<ExperienceRow> {
        let mut rows = Vec::with_capacity(self.dropped.len());
        for (group_index, group) in self.groups.iter().enumerate() {
            for member in 0..group.rollouts.len() {
                rows.push(self.row(group_index, group, member, rows.len()));
            }
        }
        rows
    }

    fn row(&self, group_index: usize, group: &RolloutGroup, member: usize, index: usize) -> ExperienceRow {
        let rollout = &group.rollouts[member];
        let question = &self.questions[group.row as usize];
        let deciders = self.deciders.get(&group.row);
        let bucket = self.pool.problem(group.row).bucket();
        let logprobs = &rollout.completion.logprobs;
        let ratios = self.update.rollouts.get(index).copied().flatten();
        let finite = |value: f32| value.is_finite().then_some(value);
        ExperienceRow {
            step: self.step,
            group_index: group_index as u32,
            member: member as u32,
            question_id: question.id,
            question_row: group.row,
            origin: rollout.origin,
            experience_id: rollout.experience_id,
            drawn_from_bucket: group.drawn_from,
            sampled_step: rollout.sampled_step,
            weights_version: rollout.weights_version,
            prompt: question.prompt.clone(),
            completion: rollout.text.clone(),
            prompt_ids: question.prompt_ids.clone(),
            completion_ids: rollout.completion.ids.clone(),
            old_logprobs: logprobs.clone(),
            mean_logprob: logprobs.iter().sum::<f32>() / logprobs.len() as f32,
            mean_entropy: rollout.completion.mean_entropy(),
            finished: rollout.completion.finished,
            verdict: rollout.verdict,
            reward: rollout.verdict.is_scored().then_some(rollout.reward),
            answer: rollout.answer.clone(),
            advantage: rollout.advantage,
            in_loss: self.dropped[index].is_none(),
            drop_reason: self.dropped[index].map(|reason| reason.as_str().to_owned()),
            bucket,
            bucket_level: bucket
                .and_then(|bucket| self.buckets.get(bucket as usize))
                .map(|info| info.level.as_str().to_owned()),
            num_success: group.num_success(),
            group_size: group.scored().count() as u32,
            ratio_mean: ratios.and_then(|ratios| finite(ratios.ratio_mean)),
            ratio_max: ratios.and_then(|ratios| finite(ratios.ratio_max)),
            clip_fraction: ratios.and_then(|ratios| finite(ratios.clip_fraction)),
            verifier_digest: self.verified_by.to_owned(),
            sampling_digest: group.drawn_from.and_then(|_| self.plan.drawn_by.clone()),
            trajectories_digest: Some(rollout.origin)
                .filter(|origin| *origin == Origin::Replayed)
                .and_then(|_| self.plan.chosen_by.clone()),
            difficulty_digest: deciders.map(|deciders| deciders.difficulty.clone()),
            retirement_digest: deciders.map(|deciders| deciders.retirement.clone()),
            verifier_fuel: rollout.verifier_fuel,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_adds_steps_up_and_keeps_the_latest() {
        let report = |step: u32, values: &[(&str, f64)]| {
            let mut metrics = Metrics::default();
            values.iter().for_each(|&(key, value)| metrics.set(key, value));
            StepReport { step, metrics, events: Vec::new() }
        };
        let reports = [
            report(
                1,
                &[
                    ("time/step_s", 2.0),
                    ("time/guest_s", 0.5),
                    ("rollout/tokens", 100.0),
                    ("guest/faults", 1.0),
                    ("heldout/accuracy", 0.25),
                ],
            ),
            report(
                2,
                &[
                    ("time/step_s", 3.0),
                    ("time/guest_s", 0.25),
                    ("rollout/tokens", 50.0),
                    ("guest/faults", 2.0),
                ],
            ),
        ];
        let mut summary = Summary::default();
        reports.iter().for_each(|report| summary.add(report));
        let expected = Summary {
            steps: 2,
            step_s: 5.0,
            guest_s: 0.75,
            tokens: 150.0,
            faults: 3.0,
            heldout: Some(0.25),
            last: Some(reports[1].metrics.clone()),
        };
        assert_eq!(summary, expected);
    }
}
