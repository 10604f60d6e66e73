//! What the log promises: rows come back as they went in, equal rows make equal files, no moment shows a broken
//! part, and a resumed run equals an unbroken one.

mod arbitrary;
mod going_on;
mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand::{Rng, SeedableRng};

use exgrpo_core::journal::{BUILTIN, Decision, Event, EventKind, Slot};

use super::part::{encode, parts};
use super::table::BatchColumns;
use super::*;
use arbitrary::arbitrary_rows;
pub(crate) use arbitrary::{Arbitrary, Source};

/// Rows written and read again are equal, and so are the bytes of what was read, written again: -0 stays -0.
fn check_round_trip<R: Row + Arbitrary + PartialEq + std::fmt::Debug>(seed: u64, num_rows: usize) {
    let rows = arbitrary_rows::<R>(seed, num_rows);
    let bytes = encode(R::TABLE, R::schema(), R::arrays(&rows), Vec::new()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let part = part::Part::new(dir.path(), R::TABLE, 1, 1);
    fs::create_dir(dir.path().join(R::TABLE)).unwrap();
    fs::write(&part.path, &bytes).unwrap();
    let back = read::rows::<R>(dir.path()).unwrap();
    assert_eq!(back, rows);
    assert!(encode(R::TABLE, R::schema(), R::arrays(&back), Vec::new()).unwrap() == bytes, "bytes differ");
    for field in R::schema().fields() {
        assert!(!field.metadata()["doc"].is_empty(), "{} has no documentation", field.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn rows_come_back_as_they_went_in(seed: u64, num_rows in 0..40usize) {
        check_round_trip::<ExperienceRow>(seed, num_rows);
        check_round_trip::<DecisionRow>(seed, num_rows);
        check_round_trip::<ProblemRow>(seed, num_rows);
        check_round_trip::<EventRow>(seed, num_rows);
    }

    #[test]
    fn metrics_come_back_as_they_went_in(seed: u64, num_rows in 1..20u32) {
        let mut source = Source::seed_from_u64(seed);
        let keys = ["time/step_s", "reward/mean", "pool/bucket_1", "odd. `key\" with: everything"];
        let dir = tempfile::tempdir().unwrap();
        let mut log = RunLog::open(dir.path(), RUN, keys.map(str::to_owned).to_vec(), Begin::New).unwrap();
        let mut expected = Vec::new();
        for step in 1..=num_rows {
            let mut row = MetricsRow { step, values: BTreeMap::new() };
            for key in keys {
                row.values.extend(Option::<f64>::arbitrary(&mut source).map(|value| (key.to_owned(), value)));
            }
            log.append_metrics(step, row.values.clone()).unwrap();
            expected.push(row);
        }
        log.flush(1, num_rows).unwrap();
        prop_assert_eq!(read::metrics(dir.path()).unwrap(), expected);
    }
}

/// A run's log of a few rows a step, the same for a step whenever it is written.
fn append_step(log: &mut RunLog, step: u32) {
    append_rows(log, step);
    log.append_metrics(step, [("reward/mean", f64::from(step)), ("time/step_s", f64::NAN)]).unwrap();
}

fn append_rows(log: &mut RunLog, step: u32) {
    let at_step = |mut row: ExperienceRow| {
        row.step = step;
        row
    };
    log.append_experiences(arbitrary_rows::<ExperienceRow>(step.into(), 3).into_iter().map(at_step));
    let decision = Decision {
        step,
        slot: Slot::Sampling,
        function: "bucket-weights",
        digest: BUILTIN.to_owned(),
        inputs_digest: "0123456789abcdef".to_owned(),
        seed: None,
        num_rows: 9,
        output: "[0.5,1.0]".to_owned(),
        fuel: 0,
        duration_us: 1.5,
        fault: None,
    };
    log.append_decisions([&decision, &decision]);
    log.append_problems(arbitrary_rows::<ProblemRow>(step.into(), 2).into_iter().map(|mut row| {
        row.step = step;
        row
    }));
}

fn keys() -> Vec<String> {
    vec!["time/step_s".to_owned(), "reward/mean".to_owned()]
}

/// Every visible file under a run directory with its bytes.
fn files(run_dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for table in TABLES {
        for entry in fs::read_dir(run_dir.join(table)).into_iter().flatten() {
            let path = entry.unwrap().path();
            files.insert(
                path.strip_prefix(run_dir).unwrap().to_string_lossy().into_owned(),
                fs::read(path).unwrap(),
            );
        }
    }
    files
}

const RUN: &str = "0123456789abcdef0123456789abcdef";

fn begin(resume_after: Option<u32>) -> Begin<'static> {
    resume_after.map_or(Begin::New, |step| Begin::After { step, aside: &[] })
}

fn write_steps(run_dir: &Path, steps: std::ops::RangeInclusive<u32>, resume_after: Option<u32>) {
    let mut log = RunLog::open(run_dir, RUN, keys(), begin(resume_after)).unwrap();
    for step in steps {
        append_step(&mut log, step);
        log.flush(step, step).unwrap();
    }
}

#[test]
fn a_resumed_log_equals_an_unbroken_one() {
    let (unbroken, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_steps(unbroken.path(), 1..=6, None);
    write_steps(broken.path(), 1..=5, None);
    fs::write(broken.path().join(".tmp-experiences-part-000006-000006.parquet"), "half").unwrap();
    write_steps(broken.path(), 4..=6, Some(3));
    assert!(files(unbroken.path()) == files(broken.path()));
    assert_eq!(files(broken.path()).len(), 6 * 4);
    assert!(!fs::exists(broken.path().join(".tmp-experiences-part-000006-000006.parquet")).unwrap());
    let decisions = read::rows::<DecisionRow>(broken.path()).unwrap();
    let indices: Vec<_> = decisions.iter().take(4).map(|row| (row.step, row.decision_index)).collect();
    assert_eq!(indices, [(1, 0), (1, 1), (2, 0), (2, 1)]);
}

#[test]
fn a_log_that_cannot_go_on_there_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = RunLog::open(dir.path(), RUN, keys(), Begin::New).unwrap();
    append_step(&mut log, 1);
    append_step(&mut log, 2);
    log.flush(1, 2).unwrap();
    let before = files(dir.path());
    let open = |resume_after| RunLog::open(dir.path(), RUN, keys(), begin(resume_after)).unwrap_err();
    assert!(matches!(open(None), LogError::Exists(_)));
    assert!(matches!(open(Some(1)), LogError::Straddles { first: 1, last: 2, resume_after: 1, .. }));
    let other =
        RunLog::open(dir.path(), RUN, vec!["reward/mean".to_owned(), "new".to_owned()], begin(Some(2)));
    let error = other.unwrap_err().to_string();
    assert!(error.contains("metrics that this run does not know (time/step_s)"), "{error}");
    assert!(files(dir.path()) == before);
    RunLog::open(dir.path(), RUN, keys(), begin(Some(2))).unwrap();
    assert!(files(dir.path()) == before);
    RunLog::open(dir.path(), RUN, keys(), begin(Some(0))).unwrap();
    assert!(files(dir.path()).is_empty());
}

/// A newer program has further metrics: the run goes on with the columns that it began with.
#[test]
fn a_run_keeps_the_metrics_that_it_began_with() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = RunLog::open(dir.path(), RUN, keys(), Begin::New).unwrap();
    append_step(&mut log, 1);
    log.flush(1, 1).unwrap();
    let more = keys().into_iter().chain(["new".to_owned()]).collect();
    let mut log = RunLog::open(dir.path(), RUN, more, begin(Some(1))).unwrap();
    log.append_metrics(2, [("reward/mean", 0.5), ("new", 1.0)]).unwrap();
    log.flush(2, 2).unwrap();
    let parts = parts(dir.path(), metrics::TABLE).unwrap();
    let columns = |part| read::part_schema(part).unwrap().fields;
    assert_eq!(columns(&parts[0]), columns(&parts[1]));
    assert_eq!(read::metrics(dir.path()).unwrap()[1].values["reward/mean"], 0.5);
}

#[test]
fn misuse_is_an_error_and_loses_no_row() {
    let dir = tempfile::tempdir().unwrap();
    for keys in [["a", "a"], ["a", "step"], ["a", ""]] {
        let opened = RunLog::open(dir.path(), RUN, keys.map(str::to_owned).to_vec(), Begin::New);
        assert!(matches!(opened, Err(LogError::MetricKey(_))));
    }
    let mut log = RunLog::open(dir.path(), RUN, keys(), Begin::New).unwrap();
    assert!(matches!(log.append_metrics(1, [("reward", 1.0)]), Err(LogError::UnknownMetric(_))));
    let twice = [("reward/mean", 1.0), ("reward/mean", 1.0)];
    assert!(matches!(log.append_metrics(1, twice), Err(LogError::MetricKey(_))));
    append_step(&mut log, 1);
    assert!(matches!(log.flush(2, 2), Err(LogError::OutOfRange { step: 1, .. })));
    assert!(matches!(log.flush(2, 1), Err(LogError::OutOfOrder { .. })));
    // A file where the folder should be: the flush fails half-way, and works once the cause is gone.
    fs::remove_dir(dir.path().join("problems")).unwrap();
    fs::write(dir.path().join("problems"), "").unwrap();
    let error = log.flush(1, 1).unwrap_err().to_string();
    assert!(error.contains("problems"), "{error}");
    fs::remove_file(dir.path().join("problems")).unwrap();
    fs::create_dir(dir.path().join("problems")).unwrap();
    log.flush(1, 1).unwrap();
    assert!(matches!(log.flush(1, 1), Err(LogError::OutOfOrder { flushed: 1, .. })));
    let unbroken = tempfile::tempdir().unwrap();
    write_steps(unbroken.path(), 1..=1, None);
    assert!(files(unbroken.path()) == files(dir.path()));
}

#[test]
fn unsound_parts_are_named() {
    let dir = tempfile::tempdir().unwrap();
    write_steps(dir.path(), 1..=2, None);
    let part = parts(dir.path(), "decisions").unwrap().remove(1);
    let sound = fs::read(&part.path).unwrap();
    for length in [0, 3, sound.len() / 2, sound.len() - 1] {
        fs::write(&part.path, &sound[..length]).unwrap();
        let error = read::rows::<DecisionRow>(dir.path()).unwrap_err();
        assert!(error.to_string().contains("decisions/part-000002-000002.parquet"), "{error}");
    }
    fs::copy(&parts(dir.path(), "problems").unwrap()[0].path, &part.path).unwrap();
    let error = read::rows::<DecisionRow>(dir.path()).unwrap_err();
    assert!(error.to_string().ends_with("it is a part of problems"), "{error}");
}

#[test]
fn missing_columns_nulls_and_unknown_words_are_named() {
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("word", std::sync::Arc::new(StringArray::from(vec!["sampling", "cooking"])) as ArrayRef, false),
        ("null", std::sync::Arc::new(StringArray::from(vec![Some("a"), None])) as ArrayRef, true),
    ])
    .unwrap();
    let columns = BatchColumns::new(&batch);
    assert_eq!(columns.get::<u32>("gone").unwrap_err(), "column gone is missing");
    assert_eq!(columns.get::<Option<u32>>("gone").unwrap(), [None, None], "older parts read as null there");
    assert_eq!(columns.get::<u32>("word").unwrap_err(), "column word has type Utf8, not UInt32");
    assert_eq!(columns.get::<Slot>("word").unwrap_err(), "column word holds the unknown word \"cooking\"");
    assert_eq!(columns.get::<String>("null").unwrap_err(), "column null holds a null");
}

const CHILD_DIR: &str = "EXGRPO_LOG_TEST_DIR";

/// Not a test of its own: the process that the next one kills.
#[test]
#[ignore = "runs only as a child of killed_at_any_moment_every_visible_part_opens"]
fn child_that_logs_until_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    write_steps(Path::new(&dir), 1..=1_000_000, None);
}

#[test]
fn killed_at_any_moment_every_visible_part_opens() {
    let mut source = Source::seed_from_u64(7);
    let mut num_steps = 0;
    for _ in 0..25 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::child_that_logs_until_killed", "--ignored"])
            .env(CHILD_DIR, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let metrics = dir.path().join("metrics");
        let started = Instant::now();
        while !fs::read_dir(&metrics).is_ok_and(|mut entries| entries.next().is_some()) {
            assert!(started.elapsed() < Duration::from_secs(60), "the child writes nothing");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(source.random_range(0..30_000)));
        child.kill().unwrap();
        child.wait().unwrap();

        let logged = read::metrics(dir.path()).unwrap();
        let last = logged.last().unwrap().step;
        num_steps += last;
        assert_eq!(logged.iter().map(|row| row.step).collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
        // A step whose metrics are there is there in every table; one more may have begun to appear.
        let experiences = read::rows::<ExperienceRow>(dir.path()).unwrap();
        assert!((3 * last..=3 * (last + 1)).contains(&(experiences.len() as u32)));
        read::rows::<DecisionRow>(dir.path()).unwrap();
        read::rows::<ProblemRow>(dir.path()).unwrap();
        write_steps(dir.path(), last + 1..=last + 1, Some(last));
        assert_eq!(read::metrics(dir.path()).unwrap().len() as u32, last + 1);
    }
    assert!(num_steps > 25, "every child was killed in its first step");
}

#[test]
fn events_keep_their_order_and_get_a_clock() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = RunLog::open(dir.path(), RUN, keys(), Begin::New).unwrap();
    let event = |kind, detail: &str| Event {
        step: 1,
        kind,
        slot: Some(Slot::Verifier),
        digest: None,
        reason: Some("trap"),
        detail: detail.to_owned(),
    };
    log.append_events([&event(EventKind::Fault, "first"), &event(EventKind::Swap, "second")]);
    log.append_events([&event(EventKind::Checkpoint, "third")]);
    log.flush(1, 1).unwrap();
    let rows = read::rows::<EventRow>(dir.path()).unwrap();
    let order: Vec<_> = rows.iter().map(|row| (row.event_index, row.detail.as_str())).collect();
    assert_eq!(order, [(0, "first"), (1, "second"), (2, "third")]);
    assert!(rows[0].time_unix_ms > 1_700_000_000_000);
}

/// A command, not a test: what a step of 256 rollouts with 60 tokens costs.
#[test]
#[ignore = "a measurement"]
fn measure_a_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut source = Source::seed_from_u64(1);
    let mut log =
        RunLog::open(dir.path(), RUN, (0..60).map(|k| format!("m/{k}")).collect(), Begin::New).unwrap();
    let mut times = Vec::new();
    for step in 1..=50 {
        let rows: Vec<_> = (0..256)
            .map(|index| {
                let mut row = ExperienceRow::arbitrary(&mut source);
                (row.step, row.group_index, row.member) = (step, index / 8, index % 8);
                row.prompt = format!("{}+{}-{}=", index / 8, step, index / 8 * 3);
                row.prompt_ids = (0..16).map(|_| source.random_range(0..64)).collect();
                row.completion = (0..60).map(|_| source.random_range('0'..='9')).collect();
                row.completion_ids = (0..60).map(|_| source.random_range(0..64)).collect();
                row.old_logprobs = (0..60).map(|_| -source.random::<f32>()).collect();
                (row.answer, row.drop_reason) = (Some("66".to_owned()), None);
                row.bucket_level = Some("hard".to_owned());
                row.verifier_digest = "ab1e".repeat(16);
                row.difficulty_digest = Some("ab1e".repeat(16));
                row.retirement_digest = Some("ab1e".repeat(16));
                (row.sampling_digest, row.trajectories_digest) = (Some("5eed".repeat(16)), None);
                row
            })
            .collect();
        let copy = rows.clone();
        let started = Instant::now();
        log.append_experiences(rows);
        append_rows(&mut log, step);
        log.append_metrics(step, (0..60).map(|k| (format!("m/{k}"), f64::from(k)))).unwrap();
        let encoded = Instant::now();
        let size = encode("experiences", ExperienceRow::schema(), ExperienceRow::arrays(&copy), Vec::new())
            .unwrap()
            .len();
        let encode_time = encoded.elapsed();
        let flushing = Instant::now();
        log.flush(step, step).unwrap();
        times.push((flushing.elapsed(), encode_time, encoded - started, size));
    }
    times.sort();
    println!("median (flush, encode experiences alone, append, bytes): {:?}", times[25]);
}

#[test]
fn no_part_of_an_evaluation_makes_reading_panic_or_grow() {
    let dir = tempfile::tempdir().unwrap();
    let table = EvaluationRow::TABLE;
    fs::create_dir(dir.path().join(table)).unwrap();
    let part = part::Part::new(dir.path(), table, 1, 1);
    let bytes = |rows: &[EvaluationRow]| {
        encode(table, EvaluationRow::schema(), EvaluationRow::arrays(rows), Vec::new()).unwrap()
    };
    let rows = arbitrary_rows::<EvaluationRow>(7, 6);
    let text = || "17".to_owned();
    let small = |row: &EvaluationRow| EvaluationRow {
        benchmark: text(),
        prompt: text(),
        completion: text(),
        reference: text(),
        ..row.clone()
    };
    let seeds = [bytes(&rows), bytes(&rows.iter().map(small).collect::<Vec<_>>())];
    let words = ["PAR1", "benchmark", "ARROW:schema"];
    exgrpo_core::fuzz::run("evaluation part", &seeds, &words, move |bytes| {
        fs::write(&part.path, bytes).unwrap();
        if let Err(error) = read::rows::<EvaluationRow>(dir.path()) {
            assert!(error.to_string().len() < 100_000);
        }
    });
}
