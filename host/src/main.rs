//! `exgrpo-host`: trains a language model with ExGRPO, every decision about experience taken by a Wasm policy.

use std::process::ExitCode;

use clap::Parser;
use exgrpo_host::cli;

/// Tensors come and go by the megabyte: an allocator that keeps freed pages spares most page faults of a step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
