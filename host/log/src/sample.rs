//! A made-up run of eight steps, small and consistent with itself: the samples in `tests/log_samples`, one a schema
//! version, and something to try notebooks on. To write one:
//!
//! `EXGRPO_SAMPLE_DIR=DIR cargo test --release -p exgrpo-log --lib sample::write -- --ignored`

use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use exgrpo_core::journal::{BUILTIN, Decision, Event, EventKind, Slot};
use exgrpo_core::types::{Origin, Verdict};

use arrow::datatypes::Field;

use super::part::{Part, parts};
use super::*;

const GROUP_SIZE: u32 = 4;
const NUM_STEPS: u32 = 8;
const STEPS_A_PART: u32 = 4;
const SWAP_STEP: u32 = 5;
const REPLAY_START: u32 = 3;

#[derive(Clone)]
struct Stored {
    id: u64,
    step: u32,
    completion: Fresh,
}

#[derive(Clone)]
struct Fresh {
    answer: u32,
    ids: Vec<u32>,
    logprobs: Vec<f32>,
}

struct Problem {
    terms: (u32, u32),
    /// Tenths of a chance that a fresh rollout is correct.
    skill: u32,
    row: ProblemRow,
    stored: Vec<Stored>,
}

/// Writes the run. `swaps`: another sampling policy takes over before step 5, which replays from hard buckets alone.
fn write_run(run_dir: &Path, swaps: bool) -> Result<(), LogError> {
    let mut source = ChaCha8Rng::seed_from_u64(20_251_002);
    let mut problems: Vec<_> = (0..10).map(|row| problem(row, &mut source)).collect();
    let keys = ["reward/mean", "advantage/mean", "replay/share", "heldout/accuracy", "time/step_s"];
    let keys =
        keys.map(str::to_owned).into_iter().chain((0..=GROUP_SIZE).map(|k| format!("pool/bucket_{k}")));
    let mut log = RunLog::open(run_dir, "5a3e".repeat(8).as_str(), keys.collect(), Begin::New)?;
    for step in 1..=NUM_STEPS {
        let digest = if swaps && step >= SWAP_STEP { "5eed".repeat(16) } else { "ab1e".repeat(16) };
        write_step(&mut log, &mut problems, step, &digest, &mut source)?;
        if step % STEPS_A_PART == 0 {
            log.append_events([&event(step, EventKind::Checkpoint, None, "checkpoint of this step")]);
            log.flush(step + 1 - STEPS_A_PART, step)?;
        }
    }
    Ok(())
}

fn problem(question_row: u32, source: &mut ChaCha8Rng) -> Problem {
    let row = ProblemRow {
        step: 0,
        question_id: source.random(),
        question_row,
        num_success: 0,
        group_size: 0,
        attempts: 0,
        solved_streak: 0,
        last_step: 0,
        stored: 0,
        bucket_before: None,
        bucket: None,
        weight: None,
        retired: false,
        change: ProblemChange::Bucket,
    };
    let terms = (source.random_range(10..50), source.random_range(10..50));
    Problem { terms, skill: 2 + question_row % 7, row, stored: Vec::new() }
}

fn write_step(
    log: &mut RunLog,
    problems: &mut [Problem],
    step: u32,
    digest: &str,
    source: &mut ChaCha8Rng,
) -> Result<(), LogError> {
    let decision = |slot, function, seed, num_rows, output: String| Decision {
        step,
        slot,
        function,
        digest: if slot == Slot::Sampling { digest.to_owned() } else { BUILTIN.to_owned() },
        inputs_digest: format!("{:016x}", u64::from(step) << 8 | u64::from(num_rows)),
        seed,
        num_rows,
        output,
        fuel: if slot == Slot::Sampling { 1_000 } else { 0 },
        duration_us: 12.5,
        fault: None,
    };
    if step == REPLAY_START {
        log.append_events([&event(step, EventKind::ReplayStart, None, "pass rate 0.41 passed 0.35")]);
    }
    let is_new = digest.starts_with("5eed");
    if is_new && step == SWAP_STEP {
        log.append_events([&event(step, EventKind::Swap, Some(digest), "hard_first 0.2.0 took over")]);
    }

    // Buckets are numbered by successes.
    let weights: [f32; 5] = if is_new { [0.0, 1.0, 0.0, 0.0, 0.0] } else { [0.0, 0.5, 1.0, 0.5, 0.0] };
    let in_pool = |problem: &Problem| !problem.row.retired && !problem.stored.is_empty();
    let mut drawn: Vec<(usize, Option<u32>)> = Vec::new();
    if step >= REPLAY_START {
        log.append_decisions([
            &decision(Slot::Sampling, "replay-ratio", None, 0, "0.5".to_owned()),
            &decision(Slot::Sampling, "bucket-weights", None, 5, serde_json::json!(weights).to_string()),
        ]);
        let mut candidates: Vec<_> = (0..problems.len()).filter(|&p| in_pool(&problems[p])).collect();
        // The heaviest buckets first stands in for a draw.
        let weight = |p: usize| weights[problems[p].row.bucket.unwrap_or(0) as usize];
        candidates.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)));
        drawn.extend(candidates.into_iter().take(2).map(|p| (p, problems[p].row.bucket)));
        let seed = Some(source.random());
        log.append_decisions([&decision(
            Slot::Trajectories,
            "choose",
            seed,
            drawn.len() as u32,
            "[0,0]".to_owned(),
        )]);
    }
    while drawn.len() < 4 {
        let p = source.random_range(0..problems.len());
        if !problems[p].row.retired && drawn.iter().all(|(other, _)| *other != p) {
            drawn.push((p, None));
        }
    }

    let (mut rows, mut changes) = (Vec::new(), Vec::new());
    for (group_index, (p, drawn_from)) in drawn.into_iter().enumerate() {
        let group = group(&mut problems[p], group_index as u32, step, drawn_from, digest, source);
        changes.extend(absorb(&mut problems[p], &group, step));
        rows.extend(group.into_iter().map(|mut row| {
            row.bucket = problems[p].row.bucket;
            row.bucket_level =
                Some(["hard", "hard", "medium", "medium", "easy"][row.num_success as usize].to_owned());
            row
        }));
    }
    let counts =
        serde_json::json!({ "correct": rows.iter().filter(|r| r.verdict == Verdict::Correct).count() });
    log.append_decisions([
        &decision(Slot::Verifier, "verify", None, rows.len() as u32, counts.to_string()),
        &decision(Slot::Difficulty, "assign", None, 4, "[]".to_owned()),
    ]);
    let mean = |values: Vec<f32>| values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    let mut metrics = vec![
        ("reward/mean".to_owned(), mean(rows.iter().filter_map(|row| row.reward).collect())),
        (
            "advantage/mean".to_owned(),
            mean(rows.iter().filter(|row| row.reward.is_some()).map(|row| row.advantage).collect()),
        ),
        (
            "replay/share".to_owned(),
            rows.iter().filter(|row| row.origin == Origin::Replayed).count() as f64 / rows.len() as f64,
        ),
        (
            "heldout/accuracy".to_owned(),
            if step.is_multiple_of(2) { f64::from(step) / 16.0 } else { f64::NAN },
        ),
        ("time/step_s".to_owned(), 0.25),
    ];
    for bucket in 0..=GROUP_SIZE {
        let num = problems.iter().filter(|p| in_pool(p) && p.row.bucket == Some(bucket)).count();
        metrics.push((format!("pool/bucket_{bucket}"), num as f64));
    }
    log.append_experiences(rows);
    log.append_problems(changes);
    log.append_metrics(step, metrics)
}

fn group(
    problem: &mut Problem,
    group_index: u32,
    step: u32,
    drawn_from_bucket: Option<u32>,
    sampling_digest: &str,
    source: &mut ChaCha8Rng,
) -> Vec<ExperienceRow> {
    let (a, b) = problem.terms;
    let prompt = format!("{a}+{b}=");
    let mut rows = Vec::new();
    for member in 0..GROUP_SIZE {
        let replayed = problem.stored.last().filter(|_| member == 0 && drawn_from_bucket.is_some()).cloned();
        let completion = match &replayed {
            Some(stored) => stored.completion.clone(),
            None => {
                let is_correct = source.random_range(0..10) < problem.skill;
                let answer = if is_correct { a + b } else { source.random_range(10..100) };
                let ids: Vec<u32> = [answer / 10, answer % 10, 12].to_vec();
                let logprobs = ids.iter().map(|_| -(source.random_range(1..128) as f32) / 64.0).collect();
                Fresh { answer, ids, logprobs }
            }
        };
        let is_unscorable = replayed.is_none() && source.random_range(0..24) == 0;
        let verdict = match () {
            () if is_unscorable => Verdict::Unscorable,
            () if completion.answer == a + b => Verdict::Correct,
            () => Verdict::Incorrect,
        };
        rows.push(ExperienceRow {
            step,
            group_index,
            member,
            question_id: problem.row.question_id,
            question_row: problem.row.question_row,
            origin: if replayed.is_some() { Origin::Replayed } else { Origin::Fresh },
            experience_id: replayed.as_ref().map(|stored| stored.id),
            drawn_from_bucket,
            sampled_step: replayed.as_ref().map_or(step, |stored| stored.step),
            weights_version: replayed.as_ref().map_or(step, |stored| stored.step) - 1,
            prompt: prompt.clone(),
            completion: completion.answer.to_string(),
            prompt_ids: vec![a / 10, a % 10, 10, b / 10, b % 10, 11],
            mean_logprob: completion.logprobs.iter().sum::<f32>() / completion.logprobs.len() as f32,
            mean_entropy: 0.5 + member as f32 / 8.0,
            completion_ids: completion.ids,
            old_logprobs: completion.logprobs,
            finished: true,
            verdict,
            reward: verdict.is_scored().then_some(if verdict == Verdict::Correct { 1.0 } else { 0.0 }),
            answer: Some(completion.answer.to_string()),
            advantage: 0.0,
            in_loss: verdict.is_scored(),
            drop_reason: is_unscorable.then(|| "unscorable".to_owned()),
            bucket: None,
            bucket_level: None,
            num_success: 0,
            group_size: 0,
            ratio_mean: verdict.is_scored().then_some(1.0),
            ratio_max: verdict.is_scored().then_some(1.25),
            clip_fraction: verdict.is_scored().then_some(0.0),
            verifier_digest: BUILTIN.to_owned(),
            sampling_digest: drawn_from_bucket.map(|_| sampling_digest.to_owned()),
            trajectories_digest: replayed.map(|_| BUILTIN.to_owned()),
            difficulty_digest: Some(BUILTIN.to_owned()),
            retirement_digest: Some(BUILTIN.to_owned()),
            verifier_fuel: 0,
        });
    }
    let group_size = rows.iter().filter(|row| row.verdict.is_scored()).count() as u32;
    let num_success = rows.iter().filter(|row| row.verdict == Verdict::Correct).count() as u32;
    for row in &mut rows {
        (row.group_size, row.num_success) = (group_size, num_success);
        if let Some(reward) = row.reward {
            row.advantage = reward - num_success as f32 / group_size as f32;
        }
    }
    rows
}

/// Takes a group into the pool; the row when something changed.
fn absorb(problem: &mut Problem, group: &[ExperienceRow], step: u32) -> Option<ProblemRow> {
    let (num_success, group_size) = (group[0].num_success, group[0].group_size);
    let is_solved = num_success == group_size;
    let correct = group.iter().find(|row| row.verdict == Verdict::Correct && row.origin == Origin::Fresh);
    if let Some(row) = correct.filter(|_| !is_solved) {
        let completion = Fresh {
            answer: problem.terms.0 + problem.terms.1,
            ids: row.completion_ids.clone(),
            logprobs: row.old_logprobs.clone(),
        };
        let id = u64::from(step) << 32 | u64::from(row.question_row);
        problem.stored.push(Stored { id, step, completion });
    }
    let before = problem.row.clone();
    let row = &mut problem.row;
    row.step = step;
    row.num_success = num_success;
    row.group_size = group_size;
    row.attempts += GROUP_SIZE;
    row.solved_streak = if is_solved { row.solved_streak + 1 } else { 0 };
    row.last_step = step;
    row.stored = problem.stored.len() as u32;
    row.bucket_before = before.bucket;
    row.bucket = Some(num_success);
    row.weight = Some(1.0);
    row.retired = is_solved;
    row.change = match () {
        () if row.retired && !before.retired => ProblemChange::Retired,
        () if row.bucket != before.bucket => ProblemChange::Bucket,
        () if row.stored != before.stored => ProblemChange::Stored,
        () => return None,
    };
    Some(row.clone())
}

fn event(step: u32, kind: EventKind, digest: Option<&str>, detail: &str) -> Event {
    let slot = digest.map(|_| Slot::Sampling);
    Event { step, kind, slot, digest: digest.map(str::to_owned), reason: None, detail: detail.to_owned() }
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/log_samples")
}

/// Writes the sample to `EXGRPO_SAMPLE_DIR`, and beside it in `…-without-swap` the run that swaps no policy.
/// Without the variable: the sample of the current schema version, which must not be there yet.
#[test]
#[ignore = "a command, not a test"]
fn write() {
    match std::env::var_os("EXGRPO_SAMPLE_DIR").map(PathBuf::from) {
        Some(dir) => {
            write_run(&dir, true).unwrap();
            let mut other = dir.into_os_string();
            other.push("-without-swap");
            write_run(Path::new(&other), false).unwrap();
        }
        None => write_run(&samples().join(format!("v{SCHEMA_VERSION}")), true).unwrap(),
    }
}

#[test]
fn samples_of_every_version_are_read() {
    for version in 1..=SCHEMA_VERSION {
        let run_dir = samples().join(format!("v{version}"));
        assert_eq!(read::rows::<ExperienceRow>(&run_dir).unwrap().len() as u32, NUM_STEPS * 4 * GROUP_SIZE);
        assert!(!read::rows::<DecisionRow>(&run_dir).unwrap().is_empty());
        assert!(!read::rows::<ProblemRow>(&run_dir).unwrap().is_empty());
        assert_eq!(read::rows::<EventRow>(&run_dir).unwrap().len(), 4);
        assert_eq!(read::metrics(&run_dir).unwrap().len() as u32, NUM_STEPS);
    }
}

/// Fails when a column of the sample, or what is written for equal rows, changes: then raise [`SCHEMA_VERSION`] and write
/// its sample. A new column that can hold nulls is no change. Before a release that has this version, write the version's sample again instead.
#[test]
fn the_current_sample_is_what_is_written_now() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), true).unwrap();
    let sample = samples().join(format!("v{SCHEMA_VERSION}"));
    for table in TABLES {
        let (now, then) = (parts(dir.path(), table).unwrap(), parts(&sample, table).unwrap());
        assert_eq!(now.len(), then.len(), "{table}");
        for (now, then) in now.iter().zip(&then) {
            assert_eq!((now.first, now.last), (then.first, then.last));
            let (now_has, then_had) =
                (read::part_schema(now).unwrap().fields, read::part_schema(then).unwrap().fields);
            // What a column is called and holds; its documentation may be worded better.
            let is_same = |now: &Field, then: &Field| {
                (now.name(), now.data_type(), now.is_nullable())
                    == (then.name(), then.data_type(), then.is_nullable())
            };
            let is_there = |field| now_has.iter().any(|now| is_same(now, field));
            assert!(then_had.iter().all(|field| is_there(field)), "{table}: {then_had:?}");
            let is_new = |name: &String| then_had.find(name).is_none();
            assert!(now_has.iter().all(|field| field.is_nullable() || !is_new(field.name())), "{table}");
            let mut values = without_clocks(now);
            values.iter_mut().for_each(|batch| batch.retain(|(name, _)| !is_new(name)));
            assert_eq!(values, without_clocks(then), "{table}");
        }
    }
}

/// Columns by name; the file's own metadata name a run and are left out.
fn without_clocks(part: &Part) -> Vec<Vec<(String, arrow::array::ArrayRef)>> {
    let batches = read::part_batches(part).unwrap();
    let keep = |batch: &arrow::array::RecordBatch| {
        let columns = batch.schema_ref().fields().iter().zip(batch.columns());
        let kept = columns.filter(|(field, _)| !field.name().starts_with("time"));
        kept.map(|(field, array)| (field.name().clone(), array.clone())).collect()
    };
    batches.iter().map(keep).collect()
}
