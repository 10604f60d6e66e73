//! Where each parameter lies in the flat buffers of weights, gradients and moments: matrices first, as weight decay is
//! theirs alone; projections that read the same input next to each other, so that one product computes them.

use crate::ModelConfig;

/// Values between the starts of two groups are a multiple of this many, so that every matrix starts on 128 bytes.
const ALIGNMENT: usize = 64;

/// Offsets, in values.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) embedding: usize,
    pub(super) layers: Vec<LayerPlaces>,
    pub(super) norm: usize,
    /// The embedding where the head is tied to it.
    pub(super) head: usize,
    /// Offset of each parameter in the order of [`ModelConfig::parameter_shapes`].
    pub(super) parameters: Vec<usize>,
    /// Matrices, and the gaps between them, end here.
    pub(super) matrices: usize,
    /// Values in all, gaps included.
    pub(super) len: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct LayerPlaces {
    pub(super) input_norm: usize,
    /// `[(heads + 2 * key_heads) * D, H]`: queries, keys, values.
    pub(super) qkv: usize,
    pub(super) qkv_bias: Option<usize>,
    pub(super) query_norm: Option<usize>,
    pub(super) key_norm: Option<usize>,
    pub(super) output: usize,
    pub(super) output_bias: Option<usize>,
    pub(super) post_norm: usize,
    /// `[2 * I, H]`: gates, then ups.
    pub(super) gate_up: usize,
    pub(super) down: usize,
}

/// Parameters of a layer that are placed next to each other, by the ends of their names.
const MATRICES: [&[&str]; 4] = [
    &["q_proj.weight", "k_proj.weight", "v_proj.weight"],
    &["o_proj.weight"],
    &["gate_proj.weight", "up_proj.weight"],
    &["down_proj.weight"],
];
const VECTORS: [&[&str]; 6] = [
    &["input_layernorm.weight"],
    &["q_proj.bias", "k_proj.bias", "v_proj.bias"],
    &["q_norm.weight"],
    &["k_norm.weight"],
    &["o_proj.bias"],
    &["post_attention_layernorm.weight"],
];

impl Layout {
    pub(super) fn new(config: &ModelConfig) -> Self {
        let shapes = config.parameter_shapes();
        let mut layout = Self {
            embedding: 0,
            layers: vec![LayerPlaces::default(); config.num_hidden_layers],
            norm: 0,
            head: 0,
            parameters: vec![0; shapes.len()],
            matrices: 0,
            len: 0,
        };
        // Places the parameters of these names, those that exist, and says where the first is.
        let mut len = 0usize;
        let mut parameters = vec![0; shapes.len()];
        let index: std::collections::HashMap<&str, usize> =
            shapes.iter().enumerate().map(|(index, shape)| (shape.name.as_str(), index)).collect();
        let mut place = |names: &[String]| -> Option<usize> {
            let start = len.next_multiple_of(ALIGNMENT);
            let mut end = start;
            for &found in names.iter().filter_map(|name| index.get(name.as_str())) {
                parameters[found] = end;
                end += shapes[found].num_values();
            }
            if end == start {
                return None;
            }
            len = end;
            Some(start)
        };
        let single = |name: &str| vec![name.to_owned()];
        layout.embedding = place(&single("model.embed_tokens.weight")).unwrap_or_default();
        layout.head = place(&single("lm_head.weight")).unwrap_or(layout.embedding);
        let mut places: Vec<Vec<Option<usize>>> = vec![Vec::new(); config.num_hidden_layers];
        for groups in [&MATRICES[..], &VECTORS[..]] {
            for (layer, places) in places.iter_mut().enumerate() {
                for group in groups {
                    let name = |end: &&str| {
                        let part = if end.contains("layernorm") {
                            ""
                        } else if end.contains("gate_proj")
                            || end.contains("up_proj")
                            || end.contains("down_proj")
                        {
                            "mlp."
                        } else {
                            "self_attn."
                        };
                        format!("model.layers.{layer}.{part}{end}")
                    };
                    places.push(place(&group.iter().map(name).collect::<Vec<_>>()));
                }
            }
        }
        layout.norm = place(&single("model.norm.weight")).unwrap_or_default();
        for (layer, places) in layout.layers.iter_mut().zip(places) {
            let at = |group: usize| places[group];
            *layer = LayerPlaces {
                qkv: at(0).unwrap_or_default(),
                output: at(1).unwrap_or_default(),
                gate_up: at(2).unwrap_or_default(),
                down: at(3).unwrap_or_default(),
                input_norm: at(4).unwrap_or_default(),
                qkv_bias: at(5),
                query_norm: at(6),
                key_norm: at(7),
                output_bias: at(8),
                post_norm: at(9).unwrap_or_default(),
            };
        }
        layout.matrices = layout.layers.first().map_or(layout.norm, |layer| layer.input_norm);
        layout.parameters = parameters;
        layout.len = len.next_multiple_of(ALIGNMENT);
        layout
    }
}
