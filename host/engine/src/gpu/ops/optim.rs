//! The optimizer.

use anyhow::Result;

use super::{At, Memory};

/// One step of AdamW (arXiv 1711.05101) on gradients that are multiplied by `scale`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamStep {
    pub(crate) scale: f32,
    pub(crate) lr: f32,
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    pub(crate) eps: f32,
    /// Learning rate times weight decay.
    pub(crate) decay: f32,
    /// 1 / (1 - beta1^step) and 1 / (1 - beta2^step).
    pub(crate) first_correction: f32,
    pub(crate) second_correction: f32,
}

/// The optimizer. Shapes in brackets are of the places named; f32 unless `act` is said, an activation.
pub(crate) trait Optim: Memory {
    /// Σ x² in f64, in an order that depends on `len` alone.
    fn sum_of_squares(&self, x: At<'_, Self::Buffer>, len: usize) -> Result<f64>;
    /// Moves master weights, moments and their rounded copy (act), `len` of each.
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn adam(
        &self,
        step: &AdamStep,
        weights: At<'_, Self::Buffer>,
        grads: At<'_, Self::Buffer>,
        first: At<'_, Self::Buffer>,
        second: At<'_, Self::Buffer>,
        rounded: At<'_, Self::Buffer>,
        len: usize,
    ) -> Result<()>;
}
