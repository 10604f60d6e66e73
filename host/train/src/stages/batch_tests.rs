//! What is left out of the loss, and what it is counted under.

use super::*;
use crate::config::Advantage;
use exgrpo_core::types::{Rollout, group_of, rollout_of};
use exgrpo_engine::objective::assign_advantages;
use exgrpo_models::ModelSource;
use exgrpo_models::prompt::Prompts;

fn dataset() -> Dataset {
    let config = crate::config::Config::default();
    let source = ModelSource::read(&config.model.path).unwrap();
    Dataset::read(&config.dataset.train, &config.mapping(), &Prompts::plain(&source.tokenizer, 0)).unwrap()
}

/// Groups by the rewards of their members, who are out of budget where there is none.
fn groups(rewards: &[&[Option<f32>]]) -> Vec<RolloutGroup> {
    let rollout = |(index, reward): (usize, &Option<f32>)| -> Rollout {
        let mut rollout = match reward {
            Some(reward) if *reward > 0.5 => rollout_of(Origin::Fresh, Verdict::Correct, *reward),
            Some(reward) => rollout_of(Origin::Fresh, Verdict::Incorrect, *reward),
            None => rollout_of(Origin::Fresh, Verdict::OutOfBudget, f32::NAN),
        };
        rollout.completion.ids = vec![1; index + 1];
        rollout.completion.logprobs = vec![-0.5; index + 1];
        rollout
    };
    let group = |rewards: &&[Option<f32>]| {
        let mut group = group_of(rewards.iter().enumerate().map(rollout).collect());
        assign_advantages(&mut group, Advantage::Centred);
        group
    };
    rewards.iter().map(group).collect()
}

#[test]
fn only_a_group_without_any_advantage_is_left_out() {
    let dataset = dataset();
    let groups = groups(&[
        &[Some(0.0), Some(0.5), Some(1.0)], // the middle one alone has an advantage of 0
        &[Some(1.0), Some(1.0), None],
        &[Some(0.3), Some(0.3), Some(0.3)],
    ]);
    let mut section =
        ObjectiveSection { entropy_coefficient: 0.0, updates: 1, ..ObjectiveSection::default() };
    let batch = assemble(&groups, &dataset, &section);
    let (idle, unknown) = (Some(DropReason::ZeroAdvantage), Some(DropReason::OutOfBudget));
    assert_eq!(batch.dropped, [None, None, None, idle, idle, unknown, idle, idle, idle]);
    let mini_batch = &batch.mini_batches[0];
    assert_eq!(mini_batch.rollout_idx, [0, 1, 2]);
    assert_eq!(mini_batch.num_computed_tokens(), 1 + 2 + 3);
    // All scored rollouts: a token mean doesn't depend on what needn't be computed.
    assert_eq!(mini_batch.num_tokens(), (1 + 2 + 3) + (1 + 2) + (1 + 2 + 3));

    section.entropy_coefficient = 0.001;
    let batch = assemble(&groups, &dataset, &section);
    assert_eq!(batch.dropped.iter().flatten().count(), 1, "an entropy bonus has a gradient of its own");
    assert_eq!(batch.mini_batches[0].num_tokens(), 15);
    assert_eq!(batch.mini_batches[0].num_computed_tokens(), 15);
}
