//! Changing policies between two steps.

use std::collections::BTreeSet;
use std::path::Path;

use super::error::Reject;
use super::journal::Note;
use super::loader::Candidate;
use super::policy_set::{Holder, MemberId, PolicySet};
use super::store::LogLine;
use exgrpo_core::journal::{BUILTIN, EventKind, Slot};

impl PolicySet {
    /// Lets `candidate` take over every slot that it can fill. Must be called between two steps.
    ///
    /// * A candidate with the path of a loaded component replaces it wholly: slots that it no longer fills fall to the
    ///   built-in default. It can't take a slot that a component from another path fills.
    /// * Any other candidate takes its slots from whoever fills them; a component left without a slot is dropped.
    /// * A candidate with a path leaves a slot alone that somebody emptied; one without is an explicit wish and fills it.
    ///
    /// State is carried over from the component that it replaces, or displaces, under the same path or the same name
    /// when both keep one. Whoever had a slot before is remembered for `keep-last-good`.
    ///
    /// # Errors
    /// When a slot is another file's or the state is refused. The set stays as it was; the refusal is journalled.
    pub fn swap(&mut self, candidate: Candidate) -> Result<(), Reject> {
        match self.obstacle(&candidate, &BTreeSet::new()) {
            Some(detail) => Err(self.refuse(candidate, |policy| Reject::Slot { policy, detail })),
            None => self.take_over(candidate),
        }
    }

    /// Positions in `waiting`, candidates from different paths, of those that could all take over now, one after the
    /// other. So files that move a slot from one to another, or exchange slots, find each other.
    pub fn ready(&self, waiting: &[&Candidate]) -> Vec<usize> {
        let mut ready: Vec<usize> = (0..waiting.len()).collect();
        loop {
            let vacated: BTreeSet<MemberId> =
                ready.iter().filter_map(|&index| self.loaded_from(waiting[index].path())).collect();
            let claims = |slot: Slot| {
                ready.iter().filter(|&&index| waiting[index].policy.info.slots.contains(&slot)).count()
            };
            let kept: Vec<usize> = ready
                .iter()
                .copied()
                .filter(|&index| {
                    let is_claimed_twice = |&slot: &Slot| claims(slot) > 1;
                    self.obstacle(waiting[index], &vacated).is_none()
                        && !waiting[index].policy.info.slots.iter().any(is_claimed_twice)
                })
                .collect();
            if kept.len() == ready.len() {
                return ready;
            }
            ready = kept;
        }
    }

    /// [`swap`](Self::swap) without asking whose the slots are: for a candidate that is [`ready`](Self::ready), and for
    /// a swap that is on record as accepted.
    ///
    /// # Errors
    /// When the state is refused. The set stays as it was; the refusal is journalled.
    pub fn take_over(&mut self, mut candidate: Candidate) -> Result<(), Reject> {
        let replaced = self.loaded_from(candidate.path());
        if let Err(reject) = self.carry_state(&mut candidate, replaced) {
            return Err(self.refuse(candidate, |_| reject));
        }
        let policy = std::sync::Arc::clone(&candidate.policy);
        let id = self.insert(candidate);
        let mut displaced = Vec::from_iter(replaced);
        for slot in Slot::ALL {
            let holder = self.holder(slot);
            let fills = policy.info.slots.contains(&slot) && !(holder.emptied && policy.info.path.is_some());
            if !fills && (holder.now.is_none() || holder.now != replaced) {
                continue;
            }
            let before = self.digest_of(holder.now).to_owned();
            let after = if fills { policy.info.digest.as_str() } else { BUILTIN }.to_owned();
            let next = if fills { holder.taken_over_by(id) } else { Holder::default() };
            displaced.extend(holder.now);
            displaced.extend(&holder.deposed);
            self.slots.insert(slot, next);
            self.journal.note(Note {
                kind: EventKind::Swap,
                slot: Some(slot),
                digest: Some(after),
                reason: None,
                detail: format!(
                    "{} {} ({}) takes over from {before}",
                    policy.info.name,
                    policy.info.version,
                    policy.label()
                ),
            });
        }
        self.unload(replaced, &displaced);
        Ok(())
    }

    /// Gives `slot` back to the built-in default, until somebody asks for a component that fills it. Must be called
    /// between two steps.
    pub fn empty_slot(&mut self, slot: Slot) {
        let holder = self.holder(slot);
        let before = self.digest_of(holder.now).to_owned();
        let mut displaced = holder.deposed.clone();
        displaced.extend(holder.now);
        self.slots.insert(slot, Holder { emptied: true, ..Holder::default() });
        self.journal.note(Note {
            kind: EventKind::Swap,
            slot: Some(slot),
            digest: Some(BUILTIN.to_owned()),
            reason: Some("emptied"),
            detail: format!("the slot is emptied: the built-in default takes over from {before}"),
        });
        self.unload(None, &displaced);
    }

    /// Slots that somebody emptied.
    pub fn emptied_slots(&self) -> Vec<Slot> {
        Slot::ALL.into_iter().filter(|&slot| self.holder(slot).emptied).collect()
    }

    /// Journals that a candidate was refused, one that never got past [`Loader::prepare`](super::Loader::prepare) say,
    /// and what it had logged by then.
    pub fn record_refusal(&mut self, digest: Option<&str>, reject: &Reject, log: Vec<LogLine>) {
        self.record_refusal_as(digest, reject.reason(), reject.in_full(), log);
    }

    /// Journals a refusal that is on record: the same event again.
    pub fn record_refusal_as(
        &mut self,
        digest: Option<&str>,
        reason: &'static str,
        detail: String,
        log: Vec<LogLine>,
    ) {
        self.journal.log(None, digest, log);
        self.journal.note(Note {
            kind: EventKind::SwapRefused,
            slot: None,
            digest: digest.map(str::to_owned),
            reason: Some(reason),
            detail,
        });
    }

    /// Journals something that a person may not have meant or could not be told.
    pub fn warn(&mut self, reason: &'static str, detail: String) {
        self.journal.note(Note {
            kind: EventKind::Warning,
            slot: None,
            digest: None,
            reason: Some(reason),
            detail,
        });
    }

    /// Journals that `candidate` is not [`ready`](Self::ready), and what it had logged by then, once.
    pub fn refuse_slots(&mut self, candidate: &mut Candidate) -> Reject {
        let detail = self.obstacle(candidate, &BTreeSet::new()).unwrap_or_else(|| {
            "a slot that it fills is claimed by another file that changed too: leave it out of one of the two".to_owned()
        });
        let log = std::mem::take(&mut candidate.log);
        let reject = Reject::Slot { policy: candidate.policy.label(), detail };
        self.record_refusal(Some(&candidate.policy.info.digest), &reject, log);
        reject
    }

    fn refuse(&mut self, candidate: Candidate, reject: impl FnOnce(String) -> Reject) -> Reject {
        let reject = reject(candidate.policy.label());
        self.record_refusal(Some(&candidate.policy.info.digest), &reject, candidate.log);
        reject
    }

    /// SHA-256 of the loaded component from `path`.
    pub fn loaded_digest(&self, path: &Path) -> Option<&str> {
        self.loaded_from(Some(path)).map(|id| self.digest_of(Some(id)))
    }

    /// The loaded component from `path`.
    pub(super) fn loaded_from(&self, path: Option<&Path>) -> Option<MemberId> {
        let path = path?;
        let mut loaded = self.members.iter().filter(|(_, member)| member.loaded);
        loaded.find(|(_, member)| member.policy.info.path.as_deref() == Some(path)).map(|(&id, _)| id)
    }

    /// Why `candidate` can't have all its slots once the components `vacated` have been replaced. A file that changed
    /// can't take what another file fills; only a candidate of its own can. What it lost by a fault is still its own.
    fn obstacle(&self, candidate: &Candidate, vacated: &BTreeSet<MemberId>) -> Option<String> {
        let info = &candidate.policy.info;
        info.path.as_ref()?;
        if info.slots.iter().all(|&slot| self.holder(slot).emptied) {
            let names: Vec<&str> = info.slots.iter().map(|slot| slot.as_str()).collect();
            return Some(format!("nothing is left for it: {} was emptied by request", names.join(", ")));
        }
        let replaced = self.loaded_from(candidate.path())?;
        info.slots.iter().find_map(|&slot| {
            let Holder { now, deposed, .. } = self.holder(slot);
            let now =
                now.filter(|id| *id != replaced && !vacated.contains(id) && !deposed.contains(&replaced))?;
            // A last good version of this very file stands in for it and gives way.
            let other =
                self.members.get(&now).filter(|other| other.loaded && other.policy.info.path != info.path)?;
            Some(format!(
                "slot `{}` is filled by {}: leave it out of one of the two",
                slot.as_str(),
                other.policy.label()
            ))
        })
    }

    /// Gives the candidate the state of its predecessor, if there is one that keeps state.
    fn carry_state(&self, candidate: &mut Candidate, replaced: Option<MemberId>) -> Result<(), Reject> {
        if !candidate.policy.has_state() {
            return Ok(());
        }
        let same_name = || {
            self.members.iter().find_map(|(&id, member)| {
                let same = member.loaded && member.policy.info.name == candidate.policy.info.name;
                same.then_some(id)
            })
        };
        let predecessor = replaced.or_else(same_name).and_then(|id| self.members.get(&id));
        let Some(state) = predecessor.and_then(|member| member.state.as_deref()) else { return Ok(()) };
        let mut log = Vec::new();
        let taken = candidate.policy.instantiate(Some(state), &mut log);
        candidate.log.extend(log);
        match taken {
            Ok(_) => {
                candidate.initial_state = Some(state.to_vec());
                Ok(())
            }
            Err(fault) => Err(Reject::Probe {
                policy: candidate.policy.label(),
                function: "state.restore".to_owned(),
                fault,
            }),
        }
    }

    /// Marks the replaced component as swapped out, and those of `displaced` that are left without a slot.
    fn unload(&mut self, replaced: Option<MemberId>, displaced: &[MemberId]) {
        for &id in displaced {
            let is_out = Some(id) == replaced || self.slots_of(id).is_empty();
            if let Some(member) = self.members.get_mut(&id).filter(|_| is_out) {
                member.loaded = false;
            }
        }
        self.forget_unused();
    }
}
