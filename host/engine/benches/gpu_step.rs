//! The GRPO step of a published shape on a GPU: `cargo bench -p exgrpo-engine --features cuda --bench gpu_step -- --help`.
//!
//! Weights are random, nothing stops early, half of each group is rewarded. Figures are medians of rounds after one that
//! warms up, printed for people on stderr and as one line of JSON on stdout.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a program that prints figures"
)]

use std::time::Instant;

use exgrpo_core::types::Completion;
use exgrpo_engine::{
    Actor, AdamW, ModelConfig, NamedTensor, Precision, SampleRequest, Sampler, SamplingParams, ScoreGrads,
    Scores, Sequence, Trainer, Weights,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

const HELP: &str = "usage: gpu_step [SHAPE] [KEY=VALUE...]
  SHAPE      qwen2.5-0.5b (default), qwen2.5-1.5b or tiny
  questions, members, prompt, new   of a step: 64, 8, 256, 256
  budget     padded tokens of a micro-batch: 32768
  rounds     after one that warms up: 2
  seconds    after which no further round begins: 60
  warm       new tokens of the round that warms up: as many as in the others
  phases     yes: also times the prompts' pass and the forward pass alone
  engine     cuda (default), or processor: the same passes, slowly
  precision  bf16 (default) or f32";

struct Options {
    shape: String,
    questions: usize,
    members: usize,
    prompt: usize,
    new: usize,
    budget: usize,
    rounds: usize,
    seconds: f64,
    warm: usize,
    phases: bool,
    engine: String,
    precision: Precision,
}

fn main() {
    let Some(options) = options() else {
        eprintln!("{HELP}");
        return;
    };
    let config = shape(&options.shape);
    let weights = random(&config);
    let build = if options.engine == "cuda" { Actor::gpu } else { Actor::gpu_on_processor };
    let mut actor = build(config.clone(), &weights, options.precision).unwrap();
    drop(weights);
    let prompts: Vec<Vec<u32>> = (0..options.questions)
        .map(|question| {
            (0..options.prompt)
                .map(|at| ((question * 7919 + at * 104_729) % config.vocab_size) as u32)
                .collect()
        })
        .collect();
    let mut parts: [Vec<f64>; 4] = Default::default();
    let begin = Instant::now();
    for round in 0..=options.rounds {
        let warms_up = round == 0 && options.rounds > 0;
        let new = if warms_up && options.warm > 0 { options.warm } else { options.new };
        let times = step(&mut actor, &prompts, &options, new, round);
        let [sampling, training, optimizer, step] = times;
        eprintln!(
            "round {round}: {new} new tokens, sampling {sampling:.3} s, training {training:.3}, optimizer \
             {optimizer:.3}, step {step:.3}"
        );
        if !warms_up {
            parts.iter_mut().zip(times).for_each(|(part, time)| part.push(time));
            if begin.elapsed().as_secs_f64() > options.seconds {
                break;
            }
        }
    }
    let rounds = parts[0].len();
    let [sampling, training, optimizer, step] = parts.map(|mut part| {
        part.sort_by(f64::total_cmp);
        part[part.len() / 2]
    });
    let completions = options.questions * options.members;
    let memory = actor.device_memory().map_or(0, |memory| memory.most);
    let [prefill, forward] = if options.phases { phases(&mut actor, &prompts, &options) } else { [0.0; 2] };
    let figures = serde_json::json!({
        "side": "exgrpo",
        "shape": options.shape,
        "precision": options.precision,
        "questions": options.questions,
        "members": options.members,
        "prompt": options.prompt,
        "new": options.new,
        "budget": options.budget,
        "rounds": rounds,
        "sampling_s": sampling,
        "training_s": training,
        "optimizer_s": optimizer,
        "step_s": step,
        "prefill_s": prefill,
        "forward_s": forward,
        "sampled_per_s": (completions * options.new) as f64 / sampling,
        "trained_per_s": (completions * (options.prompt + options.new)) as f64 / training,
        "training_tflop": training_tflop(&config, &options),
        "decoding_gb": decoding_gb(&config, &options),
        "peak_gb": memory as f64 / 1e9,
    });
    println!("{figures}");
}

/// Seconds of sampling, training, the optimizer, and all of it.
fn step(actor: &mut Actor, prompts: &[Vec<u32>], options: &Options, new: usize, round: usize) -> [f64; 4] {
    let begin = Instant::now();
    let groups = sample(actor, prompts, options.members, new, round);
    let sampled = begin.elapsed().as_secs_f64();
    accumulate(actor, prompts, &groups, options.budget, 1.0);
    // Waits for the GPU.
    actor.grad_norm().unwrap();
    let trained = begin.elapsed().as_secs_f64();
    let optim = AdamW { lr: 1e-6, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 };
    actor.apply(&optim, 1.0).unwrap();
    actor.grad_norm().unwrap();
    let all = begin.elapsed().as_secs_f64();
    [sampled, trained - sampled, all - trained, all]
}

/// Seconds of the prompts' pass with one draw, and of training's forward pass and head without a backward pass.
fn phases(actor: &mut Actor, prompts: &[Vec<u32>], options: &Options) -> [f64; 2] {
    let groups = sample(actor, prompts, options.members, options.new, 0);
    let begin = Instant::now();
    sample(actor, prompts, options.members, 1, 0);
    let prefill = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    accumulate(actor, prompts, &groups, options.budget, 0.0);
    [prefill, begin.elapsed().as_secs_f64()]
}

fn sample(
    actor: &Actor,
    prompts: &[Vec<u32>],
    members: usize,
    new: usize,
    round: usize,
) -> Vec<Vec<Completion>> {
    let sampling = SamplingParams {
        temperature: 1.0,
        score_temperature: 1.0,
        top_p: 1.0,
        max_new_tokens: new,
        stop_ids: vec![],
    };
    let stream = |question: usize, member: usize| {
        ChaCha8Rng::seed_from_u64((round * 1_000_003 + question * 1009 + member) as u64)
    };
    let requests = prompts.iter().enumerate().map(|(question, prompt)| SampleRequest {
        prompt,
        streams: (0..members).map(|member| stream(question, member)).collect(),
    });
    actor.sample(requests.collect(), &sampling).unwrap()
}

/// Half of a group is rewarded: an advantage of `size` or its opposite for every token. Of 0 there is no backward pass.
fn accumulate(actor: &mut Actor, prompts: &[Vec<u32>], groups: &[Vec<Completion>], budget: usize, size: f32) {
    let batch: Vec<Sequence<'_>> = prompts
        .iter()
        .zip(groups)
        .flat_map(|(prompt, group)| group.iter().map(|one| Sequence { prompt, completion: &one.ids }))
        .collect();
    let num_tokens = batch.iter().map(|sequence| sequence.completion.len()).sum::<usize>() as f32;
    for indices in actor.micro_batches(&batch, budget) {
        let members: Vec<Sequence<'_>> = indices.iter().map(|&index| batch[index]).collect();
        let mut loss = |scores: &Scores| {
            let slopes = indices.iter().zip(&members).flat_map(|(index, sequence)| {
                let advantage = if index % 2 == 0 { size } else { -size };
                std::iter::repeat_n(-advantage / num_tokens, sequence.completion.len())
            });
            ScoreGrads { logprobs: slopes.collect(), entropies: vec![0.0; scores.entropies.len()] }
        };
        actor.accumulate(&members, &mut loss).unwrap();
    }
}

/// Useful operations of training: 6 a weight and row of the layers, 6 a weight and scored token of the head, and causal
/// attention's; nothing that is computed twice.
fn training_tflop(config: &ModelConfig, options: &Options) -> f64 {
    let completions = (options.questions * options.members) as f64;
    let len = (options.prompt + options.new - 1) as f64;
    let head = (config.vocab_size * config.hidden_size) as f64;
    let embeddings = if config.tie_word_embeddings { head } else { 2.0 * head };
    let body = config.num_parameters() as f64 - embeddings;
    let width = (config.num_attention_heads * config.head_dim * config.num_hidden_layers) as f64;
    let attention = 3.0 * 2.0 * 2.0 * width * len * len / 2.0;
    completions * (6.0 * body * len + 6.0 * head * options.new as f64 + attention) / 1e12
}

/// Bytes that decoding must read at least: each step all weights once, and what each completion has cached, the prompt's
/// once a group.
fn decoding_gb(config: &ModelConfig, options: &Options) -> f64 {
    let completions = (options.questions * options.members) as f64;
    let (prompt, new) = (options.prompt as f64, options.new as f64);
    let a_token = (2 * 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim) as f64;
    let caches = new * (options.questions as f64 * prompt + completions * new / 2.0) * a_token;
    (2.0 * config.num_parameters() as f64 * new + caches) / 1e9
}

fn options() -> Option<Options> {
    let mut options = Options {
        shape: "qwen2.5-0.5b".to_owned(),
        questions: 64,
        members: 8,
        prompt: 256,
        new: 256,
        budget: 32_768,
        rounds: 2,
        seconds: 60.0,
        warm: 0,
        phases: false,
        engine: "cuda".to_owned(),
        precision: Precision::Bf16,
    };
    for argument in std::env::args().skip(1).filter(|argument| argument != "--bench") {
        let Some((key, value)) = argument.split_once('=') else {
            if argument.starts_with('-') {
                return None;
            }
            options.shape = argument;
            continue;
        };
        let number = value.parse();
        match key {
            "questions" => options.questions = number.ok()?,
            "members" => options.members = number.ok()?,
            "prompt" => options.prompt = number.ok()?,
            "new" => options.new = number.ok()?,
            "budget" => options.budget = number.ok()?,
            "rounds" => options.rounds = number.ok()?,
            "warm" => options.warm = number.ok()?,
            "seconds" => options.seconds = value.parse().ok()?,
            "phases" => options.phases = value == "yes",
            "engine" => options.engine = value.to_owned(),
            "precision" => options.precision = if value == "f32" { Precision::F32 } else { Precision::Bf16 },
            _ => return None,
        }
    }
    Some(options)
}

fn shape(name: &str) -> ModelConfig {
    let [vocab, hidden, inner, layers, heads, key_heads, head] = match name {
        "qwen2.5-0.5b" => [151_936, 896, 4864, 24, 14, 2, 64],
        "qwen2.5-1.5b" => [151_936, 1536, 8960, 28, 12, 2, 128],
        _ => [500, 64, 96, 2, 4, 2, 16],
    };
    let text = format!(
        r#"{{"model_type": "qwen2", "vocab_size": {vocab}, "hidden_size": {hidden}, "intermediate_size": {inner},
            "num_hidden_layers": {layers}, "num_attention_heads": {heads}, "num_key_value_heads": {key_heads},
            "head_dim": {head}, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "max_position_embeddings": 32768,
            "tie_word_embeddings": true}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// Weights as spread as fresh ones, from numbers that cost nothing.
fn random(config: &ModelConfig) -> Weights {
    let tensors = config.parameter_shapes().into_iter().enumerate().map(|(tensor, parameter)| {
        let mut data = vec![if parameter.name.ends_with("bias") { 0.0 } else { 1.0 }; parameter.num_values()];
        if parameter.is_matrix() {
            data.par_chunks_mut(1 << 16).enumerate().for_each(|(chunk, values)| {
                let mut state =
                    (((tensor as u64) << 32) | (chunk as u64 + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                for value in values {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    *value = ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * 0.0346;
                }
            });
        }
        NamedTensor { name: parameter.name, shape: parameter.shape, data }
    });
    Weights::from_tensors(tensors.collect(), "random weights", config).unwrap()
}
