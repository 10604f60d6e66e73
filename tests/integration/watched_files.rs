//! Policy files that change while a run watches them: those that must wait for a slot, those decided on before a kill,
//! and those that nobody is to watch.

use std::path::{Path, PathBuf};
use std::time::Duration;

use exgrpo_core::journal::{BUILTIN, EventKind, Slot};
use exgrpo_core::rundir::RunDir;
use exgrpo_core::sealed;
use exgrpo_log::EventRow;
use exgrpo_train::control::{Kind, REQUESTS, Request};
use exgrpo_train::run::Run;

use crate::swap_durable::{events, every_third, finish, step_until_answered, steps};

fn built(name: &str) -> Vec<u8> {
    std::fs::read(exgrpo_tests::policy(name)).unwrap()
}

fn guest(name: &str) -> Vec<u8> {
    std::fs::read(exgrpo_tests::guest(name)).unwrap()
}

/// Two files: a fills sampling, trajectories and the verifier, b retirement.
fn two_files(dir: &Path) -> (PathBuf, PathBuf) {
    let (a, b) = (dir.join("a.wasm"), dir.join("b.wasm"));
    std::fs::write(&a, guest("hostile")).unwrap();
    std::fs::write(&b, guest("talker")).unwrap();
    (a, b)
}

/// Steps until there is an event of this kind.
fn step_until(run: &mut Run, out: &Path, kind: EventKind) {
    while events(out, kind).is_empty() {
        // The thread that watches needs a moment; a run of many small steps would be over by then.
        std::thread::sleep(Duration::from_millis(100));
        assert!(!run.is_done(), "the run was over before a change was noticed");
        run.step().unwrap();
    }
}

/// There is no checkpoint between that of the first step and the kill.
#[test]
fn what_was_decided_on_files_is_made_again_at_its_step_before_anything_new() {
    let dir = tempfile::tempdir().unwrap();
    let ((a, b), out) = (two_files(dir.path()), dir.path().join("run"));
    let mut config = every_third(&[a.clone(), b.clone()], 1_000);
    config.checkpoint.every = 1_000;
    let mut run = Run::create(config, Some(&out)).unwrap();
    steps(&mut run, 3);
    // Sampling is a's.
    std::fs::write(&b, built("on_policy")).unwrap();
    step_until(&mut run, &out, EventKind::SwapRefused);
    std::fs::write(&a, built("exact_answer")).unwrap();
    step_until(&mut run, &out, EventKind::Swap);
    let at = run.steps_done();
    drop(run);
    let told = |kind: EventKind| -> Vec<_> {
        let plain = |event: EventRow| (event.step, event.slot, event.digest, event.reason, event.detail);
        events(&out, kind).into_iter().map(plain).collect()
    };
    let (refused, swapped) = (told(EventKind::SwapRefused), told(EventKind::Swap));
    assert_eq!((refused.len(), refused[0].3.as_deref()), (1, Some("slot")));

    std::fs::write(&a, "broken").unwrap();
    let mut run = Run::resume(&out, None).unwrap();
    assert_eq!(run.steps_done(), 1);
    steps(&mut run, at + 1);
    assert_eq!(told(EventKind::Swap), swapped);
    let again = told(EventKind::SwapRefused);
    assert_eq!(again[..1], refused[..]);
    assert!(again.len() == 2 && again[1].0 >= at, "{again:?}");
}

#[test]
fn a_file_that_waits_is_refused_once_and_what_it_held_before_never_takes_over() {
    let dir = tempfile::tempdir().unwrap();
    let ((a, b), out) = (two_files(dir.path()), dir.path().join("run"));
    let refused =
        || -> Vec<u32> { events(&out, EventKind::SwapRefused).into_iter().map(|event| event.step).collect() };
    let go_on = |until: u32| finish(Run::resume(&out, Some(until)).unwrap());
    finish(Run::create(every_third(&[a.clone(), b.clone()], 1), Some(&out)).unwrap());
    // Sampling is a's.
    std::fs::write(&b, built("on_policy")).unwrap();
    go_on(2);
    go_on(3);
    assert_eq!(refused(), [2]);
    // Both claim retirement: of b nothing new is said.
    std::fs::write(&a, guest("chooser")).unwrap();
    go_on(4);
    assert_eq!(refused(), [2, 4]);
    // Sampling is free, and b no longer what wanted it.
    std::fs::write(&a, built("exact_answer")).unwrap();
    std::fs::write(&b, "broken").unwrap();
    go_on(5);
    assert_eq!(refused(), [2, 4, 5]);
    let run = Run::resume(&out, Some(5)).unwrap();
    assert_eq!(run.policies().digest(Slot::Retirement), sealed::sha256(&guest("talker")));
    assert_eq!(run.policies().digest(Slot::Sampling), BUILTIN);
}

#[test]
fn a_file_that_waits_takes_over_once_a_request_has_freed_its_slot() {
    let dir = tempfile::tempdir().unwrap();
    let ((a, b), out) = (two_files(dir.path()), dir.path().join("run"));
    let mut run = Run::create(every_third(&[a, b.clone()], 1_000), Some(&out)).unwrap();
    run.step().unwrap();
    std::fs::write(&b, built("on_policy")).unwrap();
    step_until(&mut run, &out, EventKind::SwapRefused);
    let request = Request::send(&out, "1", Kind::Slot, b"sampling").unwrap();
    assert!(step_until_answered(&mut run, &request).1);
    assert_eq!(run.policies().digest(Slot::Retirement), sealed::sha256(&built("on_policy")));
}

#[test]
fn a_damaged_copy_of_a_policy_is_not_put_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let (watched, out) = (dir.path().join("policy.wasm"), dir.path().join("run"));
    std::fs::write(&watched, built("gaussian_medium")).unwrap();
    drop(Run::create(every_third(std::slice::from_ref(&watched), 2), Some(&out)).unwrap());
    let stored = RunDir::at(&out).policy(&sealed::sha256(&built("gaussian_medium")));
    std::fs::write(&stored, built("uniform")).unwrap();
    let error = format!("{:#}", Run::resume(&out, None).err().expect("it is refused"));
    assert!(error.contains("its SHA-256 is not its name"), "{error}");
    std::fs::write(&stored, built("gaussian_medium")).unwrap();
    finish(Run::resume(&out, None).unwrap());
}

#[test]
fn a_run_that_is_not_to_watch_its_files_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (watched, out) = (dir.path().join("policy.wasm"), dir.path().join("run"));
    std::fs::write(&watched, built("gaussian_medium")).unwrap();
    let mut config = every_third(std::slice::from_ref(&watched), 2);
    config.policy.watch = false;
    finish(Run::create(config, Some(&out)).unwrap());
    std::fs::write(&watched, built("uniform")).unwrap();
    finish(Run::resume(&out, Some(4)).unwrap());
    assert!(events(&out, EventKind::Swap).is_empty());

    // Somebody's file in the place of the folder of requests.
    std::fs::remove_dir_all(out.join(REQUESTS)).unwrap();
    std::fs::write(out.join(REQUESTS), "").unwrap();
    finish(Run::resume(&out, Some(5)).unwrap());
    let warned = events(&out, EventKind::Warning);
    let reasons: Vec<_> = warned.iter().map(|event| event.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("control")]);
}
