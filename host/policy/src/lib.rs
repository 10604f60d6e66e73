//! Running policies: the only place that names wasmtime.
//!
//! A policy is a WebAssembly component that exports some of the interfaces in `guest-sdk/wit`, each of which fills a
//! [`Slot`](exgrpo_core::journal::Slot). [`Loader::prepare`] turns bytes into a [`Candidate`]: it checks the size, encodes a
//! core module into a component, compiles, links (a policy may import its log and nothing else: no files, no clock, no
//! network), hands over the parameters and tries every function on a sample of the live pool. A [`PolicySet`] asks the
//! component that fills a slot, or the [built-in default](crate::builtin) where none does.
//!
//! Rules that hold for every call:
//!
//! * It runs in a fresh instance under a budget of fuel, which counts Wasm instructions and is therefore the same on
//!   every machine, with limits on memory, stack and the size of the answer. Wall time is a backstop only.
//! * A policy is a function of its arguments. One that needs memory exports `state`: it is given its state before each
//!   call and asked for it after, and the state goes into checkpoints.
//! * Whatever is returned is checked before anyone uses it.
//! * A [`Fault`] is data: it is journalled with the digest and the guest's frames, then [`FailureRule`] decides who
//!   answers instead.

mod answers;
mod bindings;
pub mod builtin;
mod calls;
pub mod compile;
mod component;
mod config;
mod engine;
mod error;
mod file;
mod inputs;
mod journal;
mod lengths;
mod loader;
mod params;
mod policy_set;
mod probe;
mod slot_table;
mod snapshot;
mod store;
mod swap;
mod validate;
mod verdicts;
mod verify;

use exgrpo_core::types::Verdict;

pub use answers::Answered;
pub use bindings::INTERFACE;
pub use component::{ComponentInfo, PolicySource};
pub use config::{FailureRule, GuestConfig};
pub use error::{Fault, FaultKind, PolicySetError, Reject, Stop};
pub use file::{PolicyFileError, read_policy_file};
pub use loader::{Candidate, Loader};
pub use policy_set::PolicySet;
pub use probe::{CallCost, Probe};
pub use snapshot::PolicySnapshot;
pub use store::LogLine;

/// One response to be verified.
pub use exgrpo_guest_sdk::Request as VerifyRequest;

/// What came of one [`VerifyRequest`].
#[derive(Debug, Clone, PartialEq)]
pub struct VerifyResult {
    /// The verdict; `OutOfBudget` and faults' `Unscorable` are the host's word.
    pub verdict: Verdict,
    /// Finite when the verdict is scored, NaN otherwise: such a row has no reward, not reward 0.
    pub reward: f32,
    /// Extracted answer, when the verifier reports one.
    pub answer: Option<String>,
    /// Fuel that the answer took; 0 for the built-in verifier.
    pub fuel: u64,
}
