//! Runs in processes of their own, killed at moments spread over their length and resumed, over the combinations of how
//! often there is a checkpoint, whether somebody swaps a policy meanwhile, and whether the policies keep state.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use exgrpo_core::journal::EventKind;
use exgrpo_log::{EventRow, read};
use exgrpo_train::config::Config;
use exgrpo_train::control::REQUESTS;
use exgrpo_train::run::Run;

use crate::compare::Leavings;
use crate::process::{host, start_with};

const STEPS: &str = "12";

/// Kills of the quick run; `EXGRPO_KILLS=100 cargo xtask test random_kills` does more.
const KILLS: usize = 2;

#[derive(Debug, Clone, Copy)]
struct Combination {
    checkpoint_every: u32,
    has_swap: bool,
    is_stateful: bool,
}

impl Combination {
    /// The eight of them, the harder ones first.
    fn of(kill: usize) -> Self {
        Self {
            checkpoint_every: if kill & 1 == 0 { 3 } else { 1 },
            has_swap: kill & 4 == 0,
            is_stateful: (kill ^ (kill >> 1)) & 1 == 0,
        }
    }

    fn sampler(self) -> PathBuf {
        if self.is_stateful {
            exgrpo_tests::guest("counter")
        } else {
            exgrpo_tests::policy("gaussian_medium")
        }
    }

    fn start(self, out: &Path) -> Child {
        let mut command = start_with(&[self.sampler(), exgrpo_tests::policy("exact_answer")], out, STEPS);
        command.args(["--set", &format!("checkpoint.every={}", self.checkpoint_every)]);
        command.spawn().unwrap()
    }

    /// A policy that takes over: the same with another digest, so that state is carried over, or another one.
    fn newcomer(self, path: &Path) {
        let mut bytes = match self.is_stateful {
            true => std::fs::read(self.sampler()).unwrap(),
            false => std::fs::read(exgrpo_tests::policy("uniform")).unwrap(),
        };
        bytes.extend([0, 3, 1, b'v', 1]);
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn every_combination_survives_kills_without_losing_a_row_or_a_swap() {
    let dir = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    assert!(Combination::of(4).start(&dir.path().join("timed")).wait().unwrap().success());
    let seconds = begin.elapsed().as_secs_f64();
    let kills = std::env::var("EXGRPO_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    for kill in 0..kills {
        let share = (0.5 + kill as f64 * 0.618_033_988_75).fract();
        let moment = Duration::from_secs_f64(seconds * share);
        killed_once(Combination::of(kill), &dir.path().join(kill.to_string()), moment);
    }
}

fn killed_once(combination: Combination, dir: &Path, moment: Duration) {
    std::fs::create_dir(dir).unwrap();
    let (out, newcomer) = (dir.join("run"), dir.join("newcomer.wasm"));
    combination.newcomer(&newcomer);
    let begin = Instant::now();
    let mut child = combination.start(&out);
    let asker = combination.has_swap.then(|| {
        while !out.join(REQUESTS).is_dir() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        host(&["swap"]).arg(&out).arg(&newcomer).spawn().unwrap()
    });
    std::thread::sleep(moment.saturating_sub(begin.elapsed()));
    child.kill().unwrap();
    child.wait().unwrap();
    let answer = asker.map(|asker| asker.wait_with_output().unwrap());
    if !out.join("run.toml").exists() {
        // Killed before it was a run: there is nothing to resume and nothing was lost.
        return;
    }
    let resumed = host(&["--quiet", "--resume"]).arg(&out).output().unwrap();
    assert!(resumed.status.success(), "{combination:?}: {}", String::from_utf8_lossy(&resumed.stderr));

    let said = answer.map(|answer| String::from_utf8_lossy(&answer.stderr).into_owned()).unwrap_or_default();
    let events: Vec<EventRow> = read::rows(&out).unwrap();
    let swapped: Vec<u32> =
        events.iter().filter(|event| event.kind == EventKind::Swap).map(|event| event.step).collect();
    if let Some(named) = said.strip_prefix("in force from step ") {
        let named: u32 = named.split(' ').next().unwrap().parse().unwrap();
        assert!(!swapped.is_empty(), "{combination:?}: {said}, and it is gone");
        assert!(swapped.iter().all(|step| *step == named), "{combination:?}: {said}, and it was {swapped:?}");
    }
    if said.contains("withdrawn") {
        assert!(swapped.is_empty(), "{combination:?}: {said}, and it was {swapped:?}");
    }

    // The same decisions in a run that nobody interrupts.
    let whole = dir.join("whole");
    drop(Run::create(Config::recorded(&out.join("run.toml")).unwrap(), Some(&whole)).unwrap());
    for name in ["swaps", "policies"] {
        for file in std::fs::read_dir(out.join(name)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), whole.join(name).join(file.file_name())).unwrap();
        }
    }
    let mut run = Run::resume(&whole, None).unwrap();
    while !run.is_done() {
        run.step().unwrap();
    }
    Leavings::of(&out).assert_equals(&Leavings::of(&whole));
}
