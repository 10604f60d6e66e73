//! Stage 3: rewards and advantages. Every rollout is judged, a replayed one too: the verifier may have changed since
//! it was stored.

use crate::config::Advantage;
use crate::dataset::Dataset;
use exgrpo_core::types::RolloutGroup;
use exgrpo_engine::objective::assign_advantages;
use exgrpo_policy::{Answered, PolicySet, Stop, VerifyRequest};

/// Asks the verifier for every rollout's verdict and writes verdicts, rewards and advantages into the groups. Answers
/// who gave the verdicts: SHA-256 of the policy, or [`BUILTIN`](exgrpo_core::journal::BUILTIN).
pub fn score(
    policies: &mut PolicySet,
    dataset: &Dataset,
    step: u32,
    advantage: Advantage,
    groups: &mut [RolloutGroup],
) -> Result<String, Stop> {
    let requests: Vec<VerifyRequest> = groups
        .iter()
        .flat_map(|group| {
            let question = &dataset.questions[group.row as usize];
            group.rollouts.iter().map(move |rollout| VerifyRequest {
                prompt: question.prompt.clone(),
                reference: question.answer.clone(),
                response: rollout.text.clone(),
                finished: rollout.completion.finished,
            })
        })
        .collect();
    let Answered { answer: results, by } = policies.verify(step, &requests)?;
    for (rollout, result) in groups.iter_mut().flat_map(|group| &mut group.rollouts).zip(results) {
        rollout.verdict = result.verdict;
        rollout.reward = result.reward;
        rollout.answer = result.answer;
        rollout.verifier_fuel = result.fuel;
    }
    for group in groups {
        assign_advantages(group, advantage);
    }
    Ok(by)
}
