//! Accuracy on questions that training never sees.

use super::grade::Grader;
use super::report::share_correct;
use crate::config::EvalSection;
use crate::dataset::Dataset;
use exgrpo_core::rng::Streams;
use exgrpo_core::types::TokenId;
use exgrpo_engine::{Sampler, SamplingParams};
use exgrpo_models::tokenizer::Tokenizer;
use exgrpo_policy::PolicySet;

/// What an evaluation needs.
#[derive(Debug)]
pub struct HeldOut<'a> {
    /// Samples and temperature.
    pub section: &'a EvalSection,
    /// Held-out questions.
    pub dataset: &'a Dataset,
    /// Text of completions.
    pub tokenizer: &'a Tokenizer,
    /// Tokens that end a completion.
    pub stop_ids: &'a [TokenId],
    /// Longest completion in tokens.
    pub max_new_tokens: u32,
    /// Random streams.
    pub streams: &'a Streams,
}

impl HeldOut<'_> {
    /// Accuracy of `section.samples` completions of every question, judged in the name of `step`: the mean over questions
    /// of the share correct among those that were scored. NaN when none was.
    ///
    /// # Errors
    /// Sampling fails, or the verifier does and the failure rule is `stop`.
    pub fn run(&self, sampler: &dyn Sampler, policies: &mut PolicySet, step: u32) -> anyhow::Result<f64> {
        let samples = u64::from(self.section.samples);
        let asked = self.dataset.questions.iter().enumerate().map(|(index, question)| {
            let stream =
                |sample| self.streams.stream("heldout", u64::from(step), index as u64 * samples + sample);
            (question, (0..samples).map(stream).collect())
        });
        let mut grader = Grader {
            sampler,
            tokenizer: self.tokenizer,
            sampling: SamplingParams {
                temperature: self.section.temperature,
                score_temperature: 1.0,
                top_p: self.section.top_p,
                max_new_tokens: self.max_new_tokens as usize,
                stop_ids: self.stop_ids.to_vec(),
            },
            policies,
        };
        let judged = grader.grade(asked.collect(), step)?;
        let shares: Vec<f64> = judged
            .iter()
            .filter_map(|judged| share_correct(judged.iter().map(|judged| judged.verdict)))
            .collect();
        Ok(shares.iter().sum::<f64>() / shares.len() as f64)
    }
}
