//! Stages 6 and 7: the loss of each mini-batch, its gradient, and the optimizer's update.

use crate::config::Config;
use crate::stages::batch::{Batch, MiniBatch};
use exgrpo_engine::objective::{LossStats, Member, Objective, RolloutStats};
use exgrpo_engine::{Actor, AdamW, Sequence};

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
    /// Completion tokens of all scored rollouts.
    pub num_tokens: usize,
    /// Those of them that were computed: without the ones of groups whose gradient is 0.
    pub num_computed_tokens: usize,
}

/// Runs one optimizer update a mini-batch. `clip` says whether fresh tokens are clipped in this step.
pub fn run(
    actor: &mut Actor,
    batch: &Batch<'_>,
    config: &Config,
    clip: bool,
) -> anyhow::Result<UpdateReport> {
    let mut report = UpdateReport { rollouts: vec![None; batch.dropped.len()], ..UpdateReport::default() };
    for mini_batch in &batch.mini_batches {
        if mini_batch.num_tokens() == 0 {
            continue;
        }
        // One whose gradient is 0 is an update all the same: of AdamW's moments and its decay.
        accumulate(actor, mini_batch, config, clip, &mut report)?;
        let grad_norm = actor.grad_norm()?;
        report.grad_norms.push(grad_norm);
        if grad_norm.is_finite() && grad_norm <= config.optim.skip_grad_norm {
            actor.apply(&optimizer(config), config.optim.max_grad_norm)?;
            report.num_applied += 1;
        } else {
            actor.zero_grad()?;
            report.num_skipped += 1;
        }
    }
    Ok(report)
}

/// AdamW with the run's constants.
pub fn optimizer(config: &Config) -> AdamW {
    let optim = &config.optim;
    AdamW {
        lr: optim.lr,
        beta1: optim.beta1,
        beta2: optim.beta2,
        eps: optim.eps,
        weight_decay: optim.weight_decay,
    }
}

fn accumulate(
    actor: &mut Actor,
    mini_batch: &MiniBatch<'_>,
    config: &Config,
    clip: bool,
    report: &mut UpdateReport,
) -> anyhow::Result<()> {
    let num_tokens = mini_batch.num_tokens();
    let objective = Objective::new(&config.objective, clip, config.rollout.max_new_tokens, num_tokens);
    report.num_tokens += num_tokens;
    report.num_computed_tokens += mini_batch.num_computed_tokens();
    for &(origin, tokens) in &mini_batch.idle {
        report.stats.add_idle(origin, tokens as u64);
    }
    let budget = config.objective.tokens_per_micro_batch as usize;
    for indices in actor.micro_batches(&mini_batch.sequences, budget) {
        let sequences: Vec<Sequence<'_>> = indices.iter().map(|&index| mini_batch.sequences[index]).collect();
        let members: Vec<Member<'_>> = indices.iter().map(|&index| mini_batch.members[index]).collect();
        let mut stats = LossStats::default();
        actor.accumulate_at(config.score_temperature(), &sequences, &mut |scores| {
            let (grads, of_micro_batch) = objective.evaluate(&members, scores);
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
