//! exgrpo: a research sandbox for learning from experience.

pub mod atomic;
pub mod cli;
pub mod columns;
pub mod config;
pub mod dataset;
pub mod guest;
pub mod journal;
pub mod log;
pub mod model;
pub mod model_source;
pub mod objective;
pub mod pool;
pub mod pretrain;
pub mod rng;
pub mod task;
pub mod tokenizer;
pub mod rundir;
pub mod types;
