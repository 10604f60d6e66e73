//! Sampled completions against teacher-forced scores and against each other.

use super::*;

#[test]
fn sampled_tokens_score_as_recorded_and_end_as_asked() {
    for (case, config, _, actor) in cases() {
        let mut stream = ChaCha8Rng::seed_from_u64(8);
        let prompts: Vec<_> = [4, 1, 9, 5].map(|len| tokens(&mut stream, len, config.vocab_size)).to_vec();
        let groups = actor.sample(requests(&prompts, 5), &sampling()).unwrap();
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), vec![5; 4]);
        let room = 1e-5 * slack(&case);
        let mut ends = [0, 0];
        for (prompt, group) in prompts.iter().zip(&groups) {
            for completion in group {
                let scores = actor.score(&[Sequence { prompt, completion: &completion.ids }]).unwrap();
                close(&completion.logprobs, &scores.logprobs, room, &case);
                close(&completion.entropies, &scores.entropies, room, &case);
                let stop = completion.ids.iter().position(|id| sampling().stop_ids.contains(id));
                assert_eq!(completion.finished, stop.is_some());
                assert_eq!(completion.ids.len(), stop.map_or(sampling().max_new_tokens, |at| at + 1));
                ends[usize::from(completion.finished)] += 1;
            }
        }
        assert!(ends.iter().all(|count| *count > 0), "{case}: both ends are exercised, {ends:?}");
    }
}

#[test]
fn a_completion_depends_on_its_own_stream_and_prompt() {
    for (case, config, _, actor) in cases() {
        let mut stream = ChaCha8Rng::seed_from_u64(8);
        // More members than a wave has room for.
        let prompts: Vec<_> =
            (0..12).map(|at| tokens(&mut stream, 1 + (at * 5) % 11, config.vocab_size)).collect();
        let together = actor.sample(requests(&prompts, 8), &sampling()).unwrap();
        assert_eq!(actor.sample(requests(&prompts, 8), &sampling()).unwrap(), together, "{case}");
        for (index, request) in requests(&prompts, 8).into_iter().enumerate() {
            let member = SampleRequest { prompt: request.prompt, streams: vec![request.streams[5].clone()] };
            let alone = actor.sample(vec![member], &sampling()).unwrap();
            assert_eq!(alone[0][0].ids, together[index][5].ids, "{case}");
            close(&alone[0][0].logprobs, &together[index][5].logprobs, 1e-5 * slack(&case), &case);
        }
    }
}

#[test]
fn sampled_tokens_score_as_recorded_at_the_temperature_of_scores() {
    for (case, config, _, mut actor) in cases() {
        let mut stream = ChaCha8Rng::seed_from_u64(8);
        let prompts: Vec<_> = [4, 1, 9].map(|len| tokens(&mut stream, len, config.vocab_size)).to_vec();
        let plain = SamplingParams { temperature: 0.7, top_p: 1.0, ..sampling() };
        let scored = SamplingParams { score_temperature: 0.7, ..plain.clone() };
        let unscored = actor.sample(requests(&prompts, 4), &plain).unwrap();
        let mut apart = 0f32;
        for (index, group) in actor.sample(requests(&prompts, 4), &scored).unwrap().iter().enumerate() {
            for (member, completion) in group.iter().enumerate() {
                let other = &unscored[index][member];
                assert_eq!(
                    completion.ids, other.ids,
                    "{case}: what is recorded doesn't change what is drawn"
                );
                let sequence = [Sequence { prompt: &prompts[index], completion: &completion.ids }];
                let mut loss = |scores: &Scores| {
                    close(&completion.logprobs, &scores.logprobs, 1e-4 * slack(&case), &case);
                    close(&completion.entropies, &scores.entropies, 1e-4 * slack(&case), &case);
                    let zeros = vec![0.0; scores.logprobs.len()];
                    ScoreGrads { logprobs: zeros.clone(), entropies: zeros }
                };
                actor.accumulate_at(0.7, &sequence, &mut loss).unwrap();
                let pairs = completion.logprobs.iter().zip(&other.logprobs);
                apart = pairs.map(|(a, b)| (a - b).abs()).fold(apart, f32::max);
            }
        }
        assert!(apart > 1e-2, "{case}: the two temperatures can be told apart");
    }
}
