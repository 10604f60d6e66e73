use std::collections::HashMap;

use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{llama, qwen2, qwen3};

use super::actor::CandleActor;
#[cfg(feature = "cuda")]
use super::device::cuda;
use super::layers::Kernels;
use super::scores::token_scores;
use crate::actor::tests::{configs, lively_weights};
use crate::{Architecture, ModelConfig, Weights};

const KERNELS: [Kernels; 2] = [Kernels::Differentiable, Kernels::Fused];

fn builder(weights: &Weights) -> VarBuilder<'static> {
    let tensors: HashMap<String, Tensor> = weights
        .tensors()
        .iter()
        .map(|t| (t.name.clone(), Tensor::from_vec(t.data.clone(), t.shape.clone(), &Device::Cpu).unwrap()))
        .collect();
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

/// Logits of the last of `tokens` by candle-transformers' own model.
fn reference(config: &ModelConfig, weights: &Weights, tokens: &[u32]) -> Result<Vec<f32>> {
    let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
    let mut json = serde_json::to_value(config).unwrap();
    json["rope_theta"] = config.rope_theta.into();
    let logits = match config.architecture {
        Architecture::Llama => {
            let parsed: llama::LlamaConfig = serde_json::from_value(json).unwrap();
            let parsed = parsed.into_config(false);
            let model = llama::Llama::load(builder(weights), &parsed)?;
            let mut cache = llama::Cache::new(false, DType::F32, &parsed, &Device::Cpu)?;
            model.forward(&input, 0, &mut cache)?.i(0)?
        }
        Architecture::Qwen2 => {
            json["sliding_window"] = 64.into();
            json["max_window_layers"] = 64.into();
            json["use_sliding_window"] = false.into();
            let parsed: qwen2::Config = serde_json::from_value(json).unwrap();
            qwen2::ModelForCausalLM::new(&parsed, builder(weights))?.forward(&input, 0)?.i((0, 0))?
        }
        Architecture::Qwen3 => {
            json["max_window_layers"] = 64.into();
            json["use_sliding_window"] = false.into();
            let parsed: qwen3::Config = serde_json::from_value(json).unwrap();
            qwen3::ModelForCausalLM::new(&parsed, builder(weights))?.forward(&input, 0)?.i((0, 0))?
        }
        other => panic!("no reference for {other:?}"),
    };
    logits.to_vec1()
}

/// Where the tests run: with the feature `cuda` also on the GPU, and they fail where there is none.
fn devices() -> Vec<Device> {
    vec![
        Device::Cpu,
        #[cfg(feature = "cuda")]
        cuda().unwrap(),
    ]
}

/// Witness: candle-transformers' models on the processor with the same weights. Its llama has no biases, so that the two shapes with
/// biases on the output projection are tested without.
#[test]
fn logits_equal_those_of_candle_transformers() {
    let mut configs = configs();
    configs[0].attention_bias = false;
    configs.push(ModelConfig { rope_scaling: None, tie_word_embeddings: true, ..configs[0].clone() });
    configs.push(ModelConfig { tie_word_embeddings: true, num_key_value_heads: 4, ..configs[2].clone() });
    for config in configs {
        let weights = lively_weights(&config, 4);
        let tokens: Vec<u32> = (0..40).map(|at| (at * 7 + at * at * 3) % 19).collect();
        for (device, kernels) in devices().into_iter().flat_map(|device| KERNELS.map(|k| (device.clone(), k)))
        {
            let case = format!("{config:?}, {device:?}, {kernels:?}");
            let actor = CandleActor::new(config.clone(), weights.clone(), device).unwrap();
            let got: Vec<Vec<f32>> = actor.logits(kernels, &tokens).unwrap().to_vec2().unwrap();
            for len in [1, 2, 17, 40] {
                let expected = reference(&config, &weights, &tokens[..len]).unwrap();
                let spread = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
                assert!(spread > 0.5, "the logits are worth comparing: {spread}");
                for (got, expected) in got[len - 1].iter().zip(&expected) {
                    assert!((got - expected).abs() < 1e-4, "{case}: {got} {expected}");
                }
            }
        }
    }
}

/// Witness: log-probs and entropies in float64 from the published ExGRPO implementation, revision 01f4ae0.
#[test]
fn token_scores_equal_those_of_the_published_implementation() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/golden/token_scores.json")).unwrap();
    let numbers = |key: &str| -> Vec<Vec<f32>> { serde_json::from_value(golden[key].clone()).unwrap() };
    let logits: Vec<Vec<Vec<f32>>> = serde_json::from_value(golden["logits"].clone()).unwrap();
    let labels: Vec<Vec<u32>> = serde_json::from_value(golden["labels"].clone()).unwrap();
    for device in devices() {
        let logits = Tensor::new(logits.clone(), &device).unwrap().flatten(0, 1).unwrap();
        let labels = Tensor::new(labels.concat(), &device).unwrap();
        // A softmax does not change when all logits move: far from 0 it must not overflow either.
        for (moved, tolerance) in [(0.0, 1e-5), (1e3, 5e-4), (-1e3, 5e-4)] {
            let (logprobs, entropies) = token_scores(&(&logits + moved).unwrap(), &labels).unwrap();
            for (got, key) in [(logprobs, "logprobs"), (entropies, "entropy")] {
                for (got, expected) in got.to_vec1::<f32>().unwrap().iter().zip(numbers(key).concat()) {
                    assert!((got - expected).abs() < tolerance, "{device:?}, {key}: {got} {expected}");
                }
            }
        }
    }
}
