//! `cargo xtask test`: builds the policies and runs all tests, optimized.

use anyhow::Result;

use crate::{policies, workspace};

/// Further arguments go to `cargo test`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    policies::build()?;
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--release", "--workspace", "--locked"]).args(arguments);
    workspace::run(&mut cargo)
}
