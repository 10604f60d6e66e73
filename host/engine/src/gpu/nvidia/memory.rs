//! Memory of a GPU, and moving values.

use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context as _, Result};
use candle_core::cuda_backend::cudarc::driver::result;

use super::kernels::{Grid, arguments};
use super::{Buffer, NvidiaGpu, Place, allocate};
use crate::gpu::ops::{Element, Memory};

impl NvidiaGpu {
    /// Waits until everything asked for is done.
    pub(super) fn wait(&self) -> Result<()> {
        self.stream.synchronize().context("the GPU failed")
    }
}

impl Memory for NvidiaGpu {
    type Buffer = Buffer;

    fn alloc(&self, element: Element, len: usize) -> Result<Buffer> {
        allocate(&self.stream, element, len, self.account.clone())
    }

    fn total_memory(&self) -> usize {
        self.total
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
        if values.is_empty() {
            return Ok(());
        }
        let element = to.buffer.element;
        let address = self.address(to, values.len(), element)?;
        self.stream.context().bind_to_thread()?;
        // SAFETY: the place is as long as the values, which outlive the copy: it is waited for.
        match element {
            Element::Bf16 => {
                let rounded: Vec<u16> = values.iter().map(|value| to_bf16(*value)).collect();
                unsafe { result::memcpy_htod_async(address, &rounded, self.stream.cu_stream()) }?;
                self.wait()
            }
            _ => {
                unsafe { result::memcpy_htod_async(address, values, self.stream.cu_stream()) }?;
                self.wait()
            }
        }
    }

    fn write_ids(&self, values: &[u32], to: Place<'_>) -> Result<()> {
        self.count();
        if values.is_empty() {
            return Ok(());
        }
        let address = self.ids(to, values.len())?;
        self.stream.context().bind_to_thread()?;
        // SAFETY: the place is as long as the values; the driver has copied them out of memory that may be paged when it
        // returns.
        unsafe { result::memcpy_htod_async(address, values, self.stream.cu_stream()) }
            .context("the GPU can't be written to")
    }

    fn read(&self, from: Place<'_>, len: usize) -> Result<Vec<f32>> {
        self.count();
        let element = from.buffer.element;
        let address = self.address(from, len, element)?;
        self.stream.context().bind_to_thread()?;
        if len == 0 {
            return Ok(Vec::new());
        }
        if element == Element::Bf16 {
            let mut values = vec![0u16; len];
            // SAFETY: both sides are as long; the values are read after the stream has been waited for.
            unsafe { result::memcpy_dtoh_async(&mut values, address, self.stream.cu_stream()) }?;
            self.wait()?;
            return Ok(values.into_iter().map(|value| f32::from_bits(u32::from(value) << 16)).collect());
        }
        let mut values = vec![0f32; len];
        // SAFETY: the same.
        unsafe { result::memcpy_dtoh_async(&mut values, address, self.stream.cu_stream()) }?;
        self.wait()?;
        Ok(values)
    }

    fn read_ids(&self, from: Place<'_>, len: usize) -> Result<Vec<u32>> {
        self.count();
        let address = self.ids(from, len)?;
        let mut values = vec![0u32; len];
        if len > 0 {
            self.stream.context().bind_to_thread()?;
            // SAFETY: both sides are as long; the values are read after the stream has been waited for.
            unsafe { result::memcpy_dtoh_async(&mut values, address, self.stream.cu_stream()) }?;
            self.wait()?;
        }
        Ok(values)
    }

    fn zero(&self, place: Place<'_>, len: usize) -> Result<()> {
        self.count();
        let element = place.buffer.element;
        let address = self.address(place, len, element)?;
        if len == 0 {
            return Ok(());
        }
        self.stream.context().bind_to_thread()?;
        // SAFETY: the place is as long.
        unsafe { result::memset_d8_async(address, 0, len * element.size(), self.stream.cu_stream()) }
            .context("the GPU can't zero memory")
    }

    fn copy(&self, from: Place<'_>, to: Place<'_>, len: usize) -> Result<()> {
        self.count();
        let element = from.buffer.element;
        let (source, target) = (self.address(from, len, element)?, self.address(to, len, element)?);
        if len == 0 || source == target {
            return Ok(());
        }
        self.stream.context().bind_to_thread()?;
        // SAFETY: both places are as long.
        unsafe { result::memcpy_dtod_async(target, source, len * element.size(), self.stream.cu_stream()) }
            .context("the GPU can't copy memory")
    }

    fn round(&self, from: Place<'_>, to: Place<'_>, len: usize) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("round", to)?;
        let (source, target) = (self.f32s(from, len)?, self.address(to, len, element)?);
        self.launch(&kernel, Grid::over(len), arguments![source, target, len])
    }
}

/// To the nearest bf16, ties to even.
fn to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}
