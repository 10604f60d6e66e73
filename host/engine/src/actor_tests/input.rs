//! Input that no engine takes.

use super::*;

#[test]
fn bad_input_is_an_error_that_says_what_is_wrong() {
    for (case, _, _, mut actor) in cases() {
        let long = vec![1; 80];
        for (prompt, completion, expected) in [
            (&[][..], &[1][..], "sequence 1 has an empty prompt"),
            (&[1], &[], "sequence 1 has an empty completion"),
            (&[1], &[19], "token id 19"),
            (&long, &[1], "81 tokens"),
        ] {
            let batch = [Sequence { prompt: &[1], completion: &[2] }, Sequence { prompt, completion }];
            let error = actor.score(&batch).unwrap_err().to_string();
            assert!(error.contains(expected), "{case}: {error}");
            assert!(actor.accumulate(&batch, &mut |_| ScoreGrads::default()).is_err());
        }
        let batch = [Sequence { prompt: &[1], completion: &[2] }];
        let error = actor.accumulate(&batch, &mut |_| ScoreGrads::default()).unwrap_err().to_string();
        assert!(error.contains("0 derivatives"), "{case}: {error}");
        let sample = |prompt: &[TokenId], edit: &dyn Fn(&mut SamplingParams)| {
            let mut sampling = sampling();
            edit(&mut sampling);
            let request = SampleRequest { prompt, streams: vec![ChaCha8Rng::seed_from_u64(0)] };
            actor.sample(vec![request], &sampling).unwrap_err().to_string()
        };
        for (error, expected) in [
            (sample(&[], &|_| ()), "prompt 0 is empty"),
            (sample(&[99], &|_| ()), "token id 99"),
            (sample(&[1], &|sampling| sampling.max_new_tokens = 64), "max_new_tokens 64"),
            (sample(&[1], &|sampling| sampling.max_new_tokens = 0), "max_new_tokens is 0"),
            (sample(&[1], &|sampling| sampling.temperature = -1.0), "temperature"),
            (sample(&[1], &|sampling| sampling.top_p = 0.0), "top_p"),
        ] {
            assert!(error.contains(expected), "{case}: {error}");
        }
        assert_eq!(actor.score(&[]).unwrap(), Scores::default());
        assert!(actor.sample(vec![], &sampling()).unwrap().is_empty());
        let nobody = SampleRequest { prompt: &[1], streams: vec![] };
        assert_eq!(actor.sample(vec![nobody], &sampling()).unwrap(), vec![vec![]], "{case}");
    }
}
