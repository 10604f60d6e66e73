//! `exgrpo-host runs`, `show` and `compare`: what runs were, from their logs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::output::describe;
use super::{print, say};
use exgrpo_analysis::recorded::RecordedRun;
use exgrpo_analysis::{compare as comparison, find, list, show as page};

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    /// Runs, folders of runs, or patterns in quotes.
    #[arg(default_value = "runs", value_name = "RUN")]
    runs: Vec<String>,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Directory of the run.
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

const COMPARE_EXAMPLES: &str = "\
Examples:
  exgrpo-host compare runs/a runs/b                            the second minus the first
  exgrpo-host compare 'runs/*gaussian_medium*' 'runs/*on_policy*'
  exgrpo-host compare runs --metric rollout/entropy/fresh --last 20
Runs that were given the same but for their seeds are one condition; the others are compared with that of the first run.";

/// Arguments of `compare`.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_EXAMPLES)]
pub(super) struct CompareArgs {
    /// Runs, folders of runs, or patterns in quotes.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// Metric by its key [default: heldout/accuracy where all have it, else rollout/correct/fresh].
    #[arg(long, value_name = "KEY")]
    metric: Option<String>,
    /// Average over so many of its last values [default: 1 of held-out accuracy, else a tenth of the steps].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    last: Option<u32>,
}

pub(super) fn runs(args: &RunsArgs) -> anyhow::Result<ExitCode> {
    let mut lines = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for dir in find::runs(&args.runs)? {
        // One that is damaged does not hide the others.
        match line(&dir) {
            Ok(line) => lines.push(line),
            Err(error) => {
                say(&format!("warning: {}", describe(&error)));
                code = ExitCode::FAILURE;
            }
        }
    }
    print(&list::page(lines))?;
    Ok(code)
}

fn line(dir: &Path) -> anyhow::Result<list::Line> {
    let run = RecordedRun::open(dir)?;
    for gap in run.gaps()? {
        say(&format!("warning: {}: {gap}", run.name()));
    }
    list::Line::of(&run)
}

pub(super) fn show(args: &ShowArgs) -> anyhow::Result<()> {
    print(&page::page(&open(&args.run)?)?)
}

pub(super) fn compare(args: &CompareArgs) -> anyhow::Result<()> {
    let runs = find::runs(&args.runs)?.iter().map(|dir| open(dir)).collect::<anyhow::Result<Vec<_>>>()?;
    let last = args.last.map(|last| last as usize);
    let asked = comparison::Asked { metric: args.metric.clone(), last };
    print(&comparison::compare(&runs, &asked)?.page())
}

fn open(dir: &Path) -> anyhow::Result<RecordedRun> {
    let run = RecordedRun::open(dir).with_context(|| format!("can't read the run in {}", dir.display()))?;
    // Figures of a log that lacks something are not those of the run.
    for problem in run.problems()? {
        say(&format!("warning: {}: {problem}", run.name()));
    }
    Ok(run)
}
