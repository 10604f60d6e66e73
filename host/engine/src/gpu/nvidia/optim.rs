//! A GPU's optimizer.

use anyhow::Result;
use candle_core::cuda_backend::cudarc::driver::result;

use super::kernels::{Argument, Grid, StepShape, arguments};
use super::{NvidiaGpu, Place};
use crate::gpu::ops::{AdamStep, Optim};

impl Optim for NvidiaGpu {
    fn sum_of_squares(&self, x: Place<'_>, len: usize) -> Result<f64> {
        self.count();
        let values = self.f32s(x, len)?;
        let grid = Grid::blocks(len.div_ceil(1024).clamp(1, 1024), 256);
        let partials = self.partials.address;
        self.launch("squares", grid, arguments![values, partials, len])?;
        self.launch("sum_squares", Grid::blocks(1, 256), arguments![partials, grid.blocks[0] as i32])?;
        let mut sum = [0f64];
        // SAFETY: the sum is at the start of the partial sums, which have room for it.
        unsafe { result::memcpy_dtoh_async(&mut sum, partials, self.stream.cu_stream()) }?;
        self.wait()?;
        Ok(sum[0])
    }

    fn adam(
        &self,
        step: &AdamStep,
        weights: Place<'_>,
        grads: Place<'_>,
        first: Place<'_>,
        second: Place<'_>,
        rounded: Place<'_>,
        len: usize,
    ) -> Result<()> {
        self.count();
        let (element, kernel) = self.kernel("adam", rounded)?;
        let [weights, grads, first, second] =
            [weights, grads, first, second].map(|place| self.f32s(place, len));
        let shape = Argument::Step(StepShape([
            step.scale,
            step.lr,
            step.beta1,
            step.beta2,
            step.eps,
            step.decay,
            step.first_correction,
            step.second_correction,
        ]));
        let rounded = self.address(rounded, len, element)?;
        let places = [weights?, grads?, first?, second?, rounded].map(Argument::from);
        let arguments: Vec<Argument> =
            std::iter::once(shape).chain(places).chain(std::iter::once(Argument::from(len))).collect();
        self.launch(&kernel, Grid::over(len / 4), &arguments)
    }
}
