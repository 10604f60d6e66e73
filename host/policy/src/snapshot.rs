//! A set of policies in a checkpoint.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::component::PolicySource;
use super::loader::Loader;
use super::policy_set::{Holder, Member, MemberId, PolicySet};
use exgrpo_core::journal::Slot;

/// What a checkpoint keeps of one component; its bytes are kept elsewhere, by digest.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySnapshot {
    /// SHA-256 of the component's bytes.
    pub digest: String,
    /// File that it was read from.
    pub path: Option<PathBuf>,
    /// Slots that it fills.
    pub slots: Vec<String>,
    /// Functions that it has answered well since it took their slots over, as `slot.function`.
    pub answered: Vec<String>,
    /// Slots that it gets back when who took them over does not prove itself.
    pub predecessor: Vec<String>,
    /// Slots that were taken from it because it faulted.
    pub deposed: Vec<String>,
    /// False when it was swapped out and is kept as a predecessor, or stands in again.
    pub loaded: bool,
    /// Its own state, when it keeps one.
    pub state: Option<Vec<u8>>,
}

impl PolicySet {
    /// Everything that a checkpoint needs to go on as if nothing had happened, the bytes of the components aside.
    pub fn snapshot(&self) -> Vec<PolicySnapshot> {
        let names = |is_named: &dyn Fn(&Holder) -> bool| -> Vec<String> {
            let slots = Slot::ALL.into_iter().filter(|&slot| is_named(self.holder(slot)));
            slots.map(|slot| slot.as_str().to_owned()).collect()
        };
        self.members
            .iter()
            .map(|(&id, member)| PolicySnapshot {
                digest: member.policy.info.digest.clone(),
                path: member.policy.info.path.clone(),
                slots: names(&|holder| holder.now == Some(id)),
                answered: self.answered_by(id),
                predecessor: names(&|holder| holder.predecessors.contains(&id)),
                deposed: names(&|holder| holder.deposed.contains(&id)),
                loaded: member.loaded,
                state: member.state.clone(),
            })
            .collect()
    }

    fn answered_by(&self, id: MemberId) -> Vec<String> {
        let slots = self.slots_of(id).into_iter();
        slots
            .flat_map(|slot| {
                let functions = self.holder(slot).answered.iter();
                functions.map(move |function| format!("{}.{function}", slot.as_str()))
            })
            .collect()
    }

    /// A set as it was when `snapshots` were taken, each given with its component's bytes, and the names of the
    /// [emptied slots](PolicySet::emptied_slots).
    ///
    /// # Errors
    /// When the bytes are not those of the digest, a component no longer loads, or a snapshot names an unknown slot.
    pub fn restore(
        loader: &Loader,
        snapshots: Vec<(PolicySnapshot, Arc<[u8]>)>,
        emptied: &[String],
    ) -> anyhow::Result<Self> {
        let mut set = Self::empty(loader);
        for (snapshot, bytes) in snapshots {
            let source = PolicySource { path: snapshot.path.clone(), bytes };
            // What it logs here it logs again, into the journal, in each call's instance: in the events of a resumed run
            // it would be what an unbroken one does not have.
            let candidate = loader
                .load(&source, &mut Vec::new())
                .with_context(|| format!("can't restore the policy {}", snapshot.digest))?;
            if candidate.policy.info.digest != snapshot.digest {
                anyhow::bail!(
                    "the checkpoint names the policy {}, the bytes given for it are {}",
                    snapshot.digest,
                    candidate.policy.info.digest
                );
            }
            let id = set.next_member;
            set.next_member += 1;
            let member = Member { policy: candidate.policy, state: snapshot.state, loaded: snapshot.loaded };
            set.members.insert(id, member);
            for slot in parse_slots(&snapshot.slots)? {
                set.slots.entry(slot).or_default().now = Some(id);
            }
            for name in &snapshot.answered {
                let (slot, function) = parse_function(name)?;
                set.slots.entry(slot).or_default().answered.insert(function);
            }
            // Members come in the order in which they took over, and so do predecessors.
            for slot in parse_slots(&snapshot.predecessor)? {
                set.slots.entry(slot).or_default().predecessors.push(id);
            }
            for slot in parse_slots(&snapshot.deposed)? {
                set.slots.entry(slot).or_default().deposed.push(id);
            }
        }
        for slot in parse_slots(emptied)? {
            set.slots.entry(slot).or_default().emptied = true;
        }
        Ok(set)
    }
}

fn parse_function(name: &str) -> anyhow::Result<(Slot, &'static str)> {
    let find = |slot: &str, function: &str| {
        let slot = Slot::ALL.into_iter().find(|known| known.as_str() == slot)?;
        Some((slot, *slot.functions().iter().find(|known| **known == function)?))
    };
    name.split_once('.')
        .and_then(|(slot, function)| find(slot, function))
        .with_context(|| format!("unknown function `{name}` in a policy snapshot"))
}

fn parse_slots(names: &[String]) -> anyhow::Result<Vec<Slot>> {
    names
        .iter()
        .map(|name| {
            let found = Slot::ALL.into_iter().find(|slot| slot.as_str() == name);
            found.with_context(|| format!("unknown slot `{name}` in a policy snapshot"))
        })
        .collect()
}
