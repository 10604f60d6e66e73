//! The Actor on candle: on an NVIDIA GPU the engine, and on the processor the reference that other engines are held
//! against.

mod actor;
mod decoder;
mod device;
mod layers;
mod optim;
mod rotation;
mod scores;

pub use actor::CandleActor;
pub use device::cuda;

#[cfg(test)]
mod tests;
