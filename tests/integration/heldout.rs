//! When held-out accuracy is measured.

use std::path::Path;

use exgrpo_log::MetricsRow;
use exgrpo_train::config::Config;
use exgrpo_train::run::Run;

use crate::runs::{finish, small};

/// Three steps, and nine held-out questions.
fn config(dir: &Path) -> Config {
    let questions = dir.join("heldout.jsonl");
    let rows: Vec<String> = (1..=9)
        .map(|number| format!("{{\"question\": \"{number}+2-1=\", \"answer\": \"{}\"}}\n", number + 1))
        .collect();
    std::fs::write(&questions, rows.concat()).unwrap();
    let mut config = small(&[], 3);
    config.dataset.test = questions.to_string_lossy().into_owned();
    config.eval.enabled = true;
    config
}

fn metrics(lr: f64, change: impl FnOnce(&mut Config)) -> Vec<MetricsRow> {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.optim.lr = lr;
    change(&mut config);
    finish(config, &dir.path().join("run")).metrics
}

#[test]
fn accuracy_is_measured_before_the_first_and_after_the_last_step() {
    let has = |rows: &[MetricsRow], key: &str| -> Vec<bool> {
        rows.iter().map(|row| row.values.contains_key(key)).collect()
    };
    let gentle = metrics(1e-4, |_| {});
    assert_eq!(has(&gentle, "heldout/before"), [true, false, false]);
    assert_eq!(has(&gentle, "heldout/accuracy"), [false, false, true]);
    // Training can't reach what was measured before it, and this training destroys the model.
    let ruinous = metrics(0.1, |config| config.eval.every = 2);
    assert_eq!(has(&ruinous, "heldout/accuracy"), [false, true, true]);
    assert_eq!(ruinous[0].values["heldout/before"], gentle[0].values["heldout/before"]);
    assert!(gentle[0].values["heldout/before"] > 0.2, "{:?}", gentle[0].values);
    assert!(ruinous[1].values["heldout/accuracy"] < 0.1, "{:?}", ruinous[1].values);

    let off = metrics(1e-4, |config| config.eval.enabled = false);
    assert!(off.iter().all(|row| !row.values.keys().any(|key| key.starts_with("heldout/"))));
}

#[test]
fn the_accuracy_before_training_is_remembered_over_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut run = Run::create(config(dir.path()), Some(&out)).unwrap();
    assert_eq!(run.heldout_before(), None);
    let before = run.step().unwrap().metrics.get(exgrpo_log::metric::HELDOUT_BEFORE);
    assert!(before.is_some_and(|share| share > 0.0) && run.heldout_before() == before, "{before:?}");
    drop(run);
    assert_eq!(Run::resume(&out, None).unwrap().heldout_before(), before);
}
