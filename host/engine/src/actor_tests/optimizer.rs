//! Steps of the optimizer and its state on disk.

use super::*;
use crate::NamedTensor;

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
        let greedy = SamplingParams {
            temperature: 0.0,
            score_temperature: 1.0,
            top_p: 1.0,
            max_new_tokens: 2,
            stop_ids: vec![],
        };
        let completion = actor.sample(vec![request], &greedy).unwrap()[0][0].clone();
        assert_eq!(completion.ids, batch[2].1, "{case}");
    }
}
