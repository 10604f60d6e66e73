//! Gradients against finite differences, and batches against their sequences.

use super::*;

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
            actor.zero_grad().unwrap();
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
        let room = 1e-5 * slack(&case);
        close(&together.logprobs, &alone.logprobs, room, &case);
        close(&together.entropies, &alone.entropies, room, &case);
        let mut trained = Scores::default();
        let mut loss = |scores: &Scores| {
            trained = scores.clone();
            coefficients(scores.logprobs.len())
        };
        actor.accumulate(&batch, &mut loss).unwrap();
        close(&trained.logprobs, &together.logprobs, room, &case);
        close(&trained.entropies, &together.entropies, room, &case);

        // The gradient of the batch is the sum of its sequences' gradients.
        let whole = actor.gradients().unwrap();
        actor.zero_grad().unwrap();
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
                2.0 * room * (1.0 + whole.iter().fold(0f32, |a, b| a.max(b.abs()))),
                &format!("{case}, {name}"),
            );
        }
    }
}

/// Witness: central differences of log-probs and entropies that f64 arithmetic takes from the next token's logits.
#[test]
fn scores_at_a_temperature_and_their_gradient_are_those_of_divided_logits() {
    for (case, config, weights, mut actor) in cases() {
        let batch = ragged(&config, 5);
        let batch = sequences(&batch);
        for temperature in [0.6f32, 1.7] {
            let expected = |actor: &Actor| {
                let mut scores = Scores::default();
                for sequence in &batch {
                    for at in 0..sequence.completion.len() {
                        let tokens = [sequence.prompt, &sequence.completion[..at]].concat();
                        let logits = actor.next_logits(&tokens).unwrap();
                        let divided: Vec<f64> =
                            logits.iter().map(|&z| f64::from(z) / f64::from(temperature)).collect();
                        let log_sum = divided.iter().map(|z| z.exp()).sum::<f64>().ln();
                        let entropy: f64 = divided.iter().map(|z| -(z - log_sum).exp() * (z - log_sum)).sum();
                        scores.logprobs.push((divided[sequence.completion[at] as usize] - log_sum) as f32);
                        scores.entropies.push(entropy as f32);
                    }
                }
                scores
            };
            let mut trained = Scores::default();
            let mut loss = |scores: &Scores| {
                trained = scores.clone();
                coefficients(scores.logprobs.len())
            };
            actor.accumulate_at(temperature, &batch, &mut loss).unwrap();
            let scores = expected(&actor);
            let room = 1e-4 * slack(&case);
            close(&trained.logprobs, &scores.logprobs, room, &case);
            close(&trained.entropies, &scores.entropies, room, &case);

            let gradients = actor.gradients().unwrap();
            actor.zero_grad().unwrap();
            for tensor in [0, gradients.len() / 2, gradients.len() - 1] {
                let (name, gradient) = &gradients[tensor];
                let largest = (0..gradient.len())
                    .max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs()))
                    .unwrap();
                let at = |by: f32| {
                    let mut tensors = weights.tensors().to_vec();
                    tensors[tensor].data[largest] += by;
                    let step = f64::from(tensors[tensor].data[largest])
                        - f64::from(weights.tensors()[tensor].data[largest]);
                    let changed =
                        rebuild(&case, &config, Weights::from_tensors(tensors, "test", &config).unwrap());
                    (weighted_sum(&expected(&changed)), step)
                };
                let ((above, up), (below, down)) = (at(3e-3), at(-3e-3));
                let slope = (above - below) / (up - down);
                let room = 0.01 * f64::from(gradient[largest].abs()) + 3e-3;
                let error = (slope - f64::from(gradient[largest])).abs();
                assert!(
                    error < room,
                    "{case} at {temperature}, {name}: {} but {slope} by differences",
                    gradient[largest]
                );
            }
        }
        // Nothing of it stays behind.
        let mut plain = Scores::default();
        let mut loss = |scores: &Scores| {
            plain = scores.clone();
            ScoreGrads {
                logprobs: vec![0.0; scores.logprobs.len()],
                entropies: vec![0.0; scores.logprobs.len()],
            }
        };
        actor.accumulate(&batch, &mut loss).unwrap();
        close(&plain.logprobs, &actor.score(&batch).unwrap().logprobs, 1e-5 * slack(&case), &case);
    }
}
