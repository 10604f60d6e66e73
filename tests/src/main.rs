//! The host's binary once more, so that these tests can start, kill and resume a process of it.

use std::process::ExitCode;

use clap::Parser;
use exgrpo_host::cli;

#[expect(clippy::print_stderr, reason = "the one place that prints errors")]
fn main() -> ExitCode {
    match cli::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
