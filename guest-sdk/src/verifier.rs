//! The slot that says whether a response is right.

use crate::{Policy, Result};

/// One response to judge.
///
/// ```
/// use exgrpo_guest_sdk::testing;
///
/// let request = testing::request("6*7=", "42", "6*7=42;42");
/// assert!(request.finished);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The question, as the network saw it.
    pub prompt: String,
    /// Gold answer, or JSON with test cases, as the dataset gives it.
    pub reference: String,
    /// What the network wrote.
    pub response: String,
    /// False when it was cut at the length limit.
    pub finished: bool,
}

/// What a verifier can say of a response.
///
/// ```
/// use exgrpo_guest_sdk::{Outcome, Verdict};
///
/// assert_eq!(Verdict::correct().outcome, Outcome::Correct);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is right.
    Correct,
    /// The answer is wrong, or there is none.
    Incorrect,
    /// It can't be told, because the reference is unreadable, say. Never counted as wrong.
    Unscorable,
}

/// The judgement of one response.
///
/// ```
/// use exgrpo_guest_sdk::{Outcome, Verdict};
///
/// let verdict = Verdict::incorrect().with_answer("41");
/// assert_eq!((verdict.outcome, verdict.reward), (Outcome::Incorrect, 0.0));
/// assert_eq!(verdict.answer.as_deref(), Some("41"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Right, wrong or undecidable. It alone decides whether the response counts as solved: for the question's accuracy,
    /// its bucket and its retirement.
    pub outcome: Outcome,
    /// What the network learns from, in 0..=1; ignored when unscorable. Advantages compare it within a group, so a right
    /// response may earn less than another, and a wrong one more than nothing. 1 and 0 are what the paper uses. A right
    /// response is stored for replay when its reward reaches the run's `replay.min_reward`, 1 unless it says otherwise.
    pub reward: f32,
    /// The extracted answer, for logs.
    pub answer: Option<String>,
}

impl Verdict {
    /// Right: reward 1.
    pub fn correct() -> Self {
        Self { outcome: Outcome::Correct, reward: 1.0, answer: None }
    }

    /// Wrong: reward 0.
    pub fn incorrect() -> Self {
        Self { outcome: Outcome::Incorrect, reward: 0.0, answer: None }
    }

    /// It can't be told.
    pub fn unscorable() -> Self {
        Self { outcome: Outcome::Unscorable, reward: 0.0, answer: None }
    }

    /// The same outcome with another reward, in 0..=1.
    ///
    /// ```
    /// use exgrpo_guest_sdk::{Outcome, Verdict, testing};
    ///
    /// // Right, in more words than needed.
    /// let verdict = Verdict::correct().with_reward(0.8);
    /// assert_eq!(verdict.outcome, Outcome::Correct);
    /// testing::assert_valid(&verdict);
    /// ```
    pub fn with_reward(self, reward: f32) -> Self {
        Self { reward, ..self }
    }

    /// Notes the extracted answer for the log.
    pub fn with_answer(self, answer: impl Into<String>) -> Self {
        Self { answer: Some(answer.into()), ..self }
    }
}

/// Slot `verifier`: the reward.
///
/// ```
/// use exgrpo_guest_sdk::{Policy, Request, Result, Verdict, Verifier, testing};
///
/// /// The reference must be the last word of the response.
/// struct LastWord;
///
/// impl Policy for LastWord {
///     type Parameters = ();
///     fn new((): ()) -> Result<Self> {
///         Ok(Self)
///     }
/// }
///
/// impl Verifier for LastWord {
///     fn verify(&self, request: &Request) -> Result<Verdict> {
///         let answer = request.response.split_whitespace().last().unwrap_or_default();
///         let verdict =
///             if answer == request.reference { Verdict::correct() } else { Verdict::incorrect() };
///         Ok(verdict.with_answer(answer))
///     }
/// }
///
/// let request = testing::request("What is 6*7?", "42", "that makes 42");
/// assert_eq!(LastWord.verify(&request), Ok(Verdict::correct().with_answer("42")));
/// ```
pub trait Verifier: Policy {
    /// Judges one response. An error costs this response its reward, not the others of the batch.
    ///
    /// # Errors
    /// Up to the policy.
    fn verify(&self, request: &Request) -> Result<Verdict>;

    /// Judges a batch, one result a request in the same order. The default asks [`verify`](Self::verify) of each;
    /// write your own to share work between them.
    ///
    /// # Errors
    /// The batch as a whole can't be judged.
    fn verify_batch(&self, requests: &[Request]) -> Result<Vec<Result<Verdict>>> {
        Ok(requests.iter().map(|request| self.verify(request)).collect())
    }
}
