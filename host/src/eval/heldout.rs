//! Accuracy on questions that training never sees.

use crate::config::EvalSection;
use crate::dataset::Dataset;
use crate::guest::{PolicySet, VerifyRequest};
use crate::model::{Actor, SampleRequest, Sampling};
use crate::rng::Streams;
use crate::tokenizer::Tokenizer;
use crate::types::{TokenId, Verdict};

/// What an evaluation needs.
#[derive(Debug)]
pub struct Evaluation<'a> {
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

/// Outcome of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// Share of correct completions among those that were scored.
    pub mean: f64,
    /// Half-width of the 95 % interval: 1.96 standard errors over questions.
    pub half_width: f64,
    /// Completions that the verifier could not score.
    pub num_unscored: usize,
}

impl Evaluation<'_> {
    /// Samples `section.samples` completions of every question and has them judged, in the name of `step`.
    pub fn run(&self, actor: &Actor, policies: &mut PolicySet, step: u32) -> anyhow::Result<Accuracy> {
        let sampling = Sampling {
            temperature: self.section.temperature,
            top_p: self.section.top_p,
            max_new_tokens: self.max_new_tokens as usize,
            stop_ids: self.stop_ids.to_vec(),
        };
        let samples = u64::from(self.section.samples);
        let requests = self.dataset.questions.iter().enumerate().map(|(index, question)| {
            let stream =
                |sample| self.streams.stream("heldout", u64::from(step), index as u64 * samples + sample);
            SampleRequest { prompt: &question.prompt_ids, streams: (0..samples).map(stream).collect() }
        });
        let completions = actor.sample(requests.collect(), &sampling)?;
        let mut requests = Vec::new();
        for (question, completions) in self.dataset.questions.iter().zip(&completions) {
            for completion in completions {
                requests.push(VerifyRequest {
                    prompt: question.prompt.clone(),
                    reference: question.answer.clone(),
                    response: self.tokenizer.decode(&completion.ids)?,
                    finished: completion.finished,
                });
            }
        }
        let verdicts: Vec<Verdict> =
            policies.verify(step, &requests)?.into_iter().map(|result| result.verdict).collect();
        Ok(accuracy(&verdicts, samples as usize))
    }
}

/// Accuracy over questions of `samples` verdicts each.
fn accuracy(verdicts: &[Verdict], samples: usize) -> Accuracy {
    let shares: Vec<f64> = verdicts
        .chunks(samples)
        .filter_map(|question| {
            let scored = question.iter().filter(|verdict| verdict.is_scored()).count();
            let correct = question.iter().filter(|verdict| **verdict == Verdict::Correct).count();
            (scored > 0).then(|| correct as f64 / scored as f64)
        })
        .collect();
    let count = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / count;
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    Accuracy {
        mean,
        half_width: 1.96 * (variance / count).sqrt(),
        num_unscored: verdicts.iter().filter(|verdict| !verdict.is_scored()).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_is_a_mean_over_questions_and_unscored_completions_are_left_out() {
        use Verdict::{Correct, Incorrect, Unscorable};
        let have = accuracy(
            &[Correct, Correct, Incorrect, Correct, Unscorable, Incorrect, Unscorable, Unscorable],
            2,
        );
        // By hand: shares 1, 1/2, 0 and one question without any; variance 1/4, error sqrt(1/12).
        assert_eq!((have.mean, have.num_unscored), (0.5, 3));
        assert!((have.half_width - 1.96 * (1.0f64 / 12.0).sqrt()).abs() < 1e-12);
    }
}
