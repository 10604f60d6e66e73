//! What an update does, on the default task's model.

use super::*;
use crate::config::{Advantage, Aggregation};
use crate::dataset::Dataset;
use crate::stages::batch;
use exgrpo_core::types::{Origin, RolloutGroup, Verdict, group_of, rollout_of};
use exgrpo_engine::Actor;
use exgrpo_engine::objective::assign_advantages;
use exgrpo_models::ModelSource;
use exgrpo_models::prompt::Prompts;

struct Bench {
    config: Config,
    source: ModelSource,
    dataset: Dataset,
}

impl Bench {
    fn new() -> Self {
        let mut config = Config::default();
        config.objective.updates = 1;
        let source = ModelSource::read(&config.model.path).unwrap();
        let prompts = Prompts::plain(&source.tokenizer, 0);
        let dataset = Dataset::read(&config.dataset.train, &config.mapping(), &prompts).unwrap();
        Self { config, source, dataset }
    }

    /// A group of four with these rewards, completions of unequal length.
    fn group(&self, row: u32, rewards: [f32; 4]) -> RolloutGroup {
        let rollouts = rewards.iter().enumerate().map(|(member, &reward)| {
            let verdict = if reward == 1.0 { Verdict::Correct } else { Verdict::Incorrect };
            let mut rollout = rollout_of(Origin::Fresh, verdict, reward);
            let len = 2 + (member + row as usize) % 5;
            rollout.completion.ids = (0..len).map(|at| 1 + (at + member) as u32 % 9).collect();
            rollout.completion.logprobs = vec![-2.0; len];
            rollout
        });
        let mut group = RolloutGroup { row, ..group_of(rollouts.collect()) };
        assign_advantages(&mut group, Advantage::Centred);
        group
    }

    /// An update of the model as it ships: what it reports, and the weights after it.
    fn update(&self, groups: &[RolloutGroup]) -> (UpdateReport, Vec<f32>) {
        let mut actor = self.source.actor(&self.config.model).unwrap();
        let batch = batch::assemble(groups, &self.dataset, &self.config.objective);
        let report = UpdateStage { config: &self.config, step: 1, clip: true, reference: None }
            .run(&mut actor, &batch)
            .unwrap();
        (report, weights(&actor))
    }
}

fn weights(actor: &Actor) -> Vec<f32> {
    actor.weights().unwrap().into_tensors().into_iter().flat_map(|tensor| tensor.data).collect()
}

#[test]
fn a_token_mean_is_over_what_was_scored_whether_or_not_it_is_computed() {
    let mut bench = Bench::new();
    bench.config.objective.aggregation = Aggregation::TokenMean;
    // SGD in effect: with an eps this large the step is the gradient's, not its sign's.
    bench.config.optim.eps = 1e3;
    bench.config.optim.lr = 10.0;
    bench.config.optim.weight_decay = 0.0;
    bench.config.optim.max_grad_norm = 1e9;
    let groups = [
        bench.group(0, [1.0, 0.0, 0.0, 1.0]),
        bench.group(1, [1.0; 4]),
        bench.group(2, [0.0; 4]),
        bench.group(3, [0.3; 4]),
    ];
    bench.config.objective.entropy_coefficient = 0.0;
    let (without_idle, after_without) = bench.update(&groups);
    bench.config.objective.entropy_coefficient = 1e-30;
    let (with_idle, after_with) = bench.update(&groups);

    let all: usize = groups.iter().flat_map(|group| &group.rollouts).map(|r| r.completion.ids.len()).sum();
    assert_eq!((without_idle.num_tokens, with_idle.num_tokens), (all, all));
    assert!(without_idle.num_computed_tokens < all && with_idle.num_computed_tokens == all);
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-5 * b.abs();
    let (loss, expected) = (without_idle.stats.loss(), with_idle.stats.loss());
    assert!(expected.abs() > 1e-4 && close(loss, expected), "{loss} instead of {expected}");
    assert!(close(without_idle.grad_norms[0], with_idle.grad_norms[0]), "{without_idle:?} {with_idle:?}");
    assert_eq!(without_idle.stats.fresh.clip_fraction(), with_idle.stats.fresh.clip_fraction());
    let before = weights(&bench.source.actor(&bench.config.model).unwrap());
    let moved = |after: &[f32]| -> f64 {
        before.iter().zip(after).map(|(a, b)| f64::from(b - a).powi(2)).sum::<f64>().sqrt()
    };
    let apart: f64 =
        after_without.iter().zip(&after_with).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    assert!(
        moved(&after_with) > 0.0 && apart < 1e-2 * moved(&after_with),
        "{apart} of {}",
        moved(&after_with)
    );
}

#[test]
fn an_update_whose_gradient_is_too_large_is_skipped_and_counted() {
    let mut bench = Bench::new();
    let groups = [bench.group(0, [1.0, 0.0, 0.0, 1.0])];
    let before = weights(&bench.source.actor(&bench.config.model).unwrap());
    let (report, after) = bench.update(&groups);
    let norm = report.grad_norms[0];
    assert_eq!((report.num_applied, report.num_skipped), (1, 0));
    assert!(norm > 0.0 && after != before);

    bench.config.optim.skip_grad_norm = 0.99 * norm;
    let (report, after) = bench.update(&groups);
    assert_eq!((report.num_applied, report.num_skipped, report.grad_norms), (0, 1, vec![norm]));
    assert!(after == before, "the weights stay");

    bench.config.optim.skip_grad_norm = norm;
    assert_eq!(bench.update(&groups).0.num_applied, 1, "only what is above it is skipped");
}

#[test]
fn a_mini_batch_without_a_gradient_still_decays_and_one_without_a_score_does_not() {
    let mut bench = Bench::new();
    bench.config.objective.entropy_coefficient = 0.0;
    let mut group = bench.group(0, [1.0; 4]);
    let (report, after) = bench.update(std::slice::from_ref(&group));
    assert_eq!((report.num_applied, report.num_skipped, report.grad_norms), (1, 0, vec![0.0]));
    let before = weights(&bench.source.actor(&bench.config.model).unwrap());
    assert!(after != before, "AdamW's decay doesn't wait for a gradient");
    group.rollouts.iter_mut().for_each(|rollout| rollout.verdict = Verdict::Unscorable);
    let (report, after) = bench.update(std::slice::from_ref(&group));
    assert_eq!((report.num_applied, report.num_tokens), (0, 0));
    assert!(after == before);
}

/// Groups without an advantage, so that nothing but the divergence moves the weights.
#[test]
fn a_divergence_pulls_the_model_back_to_its_reference() {
    let mut bench = Bench::new();
    bench.config.objective.entropy_coefficient = 0.0;
    // Small steps: far from the reference the estimate's gradient is exponential, and such updates are skipped.
    bench.config.optim.lr = 1e-5;
    let mut actor = bench.source.actor(&bench.config.model).unwrap();
    let reference = bench.source.actor(&bench.config.model).unwrap();
    let update = |bench: &Bench, actor: &mut Actor, groups: &[RolloutGroup]| {
        let batch = batch::assemble(groups, &bench.dataset, &bench.config.objective);
        let stage = UpdateStage { config: &bench.config, step: 1, clip: false, reference: Some(&reference) };
        let stats = stage.run(actor, &batch).unwrap().stats;
        stats.kl_sum / stats.all().num_tokens as f64
    };
    let rewarded = [bench.group(0, [1.0, 0.0, 0.0, 0.0]), bench.group(1, [0.0, 1.0, 1.0, 0.0])];
    let away: Vec<f64> = (0..8).map(|_| update(&bench, &mut actor, &rewarded)).collect();
    assert!(away[0].abs() < 1e-9 && away[7] > 1e-6, "{away:?}");
    bench.config.objective.kl_coefficient = 1.0;
    let equal = [bench.group(0, [1.0; 4]), bench.group(1, [0.0; 4])];
    let back: Vec<f64> = (0..16).map(|_| update(&bench, &mut actor, &equal)).collect();
    assert!(back[0] > 1e-6 && back[15] < 0.5 * back[0], "{back:?}");
}
