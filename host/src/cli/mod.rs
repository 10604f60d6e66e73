//! The command line: what clap parses, and one module a command.

mod make;

use clap::{Parser, Subcommand};

/// exgrpo's host.
#[derive(Debug, Parser)]
#[command(name = "exgrpo-host", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draw the default task's questions.
    Dataset(make::DatasetArgs),
    /// Make the base model of the default task.
    Pretrain(make::PretrainArgs),
}

/// Runs what the command line says.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Dataset(args) => make::dataset(&args),
        Command::Pretrain(args) => make::pretrain(&args),
    }
}

/// A line for people: standard error, so that standard output stays free for data.
#[expect(clippy::print_stderr, reason = "messages of a command-line tool")]
fn say(message: &str) {
    eprintln!("{message}");
}
