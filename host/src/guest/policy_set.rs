//! Which component answers for which slot, and the journal of what they said.
//!
//! # Faults
//!
//! When a component faults in a call, the fault is journalled and, by the run's [`FailureRule`]:
//!
//! * `keep-last-good`: if the last component that answered this slot well is another one (the slot was swapped since),
//!   the slot goes back to it for good and it answers this call, with the built-in default behind it. Otherwise the
//!   built-in default answers this one call and the component keeps the slot.
//! * `built-in`: the built-in default answers this one call and the component keeps the slot.
//! * `stop`: the call is an error.
//!
//! Verification is different in two ways. A fault costs the row that caused it, whatever the rule: `OutOfBudget` when
//! fuel, time or memory ran out, `Unscorable` otherwise. Only when no row of several was answered is that the
//! component's fault and the rule applies; and where `keep-last-good` finds no other component, the rows stay as they
//! are, because the built-in verifier's rules are other rules and its `incorrect` would be a wrong reward.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::calls::{Call, Outcome};
use super::component::{ComponentInfo, GuestPolicy};
use super::config::FailureRule;
use super::error::{Fault, PolicySetError, Stop};
use super::journal::{Journal, Note};
use super::loader::{Candidate, Loader};
use crate::journal::{BUILTIN, Decision, Event, EventKind, Slot};

/// The policies of a run: what fills each slot, and what they said since the journal was last drained.
pub struct PolicySet {
    pub(super) loader: Loader,
    pub(super) members: BTreeMap<MemberId, Member>,
    pub(super) next_member: MemberId,
    pub(super) slots: BTreeMap<Slot, Holder>,
    pub(super) journal: Journal,
}

/// Key of a member, in the order in which they came.
pub(super) type MemberId = u32;

/// A component of the set.
pub(super) struct Member {
    pub(super) policy: Arc<GuestPolicy>,
    /// What the component asked to be remembered.
    pub(super) state: Option<Vec<u8>>,
    /// False for one that was swapped out and is kept as the last good one of a slot.
    pub(super) loaded: bool,
}

/// Who answers for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Holder {
    /// `None` for the built-in default.
    pub(super) now: Option<MemberId>,
    /// The last component that answered well.
    pub(super) last_good: Option<MemberId>,
    /// The component that the slot was taken from because it faulted; its file's next version may have it back.
    pub(super) deposed: Option<MemberId>,
}

impl std::fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicySet")
            .field("components", &self.components())
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl PolicySet {
    /// Puts a set together; slots that no candidate fills are the built-in defaults'.
    ///
    /// # Errors
    /// When two candidates claim one slot, or a parameter of the run is taken by none.
    pub fn new(loader: &Loader, candidates: Vec<Candidate>) -> Result<Self, PolicySetError> {
        let mut set = Self::empty(loader);
        for candidate in candidates {
            for &slot in &candidate.policy.info.slots {
                if let Some(first) = set.holder(slot).now.and_then(|id| set.members.get(&id)) {
                    return Err(PolicySetError::SlotClaimedTwice {
                        slot,
                        first: first.policy.label(),
                        second: candidate.policy.label(),
                    });
                }
            }
            let slots = candidate.policy.info.slots.clone();
            let id = set.insert(candidate);
            for slot in slots {
                set.slots.insert(slot, Holder { now: Some(id), ..Holder::default() });
            }
        }
        set.check_params()?;
        Ok(set)
    }

    pub(super) fn empty(loader: &Loader) -> Self {
        Self {
            loader: loader.clone(),
            members: BTreeMap::new(),
            next_member: 0,
            slots: BTreeMap::new(),
            journal: Journal::default(),
        }
    }

    fn check_params(&self) -> Result<(), PolicySetError> {
        for name in self.loader.params().keys() {
            if !self.members.values().any(|member| member.policy.params.used.contains(name)) {
                let known: Vec<String> = self
                    .members
                    .values()
                    .flat_map(|member| {
                        let policy = &member.policy;
                        policy.params.known.iter().map(|known| format!("{}.{known}", policy.info.name))
                    })
                    .collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(PolicySetError::UnknownParameter { name: name.clone(), known });
            }
        }
        Ok(())
    }

    /// Adds a component without giving it a slot.
    pub(super) fn insert(&mut self, candidate: Candidate) -> MemberId {
        let id = self.next_member;
        self.next_member += 1;
        let Candidate { policy, initial_state, log } = candidate;
        self.journal.log(None, Some(&policy.info.digest), log);
        self.members.insert(id, Member { policy, state: initial_state, loaded: true });
        id
    }

    pub(super) fn holder(&self, slot: Slot) -> Holder {
        self.slots.get(&slot).copied().unwrap_or_default()
    }

    /// SHA-256 of the component that fills `slot`, [`BUILTIN`] when none does.
    pub fn digest(&self, slot: Slot) -> &str {
        self.digest_of(self.holder(slot).now)
    }

    pub(super) fn digest_of(&self, member: Option<MemberId>) -> &str {
        member.and_then(|id| self.members.get(&id)).map_or(BUILTIN, |member| &member.policy.info.digest)
    }

    /// Why instances of its components are not pooled, when they are not (see [`Loader::pooling_refused`]).
    pub fn pooling_refused(&self) -> Option<&str> {
        self.loader.pooling_refused()
    }

    /// True when a component chooses from the whole pool, in place of weights.
    pub fn fills_selection(&self) -> bool {
        self.holder(Slot::Selection).now.is_some()
    }

    /// The loaded components in the order in which they came, each with the slots that it fills now.
    pub fn components(&self) -> Vec<ComponentInfo> {
        self.members
            .iter()
            .filter(|(_, member)| member.loaded)
            .map(|(&id, member)| ComponentInfo { slots: self.slots_of(id), ..member.policy.info.clone() })
            .collect()
    }

    pub(super) fn slots_of(&self, id: MemberId) -> Vec<Slot> {
        Slot::ALL.into_iter().filter(|&slot| self.holder(slot).now == Some(id)).collect()
    }

    /// Decisions and events since the last drain, each in the order in which they happened, as rows of `step`: what
    /// happened between two steps, loading and probing included, belongs to the step that follows.
    pub fn drain(&mut self, step: u32) -> (Vec<Decision>, Vec<Event>) {
        self.journal.drain(step)
    }

    /// Time spent in policies in microseconds since this was last asked.
    pub fn time_in_guests_us(&mut self) -> f64 {
        std::mem::take(&mut self.journal.time).as_secs_f64() * 1e6
    }

    /// Asks the component `id` and keeps its state and log.
    pub(super) fn call<T>(&mut self, slot: Slot, id: MemberId, call: Call<'_, T>) -> Option<Outcome<T>> {
        let member = self.members.get_mut(&id)?;
        let mut outcome = call(&member.policy, member.state.as_deref());
        if let Some(state) = outcome.state.take() {
            member.state = Some(state);
        }
        let log = std::mem::take(&mut outcome.log);
        self.journal.log(Some(slot), Some(&member.policy.info.digest), log);
        Some(outcome)
    }

    /// Journals the fault of the component that fills `slot` and says who is asked next under `keep-last-good`.
    pub(super) fn fault(
        &mut self,
        step: u32,
        slot: Slot,
        function: &'static str,
        id: MemberId,
        fault: &Fault,
    ) -> Result<Option<MemberId>, Stop> {
        let digest = self.digest_of(Some(id)).to_owned();
        self.push_fault(slot, id, function, fault);
        match self.loader.config().failure {
            FailureRule::Stop => Err(Stop::Fault { step, slot, function, digest, fault: fault.clone() }),
            FailureRule::BuiltIn => Ok(None),
            FailureRule::KeepLastGood => {
                let Some(good) = self.holder(slot).last_good.filter(|&good| good != id) else {
                    return Ok(None);
                };
                let holder = self.slots.entry(slot).or_default();
                (holder.now, holder.deposed) = (Some(good), Some(id));
                let good_digest = self.digest_of(Some(good)).to_owned();
                let detail = format!("the slot goes back from {digest} to {good_digest}, the last good one");
                self.journal.note(Note {
                    kind: EventKind::Swap,
                    slot: Some(slot),
                    digest: Some(good_digest),
                    reason: Some("last-good"),
                    detail,
                });
                Ok(Some(good))
            }
        }
    }

    /// Journals a fault, the guest's frames included.
    pub(super) fn push_fault(&mut self, slot: Slot, id: MemberId, place: &str, fault: &Fault) {
        let mut detail = format!("{place}: {}", fault.detail);
        if let Some(backtrace) = &fault.backtrace {
            detail.push('\n');
            detail.push_str(backtrace.trim_end());
        }
        self.journal.note(Note {
            kind: EventKind::Fault,
            slot: Some(slot),
            digest: Some(self.digest_of(Some(id)).to_owned()),
            reason: Some(fault.kind.reason()),
            detail,
        });
    }

    /// Notes that `id` answered `slot` well, and forgets components that nothing refers to any more.
    pub(super) fn answered_well(&mut self, slot: Slot, id: MemberId) {
        let holder = self.slots.entry(slot).or_default();
        if holder.last_good != Some(id) {
            holder.last_good = Some(id);
            self.forget_unused();
        }
    }

    pub(super) fn forget_unused(&mut self) {
        let slots = &self.slots;
        self.members.retain(|id, member| {
            member.loaded
                || slots.values().any(|holder| holder.now == Some(*id) || holder.last_good == Some(*id))
        });
    }
}
