//! A set of policies in a checkpoint.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::component::PolicySource;
use super::loader::Loader;
use super::policy_set::{Holder, Member, PolicySet};
use crate::journal::Slot;

/// What a checkpoint keeps of one component; its bytes are kept elsewhere, by digest.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySnapshot {
    /// SHA-256 of the component's bytes.
    pub digest: String,
    /// File that it was read from.
    pub path: Option<PathBuf>,
    /// Slots that it fills.
    pub slots: Vec<String>,
    /// Slots that it was the last to answer well.
    pub last_good: Vec<String>,
    /// Slots that were taken from it because it faulted.
    pub deposed: Vec<String>,
    /// False when it was swapped out and is kept as a last good one.
    pub loaded: bool,
    /// Its own state, when it keeps one.
    pub state: Option<Vec<u8>>,
}

impl PolicySet {
    /// Everything that a checkpoint needs to go on as if nothing had happened, the bytes of the components aside.
    pub fn snapshot(&self) -> Vec<PolicySnapshot> {
        let names = |is_named: &dyn Fn(Holder) -> bool| {
            let slots = Slot::ALL.into_iter().filter(|&slot| is_named(self.holder(slot)));
            slots.map(|slot| slot.as_str().to_owned()).collect()
        };
        self.members
            .iter()
            .map(|(&id, member)| PolicySnapshot {
                digest: member.policy.info.digest.clone(),
                path: member.policy.info.path.clone(),
                slots: names(&|holder| holder.now == Some(id)),
                last_good: names(&|holder| holder.last_good == Some(id)),
                deposed: names(&|holder| holder.deposed == Some(id)),
                loaded: member.loaded,
                state: member.state.clone(),
            })
            .collect()
    }

    /// A set as it was when `snapshots` were taken, each given with its component's bytes.
    ///
    /// # Errors
    /// When the bytes are not those of the digest, a component no longer loads, or a snapshot names an unknown slot.
    pub fn restore(loader: &Loader, snapshots: Vec<(PolicySnapshot, Arc<[u8]>)>) -> anyhow::Result<Self> {
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
            for slot in parse_slots(&snapshot.last_good)? {
                set.slots.entry(slot).or_default().last_good = Some(id);
            }
            for slot in parse_slots(&snapshot.deposed)? {
                set.slots.entry(slot).or_default().deposed = Some(id);
            }
        }
        Ok(set)
    }
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
