//! One step of training, its stages in order. Nothing here computes: the stages do.

use std::time::Instant;

use super::Run;
use super::record::StepRecord;
use super::replay_start;
use super::report::StepReport;
use super::warnings;
use crate::checkpoint::{Prepared, RunState};
use crate::config::Clip;
use crate::dataset::Dataset;
use crate::eval::HeldOut;
use crate::metrics::Metrics;
use crate::stages::curriculum::{self, CurriculumStage};
use crate::stages::rollout::RolloutStage;
use crate::stages::select::{Plan, SelectStage};
use crate::stages::update::UpdateStage;
use crate::stages::{batch, verify};
use exgrpo_core::journal::{Decision, Event, EventKind};
use exgrpo_core::signals;
use exgrpo_core::types::RolloutGroup;
use exgrpo_engine::Scorer;
use exgrpo_log::metric::{self, Metric};
use exgrpo_policy::{Probe, VerifyRequest};
use exgrpo_pool::ExperiencePool;

/// Questions of the pool that a candidate policy is probed with.
const PROBE_ROWS: usize = 64;

impl Run {
    /// Trains one step, logs it and writes a checkpoint when one is due.
    pub fn step(&mut self) -> anyhow::Result<StepReport> {
        let step = self.progress.step + 1;
        let mut metrics = Metrics::default();
        let mut changes = self.take_swaps(step)?;
        if step == 1 && self.config.eval.enabled {
            // No step is under way yet, and an evaluation may take many minutes.
            let _not_waited_for = signals::nothing_to_lose();
            self.progress.heldout_before = Some(self.evaluate(step, metric::HELDOUT_BEFORE, &mut metrics)?);
        }
        let begin = Instant::now();
        self.policies.time_in_guests_us();

        let plan = timed(&mut metrics, metric::SELECT_S, || self.select(step))?;
        let mut groups = timed(&mut metrics, metric::ROLLOUT_S, || self.rollout(step, &plan))?;
        let verified_by = timed(&mut metrics, metric::VERIFY_S, || {
            let advantage = self.config.objective.advantage;
            verify::score(&mut self.policies, &self.dataset, step, advantage, &mut groups)
        })?;
        let curriculum = CurriculumStage {
            config: &self.config,
            dataset: &self.dataset,
            step,
            weights_version: self.progress.weights_version,
            is_mixed: plan.is_mixed,
        };
        changes.extend(curriculum.absorb(&groups, &mut self.pool, &mut self.policies)?);
        let batch = batch::assemble(&groups, &self.dataset, &self.config.objective);
        let clip = match self.config.objective.clip {
            Clip::BeforeReplay => !plan.is_mixed,
            Clip::Always => true,
            Clip::Never => false,
        };
        let updated = timed(&mut metrics, metric::UPDATE_S, || {
            let reference = self.reference.as_ref().map(|reference| reference as &dyn Scorer);
            UpdateStage { config: &self.config, step, clip, reference }.run(&mut self.actor, &batch)
        })?;
        metrics.set(metric::GUEST_S, self.policies.time_in_guests_us() / 1e6);

        self.progress.step = step;
        self.progress.weights_version += updated.num_applied;
        let record = StepRecord {
            config: &self.config,
            step,
            questions: &self.dataset.questions,
            epoch: self.queue.epoch(),
            plan: &plan,
            groups: &groups,
            verified_by: &verified_by,
            deciders: &changes.deciders,
            pool: &self.pool,
            buckets: &self.buckets,
            dropped: &batch.dropped,
            update: &updated,
        };
        record.measure(&mut metrics);
        self.log.append_experiences(record.rows());
        self.log.append_problems(changes.problems.into_values());
        drop(batch);
        let opened = self.open_replay(&groups);
        metrics.set(metric::STEP_S, begin.elapsed().as_secs_f64());
        let tokens = metrics.get(metric::SAMPLED_TOKENS).unwrap_or_default();
        metrics.set(metric::TOKENS_PER_S, tokens / begin.elapsed().as_secs_f64());

        let every = self.config.eval.every;
        let is_due = self.is_done() || (every > 0 && step.is_multiple_of(every));
        if self.config.eval.enabled && is_due {
            self.evaluate(step, metric::HELDOUT_ACCURACY, &mut metrics)?;
        }
        self.set_probe(&groups, step);
        self.finish(step, metrics, opened)
    }

    fn select(&mut self, step: u32) -> anyhow::Result<Plan> {
        let stage = SelectStage {
            config: &self.config,
            dataset: &self.dataset,
            streams: &self.streams,
            step,
            replay_open: self.progress.replay_open,
            pass_rate: self.progress.pass_rate,
        };
        stage.plan(&mut self.queue, &mut self.pool, &mut self.policies, &self.actor)
    }

    fn rollout(&self, step: u32, plan: &Plan) -> anyhow::Result<Vec<RolloutGroup>> {
        let stage = RolloutStage {
            config: &self.config,
            dataset: &self.dataset,
            pool: &self.pool,
            tokenizer: &self.tokenizer,
            stop_ids: &self.stop_ids,
            streams: &self.streams,
            step,
            weights_version: self.progress.weights_version,
        };
        stage.sample(&self.actor, plan)
    }

    /// Notes the step's pass rate, and opens replay when it is high enough. Replay never closes again.
    fn open_replay(&mut self, groups: &[RolloutGroup]) -> Option<Event> {
        if let Some(pass_rate) = replay_start::pass_rate(groups) {
            self.progress.pass_rate = pass_rate;
        }
        let replay = &self.config.replay;
        if self.progress.replay_open || !replay_start::opens(replay, self.progress.pass_rate) {
            return None;
        }
        self.progress.replay_open = true;
        Some(Event {
            step: self.progress.step,
            kind: EventKind::ReplayStart,
            slot: None,
            digest: None,
            reason: None,
            detail: format!(
                "{:.1} % of the step's fresh rollouts are correct, more than {:.1} %: replay starts with the next step",
                100.0 * self.progress.pass_rate,
                100.0 * replay.replay_start_accuracy
            ),
        })
    }

    fn evaluate(&mut self, step: u32, metric: Metric, metrics: &mut Metrics) -> anyhow::Result<f64> {
        let heldout = HeldOut {
            section: &self.config.eval,
            dataset: &self.heldout,
            tokenizer: &self.tokenizer,
            stop_ids: &self.stop_ids,
            max_new_tokens: self.config.rollout.max_new_tokens,
            streams: &self.streams,
        };
        let accuracy = heldout.run(&self.actor, &mut self.policies, step)?;
        metrics.set(metric, accuracy);
        Ok(accuracy)
    }

    /// Gives candidate policies a sample of the live pool to be probed with.
    fn set_probe(&self, groups: &[RolloutGroup], step: u32) {
        let requests = groups.iter().take(8).map(|group| {
            let question = &self.dataset.questions[group.row as usize];
            let rollout = &group.rollouts[0];
            VerifyRequest {
                prompt: question.prompt.clone(),
                reference: question.answer.clone(),
                response: rollout.text.clone(),
                finished: rollout.completion.finished,
            }
        });
        let probe = probe_of(&self.pool, &self.dataset, self.config.rollout.group_size, step);
        self.control.set_probe(Probe { requests: requests.collect(), ..probe });
    }

    /// Writes the step's part of the log, and a checkpoint when one is due. Its bytes are on the disk before the log
    /// says so, and it gets its name after the step's rows are in the log: no checkpoint is ahead of the log, and one
    /// that a kill takes between the two leaves a step that is made again.
    fn finish(
        &mut self,
        step: u32,
        mut metrics: Metrics,
        opened: Option<Event>,
    ) -> anyhow::Result<StepReport> {
        let (decisions, mut events) = self.policies.drain(step);
        metrics
            .set(metric::GUEST_FUEL, decisions.iter().map(|decision: &Decision| decision.fuel as f64).sum());
        let faults = decisions.iter().filter(|decision| decision.fault.is_some()).count();
        metrics.set(metric::GUEST_FAULTS, faults as f64);
        events.extend(opened);
        let mut told: Vec<String> =
            events.iter().map(|event| format!("{}: {}", event.kind.as_str(), event.detail)).collect();
        for warning in warnings::of(step, &metrics, &self.config) {
            // The log has one a step, people are told once.
            if self.warned.insert(warning.reason.unwrap_or_default()) {
                told.push(format!("warning: {}", warning.detail));
            }
            events.push(warning);
        }

        let begin = Instant::now();
        let is_last = self.is_done() || signals::stop_asked();
        let prepared = self.schedule.is_due(step, is_last, begin).then(|| self.prepare_checkpoint());
        if let Some(Ok(_)) = &prepared {
            metrics.set(metric::CHECKPOINT_S, begin.elapsed().as_secs_f64());
            events.push(Event {
                step,
                kind: EventKind::Checkpoint,
                slot: None,
                digest: None,
                reason: None,
                detail: format!("checkpoints/{step:06}"),
            });
        }
        let prepared_in = begin.elapsed();
        self.log.append_decisions(&decisions);
        self.log.append_events(&events);
        self.log.append_metrics(step, metrics.iter())?;
        self.log.flush(step, step)?;
        // The step's rows are safe by now even when there is no room for its checkpoint.
        if let Some(prepared) = prepared.transpose()? {
            let (begin, bytes) = (Instant::now(), prepared.bytes());
            self.checkpoints.publish(prepared)?;
            self.saved = step;
            let (cost, step_s) =
                (prepared_in + begin.elapsed(), metrics.get(metric::STEP_S).unwrap_or_default());
            told.extend(self.schedule.wrote(cost, bytes, step_s, Instant::now()));
        }
        Ok(StepReport { step, metrics, events: told })
    }

    fn prepare_checkpoint(&mut self) -> anyhow::Result<Prepared> {
        let progress = &self.progress;
        let state = RunState {
            step: progress.step,
            weights_version: progress.weights_version,
            seed: self.config.seed,
            replay_open: progress.replay_open,
            pass_rate: Some(progress.pass_rate).filter(|rate| !rate.is_nan()),
            buckets: self.buckets.clone(),
            queue: self.queue.clone(),
            policies: self.policies.snapshot(),
            emptied_slots: self
                .policies
                .emptied_slots()
                .iter()
                .map(|slot| slot.as_str().to_owned())
                .collect(),
            heldout_before: progress.heldout_before,
            identity: Some(self.identity.clone()),
        };
        self.checkpoints.prepare(state, &self.actor, &self.pool)
    }
}

/// A sample of the pool after `step`, without responses to verify.
pub(super) fn probe_of(pool: &ExperiencePool, dataset: &Dataset, group_size: u32, step: u32) -> Probe {
    let mut rows = pool.drawable_rows();
    rows.truncate(PROBE_ROWS);
    let mean = |entropies: &[f32]| entropies.iter().sum::<f32>() / entropies.len() as f32;
    let experiences = rows.iter().flat_map(|&row| pool.experiences(row));
    let entropy = experiences.map(|experience| mean(&experience.old_entropies)).collect();
    Probe {
        problems: curriculum::columns(pool, dataset, &rows),
        trajectories: pool.trajectory_columns(&rows, entropy),
        requests: Vec::new(),
        group_size,
        step,
    }
}

/// Runs a stage and notes its seconds.
fn timed<T>(metrics: &mut Metrics, metric: Metric, stage: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = stage();
    metrics.set(metric, begin.elapsed().as_secs_f64());
    result
}
