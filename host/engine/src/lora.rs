//! Low-rank adapters (LoRA, arXiv 2106.09685, equation 3): W + scale · B·A, added to the weights when they are read.
//!
//! What an adapter's file holds is compared with what its configuration names, both ways: tensors that nobody named, or
//! that are named and are not there, mean that the two are of different adapters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::tensor_file::{NamedTensor, TensorFile, TensorFileError};
use super::{ModelConfig, Weights, fused};
use exgrpo_core::escape::foreign;

/// Prefix of an adapter's tensors, as PEFT writes them.
const PREFIX: &str = "base_model.model.";
/// Of a linear module: `[rank, in]`, `[out, rank]`.
const LINEAR: [&str; 2] = [".lora_A.weight", ".lora_B.weight"];
/// Of an embedding: `[rank, V]`, `[hidden, rank]`.
const EMBEDDING: [&str; 2] = [".lora_embedding_A", ".lora_embedding_B"];

/// The module that turns ids into vectors.
const EMBED: &str = "model.embed_tokens";
/// The module that turns vectors into logits.
const HEAD: &str = "lm_head";

/// Largest rank: an adapter of a higher one is larger than what it adapts.
pub const MAX_RANK: usize = 4_096;

/// A parameter of the network as an adapter's configuration may name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Module, `model.layers.0.self_attn.q_proj`.
    pub module: String,
    /// Its part, `weight` or `bias`.
    pub part: String,
    /// True for a matrix, which can have a product of low rank beside it.
    pub is_matrix: bool,
}

impl Parameter {
    /// Name of its tensor.
    pub fn name(&self) -> String {
        format!("{}.{}", self.module, self.part)
    }

    /// True for the embedding of ids.
    pub fn is_embedding(&self) -> bool {
        self.module == EMBED
    }

    /// True for the output head, tied or not.
    pub fn is_head(&self) -> bool {
        self.module == HEAD
    }
}

/// The parameters of a network in their order, under the names of the family's own code. A head that is tied is among
/// them: it is a module, even though it has no tensor of its own.
pub fn parameters(config: &ModelConfig) -> Vec<Parameter> {
    let parameter = |(name, is_matrix): (String, bool)| {
        let (module, part) = name.rsplit_once('.').unwrap_or((&name, ""));
        Parameter { module: module.to_owned(), part: part.to_owned(), is_matrix }
    };
    let mut all: Vec<Parameter> = fused::parameters(config).into_iter().map(parameter).collect();
    if config.tie_word_embeddings {
        all.push(Parameter { module: HEAD.to_owned(), part: "weight".to_owned(), is_matrix: true });
    }
    all
}

/// What an adapter's configuration says of its file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AdapterPlan {
    /// Modules with a product of low rank beside their matrix.
    pub adapted: BTreeMap<String, Adapted>,
    /// Names of parameters that the file has in full.
    pub whole: BTreeSet<String>,
    /// True where an embedding that the file has in full is that of a tied head, too.
    pub ties: bool,
}

/// What is added to a module's matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adapted {
    /// Rank of the product.
    pub rank: usize,
    /// What it is multiplied by.
    pub scale: f64,
}

/// Adds the adapter in the safetensors file `path` to `weights`: to each adapted matrix, `[out, in]`, its scale times the
/// product of its `lora_B`, `[out, rank]`, and `lora_A`, `[rank, in]`; for an embedding, `[V, hidden]`, the product is of
/// `lora_embedding_B`, `[hidden, rank]`, and `lora_embedding_A`, `[rank, V]`, turned. Tensors that the adapter has in full
/// replace those of `weights`.
///
/// # Errors
/// The file can't be read, does not hold what `plan` says, or holds what doesn't fit the network; the text names the first
/// tensor that differs.
pub fn merge(
    weights: &mut Weights,
    config: &ModelConfig,
    path: &Path,
    plan: &AdapterPlan,
) -> Result<(), TensorFileError> {
    let mut file = TensorFile::read(path, super::weights::largest_file(config))?;
    let wrong = |reason: String| TensorFileError::Tensor { file: path.display().to_string(), reason };
    weights.change(config, |tensors| merge_into(tensors, &mut file, plan).map_err(wrong))?;
    match file.tensors.keys().next() {
        None => Ok(()),
        Some(name) => Err(wrong(format!("`{}` adapts nothing that this network has", foreign(name)))),
    }
}

/// Takes what adapts `tensors` out of `file`.
fn merge_into(tensors: &mut [NamedTensor], file: &mut TensorFile, plan: &AdapterPlan) -> Result<(), String> {
    let head = format!("{HEAD}.weight");
    let is_tied = !tensors.iter().any(|tensor| tensor.name == head);
    if is_tied {
        // The head is a module all the same, and the file may name it.
        if plan.adapted.contains_key(HEAD) {
            return Err(format!("the configuration names `{HEAD}`, which is the embedding too"));
        }
        if plan.whole.contains(&head) && !file.tensors.contains_key(&format!("{PREFIX}{head}")) {
            return Err(format!("the configuration names `{head}`, which is not there in full"));
        }
    }
    for base in tensors {
        let name = base.name.clone();
        let (module, part) = name.rsplit_once('.').unwrap_or((&name, ""));
        replace(base, module, part, file, plan, is_tied)?;
        if part != "weight" {
            continue;
        }
        let suffixes = if module == EMBED { EMBEDDING } else { LINEAR };
        let [down, up] = suffixes.map(|suffix| file.tensors.remove(&format!("{PREFIX}{module}{suffix}")));
        match (down, up, plan.adapted.get(module)) {
            (None, None, None) => {}
            (None, None, Some(_)) => {
                return Err(format!("the configuration names `{module}`, of which there is no adapter"));
            }
            (Some(_), Some(_), None) => {
                return Err(format!(
                    "there is an adapter of `{module}`, which the configuration does not name"
                ));
            }
            (Some(one), None, _) | (None, Some(one), _) => {
                return Err(format!("`{}` has no partner", foreign(&one.name)));
            }
            (Some(_), Some(_), Some(_)) if module == EMBED && is_tied => {
                return Err(format!(
                    "`{module}` is adapted and is the head too, which PEFT leaves as it is until it merges"
                ));
            }
            (Some(down), Some(up), Some(adapted)) if module == EMBED => {
                add(base, &turned(&up)?, &turned(&down)?, *adapted)?;
            }
            (Some(down), Some(up), Some(adapted)) => add(base, &down, &up, *adapted)?,
        }
    }
    Ok(())
}

/// Puts the tensor that the file has in full in the place of `base`.
fn replace(
    base: &mut NamedTensor,
    module: &str,
    part: &str,
    file: &mut TensorFile,
    plan: &AdapterPlan,
    is_tied: bool,
) -> Result<(), String> {
    let names = ["modules_to_save", "base_layer"].map(|place| format!("{PREFIX}{module}.{place}.{part}"));
    let mut found = None;
    for name in [format!("{PREFIX}{}", base.name)].into_iter().chain(names) {
        let Some(full) = file.tensors.remove(&name) else { continue };
        if let Some(NamedTensor { name: other, .. }) = found.replace(full) {
            return Err(format!("`{name}` is there as `{other}`, too"));
        }
    }
    let is_named = plan.whole.contains(&base.name);
    let Some(full) = found else {
        let missing = || format!("the configuration names `{}`, which is not there in full", base.name);
        return if is_named { Err(missing()) } else { Ok(()) };
    };
    let is_embedding = module == EMBED || module == HEAD;
    // PEFT adds those of a vocabulary that was changed, named or not.
    if !is_named && !is_embedding {
        return Err(format!("`{}` is there in full, which the configuration does not name", base.name));
    }
    if full.shape != base.shape {
        let (name, have) = (foreign(&full.name), &full.shape);
        return Err(format!("`{name}` has shape {have:?}, expected {:?}", base.shape));
    }
    if module == EMBED && is_tied {
        let head = format!("{PREFIX}{HEAD}.weight");
        let is_same = base.data == full.data;
        if file.tensors.get(&head).is_some_and(|head| head.data == full.data) {
            file.tensors.remove(&head);
        } else if !is_same && !plan.ties {
            return Err(format!(
                "`{module}` is there in full and is the head too, which PEFT leaves as it is until it merges"
            ));
        }
    }
    base.data = full.data;
    Ok(())
}

/// A matrix with rows and columns exchanged.
fn turned(matrix: &NamedTensor) -> Result<NamedTensor, String> {
    let [rows, columns] = matrix.shape[..] else {
        return Err(format!("`{}` is no matrix", foreign(&matrix.name)));
    };
    let data = (0..columns).flat_map(|column| (0..rows).map(move |row| matrix.data[row * columns + column]));
    Ok(NamedTensor { name: matrix.name.clone(), shape: vec![columns, rows], data: data.collect() })
}

fn add(base: &mut NamedTensor, down: &NamedTensor, up: &NamedTensor, plan: Adapted) -> Result<(), String> {
    let ([outputs, inputs], [rank, width], [height, depth]) =
        (base.shape.as_slice(), down.shape.as_slice(), up.shape.as_slice())
    else {
        return Err(format!("`{}` adapts `{}`, which is no matrix", foreign(&down.name), base.name));
    };
    if (width, height, depth) != (inputs, outputs, rank) || !(1..=MAX_RANK).contains(rank) {
        return Err(format!(
            "`{}` has shape {:?} and its partner {:?}, expected [rank, {inputs}] and [{outputs}, rank]",
            foreign(&down.name),
            down.shape,
            up.shape
        ));
    }
    if plan.rank != *rank {
        return Err(format!(
            "`{}` has rank {rank}, the adapter's configuration says {}",
            foreign(&down.name),
            plan.rank
        ));
    }
    let rows = base.data.chunks_exact_mut(*inputs).zip(up.data.chunks_exact(*rank));
    // In f64: an adapter is added once, and every later run sees the sum.
    let mut sum = vec![0.0f64; *inputs];
    for (row, factors) in rows {
        sum.fill(0.0);
        for (&factor, direction) in factors.iter().zip(down.data.chunks_exact(*inputs)) {
            let factor = f64::from(factor) * plan.scale;
            for (sum, &value) in sum.iter_mut().zip(direction) {
                *sum += factor * f64::from(value);
            }
        }
        for (value, sum) in row.iter_mut().zip(&sum) {
            *value = (f64::from(*value) + sum) as f32;
        }
    }
    match base.data.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(format!("with its adapter, `{}` has numbers that are not finite", base.name)),
    }
}

#[cfg(test)]
#[path = "lora_tests.rs"]
mod tests;
