//! What every engine must do, on small networks of all three architectures.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::*;
use crate::model::NamedTensor;
use crate::types::TokenId;

/// The engines by name.
const ENGINES: [(&str, fn(&ModelConfig, Weights) -> Actor); 2] = [
    ("candle", |config, weights| Actor::candle(config.clone(), weights, Device::Cpu).unwrap()),
    ("cpu", |config, weights| Actor::cpu(config.clone(), &weights).unwrap()),
];

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
    ENGINES.into_iter().flat_map(|(engine, build)| {
        configs().into_iter().map(move |config| {
            let weights = lively_weights(&config, 1);
            let actor = build(&config, weights.clone());
            (format!("{engine}, {}", config.architecture.model_type()), config, weights, actor)
        })
    })
}

fn rebuild(case: &str, config: &ModelConfig, weights: Weights) -> Actor {
    let (_, build) = ENGINES.into_iter().find(|(engine, _)| case.starts_with(engine)).unwrap();
    build(config, weights)
}

fn close(got: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= tolerance, "{what}, entry {at}: {got} but expected {expected}");
    }
}

/// Witness: central differences of the scores of an Actor with one entry changed, for the entry of each tensor that
/// has the largest derivative and for two others.
#[test]
fn gradients_equal_finite_differences() {
    for (case, config, weights, mut actor) in cases() {
        let batch = ragged(&config, 5);
        let batch = sequences(&batch);
        actor.accumulate(&batch, &mut |scores| coefficients(scores.logprobs.len())).unwrap();
        let at = |tensor: usize, entry: usize, by: f32| {
            let mut tensors = weights.tensors().to_vec();
            tensors[tensor].data[entry] += by;
            let step =
                f64::from(tensors[tensor].data[entry]) - f64::from(weights.tensors()[tensor].data[entry]);
            let changed = rebuild(&case, &config, Weights::from_tensors(tensors, "test", &config).unwrap());
            (weighted_sum(&changed.score(&batch).unwrap()), step)
        };
        for (tensor, (name, gradient)) in actor.gradients().unwrap().iter().enumerate() {
            let largest =
                (0..gradient.len()).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs())).unwrap();
            for entry in [largest, 0, gradient.len() / 2] {
                let ((above, up), (below, down)) = (at(tensor, entry, 3e-3), at(tensor, entry, -3e-3));
                let slope = (above - below) / (up - down);
                let room = 0.01 * f64::from(gradient[largest].abs()) + 2e-3;
                let error = (slope - f64::from(gradient[entry])).abs();
                assert!(
                    error < room,
                    "{case}, {name}[{entry}]: {} but {slope} by differences",
                    gradient[entry]
                );
            }
        }
    }
}

#[test]
fn every_tensor_receives_a_gradient() {
    for (case, config, _, mut actor) in cases() {
        let batch = ragged(&config, 5);
        // Log-probs alone must reach every tensor, and entropies alone too.
        for part in 0..2 {
            let mut loss = |scores: &Scores| {
                let mut grads = coefficients(scores.logprobs.len());
                let silent = if part == 0 { &mut grads.entropies } else { &mut grads.logprobs };
                silent.fill(0.0);
                grads
            };
            actor.accumulate(&sequences(&batch), &mut loss).unwrap();
            let gradients = actor.gradients().unwrap();
            assert_eq!(gradients.len(), config.parameter_shapes().len());
            for ((name, gradient), parameter) in gradients.iter().zip(config.parameter_shapes()) {
                assert_eq!((name, gradient.len()), (&parameter.name, parameter.num_values()));
                // Softmax doesn't change when all keys move alike, so that a key's bias has a gradient through the
                // rotation only, and a small one.
                let size = gradient.iter().map(|g| g.abs()).fold(0.0, f32::max);
                assert!(size > 1e-6, "{case}: {name} has no gradient ({size})");
            }
            actor.zero_grad();
        }
    }
}

#[test]
fn sequences_of_one_batch_do_not_see_each_other() {
    for (case, config, _, mut actor) in cases() {
        let batch = ragged(&config, 5);
        let batch = sequences(&batch);
        let together = actor.score(&batch).unwrap();
        let mut alone = Scores::default();
        for sequence in &batch {
            let scores = actor.score(&[*sequence]).unwrap();
            alone.logprobs.extend(scores.logprobs);
            alone.entropies.extend(scores.entropies);
        }
        close(&together.logprobs, &alone.logprobs, 1e-5, &case);
        close(&together.entropies, &alone.entropies, 1e-5, &case);
        let mut trained = Scores::default();
        let mut loss = |scores: &Scores| {
            trained = scores.clone();
            coefficients(scores.logprobs.len())
        };
        actor.accumulate(&batch, &mut loss).unwrap();
        close(&trained.logprobs, &together.logprobs, 1e-5, &case);
        close(&trained.entropies, &together.entropies, 1e-5, &case);

        // The gradient of the batch is the sum of its sequences' gradients.
        let whole = actor.gradients().unwrap();
        actor.zero_grad();
        let grads = coefficients(together.logprobs.len());
        let mut start = 0;
        for sequence in &batch {
            let span = start..start + sequence.completion.len();
            start = span.end;
            let mut loss = |_: &Scores| ScoreGrads {
                logprobs: grads.logprobs[span.clone()].to_vec(),
                entropies: grads.entropies[span.clone()].to_vec(),
            };
            actor.accumulate(&[*sequence], &mut loss).unwrap();
        }
        for ((name, whole), (_, parts)) in whole.iter().zip(actor.gradients().unwrap()) {
            close(
                &parts,
                whole,
                2e-5 * (1.0 + whole.iter().fold(0f32, |a, b| a.max(b.abs()))),
                &format!("{case}, {name}"),
            );
        }
    }
}

fn sampling() -> Sampling {
    Sampling { temperature: 0.9, top_p: 0.95, max_new_tokens: 12, stop_ids: vec![3, 4] }
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

#[test]
fn sampled_tokens_score_as_recorded_and_end_as_asked() {
    for (case, config, _, actor) in cases() {
        let mut stream = ChaCha8Rng::seed_from_u64(8);
        let prompts: Vec<_> = [4, 1, 9, 5].map(|len| tokens(&mut stream, len, config.vocab_size)).to_vec();
        let groups = actor.sample(requests(&prompts, 5), &sampling()).unwrap();
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), vec![5; 4]);
        let mut ends = [0, 0];
        for (prompt, group) in prompts.iter().zip(&groups) {
            for completion in group {
                let scores = actor.score(&[Sequence { prompt, completion: &completion.ids }]).unwrap();
                close(&completion.logprobs, &scores.logprobs, 1e-5, &case);
                close(&completion.entropies, &scores.entropies, 1e-5, &case);
                let stop = completion.ids.iter().position(|id| sampling().stop_ids.contains(id));
                assert_eq!(completion.finished, stop.is_some());
                assert_eq!(completion.ids.len(), stop.map_or(sampling().max_new_tokens, |at| at + 1));
                ends[usize::from(completion.finished)] += 1;
            }
        }
        assert!(ends.iter().all(|count| *count > 0), "{case}: both ends are exercised, {ends:?}");
    }
}

#[test]
fn a_completion_depends_on_its_own_stream_and_prompt() {
    for (case, config, _, actor) in cases() {
        let mut stream = ChaCha8Rng::seed_from_u64(8);
        // More members than a wave has room for.
        let prompts: Vec<_> =
            (0..12).map(|at| tokens(&mut stream, 1 + (at * 5) % 11, config.vocab_size)).collect();
        let together = actor.sample(requests(&prompts, 8), &sampling()).unwrap();
        assert_eq!(actor.sample(requests(&prompts, 8), &sampling()).unwrap(), together, "{case}");
        for (index, request) in requests(&prompts, 8).into_iter().enumerate() {
            let member = SampleRequest { prompt: request.prompt, streams: vec![request.streams[5].clone()] };
            let alone = actor.sample(vec![member], &sampling()).unwrap();
            assert_eq!(alone[0][0].ids, together[index][5].ids, "{case}");
            close(&alone[0][0].logprobs, &together[index][5].logprobs, 1e-5, &case);
        }
    }
}

fn optim() -> AdamW {
    AdamW { lr: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1 }
}

fn train(actor: &mut Actor, config: &ModelConfig, seed: u64, max_norm: f64) -> Update {
    let batch = ragged(config, seed);
    actor.accumulate(&sequences(&batch), &mut |scores| coefficients(scores.logprobs.len())).unwrap();
    actor.apply(&optim(), max_norm).unwrap()
}

/// Witness: AdamW in f64 by hand from the engine's own gradients, what PyTorch computes with
///     torch.nn.utils.clip_grad_norm_(parameters, max_norm)
///     torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
///                       lr=1e-2, betas=(0.9, 0.99), eps=1e-8).step()
#[test]
fn steps_are_those_of_adamw_with_clipping() {
    for (case, config, weights, mut actor) in cases() {
        let wide = |tensors: &[NamedTensor]| -> Vec<Vec<f64>> {
            tensors.iter().map(|t| t.data.iter().map(|&x| f64::from(x)).collect()).collect()
        };
        let mut expected = wide(weights.tensors());
        let mut first: Vec<Vec<f64>> = expected.iter().map(|t| vec![0.0; t.len()]).collect();
        let mut second = first.clone();
        let AdamW { lr, beta1, beta2, eps, weight_decay } = optim();
        for step in 1..=4 {
            // The first two steps are clipped.
            let max_norm = if step <= 2 { 0.5 } else { 1e6 };
            let batch = ragged(&config, step);
            actor.accumulate(&sequences(&batch), &mut |scores| coefficients(scores.logprobs.len())).unwrap();
            let gradients = actor.gradients().unwrap();
            let squares = gradients.iter().flat_map(|(_, g)| g).map(|&g| f64::from(g).powi(2)).sum::<f64>();
            let norm = squares.sqrt();
            assert!((actor.grad_norm().unwrap() - norm).abs() < 1e-9 * norm, "{case}");
            let update = actor.apply(&optim(), max_norm).unwrap();
            assert!(update.applied && (update.grad_norm - norm).abs() < 1e-9 * norm, "{case}");
            let scale = (max_norm / (norm + 1e-6)).min(1.0);
            let now = wide(actor.weights().unwrap().tensors());
            for (tensor, (name, gradient)) in gradients.iter().enumerate() {
                let decay = if weights.tensors()[tensor].shape.len() > 1 { weight_decay } else { 0.0 };
                for (entry, gradient) in gradient.iter().enumerate() {
                    let gradient = f64::from(*gradient) * scale;
                    let (m, v) = (&mut first[tensor][entry], &mut second[tensor][entry]);
                    *m = beta1 * *m + (1.0 - beta1) * gradient;
                    *v = beta2 * *v + (1.0 - beta2) * gradient * gradient;
                    let m_hat = *m / (1.0 - beta1.powf(step as f64));
                    let v_hat = *v / (1.0 - beta2.powf(step as f64));
                    let value = &mut expected[tensor][entry];
                    *value -= lr * decay * *value + lr * m_hat / (v_hat.sqrt() + eps);
                    let got = now[tensor][entry];
                    assert!(
                        (got - *value).abs() < 2e-5,
                        "{case}, step {step}, {name}[{entry}]: {got} {value}"
                    );
                }
            }
            assert!(actor.gradients().unwrap().iter().all(|(_, g)| g.iter().all(|&g| g == 0.0)));
        }
    }
}

#[test]
fn a_resumed_actor_equals_an_unbroken_one() {
    for (case, config, _, mut actor) in cases() {
        let folder = tempfile::tempdir().unwrap();
        let (weights, state) = (folder.path().join("w.safetensors"), folder.path().join("o.safetensors"));
        train(&mut actor, &config, 1, 1.0);
        train(&mut actor, &config, 2, 1.0);
        actor.save_weights(&weights).unwrap();
        actor.save_optimizer(&state).unwrap();
        let mut resumed = rebuild(&case, &config, Weights::load(&weights, &config).unwrap());
        resumed.load_optimizer(&state).unwrap();
        for seed in 3..5 {
            assert_eq!(
                train(&mut actor, &config, seed, 1.0),
                train(&mut resumed, &config, seed, 1.0),
                "{case}"
            );
        }
        assert_eq!(actor.weights().unwrap(), resumed.weights().unwrap(), "{case}");
        assert!(resumed.load_optimizer(&weights).unwrap_err().to_string().contains("optimizer"), "{case}");
    }
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing() {
    for (case, config, _, mut actor) in cases() {
        train(&mut actor, &config, 1, 1.0);
        let before = actor.weights().unwrap();
        let batch = ragged(&config, 5);
        let mut loss = |scores: &Scores| ScoreGrads {
            logprobs: vec![f32::NAN; scores.logprobs.len()],
            entropies: vec![0.0; scores.logprobs.len()],
        };
        actor.accumulate(&sequences(&batch), &mut loss).unwrap();
        let update = actor.apply(&optim(), 1.0).unwrap();
        assert!(!update.applied && !update.grad_norm.is_finite(), "{case}");
        assert_eq!(actor.weights().unwrap(), before, "{case}");
        assert_eq!(actor.grad_norm().unwrap(), 0.0, "{case}");
        assert!(train(&mut actor, &config, 2, 1.0).applied, "{case}");
        assert!(
            actor.weights().unwrap().tensors().iter().all(|t| t.data.iter().all(|x| x.is_finite())),
            "{case}"
        );
    }
}

/// Sampling and scoring see the weights of the latest step.
#[test]
fn training_raises_the_score_of_what_it_is_told_to() {
    for (case, config, _, mut actor) in cases() {
        let batch = ragged(&config, 5);
        let before: f32 = actor.score(&sequences(&batch)).unwrap().logprobs.iter().sum();
        for _ in 0..30 {
            let mut loss = |scores: &Scores| ScoreGrads {
                logprobs: vec![-1.0; scores.logprobs.len()],
                entropies: vec![0.0; scores.logprobs.len()],
            };
            actor.accumulate(&sequences(&batch), &mut loss).unwrap();
            actor.apply(&optim(), 1.0).unwrap();
        }
        let after: f32 = actor.score(&sequences(&batch)).unwrap().logprobs.iter().sum();
        assert!(after > before / 4.0, "{case}: {before} became {after}");
        let request = SampleRequest { prompt: &batch[2].0, streams: vec![ChaCha8Rng::seed_from_u64(0)] };
        let greedy = Sampling { temperature: 0.0, top_p: 1.0, max_new_tokens: 2, stop_ids: vec![] };
        let completion = actor.sample(vec![request], &greedy).unwrap()[0][0].clone();
        assert_eq!(completion.ids, batch[2].1, "{case}");
    }
}

#[test]
fn bad_input_is_an_error_that_says_what_is_wrong() {
    for (case, _, _, mut actor) in cases() {
        let long = vec![1; 80];
        for (prompt, completion, expected) in [
            (&[][..], &[1][..], "sequence 1 has an empty prompt"),
            (&[1], &[], "sequence 1 has an empty completion"),
            (&[1], &[19], "token id 19"),
            (&long, &[1], "81 tokens"),
        ] {
            let batch = [Sequence { prompt: &[1], completion: &[2] }, Sequence { prompt, completion }];
            let error = actor.score(&batch).unwrap_err().to_string();
            assert!(error.contains(expected), "{case}: {error}");
            assert!(actor.accumulate(&batch, &mut |_| ScoreGrads::default()).is_err());
        }
        let batch = [Sequence { prompt: &[1], completion: &[2] }];
        let error = actor.accumulate(&batch, &mut |_| ScoreGrads::default()).unwrap_err().to_string();
        assert!(error.contains("0 derivatives"), "{case}: {error}");
        let sample = |prompt: &[TokenId], edit: &dyn Fn(&mut Sampling)| {
            let mut sampling = sampling();
            edit(&mut sampling);
            let request = SampleRequest { prompt, streams: vec![ChaCha8Rng::seed_from_u64(0)] };
            actor.sample(vec![request], &sampling).unwrap_err().to_string()
        };
        for (error, expected) in [
            (sample(&[], &|_| ()), "prompt 0 is empty"),
            (sample(&[99], &|_| ()), "token id 99"),
            (sample(&[1], &|sampling| sampling.max_new_tokens = 64), "max_new_tokens 64"),
            (sample(&[1], &|sampling| sampling.max_new_tokens = 0), "max_new_tokens is 0"),
            (sample(&[1], &|sampling| sampling.temperature = -1.0), "temperature"),
            (sample(&[1], &|sampling| sampling.top_p = 0.0), "top_p"),
        ] {
            assert!(error.contains(expected), "{case}: {error}");
        }
        assert_eq!(actor.score(&[]).unwrap(), Scores::default());
        assert!(actor.sample(vec![], &sampling()).unwrap().is_empty());
        let nobody = SampleRequest { prompt: &[1], streams: vec![] };
        assert_eq!(actor.sample(vec![nobody], &sampling()).unwrap(), vec![vec![]], "{case}");
    }
}
