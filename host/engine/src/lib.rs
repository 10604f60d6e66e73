//! The Actor: the network being trained. One decoder for all families, which differ by options
//! ([`Variations`]); training forward and decoding kept apart.
//!
//! Stages outside this module see the seam below and nothing of tensors: token ids go in, log-probs and entropies
//! come out as plain columns, and the derivative of the loss with respect to those columns goes back in.

mod actor;
mod architecture;
mod batch;
#[cfg(feature = "candle")]
pub mod candle;
mod config;
mod config_family;
mod config_file;
mod config_keys;
pub mod cpu;
mod errors;
mod fused;
mod gpu;
pub mod lora;
pub mod objective;
mod optim;
mod rope;
mod rope_file;
mod sampler;
mod tensor_file;
mod traits;
mod variations;
mod weights;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use exgrpo_core::types::TokenId;

pub use actor::{Actor, check_gpu};
pub use architecture::Architecture;
pub use batch::micro_batches;
pub use config::{ModelConfig, ModelConfigError, ParameterShape};
pub use config_keys::shown;
pub use errors::message_of_candle;
pub use optim::Update;
pub use rope::{Llama3Rope, LongRope, RopeScaling, YarnRope};
pub use tensor_file::{NamedTensor, TensorFileError, is_plain_name};
pub use traits::{Capabilities, Sampler, Scorer, Trainer};
pub use variations::{Activation, LayerAttention, Rotation, Variations};
pub use weights::{WEIGHTS_FILE, WEIGHTS_INDEX_FILE, Weights};

/// What a product's operands are rounded to; sums are in f32 always, and so are the weights that the optimizer moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Not rounded.
    #[default]
    F32,
    /// bfloat16: 8 bits of mantissa, in products with weights; for processors with AVX512_BF16.
    Bf16,
}

/// One sequence of a forward pass. Only completion tokens are scored. Consecutive sequences with an equal prompt
/// form a group, so that an engine can compute the prompt once.
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    /// Prompt token ids, at least one.
    pub prompt: &'a [TokenId],
    /// Completion token ids, at least one.
    pub completion: &'a [TokenId],
}

/// What a forward pass says of the completion tokens of a batch, in the batch's order, one entry a token.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scores {
    /// Log-probability of each completion token under the current weights, over the whole vocabulary at the temperature
    /// that was asked for (1 unless it was another). `[ΣT]`
    pub logprobs: Vec<f32>,
    /// Entropy in nats of that distribution at each completion token. `[ΣT]`
    pub entropies: Vec<f32>,
}

/// Derivative of the loss with respect to [`Scores`], same shapes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoreGrads {
    /// ∂loss/∂logprobs. `[ΣT]`
    pub logprobs: Vec<f32>,
    /// ∂loss/∂entropies. `[ΣT]`
    pub entropies: Vec<f32>,
}

/// How completions are sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// Divides the logits before sampling; 0 picks the likeliest token.
    pub temperature: f32,
    /// Temperature of the distribution over the whole vocabulary that log-probs and entropies are recorded of, above 0.
    pub score_temperature: f32,
    /// Smallest set of likeliest tokens whose probability reaches this much is drawn from; 1 draws from all.
    pub top_p: f32,
    /// Most tokens a completion can have, the stop token included.
    pub max_new_tokens: usize,
    /// Tokens that end a completion. They are part of it.
    pub stop_ids: Vec<TokenId>,
}

/// Completions wanted for one prompt: one a stream. A completion depends on its own stream alone, not on what else
/// is in the batch.
#[derive(Debug, Clone)]
pub struct SampleRequest<'a> {
    /// Prompt token ids, at least one.
    pub prompt: &'a [TokenId],
    /// One generator a completion.
    pub streams: Vec<ChaCha8Rng>,
}

/// Memory of a device, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Allocated now.
    pub now: usize,
    /// The most that was allocated at once.
    pub most: usize,
    /// What the device has.
    pub total: usize,
}

/// AdamW's constants (Loshchilov & Hutter, arXiv 1711.05101).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the square root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay, applied to matrices only, not to norms and biases.
    pub weight_decay: f64,
}
