//! `config.json` as Hugging Face writes it, turned into a [`ModelConfig`] and back.
//!
//! Keys that don't change the network (`torch_dtype`, `initializer_range`, token ids) are left aside; keys that
//! would change it in a way that isn't supported are refused.

use serde::{Deserialize, Deserializer, Serialize};

use super::architecture::Architecture;
use super::config::{ModelConfig, ModelConfigError};
use super::config_family::{DEFAULT_PHI3_POSITIONS, Defaults};
use super::rope::RopeScaling;
use super::rope_file::RopeFile;
use exgrpo_core::escape::quoted;

/// The file's keys. An absent key takes the default of the family's class in transformers where that is one value for all
/// published models, and is refused where it would be a guess.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ConfigFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    architectures: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_type: Option<String>,
    vocab_size: usize,
    pub(super) hidden_size: usize,
    intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_dim: Option<usize>,
    rms_norm_eps: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rope_scaling: Option<RopeFile>,
    /// The newer place of `rope_theta` and `rope_scaling`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rope_parameters: Option<RopeFile>,
    max_position_embeddings: usize,
    tie_word_embeddings: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attention_bias: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mlp_bias: Option<bool>,
    pub(super) hidden_act: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hidden_activation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) use_sliding_window: Option<bool>,
    /// Absent and null differ.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub(super) sliding_window: Option<Option<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sliding_window_pattern: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_window_layers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) layer_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partial_rotary_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_max_position_embeddings: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rope_local_base_freq: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) no_rope_layers: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) no_rope_layer_interval: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) query_pre_attn_scalar: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attn_logit_softcapping: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) final_logit_softcapping: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) use_bidirectional_attention: Option<bool>,
}

/// A key that is there, be it null.
fn given<'de, D: Deserializer<'de>>(file: D) -> Result<Option<Option<usize>>, D::Error> {
    Option::deserialize(file).map(Some)
}

impl TryFrom<ConfigFile> for ModelConfig {
    type Error = ModelConfigError;

    fn try_from(file: ConfigFile) -> Result<Self, ModelConfigError> {
        let architecture = file.architecture()?;
        let defaults = Defaults::of(architecture);
        let head_dim = match file.head_dim {
            Some(head_dim) => head_dim,
            // The class default isn't the quotient, so that an absent key would be a guess.
            None if defaults.needs_head_dim => return Err(file.needs(architecture, "head_dim")),
            None => file.derived_head_dim()?,
        };
        if defaults.needs_key_value_heads && file.num_key_value_heads.is_none() {
            return Err(file.needs(architecture, "num_key_value_heads"));
        }
        let variations = file.variations(architecture, head_dim)?;
        let rope = file.global_rope(architecture);
        let rope_scaling = match &rope {
            Some(rope) => file.rope_scaling_of(architecture, rope)?,
            None => None,
        };
        let config = Self {
            architecture,
            vocab_size: file.vocab_size,
            hidden_size: file.hidden_size,
            intermediate_size: file.intermediate_size,
            num_hidden_layers: file.num_hidden_layers,
            num_attention_heads: file.num_attention_heads,
            num_key_value_heads: file.num_key_value_heads.unwrap_or(file.num_attention_heads),
            head_dim,
            rms_norm_eps: file.rms_norm_eps.unwrap_or(defaults.rms_norm_eps),
            rope_theta: rope
                .and_then(|rope| rope.rope_theta)
                .or(file.rope_theta)
                .unwrap_or(defaults.rope_theta),
            max_position_embeddings: match &rope_scaling {
                Some(RopeScaling::Long(_)) => {
                    file.original_positions(architecture).min(file.max_position_embeddings)
                }
                _ => file.max_position_embeddings,
            },
            rope_scaling,
            tie_word_embeddings: file.tie_word_embeddings.unwrap_or(defaults.ties_head),
            // Qwen2 files may carry the key for other loaders; its biases don't depend on it.
            attention_bias: defaults.may_have_attention_bias && file.attention_bias.unwrap_or(false),
            variations,
        };
        config.validate()?;
        Ok(config)
    }
}

impl ConfigFile {
    fn architecture(&self) -> Result<Architecture, ModelConfigError> {
        let known = Architecture::ALL;
        let named = match (self.model_type.as_deref(), self.architectures.as_deref()) {
            (Some(model_type), _) => known.into_iter().find(|known| known.model_type() == model_type),
            (None, Some([class])) => known.into_iter().find(|known| known.class_name() == class),
            (None, _) => None,
        };
        named.ok_or_else(|| {
            let named = match (&self.model_type, self.architectures.as_deref().unwrap_or_default()) {
                (Some(model_type), _) => format!("`model_type` is {}, which is unknown", quoted(model_type)),
                (None, [class]) => format!("`architectures` names {}, which is unknown", quoted(class)),
                (None, []) => "neither `model_type` nor `architectures` names a kind of model".to_owned(),
                (None, several) => {
                    format!("`architectures` names {} classes, and there is no `model_type`", several.len())
                }
            };
            let known = known.map(Architecture::model_type).join(", ");
            ModelConfigError::Unsupported(format!("{named}: supported are {known}"))
        })
    }

    fn needs(&self, architecture: Architecture, key: &str) -> ModelConfigError {
        ModelConfigError::Invalid(format!("{} needs an explicit `{key}`", architecture.model_type()))
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

    /// The rotary embedding of layers that see everything. Where both places say something, the older one counts, as in
    /// transformers 5.
    fn global_rope(&self, architecture: Architecture) -> Option<RopeFile> {
        let newer = self.rope_parameters.as_ref();
        let newer = newer.map(|rope| rope.full_attention.as_deref().unwrap_or(rope));
        match (&self.rope_scaling, newer) {
            (None, newer) => newer.cloned(),
            // Gemma 3 changes the newer one by the older.
            (Some(older), Some(newer)) if architecture == Architecture::Gemma3 => {
                let mut rope = older.clone();
                rope.rope_theta = rope.rope_theta.or(newer.rope_theta);
                Some(rope)
            }
            (Some(older), _) => Some(older.clone()),
        }
    }

    fn rope_scaling_of(
        &self,
        architecture: Architecture,
        rope: &RopeFile,
    ) -> Result<Option<RopeScaling>, ModelConfigError> {
        match architecture {
            Architecture::Phi3 => {
                let original = self.original_positions(architecture);
                rope.clone().of_phi3(original).scaling(self.max_position_embeddings)
            }
            _ => rope.scaling(self.max_position_embeddings),
        }
    }

    /// Positions that a model of longer ones was first trained with.
    fn original_positions(&self, architecture: Architecture) -> usize {
        let of_rope = || {
            let rope = self.rope_scaling.as_ref().or(self.rope_parameters.as_ref());
            rope?.original_max_position_embeddings
        };
        match architecture {
            // Its class has a default of its own, which goes before what the rotary embedding says.
            Architecture::Phi3 => self.original_max_position_embeddings.unwrap_or(DEFAULT_PHI3_POSITIONS),
            _ => of_rope().or(self.original_max_position_embeddings).unwrap_or(self.max_position_embeddings),
        }
    }
}

impl From<ModelConfig> for ConfigFile {
    fn from(config: ModelConfig) -> Self {
        let defaults = Defaults::of(config.architecture);
        let (original, positions) = match &config.rope_scaling {
            Some(RopeScaling::Long(rope)) => (Some(config.max_position_embeddings), rope.positions),
            _ => (None, config.max_position_embeddings),
        };
        let mut file = Self {
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
            max_position_embeddings: positions,
            original_max_position_embeddings: original,
            tie_word_embeddings: Some(config.tie_word_embeddings),
            attention_bias: defaults.may_have_attention_bias.then_some(config.attention_bias),
            hidden_act: Some("silu".to_owned()),
            ..Self::default()
        };
        file.set_variations(config.architecture, config.head_dim, &config.variations);
        file
    }
}
