//! Requests to a run: files that `exgrpo-host swap` puts into a folder of the run directory, and the answers beside them.
//!
//! A request `ID.wasm` (a policy) or `ID.slot` (the name of a slot to be emptied) appears whole or not at all. The run
//! takes it by renaming it to `ID.wasm.taken`; until then whoever asked can withdraw it by removing it, and only one of
//! the two succeeds. What was taken stays until the answer `ID.reply` is written, which is after the change is on
//! record: a run that is killed in between finds the request again.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use exgrpo_core::atomic;

/// Folder of the run directory that requests are put into.
pub const REQUESTS: &str = "control";

/// Ending of a request for a policy.
const POLICY: &str = "wasm";
/// Ending of a request to empty a slot.
const SLOT: &str = "slot";
/// Further ending of a request that the run has taken.
const TAKEN: &str = "taken";
/// Ending of an answer.
const REPLY: &str = "reply";
/// Most bytes of an answer that are read, and of a slot's name.
const MAX_REPLY_BYTES: u64 = 1 << 20;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A policy is to take over.
    Policy,
    /// A slot is to be emptied.
    Slot,
}

impl Kind {
    fn extension(self) -> &'static str {
        match self {
            Self::Policy => POLICY,
            Self::Slot => SLOT,
        }
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// True when the change is in force.
    pub accepted: bool,
    /// What became of it, for people.
    pub message: String,
}

/// A request as the one who asks sees it.
#[derive(Debug)]
pub struct Request {
    path: PathBuf,
    reply: PathBuf,
}

/// What became of a request that its asker gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// The run never saw it.
    Withdrawn,
    /// The run had taken it: it stands.
    Stands,
}

impl Request {
    /// Puts a request into the folder of the run at `run_dir`. `id` is a name that no other request has.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn send(run_dir: &Path, id: &str, kind: Kind, contents: &[u8]) -> anyhow::Result<Self> {
        let folder = run_dir.join(REQUESTS);
        let path = folder.join(format!("{id}.{}", kind.extension()));
        atomic::write_file(&path, contents)?;
        Ok(Self { path, reply: folder.join(format!("{id}.{REPLY}")) })
    }

    /// The answer, once there is one; it is gone then.
    ///
    /// # Errors
    /// The answer can't be read.
    pub fn reply(&self) -> anyhow::Result<Option<Reply>> {
        let text = match read_small(&self.reply) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("can't read the run's answer {}", self.reply.display()))?,
        };
        let _ = std::fs::remove_file(&self.reply);
        let reply = serde_json::from_str(&text)
            .with_context(|| format!("the run's answer {} is unreadable", self.reply.display()))?;
        Ok(Some(reply))
    }

    /// Withdraws the request unless the run has taken it.
    ///
    /// # Errors
    /// The request can't be removed: it stands as well.
    pub fn give_up(self) -> anyhow::Result<GivenUp> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(GivenUp::Withdrawn),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(GivenUp::Stands),
            removed => {
                removed.with_context(|| {
                    format!("can't withdraw the request {}, so that it stands", self.path.display())
                })?;
                Ok(GivenUp::Withdrawn)
            }
        }
    }
}

/// A request as the run sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taken {
    /// Name that no other request has.
    pub id: String,
    path: PathBuf,
}

impl Taken {
    /// Takes every request that is in the folder `requests`, and finds those that were taken and not answered, each with
    /// its kind, in the order of their names. What can't be taken is left for the next time.
    pub(super) fn all(requests: &Path) -> Vec<(Self, Kind)> {
        let Ok(entries) = std::fs::read_dir(requests) else { return Vec::new() };
        let mut taken: Vec<(Self, Kind)> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| !atomic::is_temp(path))
            .filter_map(|path| Self::take(&path))
            .collect();
        taken.sort_by(|a, b| a.0.cmp(&b.0));
        taken
    }

    fn take(path: &Path) -> Option<(Self, Kind)> {
        let name = path.file_name()?.to_str()?;
        let (name, is_taken) = match name.strip_suffix(TAKEN).and_then(|name| name.strip_suffix('.')) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (id, extension) = name.rsplit_once('.').filter(|(id, _)| !id.is_empty())?;
        let kind = [Kind::Policy, Kind::Slot].into_iter().find(|kind| kind.extension() == extension)?;
        let taken = path.with_file_name(format!("{name}.{TAKEN}"));
        if !is_taken {
            std::fs::rename(path, &taken).ok()?;
        }
        Some((Self { id: id.to_owned(), path: taken }, kind))
    }

    /// Where its bytes lie.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes as the name of a slot.
    pub(super) fn text(&self) -> io::Result<String> {
        read_small(&self.path)
    }

    /// Answers the request, which then is no more. What it asked for must be on record by now.
    ///
    /// # Errors
    /// The answer can't be written; the request stays, and is answered when the run is resumed.
    pub fn answer(&self, reply: &Reply) -> anyhow::Result<()> {
        let text = serde_json::to_vec(reply).context("can't encode an answer")?;
        let path = self.path.with_file_name(format!("{}.{REPLY}", self.id));
        atomic::write_file(&path, &text)?;
        atomic::remove(&self.path)?;
        Ok(())
    }
}

fn read_small(path: &Path) -> io::Result<String> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > MAX_REPLY_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no small file"));
    }
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_REPLY_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_or_withdrawn_and_found_again_until_it_is_answered() {
        let run = tempfile::tempdir().unwrap();
        let folder = run.path().join(REQUESTS);
        std::fs::create_dir(&folder).unwrap();
        let withdrawn = Request::send(run.path(), "1-a", Kind::Policy, b"bytes").unwrap();
        assert_eq!(withdrawn.give_up().unwrap(), GivenUp::Withdrawn);
        assert!(Taken::all(&folder).is_empty());

        let policy = Request::send(run.path(), "2-b.c", Kind::Policy, b"bytes").unwrap();
        let slot = Request::send(run.path(), "3-d", Kind::Slot, b"selection").unwrap();
        std::fs::write(folder.join("notes.txt"), "not ours").unwrap();
        let taken = Taken::all(&folder);
        assert_eq!(
            taken.iter().map(|(taken, kind)| (taken.id.as_str(), *kind)).collect::<Vec<_>>(),
            [("2-b.c", Kind::Policy), ("3-d", Kind::Slot)]
        );
        assert_eq!(Taken::all(&folder), taken, "another process finds them again");
        assert_eq!(policy.reply().unwrap(), None);
        assert_eq!(policy.give_up().unwrap(), GivenUp::Stands);

        let reply = Reply { accepted: true, message: "in force".to_owned() };
        taken[1].0.answer(&reply).unwrap();
        assert_eq!(slot.reply().unwrap(), Some(reply));
        assert_eq!(Taken::all(&folder).len(), 1);
    }

    #[test]
    fn an_answer_that_cannot_be_written_leaves_the_request() {
        let run = tempfile::tempdir().unwrap();
        let folder = run.path().join(REQUESTS);
        std::fs::create_dir(&folder).unwrap();
        Request::send(run.path(), "1", Kind::Slot, b"selection").unwrap();
        let taken = Taken::all(&folder);
        std::fs::create_dir_all(folder.join("1.reply/full")).unwrap();
        assert!(taken[0].0.answer(&Reply { accepted: false, message: String::new() }).is_err());
        assert_eq!(Taken::all(&folder), taken);
    }

    #[test]
    fn an_answer_of_another_kind_is_an_error_and_a_half_written_request_is_none_yet() {
        let run = tempfile::tempdir().unwrap();
        let folder = run.path().join(REQUESTS);
        std::fs::create_dir(&folder).unwrap();
        let request = Request::send(run.path(), "1", Kind::Slot, b"selection").unwrap();
        let reply = folder.join("1.reply");
        let padded = |len: u64| {
            let json = r#"{"accepted":true,"message":"in force"}"#;
            format!("{json}{}", " ".repeat(len as usize - json.len()))
        };
        std::fs::write(&reply, padded(MAX_REPLY_BYTES + 1)).unwrap();
        assert!(format!("{:#}", request.reply().unwrap_err()).contains("no small file"));
        std::fs::write(&reply, padded(MAX_REPLY_BYTES)).unwrap();
        assert!(request.reply().unwrap().unwrap().accepted);
        std::fs::create_dir(&reply).unwrap();
        assert!(format!("{:#}", request.reply().unwrap_err()).contains("no small file"));

        for name in [format!("{}half.slot", atomic::TEMP_PREFIX), ".slot".to_owned()] {
            std::fs::write(folder.join(name), "selection").unwrap();
        }
        assert_eq!(Taken::all(&folder).len(), 1);
    }
}
