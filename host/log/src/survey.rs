//! What a log holds when a run goes on with it: which parts are there, and which are missing, damaged or not its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use exgrpo_core::sealed;

use super::part::{self, Part};
use super::table::{PARTS_KEY, PREVIOUS_KEY, RUN_KEY};
use super::{LogError, TABLES, metrics, read};

/// The parts of a log.
#[derive(Debug)]
pub struct Survey {
    /// Of all tables, by table and first step.
    parts: Vec<Part>,
}

/// What is wrong with the parts up to a step.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Parts that are damaged or not of this run.
    pub(super) unsound: Vec<PathBuf>,
    /// A line for people each.
    pub(super) notes: Vec<String>,
}

/// A part that appeared with one of `metrics`.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    table: String,
    bytes: u64,
    sha256: String,
}

/// What a part of `metrics` says of others.
struct Listing {
    parts: Vec<Listed>,
    /// SHA-256 of the part of `metrics` before it.
    before: Option<String>,
}

/// The listing of `parts` for the metadata of the part of `metrics` that appears with them.
pub(super) fn listing(parts: &[(Part, Vec<u8>)]) -> String {
    let listed: Vec<Listed> = parts
        .iter()
        .map(|(part, bytes)| Listed {
            table: part.table.clone(),
            bytes: bytes.len() as u64,
            sha256: sealed::sha256(bytes),
        })
        .collect();
    // Strings and numbers always have a form in JSON.
    serde_json::to_string(&listed).unwrap_or_default()
}

impl Survey {
    /// Looks at the names of all parts in `run_dir`.
    ///
    /// # Errors
    /// A folder can't be listed.
    pub fn of(run_dir: &Path) -> Result<Self, LogError> {
        let mut parts = Vec::new();
        for table in TABLES {
            parts.extend(part::parts(run_dir, table)?);
        }
        Ok(Self { parts })
    }

    /// Last step that is in the log; 0 when there is none.
    pub fn last_step(&self) -> u32 {
        self.parts(metrics::TABLE).map(|part| part.last).max().unwrap_or(0)
    }

    /// Last step of which any table has a part; 0 when none has.
    pub fn last_trace(&self) -> u32 {
        self.parts.iter().map(|part| part.last).max().unwrap_or(0)
    }

    pub(super) fn parts(&self, table: &str) -> impl DoubleEndedIterator<Item = &Part> + Clone {
        self.parts.iter().filter(move |part| part.table == table)
    }

    /// What is missing, damaged, exchanged or of another run, a line each: every part is read once.
    ///
    /// # Errors
    /// A part was written by a later version of this program.
    pub fn problems(&self, run_id: &str) -> Result<Vec<String>, LogError> {
        Ok(self.check(run_id, self.last_step())?.notes)
    }

    /// Only the steps of which `metrics` has no part, or two, by the names of its parts.
    pub fn gaps(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut next = 1;
        for part in self.parts(metrics::TABLE) {
            if part.first > next {
                notes.push(format!(
                    "the log lacks {} of step {next} to {}",
                    metrics::TABLE,
                    part.first.saturating_sub(1)
                ));
            } else if part.first < next {
                notes.push(format!("{} holds steps that another part has", part.path.display()));
            }
            next = next.max(part.last.saturating_add(1));
        }
        notes
    }

    /// Looks into the parts of the steps up to `last`.
    ///
    /// # Errors
    /// A part holds steps on both sides of `last`, or was written by a later version of this program.
    pub(super) fn check(&self, run_id: &str, last: u32) -> Result<Findings, LogError> {
        if let Some(part) = self.parts.iter().find(|part| part.first <= last && part.last > last) {
            return Err(LogError::Straddles {
                path: part.path.clone(),
                first: part.first,
                last: part.last,
                resume_after: last,
            });
        }
        let mut check =
            Check { run_id, findings: Findings::default(), missing: BTreeMap::new(), unlisted: Vec::new() };
        let mut unlisted: BTreeMap<&Path, &Part> = self
            .parts
            .iter()
            .filter(|part| part.last <= last && part.table != metrics::TABLE)
            .map(|part| (part.path.as_path(), part))
            .collect();
        let mut previous: Option<(&Part, String)> = None;
        let mut next = 1;
        for part in self.parts(metrics::TABLE).filter(|part| part.last <= last) {
            check.add_gap(next, part.first.saturating_sub(1));
            next = next.max(part.last.saturating_add(1));
            let Some(Listing { parts, before }) = check.metrics_part(part)? else {
                check.unlisted.push((part.first, part.last));
                continue;
            };
            let digest = sealed::sha256_of_file(&part.path).map_err(|error| part.broken(error))?.1;
            if let Some((earlier, digest)) =
                previous.filter(|(earlier, _)| earlier.last.checked_add(1) == Some(part.first))
                && before.is_some_and(|before| before != digest)
            {
                check.unsound(earlier, "its SHA-256 is not the one recorded");
            }
            previous = Some((part, digest));
            for listed in parts {
                let path = part.with_table(&listed.table).path;
                match unlisted.remove(path.as_path()) {
                    Some(there) => check.listed_part(there, &listed),
                    None => check.add_missing(&listed.table, part.first, part.last),
                }
            }
        }
        check.add_gap(next, last);
        for part in unlisted.into_values() {
            check.unlisted_part(part)?;
        }
        Ok(check.finish())
    }
}

struct Check<'a> {
    run_id: &'a str,
    findings: Findings,
    /// Steps whose parts are gone, by table.
    missing: BTreeMap<String, BTreeSet<(u32, u32)>>,
    /// Steps whose part of `metrics` can't say which others appeared with it.
    unlisted: Vec<(u32, u32)>,
}

impl Check<'_> {
    fn add_missing(&mut self, table: &str, first: u32, last: u32) {
        if first <= last {
            self.missing.entry(table.to_owned()).or_default().insert((first, last));
        }
    }

    /// Steps without a part of `metrics`.
    fn add_gap(&mut self, first: u32, last: u32) {
        self.add_missing(metrics::TABLE, first, last);
        self.unlisted.push((first, last));
    }

    fn unsound(&mut self, part: &Part, problem: &str) {
        if self.findings.unsound.contains(&part.path) {
            return;
        }
        self.findings.notes.push(format!("{} can't be used: {problem}", part.path.display()));
        self.findings.unsound.push(part.path.clone());
    }

    /// What a part of `metrics` lists and the digest of the one before; none when it is unsound.
    fn metrics_part(&mut self, part: &Part) -> Result<Option<Listing>, LogError> {
        let Some([_, listed, before]) = self.own_metadata(part)? else { return Ok(None) };
        match listed.and_then(|text| serde_json::from_str(&text).ok()) {
            Some(parts) => Ok(Some(Listing { parts, before })),
            None => {
                self.unsound(part, "it does not list the parts of its step");
                Ok(None)
            }
        }
    }

    fn listed_part(&mut self, part: &Part, listed: &Listed) {
        match sealed::sha256_of_file(&part.path) {
            Ok((bytes, sha256)) if bytes == listed.bytes && sha256 == listed.sha256 => {}
            Ok(_) => self.unsound(part, "its SHA-256 is not the one recorded"),
            Err(error) => self.unsound(part, &error.to_string()),
        }
    }

    /// A part that no part of `metrics` lists: fine only where that is gone.
    fn unlisted_part(&mut self, part: &Part) -> Result<(), LogError> {
        let is_orphan = self.unlisted.iter().any(|&(first, last)| first <= part.first && part.last <= last);
        if self.own_metadata(part)?.is_some() && !is_orphan {
            self.unsound(part, "the log does not list it");
        }
        Ok(())
    }

    /// A sound part's metadata; none when it is unsound or of another run, which is noted.
    fn own_metadata(&mut self, part: &Part) -> Result<Option<[Option<String>; 3]>, LogError> {
        match read::part_metadata(part, [RUN_KEY, PARTS_KEY, PREVIOUS_KEY]) {
            Err(error @ LogError::Newer { .. }) => Err(error),
            Err(error) => {
                self.unsound(part, &error.to_string());
                Ok(None)
            }
            Ok(metadata) if metadata[0].as_deref() == Some(self.run_id) => Ok(Some(metadata)),
            Ok(_) => {
                self.unsound(part, "it is a part of another run");
                Ok(None)
            }
        }
    }

    fn finish(mut self) -> Findings {
        for (table, ranges) in self.missing {
            let steps = merged(&ranges).into_iter().map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first} to {last}"),
            });
            let steps: Vec<String> = steps.collect();
            self.findings.notes.push(format!(
                "the log lacks {table} of step {}: their parts were there and are gone; put them back if you can",
                steps.join(", ")
            ));
        }
        self.findings
    }
}

/// Ranges that follow each other as one.
fn merged(ranges: &BTreeSet<(u32, u32)>) -> Vec<(u32, u32)> {
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for &(first, last) in ranges {
        match merged.last_mut() {
            Some(range) if first <= range.1.saturating_add(1) => range.1 = range.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}
