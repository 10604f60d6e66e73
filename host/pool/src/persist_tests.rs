//! A stored pool that contradicts itself is refused, each contradiction by the check that is for it.

use safetensors::SafeTensors;

use super::*;
use exgrpo_core::types::Completion;

/// Two questions in bucket 1 of 2, the first with two trajectories; one that was never tried; one that is retired.
fn pool() -> ExperiencePool {
    let mut pool = ExperiencePool::new(7..11);
    pool.reset_buckets(2);
    for (row, tokens) in [(0, 3), (0, 4), (1, 5), (3, 6)] {
        let completion = Completion {
            ids: vec![tokens, 1],
            logprobs: vec![-0.5, -0.25],
            entropies: vec![0.5, 0.125],
            finished: true,
        };
        pool.record(row, 4, 8, 2);
        pool.store(row, &completion, 1.0, 2, 1);
        pool.assign(row, 1);
    }
    pool.retire(3);
    pool
}

/// `bytes` with another number at `index` of `column`.
fn changed(bytes: &[u8], column: &str, index: usize, number: &[u8]) -> Vec<u8> {
    let (header, metadata) = SafeTensors::read_metadata(bytes).unwrap();
    let (begin, end) = metadata.info(column).unwrap().data_offsets;
    let at = 8 + header + begin + index * number.len();
    assert!(at + number.len() <= 8 + header + end, "{column} has no {index}");
    let mut bytes = bytes.to_vec();
    bytes[at..at + number.len()].copy_from_slice(number);
    bytes
}

#[test]
fn every_contradiction_in_a_stored_pool_is_refused() {
    let pool = pool();
    let bytes = pool.to_bytes().unwrap();
    assert_eq!(ExperiencePool::from_bytes(&bytes).unwrap(), pool);
    let u32_of = |number: u32| number.to_le_bytes().to_vec();
    let f32_of = |number: f32| number.to_le_bytes().to_vec();
    for (column, index, number, expected) in [
        ("problem/weight", 1, f32_of(-1.0), "row 1: its weight is -1"),
        ("problem/weight", 1, f32_of(f32::INFINITY), "its weight is inf"),
        ("problem/weight", 1, f32_of(f32::NAN), "its weight is NaN"),
        ("problem/num_success", 0, u32_of(9), "counts contradict"),
        ("problem/group_size", 0, u32_of(17), "counts contradict"),
        ("problem/solved_streak", 0, u32_of(17), "counts contradict"),
        ("problem/attempts", 0, u32_of(u32::MAX), "counts contradict"),
        ("problem/last_step", 2, u32_of(1), "has a step without having been tried"),
        ("problem/last_step", 1, u32_of(0), "tried without a step"),
        ("problem/bucket", 2, u32_of(2), "a bucket that does not exist"),
        ("problem/bucket", 1, u32_of(0), "row 1 stands in bucket 1 without belonging there"),
        ("problem/retired", 0, u32_of(1), "row 0 can be drawn, or can't"),
        ("problem/retired", 3, u32_of(0), "row 3 can be drawn, or can't"),
        ("problem/retired", 0, u32_of(2), "neither 0 nor 1"),
        ("bucket/row", 1, u32_of(0), "row 0 stands in bucket 1"),
        ("bucket/row", 1, u32_of(4), "bucket 1 names row 4"),
        ("experience/id", 1, 0u64.to_le_bytes().to_vec(), "names one twice"),
        ("experience/id", 1, 4u64.to_le_bytes().to_vec(), "not given out yet"),
        ("experience/reward", 0, f32_of(f32::NAN), "experience/reward"),
        ("experience/mean_logprob", 0, f32_of(f32::NAN), "no number"),
        ("token/old_logprob", 0, f32_of(f32::NAN), "no number"),
        ("token/old_entropy", 0, f32_of(f32::INFINITY), "no number"),
        ("experience/step", 2, u32_of(0), "experience 2 has no tokens or no step"),
        ("experience/finished", 0, u32_of(7), "neither 0 nor 1"),
    ] {
        let error = ExperiencePool::from_bytes(&changed(&bytes, column, index, &number)).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(expected), "{column}: {error}");
    }
    // Lengths that still add up to the number of tokens.
    let moved = changed(&bytes, "experience/length", 0, &u32_of(0));
    let moved = changed(&moved, "experience/length", 1, &u32_of(4));
    let error = format!("{:#}", ExperiencePool::from_bytes(&moved).unwrap_err());
    assert!(error.contains("experience 0 has no tokens"), "{error}");
    // A log-prob of minus infinity is left out by the loss, and counted there.
    let endless = changed(&bytes, "token/old_logprob", 0, &f32_of(f32::NEG_INFINITY));
    assert!(ExperiencePool::from_bytes(&endless).is_ok());
    // A layout of another version.
    let key = b"\"pool_version\":\"";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    let mut other = bytes.clone();
    other[at] = b'2';
    assert!(format!("{:#}", ExperiencePool::from_bytes(&other).unwrap_err()).contains("pool layout version"));
    // Weights as whole numbers, of the same width.
    let key = b"\"problem/weight\":{\"dtype\":\"";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    let mut other = bytes.clone();
    other[at] = b'U';
    let error = format!("{:#}", ExperiencePool::from_bytes(&other).unwrap_err());
    assert!(error.contains("problem/weight has type U32"), "{error}");
}

#[test]
fn nothing_in_a_pool_is_of_later_than_its_checkpoint() {
    let pool = pool();
    assert!(pool.check_as_of(2, 1).is_ok());
    assert!(format!("{:#}", pool.check_as_of(1, 1).unwrap_err()).contains("row 0 is of a later step"));
    assert!(pool.check_as_of(2, 0).is_err());
    let bytes = pool.to_bytes().unwrap();
    for (column, index) in [("problem/last_step", 1), ("experience/step", 2)] {
        let later = ExperiencePool::from_bytes(&changed(&bytes, column, index, &3u32.to_le_bytes())).unwrap();
        let error = format!("{:#}", later.check_as_of(2, 1).unwrap_err());
        assert!(error.contains("row 1 is of a later step"), "{column}: {error}");
        assert!(later.check_as_of(3, 1).is_ok());
    }
}

#[test]
fn a_retired_question_rests_until_it_is_revived() {
    let mut pool = pool();
    assert_eq!((pool.num_drawable(), pool.num_retired(), pool.problem(3).retired), (2, 1, true));
    pool.retire(3);
    assert_eq!(pool.num_retired(), 1, "once");
    pool.revive(3);
    assert_eq!((pool.num_drawable(), pool.num_retired()), (3, 0));
    pool.revive(3);
    assert_eq!(pool.num_retired(), 0);
    pool.reset_buckets(1);
    assert_eq!((pool.num_drawable(), pool.problem(0).bucket()), (0, None));
    // Mean of -0.5 and -0.25.
    assert_eq!(pool.experiences(0)[0].mean_logprob, -0.375);
}

#[test]
fn the_temperature_of_stored_logprobs_is_stored() {
    let bytes = pool().recorded_at(0.7).to_bytes().unwrap();
    assert_eq!(ExperiencePool::from_bytes(&bytes).unwrap().score_temperature(), 0.7);
    assert_eq!(pool().score_temperature(), 1.0);
}
