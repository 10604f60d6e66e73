//! exgrpo: a research sandbox for learning from experience.

pub mod batch;
pub mod changes;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod control;
pub mod curriculum;
pub mod dataset;
pub mod eval;
pub mod identity;
pub mod metrics;
pub mod model_source;
pub mod pretrain;
pub mod prompt;
pub mod rollout;
pub mod run;
pub mod select;
pub mod swap_journal;
pub mod task;
pub mod tokenizer;
pub mod update;
pub mod verify;

#[cfg(test)]
use exgrpo_core::fuzz;
pub use exgrpo_core::{
    atomic, bounded, columns, contain, escape, journal, rng, rundir, sealed, share, signals, types,
};

pub use exgrpo_engine as model;
pub use exgrpo_engine::objective;
pub use exgrpo_log as log;
pub use exgrpo_log::parquet_footer;
pub use exgrpo_policy as guest;
pub use exgrpo_policy::builtin;
pub use exgrpo_pool as pool;

#[global_allocator]
static ALLOCATOR: exgrpo_core::allocator::Accounting = exgrpo_core::allocator::Accounting;
