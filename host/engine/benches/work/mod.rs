//! The work that benchmarks measure: networks of three shapes, prompts, and a GRPO step in its parts.

#![allow(dead_code, reason = "each benchmark uses some of it")]

use std::time::Instant;

use exgrpo_core::types::{Completion, TokenId};
use exgrpo_engine::{
    Actor, AdamW, ModelConfig, Precision, SampleRequest, Sampler, SamplingParams, ScoreGrads, Scores,
    Sequence, Trainer, Weights, cpu,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

/// Members of a group.
pub(crate) const GROUP_SIZE: usize = 8;

/// A network and the size of its step.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) model: &'static str,
    pub(crate) questions: usize,
    /// Tokens of a prompt.
    pub(crate) prompt: usize,
    /// Tokens of a completion; none ends early.
    pub(crate) new: usize,
    pub(crate) token_budget: usize,
    /// Rounds of a measurement.
    pub(crate) rounds: usize,
}

pub(crate) const SHAPES: [Shape; 3] = [
    Shape {
        name: "default",
        model: r#"{"model_type": "qwen2", "vocab_size": 64, "hidden_size": 128, "intermediate_size": 384,
            "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
            "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
            "tie_word_embeddings": true}"#,
        questions: 32,
        prompt: 16,
        new: 34,
        token_budget: 4096,
        rounds: 9,
    },
    Shape {
        name: "small",
        model: r#"{"model_type": "llama", "vocab_size": 64, "hidden_size": 256, "intermediate_size": 768,
            "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
            "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "tie_word_embeddings": true}"#,
        questions: 32,
        prompt: 32,
        new: 64,
        token_budget: 4096,
        rounds: 7,
    },
    Shape {
        name: "smollm",
        model: r#"{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
            "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
            "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 100000.0,
            "tie_word_embeddings": true}"#,
        questions: 8,
        prompt: 64,
        new: 64,
        token_budget: 4096,
        rounds: 3,
    },
];

impl Shape {
    /// The shape of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        SHAPES.iter().find(|shape| shape.name == name)
    }

    /// A network with random weights on the engine of our own, on all cores.
    pub(crate) fn actor(&self, precision: Precision) -> Actor {
        let config: ModelConfig = serde_json::from_str(self.model).unwrap();
        let weights = Weights::random(&config, &mut ChaCha8Rng::seed_from_u64(1));
        Actor::cpu(config, &weights, precision, 0).unwrap()
    }

    /// `count` random sequences of `len` tokens.
    pub(crate) fn tokens(&self, count: usize, len: usize, seed: u64) -> Vec<Vec<TokenId>> {
        let config: ModelConfig = serde_json::from_str(self.model).unwrap();
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        let vocab_size = config.vocab_size as u32;
        (0..count).map(|_| (0..len).map(|_| stream.next_u32() % vocab_size).collect()).collect()
    }

    pub(crate) fn prompts(&self) -> Vec<Vec<TokenId>> {
        self.tokens(self.questions, self.prompt, 2)
    }

    /// `members` completions of each prompt.
    pub(crate) fn sample(
        &self,
        actor: &Actor,
        prompts: &[Vec<TokenId>],
        members: usize,
    ) -> Vec<Vec<Completion>> {
        let sampling = SamplingParams {
            temperature: 1.0,
            score_temperature: 1.0,
            top_p: 1.0,
            max_new_tokens: self.new,
            stop_ids: Vec::new(),
        };
        let stream = |at: usize| ChaCha8Rng::seed_from_u64(at as u64);
        let requests = prompts.iter().enumerate().map(|(question, prompt)| SampleRequest {
            prompt,
            streams: (0..members).map(|member| stream(question * members + member)).collect(),
        });
        actor.sample(requests.collect(), &sampling).unwrap()
    }

    /// Forward and backward on a batch of which every other sequence is rewarded.
    pub(crate) fn accumulate(&self, actor: &mut Actor, batch: &[Sequence<'_>]) {
        for indices in actor.micro_batches(batch, self.token_budget) {
            let sequences: Vec<Sequence<'_>> = indices.iter().map(|&index| batch[index]).collect();
            let slopes: Vec<f32> = indices
                .iter()
                .flat_map(|&index| {
                    let advantage = if index % 2 == 0 { 1.0 } else { -1.0 };
                    vec![-advantage / 64.0; batch[index].completion.len()]
                })
                .collect();
            let mut loss = |scores: &Scores| ScoreGrads {
                logprobs: slopes.clone(),
                entropies: vec![-1e-6; scores.entropies.len()],
            };
            actor.accumulate(&sequences, &mut loss).unwrap();
        }
    }
}

/// One step of the optimizer.
pub(crate) fn apply(actor: &mut Actor) {
    let optim = AdamW { lr: 1e-6, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 };
    assert!(actor.apply(&optim, 1.0).unwrap().applied);
}

/// Prompts and completions as sequences, group by group.
pub(crate) fn sequences<'a>(prompts: &'a [Vec<TokenId>], groups: &'a [Vec<Completion>]) -> Vec<Sequence<'a>> {
    let groups = prompts.iter().zip(groups);
    let of = |(prompt, group): (&'a Vec<TokenId>, &'a Vec<Completion>)| {
        group.iter().map(move |completion| Sequence { prompt, completion: &completion.ids })
    };
    groups.flat_map(of).collect()
}

/// Largest resident set so far in 10^9 bytes; 0 where the system doesn't say.
pub(crate) fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() * 1024.0 / 1e9
}

/// Products of a training pass in 10^9 operations, attention left out: forward once, backward twice.
pub(crate) fn train_gflop(config: &ModelConfig, rows: f64, head_rows: f64) -> f64 {
    let head = (config.vocab_size * config.hidden_size) as f64;
    let embeddings = if config.tie_word_embeddings { head } else { 2.0 * head };
    let layers = config.num_parameters() as f64 - embeddings;
    6.0 * (layers * rows + head * head_rows) / 1e9
}

/// What this machine does now in products of a shape that suits its caches: 10^9 operations a second, and how many
/// were done.
pub(crate) fn product_rate(precision: Precision) -> (f64, f64) {
    let (size, repetitions) = ([512, 512, 1024], 400);
    let gflop = 2e-9 * repetitions as f64 * size.iter().product::<usize>() as f64;
    let begin = Instant::now();
    cpu::repeat_product(size, precision, repetitions);
    (gflop / begin.elapsed().as_secs_f64(), gflop)
}

/// Values that [`read_rate`] reads, more than a cache holds.
pub(crate) const READ_VALUES: usize = 1 << 25;

/// How fast this machine reads memory now, in 10^9 bytes a second.
pub(crate) fn read_rate() -> f64 {
    let buffer = vec![1u64; READ_VALUES];
    let read = || {
        let begin = Instant::now();
        let sum: u64 = buffer.par_chunks(1 << 18).map(|part| part.iter().sum::<u64>()).sum();
        assert_eq!(sum, READ_VALUES as u64);
        begin.elapsed().as_secs_f64()
    };
    let mut seconds: Vec<f64> = (0..9).map(|_| read()).collect();
    seconds.sort_by(f64::total_cmp);
    size_of_val(&*buffer) as f64 / seconds[4] / 1e9
}
