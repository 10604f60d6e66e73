//! Projections that files of some families hold as one tensor: taken apart when they are read, put together when they are
//! written for other programs.

use std::collections::BTreeMap;

use super::architecture::Architecture;
use super::config::ModelConfig;
use super::tensor_file::NamedTensor;

/// A fused projection, and those that it holds below each other.
type Fused = (&'static str, &'static [&'static str]);

/// What files of a family hold fused.
fn fused_of(architecture: Architecture) -> &'static [Fused] {
    match architecture {
        Architecture::Phi3 => &[
            ("self_attn.qkv_proj", &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
            ("mlp.gate_up_proj", &["mlp.gate_proj", "mlp.up_proj"]),
        ],
        _ => &[],
    }
}

/// Names of a fused tensor and of its parts with their rows, for each layer.
fn names(config: &ModelConfig) -> Vec<(String, Vec<(String, usize)>)> {
    let rows = |part: &str| match part {
        "self_attn.q_proj" => config.num_attention_heads * config.head_dim,
        "self_attn.k_proj" | "self_attn.v_proj" => config.num_key_value_heads * config.head_dim,
        _ => config.intermediate_size,
    };
    let fused = fused_of(config.architecture);
    let of_layer = |layer: usize| {
        let name = move |part: &str| format!("model.layers.{layer}.{part}.weight");
        fused.iter().map(move |(whole, parts)| {
            let parts = parts.iter().map(|part| (name(part), rows(part)));
            (name(whole), parts.collect())
        })
    };
    (0..config.num_hidden_layers).flat_map(of_layer).collect()
}

/// Takes fused tensors apart. One that has other dimensions than `config` says stays, for the error that names it.
pub(super) fn split(tensors: &mut BTreeMap<String, NamedTensor>, config: &ModelConfig) {
    for (whole, parts) in names(config) {
        let rows: usize = parts.iter().map(|(_, rows)| rows).sum();
        let expected = [rows, config.hidden_size];
        let fits =
            |tensor: &NamedTensor| tensor.shape == expected && tensor.data.len() == rows * config.hidden_size;
        if !tensors.get(&whole).is_some_and(fits) {
            continue;
        }
        let mut rest = tensors.remove(&whole).map(|tensor| tensor.data).unwrap_or_default();
        for (name, rows) in parts {
            let later = rest.split_off(rows * config.hidden_size);
            let data = std::mem::replace(&mut rest, later);
            tensors.insert(name.clone(), NamedTensor { name, shape: vec![rows, config.hidden_size], data });
        }
    }
}

/// The name of the fused tensor for each part of one.
fn wholes(config: &ModelConfig) -> BTreeMap<String, String> {
    let of_whole = |(whole, parts): (String, Vec<(String, usize)>)| {
        parts.into_iter().map(move |(part, _)| (part, whole.clone()))
    };
    names(config).into_iter().flat_map(of_whole).collect()
}

/// Names of the parameters as the family's files have them, in the order of [`ModelConfig::parameter_shapes`], and whether
/// each is a matrix.
pub(super) fn parameters(config: &ModelConfig) -> Vec<(String, bool)> {
    let wholes = wholes(config);
    let named = config.parameter_shapes().into_iter().map(|parameter| {
        let is_matrix = parameter.is_matrix();
        (wholes.get(&parameter.name).cloned().unwrap_or(parameter.name), is_matrix)
    });
    let mut names: Vec<(String, bool)> = named.collect();
    // Parts of one tensor follow each other.
    names.dedup();
    names
}

/// The inverse of [`split`], for tensors in the order of [`ModelConfig::parameter_shapes`].
pub(super) fn fuse(tensors: &[NamedTensor], config: &ModelConfig) -> Vec<NamedTensor> {
    let wholes = wholes(config);
    let mut fused: Vec<NamedTensor> = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let Some(whole) = wholes.get(&tensor.name) else {
            fused.push(tensor.clone());
            continue;
        };
        // Parts of one tensor follow each other.
        match fused.last_mut() {
            Some(last) if last.name == *whole => {
                last.shape[0] += tensor.shape[0];
                last.data.extend_from_slice(&tensor.data);
            }
            _ => fused.push(NamedTensor { name: whole.clone(), ..tensor.clone() }),
        }
    }
    fused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Weights;
    use exgrpo_core::rng::Streams;

    #[test]
    fn what_is_put_together_comes_apart_again() {
        let config: ModelConfig = serde_json::from_str(
            r#"{"model_type": "phi3", "vocab_size": 5, "hidden_size": 8, "intermediate_size": 6, "num_hidden_layers": 2,
                "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 16}"#,
        )
        .unwrap();
        let weights = Weights::random(&config, &mut Streams::new(1).stream("test", 0, 0));
        let fused = fuse(weights.tensors(), &config);
        let names = fused.iter().map(|tensor| (tensor.name.clone(), tensor.shape.len() > 1));
        assert_eq!(names.collect::<Vec<_>>(), parameters(&config));
        let shape = |name: &str| &fused.iter().find(|tensor| tensor.name == name).unwrap().shape;
        assert_eq!(shape("model.layers.1.self_attn.qkv_proj.weight"), &[16, 8]);
        assert_eq!(shape("model.layers.0.mlp.gate_up_proj.weight"), &[12, 8]);
        assert_eq!(fused.len(), weights.tensors().len() - 2 * 3);
        let back = Weights::from_tensors(fused.clone(), "test", &config).unwrap();
        assert_eq!(back.tensors(), weights.tensors());
        let mut narrow = fused;
        let at = narrow.iter().position(|tensor| tensor.name.ends_with("qkv_proj.weight")).unwrap();
        narrow[at].shape = vec![8, 16];
        let error = Weights::from_tensors(narrow, "test", &config).unwrap_err().to_string();
        assert!(error.contains("q_proj.weight` is missing"), "{error}");
    }
}
