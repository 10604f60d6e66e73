//! The network's shape, and all its parameters in one flat buffer.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::Context;

use super::product::Packed;
use crate::model::{ModelConfig, NamedTensor, ParameterShape, Weights};

/// Widths in values, derived from a [`ModelConfig`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Token ids, V.
    pub(super) vocab: usize,
    /// Width of the residual stream.
    pub(super) hidden: usize,
    /// Width of the gated layer.
    pub(super) intermediate: usize,
    /// Query heads.
    pub(super) heads: usize,
    /// Key and value heads.
    pub(super) key_heads: usize,
    /// Width of a head.
    pub(super) head_dim: usize,
    /// Added to the mean square inside a norm.
    pub(super) eps: f32,
}

impl Shape {
    fn new(config: &ModelConfig) -> Self {
        Self {
            vocab: config.vocab_size,
            hidden: config.hidden_size,
            intermediate: config.intermediate_size,
            heads: config.num_attention_heads,
            key_heads: config.num_key_value_heads,
            head_dim: config.head_dim,
            eps: config.rms_norm_eps as f32,
        }
    }

    /// Width of all queries of a token.
    pub(super) fn query(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all keys (or values) of a token.
    pub(super) fn key(&self) -> usize {
        self.key_heads * self.head_dim
    }

    /// Width of queries, keys and values together.
    pub(super) fn qkv(&self) -> usize {
        self.query() + 2 * self.key()
    }

    /// Query heads that share a key head.
    pub(super) fn heads_per_key(&self) -> usize {
        self.heads / self.key_heads
    }
}

/// Where a layer's parameters lie in the flat buffer.
#[derive(Debug, Clone)]
pub(super) struct LayerRanges {
    /// Query, key and value projections, `[qkv, hidden]`.
    pub(super) qkv: Range<usize>,
    /// Their biases, `[qkv]`.
    pub(super) qkv_bias: Option<Range<usize>>,
    /// Gain of the queries' norm, `[head_dim]`.
    pub(super) query_norm: Option<Range<usize>>,
    /// Gain of the keys' norm, `[head_dim]`.
    pub(super) key_norm: Option<Range<usize>>,
    /// Attention's output projection, `[hidden, query]`.
    pub(super) out: Range<usize>,
    /// Its bias, `[hidden]`.
    pub(super) out_bias: Option<Range<usize>>,
    /// Gain of the norm before attention, `[hidden]`.
    pub(super) input_norm: Range<usize>,
    /// Gain of the norm before the gated layer, `[hidden]`.
    pub(super) post_norm: Range<usize>,
    /// Gate and up projections, `[2 * intermediate, hidden]`.
    pub(super) gate_up: Range<usize>,
    /// Down projection, `[hidden, intermediate]`.
    pub(super) down: Range<usize>,
}

/// Where every parameter lies in a flat buffer: all matrices first, then all vectors, each in the order of
/// [`ModelConfig::parameter_shapes`]; so projections that read the same input lie side by side, and what weight
/// decay touches is one range.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Parameters in the configuration's order, with their ranges.
    pub(super) parameters: Vec<(ParameterShape, Range<usize>)>,
    /// Ranges by layer.
    pub(super) layers: Vec<LayerRanges>,
    /// Embedding, `[vocab, hidden]`.
    pub(super) embedding: Range<usize>,
    /// Gain of the last norm, `[hidden]`.
    pub(super) final_norm: Range<usize>,
    /// Head, `[vocab, hidden]`; the embedding when tied.
    pub(super) head: Range<usize>,
    /// Values of all matrices.
    pub(super) num_matrix_values: usize,
    /// Values of all parameters.
    pub(super) num_values: usize,
}

impl Layout {
    fn new(config: &ModelConfig) -> anyhow::Result<Self> {
        let shapes = config.parameter_shapes();
        let mut ranges: HashMap<&str, Range<usize>> = HashMap::new();
        let mut num_values = 0;
        let mut num_matrix_values = 0;
        for matrices in [true, false] {
            for parameter in shapes.iter().filter(|parameter| parameter.is_matrix() == matrices) {
                let begin = num_values;
                num_values += parameter.num_values();
                ranges.insert(&parameter.name, begin..num_values);
            }
            if matrices {
                num_matrix_values = num_values;
            }
        }
        let find = |name: &str| {
            ranges.get(name).cloned().with_context(|| format!("the configuration has no parameter `{name}`"))
        };
        let span = |first: String, last: String| anyhow::Ok(find(&first)?.start..find(&last)?.end);
        let mut layers = Vec::new();
        for layer in 0..config.num_hidden_layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}");
            let optional = |part: &str| ranges.get(name(part).as_str()).cloned();
            layers.push(LayerRanges {
                qkv: span(name("self_attn.q_proj.weight"), name("self_attn.v_proj.weight"))?,
                qkv_bias: match config.has_qkv_bias() {
                    true => Some(span(name("self_attn.q_proj.bias"), name("self_attn.v_proj.bias"))?),
                    false => None,
                },
                query_norm: optional("self_attn.q_norm.weight"),
                key_norm: optional("self_attn.k_norm.weight"),
                out: find(&name("self_attn.o_proj.weight"))?,
                out_bias: optional("self_attn.o_proj.bias"),
                input_norm: find(&name("input_layernorm.weight"))?,
                post_norm: find(&name("post_attention_layernorm.weight"))?,
                gate_up: span(name("mlp.gate_proj.weight"), name("mlp.up_proj.weight"))?,
                down: find(&name("mlp.down_proj.weight"))?,
            });
        }
        let embedding = find("model.embed_tokens.weight")?;
        let head = match config.tie_word_embeddings {
            true => embedding.clone(),
            false => find("lm_head.weight")?,
        };
        let final_norm = find("model.norm.weight")?;
        let parameters = shapes
            .iter()
            .map(|shape| Ok((shape.clone(), find(&shape.name)?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { parameters, layers, embedding, final_norm, head, num_matrix_values, num_values })
    }
}

/// All matrices packed for the forward products.
#[derive(Debug, Default)]
pub(super) struct PackedNetwork {
    pub(super) layers: Vec<PackedLayer>,
    pub(super) head: Packed,
    /// False when the parameters may have changed since.
    pub(super) is_current: bool,
}

/// A layer's matrices packed for the forward products.
#[derive(Debug, Default)]
pub(super) struct PackedLayer {
    pub(super) qkv: Packed,
    pub(super) out: Packed,
    pub(super) gate_up: Packed,
    pub(super) down: Packed,
}

/// The network: shape and parameters.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) config: ModelConfig,
    pub(super) shape: Shape,
    pub(super) layout: Layout,
    /// All parameters, laid out by `layout`.
    pub(super) parameters: Vec<f32>,
}

impl Network {
    /// Takes over `weights`.
    pub(super) fn new(config: ModelConfig, weights: &Weights) -> anyhow::Result<Self> {
        config.validate()?;
        let layout = Layout::new(&config)?;
        let mut network =
            Self { shape: Shape::new(&config), config, parameters: vec![0.0; layout.num_values], layout };
        flatten(&network.layout, weights.tensors(), &mut network.parameters)?;
        Ok(network)
    }

    /// The parameters in `range`.
    pub(super) fn part(&self, range: &Range<usize>) -> &[f32] {
        &self.parameters[range.clone()]
    }

    /// Brings `packed` up to date.
    pub(super) fn pack(&self, packed: &mut PackedNetwork) {
        if packed.is_current {
            return;
        }
        packed.layers.resize_with(self.layout.layers.len(), PackedLayer::default);
        for (layer, packed) in packed.layers.iter_mut().enumerate() {
            self.pack_layer(layer, packed);
        }
        packed.head.pack_transposed(self.part(&self.layout.head), self.shape.vocab, self.shape.hidden);
        packed.is_current = true;
    }

    fn pack_layer(&self, layer: usize, packed: &mut PackedLayer) {
        let Shape { hidden, intermediate, .. } = self.shape;
        let ranges = &self.layout.layers[layer];
        packed.qkv.pack_transposed(self.part(&ranges.qkv), self.shape.qkv(), hidden);
        packed.out.pack_transposed(self.part(&ranges.out), hidden, self.shape.query());
        packed.gate_up.pack_transposed(self.part(&ranges.gate_up), 2 * intermediate, hidden);
        packed.down.pack_transposed(self.part(&ranges.down), hidden, intermediate);
    }
}

/// Copies `tensors`, in the order of the layout's parameters, into `flat`.
pub(super) fn flatten(layout: &Layout, tensors: &[NamedTensor], flat: &mut [f32]) -> anyhow::Result<()> {
    anyhow::ensure!(
        tensors.len() == layout.parameters.len(),
        "expected {} tensors, got {}",
        layout.parameters.len(),
        tensors.len()
    );
    for ((parameter, range), tensor) in layout.parameters.iter().zip(tensors) {
        anyhow::ensure!(
            tensor.name == parameter.name && tensor.data.len() == range.len(),
            "expected tensor `{}` with {} values, got `{}` with {}",
            parameter.name,
            range.len(),
            tensor.name,
            tensor.data.len()
        );
        flat[range.clone()].copy_from_slice(&tensor.data);
    }
    Ok(())
}

/// `flat` as named tensors in the configuration's order.
pub(super) fn unflatten(layout: &Layout, flat: &[f32]) -> Vec<NamedTensor> {
    let tensor = |(parameter, range): &(ParameterShape, Range<usize>)| NamedTensor {
        name: parameter.name.clone(),
        shape: parameter.shape.clone(),
        data: flat[range.clone()].to_vec(),
    };
    layout.parameters.iter().map(tensor).collect()
}
