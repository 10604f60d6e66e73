//! The network's shape, and all its parameters in one flat buffer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use anyhow::Context;

use super::attention::Reach;
use super::panels::{column, write_column};
use super::product::{Panels, panels_len};
use crate::config::{ATTENTION_BRANCH_NORM, FEED_FORWARD_BRANCH_NORM};
use crate::{ModelConfig, NamedTensor, ParameterShape, Precision, Weights};

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

/// A matrix of weights `[cols, depth]` in the flat buffer, kept as the panels of its transpose, as products want it.
#[derive(Debug, Clone)]
pub(super) struct Matrix {
    pub(super) range: Range<usize>,
    /// Width of the input.
    pub(super) depth: usize,
    /// Width of the output.
    pub(super) cols: usize,
}

/// Where a parameter lies in the flat buffer.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A vector.
    Vector(Range<usize>),
    /// Rows of a weight: some columns of a matrix, from `first` on.
    Columns { of: Matrix, first: usize },
}

/// Where a layer's parameters lie in the flat buffer.
#[derive(Debug, Clone)]
pub(super) struct LayerRanges {
    /// Query, key and value projections, `[qkv, hidden]`.
    pub(super) qkv: Matrix,
    /// Their biases, `[qkv]`.
    pub(super) qkv_bias: Option<Range<usize>>,
    /// Gain of the queries' norm, `[head_dim]`.
    pub(super) query_norm: Option<Range<usize>>,
    /// Gain of the keys' norm, `[head_dim]`.
    pub(super) key_norm: Option<Range<usize>>,
    /// Attention's output projection, `[hidden, query]`.
    pub(super) out: Matrix,
    /// Its bias, `[hidden]`.
    pub(super) out_bias: Option<Range<usize>>,
    /// Gain of the norm before attention, `[hidden]`.
    pub(super) input_norm: Range<usize>,
    /// Gain of the norm before the gated layer, `[hidden]`.
    pub(super) post_norm: Range<usize>,
    /// Gain of the norm on what attention adds to the residual stream, `[hidden]`.
    pub(super) attention_branch_norm: Option<Range<usize>>,
    /// Gain of the norm on what the gated layer adds to it, `[hidden]`.
    pub(super) feed_forward_branch_norm: Option<Range<usize>>,
    /// Gate and up projections, `[2 * intermediate, hidden]`.
    pub(super) gate_up: Matrix,
    /// Their biases, `[2 * intermediate]`.
    pub(super) gate_up_bias: Option<Range<usize>>,
    /// Down projection, `[hidden, intermediate]`.
    pub(super) down: Matrix,
    /// Its bias, `[hidden]`.
    pub(super) down_bias: Option<Range<usize>>,
}

/// Where every parameter lies in a flat buffer: all matrices first, then all vectors; so what weight decay touches is
/// one range. Projections that read the same input are one matrix.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Parameters in the order of [`ModelConfig::parameter_shapes`], with their places.
    pub(super) parameters: Vec<(ParameterShape, Place)>,
    /// Ranges by layer.
    pub(super) layers: Vec<LayerRanges>,
    /// Embedding, `[vocab, hidden]`.
    pub(super) embedding: Matrix,
    /// Gain of the last norm, `[hidden]`.
    pub(super) final_norm: Range<usize>,
    /// Head, `[vocab, hidden]`; the embedding when tied.
    pub(super) head: Matrix,
    /// Values of all matrices, those included that fill up their last panels.
    pub(super) num_matrix_values: usize,
    /// Values of the buffer.
    pub(super) num_values: usize,
}

const GATE_UP: [&str; 2] = ["mlp.gate_proj", "mlp.up_proj"];

/// Hands out places for parameters.
struct Places {
    shapes: Vec<ParameterShape>,
    of: HashMap<String, Place>,
    num_values: usize,
}

impl Places {
    fn shape(&self, name: &str) -> anyhow::Result<&ParameterShape> {
        let found = self.shapes.iter().find(|parameter| parameter.name == name);
        found.with_context(|| format!("the configuration has no parameter `{name}`"))
    }

    /// The weights `names`, which read the same input, as one matrix.
    fn matrix(&mut self, names: &[String]) -> anyhow::Result<Matrix> {
        let mut firsts = Vec::new();
        let (mut cols, mut depth) = (0, 0);
        for name in names {
            let shape = &self.shape(name)?.shape;
            firsts.push(cols);
            (cols, depth) = (cols + shape[0], shape[1]);
        }
        let begin = self.num_values;
        self.num_values += panels_len(depth, cols);
        let matrix = Matrix { range: begin..self.num_values, depth, cols };
        for (name, first) in names.iter().zip(firsts) {
            self.of.insert(name.clone(), Place::Columns { of: matrix.clone(), first });
        }
        Ok(matrix)
    }

    /// The vectors `names` side by side; `None` when the network has no such.
    fn vectors(&mut self, names: &[String]) -> Option<Range<usize>> {
        let begin = self.num_values;
        for name in names {
            let len = self.shape(name).ok()?.num_values();
            self.of.insert(name.clone(), Place::Vector(self.num_values..self.num_values + len));
            self.num_values += len;
        }
        Some(begin..self.num_values)
    }

    fn vector(&mut self, name: String) -> anyhow::Result<Range<usize>> {
        self.shape(&name)?;
        self.vectors(&[name]).context("the parameter was found before")
    }
}

impl Layout {
    /// True when heads of queries and keys have norms of their own.
    pub(super) fn has_head_norms(&self) -> bool {
        self.layers.first().is_some_and(|layer| layer.query_norm.is_some() && layer.key_norm.is_some())
    }

    fn new(config: &ModelConfig) -> anyhow::Result<Self> {
        let mut places = Places { shapes: config.parameter_shapes(), of: HashMap::new(), num_values: 0 };
        let embedding = places.matrix(&["model.embed_tokens.weight".to_owned()])?;
        let head = match config.tie_word_embeddings {
            true => embedding.clone(),
            false => places.matrix(&["lm_head.weight".to_owned()])?,
        };
        let names = |layer: usize, parts: &[&str], kind: &str| -> Vec<String> {
            parts.iter().map(|part| format!("model.layers.{layer}.{part}.{kind}")).collect()
        };
        let qkv = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
        let mut matrices = Vec::new();
        for layer in 0..config.num_hidden_layers {
            let mut matrix = |parts: &[&str]| places.matrix(&names(layer, parts, "weight"));
            matrices.push([
                matrix(&qkv)?,
                matrix(&["self_attn.o_proj"])?,
                matrix(&GATE_UP)?,
                matrix(&["mlp.down_proj"])?,
            ]);
        }
        let num_matrix_values = places.num_values;
        let has_branch_norms = config.variations.branch_norms;
        let mut layers = Vec::new();
        for (layer, [qkv_matrix, out, gate_up, down]) in matrices.into_iter().enumerate() {
            let mut optional = |parts: &[&str], kind: &str| places.vectors(&names(layer, parts, kind));
            layers.push(LayerRanges {
                qkv: qkv_matrix,
                gate_up_bias: optional(&GATE_UP, "bias"),
                down_bias: optional(&["mlp.down_proj"], "bias"),
                // Where branches have none, the first name is that of the norm before the gated layer.
                attention_branch_norm: has_branch_norms
                    .then(|| optional(&[ATTENTION_BRANCH_NORM], "weight"))
                    .flatten(),
                feed_forward_branch_norm: optional(&[FEED_FORWARD_BRANCH_NORM], "weight"),
                qkv_bias: optional(&qkv, "bias"),
                query_norm: optional(&["self_attn.q_norm"], "weight"),
                key_norm: optional(&["self_attn.k_norm"], "weight"),
                out,
                out_bias: optional(&["self_attn.o_proj"], "bias"),
                input_norm: places.vector(format!("model.layers.{layer}.input_layernorm.weight"))?,
                post_norm: places
                    .vector(format!("model.layers.{layer}.{}.weight", config.feed_forward_norm()))?,
                gate_up,
                down,
            });
        }
        let final_norm = places.vector("model.norm.weight".to_owned())?;
        let Places { shapes, mut of, num_values } = places;
        let mut parameters = Vec::new();
        for shape in shapes {
            let place = of.remove(&shape.name);
            let place = place.with_context(|| format!("the engine has no place for `{}`", shape.name))?;
            parameters.push((shape, place));
        }
        Ok(Self { parameters, layers, embedding, final_norm, head, num_matrix_values, num_values })
    }
}

/// The network: shape and parameters.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) config: ModelConfig,
    pub(super) shape: Shape,
    pub(super) layout: Layout,
    /// All parameters, laid out by `layout`.
    pub(super) parameters: Vec<f32>,
    /// Precision of products with weights.
    pub(super) precision: Precision,
}

impl Network {
    /// Takes over `weights`.
    pub(super) fn new(config: ModelConfig, weights: &Weights, precision: Precision) -> anyhow::Result<Self> {
        config.validate()?;
        let layout = Layout::new(&config)?;
        let mut network = Self {
            shape: Shape::new(&config),
            config,
            parameters: vec![0.0; layout.num_values],
            layout,
            precision,
        };
        flatten(&network.layout, weights.tensors(), &mut network.parameters)?;
        Ok(network)
    }

    /// The parameters in `range`.
    pub(super) fn part(&self, range: &Range<usize>) -> &[f32] {
        &self.parameters[range.clone()]
    }

    /// What the norm with its gain in `range` multiplies by.
    pub(super) fn gain(&self, range: &Range<usize>) -> Cow<'_, [f32]> {
        let gain = self.part(range);
        match self.config.variations.gains_from_one {
            true => gain.iter().map(|gain| 1.0 + gain).collect(),
            false => Cow::Borrowed(gain),
        }
    }

    /// What embeddings are multiplied by, where they are.
    pub(super) fn embedding_scale(&self) -> Option<f32> {
        self.config.variations.embedding_scale.map(|scale| scale as f32)
    }

    /// What attention of `layer` sees, and how its scores are scaled.
    pub(super) fn reach(&self, layer: usize) -> Reach {
        let variations = &self.config.variations;
        Reach {
            factor: 1.0 / (variations.query_scalar.unwrap_or(self.shape.head_dim) as f32).sqrt(),
            window: variations.attention(layer).window.unwrap_or(usize::MAX),
        }
    }

    /// A matrix as the right operand of a product.
    pub(super) fn panels(&self, matrix: &Matrix) -> Panels<'_> {
        Panels::new(self.part(&matrix.range), matrix.depth, matrix.cols, self.precision)
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
    for ((parameter, place), tensor) in layout.parameters.iter().zip(tensors) {
        anyhow::ensure!(
            tensor.name == parameter.name && tensor.data.len() == parameter.num_values(),
            "expected tensor `{}` with {} values, got `{}` with {}",
            parameter.name,
            parameter.num_values(),
            tensor.name,
            tensor.data.len()
        );
        match place {
            Place::Vector(range) => flat[range.clone()].copy_from_slice(&tensor.data),
            Place::Columns { of, first } => {
                for (j, row) in tensor.data.chunks_exact(of.depth).enumerate() {
                    write_column(&mut flat[of.range.clone()], of.depth, first + j, row);
                }
            }
        }
    }
    Ok(())
}

/// `flat` as named tensors in the configuration's order.
pub(super) fn unflatten(layout: &Layout, flat: &[f32]) -> Vec<NamedTensor> {
    let data = |parameter: &ParameterShape, place: &Place| match place {
        Place::Vector(range) => flat[range.clone()].to_vec(),
        Place::Columns { of, first } => {
            let rows = parameter.num_values() / of.depth;
            let panels = &flat[of.range.clone()];
            (*first..first + rows).flat_map(|j| column(panels, of.depth, j)).collect()
        }
    };
    let tensor = |(parameter, place): &(ParameterShape, Place)| NamedTensor {
        name: parameter.name.clone(),
        shape: parameter.shape.clone(),
        data: data(parameter, place),
    };
    layout.parameters.iter().map(tensor).collect()
}
