//! Stage 2: completions for a plan's groups.

use anyhow::Context;

use crate::config::Config;
use crate::dataset::Dataset;
use crate::stages::select::Plan;
use exgrpo_core::rng::Streams;
use exgrpo_core::types::{Completion, Origin, Rollout, RolloutGroup, TokenId, Verdict};
use exgrpo_engine::{SampleRequest, Sampler, SamplingParams};
use exgrpo_models::tokenizer::Tokenizer;
use exgrpo_pool::ExperiencePool;

/// What rolling out needs beside the plan.
#[derive(Debug)]
pub struct RolloutStage<'a> {
    /// Configuration.
    pub config: &'a Config,
    /// Questions.
    pub dataset: &'a Dataset,
    /// Stored trajectories.
    pub pool: &'a ExperiencePool,
    /// Text of completions.
    pub tokenizer: &'a Tokenizer,
    /// Tokens that end a completion.
    pub stop_ids: &'a [TokenId],
    /// Random streams.
    pub streams: &'a Streams,
    /// Step.
    pub step: u32,
    /// Version of the actor's weights.
    pub weights_version: u32,
}

impl RolloutStage<'_> {
    /// Samples the plan: K fresh completions a group, or K - 1 behind the stored or demonstrated one. Each completion
    /// draws from a stream of its own.
    pub fn sample(&self, sampler: &dyn Sampler, plan: &Plan) -> anyhow::Result<Vec<RolloutGroup>> {
        let rollout = &self.config.rollout;
        let sampling = SamplingParams {
            temperature: rollout.temperature,
            score_temperature: self.config.score_temperature(),
            top_p: rollout.top_p,
            max_new_tokens: rollout.max_new_tokens as usize,
            stop_ids: self.stop_ids.to_vec(),
        };
        let requests = plan.groups.iter().enumerate().map(|(index, group)| {
            let first_fresh = u32::from(group.experience_id.is_some() || group.is_demonstrated);
            let stream = |member| {
                let place = index as u64 * u64::from(rollout.group_size) + u64::from(member);
                self.streams.stream("rollout", u64::from(self.step), place)
            };
            SampleRequest {
                prompt: &self.dataset.questions[group.row as usize].prompt_ids,
                streams: (first_fresh..rollout.group_size).map(stream).collect(),
            }
        });
        let completions = sampler.sample(requests.collect(), &sampling)?;
        plan.groups
            .iter()
            .zip(completions)
            .map(|(planned, completions)| {
                let mut rollouts = Vec::with_capacity(rollout.group_size as usize);
                if let Some(id) = planned.experience_id {
                    rollouts.push(self.replayed(planned.row, id)?);
                } else if planned.is_demonstrated {
                    rollouts.push(self.demonstrated(planned.row)?);
                }
                for completion in completions {
                    rollouts.push(self.rollout(
                        completion,
                        Origin::Fresh,
                        self.step,
                        self.weights_version,
                    )?);
                }
                Ok(RolloutGroup { row: planned.row, drawn_from: planned.drawn_from, rollouts })
            })
            .collect()
    }

    fn replayed(&self, row: u32, id: u64) -> anyhow::Result<Rollout> {
        let experience = self
            .pool
            .experience(row, id)
            .with_context(|| format!("question row {row} has no stored trajectory {id}"))?;
        let rollout = self.rollout(
            experience.completion(),
            Origin::Replayed,
            experience.step,
            experience.weights_version,
        )?;
        Ok(Rollout { experience_id: Some(experience.id), ..rollout })
    }

    /// The dataset's solution. Its writer's probabilities are unknown and count as 1.
    fn demonstrated(&self, row: u32) -> anyhow::Result<Rollout> {
        let ids = self.dataset.questions[row as usize].demonstration_ids.clone().unwrap_or_default();
        let completion = Completion {
            logprobs: vec![0.0; ids.len()],
            entropies: vec![f32::NAN; ids.len()],
            finished: true,
            ids,
        };
        self.rollout(completion, Origin::Demonstrated, self.step, self.weights_version)
    }

    fn rollout(
        &self,
        completion: Completion,
        origin: Origin,
        sampled_step: u32,
        weights_version: u32,
    ) -> anyhow::Result<Rollout> {
        Ok(Rollout {
            text: self.tokenizer.decode(&completion.ids)?,
            completion,
            origin,
            experience_id: None,
            sampled_step,
            weights_version,
            verdict: Verdict::Unscorable,
            reward: 0.0,
            answer: None,
            verifier_fuel: 0,
            advantage: 0.0,
        })
    }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
