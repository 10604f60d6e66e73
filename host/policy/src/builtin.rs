//! The host's own answer for every slot that no policy fills: the on-policy baseline with exact answers. The policies
//! `on_policy` and `exact_answer` give the same answers bit for bit, and the SDK's `paper` module the same buckets and
//! choices.

use crate::{VerifyRequest, VerifyResult};
use exgrpo_core::columns::{BucketInfo, Level, ProblemColumns, Retirement, TrajectoryColumns};
use exgrpo_core::types::Verdict;

/// One bucket a number of successes, `0/K` to `K/K`: easy above three in four, hard below one in four (and where a
/// group has no member).
pub fn buckets(group_size: u32) -> Vec<BucketInfo> {
    (0..=group_size)
        .map(|num_success| {
            let (successes, members) = (u64::from(num_success), u64::from(group_size));
            let level = if 4 * successes > 3 * members {
                Level::Easy
            } else if 4 * successes < members || members == 0 {
                Level::Hard
            } else {
                Level::Medium
            };
            BucketInfo { name: format!("{num_success}/{group_size}"), level }
        })
        .collect()
}

/// The number of successes, at most the last of `num_buckets` buckets (which may be another policy's).
pub fn assign(problems: &ProblemColumns, num_buckets: usize) -> Vec<u32> {
    let last = u32::try_from(num_buckets.saturating_sub(1)).unwrap_or(u32::MAX);
    problems.num_success.iter().map(|&num_success| num_success.min(last)).collect()
}

/// Nothing is ever retired.
pub fn decide(problems: &ProblemColumns) -> Vec<Retirement> {
    vec![Retirement::Keep; problems.len()]
}

/// All buckets alike. The draw leaves empty ones out.
pub fn bucket_weights(counts: &[u32]) -> Vec<f32> {
    vec![1.0; counts.len()]
}

/// Share of the batch for replay: nothing, or the `configured` share when a policy `chooses` what is replayed, because
/// one that fills `selection` or `trajectories` alone would never be asked otherwise.
pub fn replay_ratio(configured: f32, chooses: bool) -> f32 {
    if chooses { configured } else { 0.0 }
}

/// The trajectory with the lowest entropy, the first of equals; one whose entropy is NaN only when all are.
pub fn choose(trajectories: &TrajectoryColumns) -> Vec<Option<u32>> {
    trajectories
        .offsets
        .windows(2)
        .map(|range| {
            let mut best: Option<(u32, f32)> = None;
            for row in range[0]..range[1] {
                let entropy = trajectories.entropy.get(row as usize).copied().unwrap_or(f32::NAN);
                let better = match best {
                    None => true,
                    Some((_, lowest)) => entropy < lowest || (lowest.is_nan() && !entropy.is_nan()),
                };
                if better {
                    best = Some((row, entropy));
                }
            }
            best.map(|(row, _)| row)
        })
        .collect()
}

/// The text after the response's last `;` as an integer of any length, compared with the reference.
pub fn verify(request: &VerifyRequest) -> VerifyResult {
    let text = request.response.rsplit(';').next().unwrap_or_default().trim();
    let Some(reference) = Integer::parse(request.reference.trim()) else {
        return VerifyResult { verdict: Verdict::Unscorable, reward: f32::NAN, answer: None, fuel: 0 };
    };
    let answer = Some(text.to_owned());
    if request.finished && Integer::parse(text) == Some(reference) {
        VerifyResult { verdict: Verdict::Correct, reward: 1.0, answer, fuel: 0 }
    } else {
        VerifyResult { verdict: Verdict::Incorrect, reward: 0.0, answer, fuel: 0 }
    }
}

/// A decimal integer in normal form: no leading zeros, and zero has no sign.
#[derive(PartialEq, Eq)]
struct Integer<'a> {
    negative: bool,
    /// Empty for zero.
    digits: &'a str,
}

impl<'a> Integer<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        Some(Self { negative: negative && !digits.is_empty(), digits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(reference: &str, response: &str, finished: bool) -> Verdict {
        let request = VerifyRequest {
            prompt: String::new(),
            reference: reference.to_owned(),
            response: response.to_owned(),
            finished,
        };
        verify(&request).verdict
    }

    #[test]
    fn levels_split_at_a_quarter_and_three_quarters() {
        let levels: Vec<_> = buckets(8).iter().map(|bucket| bucket.level.as_str()).collect();
        assert_eq!(
            levels,
            ["hard", "hard", "medium", "medium", "medium", "medium", "medium", "easy", "easy"]
        );
    }

    #[test]
    fn answers_are_integers_after_the_last_semicolon() {
        let long = "123456789012345678901234567890";
        for (reference, response, expected) in [
            ("66", "38+47=85;85-19=66;66", Verdict::Correct),
            ("66", " 066 ", Verdict::Correct),
            ("0", "1;-0", Verdict::Correct),
            ("-5", "+5", Verdict::Incorrect),
            ("66", "66;", Verdict::Incorrect),
            ("66", "66;6 6", Verdict::Incorrect),
            ("66", "", Verdict::Incorrect),
            (long, long, Verdict::Correct),
            ("x", "66", Verdict::Unscorable),
            ("", "66", Verdict::Unscorable),
        ] {
            assert_eq!(verdict(reference, response, true), expected, "{reference:?} {response:?}");
        }
        assert_eq!(verdict("66", "66", false), Verdict::Incorrect);
    }

    #[test]
    fn the_lowest_entropy_is_chosen_and_ties_go_to_the_first() {
        let trajectories = TrajectoryColumns {
            offsets: vec![0, 3, 3, 5, 6],
            entropy: vec![f32::NAN, 0.5, 0.5, 0.9, 0.1, f32::NAN],
            ..TrajectoryColumns::default()
        };
        assert_eq!(choose(&trajectories), [Some(1), None, Some(4), Some(5)]);
    }
}
