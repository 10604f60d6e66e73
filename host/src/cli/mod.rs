//! The command line: what clap parses, and one module a command.

mod eval;
mod make;
mod model;
mod progress;
mod restart;
mod swap;
mod train;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  exgrpo-host --policy policies/gaussian_medium.wasm          train the embedded model with ExGRPO
  exgrpo-host --policy policies/on_policy.wasm --seed 2       the on-policy baseline
  exgrpo-host --config run.toml --set optim.lr=1e-4           one TOML is one run
  exgrpo-host --model SmolLM2.gguf --config gsm8k.toml         a model of your own
  exgrpo-host generate --model runs/… --prompt 1+1=            ask what was trained
  exgrpo-host export runs/… --out my-model                    for transformers, vLLM and the rest
  exgrpo-host --resume runs/2026-11-24-gaussian_medium-1f3c   go on after an interruption
  exgrpo-host eval --dataset embedded:arithmetic/test         measure a model
  exgrpo-host swap runs/… policies/uniform.wasm               change the policy of a run that goes on";

/// Train a language model with ExGRPO; every decision about experience comes from a sandboxed Wasm policy.
#[derive(Debug, Parser)]
#[command(name = "exgrpo-host", version, about, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    train: train::TrainArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put a policy in force in a run that goes on, between two of its steps.
    Swap(swap::SwapArgs),
    /// Print the configuration that a run would have, every key with its value.
    Config(train::TrainArgs),
    /// Print what a model answers, or only the prompt that it is asked with.
    Generate(model::GenerateArgs),
    /// Print the log-probs that a model gives to answers.
    Score(model::ScoreArgs),
    /// Write a trained model as a Hugging Face directory.
    Export(model::ExportArgs),
    /// Measure a model on benchmarks.
    Eval(eval::EvalArgs),
    /// Draw the default task's questions.
    Dataset(make::DatasetArgs),
    /// Make the base model of the default task.
    Pretrain(make::PretrainArgs),
}

/// What every binary of the host does: reads the command line, runs it, and prints the error if there is one.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs what the command line says.
fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        None => train::train(&cli.train),
        Some(Command::Swap(args)) => swap::swap(&args),
        Some(Command::Config(args)) => train::print_config(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Generate(args)) => model::generate(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Score(args)) => model::score(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Export(args)) => model::export(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Eval(args)) => eval::eval(&args),
        Some(Command::Dataset(args)) => make::dataset(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Pretrain(args)) => make::pretrain(&args).map(|()| ExitCode::SUCCESS),
    }
}

/// A line for people: standard error, so that standard output stays free for data.
#[expect(clippy::print_stderr, reason = "messages of a command-line tool")]
fn say(message: &str) {
    eprintln!("{message}");
}

/// Data: standard output. A reader that has seen enough, such as `head`, is no error.
fn print(text: &str) {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            say(&format!("error: can't write to standard output: {error}"));
        }
        _ => {}
    }
}
