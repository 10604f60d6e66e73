//! The command line: what clap parses, and one module a command.

mod eval;
mod make;
mod model;
mod output;
mod policy;
mod progress;
mod recorded;
mod restart;
mod swap;
mod train;
mod verify;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand};

use exgrpo_core::escape;
use exgrpo_core::journal::{BUILTIN, Slot};
use exgrpo_models::EMBEDDED;
use exgrpo_policy::{PolicySet, compile};
use output::{print, say};

const EXAMPLES: &str = "\
Examples:
  exgrpo-host --policy policies/gaussian_medium.wasm          train the embedded model with ExGRPO
  exgrpo-host --policy policies/on_policy.wasm --seed 2       the on-policy baseline
  exgrpo-host --config run.toml --set optim.lr=1e-4           one TOML is one run
  exgrpo-host --model SmolLM2.gguf --config gsm8k.toml         a model of your own
  exgrpo-host generate --model runs/… --prompt 1+1=            ask what was trained
  exgrpo-host export runs/… --out my-model                    for transformers, vLLM and the rest
  exgrpo-host --resume runs/2026-11-24-gaussian_medium-1f3c   go on after an interruption
  exgrpo-host compare 'runs/*uniform*' 'runs/*on_policy*'      differences, paired by seed
  exgrpo-host eval --dataset embedded:arithmetic/test         measure a model
  exgrpo-host verify --gold 1/2 --response 'It is $0.5$.' --verifier policies/math_answer.wasm
  exgrpo-host policy new recent --slot sampling               begin a policy of your own
  exgrpo-host swap runs/… policies/uniform.wasm               change the policy of a run that goes on";

#[global_allocator]
static ALLOCATOR: exgrpo_core::allocator::Accounting = exgrpo_core::allocator::Accounting;

/// Exit code of a command line that can't be understood.
const MISUSED: u8 = 2;

/// Train a language model with ExGRPO; every decision about experience comes from a sandboxed Wasm policy.
#[derive(Debug, Parser)]
#[command(name = "exgrpo-host", version = env!("EXGRPO_VERSION"), about, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    train: train::TrainArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put a policy in force in a run that goes on, or empty a slot, between two of its steps.
    Swap(swap::SwapArgs),
    /// Print the configuration that a run would have: every key with its value and what it is.
    Config(train::TrainArgs),
    /// Print what a model answers, or only the prompt that it is asked with.
    Generate(model::GenerateArgs),
    /// Print the log-probs that a model gives to answers.
    Score(model::ScoreArgs),
    /// Write a trained model as a Hugging Face directory.
    Export(model::ExportArgs),
    /// Measure a model on benchmarks.
    Eval(eval::EvalArgs),
    /// Print what a verifier makes of answers.
    Verify(verify::VerifyArgs),
    /// Tools for writing policies: a crate to begin with, and what a policy is.
    Policy(policy::PolicyArgs),
    /// List runs: policies, seed, steps, accuracy, state.
    Runs(recorded::RunsArgs),
    /// Print what a run was given, who decided, what happened and how it went.
    Show(recorded::ShowArgs),
    /// Compare runs, paired by their seeds.
    Compare(recorded::CompareArgs),
    /// Draw the default task's questions.
    Dataset(make::DatasetArgs),
    /// Make the base model of the default task.
    Pretrain(make::PretrainArgs),
    /// Compile a policy for the process that started this one.
    #[command(name = compile::COMMAND, hide = true)]
    CompilePolicy,
}

/// What every binary of the host does: reads the command line, runs it, and prints the error if there is one.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return answer(&error),
    };
    compile::is_the_compiler();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {}", output::describe(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Prints what clap has to say: help and version, which are data, or what is wrong with the command line.
fn answer(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        // clap repeats an argument as it is.
        let hidden: Vec<String> = std::env::args_os()
            .map(|argument| argument.to_string_lossy().into_owned())
            .filter(|argument| argument.chars().any(escape::is_hidden))
            .collect();
        if hidden.is_empty() {
            let _ = error.print();
        } else {
            let kind = error.kind().as_str().unwrap_or("it can't be read");
            let shown: Vec<String> =
                hidden.iter().map(|argument| escape::quoted(argument).to_string()).collect();
            say(&format!("error: the command line: {kind}; it has hidden characters: {}", shown.join(" ")));
        }
        return ExitCode::from(MISUSED);
    }
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    match output::reached(printed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", output::describe(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Says what was left aside of a model's files.
fn tell_notes(source: &exgrpo_models::ModelSource) {
    for note in &source.notes {
        say(&format!("warning: {note}"));
    }
}

/// Refuses keys of `--set` that `who` doesn't use: those that begin otherwise than with one of `used`, and those that another
/// flag stands for.
fn check_keys(items: &[String], who: &str, used: &[&str], flags: &[(&str, &str)]) -> anyhow::Result<()> {
    for item in items {
        let key = item.split_once('=').map_or(item.as_str(), |(key, _)| key).trim();
        if let Some((_, flag)) = flags.iter().find(|(known, _)| *known == key) {
            bail!("--set {key}: {who} takes that from {flag}");
        }
        if !used.iter().any(|prefix| key.starts_with(prefix)) {
            let used: Vec<String> = used.iter().map(|prefix| format!("{prefix}*")).collect();
            bail!("--set {}: {who} does not use it\nhint: it uses {}", escape::quoted(key), used.join(", "));
        }
    }
    Ok(())
}

/// Warns where the built-in verifier would judge answers to questions of somebody's own.
fn warn_of_builtin_verifier<'a>(policies: &PolicySet, mut datasets: impl Iterator<Item = &'a str>) {
    if policies.digest(Slot::Verifier) == BUILTIN && datasets.any(|name| !name.starts_with(EMBEDDED)) {
        output::say(
            "warning: no verifier was given; the built-in one compares an answer with what follows the last `;`\n\
             hint: policies/gsm8k.wasm reads numbers, math_answer.wasm mathematics, multiple_choice.wasm letters",
        );
    }
}

/// Refuses a policy that was given as the verifier and is none.
fn check_verifier(policies: &PolicySet, given: Option<&Path>) -> anyhow::Result<()> {
    match given {
        Some(path) if policies.digest(Slot::Verifier) == BUILTIN => bail!(
            "{} is no verifier: it fills other slots\nhint: policies/README.md names those that judge answers",
            path.display()
        ),
        _ => Ok(()),
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
        Some(Command::Verify(args)) => verify::verify(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Policy(args)) => policy::policy(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Runs(args)) => recorded::runs(&args),
        Some(Command::Show(args)) => recorded::show(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Compare(args)) => recorded::compare(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::Dataset(args)) => make::dataset(&args).map(|()| ExitCode::SUCCESS),
        Some(Command::CompilePolicy) => Ok(compile::serve()),
        Some(Command::Pretrain(args)) => make::pretrain(&args).map(|()| ExitCode::SUCCESS),
    }
}
