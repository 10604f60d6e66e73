//! The processor's optimizer.

use anyhow::Result;

use super::{Place, Processor};
use crate::gpu::ops::{AdamStep, Optim};

impl Optim for Processor {
    fn sum_of_squares(&self, x: Place<'_>, len: usize) -> Result<f64> {
        self.count();
        Ok((0..len).map(|index| f64::from(x.get(index)).powi(2)).sum())
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
        for index in 0..len {
            let gradient = grads.get(index) * step.scale;
            first.set(index, step.beta1 * first.get(index) + (1.0 - step.beta1) * gradient);
            second.set(index, step.beta2 * second.get(index) + (1.0 - step.beta2) * gradient * gradient);
            let (first, second) =
                (first.get(index) * step.first_correction, second.get(index) * step.second_correction);
            let weight =
                weights.get(index) * (1.0 - step.decay) - step.lr * first / (second.sqrt() + step.eps);
            weights.set(index, weight);
            rounded.set(index, weight);
        }
        Ok(())
    }
}
