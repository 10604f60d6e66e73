//! What was said to be in force is in force after a kill, what changed while nobody watched is noticed, and whoever asks
//! is told the truth.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use exgrpo_core::journal::{BUILTIN, EventKind};
use exgrpo_core::rundir::RunDir;
use exgrpo_log::{DecisionRow, EventRow, read};
use exgrpo_train::config::Config;
use exgrpo_train::control::{Kind, REQUESTS, Request};
use exgrpo_train::run::Run;

use crate::compare::Leavings;
use crate::process::{host, start};
use crate::runs::small;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn events(run: &Path, kind: EventKind) -> Vec<EventRow> {
    let events: Vec<EventRow> = read::rows(run).unwrap();
    events.into_iter().filter(|event| event.kind == kind).collect()
}

pub(crate) fn steps(run: &mut Run, until: u32) {
    while run.steps_done() < until {
        run.step().unwrap();
    }
}

pub(crate) fn finish(mut run: Run) {
    let until = run.config().steps;
    steps(&mut run, until);
}

/// A configuration whose checkpoints are of the steps 3, 6, 9, …
pub(crate) fn every_third(policies: &[PathBuf], steps: u32) -> Config {
    let mut config = small(policies, steps);
    config.checkpoint.every = 3;
    // Whatever they take, so that the clock decides nothing.
    config.checkpoint.max_share = 1.0;
    config
}

/// Steps until what was asked for is decided; the step of the decision, and whether it was taken.
pub(crate) fn step_until_answered(run: &mut Run, request: &Request) -> (u32, bool) {
    for attempt in 1.. {
        // The thread that watches needs a moment; a run of many small steps would be over by then.
        std::thread::sleep(Duration::from_millis(200 * attempt));
        assert!(!run.is_done(), "the run was over before a request was decided");
        run.step().unwrap();
        if let Some(reply) = request.reply().unwrap() {
            return (run.steps_done(), reply.accepted);
        }
    }
    unreachable!()
}

/// The same swaps at the same steps, in a run that is never interrupted and in one that is killed again and again.
#[test]
fn a_run_with_swaps_killed_anywhere_equals_one_that_was_not() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, killed) = (dir.path().join("whole"), dir.path().join("killed"));
    let policies = [exgrpo_tests::policy("gaussian_medium"), exgrpo_tests::policy("exact_answer")];
    let config = every_third(&policies, 16);
    let counter = std::fs::read(exgrpo_tests::guest("counter")).unwrap();
    let mut run = Run::create(config.clone(), Some(&whole)).unwrap();
    steps(&mut run, 2);
    let request = Request::send(&whole, "1", Kind::Policy, &counter).unwrap();
    let (first, is_taken) = step_until_answered(&mut run, &request);
    assert!(first >= 3 && is_taken);
    let refused = Request::send(&whole, "2", Kind::Policy, b"nonsense").unwrap();
    assert!(!step_until_answered(&mut run, &refused).1);
    let digest = exgrpo_core::sealed::sha256(b"nonsense");
    assert!(RunDir::at(&whole).policy(&digest).exists(), "what was refused is kept");
    let request = Request::send(&whole, "3", Kind::Slot, b"retirement").unwrap();
    let (second, is_taken) = step_until_answered(&mut run, &request);
    assert!(second > first && is_taken);
    finish(run);

    // The record of the first run is what the second one is told.
    let run = Run::create(config, Some(&killed)).unwrap();
    drop(run);
    for name in ["swaps", "policies"] {
        for file in std::fs::read_dir(whole.join(name)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), killed.join(name).join(file.file_name())).unwrap();
        }
    }
    // There is a checkpoint after the first step, then after every third.
    for (from, until) in [(0, 2), (1, 5), (3, 10), (9, 16)] {
        let mut run = Run::resume(&killed, None).unwrap();
        assert_eq!(run.steps_done(), from);
        steps(&mut run, until);
    }
    Leavings::of(&killed).assert_equals(&Leavings::of(&whole));
}

#[test]
fn an_acknowledged_swap_is_in_force_after_a_kill_from_the_step_that_was_named() {
    let dir = tempfile::tempdir().unwrap();
    let uniform = exgrpo_tests::policy("uniform");
    for (name, arguments) in
        [("policy", vec![uniform.to_str().unwrap()]), ("slot", vec!["--slot", "retirement", BUILTIN])]
    {
        let out = dir.path().join(name);
        let mut child = start(&out, "100000").args(["--set", "checkpoint.every=3"]).spawn().unwrap();
        while !out.join("checkpoints/000003").exists() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended early");
            std::thread::sleep(Duration::from_millis(20));
        }
        let answer = host(&["swap"]).arg(&out).args(&arguments).output().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let said = text(&answer.stderr);
        assert!(answer.status.success(), "{said}");
        let step: u32 = said.split("from step ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();

        // The killed run may have come further than its checkpoint, and the swap with it.
        let steps = (step + 2).to_string();
        let resumed = host(&["--quiet", "--steps", &steps, "--resume"]).arg(&out).output().unwrap();
        assert!(resumed.status.success(), "{}", text(&resumed.stderr));
        let swapped: Vec<u32> = events(&out, EventKind::Swap).iter().map(|event| event.step).collect();
        assert!(!swapped.is_empty() && swapped.iter().all(|at| *at == step), "{swapped:?}, {step} was named");
        let decisions: Vec<DecisionRow> = read::rows(&out).unwrap();
        let digests = |is_before: bool| {
            let of_slot =
                decisions.iter().filter(|row| row.function == "decide" && (row.step < step) == is_before);
            let mut digests: Vec<&str> = of_slot.map(|row| row.digest.as_str()).collect();
            digests.dedup();
            digests
        };
        let (before, after) = (digests(true), digests(false));
        assert_eq!((before.len(), after.len()), (1, 1), "{before:?} {after:?}");
        assert_ne!(before, after);
        assert_eq!(after == [BUILTIN], name == "slot");
        let table = events(&out, EventKind::Slots);
        assert!(table.iter().all(|event| event.step == step) && table.len() == 1, "{table:?}");
    }
}

#[test]
fn a_file_that_changed_while_the_run_was_stopped_is_decided_on_at_its_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let (watched, out) = (dir.path().join("policy.wasm"), dir.path().join("run"));
    std::fs::copy(exgrpo_tests::policy("gaussian_medium"), &watched).unwrap();
    finish(Run::create(every_third(std::slice::from_ref(&watched), 2), Some(&out)).unwrap());

    std::fs::copy(exgrpo_tests::policy("uniform"), &watched).unwrap();
    finish(Run::resume(&out, Some(4)).unwrap());
    let swaps = events(&out, EventKind::Swap);
    assert!(!swaps.is_empty() && swaps.iter().all(|event| event.step == 3), "{swaps:?}");

    for (steps, contents) in [(6, b"broken".as_slice()), (7, b"broken"), (8, b"broken too")] {
        std::fs::write(&watched, contents).unwrap();
        finish(Run::resume(&out, Some(steps)).unwrap());
    }
    let refused: Vec<u32> = events(&out, EventKind::SwapRefused).iter().map(|event| event.step).collect();
    assert_eq!(refused, [5, 8], "each content is refused once");
    assert_eq!(events(&out, EventKind::Swap).len(), swaps.len());
    for event in events(&out, EventKind::SwapRefused) {
        let kept = std::fs::read(RunDir::at(&out).policy(event.digest.as_deref().unwrap())).unwrap();
        assert!(kept.starts_with(b"broken"));
    }
}

/// Killed before there was a checkpoint: the run begins again with the policies that it began with.
#[test]
fn a_run_without_a_checkpoint_begins_again_with_its_own_policies() {
    let dir = tempfile::tempdir().unwrap();
    let (watched, out) = (dir.path().join("policy.wasm"), dir.path().join("run"));
    std::fs::copy(exgrpo_tests::policy("gaussian_medium"), &watched).unwrap();
    drop(Run::create(every_third(std::slice::from_ref(&watched), 2), Some(&out)).unwrap());
    std::fs::write(&watched, "broken").unwrap();
    let run = Run::resume(&out, None).unwrap();
    assert_eq!(run.policies().components()[0].name, "gaussian_medium");
    finish(run);
    assert_eq!(events(&out, EventKind::SwapRefused).iter().map(|event| event.step).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_slot_that_moves_from_one_file_to_another_ends_where_the_files_say() {
    let built = |name: &str| std::fs::read(exgrpo_tests::policy(name)).unwrap();
    let guest = |name: &str| std::fs::read(exgrpo_tests::guest(name)).unwrap();
    // From a: sampling, trajectories, verifier and b: retirement to a: verifier and b: retirement, sampling.
    for order in [vec!["a", "b"], vec!["b", "a"], vec!["ab"]] {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.wasm"), dir.path().join("b.wasm"));
        let out = dir.path().join("run");
        std::fs::write(&a, guest("hostile")).unwrap();
        std::fs::write(&b, guest("talker")).unwrap();
        finish(Run::create(every_third(&[a.clone(), b.clone()], 1), Some(&out)).unwrap());
        let mut until = 1;
        for files in &order {
            if files.contains('a') {
                std::fs::write(&a, built("exact_answer")).unwrap();
            }
            if files.contains('b') {
                std::fs::write(&b, built("on_policy")).unwrap();
            }
            until += 1;
            finish(Run::resume(&out, Some(until)).unwrap());
        }
        let run = Run::resume(&out, Some(until)).unwrap();
        let table = run.policies().slot_table();
        assert!(table.contains("): retirement, sampling | exact_answer"), "{order:?}: {table}");
        let refused = events(&out, EventKind::SwapRefused);
        assert_eq!(refused.len(), usize::from(order[0] == "b"), "{order:?}: {refused:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_a_warning_and_one_that_was_lost_is_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut run =
        Run::create(every_third(&[exgrpo_tests::policy("gaussian_medium")], 100), Some(&out)).unwrap();
    run.step().unwrap();
    let uniform = std::fs::read(exgrpo_tests::policy("uniform")).unwrap();
    std::fs::create_dir_all(out.join(REQUESTS).join("1.reply/full")).unwrap();
    Request::send(&out, "1", Kind::Policy, &uniform).unwrap();
    while events(&out, EventKind::Warning).is_empty() {
        std::thread::sleep(Duration::from_millis(300));
        run.step().unwrap();
    }
    drop(run);
    let swaps = events(&out, EventKind::Swap);
    assert!(!swaps.is_empty());

    // The request is still there: the run that goes on answers it, and does not carry it out again.
    std::fs::remove_dir_all(out.join(REQUESTS).join("1.reply")).unwrap();
    let mut run = Run::resume(&out, None).unwrap();
    let reached = swaps[0].step;
    while run.steps_done() < reached || !out.join(REQUESTS).join("1.reply").exists() {
        std::thread::sleep(Duration::from_millis(100));
        run.step().unwrap();
    }
    let answer = std::fs::read_to_string(out.join(REQUESTS).join("1.reply")).unwrap();
    assert!(answer.contains("\"accepted\":true"), "{answer}");
    let plain = |events: Vec<EventRow>| -> Vec<_> {
        events.into_iter().map(|event| (event.step, event.slot, event.digest, event.detail)).collect()
    };
    assert_eq!(plain(events(&out, EventKind::Swap)), plain(swaps));
}

fn swap(run: &Path, arguments: &[&str]) -> Output {
    host(&["swap"]).arg(run).args(arguments).output().unwrap()
}

#[test]
fn whoever_asks_a_run_that_does_not_answer_is_told_what_becomes_of_the_request() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    finish(Run::create(small(&[], 1), Some(&out)).unwrap());
    let done = swap(&out, &["--slot", "selection", BUILTIN]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("no process is writing"), "{}", text(&done.stderr));

    // A process that holds the lock and never looks at requests, as in a very long step.
    let (_, lock) = RunDir::open(&out).unwrap();
    let folder = out.join(REQUESTS);
    let withdrawn = swap(&out, &["--timeout", "0", "--slot", "selection", BUILTIN]);
    assert_eq!(withdrawn.status.code(), Some(1));
    assert!(text(&withdrawn.stderr).contains("the request is withdrawn"), "{}", text(&withdrawn.stderr));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);

    let asker = std::thread::spawn({
        let out = out.clone();
        move || swap(&out, &["--timeout", "2", "--slot", "selection", BUILTIN])
    });
    let request = loop {
        let mut files = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
        // One that is still being written has its ending already.
        let is_whole = |path: &PathBuf| !exgrpo_core::atomic::is_temp(path);
        if let Some(path) =
            files.find(|path| path.extension().is_some_and(|ending| ending == "slot") && is_whole(path))
        {
            break path;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    std::fs::rename(&request, request.with_extension("slot.taken")).unwrap();
    let stands = asker.join().unwrap();
    assert_eq!(stands.status.code(), Some(1));
    assert!(text(&stands.stderr).contains("which stands"), "{}", text(&stands.stderr));
    drop(lock);
    finish(Run::resume(&out, Some(2)).unwrap());

    for bad in [["--slot", "selection", "policy.wasm"], ["--slot", "taste", BUILTIN]] {
        assert!(!swap(&out, &bad).status.success());
    }
}

/// Neither is read: a file of a gigabyte by its size, a folder and a pipe by what they are.
#[test]
#[cfg(unix)]
fn a_watched_file_that_is_too_large_or_no_file_is_refused_unread() {
    let dir = tempfile::tempdir().unwrap();
    let (watched, out) = (dir.path().join("policy.wasm"), dir.path().join("run"));
    std::fs::copy(exgrpo_tests::policy("gaussian_medium"), &watched).unwrap();
    finish(Run::create(every_third(std::slice::from_ref(&watched), 1), Some(&out)).unwrap());
    std::fs::File::create(&watched).unwrap().set_len(1 << 30).unwrap();
    for steps in [2, 3] {
        finish(Run::resume(&out, Some(steps)).unwrap());
    }
    std::fs::remove_file(&watched).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&watched).status().unwrap().success());
    for steps in [4, 5] {
        finish(Run::resume(&out, Some(steps)).unwrap());
    }
    let refused: Vec<u32> = events(&out, EventKind::SwapRefused).iter().map(|event| event.step).collect();
    assert_eq!(refused, [2, 4]);
}

/// The counter panics from step 3 on: it keeps its slot, and the built-in default answers.
#[test]
fn a_candidate_is_tried_at_the_step_that_it_would_be_used_from() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let counter = exgrpo_tests::guest("counter");
    let mut config = every_third(&[counter.clone(), exgrpo_tests::policy("exact_answer")], 100);
    config.policy.params.insert("panic_from".to_owned(), 3.into());
    let mut run = Run::create(config, Some(&out)).unwrap();
    steps(&mut run, 4);
    let mut newcomer = std::fs::read(counter).unwrap();
    // A custom section named `v`: another digest, nothing else.
    newcomer.extend([0, 3, 1, b'v', 1]);
    let request = Request::send(&out, "1", Kind::Policy, &newcomer).unwrap();
    assert!(!step_until_answered(&mut run, &request).1);
    assert_eq!(events(&out, EventKind::SwapRefused)[0].reason.as_deref(), Some("probe"));
}
