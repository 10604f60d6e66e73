//! What a policy sees of questions and stored trajectories, and what it answers: the nouns of guest-sdk, which native
//! code shares with policies in Wasm.

/// What the retirement slot says of a question; a decision of the log is another thing.
pub use exgrpo_guest_sdk::Decision as Retirement;
pub use exgrpo_guest_sdk::{BucketInfo, Column, Level, ProblemColumns, TrajectoryColumns};
