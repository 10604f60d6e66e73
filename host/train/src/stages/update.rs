//! Stages 6 and 7: the loss of each mini-batch, its gradient, and the optimizer's update.

use crate::config::{Config, OptimSection};
use crate::stages::batch::{Batch, MiniBatch};
use exgrpo_engine::objective::{LossStats, Member, Objective, RolloutStats};
use exgrpo_engine::{AdamW, Scorer, Sequence, Trainer};

/// What a step's updates did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdateReport {
    /// Sums over all mini-batches.
    pub stats: LossStats,
    /// Ratios of every rollout of the step; `None` for those left out. `[B]`
    pub rollouts: Vec<Option<RolloutStats>>,
    /// Gradient norm of each mini-batch before clipping.
    pub grad_norms: Vec<f64>,
    /// Updates skipped for a gradient that was not finite or too large.
    pub num_skipped: u32,
    /// Updates made.
    pub num_applied: u32,
    /// Learning rate.
    pub lr: f64,
    /// True when divergence from a reference was measured.
    pub has_reference: bool,
    /// Completion tokens of all scored rollouts.
    pub num_tokens: usize,
    /// Those of them that were computed: without the ones of groups whose gradient is 0.
    pub num_computed_tokens: usize,
}

/// What updates need to know of a step.
#[derive(Clone, Copy)]
pub struct UpdateStage<'a> {
    /// Configuration.
    pub config: &'a Config,
    /// Step, from 1.
    pub step: u32,
    /// True when fresh tokens are clipped in this step.
    pub clip: bool,
    /// The model that the loss keeps close to, where it does.
    pub reference: Option<&'a dyn Scorer>,
}

impl UpdateStage<'_> {
    /// Runs one optimizer update a mini-batch.
    ///
    /// # Errors
    /// The engine fails.
    pub fn run(&self, trainer: &mut dyn Trainer, batch: &Batch<'_>) -> anyhow::Result<UpdateReport> {
        let Self { config, step, reference, .. } = *self;
        let adamw = optimizer(&config.optim, step);
        let mut report = UpdateReport {
            rollouts: vec![None; batch.dropped.len()],
            lr: adamw.lr,
            has_reference: reference.is_some(),
            ..UpdateReport::default()
        };
        for mini_batch in &batch.mini_batches {
            if mini_batch.num_tokens() == 0 {
                continue;
            }
            // One whose gradient is 0 is an update all the same: of AdamW's moments and its decay.
            accumulate(self, trainer, mini_batch, &mut report)?;
            let grad_norm = trainer.grad_norm()?;
            report.grad_norms.push(grad_norm);
            if grad_norm.is_finite() && grad_norm <= config.optim.skip_grad_norm {
                trainer.apply(&adamw, config.optim.max_grad_norm)?;
                report.num_applied += 1;
            } else {
                trainer.zero_grad()?;
                report.num_skipped += 1;
            }
        }
        Ok(report)
    }
}

/// AdamW with the run's constants and the learning rate of `step`.
pub fn optimizer(optim: &OptimSection, step: u32) -> AdamW {
    AdamW {
        lr: optim.lr_at(step),
        beta1: optim.beta1,
        beta2: optim.beta2,
        eps: optim.eps,
        weight_decay: optim.weight_decay,
    }
}

fn accumulate(
    stage: &UpdateStage<'_>,
    trainer: &mut dyn Trainer,
    mini_batch: &MiniBatch<'_>,
    report: &mut UpdateReport,
) -> anyhow::Result<()> {
    let config = stage.config;
    let size = mini_batch.size();
    let objective = Objective::new(&config.objective, stage.clip, config.rollout.max_new_tokens, size);
    report.num_tokens += size.tokens;
    report.num_computed_tokens += mini_batch.num_computed_tokens();
    for &(origin, tokens) in &mini_batch.idle {
        report.stats.add_idle(origin, tokens as u64);
    }
    let budget = config.objective.tokens_per_micro_batch as usize;
    for indices in trainer.micro_batches(&mini_batch.sequences, budget) {
        let sequences: Vec<Sequence<'_>> = indices.iter().map(|&index| mini_batch.sequences[index]).collect();
        let members: Vec<Member<'_>> = indices.iter().map(|&index| mini_batch.members[index]).collect();
        let mut stats = LossStats::default();
        let reference = stage.reference.map(|reference| reference.score(&sequences)).transpose()?;
        let reference = reference.as_ref().map(|scores| scores.logprobs.as_slice());
        trainer.accumulate_at(config.score_temperature(), &sequences, &mut |scores| {
            let (grads, of_micro_batch) = objective.evaluate(&members, scores, reference);
            stats = of_micro_batch;
            grads
        })?;
        for (&index, rollout) in indices.iter().zip(&stats.rollouts) {
            report.rollouts[mini_batch.rollout_idx[index]] = Some(*rollout);
        }
        report.stats.merge(&stats);
    }
    Ok(())
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
