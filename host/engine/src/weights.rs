//! The values of an Actor's parameters on the host: random, loaded from safetensors, saved.

use std::collections::BTreeMap;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use super::config::ModelConfig;
use super::fused;
use super::tensor_file::{NamedTensor, TensorFile, TensorFileError, write_tensors};
use exgrpo_core::escape::foreign;

/// One file of weights in a checkpoint's folder.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// Index of a checkpoint in several files.
pub const WEIGHTS_INDEX_FILE: &str = "model.safetensors.index.json";

/// Standard deviation of fresh matrices, the `initializer_range` of the Llama and Qwen families.
const INIT_STD: f64 = 0.02;

/// All parameters of a network, in the order of [`ModelConfig::parameter_shapes`].
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    tensors: Vec<NamedTensor>,
    /// What was left aside of the files, a line for people each.
    notes: Vec<String>,
}

impl Weights {
    /// Fresh weights: matrices normal with standard deviation 0.02, norms multiply by 1, biases 0. Equal on every machine for
    /// an equal stream.
    pub fn random(config: &ModelConfig, stream: &mut ChaCha8Rng) -> Self {
        let tensors = config
            .parameter_shapes()
            .into_iter()
            .map(|parameter| {
                let len = parameter.num_values();
                let data = if parameter.is_matrix() {
                    normal_values(len, INIT_STD, stream)
                } else if parameter.name.ends_with(".bias") || config.variations.gains_from_one {
                    vec![0.0; len]
                } else {
                    vec![1.0; len]
                };
                NamedTensor { name: parameter.name, shape: parameter.shape, data }
            })
            .collect();
        Self { tensors, notes: Vec::new() }
    }

    /// Loads a safetensors file, a folder with `model.safetensors` or with `model.safetensors.index.json`, or such
    /// an index itself. f16 and bf16 become f32.
    ///
    /// # Errors
    /// A file can't be read, or a tensor is missing, unexpected or misshapen for `config`.
    pub fn load(path: &Path, config: &ModelConfig) -> Result<Self, TensorFileError> {
        let (single, index) = (path.join(WEIGHTS_FILE), path.join(WEIGHTS_INDEX_FILE));
        let path = match path.is_dir() {
            true if !single.exists() && index.exists() => &index,
            true => &single,
            false => path,
        };
        let is_index = path.extension().is_some_and(|extension| extension == "json");
        let most = largest_file(config);
        let file = if is_index { TensorFile::read_shards(path, most) } else { TensorFile::read(path, most) }?;
        Self::from_file(file, &path.display().to_string(), config)
    }

    /// Loads the bytes of a safetensors file; `name` stands for it in errors.
    ///
    /// # Errors
    /// As [`Weights::load`].
    pub fn from_bytes(bytes: &[u8], name: &str, config: &ModelConfig) -> Result<Self, TensorFileError> {
        Self::from_file(TensorFile::from_bytes(bytes, name)?, name, config)
    }

    /// Takes tensors in any order.
    ///
    /// # Errors
    /// A tensor is missing, unexpected or misshapen for `config`; `source` names where they come from.
    pub fn from_tensors(
        tensors: Vec<NamedTensor>,
        source: &str,
        config: &ModelConfig,
    ) -> Result<Self, TensorFileError> {
        let tensors = tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        Self::from_file(TensorFile { tensors, ..TensorFile::default() }, source, config)
    }

    /// Writes one safetensors file, f32, in one rename.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save(&self, path: &Path) -> Result<(), TensorFileError> {
        // Hugging Face's loaders insist on this entry.
        write_tensors(path, &self.tensors, ("format", "pt".to_owned()))
    }

    /// Writes one safetensors file, f32, in one rename, with the tensors that other programs expect of the family.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn export(&self, config: &ModelConfig, path: &Path) -> Result<(), TensorFileError> {
        write_tensors(path, &fused::fuse(&self.tensors, config), ("format", "pt".to_owned()))
    }

    /// Writes values that are laid out like weights, such as a gradient, as [`Weights::export`] writes those.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_like(
        values: Vec<(String, Vec<f32>)>,
        config: &ModelConfig,
        path: &Path,
    ) -> Result<(), TensorFileError> {
        let shapes = config.parameter_shapes().into_iter().map(|parameter| parameter.shape);
        let tensors =
            values.into_iter().zip(shapes).map(|((name, data), shape)| NamedTensor { name, shape, data });
        Self::from_tensors(tensors.collect(), &path.display().to_string(), config)?.export(config, path)
    }

    /// The tensors in the order of [`ModelConfig::parameter_shapes`].
    pub fn tensors(&self) -> &[NamedTensor] {
        &self.tensors
    }

    /// Changes the tensors as files of the family hold them, fused ones whole.
    pub(super) fn change<E>(
        &mut self,
        config: &ModelConfig,
        change: impl FnOnce(&mut [NamedTensor]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut tensors = fused::fuse(&self.tensors, config);
        change(&mut tensors)?;
        let mut by_name: BTreeMap<_, _> =
            tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        fused::split(&mut by_name, config);
        for tensor in &mut self.tensors {
            if let Some(changed) = by_name.remove(&tensor.name) {
                *tensor = changed;
            }
        }
        Ok(())
    }

    /// What was left aside of the files, a line for people each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The tensors in the order of [`ModelConfig::parameter_shapes`].
    pub fn into_tensors(self) -> Vec<NamedTensor> {
        self.tensors
    }

    fn from_file(mut file: TensorFile, name: &str, config: &ModelConfig) -> Result<Self, TensorFileError> {
        name_as_a_causal_model(&mut file);
        drop_redundant(&mut file, config);
        fused::split(&mut file.tensors, config);
        let tensors = take_parameters(&mut file, name, "", config)?;
        refuse_unexpected(&file, name)?;
        Ok(Self { tensors, notes: file.notes })
    }
}

/// Removes one tensor a parameter from `file`, each named `prefix` + the parameter's name there and the parameter's
/// name in the result.
pub(super) fn take_parameters(
    file: &mut TensorFile,
    file_name: &str,
    prefix: &str,
    config: &ModelConfig,
) -> Result<Vec<NamedTensor>, TensorFileError> {
    let wrong = |reason| TensorFileError::Tensor { file: file_name.to_owned(), reason };
    let mut tensors = Vec::new();
    for parameter in config.parameter_shapes() {
        let name = format!("{prefix}{}", parameter.name);
        let tensor = file.tensors.remove(&name).ok_or_else(|| {
            wrong(format!("tensor `{name}` is missing, expected shape {:?}", parameter.shape))
        })?;
        if tensor.shape != parameter.shape {
            return Err(wrong(format!(
                "tensor `{name}` has shape {:?}, expected {:?}",
                tensor.shape, parameter.shape
            )));
        }
        if tensor.data.len() != parameter.num_values() {
            return Err(wrong(format!("tensor `{name}` has {} values", tensor.data.len())));
        }
        tensors.push(NamedTensor { name: parameter.name, ..tensor });
    }
    Ok(tensors)
}

/// An error that names the first tensor left in `file`, if any is.
pub(super) fn refuse_unexpected(file: &TensorFile, file_name: &str) -> Result<(), TensorFileError> {
    match file.tensors.keys().next() {
        None => Ok(()),
        Some(name) => Err(TensorFileError::Tensor {
            file: file_name.to_owned(),
            reason: format!(
                "tensor `{}` is unexpected, the configuration has no such parameter",
                foreign(name)
            ),
        }),
    }
}

/// Bytes that one file of a checkpoint of `config` can have: its parameters in f64, with room for a head that repeats the
/// embedding, for rotary frequencies and for a header.
pub(super) fn largest_file(config: &ModelConfig) -> u64 {
    const HEADER_BYTES: u64 = 128 << 20;
    let head = config.vocab_size as u64 * config.hidden_size as u64;
    (config.num_parameters() as u64 + head) * size_of::<f64>() as u64 + HEADER_BYTES
}

/// A decoder that was saved without its head names its tensors without the `model.` before them.
fn name_as_a_causal_model(file: &mut TensorFile) {
    if file.tensors.contains_key("embed_tokens.weight")
        && !file.tensors.contains_key("model.embed_tokens.weight")
    {
        let tensors =
            std::mem::take(&mut file.tensors).into_iter().map(|(name, tensor)| match name.as_str() {
                "lm_head.weight" => (name, tensor),
                _ => (format!("model.{name}"), NamedTensor { name: format!("model.{name}"), ..tensor }),
            });
        file.tensors = tensors.collect();
    }
}

/// Some published checkpoints repeat what the configuration implies: the tied head, and the rotary frequencies.
fn drop_redundant(file: &mut TensorFile, config: &ModelConfig) {
    const HEAD: &str = "lm_head.weight";
    let embedding = file.tensors.get("model.embed_tokens.weight");
    if config.tie_word_embeddings
        && let (Some(head), Some(embedding)) = (file.tensors.get(HEAD), embedding)
        && head.shape == embedding.shape
    {
        if head.data != embedding.data {
            file.notes.push(format!(
                "`{HEAD}` differs from the embedding and is not used: by tie_word_embeddings in config.json the embedding is \
                 the head"
            ));
        }
        file.tensors.remove(HEAD);
    }
    file.tensors.retain(|name, _| !name.ends_with("rotary_emb.inv_freq"));
}

/// Box-Muller in f64 with portable elementary functions; two draws of 53 bits give two values.
fn normal_values(len: usize, std: f64, stream: &mut ChaCha8Rng) -> Vec<f32> {
    let mut values = Vec::with_capacity(len + 1);
    while values.len() < len {
        let radius_draw = 1.0 - unit_interval(stream);
        let angle = 2.0 * std::f64::consts::PI * unit_interval(stream);
        let radius = std * libm::sqrt(-2.0 * libm::log(radius_draw));
        values.push((radius * libm::cos(angle)) as f32);
        values.push((radius * libm::sin(angle)) as f32);
    }
    values.truncate(len);
    values
}

/// Uniform in [0, 1), a multiple of 2^-53.
pub(super) fn unit_interval(stream: &mut ChaCha8Rng) -> f64 {
    (stream.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
