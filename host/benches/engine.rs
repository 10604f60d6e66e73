//! What a step costs on the engine of our own, beside what the machine can do:
//! `cargo bench -p exgrpo-host --bench engine [-- SHAPE...]` with SHAPE among `default`, `small` and `smollm`.
//!
//! A step is GRPO's: completions of every prompt are sampled (none stops early), half of each group is rewarded, and
//! one update is made on all of them. Figures are medians of several rounds after one that warms up; memory is the
//! process's peak so far. On a machine that others use as well, compare CPU seconds.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints a table")]

use std::time::Instant;

use exgrpo_host::model::{
    Actor, AdamW, ModelConfig, SampleRequest, Sampling, ScoreGrads, Scores, Sequence, Weights, cpu,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Members of a group.
const GROUP_SIZE: usize = 8;

struct Shape {
    name: &'static str,
    model: &'static str,
    questions: usize,
    prompt: usize,
    new: usize,
    token_budget: usize,
    rounds: usize,
}

const SHAPES: [Shape; 3] = [
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
        token_budget: 2048,
        rounds: 3,
    },
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    for shape in &SHAPES {
        if wanted.is_empty() || wanted.iter().any(|name| name == shape.name) {
            measure(shape);
        }
    }
}

/// What the machine can do now: products in a shape that suits its caches, and reading memory.
fn machine() {
    let size = [512, 512, 1024];
    let gflop = 2e-9 * 400.0 * size.iter().product::<usize>() as f64;
    let (cpu_before, begin) = (cpu_seconds(), Instant::now());
    cpu::repeat_product(size, 400);
    let (seconds, cpu_used) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
    let buffer = vec![1u64; 1 << 24];
    let read = median(9, || {
        let begin = Instant::now();
        let sum: u64 = buffer.par_chunks(1 << 18).map(|part| part.iter().sum::<u64>()).sum();
        assert_eq!(sum, 1 << 24);
        begin.elapsed().as_secs_f64()
    });
    println!(
        "  machine   {:8.0} GFLOP/s in products ({:.0} a CPU second), {:.1} GB/s read, {} threads",
        gflop / seconds,
        gflop / cpu_used,
        (buffer.len() * 8) as f64 / read / 1e9,
        rayon::current_num_threads()
    );
}

fn measure(shape: &Shape) {
    let config: ModelConfig = serde_json::from_str(shape.model).unwrap();
    let weights = Weights::random(&config, &mut ChaCha8Rng::seed_from_u64(1));
    let mut stream = ChaCha8Rng::seed_from_u64(2);
    let vocab = config.vocab_size as u32;
    let prompts: Vec<Vec<u32>> = (0..shape.questions)
        .map(|_| (0..shape.prompt).map(|_| stream.next_u32() % vocab).collect())
        .collect();
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, max_new_tokens: shape.new, stop_ids: vec![] };
    let requests = |members: usize| -> Vec<SampleRequest<'_>> {
        let stream = |at: usize| ChaCha8Rng::seed_from_u64(at as u64);
        let streams = |question: usize| (0..members).map(|at| stream(question * members + at)).collect();
        let prompts = prompts.iter().enumerate();
        prompts.map(|(question, prompt)| SampleRequest { prompt, streams: streams(question) }).collect()
    };
    let mut actor = Actor::cpu(config, &weights, 0).unwrap();
    drop(weights);
    println!(
        "\n{}: {} parameters, {} questions x {GROUP_SIZE}, prompts of {}, {} new tokens",
        shape.name,
        actor.num_parameters(),
        shape.questions,
        shape.prompt,
        shape.new
    );
    machine();
    let mut parts: [Vec<f64>; 7] = Default::default();
    for round in 0..=shape.rounds {
        let cpu_before = cpu_seconds();
        let begin = Instant::now();
        let groups = actor.sample(requests(GROUP_SIZE), &sampling).unwrap();
        let sampled = begin.elapsed().as_secs_f64();
        let cpu_sampled = cpu_seconds();
        let batch: Vec<Sequence<'_>> = groups
            .iter()
            .zip(&prompts)
            .flat_map(|(group, prompt)| {
                group.iter().map(|completion| Sequence { prompt, completion: &completion.ids })
            })
            .collect();
        for indices in actor.micro_batches(&batch, shape.token_budget) {
            let sequences: Vec<Sequence<'_>> = indices.iter().map(|&index| batch[index]).collect();
            let advantages = indices.iter().map(|index| if index % 2 == 0 { 1.0 } else { -1.0 });
            let slopes: Vec<f32> = advantages
                .zip(&sequences)
                .flat_map(|(advantage, sequence)| vec![-advantage / 64.0; sequence.completion.len()])
                .collect();
            let mut loss = |scores: &Scores| ScoreGrads {
                logprobs: slopes.clone(),
                entropies: vec![-1e-6; scores.entropies.len()],
            };
            actor.accumulate(&sequences, &mut loss).unwrap();
        }
        let trained = begin.elapsed().as_secs_f64();
        let cpu_trained = cpu_seconds() - cpu_sampled;
        let optim = AdamW { lr: 1e-6, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 };
        assert!(actor.apply(&optim, 1.0).unwrap().applied);
        let step = begin.elapsed().as_secs_f64();
        let cpu_used = cpu_seconds() - cpu_before;
        let begin = Instant::now();
        actor.score(&batch).unwrap();
        let scored = begin.elapsed().as_secs_f64();
        let row = [step, sampled, trained - sampled, step - trained, scored, cpu_used, cpu_trained];
        if round > 0 {
            parts.iter_mut().zip(row).for_each(|(part, value)| part.push(value));
        }
    }
    let [step, sample, train, apply, score, cpu_used, cpu_trained] = parts.map(middle);
    let completions = shape.questions * GROUP_SIZE;
    let sampled = (completions * shape.new) as f64;
    let rows = (shape.questions * (shape.prompt + GROUP_SIZE * (shape.new - 1))) as f64;
    let head = shape.questions * (1 + GROUP_SIZE * (shape.new - 1));
    let flops = train_gflop(actor.config(), rows, head as f64);
    println!("  step      {step:8.3} s  ({cpu_used:.1} CPU s)");
    println!("  sampling  {sample:8.3} s  {:8.0} tokens/s", sampled / sample);
    println!(
        "  training  {train:8.3} s  {:8.0} rows/s, {:.0} GFLOP/s of useful products ({:.0} a CPU second)",
        rows / train,
        flops / train,
        flops / cpu_trained
    );
    println!("  optimizer {apply:8.3} s");
    println!("  scoring   {score:8.3} s  {:8.0} rows/s", rows / score);
    let mut one = requests(1);
    one.truncate(1);
    let single = median(shape.rounds, || {
        let begin = Instant::now();
        actor.sample(one.clone(), &sampling).unwrap();
        begin.elapsed().as_secs_f64()
    });
    let bytes = 4.0 * actor.num_parameters() as f64 * shape.new as f64;
    println!(
        "  batch 1   {single:8.3} s  {:8.0} tokens/s, {:.1} GB/s of weights",
        shape.new as f64 / single,
        bytes / single / 1e9
    );
    println!("  peak memory {:.2} GB", peak_memory());
}

/// Products of a training pass in 10^9 operations, attention left out: forward once, backward twice.
fn train_gflop(config: &ModelConfig, rows: f64, head_rows: f64) -> f64 {
    let head = (config.vocab_size * config.hidden_size) as f64;
    let embeddings = if config.tie_word_embeddings { head } else { 2.0 * head };
    let layers = config.num_parameters() as f64 - embeddings;
    6.0 * (layers * rows + head * head_rows) / 1e9
}

fn median(rounds: usize, mut round: impl FnMut() -> f64) -> f64 {
    round();
    middle((0..rounds).map(|_| round()).collect())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds of processor time that this process has used.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// Largest resident set so far in 10^9 bytes; 0 where the system doesn't say.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() * 1024.0 / 1e9
}
