//! The host in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The binary with these arguments, its standard error kept.
pub(crate) fn host(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-under-test"));
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A short run of the paper's policies into `out`.
pub(crate) fn start(out: &Path, steps: &str) -> Command {
    start_with(&[exgrpo_tests::policy("gaussian_medium"), exgrpo_tests::policy("exact_answer")], out, steps)
}

/// A short run of these policies into `out`.
pub(crate) fn start_with(policies: &[PathBuf], out: &Path, steps: &str) -> Command {
    let mut command = host(&["--quiet", "--steps", steps, "--seed", "3"]);
    for setting in [
        "rollout.questions=4",
        "rollout.group_size=4",
        "eval.enabled=false",
        "replay.replay_start_accuracy=-1",
        // When a checkpoint is written must not depend on the clock.
        "checkpoint.max_share=1.0",
    ] {
        command.args(["--set", setting]);
    }
    for policy in policies {
        command.arg("--policy").arg(policy);
    }
    command.arg("--out").arg(out);
    command
}
