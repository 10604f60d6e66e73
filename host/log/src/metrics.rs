//! The `metrics` table: a row a step, a column a metric. The columns of a run are fixed when its log is opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};

use super::LogError;
use super::table::{documented, field};

/// Name of the table.
pub const TABLE: &str = "metrics";

/// Metrics of one step; a metric without a value is not in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricsRow {
    /// Step.
    pub step: u32,
    /// Values by key.
    pub values: BTreeMap<String, f64>,
}

/// What metrics mean: key (`*` stands for anything), unit, definition. The first that fits counts. Definitions that
/// begin with a formula are recomputed from the other tables by `tests/python/recompute.py`.
const DEFINITIONS: &[(&str, Option<&str>, &str)] = &[
    (
        "reward/mean",
        None,
        "mean of `reward` over the step's scored rollouts of all origins; null when there is none",
    ),
    ("reward/mean/fresh", None, "mean of `reward` over the step's scored fresh rollouts"),
    ("reward/mean/replayed", None, "mean of `reward` over the step's scored replayed rollouts"),
    ("reward/mean/demonstrated", None, "mean of `reward` over the step's scored demonstrations"),
    ("advantage/mean", None, "mean of `advantage` over the step's scored rollouts; null when there is none"),
    ("replay/share", None, "replayed rollouts / all rollouts of the step, whether scored or dropped"),
    (
        "pool/bucket_*",
        Some("questions"),
        "questions in this bucket after the step that are in the pool: not retired and with a stored trajectory",
    ),
    ("pool/retired", Some("questions"), "questions that are retired after the step"),
    (
        "pool/questions",
        Some("questions"),
        "questions in the pool after the step: not retired, with a stored trajectory",
    ),
    ("pool/experiences", Some("trajectories"), "stored trajectories after the step"),
    (
        "objective/ratio_mean*",
        None,
        "mean of exp(logprobs - old_logprobs) over completion tokens in the loss",
    ),
    ("objective/ratio_max*", None, "largest of those ratios"),
    (
        "objective/clip_fraction*",
        None,
        "share of completion tokens of scored rollouts whose ratio was clipped; those without an advantage never are",
    ),
    ("objective/entropy*", Some("nats"), "mean token entropy over completion tokens in the loss"),
    ("batch/dropped/*", Some("rollouts"), "rollouts of the step that are not in the loss, by reason"),
    (
        "batch/solve_all",
        Some("groups"),
        "groups whose members are all scored and correct, replayed ones included",
    ),
    ("batch/solve_none", Some("groups"), "groups whose members are all scored and incorrect"),
    (
        "batch/not_wholly_scored",
        Some("groups"),
        "groups with a member that was not scored; they leave what is known of their question's accuracy as it is",
    ),
    ("dataset/epoch", None, "epoch of the queue of fresh questions, from 1"),
    ("guest/faults", None, "policy calls whose own answer was not used"),
    ("guest/fuel", None, "fuel of all policy calls of the step"),
    (
        "heldout/before",
        None,
        "mean over held-out questions of the share correct among their scored completions, before the first step",
    ),
    ("heldout/accuracy", None, "the same after the step; null at steps without an evaluation"),
    (
        "objective/approximate_kl*",
        Some("nats"),
        "mean of old_logprobs - logprobs over completion tokens in the loss",
    ),
    ("objective/dropped_tokens", Some("tokens"), "tokens left out because their old log-prob is not finite"),
    (
        "objective/loss*",
        None,
        "loss summed over the step's mini-batches; without an origin the entropy bonus is in it",
    ),
    (
        "objective/ratio_variance*",
        None,
        "variance of exp(logprobs - old_logprobs) over completion tokens in the loss",
    ),
    (
        "objective/tokens",
        Some("tokens"),
        "completion tokens of scored rollouts, which a token mean is over: those in the loss, and those dropped for an \
         advantage of 0",
    ),
    ("optim/grad_norm", None, "mean over updates of the gradient's global norm before clipping"),
    ("optim/skipped", None, "updates skipped for a gradient that was too large or not finite"),
    ("replay/age_mean", Some("steps"), "mean of step - sampled_step over replayed rollouts"),
    (
        "replay/below_min_reward",
        Some("rollouts"),
        "correct fresh rollouts that are not stored because their reward is below replay.min_reward",
    ),
    ("replay/groups", Some("groups"), "groups whose question was drawn from the pool"),
    ("replay/is_mixed", None, "1 when the step learned from experience, else 0"),
    ("replay/ratio", None, "share of questions asked for replay"),
    ("rollout/correct", None, "correct rollouts / all rollouts of the step, of all origins, scored or not"),
    (
        "rollout/correct/fresh",
        None,
        "correct fresh rollouts / all fresh rollouts of the step, scored or not: what starts replay",
    ),
    ("rollout/correct/*", None, "the same of this origin; null without such rollouts"),
    (
        "rollout/entropy*",
        Some("nats"),
        "mean over rollouts of the mean token entropy when sampled; null for demonstrations",
    ),
    ("rollout/finished", None, "share of fresh rollouts that ended with a stop token"),
    ("rollout/length*", Some("tokens"), "mean number of completion tokens"),
    ("rollout/tokens", Some("tokens"), "tokens sampled in the step"),
    (
        "time/checkpoint_s",
        Some("seconds"),
        "wall time of writing the checkpoint after this step, its last rename aside; null when none was due",
    ),
    ("time/*", Some("seconds"), "wall time; not equal in two runs"),
];

/// Unit and definition of a metric, when it has one.
pub fn definition(key: &str) -> Option<(Option<&'static str>, &'static str)> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => key.starts_with(prefix),
        None => key == pattern,
    };
    DEFINITIONS.iter().find(|(pattern, ..)| fits(pattern)).map(|&(_, unit, doc)| (unit, doc))
}

/// Rows of the table that wait for a flush.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Sorted, so that the order in which a caller names them does not reach the file.
    keys: Vec<String>,
    steps: Vec<u32>,
    /// One entry a row, in the order of `keys`; NaN where there is no value.
    rows: Vec<Vec<f64>>,
}

impl Buffer {
    /// A buffer for metrics with these keys.
    pub(super) fn new(mut keys: Vec<String>) -> Result<Self, LogError> {
        keys.sort();
        let twice = keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| &pair[0]);
        if let Some(key) = twice.or_else(|| keys.iter().find(|key| key.is_empty() || *key == "step")) {
            return Err(LogError::MetricKey(key.clone()));
        }
        Ok(Self { keys, steps: Vec::new(), rows: Vec::new() })
    }

    /// Keys, sorted.
    pub(super) fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Steps of the rows.
    pub(super) fn steps(&self) -> &[u32] {
        &self.steps
    }

    /// Adds a row. A metric that is not given is null, as is NaN.
    pub(super) fn push<K: AsRef<str>>(
        &mut self,
        step: u32,
        values: impl IntoIterator<Item = (K, f64)>,
    ) -> Result<(), LogError> {
        let mut row = vec![f64::NAN; self.keys.len()];
        let mut is_given = vec![false; self.keys.len()];
        for (key, value) in values {
            let key = key.as_ref();
            let index = self.keys.binary_search_by(|known| known.as_str().cmp(key));
            let index = index.map_err(|_| LogError::UnknownMetric(key.to_owned()))?;
            if std::mem::replace(&mut is_given[index], true) {
                return Err(LogError::MetricKey(key.to_owned()));
            }
            row[index] = value;
        }
        self.steps.push(step);
        self.rows.push(row);
        Ok(())
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.steps.clear();
        self.rows.clear();
    }

    /// The table's schema: `step`, then the metrics in the order of their keys.
    pub(super) fn schema(&self) -> Schema {
        let mut fields = vec![field::<u32>("step", &["Step, from 1."], None)];
        fields.extend(self.keys.iter().map(|key| {
            let field = Field::new(key, DataType::Float64, true);
            match definition(key) {
                Some((unit, doc)) => documented(field, doc, unit),
                None => field,
            }
        }));
        Schema::new(fields)
    }

    /// Columns of the rows.
    pub(super) fn arrays(&self) -> Vec<ArrayRef> {
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(self.steps.clone()))];
        for index in 0..self.keys.len() {
            let mut builder = Float64Builder::with_capacity(self.rows.len());
            for row in &self.rows {
                builder.append_option(Some(row[index]).filter(|value| !value.is_nan()));
            }
            arrays.push(Arc::new(builder.finish()));
        }
        arrays
    }
}
