//! Tokens per second of each engine on a small model: `cargo bench -p exgrpo-host --bench actor`.
//!
//! 256 sequences as a training step has them: 32 questions with 8 members each, about 50 tokens a sequence. Training
//! and scoring count the tokens of prompts and completions, sampling counts the new ones.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints a table")]

use std::time::Instant;

use candle_core::Device;
use exgrpo_host::model::{
    Actor, AdamW, ModelConfig, SampleRequest, Sampling, ScoreGrads, Sequence, Weights, micro_batches,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

const MODEL: &str = r#"{"model_type": "qwen2", "vocab_size": 64, "hidden_size": 128, "intermediate_size": 384,
    "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
    "tie_word_embeddings": true}"#;
const GROUP_SIZE: usize = 8;
const TOKEN_BUDGET: usize = 2048;
const ROUNDS: usize = 5;

fn main() {
    let config: ModelConfig = serde_json::from_str(MODEL).unwrap();
    let weights = Weights::random(&config, &mut ChaCha8Rng::seed_from_u64(1));
    let mut stream = ChaCha8Rng::seed_from_u64(2);
    let mut tokens = |len: usize| -> Vec<u32> { (0..len).map(|_| stream.next_u32() % 64).collect() };
    let prompts: Vec<Vec<u32>> = (0..32).map(|at| tokens(12 + at % 9)).collect();
    let completions: Vec<Vec<u32>> = (0..256).map(|at| tokens(24 + (at * 7) % 21)).collect();
    let batch: Vec<Sequence<'_>> = completions
        .iter()
        .enumerate()
        .map(|(at, completion)| Sequence { prompt: &prompts[at / GROUP_SIZE], completion })
        .collect();
    let lengths: Vec<usize> = batch.iter().map(|s| s.prompt.len() + s.completion.len()).collect();
    let num_tokens: usize = lengths.iter().sum();
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, max_new_tokens: 34, stop_ids: vec![] };

    let mut actor = Actor::candle(config, weights, Device::Cpu).unwrap();
    println!("{} parameters, {} sequences, {num_tokens} tokens", actor.num_parameters(), batch.len());
    report("accumulate + apply", || {
        for indices in micro_batches(&lengths, TOKEN_BUDGET) {
            let sequences: Vec<Sequence<'_>> = indices.iter().map(|&index| batch[index]).collect();
            let mut loss = |scores: &exgrpo_host::model::Scores| ScoreGrads {
                logprobs: vec![-1e-4; scores.logprobs.len()],
                entropies: vec![1e-5; scores.logprobs.len()],
            };
            actor.accumulate(&sequences, &mut loss).unwrap();
        }
        let optim = AdamW { lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 };
        assert!(actor.apply(&optim, 1.0).unwrap().applied);
        num_tokens
    });
    report("score", || {
        actor.score(&batch).unwrap();
        num_tokens
    });
    report("sample", || {
        let requests = prompts.iter().enumerate().map(|(request, prompt)| SampleRequest {
            prompt,
            streams: (0..GROUP_SIZE)
                .map(|member| ChaCha8Rng::seed_from_u64((request * GROUP_SIZE + member) as u64))
                .collect(),
        });
        let groups = actor.sample(requests.collect(), &sampling).unwrap();
        groups.iter().flatten().map(|completion| completion.ids.len()).sum()
    });
}

/// Prints the median of several rounds after one that warms up.
fn report(what: &str, mut round: impl FnMut() -> usize) {
    let mut rates: Vec<f64> = (0..=ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round() as f64 / start.elapsed().as_secs_f64()
        })
        .skip(1)
        .collect();
    rates.sort_by(f64::total_cmp);
    println!("candle  {what:<20} {:>9.0} tokens/s", rates[ROUNDS / 2]);
}
