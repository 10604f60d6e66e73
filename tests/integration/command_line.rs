//! What the command line takes and says.

use std::process::{Command, Stdio};

use crate::process::{host, start};

fn said(command: &mut Command) -> String {
    String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned()
}

#[test]
fn a_policy_that_is_given_by_its_name_alone_is_answered_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("policies")).unwrap();
    std::fs::copy(exgrpo_tests::policy("gsm8k"), dir.path().join("policies/gsm8k.wasm")).unwrap();
    let run = dir.path().join("run");
    assert!(start(&run, "1").status().unwrap().success());
    let data = ["--dataset", "embedded:arithmetic/test"];
    for arguments in [
        vec!["--policy", "gsm8k"],
        vec!["--policy", "policies/gsm8k"],
        vec!["--set", "policy.files=[\"gsm8k\"]"],
        [&["eval", "--verifier", "gsm8k"], &data[..]].concat(),
        vec!["verify", "--verifier", "gsm8k", "--gold", "1", "--response", "1"],
    ] {
        let said = said(host(&arguments).current_dir(dir.path()));
        assert!(
            said.contains("hint: a policy is given by its file: policies/gsm8k.wasm"),
            "{arguments:?}: {said}"
        );
    }
    let said = said(host(&["--policy", "nothing"]).current_dir(dir.path()));
    assert!(said.contains("hint: a policy is given by its file, such as policies/gsm8k.wasm"), "{said}");
}

#[test]
fn a_verifier_that_names_no_answer_is_told_of_in_words() {
    let mut command = host(&["verify", "--gold", "1", "--response", "nothing here", "--verifier"]);
    let output = command.arg(exgrpo_tests::policy("gsm8k")).stdout(Stdio::piped()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("answer   none: the verifier found no answer in the response, or"), "{printed}");
}

#[test]
fn a_resumed_run_and_a_repeated_evaluation_say_what_was_done_before() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    assert!(start(&run, "2").status().unwrap().success());
    let resume = |steps: &str| said(host(&["--steps", steps, "--resume"]).arg(&run));
    let told = resume("3");
    assert!(told.contains("goes on after step 2: 1 of 3 steps remain"), "{told}");
    let told = resume("3");
    assert!(told.contains("all 3 steps are done\nhint: --steps 6"), "{told}");
    assert!(!told.contains("begins with"), "{told}");

    let eval = || {
        let arguments =
            ["eval", "--dataset", "embedded:arithmetic/test", "--limit", "2", "--max-new-tokens", "4"];
        said(host(&arguments).current_dir(dir.path()))
    };
    let first = eval();
    assert!(first.contains("2 questions x 1 at temperature 0.6, up to 4 tokens, seed 1"), "{first}");
    assert!(!first.contains("nothing is left to judge"), "{first}");
    let again = eval();
    assert!(again.contains("nothing is left to judge") && again.contains("hint: --seed"), "{again}");
}

/// Half of the completions and more don't end within four tokens.
#[test]
fn completions_that_are_cut_are_on_the_line_of_their_step() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut command = start(&out, "1");
    command.args(["--set", "rollout.max_new_tokens=4"]);
    let mut loud = Command::new(command.get_program());
    loud.args(command.get_args().filter(|argument| *argument != "--quiet"));
    let told = said(&mut loud);
    assert!(
        told.contains("completions were cut at 4 tokens") && told.contains("raise rollout.max_new_tokens"),
        "{told}"
    );
    assert!(told.contains("  cut 1") || told.contains("  cut 9") || told.contains("  cut 8"), "{told}");
}

#[test]
fn the_precision_can_be_given_as_a_flag_which_wins_over_its_key() {
    let printed = |arguments: &[&str]| {
        let output = host(&[&["config"], arguments].concat()).stdout(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(printed(&[]).contains("precision = \"f32\""));
    assert!(
        printed(&["--precision", "bf16", "--set", "model.precision=f32"]).contains("precision = \"bf16\"")
    );
    let refused = host(&["--precision", "bf8"]).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("f32, bf16"));
}
