//! Runs in a process of their own that is killed at any moment and resumed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use exgrpo_core::journal::EventKind;
use exgrpo_log::EventRow;

use crate::compare::Leavings;
use crate::process::{host, start};

const STEPS: &str = "6";

/// Kills of the quick run; `EXGRPO_KILLS=20 cargo xtask test interruptions` does more.
const KILLS: u64 = 4;

#[test]
fn a_run_killed_at_any_moment_and_resumed_equals_one_that_was_not() {
    kill_and_resume("cpu");
}

#[test]
#[cfg(feature = "cuda")]
fn a_run_on_a_gpu_killed_at_any_moment_and_resumed_equals_one_that_was_not() {
    kill_and_resume("cuda");
}

fn kill_and_resume(engine: &str) {
    let engine = format!("model.engine={engine}");
    let start = |out: &Path| {
        let mut command = start(out, STEPS);
        command.args(["--set", &engine]);
        command
    };
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let begin = std::time::Instant::now();
    let output = start(&whole).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seconds = begin.elapsed().as_secs_f64();
    let expected = Leavings::of(&whole);

    let kills = std::env::var("EXGRPO_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    for kill in 0..kills {
        let out = dir.path().join(format!("killed-{kill}"));
        let mut child = start(&out).spawn().unwrap();
        // Moments spread over the run's length; the golden ratio keeps them apart.
        let share = (0.5 + kill as f64 * 0.618_033_988_75).fract();
        std::thread::sleep(Duration::from_secs_f64(seconds * share));
        child.kill().unwrap();
        child.wait().unwrap();
        let resumed = match out.join("run.toml").exists() {
            true => host(&["--quiet", "--resume"]).arg(&out).output().unwrap(),
            // Killed before it was a run: the same command begins it.
            false => start(&out).output().unwrap(),
        };
        assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
        Leavings::of(&out).assert_equals(&expected);
    }
}

#[test]
#[cfg(unix)]
fn an_interrupt_finishes_the_step_and_exits_130() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut child = start(&out, "100000").spawn().unwrap();
    while !out.join("checkpoints/000002").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let steps = exgrpo_log::read::metrics(&out).unwrap().len() as u32;
    let checkpoints = exgrpo_core::rundir::RunDir::at(&out).checkpoint_steps().unwrap();
    assert_eq!(checkpoints.last(), Some(&steps), "the last step that was logged is in a checkpoint");
    let events: Vec<EventRow> = exgrpo_log::read::rows(&out).unwrap();
    let written = events.iter().filter(|event| event.kind == EventKind::Checkpoint).map(|event| event.step);
    assert_eq!(written.collect::<Vec<_>>(), (1..=steps).collect::<Vec<_>>(), "and the log says so");
}

#[test]
fn bad_input_ends_at_once_with_one_line_and_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.wasm");
    std::fs::write(&broken, b"not wasm").unwrap();
    let broken = broken.to_string_lossy().into_owned();
    let no_gpu = if cfg!(feature = "cuda") { "no GPU can be used" } else { "built without CUDA" };
    for (arguments, expected) in [
        (vec!["--policy", "nowhere.wasm"], "nowhere.wasm"),
        (vec!["--policy", broken.as_str()], "broken.wasm"),
        (vec!["--set", "rollout.question=3"], "question"),
        (vec!["--set", "rollout.max_new_tokens=100000"], "the model takes"),
        (vec!["--set", "model.path=nowhere"], "nowhere"),
        (vec!["--set", "model.engine=cuda"], no_gpu),
        (vec!["--set", "dataset.train=nowhere.jsonl"], "nowhere.jsonl"),
        (vec!["--policy-param", "sigma=1"], "sigma"),
        (vec!["--resume", "nowhere"], "nowhere"),
    ] {
        let mut command = host(&arguments);
        let output = command.current_dir(dir.path()).env("CUDA_VISIBLE_DEVICES", "-1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.starts_with("error: ") && text.contains(expected), "{arguments:?}: {text}");
        assert!(!dir.path().join("runs").exists(), "{arguments:?}: nothing is made before input is checked");
    }
}
