//! What families do otherwise than Llama, as options of one decoder.

use super::config::ModelConfigError;

/// Options of a decoder; the default is Llama's way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variations {
    /// Attention by layer; empty where every layer has [`LayerAttention::default`].
    pub attention: Vec<LayerAttention>,
    /// Base of the rotary embedding of layers with [`Rotation::Local`], which is not stretched.
    pub local_rope_theta: Option<f64>,
    /// Dimensions of a head that are rotated, the first ones; all by default. Even.
    pub rotary_dim: Option<usize>,
    /// Scores of attention are divided by this number's square root; by that of head_dim by default.
    pub query_scalar: Option<usize>,
    /// What the gate of the feed-forward layer goes through.
    pub activation: Activation,
    /// Biases on the projections of the feed-forward layer.
    pub mlp_bias: bool,
    /// Norms on what attention and the feed-forward layer add to the residual stream.
    pub branch_norms: bool,
    /// Norms multiply by 1 + their gain.
    pub gains_from_one: bool,
    /// What embeddings are multiplied by; 1 by default. Not so the head, where it is tied.
    pub embedding_scale: Option<f64>,
}

/// What a layer's attention sees, and how positions enter it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LayerAttention {
    /// Tokens that a query sees, the latest ones, its own included; all by default.
    pub window: Option<usize>,
    /// How queries and keys are rotated.
    pub rotation: Rotation,
}

/// Which rotary embedding a layer has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rotation {
    /// The model's.
    #[default]
    Global,
    /// That of [`Variations::local_rope_theta`].
    Local,
    /// None: positions don't enter (arXiv 2305.19466).
    None,
}

/// A function of the gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activation {
    /// x · sigmoid(x).
    #[default]
    Silu,
    /// GELU by its approximation with tanh (arXiv 1606.08415, section 2), `gelu_pytorch_tanh`.
    GeluTanh,
}

impl Variations {
    /// Attention of `layer`.
    pub fn attention(&self, layer: usize) -> LayerAttention {
        self.attention.get(layer).copied().unwrap_or_default()
    }

    /// True for Llama's way as long as no sequence is longer than `positions`.
    pub fn are_none_within(&self, positions: usize) -> bool {
        let is_plain = |layer: &LayerAttention| {
            layer.rotation == Rotation::Global && layer.window.is_none_or(|window| window >= positions)
        };
        let attention = match self.attention.iter().all(is_plain) {
            true => Vec::new(),
            false => self.attention.clone(),
        };
        Self { attention, ..self.clone() } == Self::default()
    }

    /// Checks that the numbers fit together and to a decoder with these `layers` and this `head_dim`.
    ///
    /// # Errors
    /// Names the first key that can't be used and why.
    pub(super) fn validate(&self, layers: usize, head_dim: usize) -> Result<(), ModelConfigError> {
        let invalid = |text: String| Err(ModelConfigError::Invalid(text));
        if !self.attention.is_empty() && self.attention.len() != layers {
            return invalid(format!("attention is given for {} layers of {layers}", self.attention.len()));
        }
        if self.attention.iter().any(|layer| layer.window == Some(0)) {
            return invalid("`sliding_window` is 0, a token sees itself at least".to_owned());
        }
        if self.attention.iter().any(|layer| layer.rotation == Rotation::Local)
            && self.local_rope_theta.is_none()
        {
            return invalid("`rope_local_base_freq` is missing".to_owned());
        }
        if let Some(dim) = self.rotary_dim.filter(|dim| *dim > head_dim || *dim < 2 || dim % 2 != 0) {
            return invalid(format!(
                "`partial_rotary_factor` rotates {dim} of {head_dim} dimensions of a head, it must be an even number"
            ));
        }
        if self.query_scalar == Some(0) {
            return invalid("`query_pre_attn_scalar` is 0, it must be positive".to_owned());
        }
        for (key, value) in
            [("rope_local_base_freq", self.local_rope_theta), ("embedding scale", self.embedding_scale)]
        {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return invalid(format!("`{key}` gives {value}, it must be a positive number"));
            }
        }
        Ok(())
    }
}
