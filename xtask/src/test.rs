//! `cargo xtask test`: builds the policies and runs all tests, optimized.

use anyhow::Result;

use crate::{policies, workspace};

const TEST: [&str; 4] = ["test", "--release", "--workspace", "--locked"];

/// Further arguments go to `cargo test`; with any, examples in documentation are left out.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    policies::build()?;
    if arguments.is_empty() {
        workspace::run(workspace::cargo().args(TEST).arg("--doc"))?;
    }
    // What ends the command is the summary of tests that ran.
    workspace::run(workspace::cargo().args(TEST).args(["--lib", "--bins", "--tests"]).args(arguments))
}
