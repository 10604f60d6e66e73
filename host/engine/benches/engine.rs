//! What a step costs on the engine of our own, beside what the machine can do:
//! `cargo bench -p exgrpo-engine --bench engine [-- SHAPE... bf16]` with SHAPE among `default`, `small` and `smollm`.
//!
//! A step is GRPO's: completions of every prompt are sampled (none stops early), half of each group is rewarded, and
//! one update is made on all of them. Figures are medians of several rounds after one that warms up; memory is the
//! process's peak so far. On a machine that others use as well, compare CPU seconds.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints a table")]

mod work;

use std::time::Instant;

use exgrpo_engine::{Precision, Scorer};
use work::{GROUP_SIZE, SHAPES, Shape, peak_memory};

fn main() {
    let (bf16, wanted): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).partition(|arg| arg == "bf16");
    let precision = if bf16.is_empty() { Precision::F32 } else { Precision::Bf16 };
    for shape in &SHAPES {
        if wanted.is_empty() || wanted.iter().any(|name| name == shape.name) {
            measure(shape, precision);
        }
    }
}

/// What the machine can do now.
fn machine(precision: Precision) {
    let cpu_before = cpu_seconds();
    let (rate, gflop) = work::product_rate(precision);
    println!(
        "  machine   {rate:8.0} GFLOP/s in products ({:.0} a CPU second), {:.1} GB/s read, {} threads",
        gflop / (cpu_seconds() - cpu_before),
        work::read_rate(),
        rayon::current_num_threads()
    );
}

fn measure(shape: &Shape, precision: Precision) {
    let mut actor = shape.actor(precision);
    let prompts = shape.prompts();
    println!(
        "\n{}: {} parameters, {} questions x {GROUP_SIZE}, prompts of {}, {} new tokens",
        shape.name,
        actor.num_parameters(),
        shape.questions,
        shape.prompt,
        shape.new
    );
    machine(precision);
    let mut parts: [Vec<f64>; 7] = Default::default();
    for round in 0..=shape.rounds {
        let cpu_before = cpu_seconds();
        let begin = Instant::now();
        let groups = shape.sample(&actor, &prompts, GROUP_SIZE);
        let sampled = begin.elapsed().as_secs_f64();
        let cpu_sampled = cpu_seconds();
        let batch = work::sequences(&prompts, &groups);
        shape.accumulate(&mut actor, &batch);
        let trained = begin.elapsed().as_secs_f64();
        let cpu_trained = cpu_seconds() - cpu_sampled;
        work::apply(&mut actor);
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
    let flops = work::train_gflop(actor.config(), rows, head as f64);
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
    let single = median(shape.rounds, || {
        let begin = Instant::now();
        shape.sample(&actor, &prompts[..1], 1);
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
