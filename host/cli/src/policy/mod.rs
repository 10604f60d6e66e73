//! `exgrpo-host policy`: tools for those who write policies.

mod inspect;
mod new;
mod template;

use clap::{Args, Subcommand};

/// Arguments of `policy`.
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Write the crate of a new policy, which builds and passes its own test.
    New(new::NewArgs),
    /// Print what a policy is: slots, parameters, imports, and what its functions take.
    Inspect(inspect::InspectArgs),
}

pub(super) fn policy(args: &PolicyArgs) -> anyhow::Result<()> {
    match &args.command {
        PolicyCommand::New(args) => new::new(args),
        PolicyCommand::Inspect(args) => inspect::inspect(args),
    }
}
