//! Objectives, schedules and the reference model in whole runs.

use std::path::Path;

use exgrpo_train::config::{Advantage, Aggregation, Clip, Config, Decay, Kind};
use exgrpo_train::run::Run;

use crate::compare::Leavings;
use crate::runs::{finish, small};

const EMBEDDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/models/assets/arithmetic");

/// GSPO that keeps close to where it began, over a rate that rises and falls.
fn config(steps: u32) -> Config {
    let policies = [exgrpo_tests::policy("gaussian_medium"), exgrpo_tests::policy("exact_answer")];
    let mut config = small(&policies, steps);
    let objective = &mut config.objective;
    (objective.kind, objective.clip) = (Kind::Gspo, Clip::Always);
    (objective.advantage, objective.aggregation) = (Advantage::Standardized, Aggregation::SequenceMean);
    objective.kl_coefficient = 0.01;
    (config.optim.warmup_steps, config.optim.decay, config.optim.decay_steps) = (2, Decay::Cosine, 6);
    config
}

fn step(run: &mut Run, times: u32) {
    (0..times).for_each(|_| drop(run.step().unwrap()));
}

#[test]
fn a_resumed_run_has_the_reference_and_the_rate_of_an_unbroken_one() {
    let dir = tempfile::tempdir().unwrap();
    let whole = finish(config(6), &dir.path().join("whole"));
    let out = dir.path().join("broken");
    step(&mut Run::create(config(6), Some(&out)).unwrap(), 2);
    step(&mut Run::resume(&out, None).unwrap(), 2);
    step(&mut Run::resume(&out, None).unwrap(), 2);
    whole.assert_equals(&Leavings::of(&out));
    let values = |key: &str| whole.metrics.iter().map(|row| row.values[key]).collect::<Vec<f64>>();
    let rates = values("optim/lr");
    assert!(
        rates[0] < rates[1] && rates[1] == rates[2] && rates[5] > 0.0 && rates[5] < rates[4],
        "{rates:?}"
    );
    let divergence = values("objective/reference_kl");
    assert!(divergence.iter().all(|nats| *nats >= 0.0) && divergence[5] > divergence[0], "{divergence:?}");
}

fn copy_model(to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(Path::new(EMBEDDED).join(name), to.join(name)).unwrap();
    }
}

#[test]
fn a_reference_that_is_another_model_now_or_gone_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (model, out) = (dir.path().join("model"), dir.path().join("run"));
    copy_model(&model);
    let mut begun = config(4);
    begun.model.path = model.to_string_lossy().into_owned();
    step(&mut Run::create(begun, Some(&out)).unwrap(), 2);
    let refusal = || format!("{:#}", Run::resume(&out, None).err().expect("it is refused"));

    let trained = out.join("checkpoints/000002/model.safetensors");
    std::fs::copy(&trained, model.join("model.safetensors")).unwrap();
    assert!(refusal().contains("other weights now") && refusal().contains("hint: "), "{}", refusal());
    std::fs::remove_dir_all(&model).unwrap();
    assert!(refusal().contains("objective.kl_coefficient") && refusal().contains("hint: "), "{}", refusal());
    copy_model(&model);
    step(&mut Run::resume(&out, None).unwrap(), 2);
}

#[test]
fn a_run_that_outlasts_its_learning_rate_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    drop(finish(config(6), &out));
    let run = Run::resume(&out, Some(9)).unwrap();
    let warning = run.choices().iter().find(|choice| choice.starts_with("warning: ")).unwrap();
    assert!(warning.contains("learning rate is 0 after step 6, 3 more"), "{warning}");
}
