//! What this engine promises beyond what every engine must do: results to the bit.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::*;
use crate::actor::tests::lively_weights;
use exgrpo_core::types::TokenId;

/// Large enough that loops are split over threads: 300 rows and more, several panels everywhere.
fn config() -> ModelConfig {
    serde_json::from_str(
        r#"{"model_type": "qwen3", "vocab_size": 150, "hidden_size": 72, "intermediate_size": 130,
            "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 14,
            "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "max_position_embeddings": 256, "attention_bias": true,
            "tie_word_embeddings": true}"#,
    )
    .unwrap()
}

fn tokens(stream: &mut ChaCha8Rng, len: usize) -> Vec<TokenId> {
    (0..len).map(|_| stream.next_u32() % 150).collect()
}

/// Groups of 4 with prompts of unequal lengths.
fn batch() -> Vec<(Vec<TokenId>, Vec<TokenId>)> {
    let mut stream = ChaCha8Rng::seed_from_u64(4);
    let mut batch = Vec::new();
    for (prompt, completions) in [(40, [30, 1, 61, 7]), (1, [50, 2, 3, 90]), (67, [10, 20, 49, 33])] {
        let prompt = tokens(&mut stream, prompt);
        batch.extend(completions.map(|len| (prompt.clone(), tokens(&mut stream, len))));
    }
    batch
}

fn sequences(batch: &[(Vec<TokenId>, Vec<TokenId>)]) -> Vec<Sequence<'_>> {
    batch.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect()
}

/// Five completions a group.
fn requests(batch: &[(Vec<TokenId>, Vec<TokenId>)]) -> Vec<SampleRequest<'_>> {
    let streams = |group: u64| (0..5).map(|member| ChaCha8Rng::seed_from_u64(group * 5 + member)).collect();
    let prompts = batch.iter().step_by(4).zip(0..);
    prompts.map(|((prompt, _), group)| SampleRequest { prompt, streams: streams(group) }).collect()
}

fn actor(precision: Precision, threads: usize) -> CpuActor {
    CpuActor::new(config(), &lively_weights(&config(), 3), precision, threads).unwrap()
}

/// Those that this processor has.
fn precisions() -> impl Iterator<Item = Precision> {
    [Precision::F32, Precision::Bf16]
        .into_iter()
        .filter(|&of| of == Precision::F32 || kernel::multiplies_pairs())
}

fn sampling() -> SamplingParams {
    SamplingParams {
        temperature: 1.0,
        score_temperature: 1.0,
        top_p: 0.97,
        max_new_tokens: 70,
        stop_ids: vec![5],
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let batch = batch();
    let outcome = |precision: Precision, threads: usize| {
        let mut actor = actor(precision, threads);
        let optim = AdamW { lr: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1 };
        let mut seen = Vec::new();
        for _ in 0..2 {
            let mut loss = |scores: &Scores| {
                seen.extend(bits(&scores.logprobs));
                let slopes = (0..scores.logprobs.len()).map(|t| (t % 7) as f32 - 3.0);
                ScoreGrads { logprobs: slopes.clone().collect(), entropies: slopes.rev().collect() }
            };
            actor.accumulate(&sequences(&batch), &mut loss).unwrap();
            seen.extend(actor.gradients().unwrap().iter().flat_map(|(_, gradient)| bits(gradient)));
            let update = actor.apply(&optim, 1.0).unwrap();
            seen.push(update.grad_norm.to_bits() as u32);
        }
        let scores = actor.score(&sequences(&batch)).unwrap();
        seen.extend(bits(&scores.entropies));
        let weights = actor.weights().unwrap();
        seen.extend(weights.tensors().iter().flat_map(|tensor| bits(&tensor.data)));
        (seen, actor.sample(requests(&batch), &sampling()).unwrap())
    };
    for precision in precisions() {
        let one = outcome(precision, 1);
        for threads in [2, 3, 4, 0] {
            assert!(outcome(precision, threads) == one, "{precision:?}, {threads} threads");
        }
    }
}

#[test]
fn a_completion_and_its_scores_are_the_same_to_the_bit_in_any_company() {
    precisions().for_each(same_in_any_company);
}

fn same_in_any_company(precision: Precision) {
    let batch = batch();
    let actor = actor(precision, 2);
    let together = actor.sample(requests(&batch), &sampling()).unwrap();
    for (request, group) in requests(&batch).into_iter().zip(&together) {
        for (stream, completion) in request.streams.iter().zip(group) {
            let alone = SampleRequest { prompt: request.prompt, streams: vec![stream.clone()] };
            assert_eq!(actor.sample(vec![alone], &sampling()).unwrap(), vec![vec![completion.clone()]]);
            let sequence = Sequence { prompt: request.prompt, completion: &completion.ids };
            let scores = actor.score(&[sequence]).unwrap();
            assert_eq!(bits(&scores.logprobs), bits(&completion.logprobs));
            assert_eq!(bits(&scores.entropies), bits(&completion.entropies));
        }
    }
    let pairs: Vec<Sequence<'_>> = requests(&batch)
        .iter()
        .zip(&together)
        .flat_map(|(request, group)| {
            group.iter().map(|completion| Sequence { prompt: request.prompt, completion: &completion.ids })
        })
        .collect();
    let scores = actor.score(&pairs).unwrap();
    let sampled: Vec<f32> =
        together.iter().flatten().flat_map(|completion| completion.logprobs.clone()).collect();
    assert_eq!(bits(&scores.logprobs), bits(&sampled));
}

/// More completions than are decoded together.
#[test]
fn completions_wait_for_room() {
    let batch = batch();
    let actor = actor(Precision::F32, 0);
    let wanted = SamplingParams { max_new_tokens: 6, ..sampling() };
    let mut many = requests(&batch);
    many[1].streams = (0..600).map(ChaCha8Rng::seed_from_u64).collect();
    let completions = actor.sample(many.clone(), &wanted).unwrap();
    assert_eq!(completions.iter().map(Vec::len).collect::<Vec<_>>(), [5, 600, 5]);
    for member in [0, 255, 256, 599] {
        let streams = vec![many[1].streams[member].clone()];
        let alone = SampleRequest { prompt: many[1].prompt, streams };
        assert_eq!(actor.sample(vec![alone], &wanted).unwrap()[0][0], completions[1][member]);
    }
}

/// bf16 rounds operands by 2^-9 at most; what that does to scores and gradients is bounded here, not the rounding itself,
/// which the products' tests pin to the bit.
#[test]
fn bf16_stays_close_to_f32() {
    if !kernel::multiplies_pairs() {
        return;
    }
    let batch = batch();
    let outcome = |precision: Precision| {
        let mut actor = actor(precision, 0);
        let mut logprobs = Vec::new();
        let mut loss = |scores: &Scores| {
            logprobs.extend_from_slice(&scores.logprobs);
            let len = scores.logprobs.len();
            ScoreGrads { logprobs: vec![1.0; len], entropies: vec![0.0; len] }
        };
        actor.accumulate(&sequences(&batch), &mut loss).unwrap();
        (logprobs, actor.gradients().unwrap())
    };
    let ((exact, exact_gradients), (rounded, rounded_gradients)) =
        (outcome(Precision::F32), outcome(Precision::Bf16));
    let error: f32 = exact.iter().zip(&rounded).map(|(a, b)| (a - b).abs()).sum::<f32>() / exact.len() as f32;
    assert!(error > 1e-4 && error < 0.1, "log-probs differ by {error} on average");
    for ((name, exact), (_, rounded)) in exact_gradients.iter().zip(&rounded_gradients) {
        let product = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let cosine = product(exact, rounded) / (product(exact, exact) * product(rounded, rounded)).sqrt();
        assert!(cosine > 0.98, "{name}: cosine {cosine}");
    }
}
