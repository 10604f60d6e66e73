//! Cost of the selection path in a large pool: 1,000,000 questions with 10,000,000 stored trajectories, each of one
//! token (what is measured is the path over their metadata). Prints milliseconds a step and resident memory.
//!
//! `cargo bench -p exgrpo-train --bench selection` after `cargo xtask policies`.

#![expect(clippy::print_stdout, reason = "a benchmark's result")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use exgrpo_core::rng::Streams;
use exgrpo_core::types::Completion;
use exgrpo_policy::{GuestConfig, Loader, PolicySet, PolicySource, Probe};
use exgrpo_pool::ExperiencePool;

const QUESTIONS: u32 = 1_000_000;
const TRAJECTORIES: u32 = 10;
const GROUP_SIZE: u32 = 8;
/// Questions a step of the paper, half of them replayed.
const BATCH: usize = 128;
const STEPS: u32 = 30;

fn main() -> anyhow::Result<()> {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/gaussian_medium.wasm");
    let loader = Loader::new(&GuestConfig::default(), &BTreeMap::new())?;
    let candidate = loader
        .prepare(PolicySource::read(policy, GuestConfig::default().most_file_bytes())?, &Probe::default())
        .context("hint: `cargo xtask policies` builds it")?;
    let mut policies = PolicySet::new(&loader, vec![candidate])?;

    let mut pool = ExperiencePool::new((0..QUESTIONS).map(u64::from));
    pool.reset_buckets(GROUP_SIZE as usize + 1);
    for row in 0..QUESTIONS {
        let num_success = 1 + row % (GROUP_SIZE - 1);
        pool.record(row, num_success, GROUP_SIZE, 1);
        for token in 0..TRAJECTORIES {
            let completion =
                Completion { ids: vec![token], logprobs: vec![-0.5], entropies: vec![0.5], finished: true };
            pool.store(row, &completion, 1.0, 1, 0);
        }
        pool.assign(row, num_success);
    }
    println!("{} questions, {} trajectories", pool.num_drawable(), pool.num_experiences());

    let mut milliseconds = Vec::new();
    for step in 2..2 + STEPS {
        let begin = Instant::now();
        let counts = pool.counts();
        let weights = policies.bucket_weights(step, &counts, GROUP_SIZE)?.answer;
        let draws =
            pool.draw(&weights, BATCH / 2, &mut Streams::new(1).stream("sampling", u64::from(step), 0));
        let rows: Vec<u32> = draws.iter().map(|draw| draw.row).collect();
        let num_stored: usize = rows.iter().map(|&row| pool.experiences(row).len()).sum();
        let columns = pool.trajectory_columns(&rows, vec![0.5; num_stored]);
        policies.choose(step, &columns, 7)?;
        let changed: Vec<u32> =
            rows.iter().copied().chain(rows.iter().map(|row| (row + 1) % QUESTIONS)).collect();
        for &row in &changed {
            pool.record(row, 1 + (row + step) % (GROUP_SIZE - 1), GROUP_SIZE, step);
        }
        let columns = pool.problem_columns(&changed);
        let buckets = policies.assign(step, &columns, GROUP_SIZE as usize + 1)?.answer;
        policies.decide(step, &columns)?;
        policies.row_weights(step, &columns, &buckets)?;
        for (&row, bucket) in changed.iter().zip(buckets) {
            pool.assign(row, bucket);
            pool.set_weight(row, 1.0);
        }
        milliseconds.push(begin.elapsed().as_secs_f64() * 1e3);
        policies.drain(step);
    }
    milliseconds.sort_by(f64::total_cmp);
    println!(
        "selection path: median {:.2} ms a step, worst {:.2} ms (limit 20 ms)",
        milliseconds[milliseconds.len() / 2],
        milliseconds[milliseconds.len() - 1]
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(line) = status.lines().find(|line| line.starts_with("VmHWM")) {
        println!("peak resident memory: {} (limit 2 GB)", line.trim_start_matches("VmHWM:").trim());
    }
    Ok(())
}
