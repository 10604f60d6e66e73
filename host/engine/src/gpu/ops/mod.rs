//! What the engine asks of a device: allocations, transfers and the operations that its passes are made of. The passes
//! are written once over this trait; a GPU and the processor implement it.
//!
//! Letters: N rows (tokens of a batch), B sequences, T positions of the longest, K key heads, R query heads that share a
//! key head, D a head's width, V the vocabulary. Matrices are row-major. An *activation* is of the engine's precision, f32
//! or bf16; every operation computes in f32 and rounds what it stores. All operations of a device happen in the order
//! in which they are asked for, and none depends on what is in memory beyond the places that it names.

mod attention;
mod memory;
mod optim;
mod rows;
mod tokens;

pub(crate) use attention::{Attention, Caches, Decode, Heads, Softmax};
pub(crate) use memory::Memory;
pub(crate) use optim::{AdamStep, Optim};
pub(crate) use rows::{Norm, Product, Rows};
pub(crate) use tokens::{Draw, Drawn, Tokens};

/// What a buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    Bf16,
    U32,
}

impl Element {
    /// Bytes of one.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 | Self::U32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// A device has less room than a buffer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the GPU has no room for {:.2} GB: {:.2} of {:.2} GB are free",
    *asked as f64 / 1e9, *free as f64 / 1e9, *total as f64 / 1e9
)]
pub(crate) struct OutOfMemory {
    pub(crate) asked: usize,
    pub(crate) free: usize,
    pub(crate) total: usize,
}

/// A place in a buffer: an offset in elements.
pub(crate) struct At<'a, B> {
    pub(crate) buffer: &'a B,
    pub(crate) offset: usize,
}

impl<B> Clone for At<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for At<'_, B> {}

impl<B> At<'_, B> {
    /// `by` elements further on.
    pub(crate) fn plus(self, by: usize) -> Self {
        Self { offset: self.offset + by, ..self }
    }
}

/// Two places: cosines and sines, or keys and values.
pub(crate) type Pair<'a, B> = (At<'a, B>, At<'a, B>);

/// The start of a buffer.
pub(crate) fn at<B>(buffer: &B) -> At<'_, B> {
    At { buffer, offset: 0 }
}

/// A device: everything that the passes ask for.
pub(crate) trait Device: Rows + Attention + Tokens + Optim {}

impl<D: Rows + Attention + Tokens + Optim> Device for D {}
