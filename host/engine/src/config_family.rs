//! What each family's keys of a `config.json` mean: defaults of absent ones, and the [`Variations`] that they stand for.

use super::architecture::Architecture;
use super::config::ModelConfigError;
use super::config_file::ConfigFile;
use super::rope_file::RopeFile;
use super::variations::{Activation, LayerAttention, Rotation, Variations};
use exgrpo_core::escape::quoted;

/// Phi-3's context before LongRoPE, where the file does not say it.
pub(super) const DEFAULT_PHI3_POSITIONS: usize = 4096;
/// Mistral's and Gemma 3's window where the key is absent, which is not where it is null.
const DEFAULT_WINDOW: usize = 4096;
const DEFAULT_LOCAL_ROPE_THETA: f64 = 10_000.0;
/// Gemma 3 has a layer without a window after five with one, where the file does not say otherwise.
const DEFAULT_WINDOW_PATTERN: usize = 6;
const DEFAULT_QUERY_SCALAR: usize = 256;
/// SmolLM3 leaves every fourth layer unrotated, where the file does not say otherwise.
const DEFAULT_UNROTATED_INTERVAL: usize = 4;
/// Qwen's layers below this have no window, where the file does not say otherwise.
const DEFAULT_MAX_WINDOW_LAYERS: usize = 28;

const SLIDING: &str = "sliding_attention";
const FULL: &str = "full_attention";
const GELU_TANH: &str = "gelu_pytorch_tanh";

/// What transformers' class of a family takes for absent keys.
pub(super) struct Defaults {
    pub(super) rope_theta: f64,
    pub(super) rms_norm_eps: f64,
    pub(super) ties_head: bool,
    /// True where an absent `head_dim` is not the quotient of two other keys.
    pub(super) needs_head_dim: bool,
    /// True where an absent `num_key_value_heads` is not the number of heads.
    pub(super) needs_key_value_heads: bool,
    /// True where `attention_bias` decides on biases.
    pub(super) may_have_attention_bias: bool,
}

impl Defaults {
    pub(super) fn of(architecture: Architecture) -> Self {
        let llama = Self {
            rope_theta: 10_000.0,
            rms_norm_eps: 1e-6,
            ties_head: false,
            needs_head_dim: false,
            needs_key_value_heads: false,
            may_have_attention_bias: true,
        };
        match architecture {
            Architecture::Llama => llama,
            Architecture::Mistral => {
                Self { needs_key_value_heads: true, may_have_attention_bias: false, ..llama }
            }
            Architecture::Qwen2 => Self { may_have_attention_bias: false, ..llama },
            Architecture::Qwen3 => Self { needs_head_dim: true, ..llama },
            Architecture::SmolLm3 => {
                Self { rope_theta: 2_000_000.0, ties_head: true, needs_key_value_heads: true, ..llama }
            }
            Architecture::Phi3 => Self { rms_norm_eps: 1e-5, may_have_attention_bias: false, ..llama },
            Architecture::Gemma3 => Self {
                rope_theta: 1_000_000.0,
                ties_head: true,
                needs_head_dim: true,
                needs_key_value_heads: true,
                ..llama
            },
        }
    }
}

fn activation(name: Option<&str>, default: Activation) -> Result<Activation, ModelConfigError> {
    match name {
        None => Ok(default),
        Some("silu") => Ok(Activation::Silu),
        Some(GELU_TANH) => Ok(Activation::GeluTanh),
        Some(other) => Err(ModelConfigError::Unsupported(format!(
            "the activation is {}, supported are `silu` and `{GELU_TANH}`",
            quoted(other)
        ))),
    }
}

impl ConfigFile {
    /// What the file says of a decoder that is otherwise than Llama's.
    ///
    /// # Errors
    /// Names a key whose value would change the network in a way that isn't supported.
    pub(super) fn variations(
        &self,
        architecture: Architecture,
        head_dim: usize,
    ) -> Result<Variations, ModelConfigError> {
        self.refuse_unsupported(architecture)?;
        let is_gemma = architecture == Architecture::Gemma3;
        let rope = self.rope_parameters.as_ref();
        let mut variations = Variations {
            attention: self.attention(architecture)?,
            activation: match is_gemma {
                true => activation(self.hidden_activation.as_deref(), Activation::GeluTanh)?,
                false => activation(self.hidden_act.as_deref(), Activation::Silu)?,
            },
            mlp_bias: self.mlp_bias == Some(true),
            // As the family's own code has it: cut to whole dimensions.
            rotary_dim: self
                .rotated_share()
                .map(|factor| (head_dim as f64 * factor) as usize)
                .filter(|dim| *dim != head_dim),
            ..Variations::default()
        };
        if is_gemma {
            let local = rope.and_then(|rope| rope.sliding_attention.as_ref()?.rope_theta);
            variations.local_rope_theta =
                Some(local.or(self.rope_local_base_freq).unwrap_or(DEFAULT_LOCAL_ROPE_THETA));
            variations.query_scalar = Some(self.query_pre_attn_scalar.unwrap_or(DEFAULT_QUERY_SCALAR));
            variations.branch_norms = true;
            variations.gains_from_one = true;
            variations.embedding_scale = Some((self.hidden_size as f64).sqrt());
        }
        Ok(variations)
    }

    /// Share of a head's dimensions that is rotated, where the file says it.
    fn rotated_share(&self) -> Option<f64> {
        let rope = self.rope_scaling.as_ref().or(self.rope_parameters.as_ref());
        rope.and_then(|rope| rope.partial_rotary_factor).or(self.partial_rotary_factor)
    }

    fn refuse_unsupported(&self, architecture: Architecture) -> Result<(), ModelConfigError> {
        let unsupported = |text: String| Err(ModelConfigError::Unsupported(text));
        if self.mlp_bias == Some(true) && !matches!(architecture, Architecture::Llama | Architecture::SmolLm3)
        {
            return unsupported(format!("`mlp_bias` has no meaning for {}", architecture.model_type()));
        }
        for (key, cap) in [
            ("attn_logit_softcapping", self.attn_logit_softcapping),
            ("final_logit_softcapping", self.final_logit_softcapping),
        ] {
            if cap.is_some() {
                return unsupported(format!("`{key}` is not supported, it must be null"));
            }
        }
        if self.use_bidirectional_attention == Some(true) {
            return unsupported("`use_bidirectional_attention` is not supported".to_owned());
        }
        let rope = self.rope_parameters.as_ref();
        if let Some(factor) =
            self.rotated_share().filter(|factor| *factor != 1.0 && architecture != Architecture::Phi3)
        {
            return unsupported(format!(
                "`partial_rotary_factor` is {factor}, only phi3 may have another than 1"
            ));
        }
        if architecture == Architecture::Gemma3 && rope.is_some_and(RopeFile::is_for_all) {
            return unsupported("`rope_parameters` of gemma3_text are named by kinds of layers".to_owned());
        }
        for (key, count) in [
            ("sliding_window_pattern", self.sliding_window_pattern),
            ("no_rope_layer_interval", self.no_rope_layer_interval),
        ] {
            if count == Some(0) {
                return unsupported(format!("`{key}` is 0, it must be positive"));
            }
        }
        if let Some(local) = rope.and_then(|rope| rope.sliding_attention.as_ref())
            && !(architecture == Architecture::Gemma3 && local.is_plain())
        {
            return unsupported(
                "a stretched rotary embedding of layers with a window is not supported".to_owned(),
            );
        }
        Ok(())
    }

    /// Attention of each layer; empty where every one sees all and is rotated alike.
    fn attention(&self, architecture: Architecture) -> Result<Vec<LayerAttention>, ModelConfigError> {
        let layers = self.num_hidden_layers;
        // Every layer is asked about before their number is checked.
        if layers > super::config::MAX_LAYERS {
            return Ok(Vec::new());
        }
        let unrotated = self.unrotated(architecture)?;
        let window = self.window(architecture)?;
        let has_window = match (&self.layer_types, architecture) {
            // Every layer has it or none, whatever else the file says.
            (_, Architecture::Phi3) => vec![true; layers],
            (Some(kinds), _) => self.windows_of(kinds)?,
            (None, Architecture::Mistral) => vec![true; layers],
            (None, Architecture::Qwen2 | Architecture::Qwen3) => {
                let first = self.max_window_layers.unwrap_or(DEFAULT_MAX_WINDOW_LAYERS);
                (0..layers).map(|layer| layer >= first).collect()
            }
            (None, Architecture::SmolLm3) if self.use_sliding_window == Some(true) => unrotated.clone(),
            (None, Architecture::Gemma3) => {
                let pattern = self.sliding_window_pattern.unwrap_or(DEFAULT_WINDOW_PATTERN);
                (1..=layers).map(|layer| layer % pattern != 0).collect()
            }
            (None, Architecture::Llama | Architecture::SmolLm3) => vec![false; layers],
        };
        let is_gemma = architecture == Architecture::Gemma3;
        if is_gemma && window.is_none() && has_window.contains(&true) {
            return Err(ModelConfigError::Unsupported(
                "`sliding_window` is null although there are layers with a window".to_owned(),
            ));
        }
        let attention: Vec<LayerAttention> = has_window
            .into_iter()
            .zip(unrotated)
            .map(|(has_window, is_unrotated)| LayerAttention {
                window: window.filter(|_| has_window),
                rotation: match (is_unrotated, is_gemma && has_window) {
                    (true, _) => Rotation::None,
                    (false, true) => Rotation::Local,
                    (false, false) => Rotation::Global,
                },
            })
            .collect();
        let is_plain = attention.iter().all(|layer| *layer == LayerAttention::default());
        Ok(if is_plain { Vec::new() } else { attention })
    }

    fn windows_of(&self, kinds: &[String]) -> Result<Vec<bool>, ModelConfigError> {
        if kinds.len() != self.num_hidden_layers {
            return Err(ModelConfigError::Invalid(format!(
                "`layer_types` has {} entries for {} layers",
                kinds.len(),
                self.num_hidden_layers
            )));
        }
        let has_window = |kind: &String| match kind.as_str() {
            SLIDING => Ok(true),
            FULL => Ok(false),
            other => Err(ModelConfigError::Unsupported(format!(
                "`layer_types` has {}, supported are `{SLIDING}` and `{FULL}`",
                quoted(other)
            ))),
        };
        kinds.iter().map(has_window).collect()
    }

    /// The window of layers that have one.
    fn window(&self, architecture: Architecture) -> Result<Option<usize>, ModelConfigError> {
        let given = self.sliding_window.flatten();
        let with_default = if self.sliding_window.is_none() { Some(DEFAULT_WINDOW) } else { given };
        match architecture {
            Architecture::Mistral | Architecture::Gemma3 => Ok(with_default),
            // SmolLM3's layers have it by `layer_types`, whatever `use_sliding_window` says.
            Architecture::Phi3 | Architecture::SmolLm3 => Ok(given),
            // These files carry a window that `use_sliding_window: false`, the default, switches off.
            Architecture::Qwen2 | Architecture::Qwen3 => {
                Ok(with_default.filter(|_| self.use_sliding_window == Some(true)))
            }
            // transformers' class has none: a file that asks for one was made for other code.
            Architecture::Llama if given.is_some() && self.use_sliding_window != Some(false) => {
                Err(ModelConfigError::Unsupported(
                    "llama has no sliding-window attention, `sliding_window` must be null".to_owned(),
                ))
            }
            Architecture::Llama => Ok(None),
        }
    }

    /// Layers without a rotary embedding.
    fn unrotated(&self, architecture: Architecture) -> Result<Vec<bool>, ModelConfigError> {
        let layers = self.num_hidden_layers;
        match (architecture, &self.no_rope_layers) {
            (Architecture::SmolLm3, Some(is_rotated)) if is_rotated.len() < layers => {
                Err(ModelConfigError::Invalid(format!(
                    "`no_rope_layers` has {} entries for {layers} layers",
                    is_rotated.len()
                )))
            }
            (Architecture::SmolLm3, Some(is_rotated)) => {
                Ok(is_rotated[..layers].iter().map(|rotated| *rotated == 0).collect())
            }
            (Architecture::SmolLm3, None) => {
                let interval = self.no_rope_layer_interval.unwrap_or(DEFAULT_UNROTATED_INTERVAL);
                Ok((1..=layers).map(|layer| layer % interval == 0).collect())
            }
            _ => Ok(vec![false; layers]),
        }
    }

    /// Writes what [`Self::variations`] reads.
    pub(super) fn set_variations(&mut self, architecture: Architecture, head_dim: usize, from: &Variations) {
        let window = from.attention.iter().find_map(|layer| layer.window);
        let kinds = || {
            let kind = |layer: &LayerAttention| if layer.window.is_some() { SLIDING } else { FULL };
            from.attention.iter().map(|layer| kind(layer).to_owned()).collect()
        };
        self.mlp_bias = from.mlp_bias.then_some(true);
        self.partial_rotary_factor = from.rotary_dim.map(|dim| dim as f64 / head_dim as f64);
        if from.activation == Activation::GeluTanh {
            self.hidden_act = Some(GELU_TANH.to_owned());
        }
        match architecture {
            Architecture::Llama => {}
            Architecture::Mistral => self.sliding_window = Some(window),
            Architecture::Phi3 => self.sliding_window = window.map(Some),
            Architecture::Qwen2 | Architecture::Qwen3 => {
                if window.is_some() {
                    self.use_sliding_window = Some(true);
                    self.sliding_window = Some(window);
                    self.max_window_layers = from.attention.iter().position(|layer| layer.window.is_some());
                    self.layer_types = Some(kinds());
                }
            }
            Architecture::SmolLm3 => {
                let is_rotated = |layer| u8::from(from.attention(layer).rotation != Rotation::None);
                self.no_rope_layers = Some((0..self.num_hidden_layers).map(is_rotated).collect());
                self.use_sliding_window = Some(window.is_some());
                self.sliding_window = Some(window);
                if window.is_some() {
                    self.layer_types = Some(kinds());
                }
            }
            Architecture::Gemma3 => {
                self.hidden_activation = self.hidden_act.take();
                self.sliding_window = Some(window.or(Some(DEFAULT_WINDOW)));
                let all_full = || vec![FULL.to_owned(); self.num_hidden_layers];
                self.layer_types = Some(if from.attention.is_empty() { all_full() } else { kinds() });
                self.rope_local_base_freq = from.local_rope_theta;
                self.query_pre_attn_scalar = from.query_scalar;
            }
        }
    }
}
