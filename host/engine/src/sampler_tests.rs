use proptest::prelude::*;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::*;

fn sampling(temperature: f32, top_p: f32) -> SamplingParams {
    SamplingParams { temperature, score_temperature: 1.0, top_p, max_new_tokens: 1, stop_ids: vec![] }
}

fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let exps: Vec<f64> = logits.iter().map(|&l| (f64::from(l) / temperature).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|e| e / sum).collect()
}

/// Witness: the softmax in f64; the chi-square statistic of 4 degrees of freedom is below 30 but for 5 in a million.
#[test]
fn draws_follow_the_softmax_at_its_temperature() {
    let logits = [0.3, -1.0, 2.0, 0.0, 1.1];
    for temperature in [0.7f32, 1.0, 1.8] {
        let mut stream = ChaCha8Rng::seed_from_u64(5);
        let mut counts = [0f64; 5];
        let total = 20_000;
        for _ in 0..total {
            counts[draw(&logits, &sampling(temperature, 1.0), &mut stream).unwrap().id as usize] += 1.0;
        }
        let expected = softmax(&logits, f64::from(temperature));
        let chi_square: f64 = expected
            .iter()
            .zip(counts)
            .map(|(p, count)| (count - p * f64::from(total)).powi(2) / (p * f64::from(total)))
            .sum();
        assert!(chi_square < 30.0, "temperature {temperature}: {chi_square}");
    }
}

#[test]
fn a_stream_moves_by_one_number_a_token() {
    let mut stream = ChaCha8Rng::seed_from_u64(5);
    let mut other = stream.clone();
    draw(&[0.0, 1.0], &sampling(1.0, 0.9), &mut stream).unwrap();
    other.next_u64();
    assert_eq!(stream, other);
    draw(&[0.0, 1.0], &sampling(0.0, 1.0), &mut stream).unwrap();
    assert_eq!(stream, other);
}

#[test]
fn logits_that_are_not_numbers_are_an_error() {
    let mut stream = ChaCha8Rng::seed_from_u64(5);
    let error = draw(&[0.0, f32::NAN], &sampling(1.0, 1.0), &mut stream).unwrap_err();
    assert!(error.to_string().contains("token 1"), "{error}");
}

proptest! {
    /// Witness: running sums of all weights, one after the other.
    #[test]
    fn a_walk_stops_where_the_running_sum_passes_the_wanted_one(
        weights in proptest::collection::vec(prop_oneof![Just(0f32), 1e-6f32..1.0], 1..2000),
        uniform in prop_oneof![Just(0f64), Just(1.0 - f64::EPSILON), 0.0..1.0],
    ) {
        prop_assume!(weights.iter().any(|weight| *weight > 0.0));
        let id = walk(&weights, uniform);
        let sum = |weights: &[f32]| weights.iter().copied().map(f64::from).sum::<f64>();
        let (below, wanted) = (sum(&weights[..id]), uniform * sum(&weights));
        prop_assert!(weights[id] > 0.0);
        prop_assert!(below <= wanted + 1e-9 && wanted <= below + f64::from(weights[id]) + 1e-9);
    }

    /// Witness: log-prob and entropy by their definitions in f64, whatever temperature and top-p do to the draw;
    /// the drawn token is in the nucleus, found here by sorting probabilities.
    #[test]
    fn draws_report_the_full_distribution_and_stay_in_the_nucleus(
        logits in proptest::collection::vec(-8f32..8.0, 1..40),
        temperature in prop_oneof![Just(0f32), 0.1f32..2.0],
        top_p in prop_oneof![Just(1f32), 0.05f32..1.0],
        seed: u64,
    ) {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        let drawn = draw(&logits, &sampling(temperature, top_p), &mut stream).unwrap();
        let full = softmax(&logits, 1.0);
        let entropy: f64 = full.iter().map(|p| -p * p.ln()).sum();
        prop_assert!((f64::from(drawn.logprob) - full[drawn.id as usize].ln()).abs() < 1e-5);
        prop_assert!((f64::from(drawn.entropy) - entropy).abs() < 1e-5);
        if temperature == 0.0 {
            prop_assert!(logits.iter().all(|l| *l <= logits[drawn.id as usize]));
        } else {
            let heated = softmax(&logits, f64::from(temperature));
            let likelier: f64 = heated.iter().filter(|p| **p > heated[drawn.id as usize]).sum();
            prop_assert!(likelier < f64::from(top_p) + 1e-6);
        }
    }
}
