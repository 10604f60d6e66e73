//! What a run is: its configuration, datasets, stages, steps, checkpoints and evaluations.

pub mod checkpoint;
pub mod config;
pub mod control;
pub mod dataset;
pub mod default_task;
pub mod eval;
pub mod identity;
pub mod metrics;
pub mod run;
pub mod stages;
pub mod trained;

// Tests of budgets need the account that a program's allocator keeps.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: exgrpo_core::allocator::Accounting = exgrpo_core::allocator::Accounting;
