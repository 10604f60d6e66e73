//! Verifier of GSM8K (Cobbe and others 2021), whose solutions end in a line like `#### 1,200`.
//!
//! The gold answer is the number behind the last `####` of the reference, or the reference itself. The answer of a response
//! is looked for in this order: behind the last `####`, in the last box with a number (unless a phrase behind it announces
//! another answer), behind "the answer is" and the like in many languages, and else it is the last number of the response.
//! Both are compared by value: separators of thousands, currency and percent signs, units behind the number, trailing points
//! and zeros don't matter; "2 thousand" is 2000. A difference that is left to work out (`5 - 3`) is no answer, nor are two
//! numbers side by side. A response that was cut has an answer only in a box.

mod numbers;
#[cfg(test)]
mod tests;

use exgrpo_guest_sdk::response::{after_answer_phrase, after_think_tag, announced, filled_boxes, half_width};
use exgrpo_guest_sdk::{Policy, Request, Result, Verdict, Verifier, parameters};

use numbers::{Number, numbers, only, result_of, single};

parameters! {
    /// What a run may set.
    pub struct Settings {
        /// Whether a response must close its thoughts with a think tag; only what follows the first one counts.
        after_think_tag: bool = false;
    }
}

/// Accepts the right number.
#[derive(Debug)]
pub struct Gsm8k(Settings);

impl Policy for Gsm8k {
    type Parameters = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self(settings))
    }
}

impl Verifier for Gsm8k {
    fn verify(&self, request: &Request) -> Result<Verdict> {
        let reference = half_width(&request.reference);
        let Some(gold) = only(numbers(reference.rsplit("####").next().unwrap_or_default())) else {
            return Ok(Verdict::unscorable());
        };
        let mut response = request.response.as_str();
        if self.0.after_think_tag {
            match after_think_tag(response) {
                Some(rest) => response = rest,
                None => return Ok(Verdict::incorrect()),
            }
        }
        Ok(match answer(&half_width(response), request.finished) {
            Some(answer) if answer == gold => Verdict::correct().with_answer(answer.to_string()),
            Some(answer) => Verdict::incorrect().with_answer(answer.to_string()),
            None => Verdict::incorrect(),
        })
    }
}

/// What is said of a value that is not the answer itself.
const BOUNDS: [&str; 16] = [
    "at least",
    "at most",
    "more than",
    "less than",
    "fewer than",
    "between",
    "or more",
    "or less",
    "or fewer",
    "up to",
    "至少",
    "至多",
    "超过",
    "以上",
    "少于",
    "多于",
];
/// Words that deny what follows them.
const DENIALS: [&str; 7] = ["not ", "never ", "no longer ", "nicht ", "no es ", "не ", "不是"];
/// Verbs that a value follows.
const VERBS: [&str; 7] = [" is ", " is: ", " are ", " equals ", " was ", " be ", " total of "];

fn answer(response: &str, finished: bool) -> Option<Number> {
    if finished && let Some((_, rest)) = response.rsplit_once("####") {
        return single(result_of(rest.trim_start().lines().next()?));
    }
    // A box without a number is no answer, and hides none.
    let boxes = filled_boxes(response);
    let mut with_numbers = boxes.iter().rev().map(|boxed| (boxed, numbers(result_of(boxed.content))));
    if let Some((boxed, found)) = with_numbers.find(|(_, found)| !found.is_empty()) {
        let revised = finished.then(|| revised(&response[boxed.range.end..])).flatten();
        // Two numbers in one box are no answer, but "3 of 4" may be in a sentence.
        return revised.or_else(|| only(found));
    }
    if !finished {
        return None;
    }
    if let Some(line) = after_answer_phrase(response) {
        return announced_number(line);
    }
    let last = numbers(response).pop()?;
    (!is_bound(last.words_before(response))).then_some(last)
}

/// The answer that a phrase behind the last box announces anew: one that is all of its line, or that a verb joins.
fn revised(rest: &str) -> Option<Number> {
    let found = announced(rest)?;
    found.is_final(rest).then(|| announced_number(found.line)).flatten()
}

/// The number that a line behind "the answer is" gives.
fn announced_number(line: &str) -> Option<Number> {
    let sentence = line.split_once(". ").map_or(line, |(sentence, _)| sentence);
    // "Rs. 10" is no end of a sentence.
    let sentence = if sentence.contains(|char: char| char.is_ascii_digit()) { sentence } else { line };
    let lower = sentence.to_lowercase();
    if DENIALS.iter().any(|denial| lower.starts_with(denial)) || is_bound(&lower) {
        return None;
    }
    single(result_of(told(sentence)))
}

/// "the total of 3 days is 15" says what something is; the number before the verb is not it.
fn told(sentence: &str) -> &str {
    let begins_with_words = sentence.chars().take(2).all(char::is_alphabetic);
    let ends = VERBS.iter().filter_map(|verb| Some(sentence.rfind(verb)? + verb.len()));
    let begins_value = |at: &usize| {
        sentence[*at..]
            .trim_start_matches(['*', '$', '\\', '(', '-', '€', '£', ' '])
            .starts_with(|char: char| char.is_ascii_digit())
    };
    let at = ends.filter(begins_value).max().filter(|_| begins_with_words);
    &sentence[at.unwrap_or(0)..]
}

fn is_bound(words: &str) -> bool {
    BOUNDS.iter().any(|bound| words.contains(bound))
}

exgrpo_guest_sdk::export!(Gsm8k: Verifier);
