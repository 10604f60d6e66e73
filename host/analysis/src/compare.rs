//! How runs differ that were given different things, paired by their seeds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::{Context, bail};

use crate::recorded::RecordedRun;
use crate::statistics::Estimate;
use crate::text::{Side, table};
use exgrpo_core::journal::EventKind;
use exgrpo_core::types::Origin;
use exgrpo_log::{EventRow, MetricsRow, metric, read};
use exgrpo_train::identity::{HELD_OUT, settings_of};

/// Pairs below which nothing is claimed: differences of twenty points have vanished between the third seed and the sixth.
const FEW: usize = 5;

/// Digits of a digest that people are shown.
const SHORT: usize = 8;

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Key of a metric; by default held-out accuracy where every run has it, else the share correct of fresh rollouts.
    pub metric: Option<String>,
    /// Average over so many of its last values; by default 1 of held-out accuracy, a tenth of the steps of others.
    pub last: Option<usize>,
}

/// Runs that were given the same but for their seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What tells it from the others.
    pub label: String,
    /// Figure of each run, by seed.
    pub figures: BTreeMap<u64, f64>,
}

/// Runs side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Key of the metric.
    pub metric: String,
    /// Number of its last values that a figure is the mean of.
    pub last: usize,
    /// Last step that all runs have; what they did after it does not count.
    pub step: u32,
    /// Conditions, that of the first run first: the others are compared with it.
    pub conditions: Vec<Condition>,
    /// What a reader should know before believing it.
    pub notes: Vec<String>,
}

/// Compares `runs`, at least two.
///
/// # Errors
/// Fewer runs, a run without a step or without the metric, held-out questions that differ, a part that can't be read.
pub fn compare(runs: &[RecordedRun], asked: &Asked) -> anyhow::Result<Comparison> {
    let mut notes = Vec::new();
    let Some(step) = runs.iter().map(RecordedRun::last_step).min().filter(|_| runs.len() > 1) else {
        bail!("two runs at least are compared\nhint: give them by name, by folder or as a pattern in quotes");
    };
    if let Some(run) = runs.iter().find(|run| run.last_step() == 0) {
        bail!("{} has no step yet\nhint: leave it out, or wait for its first", run.dir.display());
    }
    if runs.iter().any(|run| run.last_step() > step) {
        notes.push(format!(
            "runs have different lengths: compared at step {step}, the last that all of them have"
        ));
    }
    let mut rows: Vec<Vec<MetricsRow>> = Vec::new();
    for run in runs {
        let mut metrics = run.metrics()?;
        metrics.retain(|row| row.step <= step);
        rows.push(metrics);
        let events: Vec<EventRow> = read::rows(&run.dir)?;
        if let Some(swap) = events.iter().find(|event| event.kind == EventKind::Swap && event.step <= step) {
            notes.push(format!(
                "{} swapped a policy at step {}: its label names the first ones",
                run.name(),
                swap.step
            ));
        }
    }
    let metric = chosen_metric(asked, &rows)?;
    if metric.starts_with("heldout/") {
        check_heldout(runs)?;
    }
    let last = asked.last.unwrap_or(match metric.starts_with("heldout/") {
        true => 1,
        false => (step as usize).div_ceil(10),
    });
    let labels = labels(runs)?;
    let mut conditions: Vec<Condition> = Vec::new();
    for ((run, rows), label) in runs.iter().zip(&rows).zip(labels) {
        let figure = figure(rows, &metric, last)
            .with_context(|| format!("{} has no value of {metric} up to step {step}", run.dir.display()))?;
        let index = conditions.iter().position(|condition| condition.label == label).unwrap_or_else(|| {
            conditions.push(Condition { label: label.clone(), figures: BTreeMap::new() });
            conditions.len() - 1
        });
        let seed = run.config().seed;
        if conditions[index].figures.contains_key(&seed) {
            notes.push(format!("{} is left out: another run of {label} has seed {seed}", run.name()));
        }
        conditions[index].figures.entry(seed).or_insert(figure);
    }
    Ok(Comparison { metric, last, step, conditions, notes })
}

fn chosen_metric(asked: &Asked, rows: &[Vec<MetricsRow>]) -> anyhow::Result<String> {
    if let Some(metric) = &asked.metric {
        if !rows.iter().flatten().any(|row| row.values.contains_key(metric)) {
            let known: BTreeSet<&String> = rows.iter().flatten().flat_map(|row| row.values.keys()).collect();
            let stem = metric.split('/').next().unwrap_or_default();
            let near: Vec<&str> =
                known.iter().filter(|key| key.starts_with(stem)).map(|key| key.as_str()).collect();
            let hint = match near.is_empty() {
                true => "`exgrpo-host show RUN` has some, docs/src/reference/log.md all".to_owned(),
                false => format!("there are {}", near.join(", ")),
            };
            bail!("no run has a value of {metric:?}\nhint: {hint}");
        }
        return Ok(metric.clone());
    }
    let has = |key: &str| rows.iter().all(|rows| rows.iter().any(|row| row.values.contains_key(key)));
    let heldout = metric::HELDOUT_ACCURACY;
    Ok(match has(heldout.key()) {
        true => heldout.to_string(),
        false => metric::CORRECT_OF.of(Origin::Fresh).to_string(),
    })
}

/// Accuracy on other questions is another figure.
fn check_heldout(runs: &[RecordedRun]) -> anyhow::Result<()> {
    let rows = |run: &RecordedRun| run.identity().map(|identity| identity.rows.get(HELD_OUT).cloned());
    let first = rows(&runs[0])?;
    for run in &runs[1..] {
        if rows(run)? != first {
            bail!(
                "{} and {} have different held-out questions: their held-out accuracies are not comparable\n\
                 hint: --metric rollout/correct/fresh compares what they trained on",
                runs[0].dir.display(),
                run.dir.display()
            );
        }
    }
    Ok(())
}

fn figure(rows: &[MetricsRow], metric: &str, last: usize) -> Option<f64> {
    let values: Vec<f64> = rows.iter().filter_map(|row| row.values.get(metric).copied()).collect();
    let values = &values[values.len().saturating_sub(last.max(1))..];
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// What each run was given, as far as it is not the same for all: its policies, then settings.
fn labels(runs: &[RecordedRun]) -> anyhow::Result<Vec<String>> {
    let mut given: Vec<BTreeMap<String, String>> = Vec::new();
    for run in runs {
        let mut settings = settings_of(run.config())?;
        settings.remove("seed");
        let identity = run.identity()?;
        let short = |text: &str| text.chars().take(SHORT).collect::<String>();
        for (name, rows) in &identity.rows {
            let digests: Vec<String> = rows.fields.values().map(|digest| short(digest)).collect();
            settings.insert(format!("{name} rows"), digests.join("-"));
        }
        for (name, digest) in &identity.model {
            settings.insert(format!("model's {}", name.replace('_', " ")), short(digest));
        }
        for policy in &run.policies {
            settings.insert(format!("{} is", policy.name), short(&policy.digest));
            settings.insert(format!("{} has", policy.name), policy.params.clone());
        }
        given.push(settings);
    }
    let policies: Vec<BTreeSet<&str>> =
        runs.iter().map(|run| run.policies.iter().map(|policy| &*policy.name).collect()).collect();
    let differs = |key: &String, run: usize| {
        // What is said of a policy is compared with runs that have it, too.
        let of_policy = key.strip_suffix(" is").or_else(|| key.strip_suffix(" has"));
        let others =
            (0..runs.len()).filter(|&other| of_policy.is_none_or(|name| policies[other].contains(name)));
        others.into_iter().any(|other| given[other].get(key) != given[run].get(key))
    };
    let label = |run: usize| {
        let mut label = runs[run].label();
        for (key, value) in given[run].iter().filter(|(key, _)| differs(key, run)) {
            let _ = write!(label, ", {key} {value}");
        }
        label
    };
    Ok((0..runs.len()).map(label).collect())
}

impl Comparison {
    /// Differences of a condition's runs to those of the first condition that have the same seeds, by seed.
    pub fn differences(&self, condition: &Condition) -> BTreeMap<u64, f64> {
        let baseline = self.conditions.first().map(|first| &first.figures);
        let pairs = condition
            .figures
            .iter()
            .filter_map(|(seed, figure)| Some((*seed, figure - baseline?.get(seed)?)));
        pairs.collect()
    }

    /// The comparison as text.
    pub fn page(&self) -> String {
        let is_share = self.metric.starts_with("heldout/") || self.metric.starts_with("rollout/correct");
        let (scale, unit) = if is_share { (100.0, " in percent") } else { (1.0, "") };
        let of = match self.last {
            1 => format!("at step {}", self.step),
            last => format!("mean of its last {last} values up to step {}", self.step),
        };
        let mut text = format!("{}{unit}, {of}\n\n", self.metric);
        let seeds: BTreeSet<u64> =
            self.conditions.iter().flat_map(|condition| condition.figures.keys().copied()).collect();
        let seeds: Vec<u64> = seeds.into_iter().collect();
        let rows = self.conditions.iter().map(|condition| (&*condition.label, condition.figures.clone()));
        text.push_str(&figures("condition", rows, &seeds, scale, false));
        if let [first, others @ ..] = &self.conditions[..]
            && !others.is_empty()
        {
            let head = "minus the first";
            let rows = others.iter().map(|condition| (&*condition.label, self.differences(condition)));
            text.push_str(&format!("\n\ndifference to {}, paired by seed\n\n", first.label));
            text.push_str(&figures(head, rows, &seeds, scale, true));
            let fewest = others.iter().map(|condition| self.differences(condition).len()).min().unwrap_or(0);
            if fewest < FEW {
                text.push_str(&format!(
                    "\n\n{fewest} pairs are too few to claim a difference: {FEW} at least, better 8"
                ));
            }
            if others.len() > 1 {
                text.push_str(&format!("\nintervals are not corrected for {} comparisons", others.len()));
            }
        }
        for note in &self.notes {
            text.push_str(&format!("\n{note}"));
        }
        text
    }
}

/// A row a condition: pairs or runs, mean with its interval, figures by seed.
fn figures<'a>(
    head: &str,
    rows: impl Iterator<Item = (&'a str, BTreeMap<u64, f64>)>,
    seeds: &[u64],
    scale: f64,
    signed: bool,
) -> String {
    let figure = |value: f64| {
        let value = value * scale;
        let digits = if scale > 1.0 || value.abs() >= 100.0 { 1 } else { 4 };
        if signed { format!("{value:+.digits$}") } else { format!("{value:.digits$}") }
    };
    let mut head: Vec<String> = [head, "seeds", "mean", "95 % interval"].map(str::to_owned).to_vec();
    head.extend(seeds.iter().map(|seed| format!("seed {seed}")));
    let mut lines = vec![head];
    for (label, by_seed) in rows {
        let estimate = Estimate::of(&by_seed.values().copied().collect::<Vec<_>>());
        let interval = estimate.and_then(|estimate| estimate.interval);
        let mut line = vec![
            label.to_owned(),
            by_seed.len().to_string(),
            estimate.map_or("-".to_owned(), |estimate| figure(estimate.mean)),
            interval.map_or("-".to_owned(), |(low, high)| format!("[{}, {}]", figure(low), figure(high))),
        ];
        line.extend(
            seeds.iter().map(|seed| by_seed.get(seed).map_or("-".to_owned(), |&value| figure(value))),
        );
        lines.push(line);
    }
    let mut sides = vec![Side::Left];
    sides.resize(4 + seeds.len(), Side::Right);
    table(&sides, &lines)
}
