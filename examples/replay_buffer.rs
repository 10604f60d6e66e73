//! Pool, policy and log for somebody else's trainer: `cargo run --release -p exgrpo-examples -- policies/gaussian_medium.wasm`
#![expect(clippy::print_stdout, reason = "an example")]

use std::{collections::BTreeMap, path::Path};

use exgrpo_core::{columns::Retirement, journal::Slot, rng::Streams, rundir::RunDir, types::Completion};
use exgrpo_log::{Begin, RunLog};
use exgrpo_policy::{GuestConfig, Loader, PolicySet, PolicySource, Probe, read_policy_file};
use exgrpo_pool::ExperiencePool;
use rand::Rng;

const QUESTIONS: u32 = 200;
const GROUP: u32 = 8;
const METRICS: [&str; 3] = ["pool", "replayed", "retired"];

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "policies/gaussian_medium.wasm".to_owned());
    let loader = Loader::new(&GuestConfig::default(), &BTreeMap::new())?;
    let bytes = read_policy_file(Path::new(&path), loader.most_file_bytes())?.into();
    let candidate = loader.prepare(PolicySource { path: None, bytes }, &Probe::default())?;
    let mut policies = PolicySet::new(&loader, vec![candidate])?;
    let (run, _lock) = RunDir::create_named(Path::new("runs"), "replay_buffer")?;
    let mut log = RunLog::open(run.root(), &run.name(), METRICS.map(str::to_owned).to_vec(), Begin::New)?;
    let mut pool = ExperiencePool::new((0..QUESTIONS).map(u64::from));
    pool.reset_buckets(policies.buckets(1, GROUP)?.len());
    for step in 1..=50 {
        let mut rng = Streams::new(1).stream("trainer", u64::from(step), 0);
        let weights = policies.bucket_weights(step, &pool.counts(), GROUP)?.answer;
        let mut rows: Vec<u32> = pool.draw(&weights, 8, &mut rng).iter().map(|draw| draw.row).collect();
        let replayed = rows.len();
        rows.extend((replayed..16).map(|_| rng.random_range(0..QUESTIONS)));
        rows.sort_unstable();
        rows.dedup();
        for &row in &rows {
            // Your trainer samples, verifies and updates here; this one finds later questions harder, and learns.
            let ease = (1.0 - f64::from(row) / 200.0 + f64::from(step) / 100.0).min(1.0);
            let solved = (0..GROUP).filter(|_| rng.random_bool(ease)).count() as u32;
            pool.record(row, solved, GROUP, step);
            if (1..GROUP).contains(&solved) {
                let (ids, scores) = (vec![rng.random_range(0..100); 3], vec![-0.5; 3]);
                let solution =
                    Completion { ids, logprobs: scores.clone(), entropies: scores, finished: true };
                pool.store(row, &solution, 1.0, step, step);
            }
        }
        let columns = pool.problem_columns(&rows);
        let buckets = policies.assign(step, &columns, pool.counts().len())?.answer;
        rows.iter().zip(buckets).for_each(|(&row, bucket)| pool.assign(row, bucket));
        let decisions = rows.iter().zip(policies.decide(step, &columns)?.answer);
        decisions.filter(|(_, one)| *one == Retirement::Retire).for_each(|(&row, _)| pool.retire(row));
        let figures = [pool.num_drawable(), replayed, pool.num_retired()].map(|count| count as f64);
        log.append_metrics(step, METRICS.into_iter().zip(figures))?;
        log.append_decisions(&policies.drain(step).0);
        log.flush(step, step)?;
    }
    println!("{} questions in the pool of {}", pool.num_drawable(), run.root().display());
    println!("decided by {}", policies.digest(Slot::Difficulty));
    Ok(())
}
