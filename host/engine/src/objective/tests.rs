use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::objective::Advantage;

/// Figures of the published objective in float64.
const GOLDEN: &str = include_str!("../../../../tests/golden/exgrpo_objective.json");

/// Relative agreement expected of f32.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    clip: Option<f32>,
    shaping_beta: Option<f32>,
    group: Vec<usize>,
    rewards: Vec<f32>,
    response_mask: Vec<Vec<f32>>,
    replay_mask: Vec<Vec<f32>>,
    behaviour_logprobs: Vec<Vec<f32>>,
    policy_logprobs: Vec<Vec<f32>>,
    advantages_centred: Vec<Vec<f64>>,
    advantages_std: Vec<Vec<f64>>,
    loss_sum_over_max_length: f64,
    grad_sum_over_max_length: Vec<Vec<f64>>,
    loss_token_mean: f64,
    grad_token_mean: Vec<Vec<f64>>,
    replay_ratio_mean_after_shaping: Option<f64>,
    fresh_ratio_mean: f64,
    fresh_clip_fraction: f64,
    approx_kl: f64,
}

fn close(have: f64, expected: f64, what: &str) {
    assert!(
        (have - expected).abs() <= TOLERANCE * expected.abs().max(1e-3),
        "{what}: {have} instead of {expected}"
    );
}

fn cases() -> Vec<Case> {
    let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(golden.cases.len(), 15);
    golden.cases
}

/// The tokens that count, flattened.
fn valid<T: Copy>(case: &Case, values: &[Vec<T>]) -> Vec<T> {
    let rows = values.iter().zip(&case.response_mask);
    rows.flat_map(|(row, mask)| row.iter().zip(mask).filter(|(_, m)| **m > 0.0).map(|(v, _)| *v)).collect()
}

fn group_advantages(case: &Case, kind: Advantage) -> Vec<f32> {
    let mut all = vec![0.0; case.rewards.len()];
    for group in 0..=*case.group.iter().max().unwrap() {
        let members: Vec<usize> = (0..all.len()).filter(|&i| case.group[i] == group).collect();
        let rewards: Vec<f32> = members.iter().map(|&i| case.rewards[i]).collect();
        for (&member, value) in members.iter().zip(advantages(&rewards, kind)) {
            all[member] = value;
        }
    }
    all
}

#[test]
fn advantages_equal_the_published_ones() {
    for case in cases() {
        for (kind, expected) in
            [(Advantage::Centred, &case.advantages_centred), (Advantage::Standardized, &case.advantages_std)]
        {
            for (have, row) in group_advantages(&case, kind).iter().zip(expected) {
                close(f64::from(*have), row[0], &case.name);
            }
        }
    }
}

#[test]
fn loss_and_gradient_equal_the_published_ones() {
    for case in cases() {
        let advantages = group_advantages(&case, Advantage::Centred);
        let old: Vec<Vec<f32>> = (0..case.rewards.len())
            .map(|i| {
                let pairs = case.behaviour_logprobs[i].iter().zip(&case.response_mask[i]);
                pairs.filter(|(_, m)| **m > 0.0).map(|(v, _)| *v).collect()
            })
            .collect();
        let members: Vec<Member<'_>> = (0..case.rewards.len())
            .map(|i| Member {
                advantage: advantages[i],
                origin: if case.replay_mask[i][0] > 0.0 { Origin::Replayed } else { Origin::Fresh },
                old_logprobs: &old[i],
            })
            .collect();
        let logprobs = valid(&case, &case.policy_logprobs);
        let scores = Scores { entropies: vec![0.7; logprobs.len()], logprobs };
        let mut section = ObjectiveSection {
            shaping_beta: case.shaping_beta.unwrap_or(0.0),
            clip_epsilon: case.clip.unwrap_or(0.2),
            entropy_coefficient: 0.0,
            ..ObjectiveSection::default()
        };
        for (aggregation, loss, grad) in [
            (Aggregation::SumOverMaxLength, case.loss_sum_over_max_length, &case.grad_sum_over_max_length),
            (Aggregation::TokenMean, case.loss_token_mean, &case.grad_token_mean),
        ] {
            section.aggregation = aggregation;
            let length = case.response_mask[0].len() as u32;
            let objective = Objective::new(
                &section,
                case.clip.is_some(),
                length,
                MiniBatchSize { sequences: members.len(), tokens: scores.logprobs.len() },
            );
            let (grads, stats) = objective.evaluate(&members, &scores, None);
            close(stats.loss(), loss, &format!("{} {aggregation:?} loss", case.name));
            for (have, expected) in grads.logprobs.iter().zip(valid(&case, grad)) {
                close(f64::from(*have), expected, &format!("{} {aggregation:?} gradient", case.name));
            }
            close(stats.fresh.ratio_mean(), case.fresh_ratio_mean, &case.name);
            // The published fraction also counts replayed tokens, which it would have clipped but shapes instead.
            if stats.replayed.num_tokens == 0 {
                close(stats.fresh.clip_fraction(), case.fresh_clip_fraction, &case.name);
            }
            close(stats.all().approximate_kl(), case.approx_kl, &case.name);
        }
        if let (Some(expected), Some(beta)) = (case.replay_ratio_mean_after_shaping, case.shaping_beta) {
            let mut shaped = Vec::new();
            let mut at = 0;
            for member in &members {
                for (old, logprob) in member.old_logprobs.iter().zip(&scores.logprobs[at..]) {
                    if member.origin == Origin::Replayed {
                        shaped.push(shape_ratio(f64::from(logprob - old).exp(), f64::from(beta)));
                    }
                }
                at += member.old_logprobs.len();
            }
            close(shaped.iter().sum::<f64>() / shaped.len() as f64, expected, &case.name);
        }
    }
}

#[test]
fn micro_batches_add_up_to_the_mini_batch_and_the_entropy_bonus_is_its_mean() {
    let old = [vec![-0.3f32, -0.9, -1.2], vec![-0.5], vec![-2.0, -0.1]];
    let members: Vec<Member<'_>> = [(0.5, Origin::Fresh), (-0.5, Origin::Replayed), (0.25, Origin::Fresh)]
        .iter()
        .zip(&old)
        .map(|(&(advantage, origin), old)| Member { advantage, origin, old_logprobs: old })
        .collect();
    let scores = Scores {
        logprobs: vec![-0.2, -1.0, -1.0, -0.6, -1.5, -0.2],
        entropies: vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    };
    let section = ObjectiveSection { entropy_coefficient: 0.5, ..ObjectiveSection::default() };
    let objective = Objective::new(&section, true, 8, MiniBatchSize { sequences: 3, tokens: 6 });
    let (whole, whole_stats) = objective.evaluate(&members, &scores, None);
    let (mut grads, mut stats) = objective.evaluate(
        &members[..2],
        &Scores { logprobs: scores.logprobs[..4].to_vec(), entropies: scores.entropies[..4].to_vec() },
        None,
    );
    let (rest, rest_stats) = objective.evaluate(
        &members[2..],
        &Scores { logprobs: scores.logprobs[4..].to_vec(), entropies: scores.entropies[4..].to_vec() },
        None,
    );
    grads.logprobs.extend(rest.logprobs);
    grads.entropies.extend(rest.entropies);
    stats.merge(&rest_stats);
    assert_eq!(grads, whole);
    close(stats.loss(), whole_stats.loss(), "loss");
    // By hand: 0.5 · (0.1 + … + 0.6) / 6 = 0.175, and -0.5 / 6 for each entropy.
    close(whole_stats.entropy_loss, -0.175, "entropy loss");
    assert!(whole.entropies.iter().all(|&slope| (slope + 0.5 / 6.0).abs() < 1e-7));
}

#[test]
fn tokens_without_a_finite_old_logprob_are_left_out_and_counted() {
    let old = [f32::NAN, -0.5, f32::NEG_INFINITY];
    let member = Member { advantage: 1.0, origin: Origin::Fresh, old_logprobs: &old };
    let scores = Scores { logprobs: vec![-0.5; 3], entropies: vec![0.1; 3] };
    let section = ObjectiveSection { entropy_coefficient: 0.0, ..ObjectiveSection::default() };
    let (grads, stats) = Objective::new(&section, false, 1, MiniBatchSize { sequences: 1, tokens: 3 })
        .evaluate(&[member], &scores, None);
    assert_eq!(grads.logprobs, [0.0, -1.0, 0.0]);
    assert_eq!((stats.fresh.num_tokens, stats.fresh.num_dropped), (1, 2));
    assert_eq!(stats.rollouts[0].ratio_mean, 1.0);
}

#[test]
fn a_demonstration_is_shaped_by_its_probability_and_never_clipped() {
    // By hand, LUFFY's rule with f(p) = p / (p + 0.1): f(0.25) = 5/7, f(0.05) = 1/3, f(0.9) = 9/10;
    // f'(p)·p = 0.1·p / (p + 0.1)²: 10/49, 2/9, 9/100.
    let probabilities = [0.25f32, 0.05, 0.9];
    let section = ObjectiveSection {
        importance_correction: false,
        entropy_coefficient: 0.0,
        ..ObjectiveSection::default()
    };
    let objective = Objective::new(&section, true, 4, MiniBatchSize { sequences: 1, tokens: 3 });
    let old_logprobs = [0.0; 3];
    let member = Member { advantage: 0.5, origin: Origin::Demonstrated, old_logprobs: &old_logprobs };
    let scores = Scores { logprobs: probabilities.map(f32::ln).to_vec(), entropies: vec![0.0; 3] };
    let (grads, stats) = objective.evaluate(&[member], &scores, None);
    let expected_loss = -0.5 / 4.0 * (5.0 / 7.0 + 1.0 / 3.0 + 0.9);
    assert!((stats.demonstrated.loss - expected_loss).abs() < 1e-6, "{}", stats.demonstrated.loss);
    for (have, slope) in grads.logprobs.iter().zip([10.0 / 49.0, 2.0 / 9.0, 0.09]) {
        assert!((have + 0.5 / 4.0 * slope).abs() < 1e-6, "{have}");
    }
    assert!((stats.demonstrated.ratio_mean() - 0.4).abs() < 1e-6, "the mean ratio is the mean probability");
    assert_eq!(
        (stats.fresh.num_tokens, stats.replayed.num_tokens, stats.demonstrated.num_clipped),
        (0, 0, 0)
    );
}

/// What there is nothing of is not 0.
#[test]
fn figures_without_tokens_are_not_numbers() {
    let none = OriginStats::default();
    let figures = [none.ratio_mean(), none.ratio_variance(), none.clip_fraction(), none.approximate_kl()];
    assert!(figures.iter().all(|figure| figure.is_nan()), "{figures:?}");
}

/// By hand: ratios 2 and 1/2 of a rollout with advantage 1/2, 1/2 and 1 of one with -1/2, 4 and 1 of a replayed one.
#[test]
fn figures_of_micro_batches_add_up_to_those_of_the_mini_batch() {
    let ln2 = std::f32::consts::LN_2;
    let old = [[-1.0f32; 2]; 3];
    let scores = [[-1.0 + ln2, -1.0 - ln2], [-1.0 - ln2, -1.0], [-1.0 + 2.0 * ln2, -1.0]];
    let entropies = [[0.5f32, 0.25], [0.125, 1.0], [2.0, 4.0]];
    let members: Vec<Member<'_>> = [(0.5, Origin::Fresh), (-0.5, Origin::Fresh), (0.25, Origin::Replayed)]
        .iter()
        .zip(&old)
        .map(|(&(advantage, origin), old)| Member { advantage, origin, old_logprobs: old })
        .collect();
    let section = ObjectiveSection { entropy_coefficient: 0.5, ..ObjectiveSection::default() };
    let objective = Objective::new(&section, true, 8, MiniBatchSize { sequences: 3, tokens: 6 });
    let evaluate = |range: std::ops::Range<usize>| {
        let scores = Scores {
            logprobs: scores[range.clone()].as_flattened().to_vec(),
            entropies: entropies[range.clone()].as_flattened().to_vec(),
        };
        objective.evaluate(&members[range], &scores, None).1
    };
    let whole = evaluate(0..3);
    for parts in [[0..1, 1..3], [0..2, 2..3]] {
        for parts in [parts.clone(), [parts[1].clone(), parts[0].clone()]] {
            let mut sum = evaluate(parts[0].clone());
            sum.add_idle(Origin::Fresh, 3);
            let mut other = evaluate(parts[1].clone());
            other.add_idle(Origin::Fresh, 2);
            other.replayed.num_dropped = 7;
            sum.merge(&other);
            assert_eq!(
                (sum.fresh.num_tokens, sum.fresh.num_clipped, sum.fresh.num_idle),
                (4, 2, 5),
                "{parts:?}"
            );
            assert_eq!((sum.replayed.num_tokens, sum.replayed.num_dropped), (2, 7));
            for (have, expected) in [
                (sum.fresh.ratio_sum, 4.0),
                (sum.fresh.ratio_square_sum, 5.5),
                (sum.fresh.ratio_max, 2.0),
                (sum.fresh.ratio_mean(), 1.0),
                (sum.fresh.ratio_variance(), 0.375),
                (sum.fresh.approximate_kl(), f64::from(ln2) / 4.0),
                (sum.fresh.clip_fraction(), 2.0 / 9.0),
                (sum.replayed.ratio_sum, 5.0),
                (sum.replayed.ratio_max, 4.0),
                (sum.all().ratio_sum, 9.0),
                (sum.entropy_sum, 7.875),
                (sum.entropy_loss, -0.5 * 7.875 / 6.0),
                (sum.loss(), whole.fresh.loss + whole.replayed.loss + whole.entropy_loss),
                (sum.fresh.loss, whole.fresh.loss),
            ] {
                assert!((have - expected).abs() < 1e-6, "{parts:?}: {have} instead of {expected}");
            }
        }
    }
    let rollouts = [(1.25, 2.0, 0.5), (0.75, 1.0, 0.5), (2.5, 4.0, 0.0)];
    for (have, (mean, max, clipped)) in whole.rollouts.iter().zip(rollouts) {
        let have = [have.ratio_mean, have.ratio_max, have.clip_fraction];
        assert!(
            have.iter().zip([mean, max, clipped]).all(|(have, wanted)| (have - wanted).abs() < 1e-6),
            "{have:?}"
        );
    }
    let mut all = LossStats { demonstrated: whole.replayed, ..LossStats::default() };
    all.merge(&LossStats { demonstrated: whole.replayed, ..LossStats::default() });
    assert_eq!(all.all().num_tokens, 4);
    assert!((all.loss() - 2.0 * whole.replayed.loss).abs() < 1e-12 && whole.replayed.loss != 0.0);
}

/// Figures of PyTorch's automatic differentiation in float64, by `tests/python/objective_variants.py`.
#[test]
fn every_kind_has_the_loss_and_gradient_of_its_paper() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../../tests/golden/objective_variants.json")).unwrap();
    let column = |value: &Value| -> Vec<f32> { serde_json::from_value(value.clone()).unwrap() };
    let mut seen = 0;
    for case in golden["cases"].as_array().unwrap() {
        let kind: Kind = serde_json::from_value(case["kind"].clone()).unwrap();
        let number = |key: &str| case[key].as_f64().unwrap() as f32;
        let old: Vec<Vec<f32>> = case["old"].as_array().unwrap().iter().map(column).collect();
        let advantages = column(&case["advantages"]);
        let members: Vec<Member<'_>> = advantages
            .iter()
            .zip(&old)
            .map(|(&advantage, old)| Member { advantage, origin: Origin::Fresh, old_logprobs: old })
            .collect();
        let flat = |key: &str| case[key].as_array().unwrap().iter().flat_map(column).collect::<Vec<f32>>();
        let (logprobs, reference) = (flat("logprobs"), flat("reference"));
        let size = MiniBatchSize { sequences: members.len(), tokens: logprobs.len() };
        let scores = Scores { entropies: vec![0.5; logprobs.len()], logprobs };
        for (aggregation, result) in case["results"].as_object().unwrap() {
            let section = ObjectiveSection {
                kind,
                clip_epsilon: number("epsilon"),
                clip_epsilon_high: (kind != Kind::Exgrpo).then(|| number("epsilon_high")),
                kl_coefficient: number("kl"),
                entropy_coefficient: 0.0,
                aggregation: serde_json::from_value(aggregation.as_str().into()).unwrap(),
                ..ObjectiveSection::default()
            };
            section.validate().unwrap();
            let objective = Objective::new(&section, case["clip"] == true, 16, size);
            let (grads, stats) = objective.evaluate(&members, &scores, Some(&reference));
            let what = format!("{kind:?} {aggregation} clip {} kl {}", case["clip"], case["kl"]);
            close(stats.loss(), result["loss"].as_f64().unwrap(), &what);
            let expected: Vec<f32> = result["grads"].as_array().unwrap().iter().flat_map(column).collect();
            for (have, expected) in grads.logprobs.iter().zip(expected) {
                close(f64::from(*have), f64::from(expected), &what);
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 4 * 2 * 2 * 2 * 3);
}
