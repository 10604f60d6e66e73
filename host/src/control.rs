//! What reaches a run from outside while it trains: changed policy files and swap requests. A thread of its own watches,
//! loads and probes candidates; the training loop takes what is ready between two steps. Nothing waits for that thread:
//! it ends with the process, whatever it is at (signals are heard elsewhere, see [`crate::signals`]).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::guest::{Candidate, Loader, LogLine, PolicySource, Probe, Reject};

/// How often files and requests are looked at.
const POLL: Duration = Duration::from_millis(50);

/// Folder of the run directory that swap requests are put into.
pub const REQUESTS: &str = "control";

/// A policy that somebody wants in force, loaded and probed, or refused.
pub struct Proposal {
    /// Bytes of the component.
    pub bytes: Arc<[u8]>,
    /// What loading and probing gave.
    pub candidate: Result<Candidate, Reject>,
    /// What a refused candidate had logged by then.
    pub log: Vec<LogLine>,
    /// Who waits for an answer.
    pub requester: Requester,
}

/// Somebody who may wait for an answer: a file for `exgrpo-host swap`, nobody for a watched file.
#[derive(Debug)]
pub struct Requester(Option<PathBuf>);

/// The answer to `exgrpo-host swap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// True when the policy is in force.
    pub accepted: bool,
    /// One sentence.
    pub message: String,
}

impl Requester {
    /// Tells what became of the proposal.
    pub fn reply(&self, accepted: bool, message: String) -> anyhow::Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        let text = serde_json::to_vec(&Reply { accepted, message }).context("can't encode a reply")?;
        atomic::write_file(path, &text)
            .with_context(|| format!("can't answer the request for {}", path.display()))
    }
}

/// Handle of the watching thread.
#[derive(Debug)]
pub struct Control {
    proposals: Receiver<Proposal>,
    probe: Arc<Mutex<Probe>>,
}

impl Control {
    /// Starts watching `files` (none to watch nothing) and the request folder of the run at `run_dir`.
    pub fn start(loader: Loader, files: Vec<PathBuf>, run_dir: &Path) -> anyhow::Result<Self> {
        let requests = run_dir.join(REQUESTS);
        std::fs::create_dir_all(&requests).with_context(|| format!("can't create {}", requests.display()))?;
        let (sender, proposals) = channel();
        let probe = Arc::new(Mutex::new(Probe::default()));
        let mut watcher = Watcher {
            loader,
            seen: files.into_iter().map(|path| (path.clone(), Watched::new(&path))).collect(),
            requests,
            probe: Arc::clone(&probe),
            sender,
        };
        let watch = move || {
            // An error means that the run is gone: nobody listens any more.
            while watcher.poll().is_ok() {
                std::thread::sleep(POLL);
            }
        };
        std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(watch)
            .context("can't start the thread that watches policies")?;
        Ok(Self { proposals, probe })
    }

    /// Proposals that became ready since the last call, oldest first.
    pub fn ready(&self) -> Vec<Proposal> {
        self.proposals.try_iter().collect()
    }

    /// Replaces what candidates are probed with.
    pub fn set_probe(&self, probe: Probe) {
        *self.probe.lock().unwrap_or_else(PoisonError::into_inner) = probe;
    }
}

/// A file's modification time and length: a change of content shows in one of them.
type Stamp = Option<(SystemTime, u64)>;

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// What is known of a watched file.
struct Watched {
    /// The state that was proposed last.
    proposed: Stamp,
    /// The state at the latest look: a file is read once it looks the same twice.
    latest: Stamp,
    /// Content that was proposed last, so that a touched file is no change.
    content: Option<Arc<[u8]>>,
}

impl Watched {
    fn new(path: &Path) -> Self {
        let content = std::fs::read(path).ok().map(Arc::from);
        let stamp = stamp(path);
        Self { proposed: stamp, latest: stamp, content }
    }
}

struct Watcher {
    loader: Loader,
    seen: HashMap<PathBuf, Watched>,
    requests: PathBuf,
    probe: Arc<Mutex<Probe>>,
    sender: Sender<Proposal>,
}

/// The training loop is gone.
struct Gone;

impl Watcher {
    fn poll(&mut self) -> Result<(), Gone> {
        let mut changed = Vec::new();
        for (path, watched) in &mut self.seen {
            let stamp = stamp(path);
            let is_settled = stamp.is_some() && stamp == watched.latest;
            watched.latest = stamp;
            if !is_settled || stamp == watched.proposed {
                continue;
            }
            let Ok(content) = std::fs::read(path) else { continue };
            watched.proposed = stamp;
            if watched.content.as_deref() != Some(content.as_slice()) {
                let content: Arc<[u8]> = content.into();
                watched.content = Some(Arc::clone(&content));
                changed.push((path.clone(), content));
            }
        }
        changed.sort_by(|a, b| a.0.cmp(&b.0));
        for (path, bytes) in changed {
            let source = PolicySource { path: Some(path), bytes };
            self.propose(source, None)?;
        }
        self.poll_requests()
    }

    fn poll_requests(&self) -> Result<(), Gone> {
        let Ok(entries) = std::fs::read_dir(&self.requests) else { return Ok(()) };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
            .filter(|path| !atomic::is_temp(path))
            .collect();
        paths.sort();
        for path in paths {
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let reply_to = path.with_extension("reply");
            if std::fs::remove_file(&path).is_err() {
                continue;
            }
            let source = PolicySource { path: None, bytes: bytes.into() };
            self.propose(source, Some(reply_to))?;
        }
        Ok(())
    }

    fn propose(&self, source: PolicySource, reply_to: Option<PathBuf>) -> Result<(), Gone> {
        let probe = self.probe.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bytes = Arc::clone(&source.bytes);
        let mut log = Vec::new();
        let candidate = self.loader.prepare_logged(&source, &probe, &mut log);
        self.sender.send(Proposal { bytes, candidate, log, requester: Requester(reply_to) }).map_err(|_| Gone)
    }
}
