//! Low-rank adapters (LoRA, arXiv 2106.09685, equation 3): W + scale · B·A, added to the weights when they are read.

use std::path::Path;

use super::tensor_file::{NamedTensor, TensorFile, TensorFileError};
use super::{ModelConfig, Weights};
use exgrpo_core::escape::foreign;

/// Prefix of an adapter's tensors, as PEFT writes them.
const PREFIX: &str = "base_model.model.";
const DOWN: &str = ".lora_A.weight";
const UP: &str = ".lora_B.weight";
/// Of an embedding: `[rank, V]`, `[hidden, rank]`.
const EMBEDDING: [&str; 2] = [".lora_embedding_A", ".lora_embedding_B"];

/// Largest rank: an adapter of a higher one is larger than what it adapts.
const MAX_RANK: usize = 4_096;

/// What adapters are multiplied by.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// Divided by the rank.
    pub alpha: f64,
    /// Other alphas, of modules whose name is or ends with this, where a dot stands for any letter. At most one of them
    /// fits.
    pub alphas: Vec<(String, f64)>,
    /// Rank of all modules, where they have one.
    pub rank: Option<usize>,
    /// True for a division by √rank (arXiv 2312.03732).
    pub is_rank_stabilized: bool,
}

/// True where the last parts of a module's name are those of `pattern`, whose dots stand for any letter, as in PEFT.
pub fn ends_with(module: &str, pattern: &str) -> bool {
    let Some(start) = module.len().checked_sub(pattern.len()) else { return false };
    let (before, end) = module.as_bytes().split_at(start);
    let is_whole = matches!(before.last(), None | Some(b'.'));
    is_whole && end.iter().zip(pattern.as_bytes()).all(|(letter, wanted)| letter == wanted || *wanted == b'.')
}

impl Scale {
    fn of(&self, module: &str, rank: usize) -> f64 {
        let alpha = self
            .alphas
            .iter()
            .find(|(name, _)| ends_with(module, name))
            .map_or(self.alpha, |(_, alpha)| *alpha);
        let rank = rank as f64;
        alpha / if self.is_rank_stabilized { rank.sqrt() } else { rank }
    }
}

/// Adds the adapter in the safetensors file `path` to `weights`: to each adapted matrix, `[out, in]`, its scale times the
/// product of its `lora_B`, `[out, rank]`, and `lora_A`, `[rank, in]`; for an embedding, `[V, hidden]`, the product is of
/// `lora_embedding_B`, `[hidden, rank]`, and `lora_embedding_A`, `[rank, V]`, turned. Tensors that the adapter has in full
/// replace those of `weights`.
///
/// # Errors
/// The file can't be read, or holds what doesn't fit the network; the text names the tensor.
pub fn merge(
    weights: &mut Weights,
    config: &ModelConfig,
    path: &Path,
    scale: &Scale,
) -> Result<(), TensorFileError> {
    let mut file = TensorFile::read(path, super::weights::largest_file(config))?;
    let wrong = |reason: String| TensorFileError::Tensor { file: path.display().to_string(), reason };
    weights.change(config, |tensors| merge_into(tensors, &mut file, scale).map_err(wrong))?;
    match file.tensors.keys().next() {
        None => Ok(()),
        Some(name) => Err(wrong(format!("`{}` adapts nothing that this network has", foreign(name)))),
    }
}

/// Takes what adapts `tensors` out of `file`.
fn merge_into(tensors: &mut [NamedTensor], file: &mut TensorFile, scale: &Scale) -> Result<(), String> {
    let is_tied = !tensors.iter().any(|tensor| tensor.name == "lm_head.weight");
    for base in tensors {
        let (stem, kind) = base.name.rsplit_once('.').unwrap_or((&base.name, ""));
        let pair = [DOWN, UP].map(|suffix| file.tensors.remove(&format!("{PREFIX}{stem}{suffix}")));
        let of_embedding = EMBEDDING.map(|suffix| file.tensors.remove(&format!("{PREFIX}{stem}{suffix}")));
        let whole = ["modules_to_save", "base_layer"].map(|part| format!("{PREFIX}{stem}.{part}.{kind}"));
        for name in [format!("{PREFIX}{}", base.name)].into_iter().chain(whole) {
            let Some(full) = file.tensors.remove(&name) else { continue };
            if full.shape != base.shape {
                let (name, have) = (foreign(&full.name), &full.shape);
                return Err(format!("`{name}` has shape {have:?}, expected {:?}", base.shape));
            }
            base.data = full.data;
        }
        match pair {
            [None, None] => {}
            [Some(down), Some(up)] => add(base, &down, &up, scale)?,
            [Some(one), None] | [None, Some(one)] => {
                return Err(format!("`{}` has no partner", foreign(&one.name)));
            }
        }
        match of_embedding {
            [None, None] => {}
            [Some(_), Some(_)] if is_tied => {
                return Err(format!(
                    "`{}` is adapted and is the head too, which PEFT leaves as it is until it merges",
                    base.name
                ));
            }
            [Some(columns), Some(rows)] => add(base, &turned(&rows)?, &turned(&columns)?, scale)?,
            [Some(one), None] | [None, Some(one)] => {
                return Err(format!("`{}` has no partner", foreign(&one.name)));
            }
        }
    }
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

fn add(base: &mut NamedTensor, down: &NamedTensor, up: &NamedTensor, scale: &Scale) -> Result<(), String> {
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
    if scale.rank.is_some_and(|known| known != *rank) {
        return Err(format!(
            "`{}` has rank {rank}, the adapter's configuration says {}",
            foreign(&down.name),
            scale.rank.unwrap_or_default()
        ));
    }
    let scale = scale.of(base.name.rsplit_once('.').map_or(&base.name, |(module, _)| module), *rank);
    let rows = base.data.chunks_exact_mut(*inputs).zip(up.data.chunks_exact(*rank));
    // In f64: an adapter is added once, and every later run sees the sum.
    let mut sum = vec![0.0f64; *inputs];
    for (row, factors) in rows {
        sum.fill(0.0);
        for (&factor, direction) in factors.iter().zip(down.data.chunks_exact(*inputs)) {
            let factor = f64::from(factor) * scale;
            for (sum, &value) in sum.iter_mut().zip(direction) {
                *sum += factor * f64::from(value);
            }
        }
        for (value, sum) in row.iter_mut().zip(&sum) {
            *value = (f64::from(*value) + sum) as f32;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_file::write_tensors;

    fn config() -> ModelConfig {
        serde_json::from_str(
            r#"{"model_type": "llama", "vocab_size": 5, "hidden_size": 4, "intermediate_size": 6, "num_hidden_layers": 1,
                "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 16}"#,
        )
        .unwrap()
    }

    fn tensor(name: &str, shape: &[usize], value: impl Fn(usize) -> f32) -> NamedTensor {
        let data = (0..shape.iter().product()).map(value).collect();
        NamedTensor { name: format!("{PREFIX}{name}"), shape: shape.to_vec(), data }
    }

    fn merged(tensors: &[NamedTensor], is_rank_stabilized: bool) -> Result<(Weights, Weights), String> {
        let config = config();
        let before = Weights::random(&config, &mut exgrpo_core::rng::Streams::new(3).stream("weights", 0, 0));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("adapter_model.safetensors");
        write_tensors(&path, tensors, ("format", "pt".to_owned())).unwrap();
        let mut after = before.clone();
        let alphas = vec![("mlp.down_proj".to_owned(), 2.0)];
        let scale = Scale { alpha: 6.0, alphas, rank: None, is_rank_stabilized };
        merge(&mut after, &config, &path, &scale).map_err(|error| error.to_string())?;
        Ok((before, after))
    }

    /// By hand: A = [1 2 3 4], B = [1, 0, 2, -1]ᵀ, alpha 6, rank 1; and rank 4 by √4.
    #[test]
    fn a_product_is_added_to_what_it_adapts_and_to_nothing_else() {
        let name = "model.layers.0.self_attn.q_proj";
        let up = [1.0, 0.0, 2.0, -1.0];
        let pair = [
            tensor(&format!("{name}{DOWN}"), &[1, 4], |index| index as f32 + 1.0),
            tensor(&format!("{name}{UP}"), &[4, 1], |index| up[index]),
        ];
        let (before, after) = merged(&pair, false).unwrap();
        for (before, after) in before.tensors().iter().zip(after.tensors()) {
            for (index, (&before, &value)) in before.data.iter().zip(&after.data).enumerate() {
                let added = 6.0 * up.get(index / 4).copied().unwrap_or(0.0) * ((index % 4) as f32 + 1.0);
                let expected = if after.name == format!("{name}.weight") { before + added } else { before };
                assert!((value - expected).abs() < 1e-5, "{} {index}: {value}, {expected}", after.name);
            }
        }
        let ones = [
            tensor(&format!("{name}{DOWN}"), &[4, 4], |_| 1.0),
            tensor(&format!("{name}{UP}"), &[4, 4], |_| 1.0),
        ];
        let (before, after) = merged(&ones, true).unwrap();
        let at =
            |weights: &Weights| weights.tensors().iter().find(|t| t.name.contains("q_proj")).unwrap().data[5];
        assert!((at(&after) - at(&before) - 12.0).abs() < 1e-5);
    }

    /// By hand: rank 1 each. Row v of the embedding gets A[v] · B; down_proj has an alpha of its own.
    #[test]
    fn embeddings_and_modules_with_their_own_alpha_are_adapted_too() {
        let down = "model.layers.0.mlp.down_proj";
        let (before, after) = merged(
            &[
                tensor("model.embed_tokens.lora_embedding_A", &[1, 5], |row| row as f32),
                tensor("model.embed_tokens.lora_embedding_B", &[4, 1], |column| 1.0 - column as f32),
                tensor(&format!("{down}{DOWN}"), &[1, 6], |_| 1.0),
                tensor(&format!("{down}{UP}"), &[4, 1], |_| 3.0),
            ],
            false,
        )
        .unwrap();
        for (before, after) in before.tensors().iter().zip(after.tensors()) {
            for (index, (&before, &value)) in before.data.iter().zip(&after.data).enumerate() {
                let added = match after.name.as_str() {
                    "model.embed_tokens.weight" => 6.0 * (index / 4) as f32 * (1.0 - (index % 4) as f32),
                    name if name.starts_with(down) => 2.0 * 3.0,
                    _ => 0.0,
                };
                assert!((value - before - added).abs() < 1e-4, "{} {index}", after.name);
            }
        }
        let one = tensor("model.embed_tokens.lora_embedding_A", &[1, 5], |_| 1.0);
        assert!(merged(&[one], false).unwrap_err().contains("no partner"));
    }

    #[test]
    fn names_of_modules_fit_by_their_last_parts() {
        for (pattern, fits) in [
            ("o_proj", true),
            ("self_attn.o_proj", true),
            ("self.attn.o_proj", true),
            ("a.self_attn.o_proj", true),
            ("proj", false),
            ("b.self_attn.o_proj", false),
            ("x.a.self_attn.o_proj", false),
        ] {
            assert_eq!(ends_with("a.self_attn.o_proj", pattern), fits, "{pattern}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_and_what_is_whole_replaces() {
        let down = |shape: &[usize]| tensor(&format!("model.layers.0.mlp.up_proj{DOWN}"), shape, |_| 1.0);
        let up = tensor(&format!("model.layers.0.mlp.up_proj{UP}"), &[6, 2], |_| 1.0);
        assert!(merged(&[down(&[2, 4])], false).unwrap_err().contains("no partner"));
        assert!(merged(&[down(&[2, 5]), up.clone()], false).unwrap_err().contains("expected [rank, 4]"));
        let stranger = tensor(&format!("model.layers.7.mlp.up_proj{UP}"), &[6, 2], |_| 1.0);
        assert!(merged(&[stranger], false).unwrap_err().contains("adapts nothing"));
        let (_, after) =
            merged(&[tensor("lm_head.modules_to_save.weight", &[5, 4], |_| 0.5)], false).unwrap();
        assert_eq!(after.tensors().last().unwrap().data, [0.5; 20]);
    }
}
