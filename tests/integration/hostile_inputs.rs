//! Models and data that ask for more than a machine has: an error, within a limit of memory that the system enforces.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Output};

/// The host under a limit of its address space.
fn host_within(mib: u32, arguments: &[&str]) -> Output {
    let script = format!("ulimit -v {} && exec \"$0\" \"$@\"", mib << 10);
    let binary = env!("CARGO_BIN_EXE_host-under-test");
    Command::new("sh").args(["-c", &script, binary]).args(arguments).output().unwrap()
}

/// The error of a command that ended with one: by itself, not by a signal.
fn refusal(output: Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

/// What the embedded model's directory would be.
fn model(folder: &Path, edit: impl FnOnce(&mut serde_json::Value)) {
    let mut tokenizer: serde_json::Value = serde_json::from_slice(exgrpo_models::EMBEDDED_TOKENIZER).unwrap();
    edit(&mut tokenizer);
    let mut config: serde_json::Value = serde_json::from_slice(exgrpo_models::EMBEDDED_CONFIG).unwrap();
    config["eos_token_id"] = 1.into();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/models/assets/arithmetic/model.safetensors");
    std::fs::copy(weights, folder.join("model.safetensors")).unwrap();
}

#[test]
fn a_template_that_wants_gigabytes_is_an_error_in_three() {
    for template in [
        "{{ messages|tojson(indent=10000000000) }}",
        "{{ '%10000000000d'|format(1) }}",
        "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    ] {
        let text = format!("prompt.text='''{template}'''");
        let output = host_within(
            3_072,
            &["generate", "--prompt", "1+1=", "--set", "prompt.template=own", "--set", &text],
        );
        assert!(refusal(output).contains("the chat template fails"), "{template}");
    }
}

#[test]
fn a_tokenizer_that_multiplies_or_pads_text_stays_within_three_gigabytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let double = serde_json::json!({"type": "Replace", "pattern": {"String": "7"}, "content": "77"});
    model(dir.path(), |file| {
        file["normalizer"] = serde_json::json!({"type": "Sequence", "normalizers": vec![double; 40]});
    });
    let ask = |prompt: &str| {
        host_within(3_072, &["generate", "--model", path, "--prompt", prompt, "--max-new-tokens", "2"])
    };
    assert!(refusal(ask("7+1=")).contains("MiB of memory"));
    assert!(ask("2+3=").status.success());
    model(dir.path(), |file| {
        file["padding"] = serde_json::json!({
            "strategy": {"Fixed": 1_000_000_000}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "<pad>"
        });
    });
    assert!(ask("1+1=").status.success());
}

#[test]
fn questions_of_megabytes_are_counted_as_too_long_without_being_tokenized() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("rows.jsonl");
    let row = |question: &str| format!("{{\"question\": \"{question}\", \"answer\": \"2\"}}\n");
    let rows = [row("1+1="), row(&"1+".repeat(6_000_000)), row(&"1+".repeat(20_000_000))];
    std::fs::write(&data, rows.concat()).unwrap();
    let out = dir.path().join("out");
    let arguments = ["eval", "--max-new-tokens", "4", "--dataset", data.to_str().unwrap(), "--out"];
    let output = host_within(3_072, &[&arguments[..], &[out.to_str().unwrap()]].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    for expected in
        ["2 rows of", "(first: row 2: 12000000 bytes)", "(first: row 3: longer than 16777216 bytes)"]
    {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_pipe_a_folder_or_a_device_is_no_dataset_and_no_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.jsonl");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.to_str().unwrap(), dir.path().to_str().unwrap(), "/dev/zero"] {
        for arguments in
            [["eval", "--dataset", path], ["config", "--config", path], ["score", "--rows", path]]
        {
            let error = refusal(host_within(3_072, &arguments));
            assert!(error.contains("not a regular file"), "{arguments:?}: {error}");
        }
    }
}
