//! `exgrpo-host swap`: asks a run that goes on to take a policy over, and waits for its answer.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::Args;

use super::say;
use crate::atomic;
use crate::control::{REQUESTS, Reply};
use crate::escape::entry;

/// Arguments of `swap`.
#[derive(Debug, Args)]
pub(super) struct SwapArgs {
    /// Directory of the run.
    run: PathBuf,
    /// The policy.
    file: PathBuf,
    /// Seconds to wait for the run's next step.
    #[arg(long, default_value_t = 120)]
    timeout: u64,
}

pub(super) fn swap(args: &SwapArgs) -> anyhow::Result<ExitCode> {
    let requests = args.run.join(REQUESTS);
    if !requests.is_dir() {
        bail!(
            "{} is not a run that goes on\nhint: give the directory that the run printed when it began",
            args.run.display()
        );
    }
    let bytes =
        std::fs::read(&args.file).with_context(|| format!("can't read policy {}", args.file.display()))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let name = args.file.file_stem().unwrap_or_default().to_string_lossy();
    let request = requests.join(format!("{now}-{name}.wasm"));
    let answer = request.with_extension("reply");
    atomic::write_file(&request, &bytes)?;
    let begin = Instant::now();
    while !answer.exists() {
        if begin.elapsed() > Duration::from_secs(args.timeout) {
            // Nobody may come back to a request that was given up.
            let _ = std::fs::remove_file(&request);
            bail!("no answer from {} within {} s: is the run going on?", args.run.display(), args.timeout);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let text = std::fs::read(&answer).with_context(|| format!("can't read {}", answer.display()))?;
    let _ = std::fs::remove_file(&answer);
    let reply: Reply = serde_json::from_slice(&text).context("the run's answer is unreadable")?;
    if reply.accepted {
        say(&entry(&reply.message));
        return Ok(ExitCode::SUCCESS);
    }
    bail!("the run refuses {}: {}", args.file.display(), reply.message)
}
