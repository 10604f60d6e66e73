//! The `metrics` table: a row a step, a column a metric. The columns of a run are fixed when its log is opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};

use super::LogError;
use super::metric::definition;
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
                Some((unit, doc)) => documented(field, &doc.concat(), unit),
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
