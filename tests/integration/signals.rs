//! Runs that are asked to stop while a candidate does its worst.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use exgrpo_core::journal::EventKind;
use exgrpo_core::rundir::RunDir;
use exgrpo_log::{EventRow, read};

use crate::modules;
use crate::process::{host, start, start_with};

/// Rounds over all candidates; `EXGRPO_SIGNALS=13 cargo xtask test signals` does more than fifty.
const ROUNDS: u64 = 1;

/// Far more than a step and two seconds take, far less than the candidates would.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lets a huge function be compiled for as long as it takes.
const SLOW_COMPILER: [&str; 6] =
    ["--set", "guest.function_kib=16384", "--set", "guest.compile_s=600", "--set", "guest.compile_mib=8192"];

/// What lies in the place of a watched policy.
enum Worst {
    /// A start function that goes on until its deadline, which is ten minutes.
    GrowsForEver,
    /// A function that takes minutes to compile.
    Huge,
    /// A gigabyte that is no policy.
    Gigabyte,
    /// A pipe that nobody writes to.
    Pipe,
}

impl Worst {
    const ALL: [Self; 4] = [Self::GrowsForEver, Self::Huge, Self::Gigabyte, Self::Pipe];

    /// Puts it at `path` in one rename, as a build would.
    fn put(&self, path: &Path) {
        let beside = path.with_extension("new");
        match self {
            Self::GrowsForEver | Self::Huge => {
                let policy = std::fs::read(exgrpo_tests::policy("gaussian_medium")).unwrap();
                let (code, is_start) = match self {
                    Self::Huge => (modules::huge(7_000_000), false),
                    _ => (modules::grows_for_ever(), true),
                };
                std::fs::write(&beside, modules::with_function(&policy, &code, is_start)).unwrap();
            }
            Self::Gigabyte => std::fs::File::create(&beside).unwrap().set_len(1 << 30).unwrap(),
            Self::Pipe => assert!(Command::new("mkfifo").arg(&beside).status().unwrap().success()),
        }
        std::fs::rename(&beside, path).unwrap();
    }
}

fn rounds() -> u64 {
    std::env::var("EXGRPO_SIGNALS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

fn signal(child: &Child, name: &str) {
    Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
}

/// The exit of a process that should end soon; kills it when it does not.
fn soon(child: &mut Child) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the process goes on {PATIENCE:?} after the signal");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wait_for(child: &mut Child, path: &Path) {
    while !path.exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_signal_ends_a_run_after_its_step_whatever_a_candidate_does() {
    let shipped = exgrpo_tests::policy("gaussian_medium");
    for round in 0..rounds() {
        for (kind, worst) in Worst::ALL.into_iter().enumerate() {
            let name = if (round + kind as u64).is_multiple_of(2) { "-INT" } else { "-TERM" };
            let dir = tempfile::tempdir().unwrap();
            let (out, watched) = (dir.path().join("run"), dir.path().join("watched.wasm"));
            std::fs::copy(&shipped, &watched).unwrap();
            let mut command =
                start_with(&[watched.clone(), exgrpo_tests::policy("exact_answer")], &out, "100000");
            // Nothing but the signal ends what the candidate does.
            command.args(["--set", "guest.deadline_ms=600000"]);
            command.args(["--set", "guest.fuel_per_call=1000000000000000"]);
            command.args(SLOW_COMPILER);
            let mut child = command.spawn().unwrap();
            wait_for(&mut child, &out.join("checkpoints/000002"));
            worst.put(&watched);
            // From before the change is noticed to well within its trial.
            std::thread::sleep(Duration::from_millis(50 + 250 * ((round + 2) % 4)));
            signal(&child, name);
            assert_eq!(soon(&mut child).code(), Some(130), "candidate {kind}, {name}");

            let steps = read::metrics(&out).unwrap().len() as u32;
            assert_eq!(RunDir::at(&out).checkpoint_steps().unwrap().last(), Some(&steps));
            std::fs::copy(&shipped, dir.path().join("back")).unwrap();
            std::fs::rename(dir.path().join("back"), &watched).unwrap();
            let more = (steps + 1).to_string();
            let resumed = host(&["--quiet", "--steps", &more, "--resume"]).arg(&out).output().unwrap();
            assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
            assert_eq!(read::metrics(&out).unwrap().len() as u32, steps + 1);
        }
    }
}

/// The compiler is a process of its own, which takes no thread of the run's.
#[test]
fn training_goes_on_while_a_candidate_is_compiled() {
    let dir = tempfile::tempdir().unwrap();
    let (out, watched) = (dir.path().join("run"), dir.path().join("watched.wasm"));
    std::fs::copy(exgrpo_tests::policy("gaussian_medium"), &watched).unwrap();
    let mut command = start_with(&[watched.clone(), exgrpo_tests::policy("exact_answer")], &out, "100000");
    command.args(SLOW_COMPILER);
    let mut child = command.spawn().unwrap();
    wait_for(&mut child, &out.join("checkpoints/000002"));
    Worst::Huge.put(&watched);
    // Well after the change is noticed, well before it is compiled.
    std::thread::sleep(Duration::from_millis(500));
    let steps = read::metrics(&out).unwrap().len();
    let begin = Instant::now();
    while read::metrics(&out).unwrap().len() < steps + 20 && begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    let more = read::metrics(&out).unwrap().len() - steps;
    signal(&child, "-INT");
    assert_eq!(soon(&mut child).code(), Some(130));
    assert!(more >= 20, "{more} steps in {PATIENCE:?}");
    let events: Vec<EventRow> = read::rows(&out).unwrap();
    assert!(events.iter().all(|event| event.kind != EventKind::SwapRefused), "it is still being compiled");
}

/// Nothing is made yet that would have to be finished: the system's default holds.
#[test]
fn a_signal_ends_what_has_not_begun_to_train() {
    let dir = tempfile::tempdir().unwrap();
    let (out, policy) = (dir.path().join("run"), dir.path().join("huge.wasm"));
    Worst::Huge.put(&policy);
    let path = policy.to_string_lossy().into_owned();
    let mut training = start_with(std::slice::from_ref(&policy), &out, "1");
    training.args(SLOW_COMPILER);
    let mut evaluation = host(&["eval", "--dataset", "embedded:arithmetic/test", "--verifier", &path]);
    evaluation.args(SLOW_COMPILER).current_dir(dir.path());
    for mut command in [training, evaluation] {
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        assert!(child.try_wait().unwrap().is_none(), "{command:?}: the policy is being compiled");
        signal(&child, "-TERM");
        assert_eq!(soon(&mut child).signal(), Some(15), "{command:?}");
    }
    assert!(!out.exists());
}

#[test]
fn a_second_signal_ends_a_run_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    // A step of a minute.
    let mut command = start(&out, "3");
    command.args(["--set", "rollout.questions=6000", "--set", "rollout.group_size=64"]);
    let mut child = command.spawn().unwrap();
    wait_for(&mut child, &out.join("metrics"));
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "-TERM");
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the first one lets the step end");
    signal(&child, "-INT");
    assert_eq!(soon(&mut child).code(), Some(130));
    assert!(read::metrics(&out).unwrap().is_empty());
}

/// The evaluation before the first step can take minutes and leaves nothing that a resumed run would not do again.
#[test]
fn a_signal_does_not_wait_for_the_evaluation_before_the_first_step() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut command = start(&out, "2");
    command.args(["--set", "eval.enabled=true", "--set", "eval.samples=400"]);
    let mut child = command.spawn().unwrap();
    wait_for(&mut child, &out.join("metrics"));
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "-INT");
    assert_eq!(soon(&mut child).code(), Some(130));
}

#[test]
fn a_signal_between_two_checkpoints_ends_with_one_of_the_last_step() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut command = start(&out, "1000000");
    let mut child = command.args(["--set", "checkpoint.every=1000000"]).spawn().unwrap();
    wait_for(&mut child, &out.join("metrics/part-000003-000003.parquet"));
    signal(&child, "-INT");
    assert_eq!(soon(&mut child).code(), Some(130));
    let steps = read::metrics(&out).unwrap().len() as u32;
    assert_eq!(RunDir::at(&out).checkpoint_steps().unwrap(), [1, steps]);
}
