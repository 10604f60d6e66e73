//! A recorded run of ten steps, made again and compared row by row, and derived again by a Python script from its rows
//! alone. Runs that are compared with themselves agree on an error that all of them make; the recording and the script
//! don't make it.
//!
//! `EXGRPO_RECORD=1 cargo xtask test recorded` records it anew, where what a run does was changed on purpose: say in the
//! change what moved and why.
//!
//! Its policies are a sampler with a memory that panics from step 4 on, and the default task's verifier. After step 5 the
//! run stops, the sampler's file becomes the paper's curriculum, and the resumed run takes it over: buckets, retirement
//! and trajectories change hands in its sixth step.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use exgrpo_core::journal::{EventKind, Slot};
use exgrpo_core::types::Origin;
use exgrpo_log::{DecisionRow, EventRow, ExperienceRow, MetricsRow, ProblemRow, read};

use crate::process::host;

const TABLES: [&str; 5] = ["experiences", "decisions", "problems", "events", "metrics"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn recording() -> PathBuf {
    root().join("tests/recorded/ten_steps")
}

/// Makes the run in `folder`; answers its directory. Names within it are relative, so that no row depends on `folder`.
fn record(folder: &Path) -> PathBuf {
    let sampler = folder.join("sampler.wasm");
    std::fs::copy(exgrpo_tests::guest("counter"), &sampler).unwrap();
    std::fs::copy(exgrpo_tests::policy("exact_answer"), folder.join("verifier.wasm")).unwrap();
    let mut begin = host(&[
        "--quiet",
        "--steps",
        "5",
        "--seed",
        "5",
        "--policy",
        "sampler.wasm",
        "--policy",
        "verifier.wasm",
    ]);
    begin.args(["--policy-param", "panic_from=4", "--out", "run"]);
    for setting in [
        "rollout.questions=6",
        "rollout.group_size=4",
        "objective.entropy_coefficient=0.0",
        "eval.enabled=false",
    ] {
        begin.args(["--set", setting]);
    }
    run(begin.current_dir(folder));
    std::fs::copy(exgrpo_tests::policy("gaussian_medium"), &sampler).unwrap();
    run(host(&["--quiet", "--resume", "run", "--steps", "10"]).current_dir(folder));
    folder.join("run")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Rows without what depends on the clock or on how a guest was compiled: digests become the order in which they first
/// decided, fuel and the guest's frames go. All else must be equal bit for bit, floats included.
#[derive(Debug, PartialEq)]
struct Comparable {
    experiences: Vec<ExperienceRow>,
    decisions: Vec<DecisionRow>,
    problems: Vec<ProblemRow>,
    events: Vec<EventRow>,
    metrics: Vec<MetricsRow>,
}

impl Comparable {
    fn of(dir: &Path) -> Self {
        let mut decisions: Vec<DecisionRow> = read::rows(dir).unwrap();
        let mut names = HashMap::new();
        let mut rename = |digest: &mut String| {
            let next = format!("policy {}", names.len());
            if digest.len() == 64 {
                *digest = names.entry(digest.clone()).or_insert(next).clone();
            }
        };
        for row in &mut decisions {
            rename(&mut row.digest);
            (row.fuel, row.time_us) = (0, 0.0);
        }
        let mut experiences: Vec<ExperienceRow> = read::rows(dir).unwrap();
        for row in &mut experiences {
            rename(&mut row.verifier_digest);
            row.sampling_digest.iter_mut().for_each(&mut rename);
            row.trajectories_digest.iter_mut().for_each(&mut rename);
            row.difficulty_digest.iter_mut().for_each(&mut rename);
            row.retirement_digest.iter_mut().for_each(&mut rename);
            row.verifier_fuel = 0;
        }
        let mut events: Vec<EventRow> = read::rows(dir).unwrap();
        // Checkpoints are due by the clock.
        events.retain(|row| row.kind != EventKind::Checkpoint);
        let mut last_step = 0;
        let mut index = 0;
        for row in &mut events {
            row.digest.iter_mut().for_each(&mut rename);
            index = if row.step == last_step { index + 1 } else { 0 };
            (last_step, row.event_index, row.time_unix_ms) = (row.step, index, 0);
            row.detail = row.detail.lines().next().unwrap_or_default().to_owned();
        }
        for row in &mut events {
            for (digest, name) in &names {
                row.detail = row.detail.replace(digest, name).replace(&digest[..12], name);
            }
        }
        // Metrics that came later are not in the recording.
        let known = read::part_schema(&read::parts(&recording(), "metrics").unwrap()[0]).unwrap();
        let is_compared = |key: &str| {
            !key.starts_with("time/") && key != "guest/fuel" && known.field_with_name(key).is_ok()
        };
        let mut metrics = read::metrics(dir).unwrap();
        metrics.iter_mut().for_each(|row| row.values.retain(|key, _| is_compared(key)));
        Self { experiences, decisions, problems: read::rows(dir).unwrap(), events, metrics }
    }
}

/// Copies what the repository keeps of a run.
fn keep(run: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    for table in TABLES {
        std::fs::create_dir_all(to.join(table)).unwrap();
        for part in read::parts(run, table).unwrap() {
            std::fs::copy(&part.path, to.join(table).join(part.path.file_name().unwrap())).unwrap();
        }
    }
    std::fs::copy(run.join("run.toml"), to.join("run.toml")).unwrap();
}

#[test]
fn the_recorded_run_is_made_again_and_derived_again() {
    let dir = tempfile::tempdir().unwrap();
    let fresh = record(dir.path());
    if std::env::var_os("EXGRPO_RECORD").is_some() {
        keep(&fresh, &recording());
    }
    let (there, here) = (Comparable::of(&recording()), Comparable::of(&fresh));
    assert_eq!(here.decisions, there.decisions);
    assert_eq!(here.experiences, there.experiences);
    assert_eq!(here.problems, there.problems);
    assert_eq!(here.events, there.events);
    assert_eq!(here.metrics, there.metrics);

    // It shows what it is for.
    let has = |kind, slot| there.events.iter().any(|event| event.kind == kind && event.slot == slot);
    assert!(has(EventKind::ReplayStart, None) && has(EventKind::Fault, Some(Slot::Sampling)));
    assert!(has(EventKind::Swap, Some(Slot::Sampling)) && has(EventKind::Swap, Some(Slot::Retirement)));
    assert!(there.problems.iter().any(|row| row.retired));
    assert!(there.experiences.iter().any(|row| row.origin == Origin::Replayed));
    assert!(there.experiences.iter().any(|row| row.drop_reason.is_some()));

    derive(&[&recording(), &fresh]);
}

/// Runs the script on `runs`. `EXGRPO_PYTHON` names the interpreter, and its absence is an error then; without the
/// variable a machine whose `python3` has no pyarrow leaves this part out, and says so.
fn derive(runs: &[&Path]) {
    let named = std::env::var_os("EXGRPO_PYTHON");
    let python = named.clone().unwrap_or_else(|| OsString::from("python3"));
    let probe = Command::new(&python).args(["-c", "import pyarrow, tomllib"]).output();
    if !probe.as_ref().is_ok_and(|output| output.status.success()) {
        let why = probe.map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        let python = python.to_string_lossy();
        assert!(named.is_none(), "EXGRPO_PYTHON = {python} can't import pyarrow: {why}");
        say(&format!(
            "\nNOT CHECKED: no run was derived again, because {python} can't import pyarrow.\n\
             hint: pip install -r tests/python/requirements-derive.txt, or set EXGRPO_PYTHON\n"
        ));
        return;
    }
    let mut command = Command::new(&python);
    let output = command.arg(root().join("tests/python/derive.py")).args(runs).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("values agree"), "{said}");
}

/// Past the test harness, which keeps what passing tests print.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
