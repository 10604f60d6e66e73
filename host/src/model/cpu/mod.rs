//! Engine of our own for processors: hand-written forward and backward passes in f32 on preallocated buffers.

#[cfg(test)]
mod bench;
mod kernel;
mod product;
