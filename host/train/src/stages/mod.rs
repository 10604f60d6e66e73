//! The stages of a step, in the order of the data: a plan of groups, completions, verdicts and advantages, what they change
//! in the pool, mini-batches, updates. Each answers with what it did; metrics and rows are made from that.

pub mod batch;
pub mod changes;
pub mod curriculum;
pub mod rollout;
pub mod select;
pub mod update;
pub mod verify;
