//! The device's operations on the processor, each written as its definition says. The reference that a GPU's kernels
//! are compared with, and what the engine's passes are tested on where there is no GPU. bf16 is f32 that is rounded
//! whenever it is stored.

mod attention;
mod optim;
mod rows;
mod tokens;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use anyhow::{Result, bail};

use super::ops::{At, Element, Memory, OutOfMemory};

/// The processor as a [`Device`].
#[derive(Debug)]
pub(crate) struct Processor {
    memory: usize,
    launches: AtomicU64,
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct Account {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Elements of 32 bits, f32 or u32; a bf16 is an f32 whose lower half is 0.
#[derive(Debug)]
pub(crate) struct Buffer {
    element: Element,
    words: Vec<Cell<u32>>,
    account: Arc<Account>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.account.now.fetch_sub(self.words.len() * self.element.size(), Relaxed);
    }
}

type Place<'a> = At<'a, Buffer>;

impl Place<'_> {
    fn get(self, index: usize) -> f32 {
        f32::from_bits(self.buffer.words[self.offset + index].get())
    }

    fn set(self, index: usize, value: f32) {
        let value = if self.buffer.element == Element::Bf16 { to_bf16(value) } else { value };
        self.buffer.words[self.offset + index].set(value.to_bits());
    }

    fn add(self, index: usize, value: f32) {
        self.set(index, self.get(index) + value);
    }

    fn id(self, index: usize) -> usize {
        self.buffer.words[self.offset + index].get() as usize
    }

    fn set_id(self, index: usize, id: u32) {
        self.buffer.words[self.offset + index].set(id);
    }

    fn values(self, len: usize) -> Vec<f32> {
        self.buffer.words[self.offset..][..len].iter().map(|word| f32::from_bits(word.get())).collect()
    }
}

/// Rounded to the nearest bf16, ties to even.
pub(super) fn to_bf16(value: f32) -> f32 {
    if value.is_nan() {
        return value;
    }
    let bits = value.to_bits();
    f32::from_bits((bits.wrapping_add(0x7fff + ((bits >> 16) & 1))) & 0xffff_0000)
}

impl Default for Processor {
    /// With as much memory as a small GPU has.
    fn default() -> Self {
        Self::with_memory(8 << 30)
    }
}

impl Processor {
    /// A device that claims to have `memory` bytes.
    pub(super) fn with_memory(memory: usize) -> Self {
        Self { memory, launches: AtomicU64::new(0), account: Arc::default() }
    }

    fn count(&self) {
        self.launches.fetch_add(1, Relaxed);
    }
}

impl Memory for Processor {
    type Buffer = Buffer;

    fn alloc(&self, element: Element, len: usize) -> Result<Buffer> {
        let bytes = len * element.size();
        let free = self.memory.saturating_sub(self.account.now.load(Relaxed));
        if bytes > free {
            bail!(OutOfMemory { asked: bytes, free, total: self.memory });
        }
        let now = self.account.now.fetch_add(bytes, Relaxed) + bytes;
        self.account.most.fetch_max(now, Relaxed);
        Ok(Buffer { element, words: vec![Cell::new(0); len], account: self.account.clone() })
    }

    fn total_memory(&self) -> usize {
        self.memory
    }

    fn allocated(&self) -> (usize, usize) {
        (self.account.now.load(Relaxed), self.account.most.load(Relaxed))
    }

    #[cfg(test)]
    fn launches(&self) -> u64 {
        self.launches.load(Relaxed)
    }

    fn write(&self, values: &[f32], to: Place<'_>) -> Result<()> {
        self.count();
        values.iter().enumerate().for_each(|(index, value)| to.set(index, *value));
        Ok(())
    }

    fn write_ids(&self, values: &[u32], to: Place<'_>) -> Result<()> {
        self.count();
        values.iter().enumerate().for_each(|(index, id)| to.set_id(index, *id));
        Ok(())
    }

    fn read(&self, from: Place<'_>, len: usize) -> Result<Vec<f32>> {
        self.count();
        Ok(from.values(len))
    }

    fn read_ids(&self, from: Place<'_>, len: usize) -> Result<Vec<u32>> {
        self.count();
        Ok(from.buffer.words[from.offset..][..len].iter().map(Cell::get).collect())
    }

    fn zero(&self, place: Place<'_>, len: usize) -> Result<()> {
        self.count();
        place.buffer.words[place.offset..][..len].iter().for_each(|word| word.set(0));
        Ok(())
    }

    fn copy(&self, from: Place<'_>, to: Place<'_>, len: usize) -> Result<()> {
        self.round(from, to, len)
    }

    fn round(&self, from: Place<'_>, to: Place<'_>, len: usize) -> Result<()> {
        self.count();
        (0..len).for_each(|index| to.set(index, from.get(index)));
        Ok(())
    }
}
