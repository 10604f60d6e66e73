//! What an optimizer step reports, and AdamW's state as a file.

use std::path::Path;

use super::config::ModelConfig;
use super::tensor_file::{NamedTensor, TensorFile, TensorFileError, write_tensors};
use super::weights::{largest_file, refuse_unexpected, take_parameters};

/// What [`super::Trainer::apply`] did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// Global L2 norm of the accumulated gradient before clipping.
    pub grad_norm: f64,
    /// False when the norm was not finite: weights and moments stayed as they were, the gradient is zeroed.
    pub applied: bool,
}

/// AdamW's moments on the host; parameters in the order of [`ModelConfig::parameter_shapes`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OptimState {
    pub(super) step: u64,
    pub(super) first: Vec<NamedTensor>,
    pub(super) second: Vec<NamedTensor>,
}

const FIRST: &str = "first_moment.";
const SECOND: &str = "second_moment.";
const STEP: &str = "step";

/// Factor that clips a gradient of norm `grad_norm` to `max_norm`, as PyTorch's `clip_grad_norm_` has it:
/// min(1, max_norm / (grad_norm + 1e-6)).
pub(super) fn clip_factor(grad_norm: f64, max_norm: f64) -> f64 {
    (max_norm / (grad_norm + 1e-6)).min(1.0)
}

impl OptimState {
    pub(super) fn save(mut self, path: &Path) -> Result<(), TensorFileError> {
        for (tensors, prefix) in [(&mut self.first, FIRST), (&mut self.second, SECOND)] {
            for tensor in tensors {
                tensor.name.insert_str(0, prefix);
            }
        }
        write_tensors(path, self.first.iter().chain(&self.second), (STEP, self.step.to_string()))
    }

    pub(super) fn load(path: &Path, config: &ModelConfig) -> Result<Self, TensorFileError> {
        let mut file = TensorFile::read(path, 2 * largest_file(config))?;
        let name = path.display().to_string();
        let step = file.metadata.get(STEP).and_then(|step| step.parse().ok());
        let step = step.ok_or_else(|| TensorFileError::Tensor {
            file: name.clone(),
            reason: format!("the metadata has no number `{STEP}`, is it an optimizer's state?"),
        })?;
        let first = take_parameters(&mut file, &name, FIRST, config)?;
        let second = take_parameters(&mut file, &name, SECOND, config)?;
        refuse_unexpected(&file, &name)?;
        Ok(Self { step, first, second })
    }
}
