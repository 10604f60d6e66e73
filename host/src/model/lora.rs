//! Low-rank adapters (LoRA, arXiv 2106.09685, equation 3): W + scale · B·A, added to the weights when they are read.

use std::path::Path;

use super::tensor_file::{NamedTensor, TensorFile, TensorFileError};
use super::{ModelConfig, Weights};
use crate::escape::foreign;

/// Prefix of an adapter's tensors, as PEFT writes them.
const PREFIX: &str = "base_model.model.";
const DOWN: &str = ".lora_A.weight";
const UP: &str = ".lora_B.weight";

/// Largest rank: an adapter of a higher one is larger than what it adapts.
const MAX_RANK: usize = 4_096;

/// Adds the adapter in the safetensors file `path` to `weights`: to each adapted matrix, `[out, in]`, `alpha / rank`
/// (`alpha / √rank` where `is_rank_stabilized`, arXiv 2312.03732) times the product of its `lora_B`, `[out, rank]`, and
/// `lora_A`, `[rank, in]`. Tensors that the adapter has in full replace those of `weights`.
///
/// # Errors
/// The file can't be read, or holds what doesn't fit the network; the text names the tensor.
pub fn merge(
    weights: &mut Weights,
    config: &ModelConfig,
    path: &Path,
    alpha: f64,
    is_rank_stabilized: bool,
) -> Result<(), TensorFileError> {
    let mut file = TensorFile::read(path, super::weights::largest_file(config))?;
    let wrong = |reason: String| TensorFileError::Tensor { file: path.display().to_string(), reason };
    weights
        .change(config, |tensors| merge_into(tensors, &mut file, alpha, is_rank_stabilized).map_err(wrong))?;
    match file.tensors.keys().next() {
        None => Ok(()),
        Some(name) => Err(wrong(format!("`{}` adapts nothing that this network has", foreign(name)))),
    }
}

/// Takes what adapts `tensors` out of `file`.
fn merge_into(
    tensors: &mut [NamedTensor],
    file: &mut TensorFile,
    alpha: f64,
    is_rank_stabilized: bool,
) -> Result<(), String> {
    for base in tensors {
        let (stem, kind) = base.name.rsplit_once('.').unwrap_or((&base.name, ""));
        let pair = [DOWN, UP].map(|suffix| file.tensors.remove(&format!("{PREFIX}{stem}{suffix}")));
        for name in [format!("{PREFIX}{}", base.name), format!("{PREFIX}{stem}.modules_to_save.{kind}")] {
            let Some(full) = file.tensors.remove(&name) else { continue };
            if full.shape != base.shape {
                let (name, have) = (foreign(&full.name), &full.shape);
                return Err(format!("`{name}` has shape {have:?}, expected {:?}", base.shape));
            }
            base.data = full.data;
        }
        match pair {
            [None, None] => {}
            [Some(down), Some(up)] => add(base, &down, &up, alpha, is_rank_stabilized)?,
            [Some(one), None] | [None, Some(one)] => {
                return Err(format!("`{}` has no partner", foreign(&one.name)));
            }
        }
    }
    Ok(())
}

fn add(
    base: &mut NamedTensor,
    down: &NamedTensor,
    up: &NamedTensor,
    alpha: f64,
    is_rank_stabilized: bool,
) -> Result<(), String> {
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
    let rank_f64 = *rank as f64;
    let scale = alpha / if is_rank_stabilized { rank_f64.sqrt() } else { rank_f64 };
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
    use crate::model::tensor_file::write_tensors;

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
        let before = Weights::random(&config, &mut crate::rng::Streams::new(3).stream("weights", 0, 0));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("adapter_model.safetensors");
        write_tensors(&path, tensors, ("format", "pt".to_owned())).unwrap();
        let mut after = before.clone();
        merge(&mut after, &config, &path, 6.0, is_rank_stabilized).map_err(|error| error.to_string())?;
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
