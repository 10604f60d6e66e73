//! What the engine on a GPU promises of memory, launches and rounding, on the processor.

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::layout::Layout;
use super::network::{Network, lasting};
use super::ops::Memory;
use super::processor::Processor;
use super::sizes::{Batch, Wave, Widths, bytes};
use super::waves::prefill;
use crate::actor::tests::{configs, lively_weights};
use crate::traits::Trainer;
use crate::{
    Actor, AdamW, Architecture, ModelConfig, Precision, SampleRequest, SamplingParams, ScoreGrads, Scores,
    Sequence, Weights,
};

const OPTIM: AdamW = AdamW { lr: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01 };

fn network(config: &ModelConfig, precision: Precision, memory: usize) -> Network<Processor> {
    let device = Processor::with_memory(memory);
    Network::new(config.clone(), &lively_weights(config, 3), precision, device).unwrap()
}

fn tokens(stream: &mut ChaCha8Rng, len: usize, vocab: usize) -> Vec<u32> {
    (0..len).map(|_| stream.next_u32() % vocab as u32).collect()
}

fn texts(config: &ModelConfig, lengths: &[(usize, usize)]) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut stream = ChaCha8Rng::seed_from_u64(5);
    let mut text = |len| tokens(&mut stream, len, config.vocab_size);
    lengths.iter().map(|&(prompt, completion)| (text(prompt), text(completion))).collect()
}

fn sequences(texts: &[(Vec<u32>, Vec<u32>)]) -> Vec<Sequence<'_>> {
    texts.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect()
}

fn slopes(len: usize) -> ScoreGrads {
    let mut stream = ChaCha8Rng::seed_from_u64(9);
    let mut column = || (0..len).map(|_| (stream.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect();
    ScoreGrads { logprobs: column(), entropies: column() }
}

fn requests(prompts: &[Vec<u32>], members: usize) -> Vec<SampleRequest<'_>> {
    let stream = |place: usize| ChaCha8Rng::seed_from_u64(place as u64);
    let streams = |request: usize| (0..members).map(|member| stream(100 * request + member)).collect();
    prompts
        .iter()
        .enumerate()
        .map(|(request, prompt)| SampleRequest { prompt, streams: streams(request) })
        .collect()
}

fn sampling(new: usize) -> SamplingParams {
    SamplingParams {
        temperature: 1.0,
        score_temperature: 1.0,
        top_p: 1.0,
        max_new_tokens: new,
        stop_ids: vec![3],
    }
}

/// The shape of a published model.
fn qwen(hidden: usize, inner: usize, layers: usize, heads: usize, head: usize) -> ModelConfig {
    ModelConfig {
        architecture: Architecture::Qwen2,
        vocab_size: 151_936,
        hidden_size: hidden,
        intermediate_size: inner,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: 2,
        head_dim: head,
        rms_norm_eps: 1e-6,
        rope_theta: 1e6,
        rope_scaling: None,
        max_position_embeddings: 32_768,
        tie_word_embeddings: true,
        attention_bias: false,
        variations: crate::Variations::default(),
    }
}

/// Witness: the allocator's own account of what a pass took beyond what was there before it.
#[test]
fn passes_allocate_what_they_are_said_to_to_the_byte() {
    for (config, precision) in configs()
        .into_iter()
        .flat_map(|config| [Precision::F32, Precision::Bf16].map(|p| (config.clone(), p)))
    {
        let lengths = [(3, 5), (1, 1), (7, 2), (2, 9)];
        let texts = texts(&config, &lengths);
        let batch = sequences(&texts);
        let widths = Widths::new(&config, precision);
        let stays = bytes(&lasting(&config, &Layout::new(&config), &widths));
        let most = |work: &mut dyn FnMut(&mut Network<Processor>)| {
            let mut network = network(&config, precision, 1 << 30);
            assert_eq!(network.device.allocated(), (stays, stays));
            work(&mut network);
            let (now, most) = network.device.allocated();
            assert_eq!(now, stays, "a pass leaves nothing behind");
            most - stays
        };
        let shape = Batch { sequences: 4, len: 16, scored: 17 };
        let trained = most(&mut |network| {
            let mut loss = |scores: &Scores| Ok(Some(slopes(scores.logprobs.len())));
            network.accumulate(1.0, &batch, &mut loss).unwrap();
            network.adam(&OPTIM, 1.0).unwrap();
        });
        assert_eq!(trained, shape.training_bytes(&widths));
        let scored = most(&mut |network| drop(network.score(&batch).unwrap()));
        assert_eq!(scored, Batch { sequences: 4, len: 16, scored: 17 }.scoring_bytes(&widths));
        let prompts: Vec<Vec<u32>> = texts.iter().map(|(prompt, _)| prompt.clone()).collect();
        let sampled =
            most(&mut |network| drop(network.sample(&requests(&prompts, 3), &sampling(6)).unwrap()));
        let wave = Wave { groups: 4, prompt: 8, slots: 12, new: 6 };
        assert_eq!(sampled, wave.bytes(&widths, &prefill(&wave)));
    }
}

/// 512 rollouts of 1,024 tokens behind prompts of 256 in a step of Qwen2.5-1.5B, on a GPU of 80 GB: all of them sampled in
/// one wave, trained on in micro-batches of 25,600 tokens.
#[test]
fn a_step_of_1_5_b_fits_80_gb() {
    let config = qwen(1536, 8960, 28, 12, 128);
    let widths = Widths::new(&config, Precision::Bf16);
    let stays = bytes(&lasting(&config, &Layout::new(&config), &widths));
    let wave = Wave { groups: 64, prompt: 256, slots: 512, new: 1024 };
    let sampling = wave.bytes(&widths, &prefill(&wave));
    let shape = Batch { sequences: 20, len: 1280, scored: 20 * 1024 };
    let training = shape.training_bytes(&widths);
    // By hand: 1,543,714,304 parameters of 18 bytes, some gaps, and 32,768 positions of 64 angles of 8 bytes; keys and
    // values of 28 layers, 256 values each in bf16, of 64 prompts of 256 tokens and 512 completions of 1,023.
    let by_hand = 1_543_714_304 * 18 + 32_768 * 64 * 8;
    assert!(stays >= by_hand && stays < by_hand + (1 << 20), "{stays}");
    let caches = 28 * 2 * 256 * 2 * (64 * 256 + 512 * 1023);
    assert!(sampling > caches && sampling < caches + (8 << 30), "{sampling}");
    let gb = |bytes: usize| bytes as f64 / 1e9;
    let room = 80e9 as usize / 100 * 92;
    assert!(stays + sampling < room, "{:.1} + {:.1} GB", gb(stays), gb(sampling));
    assert!(stays + training < room, "{:.1} + {:.1} GB", gb(stays), gb(training));
}

/// Operations asked for, transfers included: of a step of decoding, and of a pass with its backward, as they are today.
#[test]
fn passes_ask_for_no_more_operations_than_they_did() {
    let config = qwen_like(2);
    let deeper = qwen_like(5);
    let launches = |config: &ModelConfig, work: &dyn Fn(&mut Network<Processor>)| {
        let mut network = network(config, Precision::Bf16, 1 << 30);
        let before = network.device.launches();
        work(&mut network);
        network.device.launches() - before
    };
    let prompts = vec![vec![1, 2, 5]];
    let sample = |new: usize| {
        let prompts = prompts.clone();
        move |network: &mut Network<Processor>| {
            let sampling = SamplingParams { stop_ids: vec![], ..sampling(new) };
            drop(network.sample(&requests(&prompts, 4), &sampling).unwrap());
        }
    };
    let per_token = |config: &ModelConfig| launches(config, &sample(9)) - launches(config, &sample(8));
    assert_eq!(per_token(&deeper) - per_token(&config), 3 * 10, "operations a layer and token");
    assert_eq!(per_token(&config) - 2 * 10, 6, "operations a token beside the layers");

    let train = |network: &mut Network<Processor>| {
        let texts = [(vec![1, 2, 5], vec![4, 4])];
        let mut loss = |scores: &Scores| Ok(Some(slopes(scores.logprobs.len())));
        network.accumulate(1.0, &sequences(&texts), &mut loss).unwrap();
    };
    let (two, five) = (launches(&config, &train), launches(&deeper, &train));
    assert_eq!(five - two, 3 * 48, "operations a layer and micro-batch with one block of queries");
}

fn qwen_like(layers: usize) -> ModelConfig {
    ModelConfig { num_hidden_layers: layers, ..configs()[1].clone() }
}

/// Less memory means more waves and micro-batches, and the same results but for rounding.
#[test]
fn what_does_not_fit_at_once_is_done_in_parts() {
    for config in configs() {
        let texts = texts(&config, &[(3, 5), (1, 1), (7, 2), (2, 9), (4, 4), (9, 7)]);
        let batch = sequences(&texts);
        let prompts: Vec<Vec<u32>> = texts.iter().map(|(prompt, _)| prompt.clone()).collect();
        let widths = Widths::new(&config, Precision::F32);
        let stays = bytes(&lasting(&config, &Layout::new(&config), &widths));
        let roomy = network(&config, Precision::F32, 1 << 30);
        let pass = Batch { sequences: 2, len: 16, scored: 11 }.training_bytes(&widths);
        let tight = network(&config, Precision::F32, (stays + pass) / 92 * 100 + 200);
        let split = tight.micro_batches(&batch, 1 << 20, Batch::training_bytes);
        assert!(split.len() > 1 && roomy.micro_batches(&batch, 1 << 20, Batch::training_bytes).len() == 1);
        let mut members: Vec<usize> = split.concat();
        members.sort_unstable();
        assert_eq!(members, (0..batch.len()).collect::<Vec<_>>());
        let (all, parts) = (roomy.score(&batch).unwrap(), tight.score(&batch).unwrap());
        for (whole, part) in all.logprobs.iter().zip(&parts.logprobs) {
            assert!((whole - part).abs() < 1e-5, "{whole} {part}");
        }
        let sampling = sampling(6);
        let (all, parts) = (
            roomy.sample(&requests(&prompts, 3), &sampling).unwrap(),
            tight.sample(&requests(&prompts, 3), &sampling).unwrap(),
        );
        for (whole, part) in all.concat().iter().zip(parts.concat()) {
            assert_eq!(whole.ids, part.ids);
        }
    }
}

/// Root mean square of the differences.
fn apart(a: &[f32], b: &[f32]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (squares / a.len() as f64).sqrt()
}

/// Witness: how far PyTorch's bf16 is from its f32 on the same model and sequences (tests/python/bf16_witness.py). No
/// figure of ours is more than half as large again, all of them together are no larger.
#[test]
fn bf16_is_as_close_to_f32_as_pytorchs() {
    let witness: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/golden/bf16_witness.json")).unwrap();
    let config: ModelConfig =
        serde_json::from_str(include_str!("../../../models/assets/arithmetic/config.json")).unwrap();
    let embedded = include_bytes!("../../../models/assets/arithmetic/model.safetensors");
    let weights = Weights::from_bytes(embedded, "model.safetensors", &config).unwrap();
    let vocab = config.vocab_size;
    let texts: Vec<Vec<u32>> = (0..8)
        .map(|row| (0..26).map(|at| ((row * 31 + at * at * 7 + at * 3 + 5) % vocab) as u32).collect())
        .collect();
    let batch: Vec<Sequence<'_>> =
        texts.iter().map(|text| Sequence { prompt: &text[..6], completion: &text[6..] }).collect();
    type Build = fn(ModelConfig, &Weights, Precision) -> anyhow::Result<Actor>;
    let mut engines: Vec<(&str, Build)> = vec![("processor", Actor::gpu_on_processor)];
    if cfg!(feature = "cuda") {
        engines.push(("cuda", Actor::gpu));
    }
    for (engine, build) in engines {
        let [exact, rounded] = [Precision::F32, Precision::Bf16].map(|precision| {
            let mut actor = build(config.clone(), &weights, precision).unwrap();
            let mut found = Scores::default();
            let mut loss = |scores: &Scores| {
                found = scores.clone();
                let len = scores.logprobs.len();
                ScoreGrads { logprobs: vec![1.0; len], entropies: vec![0.0; len] }
            };
            actor.accumulate(&batch, &mut loss).unwrap();
            (found, actor.gradients().unwrap())
        });
        let sum: f32 = exact.0.logprobs.iter().sum();
        assert!(
            (f64::from(sum) - witness["logprob_sum_f32"].as_f64().unwrap()).abs() < 0.02,
            "{engine}: {sum}"
        );
        let mut ratios = vec![
            ("logprobs", apart(&exact.0.logprobs, &rounded.0.logprobs), &witness["logprobs"]),
            ("entropies", apart(&exact.0.entropies, &rounded.0.entropies), &witness["entropies"]),
        ];
        for ((name, exact), (_, rounded)) in exact.1.iter().zip(&rounded.1) {
            let size = apart(exact, &vec![0.0; exact.len()]);
            ratios.push((name.as_str(), apart(exact, rounded) / size, &witness["gradients"][name.as_str()]));
        }
        let mut logs = 0.0;
        for (name, ours, theirs) in &ratios {
            let ratio = ours / theirs.as_f64().unwrap();
            println!("{engine}, {name}: {ours:.4} is {ratio:.2} of PyTorch's");
            assert!(ratio < 1.5, "{engine}, {name}: {ours} but PyTorch {theirs}");
            logs += ratio.ln();
        }
        let mean = (logs / ratios.len() as f64).exp();
        assert!(mean < 1.0, "{engine}: errors are {mean} times PyTorch's in the mean");
    }
}

#[test]
fn a_device_without_room_says_what_was_asked_and_what_to_lower() {
    let config = &configs()[1];
    let widths = Widths::new(config, Precision::F32);
    let memory = bytes(&lasting(config, &Layout::new(config), &widths)) + 10_000;
    let device = Processor::with_memory(memory);
    let network = Network::new(config.clone(), &lively_weights(config, 3), Precision::F32, device).unwrap();
    let mut actor = super::GpuActor(network);
    let texts = texts(config, &[(30, 30)]);
    let mut loss = |_: &Scores| ScoreGrads::default();
    let error = actor.accumulate(&sequences(&texts), &mut loss).unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("hint: lower objective.tokens_per_micro_batch"), "{said}");
    assert!(said.contains("no room for 0.00 GB: 0.00 of 0.00 GB are free"), "{said}");
    assert!(matches!(error.downcast_ref(), Some(super::OutOfMemory { total, .. }) if *total == memory));
    assert_eq!(actor.0.device.allocated().0, memory - 10_000, "nothing stays behind");
}

proptest! {
    /// Every parameter has a place of its own, matrices before vectors.
    #[test]
    fn parameters_do_not_overlap(which in 0usize..3, layers in 1usize..4, tied: bool, bias: bool) {
        let mut config = configs().swap_remove(which);
        config.num_hidden_layers = layers;
        config.tie_word_embeddings = tied;
        config.attention_bias = bias && config.architecture != Architecture::Qwen2;
        let layout = Layout::new(&config);
        let shapes = config.parameter_shapes();
        let mut places: Vec<(usize, usize, bool)> = shapes
            .iter()
            .zip(&layout.parameters)
            .map(|(shape, &place)| (place, place + shape.num_values(), shape.is_matrix()))
            .collect();
        places.sort_unstable();
        for pair in places.windows(2) {
            prop_assert!(pair[0].1 <= pair[1].0, "{pair:?}");
        }
        for (start, end, is_matrix) in places {
            prop_assert_eq!(is_matrix, end <= layout.matrices);
            prop_assert_eq!(is_matrix, start < layout.matrices);
            prop_assert!(end <= layout.len);
        }
    }
}
