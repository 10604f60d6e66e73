//! `exgrpo-host swap`: asks a run that goes on to change a policy, and waits for its answer.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::Args;

use super::say;
use exgrpo_core::escape::entry;
use exgrpo_core::journal::{BUILTIN, Slot};
use exgrpo_core::rundir::RunDir;
use exgrpo_policy::read_policy_file;
use exgrpo_train::config::Config;
use exgrpo_train::control::{GivenUp, Kind, Reply, Request};
use exgrpo_train::run::policy_hint;

/// How often the answer is looked for.
const POLL: Duration = Duration::from_millis(50);
/// How often it is asked whether anybody could answer.
const LOOK: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
Examples:
  exgrpo-host swap runs/… policies/uniform.wasm        every slot that uniform fills is its from the next step on
  exgrpo-host swap runs/… --slot selection builtin     nobody fills selection any more: sampling's weights count again

A change is on record before it is acknowledged: a run that is killed and resumed makes it again, at the same step.";

/// Arguments of `swap`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SwapArgs {
    /// Directory of the run.
    run: PathBuf,
    /// The policy, which takes over every slot that it fills; `builtin` with --slot.
    file: PathBuf,
    /// A slot to be emptied: the built-in default takes it over.
    #[arg(long, value_name = "SLOT", value_parser = Slot::ALL.map(Slot::as_str))]
    slot: Option<String>,
    /// Seconds to wait for the run's next step.
    #[arg(long, default_value_t = 120)]
    timeout: u64,
}

pub(super) fn swap(args: &SwapArgs) -> anyhow::Result<ExitCode> {
    let run = RunDir::at(&args.run);
    if !run.config().is_file() {
        bail!(
            "{} is not a run\nhint: give the directory that the run printed when it began",
            args.run.display()
        );
    }
    if !run.is_being_written()? {
        bail!(
            "no process is writing {}: it is done, or was stopped\nhint: exgrpo-host --resume {} goes on with it",
            args.run.display(),
            args.run.display()
        );
    }
    let (kind, contents) = wish(args, &run)?;
    let request = Request::send(run.root(), &id(args), kind, &contents)?;
    let reply = match wait(args, &run, &request)? {
        Ok(reply) => reply,
        Err(why) => {
            let place = args.run.display();
            match request.give_up().context(why.clone())? {
                GivenUp::Withdrawn => bail!("{why}: the request is withdrawn, {place} stays as it is"),
                GivenUp::Stands => bail!(
                    "{why}: {place} had taken the request, which stands: it is decided on between two steps\n\
                     hint: the run's events say what becomes of it"
                ),
            }
        }
    };
    if reply.accepted {
        say(&entry(&reply.message));
        return Ok(ExitCode::SUCCESS);
    }
    bail!("the run refuses {}: {}", args.file.display(), reply.message)
}

/// What is asked for.
fn wish(args: &SwapArgs, run: &RunDir) -> anyhow::Result<(Kind, Vec<u8>)> {
    let Some(slot) = &args.slot else {
        let most = Config::recorded(&run.config())?.guest.most_file_bytes();
        let bytes = read_policy_file(&args.file, most)
            .with_context(|| format!("can't ask for it\nhint: {}", policy_hint(&args.file)))?;
        return Ok((Kind::Policy, bytes));
    };
    if args.file.as_os_str() != BUILTIN {
        bail!(
            "--slot empties a slot and goes with `{BUILTIN}`, not with {}\n\
             hint: a policy takes over every slot that it fills: leave --slot out",
            args.file.display()
        );
    }
    Ok((Kind::Slot, slot.clone().into_bytes()))
}

/// A name that no other request has, and that needs no quoting.
fn id(args: &SwapArgs) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let name = args.file.file_stem().unwrap_or_default().to_string_lossy();
    let name: String =
        name.chars().take(40).map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    format!("{now}-{}-{name}", std::process::id())
}

/// The answer, or why there will be none.
fn wait(args: &SwapArgs, run: &RunDir, request: &Request) -> anyhow::Result<Result<Reply, String>> {
    let begin = Instant::now();
    let mut next_look = LOOK;
    loop {
        if let Some(reply) = request.reply()? {
            return Ok(Ok(reply));
        }
        let waited = begin.elapsed();
        if waited >= next_look {
            next_look = waited + LOOK;
            if !run.is_being_written()? {
                // Its last word may have come in between.
                let last = request.reply()?;
                return Ok(last.ok_or_else(|| "the run ended without an answer".to_owned()));
            }
        }
        if waited > Duration::from_secs(args.timeout) {
            return Ok(Err(format!("no answer within {} s", args.timeout)));
        }
        std::thread::sleep(POLL);
    }
}
