//! Makes the base model of the default task: next-token training on workings of the corpus's writers. Seeded, so
//! that anybody can make the shipped weights again.

use std::collections::HashSet;

use anyhow::Context;
use rand::Rng;

use crate::default_task::arithmetic::{Chain, Habits, MAX_GRADE, Row};
use exgrpo_core::rng::Streams;
use exgrpo_core::types::TokenId;
use exgrpo_engine::{
    Actor, AdamW, ModelConfig, SampleRequest, Sampler, SamplingParams, ScoreGrads, Sequence, Trainer, Weights,
};
use exgrpo_models::tokenizer::Tokenizer;

/// How the base model is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pretraining {
    /// Optimizer steps.
    pub steps: u32,
    /// Workings a step.
    pub batch: u32,
    /// Peak learning rate: reached after a twentieth of the steps, then down to a tenth along a cosine.
    pub lr: f64,
    /// How the corpus's writers work.
    pub habits: Habits,
    /// Seed of the corpus.
    pub seed: u64,
}

/// How the shipped weights were made.
impl Default for Pretraining {
    fn default() -> Self {
        Self { steps: 1200, batch: 64, lr: 2e-3, habits: Habits::default(), seed: 0 }
    }
}

/// What a pretraining step reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PretrainReport {
    /// Steps done.
    pub step: u32,
    /// Mean negative log-prob of the step's tokens, in nats.
    pub loss: f64,
}

struct Example {
    prompt: Vec<TokenId>,
    completion: Vec<TokenId>,
}

/// Random weights of `config`, the same for the same seed.
pub fn random_weights(config: &ModelConfig, seed: u64) -> Weights {
    Weights::random(config, &mut Streams::new(seed).stream("weights", 0, 0))
}

/// Trains `actor` on workings of chains that are not among `excluded`, and reports every step.
pub fn run(
    actor: &mut Actor,
    tokenizer: &Tokenizer,
    pretraining: &Pretraining,
    excluded: &HashSet<String>,
    mut report: impl FnMut(&PretrainReport),
) -> anyhow::Result<()> {
    let streams = Streams::new(pretraining.seed);
    let end = tokenizer.id("<eos>")?;
    for step in 1..=pretraining.steps {
        let mut rng = streams.stream("corpus", u64::from(step), 0);
        let mut examples = Vec::with_capacity(pretraining.batch as usize);
        while examples.len() < pretraining.batch as usize {
            let chain = Chain::sample(rng.random_range(1..=MAX_GRADE), &mut rng);
            let Row { question, .. } = chain.row();
            if excluded.contains(&question) {
                continue;
            }
            let mut completion = tokenizer.encode(&chain.working(&pretraining.habits, &mut rng))?;
            completion.push(end);
            examples.push(Example { prompt: tokenizer.encode(&question)?, completion });
        }
        let loss = update(actor, &examples, learning_rate(pretraining, step))
            .with_context(|| format!("pretraining step {step}"))?;
        report(&PretrainReport { step, loss });
    }
    Ok(())
}

fn update(actor: &mut Actor, examples: &[Example], lr: f64) -> anyhow::Result<f64> {
    let sequences: Vec<Sequence<'_>> =
        examples.iter().map(|e| Sequence { prompt: &e.prompt, completion: &e.completion }).collect();
    let num_tokens: usize = examples.iter().map(|example| example.completion.len()).sum();
    let slope = -1.0 / num_tokens as f32;
    let mut loss = 0.0;
    for indices in actor.micro_batches(&sequences, 8192) {
        let sequences: Vec<Sequence<'_>> = indices.iter().map(|&index| sequences[index]).collect();
        actor.accumulate(&sequences, &mut |scores| {
            loss -=
                scores.logprobs.iter().map(|&logprob| f64::from(logprob)).sum::<f64>() / num_tokens as f64;
            ScoreGrads {
                logprobs: vec![slope; scores.logprobs.len()],
                entropies: vec![0.0; scores.entropies.len()],
            }
        })?;
    }
    actor.apply(&AdamW { lr, beta1: 0.9, beta2: 0.98, eps: 1e-8, weight_decay: 0.01 }, 1.0)?;
    Ok(loss)
}

fn learning_rate(pretraining: &Pretraining, step: u32) -> f64 {
    let warmup = f64::from(pretraining.steps) / 20.0;
    let step = f64::from(step);
    if step < warmup {
        return pretraining.lr * step / warmup;
    }
    let progress = (step - warmup) / (f64::from(pretraining.steps) - warmup).max(1.0);
    pretraining.lr * (0.55 + 0.45 * libm::cos(std::f64::consts::PI * progress))
}

/// How many of `samples` completions at temperature 1 give each row's answer. For a look at a base model before any
/// policy is involved.
pub fn successes(
    actor: &Actor,
    tokenizer: &Tokenizer,
    rows: &[Row],
    samples: u64,
    streams: &Streams,
) -> anyhow::Result<Vec<u32>> {
    let prompts =
        rows.iter().map(|row| tokenizer.encode(&row.question)).collect::<anyhow::Result<Vec<_>>>()?;
    let sampling = SamplingParams {
        temperature: 1.0,
        score_temperature: 1.0,
        top_p: 1.0,
        max_new_tokens: 64,
        stop_ids: vec![tokenizer.id("<eos>")?],
    };
    let requests = prompts.iter().enumerate().map(|(index, prompt)| {
        let stream = |sample| streams.stream("base", index as u64, sample);
        SampleRequest { prompt, streams: (0..samples).map(stream).collect() }
    });
    let completions = actor.sample(requests.collect(), &sampling)?;
    let mut counts = Vec::with_capacity(rows.len());
    for (row, completions) in rows.iter().zip(completions) {
        let mut count = 0;
        for completion in completions {
            let text = tokenizer.decode(&completion.ids)?;
            count += u32::from(completion.finished && text.rsplit(';').next() == Some(row.answer.as_str()));
        }
        counts.push(count);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use exgrpo_engine::Precision;
    use exgrpo_models::ModelSource;

    #[test]
    #[ignore = "takes two minutes: cargo test --release -p exgrpo-host --lib pretrain -- --ignored"]
    fn the_shipped_weights_are_made_again_bit_for_bit() {
        let shipped = ModelSource::read(&Config::default().model.path).unwrap();
        let held_out = include_str!("../../../../datasets/arithmetic/test.jsonl").lines();
        let excluded = held_out.map(|line| serde_json::from_str::<Row>(line).unwrap().question).collect();
        let pretraining = Pretraining::default();
        let weights = random_weights(&shipped.config, pretraining.seed);
        let mut actor = Actor::cpu(shipped.config, &weights, Precision::F32, 0).unwrap();
        run(&mut actor, &shipped.tokenizer, &pretraining, &excluded, |_| {}).unwrap();
        let made = actor.weights().unwrap().into_tensors();
        for (made, shipped) in made.iter().zip(shipped.weights.into_tensors()) {
            assert!(made.data == shipped.data, "{} differs", shipped.name);
        }
    }
}
