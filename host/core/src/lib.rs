//! Nouns that every part of exgrpo shares: rollouts, columns, slots and events, random streams, files that are whole or not
//! there, digests, and what keeps others' data and code within bounds.
//!
//! Nothing here knows of models, policies, tables or configurations.

pub mod allocator;
pub mod atomic;
#[cfg(any(test, feature = "testing"))]
pub mod blessed;
pub mod bounded;
pub mod columns;
pub mod contain;
pub mod escape;
#[cfg(any(test, feature = "testing"))]
#[allow(clippy::print_stdout, clippy::unwrap_used, reason = "for tests")]
pub mod fuzz;
pub mod journal;
pub mod rng;
pub mod rundir;
pub mod sealed;
pub mod share;
pub mod signals;
pub mod types;

// Tests of budgets need the account that a program's allocator keeps.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: allocator::Accounting = allocator::Accounting;
