//! The Actor on candle: the path on CUDA, and on the CPU the reference that other engines are held against.

mod actor;
mod decoder;
mod layers;
mod optim;
mod scores;

pub use actor::CandleActor;

#[cfg(test)]
mod tests;
