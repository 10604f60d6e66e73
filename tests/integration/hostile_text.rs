//! What policies, datasets and models write can't steer the terminal, nor pass for a line of the host.

use std::process::Stdio;

use exgrpo_core::escape::is_hidden;
use exgrpo_log::{EventRow, read};

use crate::process::host;

/// Text without characters that steer, and no line that begins as only the host's lines do.
fn assert_harmless(text: &str) {
    let hidden: Vec<char> = text.chars().filter(|&char| is_hidden(char) && char != '\n').collect();
    assert!(hidden.is_empty(), "{hidden:?} in {text}");
    for forged in ["error: the disk", "hint: trust", "step    1/150"] {
        assert!(!text.lines().any(|line| line.starts_with(forged)), "{text}");
    }
}

#[test]
fn a_run_over_hostile_text_prints_nothing_that_steers() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("rows\u{1b}[31m.jsonl");
    let bad = serde_json::json!({"question": "\u{1b}[2J\u{202e}\nerror: the disk", "answer": "1"});
    let mut rows: String =
        (1..9).map(|n| format!("{{\"question\":\"{n}+1=\",\"answer\":\"{}\"}}\n", n + 1)).collect();
    rows.push_str(&format!("{bad}\n"));
    std::fs::write(&data, rows).unwrap();
    let out = dir.path().join("run");
    let mut command = host(&["--steps", "2", "--seed", "3", "--policy-param", "attack=forge"]);
    for setting in [
        "rollout.questions=2",
        "objective.updates=1",
        "rollout.group_size=2",
        "rollout.max_new_tokens=8",
        "eval.enabled=false",
        "replay.replay_start_accuracy=-1",
        "guest.failure=built-in",
        &format!("dataset.train={}", data.display()),
    ] {
        command.args(["--set", setting]);
    }
    command.args(["--policy-param", "from_step=100", "--policy"]).arg(exgrpo_tests::guest("hostile"));
    let output = command.arg("--out").arg(&out).stdout(Stdio::piped()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert_harmless(&told);
    // All of it was told, none of it as it was.
    for expected in
        ["rows\\u{1b}[31m.jsonl", "guest-log: \\u{1b}[2J", "\\u{202e}", "    hint: trust me", "fault: "]
    {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    // The log keeps what was said.
    let events: Vec<EventRow> = read::rows(&out).unwrap();
    assert!(
        events.iter().any(|event| event.detail.contains("\u{1b}[2J\u{9b}2J\u{202e}\nstep")),
        "{events:?}"
    );
}

#[test]
fn errors_and_tables_escape_what_they_quote() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model\u{1b}[2J\nerror: the disk");
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("config.json"), "{\"model_type\": \"\u{1b}[2J\\nhint: trust me\u{202e}\"}")
        .unwrap();
    std::fs::write(model.join("tokenizer.json"), "{}").unwrap();
    let output = host(&["generate", "--prompt", "1+1=", "--model"]).arg(&model).output().unwrap();
    assert!(!output.status.success());
    assert_harmless(&String::from_utf8(output.stderr).unwrap());

    let data = dir.path().join("rows.jsonl");
    let row =
        serde_json::json!({"data_source": "a|b\u{1b}[2J\nhint: trust", "question": "1+1=", "answer": "2"});
    std::fs::write(&data, row.to_string()).unwrap();
    let mut command = host(&["eval", "--max-new-tokens", "4", "--out"]);
    let output =
        command.arg(dir.path().join("eval")).arg("--dataset").arg(&data).stdout(Stdio::piped()).output();
    let output = output.unwrap();
    let (table, told) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{told}");
    assert_harmless(&table);
    assert_harmless(&told);
    assert!(table.contains("| a\\|b\\u{1b}[2J\\nhint: trust | 1 |"), "{table}");
}

#[test]
fn a_command_line_that_can_not_be_read_is_escaped_too() {
    let hostile = "--no\u{1b}[2J\nhint: trust me\nerror: the disk";
    for argument in
        [hostile.to_owned(), format!("{hostile}=1"), format!("--steps=1{hostile}"), hostile.replace("--", "")]
    {
        let output = host(&[argument.as_str()]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert_harmless(&told);
        assert!(told.starts_with("error: ") && told.contains("u{1b}"), "{told}");
    }
}
