//! `cargo xtask demo`: builds the policies and runs the main command.

use anyhow::Result;

use crate::{policies, workspace};

/// The main command: ExGRPO on the embedded model, the paper's policy, the default task's verifier.
const MAIN: [&str; 4] =
    ["--policy", "policies/gaussian_medium.wasm", "--policy", "policies/exact_answer.wasm"];

/// Further arguments go to the host.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    policies::build()?;
    let mut cargo = workspace::cargo();
    // What the default task doesn't need is not compiled: candle and the hub.
    cargo.args(["run", "--release", "--package", "exgrpo-host", "--no-default-features", "--"]);
    cargo.args(MAIN).args(arguments);
    workspace::run(&mut cargo)
}
