//! The thread that watches policy files and requests, and loads and probes what it finds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::request::{Kind, Reply, Taken};
use super::{Asker, Content, Proposal, Wish};
use exgrpo_core::journal::Slot;
use exgrpo_policy::{Loader, PolicyFileError, PolicySource, Probe, Reject, read_policy_file};

/// A file's modification time and length: a change of content shows in one of them.
type Stamp = Option<(SystemTime, u64)>;

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// What is known of a watched file.
#[derive(Default)]
struct Watched {
    /// The state that was read last.
    read: Stamp,
    /// The state at the latest look: a file is read once it looks the same twice.
    latest: Stamp,
    /// Content that the run knows of, taken or refused.
    known: Option<Content>,
}

pub(super) struct Watcher {
    loader: Loader,
    /// In the order of the paths.
    files: BTreeMap<PathBuf, Watched>,
    requests: PathBuf,
    /// Requests that the run has decided on and may not have answered.
    decided: HashMap<String, Reply>,
    /// Requests that were proposed.
    proposed: HashSet<String>,
    probe: Arc<Mutex<Probe>>,
    sender: Sender<Proposal>,
}

/// The training loop is gone.
pub(super) struct Gone;

impl Watcher {
    pub(super) fn new(
        loader: Loader,
        files: BTreeMap<PathBuf, Option<Content>>,
        requests: PathBuf,
        decided: HashMap<String, Reply>,
        probe: Arc<Mutex<Probe>>,
        sender: Sender<Proposal>,
    ) -> Self {
        let watched = |(path, known)| (path, Watched { known, ..Watched::default() });
        Self {
            loader,
            files: files.into_iter().map(watched).collect(),
            requests,
            decided,
            proposed: HashSet::new(),
            probe,
            sender,
        }
    }

    /// Proposes every file whose content is not the one that the run knows of. Does not wait for a file to settle: what
    /// is still being written is refused, and looked at again when it changes.
    pub(super) fn look_at_files(&mut self) -> Vec<Proposal> {
        let stamps: Vec<_> = self.files.keys().map(|path| (path.clone(), stamp(path))).collect();
        let changed = stamps.into_iter().filter_map(|(path, stamp)| self.read(&path, stamp?));
        let changed: Vec<_> = changed.collect();
        changed.into_iter().map(|wish| self.prepare(wish)).collect()
    }

    /// Looks once at everything. An error means that the run is gone: nobody listens any more.
    pub(super) fn poll(&mut self) -> Result<(), Gone> {
        // The run holds the probe too.
        if Arc::strong_count(&self.probe) < 2 {
            return Err(Gone);
        }
        let mut settled = Vec::new();
        for (path, watched) in &mut self.files {
            let stamp = stamp(path);
            if stamp.is_some() && stamp == watched.latest && stamp != watched.read {
                settled.push((path.clone(), stamp));
            }
            watched.latest = stamp;
        }
        for (path, stamp) in settled {
            if let Some(found) = stamp.and_then(|stamp| self.read(&path, stamp)) {
                let proposal = self.prepare(found);
                self.sender.send(proposal).map_err(|_| Gone)?;
            }
        }
        for (taken, kind) in Taken::all(&self.requests) {
            self.request(taken, kind)?;
        }
        Ok(())
    }

    /// The file's content, when it is one that the run does not know of.
    fn read(&mut self, path: &Path, stamp: (SystemTime, u64)) -> Option<Found> {
        let most = self.loader.most_file_bytes();
        let watched = self.files.get_mut(path)?;
        let (content, contents) = match read_policy_file(path, most) {
            Ok(bytes) => (Content::of(&bytes), Ok(bytes)),
            // Somebody is replacing it where there is nothing to say: the next look will tell.
            Err(error) => (unread(&error)?, Err(error.to_string())),
        };
        watched.read = Some(stamp);
        if watched.known.as_ref() == Some(&content) {
            return None;
        }
        watched.known = Some(content.clone());
        Some(Found { asker: Asker::File(path.to_owned()), content, contents })
    }

    fn request(&mut self, taken: Taken, kind: Kind) -> Result<(), Gone> {
        if let Some(reply) = self.decided.get(&taken.id) {
            // The run was killed between the decision and the answer. What can't be answered stays for the next time.
            let _ = taken.answer(reply);
            return Ok(());
        }
        if !self.proposed.insert(taken.id.clone()) {
            return Ok(());
        }
        let proposal = match kind {
            Kind::Policy => {
                let (content, contents) = match read_policy_file(taken.path(), self.loader.most_file_bytes())
                {
                    Ok(bytes) => (Content::of(&bytes), Ok(bytes)),
                    Err(error) => (unread(&error).unwrap_or(Content::NotAFile), Err(error.to_string())),
                };
                self.prepare(Found { asker: Asker::Request(taken), content, contents })
            }
            Kind::Slot => {
                let name = taken.text().unwrap_or_default();
                let slot = Slot::ALL.into_iter().find(|slot| slot.as_str() == name.trim());
                let wish = slot.map_or_else(
                    || Wish::Refused {
                        content: Content::NotAFile,
                        bytes: None,
                        reject: Reject::Load {
                            policy: taken.id.clone(),
                            detail: "it names no slot that could be emptied".to_owned(),
                        },
                        log: Vec::new(),
                    },
                    Wish::Empty,
                );
                Proposal { asker: Asker::Request(taken), wish }
            }
        };
        self.sender.send(proposal).map_err(|_| Gone)
    }

    /// Loads and probes what was found.
    fn prepare(&self, found: Found) -> Proposal {
        let Found { asker, content, contents } = found;
        let path = match &asker {
            Asker::File(path) => Some(path.clone()),
            Asker::Request(_) => None,
        };
        let wish = match contents {
            Err(detail) => {
                let policy =
                    path.map_or_else(|| "of the request".to_owned(), |path| path.display().to_string());
                let reject = Reject::Load { policy, detail };
                Wish::Refused { content, bytes: None, reject, log: Vec::new() }
            }
            Ok(bytes) => {
                let bytes: Arc<[u8]> = bytes.into();
                let source = PolicySource { path, bytes: Arc::clone(&bytes) };
                let probe = self.probe.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let mut log = Vec::new();
                match self.loader.prepare_logged(&source, &probe, &mut log) {
                    Ok(candidate) => Wish::TakeOver { bytes, candidate },
                    Err(reject) => Wish::Refused { content, bytes: Some(bytes), reject, log },
                }
            }
        };
        Proposal { asker, wish }
    }
}

/// What was found to be proposed: bytes, or why there are none.
struct Found {
    asker: Asker,
    content: Content,
    contents: Result<Vec<u8>, String>,
}

/// What lies there, when it is something that is not read.
fn unread(error: &PolicyFileError) -> Option<Content> {
    match error {
        PolicyFileError::TooLarge { bytes, .. } => Some(Content::TooLarge { bytes: *bytes }),
        PolicyFileError::NotAFile(_) => Some(Content::NotAFile),
        PolicyFileError::Io { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;
    use exgrpo_policy::GuestConfig;

    const MIB: u64 = 1 << 20;

    /// More than is read of a policy: told apart by its length, and never compiled.
    fn fill(path: &Path, beyond: u64) {
        File::create(path).unwrap().set_len(MIB + beyond).unwrap();
    }

    fn content(beyond: u64) -> Content {
        Content::TooLarge { bytes: MIB + beyond }
    }

    fn look(watcher: &mut Watcher, proposals: &Receiver<Proposal>) -> Vec<Content> {
        assert!(watcher.poll().is_ok());
        let refused = |proposal: Proposal| match proposal.wish {
            Wish::Refused { content, .. } => content,
            wish => panic!("{wish:?}"),
        };
        proposals.try_iter().map(refused).collect()
    }

    #[test]
    fn a_file_is_read_once_it_looks_the_same_twice_and_each_content_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.wasm");
        fill(&path, 1);
        let config = GuestConfig { file_mib: 1, ..GuestConfig::default() };
        let loader = Loader::new(&config, &BTreeMap::new()).unwrap();
        let probe = Arc::new(Mutex::new(Probe::default()));
        let (sender, proposals) = channel();
        let files = [(path.clone(), Some(content(1)))].into();
        let requests = dir.path().join("control");
        let mut watcher = Watcher::new(loader, files, requests, HashMap::new(), Arc::clone(&probe), sender);
        assert!(watcher.look_at_files().is_empty());
        assert_eq!(look(&mut watcher, &proposals), []);
        for beyond in 2..=4 {
            fill(&path, beyond);
            assert_eq!(look(&mut watcher, &proposals), [], "it is still being written");
        }
        assert_eq!(look(&mut watcher, &proposals), [content(4)]);
        assert_eq!(look(&mut watcher, &proposals), []);
        let touched = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::options().write(true).open(&path).unwrap().set_modified(touched).unwrap();
        for _ in 0..3 {
            assert_eq!(look(&mut watcher, &proposals), [], "the content is the same");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(look(&mut watcher, &proposals), []);
        fill(&path, 5);
        assert_eq!(look(&mut watcher, &proposals), []);
        assert_eq!(look(&mut watcher, &proposals), [content(5)]);

        drop(probe);
        assert!(watcher.poll().is_err(), "the run is gone");
    }
}
