//! Writing the log of a run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::ArrayRef;
use arrow::datatypes::Schema;

use crate::atomic;
use crate::journal::{Decision, Event};

use super::metrics::{self, Buffer};
use super::part::{self, Part};
use super::rows::{DecisionRow, EventRow, ExperienceRow, ProblemRow};
use super::table::Row;
use super::{LogError, TABLES, io_error, read};

/// The log of a run, as the process that writes it sees it. Rows wait in memory until they are flushed.
#[derive(Debug)]
pub struct RunLog {
    run_dir: PathBuf,
    experiences: Vec<ExperienceRow>,
    decisions: Vec<DecisionRow>,
    problems: Vec<ProblemRow>,
    events: Vec<EventRow>,
    metrics: Buffer,
    /// Last step that is in the log.
    flushed: u32,
}

impl RunLog {
    /// Opens the log in `run_dir`. `metric_keys`: the metrics of this run, in any order.
    ///
    /// A new run (`resume_after: None`) must not have a log yet. A run that goes on after the checkpoint of step
    /// `resume_after` loses the parts of later steps, which it makes again, and what a process that died left
    /// unfinished. Nothing is removed when any of this is an error.
    pub fn open(
        run_dir: &Path,
        metric_keys: Vec<String>,
        resume_after: Option<u32>,
    ) -> Result<Self, LogError> {
        let metrics = Buffer::new(metric_keys)?;
        match resume_after {
            None => check_no_parts(run_dir)?,
            Some(step) => truncate(run_dir, step, metrics.keys())?,
        }
        atomic::remove_leftovers(run_dir)?;
        for table in TABLES {
            let dir = run_dir.join(table);
            fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
        }
        Ok(Self {
            run_dir: run_dir.to_owned(),
            experiences: Vec::new(),
            decisions: Vec::new(),
            problems: Vec::new(),
            events: Vec::new(),
            metrics,
            flushed: resume_after.unwrap_or(0),
        })
    }

    /// Adds rollouts, in the order of the batch.
    pub fn append_experiences(&mut self, rows: impl IntoIterator<Item = ExperienceRow>) {
        self.experiences.extend(rows);
    }

    /// Adds decisions, in the order in which they were taken.
    pub fn append_decisions<'a>(&mut self, decisions: impl IntoIterator<Item = &'a Decision>) {
        for decision in decisions {
            let last = self.decisions.last().filter(|last| last.step == decision.step);
            let index = last.map_or(0, |last| last.decision_index + 1);
            self.decisions.push(DecisionRow::new(decision, index));
        }
    }

    /// Adds questions that changed, at most one row a step and question.
    pub fn append_problems(&mut self, rows: impl IntoIterator<Item = ProblemRow>) {
        self.problems.extend(rows);
    }

    /// Adds events, in the order in which they happened. They get the time at which this is called.
    pub fn append_events<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        for event in events {
            let last = self.events.last().filter(|last| last.step == event.step);
            let index = last.map_or(0, |last| last.event_index + 1);
            self.events.push(EventRow::new(event, index, now));
        }
    }

    /// Adds a step's metrics. A declared metric that is not given is null, as is NaN.
    pub fn append_metrics<K: AsRef<str>>(
        &mut self,
        step: u32,
        values: impl IntoIterator<Item = (K, f64)>,
    ) -> Result<(), LogError> {
        self.metrics.push(step, values)
    }

    /// Writes all rows, which must be of the steps `first..=last`, each table with rows as one part. When this
    /// fails the rows are still there: the same flush may be tried again.
    pub fn flush(&mut self, first: u32, last: u32) -> Result<(), LogError> {
        if first <= self.flushed || last < first {
            return Err(LogError::OutOfOrder { first, last, flushed: self.flushed });
        }
        check_steps(ExperienceRow::TABLE, self.experiences.iter().map(Row::step), first, last)?;
        check_steps(DecisionRow::TABLE, self.decisions.iter().map(Row::step), first, last)?;
        check_steps(ProblemRow::TABLE, self.problems.iter().map(Row::step), first, last)?;
        check_steps(EventRow::TABLE, self.events.iter().map(Row::step), first, last)?;
        check_steps(metrics::TABLE, self.metrics.steps().iter().copied(), first, last)?;

        self.write_rows(&self.experiences, first, last)?;
        self.write_rows(&self.decisions, first, last)?;
        self.write_rows(&self.problems, first, last)?;
        self.write_rows(&self.events, first, last)?;
        if !self.metrics.steps().is_empty() {
            self.write(metrics::TABLE, self.metrics.schema(), self.metrics.arrays(), first, last)?;
        }
        self.experiences.clear();
        self.decisions.clear();
        self.problems.clear();
        self.events.clear();
        self.metrics.clear();
        self.flushed = last;
        Ok(())
    }

    fn write_rows<R: Row>(&self, rows: &[R], first: u32, last: u32) -> Result<(), LogError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write(R::TABLE, R::schema(), R::arrays(rows), first, last)
    }

    fn write(
        &self,
        table: &'static str,
        schema: Schema,
        arrays: Vec<ArrayRef>,
        first: u32,
        last: u32,
    ) -> Result<(), LogError> {
        let bytes =
            part::encode(table, schema, arrays).map_err(|source| LogError::Encode { table, source })?;
        let part = Part::new(&self.run_dir, table, first, last);
        Ok(atomic::write_file_by_way_of(&self.run_dir, &part.path, &bytes)?)
    }
}

fn check_steps(
    table: &'static str,
    mut steps: impl Iterator<Item = u32>,
    first: u32,
    last: u32,
) -> Result<(), LogError> {
    match steps.find(|step| !(first..=last).contains(step)) {
        Some(step) => Err(LogError::OutOfRange { table, step, first, last }),
        None => Ok(()),
    }
}

fn check_no_parts(run_dir: &Path) -> Result<(), LogError> {
    for table in TABLES {
        if !part::parts(run_dir, table)?.is_empty() {
            return Err(LogError::Exists(run_dir.to_owned()));
        }
    }
    Ok(())
}

/// Removes the parts of steps after `resume_after`, once it is clear that the log can go on there.
fn truncate(run_dir: &Path, resume_after: u32, metric_keys: &[String]) -> Result<(), LogError> {
    let mut later = Vec::new();
    let mut last_metrics = None;
    // Metrics first: a step whose other parts go is not in the log any more.
    for table in TABLES.into_iter().rev() {
        let (kept, removed): (Vec<_>, Vec<_>) =
            part::parts(run_dir, table)?.into_iter().partition(|part| part.first <= resume_after);
        if let Some(Part { path, first, last, .. }) = kept.iter().find(|part| part.last > resume_after) {
            return Err(LogError::Straddles { path: path.clone(), first: *first, last: *last, resume_after });
        }
        if table == metrics::TABLE {
            last_metrics = kept.last().cloned();
        }
        later.extend(removed);
    }
    let last = last_metrics.as_ref().map_or(0, |part| part.last);
    if last < resume_after {
        return Err(LogError::EndsEarly { path: run_dir.to_owned(), last, resume_after });
    }
    if let Some(part) = last_metrics {
        check_metric_keys(&part, metric_keys)?;
    }
    for part in later {
        atomic::remove(&part.path)?;
    }
    Ok(())
}

fn check_metric_keys(part: &Part, metric_keys: &[String]) -> Result<(), LogError> {
    let schema = read::part_schema(part)?;
    let there: BTreeSet<_> =
        schema.fields().iter().map(|field| field.name()).filter(|name| *name != "step").collect();
    let here: BTreeSet<_> = metric_keys.iter().collect();
    if there == here {
        return Ok(());
    }
    let only =
        |a: &BTreeSet<&String>, b: &BTreeSet<&String>| a.difference(b).map(|key| (*key).clone()).collect();
    Err(LogError::MetricsChanged {
        path: part.path.clone(),
        there: only(&there, &here),
        here: only(&here, &there),
    })
}
