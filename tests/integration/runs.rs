//! Whole runs in this process.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use exgrpo_core::journal::EventKind;
use exgrpo_core::types::Origin;
use exgrpo_log::{DecisionRow, EventRow, ExperienceRow, read};
use exgrpo_train::config::Config;
use exgrpo_train::run::Run;

use crate::compare::Leavings;

pub(crate) fn small(policies: &[PathBuf], steps: u32) -> Config {
    let mut config = Config { steps, ..Config::default() };
    config.rollout.questions = 4;
    config.rollout.group_size = 4;
    config.eval.enabled = false;
    config.replay.replay_start_accuracy = -1.0;
    config.checkpoint.max_share = 1.0;
    config.policy.files = policies.to_vec();
    config
}

pub(crate) fn finish(config: Config, out: &Path) -> Leavings {
    let mut run = Run::create(config, Some(out)).unwrap();
    while !run.is_done() {
        run.step().unwrap();
    }
    Leavings::of(out)
}

#[test]
fn the_on_policy_component_equals_the_built_in_baseline_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let policies = [exgrpo_tests::policy("on_policy"), exgrpo_tests::policy("exact_answer")];
    let guest = finish(small(&policies, 4), &dir.path().join("guest"));
    let native = finish(small(&[], 4), &dir.path().join("native"));
    assert!(guest.weights == native.weights, "weights differ");
    assert_eq!(guest.problems, native.problems);
    let plain = |rows: &[ExperienceRow]| {
        let strip = |row: &ExperienceRow| ExperienceRow {
            verifier_digest: String::new(),
            difficulty_digest: None,
            retirement_digest: None,
            verifier_fuel: 0,
            ..row.clone()
        };
        rows.iter().map(strip).collect::<Vec<_>>()
    };
    assert_eq!(plain(&guest.experiences), plain(&native.experiences));
    assert!(guest.experiences.iter().all(|row| row.origin == Origin::Fresh));
}

#[test]
fn a_run_is_the_same_on_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let policies = [exgrpo_tests::policy("gaussian_medium"), exgrpo_tests::policy("exact_answer")];
    let outcome = |threads: usize| {
        let mut config = small(&policies, 4);
        config.model.threads = threads;
        finish(config, &dir.path().join(threads.to_string()))
    };
    let one = outcome(1);
    for threads in [2, 4] {
        one.assert_equals(&outcome(threads));
    }
}

#[test]
fn uniform_decides_otherwise_than_the_paper() {
    let dir = tempfile::tempdir().unwrap();
    let verifier = exgrpo_tests::policy("exact_answer");
    let outputs = |name: &str| {
        let out = dir.path().join(name);
        finish(small(&[exgrpo_tests::policy(name), verifier.clone()], 5), &out);
        let rows: Vec<DecisionRow> = read::rows(&out).unwrap();
        rows.into_iter()
            .filter(|row| row.function == "bucket-weights")
            .map(|row| row.output)
            .collect::<Vec<_>>()
    };
    let (paper, uniform) = (outputs("gaussian_medium"), outputs("uniform"));
    assert!(!paper.is_empty() && !uniform.is_empty());
    assert_ne!(paper, uniform);
}

#[test]
fn replayed_rollouts_are_what_was_stored() {
    let dir = tempfile::tempdir().unwrap();
    let policies = [exgrpo_tests::policy("gaussian_medium"), exgrpo_tests::policy("exact_answer")];
    let rows = finish(small(&policies, 8), dir.path()).experiences;
    let replayed: Vec<&ExperienceRow> = rows.iter().filter(|row| row.origin == Origin::Replayed).collect();
    assert!(!replayed.is_empty());
    for row in replayed {
        assert_eq!(row.member, 0);
        let source = rows.iter().find(|source| {
            source.origin == Origin::Fresh
                && source.step == row.sampled_step
                && source.question_id == row.question_id
                && source.completion_ids == row.completion_ids
        });
        let source = source.expect("it was sampled at the step that it names");
        assert_eq!(source.old_logprobs, row.old_logprobs);
        assert_eq!(source.weights_version, row.weights_version);
    }
}

/// Steps until an event of this kind shows, for ten seconds at most.
fn step_until(run: &mut Run, out: &Path, kind: EventKind, at_least: usize) -> Vec<EventRow> {
    let begin = Instant::now();
    loop {
        run.step().unwrap();
        let events: Vec<EventRow> = read::rows(out).unwrap();
        let found: Vec<EventRow> = events.into_iter().filter(|event| event.kind == kind).collect();
        if found.len() >= at_least {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "no {} event", kind.as_str());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_watched_file_is_swapped_and_a_broken_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (watched, out) = (dir.path().join("policy.wasm"), dir.path().join("run"));
    std::fs::copy(exgrpo_tests::policy("gaussian_medium"), &watched).unwrap();
    let mut run = Run::create(small(std::slice::from_ref(&watched), 10_000), Some(&out)).unwrap();
    run.step().unwrap();
    let first = run.policies().components()[0].digest.clone();

    let uniform = std::fs::read(exgrpo_tests::policy("uniform")).unwrap();
    std::fs::write(&watched, &uniform[..uniform.len() / 3]).unwrap();
    let refused = step_until(&mut run, &out, EventKind::SwapRefused, 1);
    assert_eq!(refused[0].reason.as_deref(), Some("load"));
    assert_eq!(run.policies().components()[0].digest, first, "the old one stays");

    std::fs::write(&watched, &uniform).unwrap();
    let swaps = step_until(&mut run, &out, EventKind::Swap, 1);
    let second = run.policies().components()[0].digest.clone();
    assert_ne!(first, second);
    let swapped_at = swaps[0].step;
    let decisions: Vec<DecisionRow> = read::rows(&out).unwrap();
    for row in decisions.iter().filter(|row| row.function == "decide") {
        assert_eq!(row.digest, if row.step < swapped_at { first.clone() } else { second.clone() }, "{row:?}");
    }
}

#[test]
fn a_policy_that_faults_is_contained_and_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut config =
        small(&[exgrpo_tests::policy("exact_answer"), exgrpo_tests::policy("gaussian_medium")], 6);
    config.guest.fuel_per_call = 50_000_000;
    let mut run = Run::create(config.clone(), Some(&out)).unwrap();
    run.step().unwrap();
    drop(run);
    // The same run with a sampler that starts to loop at step 4.
    config.policy.files = vec![exgrpo_tests::guest("hostile")];
    config.policy.params.insert("attack".to_owned(), "loop".into());
    config.policy.params.insert("from_step".to_owned(), 4.into());
    let out = dir.path().join("hostile");
    let leavings = finish(config, &out);
    assert_eq!(leavings.metrics.len(), 6);
    let faults: Vec<&EventRow> =
        leavings.events.iter().filter(|event| event.kind == EventKind::Fault).collect();
    assert!(
        faults.iter().all(|event| event.step >= 4 && event.reason.as_deref() == Some("fuel")),
        "{faults:?}"
    );
}

/// At this learning rate the second update of a step sees ratios far from 1.
#[test]
fn fresh_tokens_are_clipped_until_replay_begins() {
    let dir = tempfile::tempdir().unwrap();
    let mut config =
        small(&[exgrpo_tests::policy("gaussian_medium"), exgrpo_tests::policy("exact_answer")], 3);
    config.rollout.questions = 16;
    config.optim.lr = 0.01;
    let rows = finish(config, dir.path()).metrics;
    let clipped = |step: usize| rows[step].values.get("objective/clip_fraction/fresh").copied();
    let is_mixed: Vec<bool> = rows.iter().map(|row| row.values["replay/is_mixed"] == 1.0).collect();
    assert_eq!(is_mixed, [false, true, true]);
    assert!(clipped(0).is_some_and(|share| share > 0.0), "{:?}", clipped(0));
    assert!((1..3).all(|step| clipped(step).is_none_or(|share| share == 0.0)), "{rows:?}");
}
