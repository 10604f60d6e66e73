//! `exgrpo-host`: trains a language model with ExGRPO, every decision about experience taken by a Wasm policy.

use std::process::ExitCode;

use clap::Parser;
use exgrpo_host::cli;

/// Tensors come and go by the megabyte: an allocator that keeps freed pages spares most page faults of a step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::print_stderr, reason = "the one place that prints errors")]
fn main() -> ExitCode {
    if let Some(code) = without_spinning_pool() {
        return code;
    }
    match cli::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// candle 0.11 runs elementwise operations on a pool that spins while its worker waits for a core; on few cores that
/// costs several times what it gives, and only an environment variable that is read at the first operation turns it
/// off. A process that was started without the variable starts itself again with it.
fn without_spinning_pool() -> Option<ExitCode> {
    const VARIABLE: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(VARIABLE).is_some() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let program = std::env::current_exe().ok()?;
        // `exec` only comes back when it failed; then the run is slower, not wrong.
        let _ =
            std::process::Command::new(program).args(std::env::args_os().skip(1)).env(VARIABLE, "1").exec();
    }
    None
}
