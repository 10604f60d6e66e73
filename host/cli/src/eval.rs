//! `exgrpo-host eval`: measures a model on benchmarks.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::output::say_reading;
use super::{print, say};
use exgrpo_models::ModelSource;
use exgrpo_models::prompt::{self, Prompts};
use exgrpo_train::config::Config;
use exgrpo_train::dataset::Mapping;
use exgrpo_train::eval::{Benchmark, EvalProgress, Evaluator, Settings, read_benchmarks};
use exgrpo_train::run;

const EXAMPLES: &str = "\
Examples:
  exgrpo-host eval --dataset embedded:arithmetic/test --samples 4
  exgrpo-host eval --model MODEL --dataset math_valid.parquet --dataset arc_c.parquet \\
      --verifier policies/math_answer.wasm --limit 20
The same command goes on where it stopped; results are Parquet, a row a completion.";

/// Arguments of `eval`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EvalArgs {
    /// Model: what model.path of a run takes.
    #[arg(long, default_value = "embedded:arithmetic")]
    model: String,
    /// File of questions (JSON Lines, JSON, CSV, TSV, Parquet); give it again for more. Rows with a data_source are split by it.
    #[arg(long, required = true, value_name = "FILE")]
    dataset: Vec<String>,
    /// Policy that judges; the built-in compares with what follows the last `;`.
    #[arg(long, value_name = "FILE")]
    verifier: Option<PathBuf>,
    /// A parameter of the verifier, as name=value; give it again for more.
    #[arg(long, value_name = "NAME=VALUE")]
    policy_param: Vec<String>,
    /// Completions a question [default: 32 for AIME and AMC, else 1].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// First so many questions of each benchmark.
    #[arg(long)]
    limit: Option<usize>,
    /// Sampling temperature; 0 takes the likeliest token.
    #[arg(long, default_value_t = 0.6)]
    temperature: f32,
    /// Nucleus sampling; 1 draws from the whole vocabulary.
    #[arg(long, default_value_t = 1.0)]
    top_p: f32,
    /// Longest completion in tokens.
    #[arg(long, default_value_t = 512)]
    max_new_tokens: u32,
    /// Seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keys of the configuration that say how questions are read (dataset.*, prompt.*, model.*), as table.key=value.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Directory of the results; by default one under runs/ that the same settings find again.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl EvalArgs {
    fn config(&self) -> anyhow::Result<Config> {
        super::check_keys(
            &self.overrides,
            "an evaluation",
            &["dataset.", "prompt.", "model.", "guest."],
            &[("model.path", "--model"), ("dataset.train", "--dataset"), ("dataset.test", "--dataset")],
        )?;
        let mut config = Config::resolve(None, &self.overrides)?;
        config.model.path.clone_from(&self.model);
        config.policy.files = self.verifier.iter().cloned().collect();
        super::train::set_policy_params(&mut config, &self.policy_param)?;
        Ok(config)
    }
}

pub(super) fn eval(args: &EvalArgs) -> anyhow::Result<ExitCode> {
    let config = args.config()?;
    say_reading(Path::new(&config.model.path));
    let source = exgrpo_train::trained::read(&config.model.path)?;
    super::tell_notes(&source);
    let mut policies = run::load_policies(&config)?;
    super::check_verifier(&policies, args.verifier.as_deref())?;
    super::warn_of_builtin_verifier(&policies, args.dataset.iter().map(|name| &**name));
    let prompt = prompt::effective(&config.prompt, &source);
    if *prompt != config.prompt {
        say(
            "prompts are written as the run that the model comes from wrote them; --set prompt.template=chat asks otherwise",
        );
    }
    let prompts = Prompts::new(&config.prompt, &source)?;
    let benchmarks = benchmarks(args, &config, &source, &prompts)?;
    let (verifier, verifier_params) = Settings::verifier_of(&policies);
    let settings = Settings {
        version: Settings::VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        model: source.path.clone(),
        datasets: args.dataset.clone(),
        verifier,
        verifier_params,
        samples: args.samples,
        limit: args.limit,
        temperature: args.temperature,
        top_p: args.top_p,
        max_new_tokens: longest_completion(args, &source, &benchmarks)?,
        seed: args.seed,
        engine: config.model.engine,
        precision: config.model.precision,
        prompt: prompt.clone(),
        guest: config.guest.clone(),
        identity: Settings::identity_of(&benchmarks, &source, &prompts),
    };
    let out = match &args.out {
        Some(out) => out.clone(),
        None => Path::new("runs").join(settings.label()?),
    };
    let actor = source.actor(&config.model)?;
    say(&settings.asked(&benchmarks));
    let bar = progress_bar();
    let mut evaluator = Evaluator {
        settings: &settings,
        sampler: &actor,
        tokenizer: &source.tokenizer,
        stop_ids: &source.stop_ids,
        policies: &mut policies,
    };
    let (mut told, mut is_first) = (0, true);
    let report = evaluator.run(&benchmarks, &out, |progress| {
        if std::mem::take(&mut is_first) {
            judged_before(progress, &out).iter().for_each(|line| say(line));
        }
        match &bar {
            Some(bar) => {
                bar.set_length(progress.all as u64);
                bar.set_position(progress.done as u64);
            }
            // Without a terminal a line a tenth.
            None if progress.done * 10 / progress.all.max(1) > told => {
                told = progress.done * 10 / progress.all;
                say(&format!("{}/{} questions", progress.done, progress.all));
            }
            None => {}
        }
        true
    })?;
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let printed = print(report.table().trim_end());
    say(&format!("rows: {}", out.join("evaluations").display()));
    printed.map(|()| ExitCode::SUCCESS)
}

/// What is said of completions that an earlier call judged.
fn judged_before(progress: EvalProgress, out: &Path) -> Option<String> {
    let EvalProgress { done, all } = progress;
    let out = out.display();
    match done {
        0 => None,
        _ if done < all => {
            Some(format!("goes on: {done} of {all} questions were judged before and are in {out}"))
        }
        _ => Some(format!(
            "nothing is left to judge: the same evaluation was made before and is in {out}\n\
             hint: --seed draws other completions; --out DIR makes it anew"
        )),
    }
}

fn benchmarks(
    args: &EvalArgs,
    config: &Config,
    source: &ModelSource,
    prompts: &Prompts<'_>,
) -> anyhow::Result<Vec<Benchmark>> {
    // A prompt may be as long as the model takes: an evaluation leaves nothing out for a training run's limit.
    let mapping = Mapping {
        max_prompt_tokens: source.config.max_position_embeddings.saturating_sub(1),
        ..config.mapping()
    };
    let mut benchmarks: Vec<Benchmark> = Vec::new();
    for name in &args.dataset {
        let (mut new, dataset) = read_benchmarks(name, &mapping, prompts, args.limit)?;
        for from in &dataset.choices {
            say(&super::train::asked_with(name, from));
        }
        for (column, rows) in &dataset.left_out {
            say(&super::train::left_out(name, column, *rows));
        }
        if !dataset.unusable.is_empty() {
            say(&format!("{} rows of {name} can't be used: {}", dataset.unusable.len(), dataset.unusable));
        }
        for benchmark in &mut new {
            while benchmarks.iter().any(|known| known.name == benchmark.name) {
                benchmark.name.push('\'');
            }
        }
        benchmarks.extend(new);
    }
    Ok(benchmarks)
}

/// `--max-new-tokens`, or what the longest prompt leaves of the model's positions.
fn longest_completion(
    args: &EvalArgs,
    source: &ModelSource,
    benchmarks: &[Benchmark],
) -> anyhow::Result<u32> {
    let questions = benchmarks.iter().flat_map(|benchmark| &benchmark.questions);
    let longest_prompt = questions.map(|question| question.prompt_ids.len()).max().unwrap_or(0);
    let room = source.config.max_position_embeddings.saturating_sub(longest_prompt) as u32;
    if room < args.max_new_tokens {
        say(&format!(
            "completions are cut at {room} tokens, what the longest prompt leaves of the model's positions"
        ));
    }
    Some(args.max_new_tokens.min(room)).filter(|&most| most > 0).context(
        "the longest prompt leaves no room for a completion\nhint: choose a model with more positions, or --limit",
    )
}

fn progress_bar() -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:24.cyan/blue} {pos}/{len} questions {elapsed}<{eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        bar
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_that_was_made_before_says_so() {
        let said = |done| judged_before(EvalProgress { done, all: 20 }, Path::new("runs/eval-x"));
        assert_eq!(said(0), None);
        let part = "goes on: 5 of 20 questions were judged before and are in runs/eval-x";
        assert_eq!(said(5).as_deref(), Some(part));
        let whole = said(20).unwrap();
        assert!(whole.starts_with("nothing is left to judge") && whole.contains("\nhint: --seed"), "{whole}");
    }
}
