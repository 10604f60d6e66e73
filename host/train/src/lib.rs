//! What a run is: its configuration, datasets, stages, steps, checkpoints and evaluations.

pub mod batch;
pub mod changes;
pub mod checkpoint;
pub mod config;
pub mod control;
pub mod curriculum;
pub mod dataset;
pub mod eval;
pub mod identity;
pub mod metrics;
pub mod pretrain;
pub mod rollout;
pub mod run;
pub mod select;
pub mod swap_journal;
pub mod task;
pub mod trained;
pub mod update;
pub mod verify;

// Tests of budgets need the account that a program's allocator keeps.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: exgrpo_core::allocator::Accounting = exgrpo_core::allocator::Accounting;
