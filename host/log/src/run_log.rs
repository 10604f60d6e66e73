//! Writing the log of a run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use parquet::file::metadata::KeyValue;

use exgrpo_core::journal::{Decision, Event};
use exgrpo_core::rundir::RunDir;
use exgrpo_core::{atomic, sealed};

use super::metrics::{self, Buffer};
use super::part::{self, Part};
use super::rows::{DecisionRow, EventRow, ExperienceRow, ProblemRow};
use super::survey::{self, Survey};
use super::table::{PARTS_KEY, PREVIOUS_KEY, RUN_KEY, Row};
use super::{LogError, TABLES, read};

/// The log of a run, as the process that writes it sees it. Rows wait in memory until they are flushed.
#[derive(Debug)]
pub struct RunLog {
    run_dir: PathBuf,
    run_id: String,
    experiences: Vec<ExperienceRow>,
    decisions: Vec<DecisionRow>,
    problems: Vec<ProblemRow>,
    events: Vec<EventRow>,
    metrics: Buffer,
    /// Metrics of this program that the run began without: all its parts have the same columns.
    left_out: BTreeSet<String>,
    /// Last step that is in the log.
    flushed: u32,
    /// SHA-256 of the latest part of `metrics`.
    previous: Option<String>,
    notes: Vec<String>,
}

/// How a log is opened.
#[derive(Debug, Clone, Copy)]
pub enum Begin<'a> {
    /// For a run that has none yet.
    New,
    /// To go on after this step.
    After {
        /// The step; 0 to begin again.
        step: u32,
        /// What else of the run is set aside together with later parts.
        aside: &'a [PathBuf],
    },
}

impl RunLog {
    /// Opens the log in `run_dir` of the run named `run_id`. `metric_keys`: the metrics of this run, in any order.
    ///
    /// A new run must not have a log yet. One that goes on after a step sets the parts of later steps aside, which it
    /// makes again, as well as parts that are damaged or not its own; what a process that died left unfinished is
    /// removed. Nothing is moved when any of this is an error.
    pub fn open(
        run_dir: &Path,
        run_id: &str,
        metric_keys: Vec<String>,
        begin: Begin<'_>,
    ) -> Result<Self, LogError> {
        let metrics = Buffer::new(metric_keys)?;
        let mut log = Self {
            run_dir: run_dir.to_owned(),
            run_id: run_id.to_owned(),
            experiences: Vec::new(),
            decisions: Vec::new(),
            problems: Vec::new(),
            events: Vec::new(),
            metrics,
            left_out: BTreeSet::new(),
            flushed: 0,
            previous: None,
            notes: Vec::new(),
        };
        match begin {
            Begin::New => check_no_parts(run_dir)?,
            Begin::After { step, aside } => log.go_on(step, aside)?,
        }
        atomic::remove_leftovers(run_dir)?;
        for table in TABLES {
            atomic::create_dir(&run_dir.join(table))?;
        }
        Ok(log)
    }

    /// What was found and done when the log was opened, a line for people each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn go_on(&mut self, step: u32, aside: &[PathBuf]) -> Result<(), LogError> {
        let survey = Survey::of(&self.run_dir)?;
        let findings = survey.check(&self.run_id, step)?;
        let kept = survey
            .parts(metrics::TABLE)
            .rfind(|part| part.last <= step && !findings.unsound.contains(&part.path));
        if let Some(part) = kept {
            self.keep_metric_keys(part)?;
            self.previous = Some(sealed::sha256_of_file(&part.path).map_err(|error| part.broken(error))?.1);
        }
        self.flushed = step;
        self.notes = findings.notes;
        // Metrics first: a step whose other parts go is not in the log any more.
        let later =
            TABLES.into_iter().rev().flat_map(|table| survey.parts(table)).filter(|part| part.first > step);
        let (first, last) = later
            .clone()
            .fold((u32::MAX, 0), |(first, last), part| (first.min(part.first), last.max(part.last)));
        let mut paths: Vec<PathBuf> = later.map(|part| part.path.clone()).collect();
        paths.extend(findings.unsound);
        paths.extend_from_slice(aside);
        if !paths.is_empty() {
            let folder = RunDir::at(&self.run_dir).set_aside(step, &paths)?;
            let what = match first <= last {
                true => format!("what steps {first} to {last} had logged"),
                false => "what can't be used".to_owned(),
            };
            self.notes.push(format!("{what} was set aside in {}", folder.display()));
        }
        Ok(())
    }

    /// Goes on with the metrics that `part` has. A newer program has others beside them, which this run does without.
    fn keep_metric_keys(&mut self, part: &Part) -> Result<(), LogError> {
        let schema = read::part_schema(part)?;
        let names = schema.fields().iter().map(|field| field.name().clone());
        let there: BTreeSet<String> = names.filter(|name| name != "step").collect();
        let here: BTreeSet<String> = self.metrics.keys().iter().cloned().collect();
        let gone: Vec<String> = there.difference(&here).cloned().collect();
        if !gone.is_empty() {
            return Err(LogError::MetricsChanged { path: part.path.clone(), gone });
        }
        self.left_out = here.difference(&there).cloned().collect();
        self.metrics = Buffer::new(there.into_iter().collect())?;
        Ok(())
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
        let left_out = &self.left_out;
        self.metrics.push(step, values.into_iter().filter(|(key, _)| !left_out.contains(key.as_ref())))
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

        let mut parts = Vec::new();
        parts.extend(self.encode_rows(&self.experiences, first, last)?);
        parts.extend(self.encode_rows(&self.decisions, first, last)?);
        parts.extend(self.encode_rows(&self.problems, first, last)?);
        parts.extend(self.encode_rows(&self.events, first, last)?);
        if !self.metrics.steps().is_empty() {
            let mut metadata = vec![KeyValue::new(PARTS_KEY.to_owned(), survey::listing(&parts))];
            metadata
                .extend(self.previous.clone().map(|digest| KeyValue::new(PREVIOUS_KEY.to_owned(), digest)));
            let (schema, arrays) = (self.metrics.schema(), self.metrics.arrays());
            parts.push(self.encode(metrics::TABLE, schema, arrays, metadata, (first, last))?);
        }
        let files: Vec<_> = parts.iter().map(|(part, bytes)| (&part.path, bytes.as_slice())).collect();
        atomic::write_files(&self.run_dir, &files)?;
        let of_metrics = parts.last().filter(|(part, _)| part.table == metrics::TABLE);
        self.previous = of_metrics.map(|(_, bytes)| sealed::sha256(bytes)).or(self.previous.take());

        self.experiences.clear();
        self.decisions.clear();
        self.problems.clear();
        self.events.clear();
        self.metrics.clear();
        self.flushed = last;
        Ok(())
    }

    /// The part with these rows and its bytes; none without rows.
    fn encode_rows<R: Row>(
        &self,
        rows: &[R],
        first: u32,
        last: u32,
    ) -> Result<Option<(Part, Vec<u8>)>, LogError> {
        if rows.is_empty() {
            return Ok(None);
        }
        self.encode(R::TABLE, R::schema(), R::arrays(rows), Vec::new(), (first, last)).map(Some)
    }

    fn encode(
        &self,
        table: &'static str,
        schema: Schema,
        arrays: Vec<ArrayRef>,
        mut metadata: Vec<KeyValue>,
        (first, last): (u32, u32),
    ) -> Result<(Part, Vec<u8>), LogError> {
        metadata.push(KeyValue::new(RUN_KEY.to_owned(), self.run_id.clone()));
        let bytes = part::encode(table, schema, arrays, metadata)
            .map_err(|source| LogError::Encode { table, source })?;
        Ok((Part::new(&self.run_dir, table, first, last), bytes))
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
