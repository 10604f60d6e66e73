//! The main command: begin a run or go on with one, and tell how it goes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;
use clap::Args;

use super::output::{describe, say_reading};
use super::progress::Reporter;
use super::restart::without_spinning_pool;
use super::{print, say};
use exgrpo_core::escape::quoted;
use exgrpo_core::signals::{self, INTERRUPTED};
use exgrpo_log::metric;
use exgrpo_train::config::{Config, Engine};
use exgrpo_train::dataset::ChoicesFrom;
use exgrpo_train::run::{Run, Summary};

/// Arguments of the main command.
#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    /// A directory, a GGUF file, a run or one of its checkpoints, owner/name on the hub, or embedded:arithmetic.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// A policy (Wasm component or core module); give it again for more. Unfilled slots are built in.
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// A parameter that a policy declares, as name=value; give it again for more.
    #[arg(long, value_name = "NAME=VALUE")]
    policy_param: Vec<String>,
    /// Configuration of the run.
    #[arg(long, value_name = "TOML")]
    config: Option<PathBuf>,
    /// One key of the configuration, as table.key=value; give it again for more.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Precision of products with weights: bf16 is faster where the processor has AVX512_BF16.
    #[arg(long, value_parser = ["f32", "bf16"])]
    precision: Option<String>,
    /// Steps of the run.
    #[arg(long)]
    steps: Option<u32>,
    /// Seed of the run.
    #[arg(long)]
    seed: Option<u64>,
    /// Directory of the run; by default one with a readable name under runs/.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the run in this directory from its latest checkpoint that can be used.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "policy", "policy_param", "config", "overrides", "precision", "seed", "out"])]
    resume: Option<PathBuf>,
    /// With --resume: begin the run again; all that it logged and all its checkpoints are set aside, not removed.
    #[arg(long, requires = "resume")]
    start_over: bool,
    /// Say nothing but errors and the run's directory.
    #[arg(long, short)]
    quiet: bool,
}

impl TrainArgs {
    fn resolve(&self) -> anyhow::Result<Config> {
        let mut overrides = self.overrides.clone();
        overrides.extend(self.precision.as_ref().map(|precision| format!("model.precision={precision}")));
        let quoted = |text: &String| toml::Value::String(text.clone());
        overrides.extend(self.model.as_ref().map(|model| format!("model.path={}", quoted(model))));
        let mut config = Config::resolve(self.config.as_deref(), &overrides)?;
        if !self.policy.is_empty() {
            config.policy.files = self.policy.clone();
        }
        set_policy_params(&mut config, &self.policy_param)?;
        config.steps = self.steps.unwrap_or(config.steps);
        config.seed = self.seed.unwrap_or(config.seed);
        config.validate()?;
        Ok(config)
    }
}

/// Says that a column which seems to belong to what is asked is not asked.
pub(super) fn left_out(dataset: &str, name: &str, rows: usize) -> String {
    format!(
        "warning: column {} of {dataset} is not part of what is asked ({rows} rows)\n\
         hint: join it to the column of the question if the question needs it",
        quoted(name)
    )
}

/// Says where questions have their choices, and which one is right in the first of them.
pub(super) fn asked_with(dataset: &str, from: &ChoicesFrom) -> String {
    const SHOWN: usize = 60;
    let ChoicesFrom { column, rows, answer, text } = from;
    let shown: String = text.chars().take(SHOWN).collect();
    let column = quoted(column);
    format!(
        "{rows} rows of {dataset} are asked with choices (column {column}); the first is right with {answer}, {}",
        quoted(&shown)
    )
}

/// Takes items of `--policy-param` over.
pub(super) fn set_policy_params(config: &mut Config, items: &[String]) -> anyhow::Result<()> {
    for item in items {
        let Some((name, text)) = item.split_once('=') else {
            bail!("--policy-param {item:?} has no `=`\nhint: write it as sigma=0.5");
        };
        config.policy.params.insert(name.to_owned(), toml::Value::String(text.to_owned()));
    }
    Ok(())
}

pub(super) fn print_config(args: &TrainArgs) -> anyhow::Result<()> {
    if args.resume.is_some() {
        bail!(
            "config takes no --resume\nhint: the configuration of a run is in its run.toml: --config RUN/run.toml"
        );
    }
    print(&args.resolve()?.described()?)
}

pub(super) fn train(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    let prepare = |engine| {
        if engine == Engine::Candle {
            without_spinning_pool();
        }
    };
    let mut run = match &args.resume {
        Some(root) => {
            Run::recorded_engine(root).map(prepare);
            say_reading(root);
            match args.start_over {
                true => Run::start_over(root, args.steps)?,
                false => Run::resume(root, args.steps)?,
            }
        }
        None => {
            let config = args.resolve()?;
            prepare(config.model.engine);
            say_reading(Path::new(&config.model.path));
            Run::create(config, args.out.as_deref())?
        }
    };
    signals::listen()?;
    if let Err(error) = print(&run.dir().display().to_string()) {
        // The run is what was asked for, not this line.
        say(&format!("warning: {}", describe(&error)));
    }
    for note in run.notes() {
        say(&format!("warning: {note}"));
    }
    for choice in run.choices() {
        say(choice);
    }
    for (dataset, from) in run.choices_from() {
        say(&asked_with(dataset, from));
    }
    for (dataset, name, rows) in run.left_out() {
        say(&left_out(dataset, name, rows));
    }
    for (dataset, unusable) in run.unusable() {
        say(&format!("warning: {} rows of {dataset} can't be used: {unusable}", unusable.len()));
    }
    if let Some(reason) = run.policies().pooling_refused() {
        say(&format!("warning: instances of policies can't be pooled, which makes them slower: {reason}"));
    }
    let not_demonstrable = run.not_demonstrable();
    if !not_demonstrable.is_empty() {
        say(&format!(
            "warning: {} solutions can't be demonstrated: {not_demonstrable}",
            not_demonstrable.len()
        ));
    }
    if let Some(warning) = run.policy_warning() {
        say(&format!("warning: {warning}"));
    }
    if args.resume.is_some() && !args.quiet {
        say(&where_it_goes_on(run.steps_done(), run.config().steps));
    }
    let mut reporter = Reporter::new(&run, args.quiet);
    let begin = Instant::now();
    let mut summary = Summary::default();
    while !run.is_done() && !run.is_interrupted() {
        let report = run.step()?;
        summary.add(&report);
        reporter.step(&report);
    }
    reporter.finish();
    if !args.quiet {
        summarize(&run, &summary, begin.elapsed().as_secs_f64());
    }
    if run.is_done() {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "interrupted after step {}\nhint: exgrpo-host --resume {}",
        run.steps_done(),
        run.dir().display()
    ));
    Ok(ExitCode::from(INTERRUPTED))
}

/// Where a run that is resumed goes on, and how far.
fn where_it_goes_on(done: u32, steps: u32) -> String {
    match steps.saturating_sub(done) {
        0 => format!("all {done} steps are done\nhint: --steps {} makes as many more", 2 * u64::from(done)),
        _ if done == 0 => format!("no step is in a checkpoint: begins again, {steps} steps"),
        left => format!("goes on after step {done}: {left} of {steps} steps remain"),
    }
}

fn summarize(run: &Run, summary: &Summary, seconds: f64) {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    say("");
    say(&format!(
        "{} steps in {seconds:.0} s ({:.0} s training, {:.0} tokens/s sampled and trained)",
        summary.steps,
        summary.step_s,
        summary.tokens / summary.step_s.max(1e-9),
    ));
    if let Some(last) = &summary.last {
        let get = |metric| last.get(metric).unwrap_or_default();
        say(&format!(
            "pool: {} questions with {} trajectories, {} retired",
            get(metric::POOL_QUESTIONS),
            get(metric::POOL_EXPERIENCES),
            get(metric::POOL_RETIRED)
        ));
    }
    say(&format!(
        "policies: {} of the steps' time, {} faults",
        percent(summary.guest_s / summary.step_s.max(1e-9)),
        summary.faults
    ));
    if let (Some(before), Some(after)) = (run.heldout_before(), summary.heldout) {
        say(&format!(
            "held-out accuracy: {} before, {} after ({:+.1} points)",
            percent(before),
            percent(after),
            100.0 * (after - before)
        ));
    }
    say(&format!("log: {}", run.dir().display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_says_where_it_is_and_what_remains() {
        assert_eq!(where_it_goes_on(20, 150), "goes on after step 20: 130 of 150 steps remain");
        assert_eq!(where_it_goes_on(0, 150), "no step is in a checkpoint: begins again, 150 steps");
        assert_eq!(
            where_it_goes_on(150, 150),
            "all 150 steps are done\nhint: --steps 300 makes as many more"
        );
    }
}
