//! The Actor on candle: on an NVIDIA GPU the engine, and on the processor the reference that other engines are held
//! against.

mod actor;
mod decoder;
#[cfg(feature = "cuda")]
mod device;
mod layers;
mod optim;
mod rotation;
mod scores;

pub use actor::CandleActor;
#[cfg(feature = "cuda")]
pub use device::cuda;

#[cfg(test)]
mod tests;
