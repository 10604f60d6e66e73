//! Changing policies between two steps.

use std::path::Path;

use super::error::{Fault, Reject};
use super::journal::Note;
use super::loader::Candidate;
use super::policy_set::{Holder, MemberId, PolicySet};
use super::store::LogLine;
use crate::journal::{BUILTIN, EventKind, Slot};

impl PolicySet {
    /// Lets `candidate` take over every slot that it can fill. Must be called between two steps.
    ///
    /// * A candidate with the path of a loaded component replaces it wholly: slots that it no longer fills fall to the
    ///   built-in default. It can't take a slot that a component from another path fills.
    /// * Any other candidate takes its slots from whoever fills them; a component left without a slot is dropped.
    ///
    /// State is carried over from the component that it replaces, or displaces, under the same path or the same name
    /// when both keep one. The component that answered a slot well last is remembered for `keep-last-good`.
    ///
    /// # Errors
    /// When a slot is another file's or the state is refused. The set stays as it was; the refusal is journalled.
    pub fn swap(&mut self, mut candidate: Candidate) -> Result<(), Reject> {
        let replaced = self.loaded_from(candidate.policy.info.path.as_deref());
        let checked =
            self.check_slots(&candidate, replaced).and_then(|()| self.carry_state(&mut candidate, replaced));
        if let Err(reject) = checked {
            let info = &candidate.policy.info;
            let (digest, log) = (info.digest.clone(), std::mem::take(&mut candidate.log));
            self.record_refusal(Some(&digest), &reject, log);
            return Err(reject);
        }

        let policy = std::sync::Arc::clone(&candidate.policy);
        let id = self.insert(candidate);
        let mut displaced = Vec::from_iter(replaced);
        for slot in Slot::ALL {
            let holder = self.holder(slot);
            let fills = policy.info.slots.contains(&slot);
            if !fills && (holder.now.is_none() || holder.now != replaced) {
                continue;
            }
            displaced.extend(holder.now);
            displaced.extend(holder.deposed);
            let before = self.digest_of(holder.now).to_owned();
            let now = fills.then_some(id);
            self.slots.insert(slot, Holder { now, last_good: holder.last_good, deposed: None });
            let after = if fills { policy.info.digest.as_str() } else { BUILTIN };
            self.journal.note(Note {
                kind: EventKind::Swap,
                slot: Some(slot),
                digest: Some(after.to_owned()),
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

    /// Journals that a candidate was refused, one that never got past [`Loader::prepare`](super::Loader::prepare) say,
    /// and what it had logged by then.
    pub fn record_refusal(&mut self, digest: Option<&str>, reject: &Reject, log: Vec<LogLine>) {
        self.journal.log(None, digest, log);
        let mut detail = reject.to_string();
        if let Reject::Probe { fault: Fault { backtrace: Some(backtrace), .. }, .. } = reject {
            detail.push('\n');
            detail.push_str(backtrace.trim_end());
        }
        self.journal.note(Note {
            kind: EventKind::SwapRefused,
            slot: None,
            digest: digest.map(str::to_owned),
            reason: Some(reject.reason()),
            detail,
        });
    }

    fn loaded_from(&self, path: Option<&Path>) -> Option<MemberId> {
        let path = path?;
        let mut loaded = self.members.iter().filter(|(_, member)| member.loaded);
        loaded.find(|(_, member)| member.policy.info.path.as_deref() == Some(path)).map(|(&id, _)| id)
    }

    /// A file that changed can't take what another file fills; only a candidate of its own can. What it lost by a
    /// fault is still its own.
    fn check_slots(&self, candidate: &Candidate, replaced: Option<MemberId>) -> Result<(), Reject> {
        let Some(replaced) = replaced else { return Ok(()) };
        for &slot in &candidate.policy.info.slots {
            let Holder { now, deposed, .. } = self.holder(slot);
            if now == Some(replaced) || deposed == Some(replaced) {
                continue;
            }
            let Some(other) = now.and_then(|id| self.members.get(&id)) else { continue };
            // A last good version of this very file stands in for it and gives way.
            if other.loaded && other.policy.info.path != candidate.policy.info.path {
                let detail = format!(
                    "slot `{}` is filled by {}: leave it out of one of the two",
                    slot.as_str(),
                    other.policy.label()
                );
                return Err(Reject::Load { policy: candidate.policy.label(), detail });
            }
        }
        Ok(())
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
