//! Completions of questions, sampled and judged: what benchmarks and a run's held-out evaluation have in common.

use rand_chacha::ChaCha8Rng;

use exgrpo_core::types::{Completion, Question, Verdict};
use exgrpo_engine::{SampleRequest, Sampler, SamplingParams};
use exgrpo_models::tokenizer::Tokenizer;
use exgrpo_policy::{PolicySet, VerifyRequest, VerifyResult};

/// Who is asked, and who judges.
pub struct Grader<'a> {
    /// The network.
    pub sampler: &'a dyn Sampler,
    /// Text of completions.
    pub tokenizer: &'a Tokenizer,
    /// How completions are sampled.
    pub sampling: SamplingParams,
    /// The verifier, and nothing else that matters.
    pub policies: &'a mut PolicySet,
}

/// A completion and what the verifier says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Tokens.
    pub completion: Completion,
    /// Its text, special tokens left out.
    pub text: String,
    /// The verifier's word.
    pub verdict: Verdict,
    /// Extracted answer, when the verifier reports one.
    pub answer: Option<String>,
}

impl Grader<'_> {
    /// One judged completion a stream, question by question; the verifier is asked in the name of `step`.
    ///
    /// # Errors
    /// Sampling fails, or the verifier does and the failure rule is `stop`.
    pub fn grade(
        &mut self,
        asked: Vec<(&Question, Vec<ChaCha8Rng>)>,
        step: u32,
    ) -> anyhow::Result<Vec<Vec<Judged>>> {
        let questions: Vec<&Question> = asked.iter().map(|(question, _)| *question).collect();
        let requests = asked
            .into_iter()
            .map(|(question, streams)| SampleRequest { prompt: &question.prompt_ids, streams });
        let completions = self.sampler.sample(requests.collect(), &self.sampling)?;
        let mut requests = Vec::new();
        for (question, completions) in questions.iter().zip(&completions) {
            for completion in completions {
                requests.push(VerifyRequest {
                    prompt: question.prompt.clone(),
                    reference: question.answer.clone(),
                    response: self.tokenizer.decode(&completion.ids)?,
                    finished: completion.finished,
                });
            }
        }
        let mut results = self.policies.verify(step, &requests)?.answer.into_iter().zip(requests);
        let judged = completions.into_iter().map(|completions| {
            // Completions first: the zip ends with them and takes no result too many.
            let pairs = completions.into_iter().zip(results.by_ref());
            let judge = |(completion, (result, request)): (Completion, (VerifyResult, VerifyRequest))| {
                Judged { completion, text: request.response, verdict: result.verdict, answer: result.answer }
            };
            pairs.map(judge).collect()
        });
        Ok(judged.collect())
    }
}
