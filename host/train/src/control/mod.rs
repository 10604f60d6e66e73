//! What reaches a run from outside while it trains: changed policy files and swap requests. A thread of its own watches,
//! loads and probes candidates; the training loop takes what is ready between two steps. Nothing waits for that thread:
//! it ends with the process, whatever it is at (signals are heard elsewhere, see [`exgrpo_core::signals`]).

pub mod journal;
mod request;
mod watcher;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use exgrpo_core::journal::Slot;
use exgrpo_policy::{Candidate, Loader, LogLine, Probe, Reject};

pub use request::{GivenUp, Kind, REQUESTS, Reply, Request, Taken};
use watcher::Watcher;

/// How often files and requests are looked at.
const POLL: Duration = Duration::from_millis(50);

/// A change that somebody wants.
#[derive(Debug)]
pub struct Proposal {
    /// Who wants it.
    pub asker: Asker,
    /// What it is, as far as it can be tried beside the run.
    pub wish: Wish,
}

/// Who wants a change.
#[derive(Debug)]
pub enum Asker {
    /// A watched file has other content.
    File(PathBuf),
    /// Somebody waits for an answer.
    Request(Taken),
}

/// A change that somebody wants.
#[derive(Debug)]
pub enum Wish {
    /// A policy is to take over. It is loaded and probed.
    TakeOver {
        /// Bytes of the component.
        bytes: Arc<[u8]>,
        /// Ready to be swapped in.
        candidate: Candidate,
    },
    /// A slot is to be the built-in default's.
    Empty(Slot),
    /// It can't be: what was found is refused.
    Refused {
        /// What was found.
        content: Content,
        /// Its bytes, when they were read.
        bytes: Option<Arc<[u8]>>,
        /// Why it is refused.
        reject: Reject,
        /// What the policy had logged by then.
        log: Vec<LogLine>,
    },
}

/// What a file holds, as far as that tells it from another content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// SHA-256 of its bytes.
    Digest(String),
    /// More bytes than are read.
    TooLarge {
        /// Their number.
        bytes: u64,
    },
    /// A folder, a pipe, a device, or nothing that could be read.
    NotAFile,
}

impl Content {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::Digest(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digest, when the bytes were read.
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::Digest(digest) => Some(digest),
            Self::TooLarge { .. } | Self::NotAFile => None,
        }
    }
}

/// What is watched, and what the run knows already.
#[derive(Debug)]
pub struct Watch {
    /// Loads candidates.
    pub loader: Loader,
    /// Watched files, each with the content that the run took or refused last.
    pub files: BTreeMap<PathBuf, Option<Content>>,
    /// Requests that are decided, which may still wait for their answer.
    pub decided: HashMap<String, Reply>,
}

/// Handle of the watching thread.
#[derive(Debug)]
pub struct Control {
    /// What had changed before the thread began to watch.
    first: Vec<Proposal>,
    proposals: Receiver<Proposal>,
    probe: Arc<Mutex<Probe>>,
}

impl Control {
    /// Looks at the watched files once, so that one that changed while nobody watched is proposed before any step, and
    /// starts the thread that watches them and the requests to the run at `run_dir`. Also says why requests can't be
    /// made, when they can't.
    ///
    /// # Errors
    /// The thread can't be started.
    pub fn start(watch: Watch, run_dir: &Path, probe: Probe) -> anyhow::Result<(Self, Option<String>)> {
        let requests = run_dir.join(REQUESTS);
        let problem = std::fs::create_dir_all(&requests)
            .err()
            .map(|error| format!("no swap can be asked for: can't create {}: {error}", requests.display()));
        let (sender, proposals) = channel();
        let probe = Arc::new(Mutex::new(probe));
        let Watch { loader, files, decided } = watch;
        let mut watcher = Watcher::new(loader, files, requests, decided, Arc::clone(&probe), sender);
        let first = watcher.look_at_files();
        let watch = move || {
            while watcher.poll().is_ok() {
                std::thread::sleep(POLL);
            }
        };
        std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(watch)
            .context("can't start the thread that watches policies")?;
        Ok((Self { first, proposals, probe }, problem))
    }

    /// Proposals that became ready since the last call, oldest first.
    pub fn ready(&mut self) -> Vec<Proposal> {
        let mut ready = std::mem::take(&mut self.first);
        ready.extend(self.proposals.try_iter());
        ready
    }

    /// Replaces what candidates are probed with.
    pub fn set_probe(&self, probe: Probe) {
        *self.probe.lock().unwrap_or_else(PoisonError::into_inner) = probe;
    }
}
