//! Models of one's own: a run that begins with one, goes on without it, and what it hands on.

use std::path::Path;

use exgrpo_core::rundir::RunDir;
use exgrpo_train::config::{Config, RunToml};

use crate::compare::Leavings;
use crate::process::{host, start};

fn run_it(command: &mut std::process::Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn export(model: &str, out: &Path) {
    run_it(host(&["export", model, "--out"]).arg(out));
}

#[test]
fn a_run_outlives_its_model_and_what_it_trained_is_a_model_again() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (model, whole, halves) = (at("model"), at("whole"), at("halves"));
    export("embedded:arithmetic", &model);
    let template = "prompt.text='{% for message in messages %}{{ message.content }}{% endfor %}'";
    let begin = |out: &Path, steps: &str| {
        let mut command = start(out, steps);
        command.arg("--model").arg(&model);
        command.args(["--set", "prompt.template=own", "--set", template]);
        command
    };
    run_it(&mut begin(&whole, "2"));
    run_it(&mut begin(&halves, "1"));
    let about = RunToml::read(&RunDir::at(&whole).config()).unwrap().run;
    assert_eq!(about["name"].as_str(), Some("whole"));
    assert!(about["model"].as_str().is_some_and(|path| path.ends_with("model")));
    assert_eq!(about["prompt_template"].as_str(), template.split('\'').nth(1));
    assert!(about["exgrpo_version"].is_str() && about["log_schema_version"].is_integer());
    assert!(about["policies_see"].is_array() && about["kept_from_policies"].is_array());
    for policy in about["policies"].as_array().unwrap() {
        assert!(["name", "version", "digest", "params"].iter().all(|key| policy[*key].is_str()), "{policy}");
    }
    std::fs::remove_dir_all(&model).unwrap();
    run_it(host(&["--quiet", "--steps", "2", "--resume"]).arg(&halves));
    Leavings::of(&halves).assert_equals(&Leavings::of(&whole));

    export(&whole.to_string_lossy(), &at("exported"));
    let read = |path: &Path| exgrpo_train::trained::read(&path.to_string_lossy()).unwrap();
    let (exported, run, base) = (read(&at("exported")), read(&whole), read(Path::new("embedded:arithmetic")));
    assert_eq!(exported.weights, run.weights);
    assert_ne!(exported.weights, base.weights);
    assert_eq!((exported.config, exported.stop_ids), (base.config, base.stop_ids));
    assert_eq!(exported.chat_template.as_deref(), template.split('\'').nth(1));
    assert_eq!(read(&whole.join("checkpoints/000002")).weights, run.weights);

    // Weights are not used with another tokenizer than the one they were trained with.
    let other = at("other");
    assert!(std::process::Command::new("cp").arg("-r").arg(&whole).arg(&other).status().unwrap().success());
    let tokenizer = other.join("model/tokenizer.json");
    let text = std::fs::read_to_string(&tokenizer).unwrap();
    std::fs::write(&tokenizer, format!("{text}\n")).unwrap();
    let output = host(&["generate", "--prompt", "1+1=", "--model"]).arg(&other).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("the model has other tokenizer"), "{told}");
    assert!(told.contains("hint: put that folder back"), "{told}");

    // A run that begins with what another trained asks as that one did, and says so.
    let next = at("next");
    run_it(start(&next, "1").arg("--model").arg(&whole));
    let recorded = Config::recorded(&RunDir::at(&next).config()).unwrap();
    assert_eq!(recorded.prompt, run.trained_prompt.unwrap());
    assert!(recorded.model.path.ends_with("checkpoints/000002"));
}
