//! What the command line says: messages for people on standard error, data on standard output, and errors in one line.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;

use exgrpo_core::escape;

/// A line for people: standard error, so that standard output stays free for data. That nobody can hear it is no reason
/// to stop: what is said here is said again by the log, the exit code or the command when it is repeated. What others
/// wrote in it can't steer the terminal, nor begin a line that looks like one of ours.
pub(super) fn say(message: &str) {
    let _ = writeln!(io::stderr(), "{}", escape::notice(message));
}

/// Data: standard output, as it is for programs, escaped for a terminal. A reader that has seen enough, such as `head`,
/// is no error.
///
/// # Errors
/// It can't be written, because the disk is full say.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let text = match stdout.is_terminal() {
        true => escape::lines(text).into(),
        false => Cow::Borrowed(text),
    };
    reached(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// What writing to standard output came to.
pub(super) fn reached(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("can't write to standard output")
        }
        _ => Ok(()),
    }
}

/// `error` and its causes in one line, each said once, without the backtraces that candle puts into its messages; then
/// hints, a line each.
pub(super) fn describe(error: &anyhow::Error) -> String {
    let mut said = String::new();
    let mut hints: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = exgrpo_engine::message_of_candle(cause).unwrap_or_else(|| cause.to_string());
        let (advice, message): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.starts_with("hint: "));
        let message = message.join("\n");
        // Some libraries repeat their cause in their own text.
        if !said.ends_with(&message) {
            if !said.is_empty() {
                said.push_str(": ");
            }
            said.push_str(&message);
        }
        hints.extend(advice.into_iter().map(str::to_owned));
    }
    for hint in hints {
        said.push('\n');
        said.push_str(&hint);
    }
    said
}

/// Says that the model at `path` is read where that takes a while; not before an error that comes at once.
pub(super) fn say_reading(path: &Path) {
    const LARGE: u64 = 50 << 20;
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    // A run's weights are in its latest checkpoint.
    let latest = entries(&path.join("checkpoints")).map(|entry| entry.path()).max();
    let folders = [Some(path.to_owned()), latest].into_iter().flatten();
    let files = folders.flat_map(|folder| entries(&folder).map(|entry| size(&entry.path())));
    let bytes = size(path) + files.sum::<u64>();
    if bytes > LARGE {
        say(&format!("reading {} ({} MB)", path.display(), bytes >> 20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exgrpo_core::atomic;
    use exgrpo_core::rundir::RunDir;
    use exgrpo_log::{Begin, RunLog};

    #[test]
    fn causes_are_said_once_and_hints_last() {
        let error = anyhow::Error::new(io::Error::other("no room"))
            .context("can't write part: no room")
            .context("can't go on\nhint: try again");
        assert_eq!(describe(&error), "can't go on: can't write part: no room\nhint: try again");
    }

    #[test]
    fn what_the_system_says_is_there_once_whoever_failed() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("file/below");
        std::fs::write(dir.path().join("file"), "").unwrap();
        let errors: [anyhow::Error; 4] = [
            atomic::write_file(&nowhere, b"").unwrap_err().into(),
            RunDir::create(&nowhere).unwrap_err().into(),
            RunDir::at(&nowhere).store_policy(b"").unwrap_err().into(),
            RunLog::open(&nowhere, "", Vec::new(), Begin::New).unwrap_err().into(),
        ];
        for error in errors {
            let said = describe(&error);
            assert_eq!(said.matches("os error").count(), 1, "{said}");
            assert!(said.contains("file"), "{said}");
        }
    }
}
