//! Native tests of a policy: arguments that look like the host's, in a line each.
//!
//! ```
//! use exgrpo_guest_sdk::{paper, testing};
//!
//! let problems = testing::problems(8, &[0, 3, 8]);
//! assert_eq!(paper::success_counts(&problems), Ok(vec![0, 3, 8]));
//! ```

use crate::{
    Outcome, Parameters, Policy, ProblemColumns, Random, Request, Result, TrajectoryColumns, Verdict,
};

/// A policy configured as a run does it, from a JSON object of parameters.
///
/// ```
/// # use exgrpo_guest_sdk::{Policy, Result};
/// # struct MyPolicy;
/// # impl Policy for MyPolicy {
/// #     type Parameters = ();
/// #     fn new((): ()) -> Result<Self> {
/// #         Ok(Self)
/// #     }
/// # }
/// use exgrpo_guest_sdk::testing;
///
/// let policy = testing::policy::<MyPolicy>("{}");
/// assert!(policy.is_ok());
/// assert!(testing::policy::<MyPolicy>(r#"{ "no_such": 1 }"#).is_err());
/// ```
///
/// # Errors
/// The text is no flat JSON object, a parameter is unknown or out of its range, or the policy refuses them together.
pub fn policy<P: Policy>(parameters: &str) -> Result<P> {
    P::new(P::Parameters::parse(parameters)?)
}

/// The JSON Schema of the policy's parameters that a run shows; empty when it takes none.
pub fn schema<P: Policy>() -> String {
    P::Parameters::schema()
}

/// Questions after their first group of `group_size`, with that many correct members each. Ids count from 1. Every
/// column is public: set what a test needs otherwise.
///
/// ```
/// use exgrpo_guest_sdk::testing;
///
/// let mut problems = testing::problems(8, &[3, 8]);
/// assert_eq!((problems.id[0], problems.attempts[0], problems.last_step[0]), (1, 8, 1));
/// assert_eq!(problems.solved_streak, [0, 1]);
/// problems.solved_streak[1] = 5;
/// ```
pub fn problems(group_size: u32, num_success: &[u32]) -> ProblemColumns {
    let rows = num_success.len();
    ProblemColumns {
        id: (1..=rows as u64).collect(),
        num_success: num_success.to_vec(),
        group_size: vec![group_size; rows],
        attempts: vec![group_size; rows],
        solved_streak: num_success.iter().map(|&count| u32::from(count == group_size)).collect(),
        last_step: vec![1; rows],
        stored: num_success.iter().map(|&count| if count < group_size { count } else { 0 }).collect(),
        extra: Vec::new(),
    }
}

/// Stored trajectories with these mean entropies, a slice a question, oldest first. Ids count from 1, the log-probability
/// is minus the entropy, all have 10 tokens and come from steps 1, 2, ..
///
/// ```
/// use exgrpo_guest_sdk::testing;
///
/// let trajectories = testing::trajectories(&[&[0.5, 0.2], &[0.9]]);
/// assert_eq!(trajectories.offsets, [0, 2, 3]);
/// assert_eq!(trajectories.step, [1, 2, 1]);
/// ```
pub fn trajectories(entropies: &[&[f32]]) -> TrajectoryColumns {
    let mut columns = TrajectoryColumns { offsets: vec![0], ..TrajectoryColumns::default() };
    for question in entropies {
        columns.entropy.extend_from_slice(question);
        columns.step.extend(1..=question.len() as u32);
        columns.offsets.push(columns.entropy.len() as u32);
    }
    let rows = columns.entropy.len();
    columns.id = (1..=rows as u64).collect();
    columns.logprob = columns.entropy.iter().map(|entropy| -entropy).collect();
    columns.reward = vec![1.0; rows];
    columns.length = vec![10; rows];
    columns
}

/// A finished response.
///
/// ```
/// use exgrpo_guest_sdk::{Request, testing};
///
/// let cut = Request { finished: false, ..testing::request("6*7=", "42", "6*") };
/// assert_eq!(cut.reference, "42");
/// ```
pub fn request(prompt: &str, reference: &str, response: &str) -> Request {
    Request { prompt: prompt.into(), reference: reference.into(), response: response.into(), finished: true }
}

/// A text of up to 11 pieces that responses and references are made of, for a test that every text gets a verdict.
///
/// ```
/// use exgrpo_guest_sdk::{Random, testing};
///
/// let mut random = Random::new(8);
/// let texts: Vec<String> = (0..3).map(|_| testing::any_text(&mut random)).collect();
/// assert!(texts.iter().any(|text| !text.is_empty()));
/// ```
pub fn any_text(random: &mut Random) -> String {
    const PIECES: [&str; 27] = [
        "1",
        "A",
        "(B)",
        ",",
        ".",
        "-",
        "$",
        "####",
        "\\boxed{",
        "\\boxed ",
        "}",
        "answer is",
        "Answer:",
        " ",
        "\n",
        "{,}",
        "é",
        "🙂",
        "−",
        "\\",
        "*",
        "=",
        "</think>",
        "000",
        "option",
        "[",
        ")",
    ];
    (0..random.below(12)).map(|_| PIECES[random.below(PIECES.len())]).collect()
}

/// Weights divided by their sum.
///
/// ```
/// assert_eq!(exgrpo_guest_sdk::testing::probabilities(&[1.0, 3.0]), [0.25, 0.75]);
/// ```
pub fn probabilities(weights: &[f32]) -> Vec<f32> {
    let sum: f32 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// Fails unless the host takes the verdict: the reward of a right or wrong response lies in 0..=1.
///
/// ```
/// use exgrpo_guest_sdk::{Verdict, testing};
///
/// testing::assert_valid(&Verdict::correct());
/// testing::assert_valid(&Verdict::incorrect().with_reward(0.25));
/// testing::assert_valid(&Verdict::unscorable().with_reward(f32::NAN));
/// ```
///
/// ```should_panic
/// use exgrpo_guest_sdk::{Verdict, testing};
///
/// testing::assert_valid(&Verdict::incorrect().with_reward(-1.0));
/// ```
///
/// # Panics
/// The host would count a fault: it is an assertion.
#[track_caller]
pub fn assert_valid(verdict: &Verdict) {
    let is_valid = verdict.outcome == Outcome::Unscorable || (0.0..=1.0).contains(&verdict.reward);
    assert!(is_valid, "reward {} does not lie between 0 and 1", verdict.reward);
}

/// Fails unless both have the same length and differ by at most `tolerance` everywhere.
///
/// ```
/// exgrpo_guest_sdk::testing::assert_close(&[0.3333], &[1.0 / 3.0], 1e-4);
/// ```
///
/// # Panics
/// They differ: it is an assertion.
#[track_caller]
pub fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32) {
    let close = actual.len() == expected.len()
        && actual.iter().zip(expected).all(|(actual, expected)| (actual - expected).abs() <= tolerance);
    assert!(close, "{actual:?} is not within {tolerance} of {expected:?}");
}
