//! Whose probabilities a run compares.

use exgrpo_core::types::Origin;
use exgrpo_log::ExperienceRow;
use exgrpo_train::config::RatioOf;

use crate::runs::{finish, small};

fn rows(temperature: f32, ratio_of: RatioOf) -> Vec<ExperienceRow> {
    let dir = tempfile::tempdir().unwrap();
    let policies = [exgrpo_tests::policy("gaussian_medium"), exgrpo_tests::policy("exact_answer")];
    let mut config = small(&policies, 6);
    config.rollout.temperature = temperature;
    config.objective.ratio_of = ratio_of;
    config.objective.updates = 1;
    finish(config, dir.path()).experiences
}

#[test]
fn a_sampler_at_another_temperature_is_compared_with_itself() {
    let sampler = rows(0.7, RatioOf::Sampler);
    let model = rows(0.7, RatioOf::ModelUncorrected);
    let at_one = rows(1.0, RatioOf::Sampler);
    assert_eq!(at_one, rows(1.0, RatioOf::Model), "at temperature 1 the sampler is the model");
    let first = |rows: &[ExperienceRow]| -> Vec<ExperienceRow> {
        rows.iter().filter(|row| row.step == 1).cloned().collect()
    };
    for (sampler, model) in first(&sampler).iter().zip(&first(&model)) {
        assert_eq!(sampler.completion_ids, model.completion_ids, "what is drawn doesn't depend on it");
        assert_ne!(sampler.old_logprobs, model.old_logprobs);
        assert!(sampler.mean_entropy < model.mean_entropy, "a softmax at 0.7 is surer: {sampler:?}");
    }
    for row in sampler.iter().filter(|row| row.origin == Origin::Fresh) {
        // One update a step: the weights that are updated are those that sampled.
        assert!(row.ratio_mean.is_none_or(|ratio| (ratio - 1.0).abs() < 1e-3), "{row:?}");
    }
    let replayed: Vec<&ExperienceRow> = sampler.iter().filter(|row| row.origin == Origin::Replayed).collect();
    assert!(!replayed.is_empty());
    for row in replayed {
        let is_source = |source: &&ExperienceRow| {
            source.step == row.sampled_step && source.completion_ids == row.completion_ids
        };
        let source = sampler.iter().find(is_source).unwrap();
        assert_eq!(source.old_logprobs, row.old_logprobs);
    }
}
