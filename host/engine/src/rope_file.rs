//! The rotary embedding in a `config.json`, where it stands as `rope_scaling` or, newer, as `rope_parameters`.

use serde::{Deserialize, Serialize};

use super::config::ModelConfigError;
use super::rope::{Llama3Rope, LongRope, RopeScaling, YarnRope};
use exgrpo_core::escape::quoted;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct RopeFile {
    rope_type: Option<String>,
    /// The older name; some files have both.
    #[serde(rename = "type", skip_serializing)]
    older_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rope_theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low_freq_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high_freq_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) original_max_position_embeddings: Option<usize>,
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
    pub(super) partial_rotary_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    short_factor: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    long_factor: Option<Vec<f64>>,
    /// Where each kind of layer has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) full_attention: Option<Box<RopeFile>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sliding_attention: Option<Box<RopeFile>>,
}

impl RopeFile {
    fn kind(&self) -> Option<&str> {
        self.rope_type.as_deref().or(self.older_type.as_deref())
    }

    /// True where the file says something that is for all layers alike.
    pub(super) fn is_for_all(&self) -> bool {
        self.rope_theta.is_some() || self.kind().is_some() || self.factor.is_some()
    }

    /// True where frequencies are as `rope_theta` gives them.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.kind(), None | Some("default")) && self.factor.is_none()
    }

    /// Phi-3's reading: its older files name LongRoPE otherwise, and the original context beside the other keys counts.
    pub(super) fn of_phi3(mut self, original: usize) -> Self {
        if matches!(self.kind(), Some("yarn" | "su")) {
            self.rope_type = Some("longrope".to_owned());
        }
        self.original_max_position_embeddings = Some(original);
        self
    }

    /// The scaling for a file's `max_position_embeddings`.
    pub(super) fn scaling(&self, positions: usize) -> Result<Option<RopeScaling>, ModelConfigError> {
        let missing = |key: &str| ModelConfigError::Invalid(format!("`rope_scaling` lacks `{key}`"));
        let factor = || self.factor.ok_or_else(|| missing("factor"));
        Ok(match self.kind() {
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
            Some("longrope") => {
                let original = self
                    .original_max_position_embeddings
                    .ok_or_else(|| missing("original_max_position_embeddings"))?;
                let factor = self.factor.unwrap_or(positions as f64 / original.max(1) as f64);
                Some(RopeScaling::Long(LongRope {
                    short_factor: self.short_factor.clone().ok_or_else(|| missing("short_factor"))?,
                    long_factor: self.long_factor.clone().ok_or_else(|| missing("long_factor"))?,
                    attention_factor: self
                        .attention_factor
                        .unwrap_or_else(|| LongRope::default_attention_factor(factor, original)),
                    positions,
                }))
            }
            other => {
                let kind =
                    other.map_or_else(|| "no type".to_owned(), |kind| format!("type {}", quoted(kind)));
                return Err(ModelConfigError::Unsupported(format!(
                    "`rope_scaling` of {kind} is not supported, only `default`, `linear`, `dynamic`, `llama3`, \
                     `yarn` and `longrope` are"
                )));
            }
        })
    }

    /// What a file says of `scaling`, in the older place.
    pub(super) fn of(scaling: RopeScaling) -> Self {
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
            RopeScaling::Long(rope) => Self {
                rope_type: Some("longrope".to_owned()),
                short_factor: Some(rope.short_factor),
                long_factor: Some(rope.long_factor),
                attention_factor: Some(rope.attention_factor),
                ..Self::default()
            },
        }
    }
}
