//! Stage 5: from groups to mini-batches. Nothing leaves the loss without being counted.

use crate::config::ObjectiveSection;
use crate::dataset::Dataset;
use exgrpo_core::types::{Origin, RolloutGroup, Verdict};
use exgrpo_engine::Sequence;
use exgrpo_engine::objective::{Member, MiniBatchSize};

/// The sequences of one optimizer update; the first three columns have equal length.
#[derive(Debug, Default)]
pub struct MiniBatch<'a> {
    /// Token ids.
    pub sequences: Vec<Sequence<'a>>,
    /// Each sequence's part in the loss.
    pub members: Vec<Member<'a>>,
    /// Each sequence's position among all rollouts of the step.
    pub rollout_idx: Vec<usize>,
    /// Origin and completion tokens of each scored rollout that is left out because its gradient is 0. It is part of
    /// the loss, and of every mean over tokens or sequences.
    pub idle: Vec<(Origin, usize)>,
}

impl MiniBatch<'_> {
    /// Completion tokens of all scored rollouts: what a token mean is over, whether or not they are computed.
    pub fn num_tokens(&self) -> usize {
        self.num_computed_tokens() + self.idle.iter().map(|(_, tokens)| tokens).sum::<usize>()
    }

    /// What means are over.
    pub fn size(&self) -> MiniBatchSize {
        MiniBatchSize { sequences: self.sequences.len() + self.idle.len(), tokens: self.num_tokens() }
    }

    /// Completion tokens of `sequences`.
    pub fn num_computed_tokens(&self) -> usize {
        self.members.iter().map(|member| member.old_logprobs.len()).sum()
    }
}

/// Why a rollout is not in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// The verifier could not tell.
    Unscorable,
    /// The verifier's budget ran out.
    OutOfBudget,
    /// All members of the group have advantage 0, and there is neither an entropy bonus nor a divergence: its gradient is 0.
    ZeroAdvantage,
}

impl DropReason {
    /// The word used in logs and metric keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unscorable => "unscorable",
            Self::OutOfBudget => "out-of-budget",
            Self::ZeroAdvantage => "zero-advantage",
        }
    }
}

/// A step's mini-batches.
#[derive(Debug)]
pub struct Batch<'a> {
    /// `objective.updates` of them, in the order of the groups.
    pub mini_batches: Vec<MiniBatch<'a>>,
    /// For every rollout of the step why it was left out, if it was. `[B]`
    pub dropped: Vec<Option<DropReason>>,
}

/// Splits the groups into equal mini-batches and leaves out what can't or needn't train.
pub fn assemble<'a>(
    groups: &'a [RolloutGroup],
    dataset: &'a Dataset,
    objective: &ObjectiveSection,
) -> Batch<'a> {
    let per_update = groups.len().div_ceil(objective.updates as usize).max(1);
    let mut batch = Batch { mini_batches: Vec::new(), dropped: Vec::new() };
    for groups in groups.chunks(per_update) {
        let mut mini_batch = MiniBatch::default();
        for group in groups {
            let idle = objective.entropy_coefficient == 0.0
                && objective.kl_coefficient == 0.0
                && group.scored().all(|rollout| rollout.advantage == 0.0);
            for rollout in &group.rollouts {
                let reason = match rollout.verdict {
                    Verdict::Unscorable => Some(DropReason::Unscorable),
                    Verdict::OutOfBudget => Some(DropReason::OutOfBudget),
                    _ if idle => Some(DropReason::ZeroAdvantage),
                    _ => None,
                };
                if reason.is_none() {
                    mini_batch.rollout_idx.push(batch.dropped.len());
                    mini_batch.sequences.push(Sequence {
                        prompt: &dataset.questions[group.row as usize].prompt_ids,
                        completion: &rollout.completion.ids,
                    });
                    mini_batch.members.push(Member {
                        advantage: rollout.advantage,
                        origin: rollout.origin,
                        old_logprobs: &rollout.completion.logprobs,
                    });
                }
                if reason == Some(DropReason::ZeroAdvantage) {
                    mini_batch.idle.push((rollout.origin, rollout.completion.ids.len()));
                }
                batch.dropped.push(reason);
            }
        }
        batch.mini_batches.push(mini_batch);
    }
    batch
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
