//! Memory of a device, and moving values.

use anyhow::Result;

use super::{At, Element};

/// Memory of a device, and moving values.
pub(crate) trait Memory: Send {
    type Buffer: Send;

    /// Memory of `len` elements, all 0.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn alloc(&self, element: Element, len: usize) -> Result<Self::Buffer>;
    /// Bytes that the device has in all.
    fn total_memory(&self) -> usize;
    /// Bytes that are allocated now, and the most that were at once.
    fn allocated(&self) -> (usize, usize);
    /// Operations asked for since the device was opened, transfers included.
    #[cfg(test)]
    fn launches(&self) -> u64;
    /// Host to device; `to` is f32 or an activation, which rounds.
    fn write(&self, values: &[f32], to: At<'_, Self::Buffer>) -> Result<()>;
    fn write_ids(&self, values: &[u32], to: At<'_, Self::Buffer>) -> Result<()>;
    /// Device to host, after everything asked for before; from f32 or an activation.
    fn read(&self, from: At<'_, Self::Buffer>, len: usize) -> Result<Vec<f32>>;
    fn read_ids(&self, from: At<'_, Self::Buffer>, len: usize) -> Result<Vec<u32>>;
    fn zero(&self, place: At<'_, Self::Buffer>, len: usize) -> Result<()>;
    /// Between buffers of one type.
    fn copy(&self, from: At<'_, Self::Buffer>, to: At<'_, Self::Buffer>, len: usize) -> Result<()>;
    /// f32 to act.
    fn round(&self, from: At<'_, Self::Buffer>, to: At<'_, Self::Buffer>, len: usize) -> Result<()>;
}
