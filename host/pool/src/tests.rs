use super::*;
use exgrpo_core::rng::Streams;
use proptest::prelude::*;

fn completion(ids: &[u32]) -> Completion {
    Completion {
        ids: ids.to_vec(),
        logprobs: vec![-0.5; ids.len()],
        entropies: vec![0.3; ids.len()],
        finished: true,
    }
}

/// Questions 0..sizes.sum(), the first `sizes[0]` in bucket 0 and so on, each with one trajectory.
fn pool_with(sizes: &[usize]) -> ExperiencePool {
    let mut pool = ExperiencePool::new((0..sizes.iter().sum::<usize>() as u64).map(|id| id + 100));
    pool.reset_buckets(sizes.len());
    let mut row = 0;
    for (bucket, &size) in sizes.iter().enumerate() {
        for _ in 0..size {
            pool.record(row, bucket as u32, 8, 1);
            pool.store(row, &completion(&[row, 1]), 1.0, 1, 0);
            pool.assign(row, bucket as u32);
            row += 1;
        }
    }
    pool
}

#[test]
fn a_bucket_is_drawn_by_its_weight_whatever_its_size() {
    let mut pool = pool_with(&[1, 10, 100]);
    let mut hits = [0u32; 3];
    let mut rng = Streams::new(5).stream("test", 0, 0);
    for _ in 0..20_000 {
        for draw in pool.draw(&[0.5, 0.25, 0.25], 1, &mut rng) {
            hits[draw.bucket as usize] += 1;
        }
    }
    for (hit, expected) in hits.iter().zip([0.5, 0.25, 0.25]) {
        // Four standard deviations of a binomial with 20,000 tries are under 0.015.
        assert!((f64::from(*hit) / 20_000.0 - expected).abs() < 0.015, "{hits:?}");
    }
}

#[test]
fn rows_are_drawn_by_weight_and_those_of_weight_zero_never() {
    let mut pool = pool_with(&[4]);
    for (row, weight) in [(0, 0.0), (1, 1.0), (2, 3.0), (3, 0.0)] {
        pool.set_weight(row, weight);
    }
    let mut rng = Streams::new(6).stream("test", 0, 0);
    let twos = (0..20_000).filter(|_| pool.draw(&[1.0], 1, &mut rng)[0].row == 2).count();
    assert!((twos as f64 / 20_000.0 - 0.75).abs() < 0.015, "{twos}");
    let all: Vec<u32> = pool.draw(&[1.0], 4, &mut rng).iter().map(|draw| draw.row).collect();
    assert_eq!(all.len(), 2);
    assert!(!all.contains(&0) && !all.contains(&3));
}

#[test]
fn a_small_bucket_hands_its_overflow_to_the_others() {
    let mut pool = pool_with(&[2, 3, 5]);
    let mut rng = Streams::new(7).stream("test", 0, 0);
    let draws = pool.draw(&[0.98, 0.02, 0.0], 16, &mut rng);
    assert_eq!(draws.len(), 5, "bucket 2 has no weight");
    let mut rows: Vec<u32> = draws.iter().map(|draw| draw.row).collect();
    rows.sort_unstable();
    assert_eq!(rows, [0, 1, 2, 3, 4]);
    assert_eq!(pool.draw(&[0.0, 0.0, 0.0], 3, &mut rng), []);
}

#[test]
fn equal_tokens_are_stored_once() {
    let mut pool = pool_with(&[1]);
    assert_eq!(pool.store(0, &completion(&[0, 1]), 1.0, 2, 1), None);
    assert_eq!(pool.store(0, &completion(&[0, 2]), 1.0, 2, 1), Some(1));
    assert_eq!(pool.experiences(0).len(), 2);
}

#[test]
fn every_question_with_a_known_accuracy_is_assigned_anew() {
    assert_eq!(pool_with(&[1, 2]).scored_rows(), [0, 1, 2]);
    let mut pool = ExperiencePool::new(0..4);
    pool.record(1, 2, 8, 1);
    pool.record_unknown(2, 8, false, 1);
    assert_eq!(pool.scored_rows(), [1]);
}

proptest! {
    /// Whatever is done to it, the pool's index equals what its plain facts say.
    #[test]
    fn the_index_follows_the_facts(operations in prop::collection::vec((0u8..6, 0u32..12, 0u32..4), 1..120), seed in 0u64..1000) {
        let mut pool = ExperiencePool::new(0..12).recorded_at(1.0 + seed as f32);
        pool.reset_buckets(4);
        for (kind, row, value) in operations {
            match kind {
                0 => pool.record(row, value.min(3), 3, 1),
                1 => { pool.store(row, &completion(&[value]), 1.0, 1, 0); }
                2 => pool.assign(row, value),
                3 => pool.set_weight(row, value as f32),
                4 => pool.retire(row),
                _ => pool.revive(row),
            }
            let mut expected: Vec<Vec<u32>> = vec![Vec::new(); 4];
            for row in 0..12 {
                let problem = pool.problem(row);
                if let Some(bucket) = problem.bucket() && !problem.retired && !pool.experiences(row).is_empty() {
                    expected[bucket as usize].push(row);
                }
            }
            for (bucket, rows) in pool.buckets.iter().zip(expected) {
                let mut have = bucket.rows.clone();
                have.sort_unstable();
                prop_assert_eq!(have, rows);
                for (position, &row) in bucket.rows.iter().enumerate() {
                    prop_assert_eq!(pool.problem(row).position as usize, position);
                    prop_assert_eq!(bucket.weights.get(position), f64::from(pool.problem(row).weight));
                }
            }
        }
        let before = pool.clone();
        let draws = pool.draw(&[1.0, 2.0, 0.0, 1.0], 12, &mut Streams::new(seed).stream("test", 0, 0));
        prop_assert_eq!(&pool, &before, "a draw leaves the pool as it was");
        let mut rows: Vec<u32> = draws.iter().map(|draw| draw.row).collect();
        rows.sort_unstable();
        rows.dedup();
        prop_assert_eq!(rows.len(), draws.len(), "drawn without replacement");
        let restored = ExperiencePool::from_bytes(&pool.to_bytes().unwrap()).unwrap();
        prop_assert_eq!(restored, pool, "a checkpoint holds all of it");
    }
}
