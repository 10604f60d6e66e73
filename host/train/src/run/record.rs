//! What a step leaves behind: its metrics and the rows of its rollouts, from what its stages answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::stages::batch::DropReason;
use crate::stages::changes::Deciders;
use crate::stages::select::Plan;
use crate::stages::update::UpdateReport;
use exgrpo_core::columns::BucketInfo;
use exgrpo_core::types::{Origin, Question, RolloutGroup};
use exgrpo_log::{ExperienceRow, metric};
use exgrpo_pool::ExperiencePool;

/// What the stages of a step answered. Its metrics and the rows of its rollouts are made from this alone.
pub(super) struct StepRecord<'a> {
    pub(super) config: &'a Config,
    pub(super) step: u32,
    pub(super) questions: &'a [Question],
    /// Epoch of the queue of fresh questions.
    pub(super) epoch: u64,
    /// Stage 1; also who drew the replayed questions and chose their trajectories.
    pub(super) plan: &'a Plan,
    /// Stages 2 and 3.
    pub(super) groups: &'a [RolloutGroup],
    /// Who gave the verdicts.
    pub(super) verified_by: &'a str,
    /// Who assigned buckets and decided on retirement in stage 4.
    pub(super) deciders: &'a BTreeMap<u32, Arc<Deciders>>,
    /// The pool after stage 4, and its buckets.
    pub(super) pool: &'a ExperiencePool,
    pub(super) buckets: &'a [BucketInfo],
    /// Stage 5: why each rollout is not in the loss, if it is not.
    pub(super) dropped: &'a [Option<DropReason>],
    /// Stage 6.
    pub(super) update: &'a UpdateReport,
}

impl StepRecord<'_> {
    /// Sets the metrics of all stages.
    pub(super) fn measure(&self, metrics: &mut Metrics) {
        metrics.set(metric::DATASET_EPOCH, self.epoch as f64);
        metrics.set(metric::REPLAY_RATIO, f64::from(self.plan.replay_ratio));
        metrics.set(metric::REPLAY_IS_MIXED, f64::from(u8::from(self.plan.is_mixed)));
        metrics.set_rollouts(self.groups, self.step, &self.config.replay);
        metrics.set_pool(self.pool, self.config.rollout.group_size);
        metrics.set_dropped(self.dropped);
        metrics.set_update(self.update);
    }

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
