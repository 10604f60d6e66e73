//! The task that ships with exgrpo, and how its base model is made.

pub mod arithmetic;
pub mod pretrain;
