//! How a run goes: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::say;
use exgrpo_core::escape::{entry, foreign, lines};
use exgrpo_core::journal::Slot;
use exgrpo_core::types::Origin;
use exgrpo_log::metric::{self, Metric};
use exgrpo_train::run::{Run, StepReport};

/// Without a terminal every so many steps get a line.
const PLAIN_EVERY: u32 = 10;

/// Steps that take longer than this together get a line, wherever it goes.
const PLAIN_AFTER: Duration = Duration::from_secs(5);

/// Tells of every step.
pub(super) struct Reporter {
    bar: Option<ProgressBar>,
    quiet: bool,
    steps: u32,
    /// When the latest line was written.
    latest: Instant,
}

impl Reporter {
    /// Says what is about to run.
    pub(super) fn new(run: &Run, quiet: bool) -> Self {
        let steps = run.config().steps;
        if quiet {
            return Self { bar: None, quiet, steps, latest: Instant::now() };
        }
        let actor = run.actor();
        say(&format!(
            "{} parameters, {} questions x {} rollouts a step, seed {}",
            actor.num_parameters(),
            run.config().rollout.questions,
            run.config().rollout.group_size,
            run.config().seed
        ));
        for info in run.policies().components() {
            let slots: Vec<&str> = info.slots.iter().map(|slot| slot.as_str()).collect();
            let (name, version) = (foreign(&info.name), foreign(&info.version));
            say(&format!("{name} {version} ({}): {}", &info.digest[..12], slots.join(", ")));
        }
        let built_in: Vec<&str> = Slot::ALL
            .into_iter()
            .filter(|&slot| {
                run.policies().digest(slot) == exgrpo_core::journal::BUILTIN && slot != Slot::Selection
            })
            .map(Slot::as_str)
            .collect();
        if !built_in.is_empty() {
            say(&format!("built in: {}", built_in.join(", ")));
        }
        super::warn_of_builtin_verifier(run.policies(), std::iter::once(&*run.config().dataset.train));
        if !run.extra_columns().is_empty() {
            let names: Vec<String> = run.extra_columns().iter().map(|name| format!("{name:?}")).collect();
            say(&format!("policies see of the dataset: {}", foreign(&names.join(", "))));
        }
        for kept in run.kept_back() {
            say(&format!("policies don't see {:?}: {}", kept.name, kept.reason));
        }
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(u64::from(steps)).with_position(u64::from(run.steps_done()));
            let style = ProgressStyle::with_template("{bar:24.cyan/blue} {pos}/{len} {elapsed}<{eta} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let (eval, rollout) = (&run.config().eval, &run.config().rollout);
        if eval.enabled && !run.is_done() {
            say(&format!(
                "{} held-out questions are asked {} times each at temperature {} (eval.temperature), training samples at {}",
                run.num_heldout(),
                eval.samples,
                eval.temperature,
                rollout.temperature
            ));
        }
        let first = match eval.enabled && run.steps_done() == 0 {
            true => "held-out questions before the first step",
            false => "sampling",
        };
        match &bar {
            _ if run.is_done() => {}
            Some(bar) => bar.set_message(first),
            None => say(&format!("begins with {first}")),
        }
        Self { bar, quiet, steps, latest: Instant::now() }
    }

    /// Tells of one step.
    pub(super) fn step(&mut self, report: &StepReport) {
        if self.quiet {
            return;
        }
        for event in &report.events {
            let event = entry(event);
            match &self.bar {
                Some(bar) => bar.println(event),
                None => say(&event),
            }
        }
        let line = lines(&describe(report));
        let is_slow = self.latest.elapsed() >= PLAIN_AFTER;
        let is_due = match &self.bar {
            Some(bar) => {
                bar.set_message(line.clone());
                bar.set_position(u64::from(report.step));
                is_slow
            }
            None => {
                is_slow
                    || report.step.is_multiple_of(PLAIN_EVERY)
                    || report.step == 1
                    || report.step == self.steps
            }
        };
        if is_due {
            let line = format!("step {:4}/{}  {line}", report.step, self.steps);
            match &self.bar {
                Some(bar) => bar.println(line),
                None => say(&line),
            }
            self.latest = Instant::now();
        }
    }

    /// Leaves the terminal clean.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

fn describe(report: &StepReport) -> String {
    let get = |metric: Metric| report.metrics.get(metric).unwrap_or_default();
    let buckets: Vec<String> =
        (0..).map_while(|k| report.metrics.get(metric::POOL_BUCKET.of(k))).map(|n| n.to_string()).collect();
    let cut = report.notable_cut().map(|share| format!("  cut {:.0} %", 100.0 * share)).unwrap_or_default();
    format!(
        "correct {:.3}{cut}  pool {} [{}]  retired {}  replay {:.0} %  {:.0} tok/s",
        get(metric::CORRECT_OF.of(Origin::Fresh)),
        get(metric::POOL_QUESTIONS),
        buckets.join(" "),
        get(metric::POOL_RETIRED),
        100.0 * get(metric::REPLAY_SHARE),
        get(metric::TOKENS_PER_S)
    )
}
