use super::*;
use exgrpo_core::types::{Completion, TokenId};
use exgrpo_engine::Actor;
use exgrpo_models::prompt::Prompts;
use exgrpo_models::{Engine, ModelSection, ModelSource};
use exgrpo_policy::{GuestConfig, Loader};

const MAX_LEN: usize = 40;

/// Completions of very unequal length, one to five a question.
fn ragged_pool(dataset: &Dataset, rows: &[u32], vocab_size: u32) -> ExperiencePool {
    let mut rng = Streams::new(11).stream("test", 0, 0);
    let mut pool = ExperiencePool::new(dataset.questions.iter().map(|question| question.id));
    for &row in rows {
        for _ in 0..rng.random_range(1..=5) {
            let len = rng.random_range(1..=MAX_LEN);
            let ids: Vec<TokenId> = (0..len).map(|_| rng.random_range(0..vocab_size)).collect();
            let completion =
                Completion { ids, logprobs: vec![-1.0; len], entropies: vec![0.0; len], finished: true };
            pool.store(row, &completion, 1.0, 1, 0);
        }
    }
    pool
}

fn entropies(actor: &Actor, prompt: &[TokenId], completion: &[TokenId]) -> Vec<f32> {
    actor.score(&[Sequence { prompt, completion }]).unwrap().entropies
}

/// What the published code scores a trajectory with (spec, section 4): entropies of prompt and response at the right
/// end of a window as wide as the longest response, summed from `masked` on, the length of an unrelated response.
fn published_score(actor: &Actor, prompt: &[TokenId], completion: &[TokenId], masked: usize) -> f32 {
    let rest = [&prompt[1..], completion].concat();
    let scored = entropies(actor, &prompt[..1], &rest);
    let mut window = vec![0.0; MAX_LEN.saturating_sub(scored.len())];
    window.extend(&scored[scored.len().saturating_sub(MAX_LEN)..]);
    window[masked..].iter().sum::<f32>() / (MAX_LEN - masked) as f32
}

fn position_of_min(values: impl Iterator<Item = f32>) -> Option<usize> {
    values.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(position, _)| position)
}

#[test]
fn the_chosen_trajectory_has_the_lowest_mean_entropy_however_unequal_the_batch() {
    let config = Config::default();
    let source = ModelSource::read(&config.model.path).unwrap();
    let prompts = Prompts::plain(&source.tokenizer, 0);
    let dataset = Dataset::read(&config.dataset.train, &config.mapping(), &prompts).unwrap();
    let rows: Vec<u32> = (0..48).collect();
    let pool = ragged_pool(&dataset, &rows, source.config.vocab_size as u32);
    let actor = source.actor(&ModelSection { engine: Engine::Candle, ..ModelSection::default() }).unwrap();
    let loader = Loader::new(&GuestConfig::default(), &Default::default()).unwrap();
    let mut policies = PolicySet::new(&loader, Vec::new()).unwrap();
    let streams = Streams::new(0);
    let selection = SelectStage {
        config: &config,
        dataset: &dataset,
        streams: &streams,
        step: 1,
        replay_open: true,
        pass_rate: 0.5,
    };

    let alone: Vec<Vec<f32>> = rows
        .iter()
        .map(|&row| {
            let prompt = &dataset.questions[row as usize].prompt_ids;
            let mean =
                |ids: &[TokenId]| entropies(&actor, prompt, ids).iter().sum::<f32>() / ids.len() as f32;
            pool.experiences(row).iter().map(|experience| mean(&experience.completion_ids)).collect()
        })
        .collect();

    // All in one batch, and in batches of three questions.
    for batch in [48, 3] {
        for rows in rows.chunks(batch) {
            let draws: Vec<Draw> = rows.iter().map(|&row| Draw { row, bucket: 0 }).collect();
            let together = mean_entropies(rows, &pool, &dataset, &actor).unwrap();
            let expected: Vec<f32> = rows.iter().flat_map(|&row| alone[row as usize].clone()).collect();
            for (have, expected) in together.iter().zip(&expected) {
                assert!(
                    (have - expected).abs() <= 1e-5 * (1.0 + expected),
                    "{have} in company, {expected} alone"
                );
            }
            for group in selection.choose(&draws, &pool, &mut policies, &actor).unwrap().unwrap().answer {
                let lowest = position_of_min(alone[group.row as usize].iter().copied());
                let lowest = lowest.map(|position| pool.experiences(group.row)[position].id);
                assert_eq!(group.experience_id, lowest, "question {}", group.row);
            }
        }
    }

    // The test can tell: the published mask chooses otherwise for many of these questions.
    let lengths: Vec<usize> = rows
        .iter()
        .flat_map(|&row| pool.experiences(row).iter().map(|experience| experience.completion_ids.len()))
        .collect();
    let last_batch = &lengths[(lengths.len() - 1) / 8 * 8..];
    let mut item = 0;
    let mut num_different = 0;
    for &row in &rows {
        let prompt = &dataset.questions[row as usize].prompt_ids;
        let published = pool.experiences(row).iter().map(|experience| {
            let masked = last_batch.get(item % 8).copied().unwrap_or(0).min(MAX_LEN - 1);
            item += 1;
            published_score(&actor, prompt, &experience.completion_ids, masked)
        });
        let lowest = position_of_min(alone[row as usize].iter().copied());
        num_different += u32::from(position_of_min(published) != lowest);
    }
    assert!(num_different >= 10, "only {num_different} of {} questions tell the two apart", rows.len());
}

#[test]
fn nobody_is_asked_what_to_draw_from_an_empty_pool() {
    let (config, dataset, streams) = (Config::default(), Dataset::default(), Streams::new(0));
    let loader = Loader::new(&GuestConfig::default(), &Default::default()).unwrap();
    let mut policies = PolicySet::new(&loader, Vec::new()).unwrap();
    let mut pool = ExperiencePool::new(0..3);
    pool.reset_buckets(9);
    let selection = SelectStage {
        config: &config,
        dataset: &dataset,
        streams: &streams,
        step: 2,
        replay_open: true,
        pass_rate: 0.5,
    };
    assert!(selection.draw(4, &mut pool, &mut policies).unwrap().is_none());
    assert!(policies.drain(2).0.is_empty());
}
