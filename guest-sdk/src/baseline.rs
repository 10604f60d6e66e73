//! What the host answers for a slot that no policy fills: on-policy training with exact integer answers. The host runs
//! this code natively; the policies `on_policy` and `exact_answer` run it in the sandbox.

use crate::{Decision, ProblemColumns, Request, Verdict};

/// Questions sorted by [`paper::success_counts`](crate::paper::success_counts), at most into the last of `num_buckets`
/// buckets, which another policy may have named.
///
/// ```
/// use exgrpo_guest_sdk::{baseline, testing};
///
/// assert_eq!(baseline::assign(&testing::problems(8, &[0, 3, 8]), 4), [0, 3, 3]);
/// ```
pub fn assign(problems: &ProblemColumns, num_buckets: usize) -> Vec<u32> {
    let last = u32::try_from(num_buckets.saturating_sub(1)).unwrap_or(u32::MAX);
    problems.num_success.iter().map(|&num_success| num_success.min(last)).collect()
}

/// Nothing is ever retired.
///
/// ```
/// use exgrpo_guest_sdk::{Decision, baseline, testing};
///
/// assert_eq!(baseline::keep(&testing::problems(8, &[3, 8])), [Decision::Keep; 2]);
/// ```
pub fn keep(problems: &ProblemColumns) -> Vec<Decision> {
    vec![Decision::Keep; problems.len()]
}

/// All buckets alike. The draw leaves empty ones out.
///
/// ```
/// assert_eq!(exgrpo_guest_sdk::baseline::equal_weights(&[3, 0]), [1.0, 1.0]);
/// ```
pub fn equal_weights(counts: &[u32]) -> Vec<f32> {
    vec![1.0; counts.len()]
}

/// Compares the text behind the response's last `;`, all of it without one, with the reference: the same integer, of
/// whatever length, with an optional sign and leading zeros. A reference that is no integer is unscorable.
///
/// ```
/// use exgrpo_guest_sdk::{Verdict, baseline, testing};
///
/// let request = testing::request("38+47-19=", "66", "38+47=85;85-19=66;66");
/// assert_eq!(baseline::exact_integer(&request), Verdict::correct().with_answer("66"));
/// ```
pub fn exact_integer(request: &Request) -> Verdict {
    let Some(gold) = Integer::parse(&request.reference) else { return Verdict::unscorable() };
    let answer = request.response.rsplit(';').next().unwrap_or_default().trim();
    // A response that was cut may end in the middle of a number.
    let is_right = request.finished && Integer::parse(answer) == Some(gold);
    let verdict = if is_right { Verdict::correct() } else { Verdict::incorrect() };
    verdict.with_answer(answer)
}

/// An integer of any length: its sign, and its digits without leading zeros. Zero has no digits and no sign.
#[derive(Debug, PartialEq, Eq)]
struct Integer<'a> {
    is_negative: bool,
    digits: &'a str,
}

impl<'a> Integer<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        Some(Self { is_negative: text.starts_with('-') && !digits.is_empty(), digits })
    }
}
