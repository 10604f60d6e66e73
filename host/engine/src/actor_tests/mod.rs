//! What every engine must do, on small networks of all architectures.

mod agreement;
mod gradients;
mod input;
mod optimizer;
mod sampling;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::*;
use exgrpo_core::types::TokenId;

type Build = fn(&ModelConfig, Weights) -> Actor;

/// The engines by name, the oracle first. With the feature `cuda` the GPU is one of them, and tests fail where there is
/// none.
fn engines() -> Vec<(&'static str, Build)> {
    let mut engines: Vec<(&str, Build)> = vec![
        ("candle", |config, weights| Actor::candle(config.clone(), weights, Device::Cpu).unwrap()),
        ("cpu", |config, weights| Actor::cpu(config.clone(), &weights, Precision::F32, 0).unwrap()),
    ];
    engines.push(("gpu on the processor", |config, weights| {
        Actor::gpu_on_processor(config.clone(), &weights, Precision::F32).unwrap()
    }));
    if cfg!(feature = "cuda") {
        engines
            .push(("cuda", |config, weights| Actor::gpu(config.clone(), &weights, Precision::F32).unwrap()));
    }
    engines
}

/// Times the room that an engine on the processor needs. A GPU sums in an order that depends on the batch, and its
/// exponentials and logarithms are some units in the last place off; its products are f32 as the processor's. Set
/// without a GPU to measure on.
fn slack(engine: &str) -> f32 {
    if engine.starts_with("cuda") { 4.0 } else { 1.0 }
}

pub(crate) fn configs() -> Vec<ModelConfig> {
    // Llama: own head, biases on all four projections, stretched rotations. Qwen2: tied head. Qwen3: a head that
    // isn't the quotient.
    [
        r#"{"model_type": "llama", "vocab_size": 19, "hidden_size": 16, "intermediate_size": 20,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0, "max_position_embeddings": 64, "attention_bias": true,
            "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                             "high_freq_factor": 4.0, "original_max_position_embeddings": 64}}"#,
        r#"{"model_type": "qwen2", "vocab_size": 19, "hidden_size": 16, "intermediate_size": 20,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 1, "rms_norm_eps": 1e-6,
            "rope_theta": 1000000.0, "max_position_embeddings": 64, "tie_word_embeddings": true}"#,
        r#"{"model_type": "qwen3", "vocab_size": 19, "hidden_size": 16, "intermediate_size": 20,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
            "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "max_position_embeddings": 64,
            "tie_word_embeddings": false}"#,
    ]
    .map(|text| serde_json::from_str(text).unwrap())
    .to_vec()
}

/// Families with options of their own, in sizes that make each of them matter to a few tokens.
pub(crate) fn varied_configs() -> Vec<ModelConfig> {
    let shape = serde_json::json!({
        "vocab_size": 19, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    });
    let kinds = ["sliding_attention", "full_attention", "sliding_attention"];
    [
        serde_json::json!({"model_type": "llama", "mlp_bias": true, "attention_bias": true}),
        serde_json::json!({"model_type": "mistral", "sliding_window": 3}),
        serde_json::json!({"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 4, "max_window_layers": 1}),
        serde_json::json!({"model_type": "smollm3", "no_rope_layers": [1, 0, 1], "rope_theta": 5e3, "mlp_bias": true}),
        serde_json::json!({
            "model_type": "phi3", "head_dim": 8, "partial_rotary_factor": 0.75,
            "original_max_position_embeddings": 64, "max_position_embeddings": 128, "rope_scaling":
                {"type": "longrope", "short_factor": [1.0, 1.5, 2.0], "long_factor": [2.0, 4.0, 8.0]},
        }),
        serde_json::json!({
            "model_type": "gemma3_text", "head_dim": 6, "query_pre_attn_scalar": 9, "sliding_window": 4,
            "layer_types": kinds, "rope_local_base_freq": 100.0,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        }),
    ]
    .map(|family| {
        let mut config = shape.clone();
        config.as_object_mut().unwrap().extend(family.as_object().unwrap().clone());
        serde_json::from_value(config).unwrap()
    })
    .to_vec()
}

/// True when `engine` computes `config`.
fn computes(engine: &str, config: &ModelConfig) -> bool {
    let is_gpu = engine.starts_with("gpu") || engine.starts_with("cuda");
    !is_gpu || config.variations.are_none_within(config.max_position_embeddings)
}

/// Weights far from their initial values, so that no gradient is small and no bias or norm is neutral.
pub(crate) fn lively_weights(config: &ModelConfig, seed: u64) -> Weights {
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    let tensors = Weights::random(config, &mut stream)
        .into_tensors()
        .into_iter()
        .map(|mut tensor| {
            for value in &mut tensor.data {
                *value = match tensor.shape.len() {
                    1 => *value + uniform(&mut stream) * 0.6 - 0.3,
                    _ => *value * 12.0,
                };
            }
            tensor
        })
        .collect();
    Weights::from_tensors(tensors, "test", config).unwrap()
}

fn uniform(stream: &mut ChaCha8Rng) -> f32 {
    (stream.next_u32() >> 8) as f32 / (1 << 24) as f32
}

fn tokens(stream: &mut ChaCha8Rng, len: usize, vocab_size: usize) -> Vec<TokenId> {
    (0..len).map(|_| stream.next_u32() % vocab_size as u32).collect()
}

/// Prompts and completions of unequal lengths, two of them a group.
fn ragged(config: &ModelConfig, seed: u64) -> Vec<(Vec<TokenId>, Vec<TokenId>)> {
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    let mut batch: Vec<(Vec<TokenId>, Vec<TokenId>)> = [(3, 5), (1, 1), (7, 2), (2, 9)]
        .map(|(prompt, completion)| {
            (
                tokens(&mut stream, prompt, config.vocab_size),
                tokens(&mut stream, completion, config.vocab_size),
            )
        })
        .to_vec();
    let prompt = batch[3].0.clone();
    batch.push((prompt, tokens(&mut stream, 4, config.vocab_size)));
    batch
}

fn sequences(batch: &[(Vec<TokenId>, Vec<TokenId>)]) -> Vec<Sequence<'_>> {
    batch.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect()
}

/// Derivatives that differ from token to token: of Σ a_i logprob_i + b_i entropy_i.
fn coefficients(len: usize) -> ScoreGrads {
    let mut stream = ChaCha8Rng::seed_from_u64(77);
    let mut column = || (0..len).map(|_| uniform(&mut stream) * 2.0 - 1.0).collect();
    ScoreGrads { logprobs: column(), entropies: column() }
}

fn weighted_sum(scores: &Scores) -> f64 {
    let grads = coefficients(scores.logprobs.len());
    let pairs =
        scores.logprobs.iter().zip(&grads.logprobs).chain(scores.entropies.iter().zip(&grads.entropies));
    pairs.map(|(score, grad)| f64::from(*score) * f64::from(*grad)).sum()
}

fn cases() -> impl Iterator<Item = (String, ModelConfig, Weights, Actor)> {
    engines().into_iter().flat_map(|(engine, build)| {
        let configs = configs().into_iter().chain(varied_configs());
        configs.filter(move |config| computes(engine, config)).map(move |config| {
            let weights = lively_weights(&config, 1);
            let actor = build(&config, weights.clone());
            (format!("{engine}, {}", config.architecture.model_type()), config, weights, actor)
        })
    })
}

fn rebuild(case: &str, config: &ModelConfig, weights: Weights) -> Actor {
    let (_, build) = engines().into_iter().find(|(engine, _)| case.starts_with(engine)).unwrap();
    build(config, weights)
}

fn close(got: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= tolerance, "{what}, entry {at}: {got} but expected {expected}");
    }
}

fn sampling() -> SamplingParams {
    SamplingParams {
        temperature: 0.9,
        score_temperature: 1.0,
        top_p: 0.95,
        max_new_tokens: 12,
        stop_ids: vec![3, 4],
    }
}

fn requests<'a>(prompts: &'a [Vec<TokenId>], members: usize) -> Vec<SampleRequest<'a>> {
    let stream = |request: usize, member: usize| ChaCha8Rng::seed_from_u64((request * 100 + member) as u64);
    prompts
        .iter()
        .enumerate()
        .map(|(request, prompt)| SampleRequest {
            prompt,
            streams: (0..members).map(|member| stream(request, member)).collect(),
        })
        .collect()
}

fn optim() -> AdamW {
    AdamW { lr: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1 }
}

fn train(actor: &mut Actor, config: &ModelConfig, seed: u64, max_norm: f64) -> Update {
    let batch = ragged(config, seed);
    actor.accumulate(&sequences(&batch), &mut |scores| coefficients(scores.logprobs.len())).unwrap();
    actor.apply(&optim(), max_norm).unwrap()
}
