//! exgrpo: a research sandbox for learning from experience.

pub mod builtin;
pub mod columns;
pub mod guest;
pub mod journal;
pub mod log;
pub mod model;
pub mod types;
