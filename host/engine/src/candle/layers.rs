//! The decoder's layers over candle tensors, without state.
//!
//! Several of candle's fused operations return from `backward` without a gradient and without an error, so that the
//! layers know two sets of operations: [`Kernels::Differentiable`] for training, [`Kernels::Fused`] where no gradient
//! is wanted. Letters: N tokens of a batch, B sequences, T tokens of the longest, S keys, D a head's width.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{D, Device, Result, Tensor};

use super::rotation::{Rotation, Rotations};
use crate::{Activation, ModelConfig, Rotation as RotationKind};

/// Added to the scores of keys that a query must not see. Finite, so that a row without any key is not NaN; far
/// enough below any score that its exponential is exactly 0.
pub(super) const MASKED: f32 = -1e30;

/// Which operations a [`Network`] is computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernels {
    /// Every operation passes its gradient on.
    Differentiable,
    /// Fewer passes over memory, no gradient.
    Fused,
}

/// The network as tensors; shares its storage with the Actor's parameters.
pub(super) struct Network {
    embedding: Tensor,
    embedding_scale: Option<f64>,
    pub(super) layers: Vec<Layer>,
    norm: Tensor,
    head: Tensor,
    dims: Dims,
}

pub(super) struct Layer {
    input_norm: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    query_norm: Option<Tensor>,
    key_norm: Option<Tensor>,
    output: Linear,
    attention_branch_norm: Option<Tensor>,
    feed_forward_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
    feed_forward_branch_norm: Option<Tensor>,
    rotation: RotationKind,
    /// Tokens that a query sees, its own included.
    pub(super) window: Option<usize>,
    dims: Dims,
}

/// Queries, keys and values of a layer after normalization and rotation: `[B, heads, T, D]`.
pub(super) struct Heads {
    pub(super) query: Tensor,
    pub(super) key: Tensor,
    pub(super) value: Tensor,
}

struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

#[derive(Clone, Copy)]
struct Dims {
    heads: usize,
    key_heads: usize,
    head_dim: usize,
    rotary_dim: usize,
    /// What scores of attention are multiplied by.
    score_scale: f64,
    activation: Activation,
    gains_from_one: bool,
    eps: f64,
    kernels: Kernels,
}

impl Network {
    /// Takes the parameters in the order of [`ModelConfig::parameter_shapes`].
    pub(super) fn new(config: &ModelConfig, parameters: &[Tensor], kernels: Kernels) -> Result<Self> {
        let mut parameters = parameters.iter();
        let mut next = || {
            parameters.next().cloned().ok_or_else(|| {
                candle_core::Error::Msg("fewer parameters than the configuration asks for".to_owned())
            })
        };
        let variations = &config.variations;
        let dims = Dims {
            heads: config.num_attention_heads,
            key_heads: config.num_key_value_heads,
            head_dim: config.head_dim,
            rotary_dim: config.rotary_dim(),
            score_scale: 1.0 / (variations.query_scalar.unwrap_or(config.head_dim) as f64).sqrt(),
            activation: variations.activation,
            gains_from_one: variations.gains_from_one,
            eps: config.rms_norm_eps,
            kernels,
        };
        let embedding = next()?;
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for layer in 0..config.num_hidden_layers {
            let attention = variations.attention(layer);
            let mut linear = |bias: bool| -> Result<Linear> {
                Ok(Linear { weight: next()?, bias: if bias { Some(next()?) } else { None } })
            };
            let input_norm = linear(false)?.weight;
            let query = linear(config.has_qkv_bias())?;
            let key = linear(config.has_qkv_bias())?;
            let value = linear(config.has_qkv_bias())?;
            let (query_norm, key_norm) = match config.has_qk_norm() {
                true => (Some(linear(false)?.weight), Some(linear(false)?.weight)),
                false => (None, None),
            };
            layers.push(Layer {
                input_norm,
                query,
                key,
                value,
                query_norm,
                key_norm,
                output: linear(config.has_output_bias())?,
                attention_branch_norm: match variations.branch_norms {
                    true => Some(linear(false)?.weight),
                    false => None,
                },
                feed_forward_norm: linear(false)?.weight,
                gate: linear(variations.mlp_bias)?,
                up: linear(variations.mlp_bias)?,
                down: linear(variations.mlp_bias)?,
                feed_forward_branch_norm: match variations.branch_norms {
                    true => Some(linear(false)?.weight),
                    false => None,
                },
                rotation: attention.rotation,
                window: attention.window,
                dims,
            });
        }
        let norm = next()?;
        let head = if config.tie_word_embeddings { embedding.clone() } else { next()? };
        Ok(Self { embedding, embedding_scale: variations.embedding_scale, layers, norm, head, dims })
    }

    /// The residual stream before the first layer, `[N, hidden]`, of `tokens`, `[N]`.
    pub(super) fn embed(&self, tokens: &Tensor) -> Result<Tensor> {
        let stream = self.embedding.index_select(tokens, 0)?;
        match self.embedding_scale {
            Some(scale) => stream * scale,
            None => Ok(stream),
        }
    }

    /// Residual stream after the last layer, before the last norm, of right-padded sequences that start at
    /// position 0. `tokens` is `[B, T]`, the result `[B * T, hidden]`.
    ///
    /// A causal mask is all that padding on the right needs: no real token sees what comes after it.
    pub(super) fn forward(&self, tokens: &Tensor, rotations: &Rotations) -> Result<Tensor> {
        let (rows, len) = tokens.dims2()?;
        let masks = self.masks(|window| causal_mask(len, window, tokens.device()).map(Some))?;
        let mut stream = self.embed(&tokens.flatten_all()?)?;
        for layer in &self.layers {
            let heads = layer.heads(&stream, rows, len, rotations)?;
            let attended = layer.attend(&heads.query, &heads.key, &heads.value, masks.of(layer))?;
            stream = layer.finish(&stream, &attended)?;
        }
        Ok(stream)
    }

    /// Masks for all layers: `make` is asked once for each window that occurs.
    pub(super) fn masks(
        &self,
        mut make: impl FnMut(Option<usize>) -> Result<Option<Tensor>>,
    ) -> Result<Masks> {
        let windows: BTreeSet<Option<usize>> = self.layers.iter().map(|layer| layer.window).collect();
        let masks = windows.into_iter().map(|window| Ok((window, make(window)?)));
        Ok(Masks(masks.collect::<Result<_>>()?))
    }

    /// Logits, `[N, V]`, of rows of the residual stream, `[N, hidden]`.
    pub(super) fn logits(&self, stream: &Tensor) -> Result<Tensor> {
        self.dims.norm(stream, &self.norm)?.matmul(&self.head.t()?)
    }
}

/// What is added to the scores of attention, by window; nothing where every key is seen.
pub(super) struct Masks(BTreeMap<Option<usize>, Option<Tensor>>);

impl Masks {
    pub(super) fn of(&self, layer: &Layer) -> Option<&Tensor> {
        self.0.get(&layer.window)?.as_ref()
    }
}

impl Layer {
    /// Queries, keys and values of `rows` sequences of `len` tokens; `stream` is `[N, hidden]`.
    pub(super) fn heads(
        &self,
        stream: &Tensor,
        rows: usize,
        len: usize,
        rotations: &Rotations,
    ) -> Result<Heads> {
        let Dims { heads, key_heads, head_dim, .. } = self.dims;
        let input = self.dims.norm(stream, &self.input_norm)?;
        let rotated = |linear: &Linear, norm: Option<&Tensor>, heads: usize| -> Result<Tensor> {
            let mut projected = linear.forward(&input)?;
            if let Some(norm) = norm {
                projected = self.dims.norm(&projected.reshape((rows * len * heads, head_dim))?, norm)?;
            }
            let rotation = rotations.of(self.rotation);
            self.dims.rotate(&projected, (rows, len, heads), rotation)
        };
        let value = self.value.forward(&input)?.reshape((rows, len, key_heads, head_dim))?;
        Ok(Heads {
            query: rotated(&self.query, self.query_norm.as_ref(), heads)?,
            key: rotated(&self.key, self.key_norm.as_ref(), key_heads)?,
            value: value.transpose(1, 2)?.contiguous()?,
        })
    }

    /// Attention of `query`, `[B, heads, T, D]`, over `key` and `value`, `[B, key_heads, S, D]`; `mask` is added to
    /// the scores, `[T, S]` or `[B, heads, T, S]`. Gives `[N, heads * D]`.
    pub(super) fn attend(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let Dims { heads, key_heads, head_dim, score_scale, kernels, .. } = self.dims;
        let (rows, len, num_keys) = (query.dim(0)?, query.dim(2)?, key.dim(2)?);
        // The query heads that share a key head are further rows of the same product.
        let shared = (rows, key_heads, heads / key_heads * len, ());
        let query = (query * score_scale)?.reshape(shared)?;
        let scores = query.matmul(&key.t()?)?.reshape((rows, heads, len, num_keys))?;
        let attended = match kernels {
            Kernels::Fused => {
                let scores = match mask {
                    Some(mask) => scores.broadcast_add(mask)?,
                    None => scores,
                };
                candle_nn::ops::softmax_last_dim(&scores)?.reshape(shared)?.matmul(value)?
            }
            Kernels::Differentiable => {
                // One constant holds the mask and the row's maximum, which has no gradient as the softmax doesn't
                // change with it; the sum divides D columns instead of S.
                let constant = scores.detach();
                let masked = match mask {
                    Some(mask) => constant.broadcast_add(mask)?,
                    None => constant.clone(),
                };
                let shift = masked.broadcast_sub(&masked.max_keepdim(D::Minus1)?)?.sub(&constant)?;
                let weights = (scores + shift)?.exp()?.reshape(shared)?;
                let sum = weights.sum_keepdim(D::Minus1)?;
                weights.matmul(value)?.broadcast_mul(&sum.recip()?)?
            }
        };
        attended
            .reshape((rows, heads, len, head_dim))?
            .transpose(1, 2)?
            .reshape((rows * len, heads * head_dim))
    }

    /// The residual stream after this layer, given it before and what attention gathered.
    pub(super) fn finish(&self, stream: &Tensor, attended: &Tensor) -> Result<Tensor> {
        let branch = |added: Tensor, norm: &Option<Tensor>| match norm {
            Some(norm) => self.dims.norm(&added, norm),
            None => Ok(added),
        };
        let stream = (stream + branch(self.output.forward(attended)?, &self.attention_branch_norm)?)?;
        let input = self.dims.norm(&stream, &self.feed_forward_norm)?;
        let gate = self.gate.forward(&input)?;
        let gate = match self.dims.activation {
            Activation::Silu => gate.silu()?,
            // The approximation with tanh.
            Activation::GeluTanh => gate.gelu()?,
        };
        let gated = (gate * self.up.forward(&input)?)?;
        stream + branch(self.down.forward(&gated)?, &self.feed_forward_branch_norm)?
    }
}

impl Linear {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let output = input.matmul(&self.weight.t()?)?;
        match &self.bias {
            Some(bias) => output.broadcast_add(bias),
            None => Ok(output),
        }
    }
}

impl Dims {
    /// x / sqrt(mean(x^2) + eps) * weight over the last dimension.
    fn norm(&self, input: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let from_one = self.gains_from_one.then(|| weight + 1.0).transpose()?;
        let weight = from_one.as_ref().unwrap_or(weight);
        match self.kernels {
            Kernels::Fused => candle_nn::ops::rms_norm(input, weight, self.eps as f32),
            Kernels::Differentiable => {
                let width = input.dim(D::Minus1)? as f64;
                let mean = input.sqr()?.sum_keepdim(D::Minus1)?.affine(1.0 / width, self.eps)?;
                input.broadcast_mul(&mean.sqrt()?.recip()?)?.broadcast_mul(weight)
            }
        }
    }

    /// Rotates pairs (i, i + R/2) of the first R dimensions of every head by its position. `input` holds `[B, T, heads, D]`
    /// in any shape, the result is `[B, heads, T, D]`.
    fn rotate(
        &self,
        input: &Tensor,
        (rows, len, heads): (usize, usize, usize),
        rotation: Option<&Rotation>,
    ) -> Result<Tensor> {
        let Some(rotation) = rotation else {
            return input.reshape((rows, len, heads, self.head_dim))?.transpose(1, 2)?.contiguous();
        };
        if self.rotary_dim < self.head_dim {
            let input = input.reshape((rows, len, heads, self.head_dim))?;
            let turned = input.narrow(3, 0, self.rotary_dim)?.contiguous()?;
            let rest = input.narrow(3, self.rotary_dim, self.head_dim - self.rotary_dim)?.transpose(1, 2)?;
            let whole = Self { head_dim: self.rotary_dim, ..*self };
            let turned = whole.rotate(&turned, (rows, len, heads), Some(rotation))?;
            return Tensor::cat(&[turned, rest.contiguous()?], D::Minus1);
        }
        let half = self.head_dim / 2;
        match self.kernels {
            Kernels::Fused => {
                let input =
                    input.reshape((rows, len, heads, self.head_dim))?.transpose(1, 2)?.contiguous()?;
                candle_nn::rotary_emb::rope(&input, &rotation.cos, &rotation.sin)
            }
            Kernels::Differentiable => {
                // Halves outermost: what follows runs over contiguous memory.
                let halves =
                    input.reshape((rows, len, heads, 2, half))?.permute((3, 0, 2, 1, 4))?.contiguous()?;
                let first = halves.get(0)?;
                let second = halves.get(1)?;
                let (cos, sin) = (&rotation.cos, &rotation.sin);
                let turned = [
                    (first.broadcast_mul(cos)? - second.broadcast_mul(sin)?)?,
                    (first.broadcast_mul(sin)? + second.broadcast_mul(cos)?)?,
                ];
                Tensor::cat(&turned, D::Minus1)
            }
        }
    }
}

/// `[len, len]`, 0 where the key is not after the query nor beyond its window, [`MASKED`] elsewhere.
fn causal_mask(len: usize, window: Option<usize>, device: &Device) -> Result<Tensor> {
    let is_seen = |query: usize, key: usize| key <= query && is_within(window, query, key);
    let mask: Vec<f32> =
        (0..len * len).map(|at| if is_seen(at / len, at % len) { 0.0 } else { MASKED }).collect();
    Tensor::from_vec(mask, (len, len), device)
}

/// True when a query at one place sees a key at an earlier one.
pub(super) fn is_within(window: Option<usize>, query: usize, key: usize) -> bool {
    window.is_none_or(|window| query < key.saturating_add(window))
}
