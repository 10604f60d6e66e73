//! Drawing a token from logits, with the generator of the completion that it belongs to.

use anyhow::{bail, ensure};
use rand_chacha::ChaCha8Rng;

use super::SamplingParams;
use super::cpu::{finite_max, softmax_weights, sum_f64};
use super::weights::unit_interval;
use exgrpo_core::types::{Completion, TokenId};

/// Tokens drawn so far for one completion, and the generator that draws them.
#[derive(Debug, Clone)]
pub(super) struct OpenCompletion {
    pub(super) completion: Completion,
    stream: ChaCha8Rng,
}

impl OpenCompletion {
    pub(super) fn new(stream: ChaCha8Rng) -> Self {
        Self { completion: Completion::default(), stream }
    }

    /// [`OpenCompletion::push`] for an engine that knows `ln Σ exp(logit)` and the entropy, of logits over the temperature of
    /// scores; `weights` is a buffer.
    pub(super) fn push_scored(
        &mut self,
        logits: &[f32],
        log_sum: f32,
        entropy: f32,
        sampling: &SamplingParams,
        weights: &mut Vec<f32>,
    ) -> anyhow::Result<bool> {
        let id = pick(logits, sampling, &mut self.stream, weights)?;
        let logprob = logits[id] * (1.0 / sampling.score_temperature) - log_sum;
        Ok(self.record(DrawnToken { id: id as TokenId, logprob, entropy }, sampling))
    }

    /// Draws the next token from the softmax of `logits`, `[V]`; true when the completion ends with it.
    #[cfg(feature = "candle")]
    pub(super) fn push(&mut self, logits: &[f32], sampling: &SamplingParams) -> anyhow::Result<bool> {
        let draw = draw(logits, sampling, &mut self.stream)?;
        Ok(self.record(draw, sampling))
    }

    fn record(&mut self, draw: DrawnToken, sampling: &SamplingParams) -> bool {
        self.completion.ids.push(draw.id);
        self.completion.logprobs.push(draw.logprob);
        self.completion.entropies.push(draw.entropy);
        self.completion.finished = sampling.stop_ids.contains(&draw.id);
        self.completion.finished || self.completion.ids.len() >= sampling.max_new_tokens
    }
}

#[derive(Debug)]
struct DrawnToken {
    id: TokenId,
    /// At the temperature of scores, over the full vocabulary.
    logprob: f32,
    /// Nats, at the temperature of scores, over the full vocabulary.
    entropy: f32,
}

#[cfg(any(test, feature = "candle"))]
fn draw(logits: &[f32], sampling: &SamplingParams, stream: &mut ChaCha8Rng) -> anyhow::Result<DrawnToken> {
    let id = pick(logits, sampling, stream, &mut Vec::new())?;
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut weighted) = (0.0f64, 0.0f64);
    let sharpness = 1.0 / sampling.score_temperature;
    for logit in logits {
        let shifted = (logit - max) * sharpness;
        let exponential = f64::from(shifted.exp());
        sum += exponential;
        weighted += exponential * f64::from(shifted);
    }
    let log_sum = sum.ln();
    Ok(DrawnToken {
        id: id as TokenId,
        logprob: (f64::from((logits[id] - max) * sharpness) - log_sum) as f32,
        entropy: (log_sum - weighted / sum) as f32,
    })
}

/// Takes one 64-bit number from `stream` unless the temperature is 0.
fn pick(
    logits: &[f32],
    sampling: &SamplingParams,
    stream: &mut ChaCha8Rng,
    weights: &mut Vec<f32>,
) -> anyhow::Result<usize> {
    pick_at(logits, sampling.temperature, sampling.top_p, || unit_interval(stream), weights)
}

/// Walks the cumulative distribution in the order of the vocabulary, in f64, up to a number that is uniform in [0, 1).
pub(super) fn pick_at(
    logits: &[f32],
    temperature: f32,
    top_p: f32,
    uniform: impl FnOnce() -> f64,
    weights: &mut Vec<f32>,
) -> anyhow::Result<usize> {
    ensure!(!logits.is_empty(), "there is no token to draw from");
    let Some(max) = finite_max(logits) else {
        let id = logits.iter().position(|logit| !logit.is_finite()).unwrap_or_default();
        bail!("the logit of token {id} is {}: have the weights diverged?", logits[id]);
    };
    if temperature == 0.0 {
        return Ok(logits.iter().position(|logit| *logit == max).unwrap_or_default());
    }
    weights.resize(logits.len(), 0.0);
    softmax_weights(logits, max, temperature, weights);
    if top_p < 1.0 {
        keep_nucleus(weights, top_p);
    }
    Ok(walk(weights, uniform()))
}

/// Zeroes all but the smallest set of likeliest tokens that holds `top_p` of the weight; among equal weights the
/// lower id is likelier.
fn keep_nucleus(weights: &mut [f32], top_p: f32) {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_unstable_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
    let wanted = f64::from(top_p) * sum_f64(weights);
    let mut held = 0.0;
    for id in order {
        let weight = f64::from(weights[id]);
        if held >= wanted {
            weights[id] = 0.0;
        }
        held += weight;
    }
}

/// First token at which the running sum exceeds `uniform` of the whole; never one of weight 0.
fn walk(weights: &[f32], uniform: f64) -> usize {
    /// Tokens whose sum is known, so that a walk can pass them at a stride.
    const STRIDE: usize = 256;
    let sums: Vec<f64> = weights.chunks(STRIDE).map(sum_f64).collect();
    let wanted = uniform * sums.iter().sum::<f64>();
    let mut held = 0.0;
    let mut first = 0;
    for sum in sums {
        if held + sum > wanted {
            break;
        }
        held += sum;
        first += STRIDE;
    }
    for (id, &weight) in weights.iter().enumerate().skip(first) {
        held += f64::from(weight);
        if weight > 0.0 && held > wanted {
            return id;
        }
    }
    // Rounding left nothing above the wanted sum.
    weights.iter().rposition(|weight| *weight > 0.0).unwrap_or_default()
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
