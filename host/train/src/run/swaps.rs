//! Between two steps: policies change, and the questions are assigned anew. Every decision is on record before the step
//! begins and before anybody is told of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::Run;
use crate::control::journal::{AskedBy, Decision, Entry, Line, SwapJournal};
use crate::control::{Asker, Content, Proposal, Taken, Watch, Wish};
use crate::stages::changes::Changes;
use crate::stages::curriculum::CurriculumStage;
use exgrpo_core::journal::Slot;
use exgrpo_core::rundir::RunDir;
use exgrpo_policy::{Candidate, Loader, PolicySource, Reject, read_policy_file};

/// What is decided about policies beside those in force.
pub(super) struct Swaps {
    journal: SwapJournal,
    /// Decisions that the checkpoint which the run went on from does not hold, with what takes over.
    again: Vec<(Entry, Option<Candidate>)>,
    /// Changed files that can't take over as long as another file fills one of their slots.
    waiting: BTreeMap<PathBuf, Waiting>,
}

struct Waiting {
    candidate: Candidate,
    digest: String,
    /// True when the refusal is on record.
    is_told: bool,
}

impl Swaps {
    /// The record of the run in `dir`, which goes on after `step`. Loads what is to take over again.
    ///
    /// # Errors
    /// The record is damaged, or a policy of it is.
    pub(super) fn open(
        dir: &RunDir,
        loader: &Loader,
        step: u32,
        watched: &[(PathBuf, Option<String>)],
    ) -> anyhow::Result<Self> {
        let journal = SwapJournal::open(dir.root())?;
        let mut again = Vec::new();
        for entry in journal.after(step) {
            let candidate = match &entry.decision {
                Decision::TakeOver { digest, log } => {
                    Some(candidate(dir, loader, &entry.asked_by, digest, log)?)
                }
                Decision::Empty { .. } | Decision::Refused { .. } => None,
            };
            again.push((entry.clone(), candidate));
        }
        let mut waiting = BTreeMap::new();
        for (path, _) in watched {
            let Some(Entry { asked_by, decision: Decision::Refused { content, reason, .. }, .. }) =
                journal.latest(path)
            else {
                continue;
            };
            if let Some(digest) = content.digest().filter(|_| reason == SLOT_TAKEN) {
                let candidate = candidate(dir, loader, asked_by, digest, &[])?;
                waiting.insert(path.clone(), Waiting { candidate, digest: digest.to_owned(), is_told: true });
            }
        }
        Ok(Self { journal, again, waiting })
    }

    /// What is to be watched: files, each with the digest that the run began with.
    pub(super) fn watch(&self, loader: Loader, files: Vec<(PathBuf, Option<String>)>) -> Watch {
        let known = |(path, digest): (PathBuf, Option<String>)| {
            let content = self.journal.known(&path).or(digest.map(Content::Digest));
            (path, content)
        };
        Watch { loader, files: files.into_iter().map(known).collect(), decided: self.journal.decided() }
    }
}

/// Reason of a refusal that another file can lift.
const SLOT_TAKEN: &str = "slot";

/// The words that refusals are recorded with.
const REASONS: [&str; 4] = ["load", "config", "probe", SLOT_TAKEN];

/// A policy that the record says was taken, from the run's own copy of its bytes.
fn candidate(
    dir: &RunDir,
    loader: &Loader,
    asked_by: &AskedBy,
    digest: &str,
    log: &[Line],
) -> anyhow::Result<Candidate> {
    let path = match asked_by {
        AskedBy::File(path) => Some(path.clone()),
        AskedBy::Request(_) => None,
    };
    let bytes = stored_policy(dir, loader, digest)?;
    loader
        .prepare_again(&PolicySource { path, bytes }, Line::restore(log))
        .with_context(|| format!("can't put policy {digest} in force again, which the run swapped in"))
}

/// The bytes of a policy of this run.
pub(super) fn stored_policy(dir: &RunDir, loader: &Loader, digest: &str) -> anyhow::Result<Arc<[u8]>> {
    let path = dir.policy(digest);
    let bytes = read_policy_file(&path, loader.most_file_bytes())
        .with_context(|| format!("can't read policy {}, which the run used", path.display()))?;
    if Content::of(&bytes).digest() != Some(digest) {
        bail!("{} is damaged: its SHA-256 is not its name", path.display());
    }
    Ok(bytes.into())
}

impl Run {
    /// Puts accepted candidates in force, the only place where a policy changes.
    pub(super) fn take_swaps(&mut self, step: u32) -> anyhow::Result<Changes> {
        let is_changed = self.swap_again(step)? | self.decide(step)?;
        if is_changed {
            self.policies.note_slots();
        }
        if !is_changed && !self.buckets.is_empty() {
            return Ok(Changes::default());
        }
        let outcome = CurriculumStage {
            config: &self.config,
            dataset: &self.dataset,
            step,
            weights_version: self.progress.weights_version,
            is_mixed: false,
        };
        let (buckets, changes) = outcome.reindex(&mut self.pool, &mut self.policies)?;
        self.buckets = buckets;
        Ok(changes)
    }

    /// Carries out what was decided at this step before the run was killed. True when a policy changed.
    fn swap_again(&mut self, step: u32) -> anyhow::Result<bool> {
        let due = self.swaps.again.iter().take_while(|(entry, _)| entry.step <= step).count();
        let mut is_changed = false;
        for (entry, candidate) in self.swaps.again.drain(..due) {
            match (entry.decision, candidate) {
                (Decision::TakeOver { digest, .. }, Some(candidate)) => {
                    self.policies.take_over(candidate).with_context(|| {
                        format!("policy {digest}, which was in force from step {step} on")
                    })?;
                    is_changed = true;
                }
                (Decision::TakeOver { digest, .. }, None) => bail!("policy {digest} was not loaded"),
                (Decision::Empty { slot }, _) => {
                    let slot = Slot::ALL.into_iter().find(|known| known.as_str() == slot);
                    self.policies.empty_slot(slot.context("a slot on record is none of the known ones")?);
                    is_changed = true;
                }
                (Decision::Refused { content, reason, detail, log }, _) => {
                    let reason = REASONS.into_iter().find(|known| *known == reason).unwrap_or("load");
                    self.policies.record_refusal_as(content.digest(), reason, detail, Line::restore(&log));
                }
            }
        }
        Ok(is_changed)
    }

    /// Decides on what is proposed, once all that was decided before the run was killed is carried out. True when a
    /// policy changed.
    fn decide(&mut self, step: u32) -> anyhow::Result<bool> {
        if !self.swaps.again.is_empty() {
            return Ok(false);
        }
        let mut is_changed = false;
        for Proposal { asker, wish } in self.control.ready() {
            is_changed |= match asker {
                Asker::File(path) => self.decide_on_file(step, path, wish)?,
                Asker::Request(request) => self.decide_on_request(step, &request, wish)?,
            };
        }
        Ok(self.settle_files(step, is_changed)? || is_changed)
    }

    fn decide_on_request(&mut self, step: u32, request: &Taken, wish: Wish) -> anyhow::Result<bool> {
        let decision = match wish {
            Wish::TakeOver { bytes, candidate } => {
                let digest = self.dir.store_policy(&bytes)?;
                let log = Line::all(candidate.log());
                match self.policies.swap(candidate) {
                    Ok(()) => Decision::TakeOver { digest, log },
                    Err(reject) => refused(Content::Digest(digest), &reject, log),
                }
            }
            Wish::Empty(slot) => {
                self.policies.empty_slot(slot);
                Decision::Empty { slot: slot.as_str().to_owned() }
            }
            Wish::Refused { content, bytes, reject, log } => {
                bytes.map(|bytes| self.dir.store_policy(&bytes)).transpose()?;
                let lines = Line::all(&log);
                self.policies.record_refusal(content.digest(), &reject, log);
                refused(content, &reject, lines)
            }
        };
        let is_changed = !matches!(decision, Decision::Refused { .. });
        let entry = self.swaps.journal.append(step, AskedBy::Request(request.id.clone()), decision)?;
        if let Err(error) = request.answer(&entry.reply()) {
            let detail = format!("the request {} could not be answered: {error:#}", request.id);
            self.policies.warn("reply", detail);
        }
        Ok(is_changed)
    }

    /// A file's candidate waits until all files of this step are known: they may move a slot from one to another.
    fn decide_on_file(&mut self, step: u32, path: PathBuf, wish: Wish) -> anyhow::Result<bool> {
        // Whatever the file held before is not what it holds now.
        self.swaps.waiting.remove(&path);
        match wish {
            Wish::TakeOver { bytes, candidate } => {
                let digest = self.dir.store_policy(&bytes)?;
                if self.policies.loaded_digest(&path) != Some(digest.as_str()) {
                    self.swaps.waiting.insert(path, Waiting { candidate, digest, is_told: false });
                }
            }
            Wish::Refused { content, bytes, reject, log } => {
                bytes.map(|bytes| self.dir.store_policy(&bytes)).transpose()?;
                let lines = Line::all(&log);
                self.policies.record_refusal(content.digest(), &reject, log);
                self.swaps.journal.append(step, AskedBy::File(path), refused(content, &reject, lines))?;
            }
            // Files don't ask for that.
            Wish::Empty(_) => {}
        }
        Ok(false)
    }

    /// Lets files take over that can; says of the others, once, why they can't. True when a policy changed.
    fn settle_files(&mut self, step: u32, mut is_changed: bool) -> anyhow::Result<bool> {
        let mut has_settled = false;
        while is_changed || self.swaps.waiting.values().any(|waiting| !waiting.is_told) {
            let candidates: Vec<&Candidate> =
                self.swaps.waiting.values().map(|waiting| &waiting.candidate).collect();
            let ready = self.policies.ready(&candidates);
            let paths: Vec<PathBuf> = self.swaps.waiting.keys().cloned().collect();
            is_changed = false;
            for path in ready.into_iter().filter_map(|index| paths.get(index)) {
                let Some(Waiting { candidate, digest, is_told }) = self.swaps.waiting.remove(path) else {
                    continue;
                };
                // What it logged is on record with its refusal.
                let log = if is_told { Vec::new() } else { Line::all(candidate.log()) };
                let decision = match self.policies.take_over(candidate) {
                    Ok(()) => {
                        is_changed = true;
                        Decision::TakeOver { digest, log }
                    }
                    Err(reject) => refused(Content::Digest(digest), &reject, log),
                };
                self.swaps.journal.append(step, AskedBy::File(path.clone()), decision)?;
            }
            has_settled |= is_changed;
            if !is_changed {
                self.refuse_waiting(step)?;
            }
        }
        Ok(has_settled)
    }

    fn refuse_waiting(&mut self, step: u32) -> anyhow::Result<()> {
        for (path, waiting) in self.swaps.waiting.iter_mut().filter(|(_, waiting)| !waiting.is_told) {
            let log = Line::all(waiting.candidate.log());
            let reject = self.policies.refuse_slots(&mut waiting.candidate);
            let decision = refused(Content::Digest(waiting.digest.clone()), &reject, log);
            self.swaps.journal.append(step, AskedBy::File(path.clone()), decision)?;
            waiting.is_told = true;
        }
        Ok(())
    }
}

fn refused(content: Content, reject: &Reject, log: Vec<Line>) -> Decision {
    Decision::Refused { content, reason: reject.reason().to_owned(), detail: reject.in_full(), log }
}
