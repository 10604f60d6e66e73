//! Which component answers for which slot, and the journal of what they said.
//!
//! # Faults
//!
//! When a component faults in a call, the fault is journalled and, by the run's [`FailureRule`]:
//!
//! * `keep-last-good`: if the component has not proven itself and took the slot from another one, the slot goes back to
//!   that predecessor for good and it answers this call, with its own predecessor and the built-in default behind it.
//!   A component has proven itself in a slot once it has answered every function of the slot well since it took over:
//!   one that answers `row-weights` and always traps in `bucket-weights` does not keep the slot. Otherwise the built-in
//!   default answers this one call and the component keeps the slot.
//! * `built-in`: the built-in default answers this one call and the component keeps the slot.
//! * `stop`: the call is an error.
//!
//! Verification is different in two ways. A fault costs the row that caused it, whatever the rule: `OutOfBudget` when
//! fuel, time or memory ran out, `Unscorable` otherwise. Only when no row of several was answered is that the
//! component's fault and the rule applies; and where `keep-last-good` finds no other component, the rows stay as they
//! are, because the built-in verifier's rules are other rules and its `incorrect` would be a wrong reward.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::calls::{Call, Outcome};
use super::component::{ComponentInfo, GuestPolicy};
use super::config::FailureRule;
use super::error::{Fault, PolicySetError, Stop};
use super::journal::{Journal, Note};
use super::loader::{Candidate, Loader};
use exgrpo_core::journal::{BUILTIN, Decision, Event, EventKind, Slot};

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
    /// False for one that was swapped out and is kept as a predecessor, or stands in again.
    pub(super) loaded: bool,
}

/// Who answers for a slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Holder {
    /// `None` for the built-in default.
    pub(super) now: Option<MemberId>,
    /// Functions that `now` has answered well since it took over.
    pub(super) answered: BTreeSet<&'static str>,
    /// Who had the slot before and gets it back when `now` faults, the latest last. Empty once `now` has proven itself.
    pub(super) predecessors: Vec<MemberId>,
    /// Components that the slot was taken from because they faulted; their files' next versions may have it back.
    pub(super) deposed: Vec<MemberId>,
    /// True when somebody emptied the slot: then it stays empty until somebody asks for a component that fills it.
    pub(super) emptied: bool,
}

/// A slot that nobody ever filled.
static BUILT_IN: Holder = Holder {
    now: None,
    answered: BTreeSet::new(),
    predecessors: Vec::new(),
    deposed: Vec::new(),
    emptied: false,
};

/// Most predecessors of a slot's holder that are kept. Several wait only where none has proven itself, as when replay
/// has not begun.
const MAX_PREDECESSORS: usize = 4;

impl Holder {
    /// The holder after `id` took over from this one.
    pub(super) fn taken_over_by(&self, id: MemberId) -> Self {
        let mut predecessors = self.predecessors.clone();
        // One that was never asked says nothing about itself; those behind it are the better choice.
        let is_known = !self.answered.is_empty() || predecessors.is_empty();
        predecessors.extend(self.now.filter(|_| is_known));
        if predecessors.len() > MAX_PREDECESSORS {
            // The first is the one that has proven itself, if any has.
            predecessors.remove(1);
        }
        Self { now: Some(id), predecessors, ..Self::default() }
    }
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
        set.note_override();
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
        let Candidate { policy, initial_state, log, .. } = candidate;
        self.journal.log(None, Some(&policy.info.digest), log);
        self.members.insert(id, Member { policy, state: initial_state, loaded: true });
        id
    }

    pub(super) fn holder(&self, slot: Slot) -> &Holder {
        self.slots.get(&slot).unwrap_or(&BUILT_IN)
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
                let holder = self.slots.entry(slot).or_default();
                let Some(good) = holder.predecessors.pop() else { return Ok(None) };
                holder.now = Some(good);
                holder.answered.clear();
                holder.deposed.push(id);
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

    /// Notes that the holder of `slot` answered `function` well, and lets its predecessors go once it has proven itself.
    pub(super) fn answered_well(&mut self, slot: Slot, function: &'static str) {
        let holder = self.slots.entry(slot).or_default();
        let is_new = holder.answered.insert(function);
        let has_proven = slot.functions().iter().all(|function| holder.answered.contains(function));
        if is_new && has_proven && !holder.predecessors.is_empty() {
            holder.predecessors.clear();
            self.forget_unused();
        }
    }

    pub(super) fn forget_unused(&mut self) {
        let slots = &self.slots;
        self.members.retain(|id, member| {
            let stands = |holder: &Holder| holder.now == Some(*id) || holder.predecessors.contains(id);
            member.loaded || slots.values().any(stands)
        });
    }
}
