//! `config.json` as Hugging Face writes it, turned into a [`ModelConfig`] and back.
//!
//! Keys that don't change the network (`torch_dtype`, `initializer_range`, token ids) are left aside; keys that
//! would change it in a way that isn't supported are refused.

use serde::{Deserialize, Serialize};

use super::config::{Architecture, ModelConfig, ModelConfigError};
use super::rope::{Llama3Rope, RopeScaling, YarnRope};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ConfigFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    architectures: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_type: Option<String>,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_dim: Option<usize>,
    rms_norm_eps: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_scaling: Option<RopeFile>,
    /// The newer place of `rope_theta` and `rope_scaling`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_parameters: Option<RopeFile>,
    max_position_embeddings: usize,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    attention_bias: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mlp_bias: Option<bool>,
    hidden_act: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_sliding_window: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sliding_window: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_rotary_factor: Option<f64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct RopeFile {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low_freq_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high_freq_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_max_position_embeddings: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beta_fast: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beta_slow: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attention_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mscale: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mscale_all_dim: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_rotary_factor: Option<f64>,
}

/// What Hugging Face's classes take when `rope_theta` is absent.
const DEFAULT_ROPE_THETA: f64 = 10_000.0;
/// What Hugging Face's classes take when `rms_norm_eps` is absent.
const DEFAULT_RMS_NORM_EPS: f64 = 1e-6;

impl TryFrom<ConfigFile> for ModelConfig {
    type Error = ModelConfigError;

    fn try_from(file: ConfigFile) -> Result<Self, ModelConfigError> {
        let architecture = file.architecture()?;
        file.refuse_unsupported(architecture)?;
        let head_dim = match file.head_dim {
            Some(head_dim) => head_dim,
            // The class default of qwen3 isn't the quotient, so that an absent key would be a guess.
            None if architecture == Architecture::Qwen3 => {
                return Err(ModelConfigError::Invalid("qwen3 needs an explicit `head_dim`".to_owned()));
            }
            None => file.derived_head_dim()?,
        };
        let rope = file.rope_parameters.as_ref();
        let config = Self {
            architecture,
            vocab_size: file.vocab_size,
            hidden_size: file.hidden_size,
            intermediate_size: file.intermediate_size,
            num_hidden_layers: file.num_hidden_layers,
            num_attention_heads: file.num_attention_heads,
            num_key_value_heads: file.num_key_value_heads.unwrap_or(file.num_attention_heads),
            head_dim,
            rms_norm_eps: file.rms_norm_eps.unwrap_or(DEFAULT_RMS_NORM_EPS),
            rope_theta: rope
                .and_then(|rope| rope.rope_theta)
                .or(file.rope_theta)
                .unwrap_or(DEFAULT_ROPE_THETA),
            rope_scaling: match rope.or(file.rope_scaling.as_ref()) {
                Some(rope) => rope.scaling(file.max_position_embeddings)?,
                None => None,
            },
            max_position_embeddings: file.max_position_embeddings,
            tie_word_embeddings: file.tie_word_embeddings,
            // Qwen2 files may carry the key for other loaders; its biases don't depend on it.
            attention_bias: architecture != Architecture::Qwen2 && file.attention_bias.unwrap_or(false),
        };
        config.validate()?;
        Ok(config)
    }
}

impl ConfigFile {
    fn architecture(&self) -> Result<Architecture, ModelConfigError> {
        let known = [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3];
        let named = match (self.model_type.as_deref(), self.architectures.as_deref()) {
            (Some(model_type), _) => known.into_iter().find(|known| known.model_type() == model_type),
            (None, Some([class])) => known.into_iter().find(|known| known.class_name() == class),
            (None, _) => None,
        };
        named.ok_or_else(|| {
            ModelConfigError::Unsupported(format!(
                "unknown architecture (model_type {:?}, architectures {:?}), supported are llama, qwen2 and qwen3",
                self.model_type, self.architectures
            ))
        })
    }

    fn derived_head_dim(&self) -> Result<usize, ModelConfigError> {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Err(ModelConfigError::Invalid(format!(
                "`hidden_size` ({hidden}) must be a multiple of `num_attention_heads` ({heads}) \
                 unless `head_dim` is given"
            )));
        }
        Ok(hidden / heads)
    }

    fn refuse_unsupported(&self, architecture: Architecture) -> Result<(), ModelConfigError> {
        let unsupported = |text: String| Err(ModelConfigError::Unsupported(text));
        if let Some(activation) = self.hidden_act.as_deref().filter(|name| *name != "silu") {
            return unsupported(format!("`hidden_act` is `{activation}`, only `silu` is supported"));
        }
        if self.mlp_bias == Some(true) {
            return unsupported("`mlp_bias` is not supported".to_owned());
        }
        // Qwen files carry a window size that `use_sliding_window: false`, the default, switches off.
        let window_by_default = architecture == Architecture::Llama;
        if self.use_sliding_window.unwrap_or(window_by_default && self.sliding_window.is_some()) {
            return unsupported(
                "sliding-window attention is not supported, `use_sliding_window` must be false".to_owned(),
            );
        }
        let layer_types = self.layer_types.iter().flatten();
        if let Some(kind) = layer_types.into_iter().find(|kind| *kind != "full_attention") {
            return unsupported(format!("layers of type `{kind}` are not supported"));
        }
        let rope_factor = self.rope_parameters.as_ref().and_then(|rope| rope.partial_rotary_factor);
        if let Some(factor) = self.partial_rotary_factor.or(rope_factor).filter(|factor| *factor != 1.0) {
            return unsupported(format!("`partial_rotary_factor` is {factor}, only 1 is supported"));
        }
        Ok(())
    }
}

impl RopeFile {
    fn scaling(&self, positions: usize) -> Result<Option<RopeScaling>, ModelConfigError> {
        let missing = |key: &str| ModelConfigError::Invalid(format!("`rope_scaling` lacks `{key}`"));
        let factor = || self.factor.ok_or_else(|| missing("factor"));
        Ok(match self.rope_type.as_deref() {
            None if self.factor.is_none() => None,
            Some("default") => None,
            Some("linear") => Some(RopeScaling::Linear(factor()?)),
            Some("dynamic") => Some(RopeScaling::Dynamic(factor()?)),
            Some("llama3") => Some(RopeScaling::Llama3(Llama3Rope {
                factor: factor()?,
                low_freq_factor: self.low_freq_factor.ok_or_else(|| missing("low_freq_factor"))?,
                high_freq_factor: self.high_freq_factor.ok_or_else(|| missing("high_freq_factor"))?,
                original_max_position_embeddings: self
                    .original_max_position_embeddings
                    .ok_or_else(|| missing("original_max_position_embeddings"))?,
            })),
            Some("yarn") => {
                let original = self.original_max_position_embeddings.unwrap_or(positions);
                let factor = self.factor.unwrap_or(positions as f64 / original.max(1) as f64);
                // As in transformers, a zero is as good as nothing.
                let given = |value: Option<f64>| value.filter(|value| *value != 0.0);
                let mscales = given(self.mscale).zip(given(self.mscale_all_dim));
                Some(RopeScaling::Yarn(YarnRope {
                    factor,
                    beta_fast: given(self.beta_fast).unwrap_or(32.0),
                    beta_slow: given(self.beta_slow).unwrap_or(1.0),
                    attention_factor: self
                        .attention_factor
                        .unwrap_or_else(|| YarnRope::default_attention_factor(factor, mscales)),
                    original_max_position_embeddings: original,
                    truncate: self.truncate.unwrap_or(true),
                }))
            }
            other => {
                return Err(ModelConfigError::Unsupported(format!(
                    "`rope_scaling` of type {other:?} is not supported, only `default`, `linear`, `dynamic`, `llama3` and \
                     `yarn` are"
                )));
            }
        })
    }

    fn of(scaling: RopeScaling) -> Self {
        let named = |name: &str, factor: f64| Self {
            rope_type: Some(name.to_owned()),
            factor: Some(factor),
            ..Self::default()
        };
        match scaling {
            RopeScaling::Linear(factor) => named("linear", factor),
            RopeScaling::Dynamic(factor) => named("dynamic", factor),
            RopeScaling::Llama3(rope) => Self {
                low_freq_factor: Some(rope.low_freq_factor),
                high_freq_factor: Some(rope.high_freq_factor),
                original_max_position_embeddings: Some(rope.original_max_position_embeddings),
                ..named("llama3", rope.factor)
            },
            RopeScaling::Yarn(rope) => Self {
                beta_fast: Some(rope.beta_fast),
                beta_slow: Some(rope.beta_slow),
                attention_factor: Some(rope.attention_factor),
                original_max_position_embeddings: Some(rope.original_max_position_embeddings),
                truncate: Some(rope.truncate),
                ..named("yarn", rope.factor)
            },
        }
    }
}

impl From<ModelConfig> for ConfigFile {
    fn from(config: ModelConfig) -> Self {
        Self {
            architectures: Some(vec![config.architecture.class_name().to_owned()]),
            model_type: Some(config.architecture.model_type().to_owned()),
            vocab_size: config.vocab_size,
            hidden_size: config.hidden_size,
            intermediate_size: config.intermediate_size,
            num_hidden_layers: config.num_hidden_layers,
            num_attention_heads: config.num_attention_heads,
            num_key_value_heads: Some(config.num_key_value_heads),
            head_dim: Some(config.head_dim),
            rms_norm_eps: Some(config.rms_norm_eps),
            rope_theta: Some(config.rope_theta),
            rope_scaling: config.rope_scaling.map(RopeFile::of),
            max_position_embeddings: config.max_position_embeddings,
            tie_word_embeddings: config.tie_word_embeddings,
            attention_bias: (config.architecture != Architecture::Qwen2).then_some(config.attention_bias),
            hidden_act: Some("silu".to_owned()),
            ..Self::default()
        }
    }
}
