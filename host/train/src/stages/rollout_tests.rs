//! What completions are drawn from.

use super::*;
use crate::stages::select::PlannedGroup;
use exgrpo_models::ModelSource;
use exgrpo_models::prompt::Prompts;

#[test]
fn every_completion_draws_from_the_stream_of_its_step_and_place() {
    let mut config = Config::default();
    config.rollout.group_size = 3;
    let source = ModelSource::read(&config.model.path).unwrap();
    let prompts = Prompts::plain(&source.tokenizer, 0);
    let dataset = Dataset::read(&config.dataset.train, &config.mapping(), &prompts).unwrap();
    let actor = source.actor(&config.model).unwrap();
    let pool = ExperiencePool::new(dataset.questions.iter().map(|question| question.id));
    let streams = Streams::new(7);
    // One question twice, so that nothing but the streams tells the two groups apart.
    let group = PlannedGroup { row: 0, drawn_from: None, experience_id: None, is_demonstrated: false };
    let plan =
        Plan { groups: vec![group; 2], is_mixed: false, replay_ratio: 0.0, drawn_by: None, chosen_by: None };
    let sample = |step| {
        let sampler = RolloutStage {
            config: &config,
            dataset: &dataset,
            pool: &pool,
            tokenizer: &source.tokenizer,
            stop_ids: &source.stop_ids,
            streams: &streams,
            step,
            weights_version: 0,
        };
        let groups = sampler.sample(&actor, &plan).unwrap();
        let rollouts = groups.into_iter().flat_map(|group| group.rollouts);
        rollouts.map(|rollout| rollout.completion).collect::<Vec<_>>()
    };
    let sampling = SamplingParams {
        temperature: 1.0,
        score_temperature: 1.0,
        top_p: 1.0,
        max_new_tokens: config.rollout.max_new_tokens as usize,
        stop_ids: source.stop_ids.clone(),
    };
    let prompt = dataset.questions[0].prompt_ids.as_slice();
    let mut seen = Vec::new();
    for step in [4, 5] {
        let completions = sample(step);
        assert_eq!(completions.len(), 6);
        for (place, completion) in completions.iter().enumerate() {
            let streams = vec![streams.stream("rollout", u64::from(step), place as u64)];
            let alone = actor.sample(vec![SampleRequest { prompt, streams }], &sampling).unwrap();
            assert_eq!(completion.ids, alone[0][0].ids, "step {step}, place {place}");
        }
        seen.extend(completions.into_iter().map(|completion| completion.ids));
    }
    let (first, second) = seen.split_at(6);
    assert_ne!(first, second, "a step doesn't repeat the one before");
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 6, "{} different completions of 12", seen.len());
}
