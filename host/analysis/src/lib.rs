//! What the log of a run answers, without an engine: which runs there are, what one did, how several differ. Everything is
//! read from the run's directory and nothing is written there.

pub mod compare;
mod curve;
pub mod find;
pub mod list;
pub mod recorded;
pub mod show;
pub mod statistics;
mod text;
