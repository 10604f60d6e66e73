//! Data of the user's own, from the file to the verdict: what runs choose for them, and `verify`.

use std::path::Path;
use std::process::{Output, Stdio};

use exgrpo_log::{ExperienceRow, read};
use exgrpo_tests::policy;
use serde_json::Value;

use crate::process::host;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn verify(verifier: &str, pairs: &Path) -> Output {
    let mut command = host(&["verify", "--verifier"]);
    command.arg(policy(verifier)).arg("--pairs").arg(pairs).stdout(Stdio::piped()).output().unwrap()
}

/// Digits that a float of 64 bits loses decide here.
#[test]
fn numbers_reach_the_verifier_with_their_digits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pairs.jsonl");
    let pairs = [
        ("1180591620717411303424", "\\\\boxed{1180591620717411303424}", "correct"),
        ("1180591620717411303424", "\\\\boxed{1180591620717411300000}", "incorrect"),
        ("-80241446968629135069", "\\\\boxed{-80241446968629135069}", "correct"),
        ("0.10000000000000000001", "\\\\boxed{0.1}", "incorrect"),
    ];
    let rows = pairs.map(|(gold, response, expected)| {
        format!("{{\"gold\": {gold}, \"response\": \"{response}\", \"expected\": \"{expected}\"}}\n")
    });
    std::fs::write(&path, rows.concat()).unwrap();
    let output = verify("math_answer", &path);
    for (row, (number, (.., expected))) in printed(&output).iter().zip((1..).zip(pairs)) {
        assert_eq!((row["row"].as_u64(), row["verdict"].as_str()), (Some(number), Some(expected)), "{row}");
        assert!(row["fuel"].as_u64() > Some(0));
    }
    assert!(said(&output).contains("4 of 4 as expected"), "{}", said(&output));

    // The built-in compares texts: CSV keeps its own too.
    std::fs::write(
        dir.path().join("pairs.csv"),
        "answer,response\n18446744073709551616,so;18446744073709551616\n",
    )
    .unwrap();
    let output = host(&["verify", "--pairs"])
        .arg(dir.path().join("pairs.csv"))
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(printed(&output)[0]["verdict"], "correct");
    std::fs::write(&path, "{\"gold\": 1}\n").unwrap();
    let output = verify("math_answer", &path);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("row 1 has no response") && said(&output).contains("hint: "),
        "{}",
        said(&output)
    );
}

#[test]
fn one_answer_is_explained_on_the_spot() {
    let output = host(&["verify", "--verifier"])
        .arg(policy("gsm8k"))
        .args(["--gold", "1,048", "--response", "#### 1048 apples"])
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert!(output.status.success() && lines.len() == 4, "{text}{}", said(&output));
    assert!(lines[0].ends_with("correct") && lines[1].ends_with('1'), "{text}");
    assert!(lines[2].starts_with("answer") && lines[3].starts_with("fuel"), "{text}");
}

/// Nothing of the default task is kept for other questions: lengths, the number of questions, held-out questions.
#[test]
fn a_run_over_own_data_says_what_it_chose() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("own.csv");
    let rows: String = (1..=6).map(|n| format!("{n}+{n}=,{},{n}\n", 2 * n)).collect();
    // Longer than the model leaves for prompts: it is left out and sets no limit.
    let long = format!("{}1=,41,7\n", "1+".repeat(40));
    std::fs::write(&data, format!("question,answer,hardness\n{rows}{long}")).unwrap();
    let run = dir.path().join("run");
    let output = host(&["--steps", "1", "--set", "rollout.group_size=2", "--set", "objective.updates=2"])
        .arg("--set")
        .arg(format!("dataset.train={}", data.display()))
        .arg("--out")
        .arg(&run)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    for expected in [
        "prompts have up to 4 tokens",
        "questions: 6 a step of 6",
        "nothing is evaluated",
        "hardness",
        "1 rows of",
        "a prompt longer than rollout.max_prompt_tokens = 64",
    ] {
        assert!(said(&output).contains(expected), "{expected}: {}", said(&output));
    }
    let recorded = std::fs::read_to_string(run.join("run.toml")).unwrap();
    assert!(recorded.contains("max_prompt_tokens = 4") && recorded.contains("questions = 6"), "{recorded}");
    assert!(recorded.contains("max_new_tokens = 64") && recorded.contains("test = \"\""), "{recorded}");
    assert_eq!(read::rows::<ExperienceRow>(&run).unwrap().len(), 12);
    let output = host(&["--resume"]).arg(&run).args(["--steps", "2"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}
