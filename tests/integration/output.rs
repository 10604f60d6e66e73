//! Standard output and standard error that can't be written.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use exgrpo_log::read;

use crate::process::{host, start};

/// Takes no byte: what a full disk says.
fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// A pipe whose reader has left.
fn left() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every command whose result is its standard output, ready to run in `dir`.
fn printing(dir: &Path) -> Vec<Command> {
    let rows = dir.join("rows.jsonl");
    std::fs::write(&rows, "{\"question\": \"1+1=\", \"answer\": \"2\"}\n").unwrap();
    let rows = rows.to_string_lossy().into_owned();
    let model = ["--model", "embedded:arithmetic"];
    [
        vec!["--help"],
        vec!["--version"],
        vec!["config"],
        [&["generate"], &model[..], &["--prompt", "1+1=", "--max-new-tokens", "0"]].concat(),
        [&["generate"], &model[..], &["--prompt", "1+1=", "--max-new-tokens", "4", "--json"]].concat(),
        [&["score"], &model[..], &["--rows", &rows]].concat(),
        vec!["eval", "--dataset", "embedded:arithmetic/test", "--limit", "1", "--max-new-tokens", "4"],
    ]
    .iter()
    .map(|arguments| {
        let mut command = host(arguments);
        command.current_dir(dir);
        command
    })
    .collect()
}

#[test]
fn data_that_can_not_be_written_is_an_error_that_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    for mut command in printing(dir.path()) {
        let output = command.stdout(full()).output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {text}");
        assert!(text.contains("error: can't write to standard output"), "{command:?}: {text}");
        assert_eq!(text.matches("No space left").count(), 1, "{command:?}: {text}");
        // Neither can the message be written: the exit code is left to say it.
        assert_eq!(command.stdout(full()).stderr(full()).status().unwrap().code(), Some(1), "{command:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    for mut command in printing(dir.path()) {
        let output = command.stdout(left()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}: {}", said(&output));
        assert!(!said(&output).contains("error"), "{command:?}: {}", said(&output));
    }
}

/// `exgrpo-host 2>&1 | head`, and a disk that is full where the output goes.
#[test]
fn training_goes_on_when_nobody_listens_and_its_exit_code_is_true() {
    let dir = tempfile::tempdir().unwrap();
    for (number, stream) in [left, full].into_iter().enumerate() {
        let out = dir.path().join(format!("run-{number}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-under-test"));
        command.args(start(&out, "2").get_args().filter(|argument| *argument != "--quiet"));
        let status = command.stdout(stream()).stderr(stream()).status().unwrap();
        assert_eq!(status.code(), Some(0));
        assert_eq!(read::metrics(&out).unwrap().len(), 2);

        let failed = start(&out, "2").stdout(stream()).stderr(stream()).status().unwrap();
        assert_eq!(failed.code(), Some(1), "there is a run already");
        let misused = host(&["--no-such-flag"]).stdout(stream()).stderr(stream()).status().unwrap();
        assert_eq!(misused.code(), Some(2));
    }
}
