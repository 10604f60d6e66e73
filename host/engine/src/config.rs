//! The shape of an Actor, with the names of a Hugging Face `config.json`, and the parameters that follow from it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::architecture::Architecture;
use super::config_file::ConfigFile;
use super::config_keys;
use super::rope::RopeScaling;
use super::variations::{Rotation, Variations};
use exgrpo_core::bounded;

/// Shape of a decoder. Read from and written as a Hugging Face `config.json`; a value of this type is valid
/// when it came from one, [`ModelConfig::validate`] checks one that was built by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ConfigFile", into = "ConfigFile")]
pub struct ModelConfig {
    /// Family of the decoder.
    pub architecture: Architecture,
    /// Number of token ids, V.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the gated feed-forward layer.
    pub intermediate_size: usize,
    /// Number of decoder layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Width of a head, even.
    pub head_dim: usize,
    /// Added to the mean square inside every RMS norm.
    pub rms_norm_eps: f64,
    /// Base of the rotary embedding's wavelengths.
    pub rope_theta: f64,
    /// Stretching of the rotary embedding, if any.
    pub rope_scaling: Option<RopeScaling>,
    /// Most tokens in a sequence, prompt and completion together.
    pub max_position_embeddings: usize,
    /// True when the embedding is the output head as well.
    pub tie_word_embeddings: bool,
    /// Biases on the query, key, value and output projections (Qwen2 has its own rule).
    pub attention_bias: bool,
    /// What the family does otherwise than Llama.
    pub variations: Variations,
}

/// Why a model configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelConfigError {
    /// The file can't be read.
    #[error("can't read the model configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The text isn't a JSON object.
    #[error("can't use the model configuration {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        #[source]
        source: serde_json::Error,
    },
    /// A kind of model that isn't supported.
    #[error("model configuration: {0}")]
    Unsupported(String),
    /// Numbers that don't fit together.
    #[error("model configuration: {0}")]
    Invalid(String),
}

/// A parameter of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterShape {
    /// Hugging Face tensor name, `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// Dimensions; matrices are `[out, in]`.
    pub shape: Vec<usize>,
}

impl ParameterShape {
    /// Number of values.
    pub fn num_values(&self) -> usize {
        self.shape.iter().product()
    }

    /// True for the projections and the embedding, the only parameters that weight decay touches.
    pub fn is_matrix(&self) -> bool {
        self.shape.len() > 1
    }
}

impl ModelConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// The file can't be read, or what [`ModelConfig::validate`] says of it.
    pub fn from_file(path: &Path) -> Result<Self, ModelConfigError> {
        let text = bounded::read_text(path, bounded::CONFIG_BYTES)
            .map_err(|source| ModelConfigError::Read { path: path.to_owned(), source })?;
        let object = serde_json::from_str(&text)
            .map_err(|source| ModelConfigError::Parse { path: path.to_owned(), source })?;
        Self::from_json(&object)
    }

    /// Reads the object in a `config.json`.
    ///
    /// # Errors
    /// A key is missing or has a value of the wrong kind, or what [`ModelConfig::validate`] says.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, ModelConfigError> {
        config_keys::read(object)?.try_into()
    }

    /// True when queries, keys and values have biases.
    pub fn has_qkv_bias(&self) -> bool {
        self.architecture == Architecture::Qwen2 || self.attention_bias
    }

    /// True when the attention's output projection has a bias.
    pub fn has_output_bias(&self) -> bool {
        self.architecture != Architecture::Qwen2 && self.attention_bias
    }

    /// True when queries and keys are normalized head by head.
    pub fn has_qk_norm(&self) -> bool {
        matches!(self.architecture, Architecture::Qwen3 | Architecture::Gemma3)
    }

    /// Name of the norm before a layer's feed-forward part, within the layer.
    pub(super) fn feed_forward_norm(&self) -> &'static str {
        // Where branches have norms, the other name is that of attention's.
        if self.variations.branch_norms { "pre_feedforward_layernorm" } else { "post_attention_layernorm" }
    }

    /// Every parameter in the order of the forward pass: the embedding, the layers, the last norm, the head
    /// (none when it is tied).
    pub fn parameter_shapes(&self) -> Vec<ParameterShape> {
        let mut shapes = Vec::with_capacity(3 + 14 * self.num_hidden_layers);
        let mut push = |name: String, shape: &[usize]| {
            shapes.push(ParameterShape { name, shape: shape.to_vec() });
        };
        let hidden = self.hidden_size;
        let query = self.num_attention_heads * self.head_dim;
        let key = self.num_key_value_heads * self.head_dim;

        push("model.embed_tokens.weight".to_owned(), &[self.vocab_size, hidden]);
        for layer in 0..self.num_hidden_layers {
            let prefix = format!("model.layers.{layer}");
            push(format!("{prefix}.input_layernorm.weight"), &[hidden]);
            for (projection, rows) in [("q_proj", query), ("k_proj", key), ("v_proj", key)] {
                push(format!("{prefix}.self_attn.{projection}.weight"), &[rows, hidden]);
                if self.has_qkv_bias() {
                    push(format!("{prefix}.self_attn.{projection}.bias"), &[rows]);
                }
            }
            if self.has_qk_norm() {
                push(format!("{prefix}.self_attn.q_norm.weight"), &[self.head_dim]);
                push(format!("{prefix}.self_attn.k_norm.weight"), &[self.head_dim]);
            }
            push(format!("{prefix}.self_attn.o_proj.weight"), &[hidden, query]);
            if self.has_output_bias() {
                push(format!("{prefix}.self_attn.o_proj.bias"), &[hidden]);
            }
            if self.variations.branch_norms {
                push(format!("{prefix}.{ATTENTION_BRANCH_NORM}.weight"), &[hidden]);
            }
            push(format!("{prefix}.{}.weight", self.feed_forward_norm()), &[hidden]);
            let inner = self.intermediate_size;
            for (projection, [rows, columns]) in
                [("gate_proj", [inner, hidden]), ("up_proj", [inner, hidden]), ("down_proj", [hidden, inner])]
            {
                push(format!("{prefix}.mlp.{projection}.weight"), &[rows, columns]);
                if self.variations.mlp_bias {
                    push(format!("{prefix}.mlp.{projection}.bias"), &[rows]);
                }
            }
            if self.variations.branch_norms {
                push(format!("{prefix}.{FEED_FORWARD_BRANCH_NORM}.weight"), &[hidden]);
            }
        }
        push("model.norm.weight".to_owned(), &[hidden]);
        if !self.tie_word_embeddings {
            push("lm_head.weight".to_owned(), &[self.vocab_size, hidden]);
        }
        shapes
    }

    /// Number of trained values.
    pub fn num_parameters(&self) -> usize {
        self.parameter_shapes().iter().map(ParameterShape::num_values).sum()
    }

    /// Dimensions of a head that are rotated, the first ones.
    pub fn rotary_dim(&self) -> usize {
        self.variations.rotary_dim.unwrap_or(self.head_dim)
    }

    /// Angle per position of each pair of a head's rotated dimensions, `[rotary_dim / 2]`, radians:
    /// `rope_theta^(-2i / rotary_dim)`, stretched as `rope_scaling` says. A dimension i pairs with
    /// i + rotary_dim / 2.
    pub fn rope_frequencies(&self) -> Vec<f64> {
        let plain = self.plain_frequencies(self.rope_theta);
        match &self.rope_scaling {
            None => plain,
            Some(scaling) => scaling.stretch(&plain, self.rope_theta),
        }
    }

    /// What the rotary embedding's cosines and sines are multiplied by.
    pub fn rope_magnitude(&self) -> f64 {
        self.rope_scaling.as_ref().map_or(1.0, RopeScaling::magnitude)
    }

    /// Angle per position of each pair in layers with [`Rotation::Local`]; none where no layer has it.
    pub fn local_rope_frequencies(&self) -> Option<Vec<f64>> {
        let is_local = self.variations.attention.iter().any(|layer| layer.rotation == Rotation::Local);
        let base = self.variations.local_rope_theta.filter(|_| is_local)?;
        Some(self.plain_frequencies(base))
    }

    fn plain_frequencies(&self, base: f64) -> Vec<f64> {
        let half = self.rotary_dim() / 2;
        (0..half).map(|pair| libm::pow(base, -(pair as f64) / half as f64)).collect()
    }

    /// Checks that the numbers fit together.
    ///
    /// # Errors
    /// Names the first key that can't be used and why.
    pub fn validate(&self) -> Result<(), ModelConfigError> {
        let invalid = |text: String| Err(ModelConfigError::Invalid(text));
        for (key, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ] {
            if value == 0 || value > MAX_DIMENSION {
                return invalid(format!("`{key}` is {value}, it must be between 1 and {MAX_DIMENSION}"));
            }
        }
        if self.num_hidden_layers > MAX_LAYERS {
            return invalid(format!(
                "`num_hidden_layers` is {}, at most {MAX_LAYERS} are known",
                self.num_hidden_layers
            ));
        }
        let (heads, key_heads) = (self.num_attention_heads, self.num_key_value_heads);
        if heads.max(key_heads).saturating_mul(self.head_dim) > MAX_WIDTH
            || self.hidden_size.max(self.intermediate_size) > MAX_WIDTH
        {
            return invalid(format!("a layer is wider than {MAX_WIDTH}"));
        }
        if !heads.is_multiple_of(key_heads) {
            return invalid(format!(
                "`num_attention_heads` ({heads}) must be a multiple of `num_key_value_heads` ({key_heads})"
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return invalid(format!("`head_dim` is {}, rotary embeddings need an even one", self.head_dim));
        }
        if self.architecture == Architecture::Qwen2 && self.attention_bias {
            return invalid("`attention_bias` has no meaning for qwen2, remove it".to_owned());
        }
        for (key, value) in [("rms_norm_eps", self.rms_norm_eps), ("rope_theta", self.rope_theta)] {
            if !(value.is_finite() && value > 0.0) {
                return invalid(format!("`{key}` is {value}, it must be a positive number"));
            }
        }
        self.variations.validate(self.num_hidden_layers, self.head_dim)?;
        self.rope_scaling.as_ref().map_or(Ok(()), |scaling| scaling.validate(self.rotary_dim() / 2))
    }
}

/// Norm on what attention adds to the residual stream, within the layer.
pub(super) const ATTENTION_BRANCH_NORM: &str = "post_attention_layernorm";
/// Norm on what the feed-forward part adds to the residual stream, within the layer.
pub(super) const FEED_FORWARD_BRANCH_NORM: &str = "post_feedforward_layernorm";

/// Keeps products of two dimensions far from overflow.
const MAX_DIMENSION: usize = 1 << 28;
/// Most layers, and widest layer: the sum of all parameters stays far from overflow, and their list short.
pub(super) const MAX_LAYERS: usize = 4096;
const MAX_WIDTH: usize = 1 << 22;
