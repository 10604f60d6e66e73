//! The record of every change of policies that a run decided on: one file a decision, on the disk before anybody is told
//! of it. A checkpoint holds the policies of its own step; what was decided later is in this record alone, and a run
//! that was killed and resumed carries it out again, each at its own step, from the bytes under `policies/`.
//!
//! It says also which content of a watched file the run knows of, taken or refused, so that a file that changed while
//! nobody watched is noticed and one that was refused is not tried for ever. Nothing is removed from it: a decision is a
//! small file, and an older checkpoint may need it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::control::{Content, Reply};
use exgrpo_core::atomic;
use exgrpo_policy::LogLine;

/// Folder of the run directory that holds the record.
pub const FOLDER: &str = "swaps";
/// Version of a decision's file.
const FORMAT: u32 = 1;
/// Most bytes of a decision's file.
const MAX_BYTES: u64 = 32 << 20;
/// Lines of a policy that are kept with a decision: as many as a step's events take.
const MAX_LINES: usize = 1_000;

/// Who asked for a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AskedBy {
    /// A watched file changed.
    File(PathBuf),
    /// The request of this name.
    Request(String),
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Decision {
    /// The policy of this digest takes over.
    TakeOver {
        /// SHA-256 of its bytes.
        digest: String,
        /// What it logged while it was loaded and probed.
        log: Vec<Line>,
    },
    /// A slot is emptied.
    Empty {
        /// Its name.
        slot: String,
    },
    /// Nothing changes.
    Refused {
        /// What was refused.
        content: Content,
        /// The one word for logs.
        reason: String,
        /// Why.
        detail: String,
        /// What the policy logged by then.
        log: Vec<Line>,
    },
}

/// A line that a policy logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    level: String,
    message: String,
}

impl Line {
    /// The first lines of `log`.
    pub fn all(log: &[LogLine]) -> Vec<Self> {
        let kept = log.iter().take(MAX_LINES);
        kept.map(|line| Self { level: line.level.to_owned(), message: line.message.clone() }).collect()
    }

    /// The lines as they were.
    pub fn restore(lines: &[Self]) -> Vec<LogLine> {
        let level = |name: &str| ["debug", "info", "warn", "error"].into_iter().find(|level| *level == name);
        let restore = |line: &Self| LogLine {
            level: level(&line.level).unwrap_or("info"),
            message: line.message.clone(),
        };
        lines.iter().map(restore).collect()
    }
}

/// A decision and when it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// Position among the run's decisions, from 1.
    pub order: u32,
    /// Step from which on it holds.
    pub step: u32,
    /// Who asked.
    pub asked_by: AskedBy,
    /// What was decided.
    pub decision: Decision,
}

impl Entry {
    /// What whoever asked is told.
    pub fn reply(&self) -> Reply {
        let step = self.step;
        let (accepted, message) = match &self.decision {
            Decision::TakeOver { digest, .. } => {
                (true, format!("in force from step {step} on: policy {digest}"))
            }
            Decision::Empty { slot } => (true, format!("built in from step {step} on: slot {slot}")),
            Decision::Refused { detail, .. } => (false, detail.clone()),
        };
        Reply { accepted, message }
    }

    /// The content of a file that the decision is about.
    fn content(&self) -> Option<Content> {
        match &self.decision {
            Decision::TakeOver { digest, .. } => Some(Content::Digest(digest.clone())),
            Decision::Refused { content, .. } => Some(content.clone()),
            Decision::Empty { .. } => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    entry: Entry,
}

/// The record of a run.
#[derive(Debug)]
pub struct SwapJournal {
    folder: PathBuf,
    entries: Vec<Entry>,
}

impl SwapJournal {
    /// Reads the record of the run at `run_dir`; one without a record has decided nothing.
    ///
    /// # Errors
    /// A decision is damaged or missing; the file is named.
    pub fn open(run_dir: &Path) -> anyhow::Result<Self> {
        let folder = run_dir.join(FOLDER);
        std::fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
        atomic::remove_leftovers(&folder)?;
        let mut orders = Vec::new();
        for entry in std::fs::read_dir(&folder).with_context(|| format!("can't list {}", folder.display()))? {
            let path = entry.with_context(|| format!("can't list {}", folder.display()))?.path();
            // Other names are somebody's own.
            let name =
                path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"));
            orders.extend(name.and_then(|name| name.parse::<u32>().ok()));
        }
        orders.sort_unstable();
        let mut entries: Vec<Entry> = Vec::new();
        for (index, order) in orders.into_iter().enumerate() {
            let path = path(&folder, order);
            if order as usize != index + 1 {
                bail!(
                    "{} is there and {} is not: what was swapped between them is unknown\n\
                     hint: put the file back, or go on without its swap by renaming the later ones",
                    path.display(),
                    self::path(&folder, index as u32 + 1).display()
                );
            }
            let entry = read(&path)?;
            if entry.order != order || entries.last().is_some_and(|last| last.step > entry.step) {
                bail!("{} belongs to another place in the record", path.display());
            }
            entries.push(entry);
        }
        Ok(Self { folder, entries })
    }

    /// Puts a decision on record. It is on the disk when this returns.
    ///
    /// # Errors
    /// It can't be written.
    pub fn append(&mut self, step: u32, asked_by: AskedBy, decision: Decision) -> anyhow::Result<&Entry> {
        let order = self.entries.len() as u32 + 1;
        let entry = Entry { order, step, asked_by, decision };
        let body = serde_json::to_string(&File { format: FORMAT, entry: entry.clone() })
            .context("can't encode a swap")?;
        let text = format!("{body}\n{}\n", digest(&body));
        atomic::write_file(&path(&self.folder, order), text.as_bytes())
            .context("can't put a swap on record")?;
        let index = self.entries.len();
        self.entries.push(entry);
        Ok(&self.entries[index])
    }

    /// Decisions of the steps after `step`, in order.
    pub fn after(&self, step: u32) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.step > step)
    }

    /// The content of the watched file `path` that was decided on last.
    pub fn known(&self, path: &Path) -> Option<Content> {
        self.latest(path).and_then(Entry::content)
    }

    /// The latest decision about the watched file `path`.
    pub fn latest(&self, path: &Path) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| matches!(&entry.asked_by, AskedBy::File(file) if file == path))
    }

    /// What each request is to be told.
    pub fn decided(&self) -> HashMap<String, Reply> {
        let reply = |entry: &Entry| match &entry.asked_by {
            AskedBy::Request(id) => Some((id.clone(), entry.reply())),
            AskedBy::File(_) => None,
        };
        self.entries.iter().filter_map(reply).collect()
    }
}

fn path(folder: &Path, order: u32) -> PathBuf {
    folder.join(format!("{order:06}.json"))
}

fn digest(body: &str) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> anyhow::Result<Entry> {
    let metadata = std::fs::metadata(path).with_context(|| format!("can't read {}", path.display()))?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        bail!("{} is no decision on a swap: it is too large or no file", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    let lines = text.strip_suffix('\n').and_then(|text| text.rsplit_once('\n'));
    let Some(body) = lines.filter(|(body, end)| digest(body) == *end).map(|(body, _)| body) else {
        bail!(
            "{} is damaged: its SHA-256 is not the one in its last line\n\
             hint: resuming without it would undo a swap; put the file back from a copy of the run",
            path.display()
        );
    };
    let value: serde_json::Value =
        serde_json::from_str(body).with_context(|| format!("{} is not JSON", path.display()))?;
    if value["format"] != FORMAT {
        bail!("{} has format {}, this program reads {FORMAT}", path.display(), value["format"]);
    }
    let file: File =
        serde_json::from_value(value).with_context(|| format!("{} is incomplete", path.display()))?;
    Ok(file.entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(digest: &str) -> Decision {
        let log = Line::all(&[LogLine { level: "warn", message: "hello".to_owned() }]);
        Decision::TakeOver { digest: digest.to_owned(), log }
    }

    #[test]
    fn decisions_come_back_and_say_what_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SwapJournal::open(dir.path()).unwrap();
        let file = PathBuf::from("a.wasm");
        journal.append(2, AskedBy::File(file.clone()), taken("11")).unwrap();
        journal
            .append(2, AskedBy::Request("7".to_owned()), Decision::Empty { slot: "selection".to_owned() })
            .unwrap();
        let refused = Decision::Refused {
            content: Content::TooLarge { bytes: 1 << 40 },
            reason: "load".to_owned(),
            detail: "too large".to_owned(),
            log: Vec::new(),
        };
        journal.append(5, AskedBy::File(file.clone()), refused).unwrap();

        let again = SwapJournal::open(dir.path()).unwrap();
        assert_eq!(again.entries, journal.entries);
        assert_eq!(again.after(2).map(|entry| entry.order).collect::<Vec<_>>(), [3]);
        assert_eq!(again.known(&file), Some(Content::TooLarge { bytes: 1 << 40 }));
        assert_eq!(again.known(Path::new("b.wasm")), None);
        assert!(again.decided()["7"].accepted);
        let Decision::TakeOver { log, .. } = &again.entries[0].decision else { panic!() };
        assert_eq!(Line::restore(log), [LogLine { level: "warn", message: "hello".to_owned() }]);
    }

    /// Every flipped byte, every cut and a missing file are noticed.
    #[test]
    fn a_damaged_record_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SwapJournal::open(dir.path()).unwrap();
        for step in [1, 2] {
            journal.append(step, AskedBy::Request(step.to_string()), taken("11")).unwrap();
        }
        let first = path(&dir.path().join(FOLDER), 1);
        let whole = std::fs::read(&first).unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            std::fs::write(&first, &damaged).unwrap();
            assert!(SwapJournal::open(dir.path()).is_err(), "byte {index}");
            std::fs::write(&first, &whole[..index]).unwrap();
            assert!(SwapJournal::open(dir.path()).is_err(), "cut at {index}");
        }
        std::fs::remove_file(&first).unwrap();
        let error = SwapJournal::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("000001.json"), "{error}");
        std::fs::write(&first, &whole).unwrap();
        SwapJournal::open(dir.path()).unwrap();
    }
}
