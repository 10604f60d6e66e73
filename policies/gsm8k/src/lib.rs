//! Verifier of GSM8K (Cobbe and others 2021), whose solutions end in a line like `#### 1,200`.
//!
//! The gold answer is the number behind the last `####` of the reference, or the reference itself. The answer of a response
//! is looked for in this order: behind the last `####`, in the last box, behind "the answer is" and the like, and else it is
//! the last number of the response. Both are compared by value: thousands separators, currency and percent signs, units
//! behind the number, trailing points and zeros don't matter; "2 thousand" is 2000. A response that was cut has an answer only in a box.

use exgrpo_guest_sdk::response::{after_answer_phrase, after_think_tag, boxes};
use exgrpo_guest_sdk::{Policy, Request, Result, Verdict, Verifier, parameters};

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
        let gold = request.reference.rsplit("####").next().unwrap_or_default();
        let Some(gold) = only(numbers(gold)) else { return Ok(Verdict::unscorable()) };
        let mut response = request.response.as_str();
        if self.0.after_think_tag {
            match after_think_tag(response) {
                Some(rest) => response = rest,
                None => return Ok(Verdict::incorrect()),
            }
        }
        Ok(match answer(response, request.finished) {
            Some(answer) if answer == gold => Verdict::correct().with_answer(answer.to_string()),
            Some(answer) => Verdict::incorrect().with_answer(answer.to_string()),
            None => Verdict::incorrect(),
        })
    }
}

/// What is said of a value that is not the answer itself.
const BOUNDS: [&str; 5] = ["at least", "at most", "more than", "less than", "between"];
/// Words that multiply the number before them, with the zeros that they add.
const SCALES: [(&str, usize); 4] = [("hundred", 2), ("thousand", 3), ("million", 6), ("billion", 9)];

fn answer(response: &str, finished: bool) -> Option<Number> {
    if finished && let Some((_, rest)) = response.rsplit_once("####") {
        return numbers(rest.trim_start().lines().next()?).into_iter().next();
    }
    if let Some(last) = boxes(response).last() {
        // Two numbers in one box are no answer, but "3 of 4" may be in a sentence.
        return only(numbers(result_of(last.content)));
    }
    if !finished {
        return None;
    }
    if let Some(line) = after_answer_phrase(response) {
        let sentence = line.split_once(". ").map_or(line, |(sentence, _)| sentence);
        let lower = sentence.to_lowercase();
        if lower.starts_with("not ") || BOUNDS.iter().any(|bound| lower.contains(bound)) {
            return None;
        }
        return numbers(result_of(sentence)).into_iter().next();
    }
    numbers(response).pop()
}

/// "3 + 4 = 7" ends in what it comes to.
fn result_of(text: &str) -> &str {
    text.rsplit_once('=').map_or(text, |(_, result)| result)
}

fn only(mut numbers: Vec<Number>) -> Option<Number> {
    let last = numbers.pop()?;
    numbers.is_empty().then_some(last)
}

/// A decimal of any length: its sign, and its digits without zeros that don't count.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Number {
    is_negative: bool,
    whole: String,
    decimals: String,
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        let point = if self.decimals.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{}", self.decimals)
    }
}

/// All numbers of a text, in order. Digits that belong to a name (`x2`) or to a fraction (`72/3`) are none.
fn numbers(text: &str) -> Vec<Number> {
    // LaTeX's ways to keep a comma from being followed by a space.
    let text = text.replace("{,}", ",").replace(",\\!", ",").replace("\\,", ",");
    let chars: Vec<char> = text.chars().collect();
    let is_digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let begins = is_digit(at) || (chars[at] == '.' && is_digit(at + 1));
        let in_name = at > 0 && (chars[at - 1].is_alphabetic() || chars[at - 1] == '_');
        if !begins {
            at += 1;
            continue;
        }
        let start = at;
        let (mut whole, mut decimals) = (String::new(), String::new());
        while is_digit(at) || (chars.get(at) == Some(&',') && is_group(&chars, start, at)) {
            whole.extend(chars.get(at).filter(|char| char.is_ascii_digit()));
            at += 1;
        }
        if chars.get(at) == Some(&'.') && is_digit(at + 1) {
            at += 1;
            while is_digit(at) {
                decimals.push(chars[at]);
                at += 1;
            }
        }
        let shift = scale_behind(&chars[at..]);
        while decimals.len() < shift {
            decimals.push('0');
        }
        whole.extend(decimals.drain(..shift));
        let in_fraction = (chars.get(at) == Some(&'/') && is_digit(at + 1))
            || (start > 1 && chars[start - 1] == '/' && is_digit(start - 2));
        if !in_name && !in_fraction {
            found.push(Number::new(is_negative(&chars, start), &whole, &decimals));
        }
    }
    found
}

/// Zeros that a word behind a number adds to it: 6 for " million".
fn scale_behind(rest: &[char]) -> usize {
    let word: String =
        rest.iter().skip_while(|char| **char == ' ').take_while(|char| char.is_alphabetic()).collect();
    let is_apart = rest.first() == Some(&' ');
    SCALES.iter().find(|(name, _)| is_apart && *name == word).map_or(0, |(_, zeros)| *zeros)
}

/// Whether the comma at `at` groups the digits of a number that began at `start`: three digits follow it, and then no more.
fn is_group(chars: &[char], start: usize, at: usize) -> bool {
    let digits = chars[at + 1..].iter().take_while(|char| char.is_ascii_digit()).count();
    let before = chars[start..at].iter().rev().take_while(|char| char.is_ascii_digit()).count();
    digits == 3 && (1..=3).contains(&before)
}

/// A minus sign before a number (or before its currency sign) is a sign unless it stands between two operands.
fn is_negative(chars: &[char], start: usize) -> bool {
    let before = chars[..start].iter().collect::<String>();
    let before = before.trim_end_matches(['$', '\\', '€', '£', ' ']);
    let Some(rest) = before.strip_suffix(['-', '−']) else { return false };
    // "5 - 3" and "5-3" subtract, "is -3" does not.
    let operand = rest.trim_end();
    !operand.ends_with(|char: char| char.is_ascii_alphanumeric() || char == ')')
        || (rest.ends_with(' ') && chars[start - 1] == '-' && operand.ends_with(char::is_alphabetic))
}

impl Number {
    fn new(is_negative: bool, whole: &str, decimals: &str) -> Self {
        let whole = whole.trim_start_matches('0').to_owned();
        let decimals = decimals.trim_end_matches('0').to_owned();
        let is_zero = whole.is_empty() && decimals.is_empty();
        Self { is_negative: is_negative && !is_zero, whole, decimals }
    }
}

exgrpo_guest_sdk::export!(Gsm8k: Verifier);

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::{Outcome, testing};

    use super::*;

    #[track_caller]
    fn check(expected: Outcome, gold: &str, responses: &[&str]) {
        let policy = testing::policy::<Gsm8k>("{}").unwrap();
        for response in responses {
            let verdict = policy.verify(&testing::request("", gold, response)).unwrap();
            assert_eq!(verdict.outcome, expected, "{gold} | {response}");
        }
    }

    #[test]
    fn numbers_are_found_and_compared_by_value() {
        for gold in ["1200", "1,200", "He has 3 * 400 = <<3*400=1200>>1200 left.\n#### 1,200", "$1200.00"] {
            check(
                Outcome::Correct,
                gold,
                &[
                    "3 * 400 = 1200\n#### 1200",
                    "#### $1,200.00.",
                    "So \\boxed{1{,}200}.",
                    "\\boxed{\\$1200}",
                    "The answer is 1,200 dollars. There were 7.",
                    "Answer: 3*400 = 1200",
                    "She pays $1200.",
                    "It costs €1,200.0",
                    "= 1200",
                ],
            );
            check(
                Outcome::Incorrect,
                gold,
                &[
                    "",
                    "#### 1201",
                    "#### -1200",
                    "1200 then 5",
                    "\\boxed{12}",
                    "#### 120",
                    "x1200",
                    "The answer is 12,00",
                ],
            );
        }
        check(Outcome::Correct, "-3", &["#### -3", "it is -3", "-$3", "\\boxed{-3}"]);
        check(Outcome::Correct, "3", &["8-5=3", "from 5 - 3"]);
        check(Outcome::Correct, "0.5", &[".5", "0.50", "#### 0.5%"]);
        check(
            Outcome::Correct,
            "123456789012345678901234567890",
            &["123,456,789,012,345,678,901,234,567,890"],
        );
    }

    #[test]
    fn people_write_numbers_in_many_ways() {
        for (gold, right, wrong) in [
            (
                "72",
                &[
                    "The answer is **72**.",
                    "The answer is: $72$.",
                    "**Answer:** 72",
                    "#### **72**",
                    "#### $72",
                    "#### 72 clips",
                    "####72",
                    "Answer: 72%",
                    "\\boxed{72\\%}",
                    "\\boxed{72 \\text{ clips}}",
                    "\\[\\boxed{72}\\]",
                    "She sold 48 + 24 = 72 clips.",
                    "The final answer is 72, which is 48 + 24.",
                    "The answer is \\(72\\).",
                    "The answer is 72.\n\n48 in April and 24 in May.",
                    "The answer is\n72",
                    "So the total is $72.00.",
                    "<answer>72</answer>",
                    "The answer is 48 + 24 = **72**.",
                    "$\\boxed {72}$",
                    "\\boxed{x = 72}",
                    "\\boxed{48 + 24 = 72}",
                    "The answer is 72.0.",
                ][..],
                &[
                    "The answer is 72.5.",
                    "The answer is not 72.",
                    "The answer is 7.",
                    "#### 27",
                    "#### 720",
                    "The answer is -72.",
                    "\\boxed{72 \\text{ or } 73}",
                    "The answer is 72 - 2 = 70.",
                    "#### 72 million",
                    "#### 7/2",
                    "The answer is 72/3.",
                    "\\boxed{\\frac{72}{5}}",
                    "The answer is at least 72.",
                ][..],
            ),
            (
                "1234",
                &[
                    "#### 1,234",
                    "$1,234.00",
                    "The answer is $1{,}234$.",
                    "#### 1,234 dollars",
                    "USD 1,234",
                    "\\$1,234",
                ][..],
                &["#### 1,243", "#### 1.234", "1,23,4", "#### 234", "12,34"][..],
            ),
            (
                "18",
                &[
                    "She makes $18.00 every day.",
                    "18 dollars",
                    "The answer is $18.",
                    "#### $18.00",
                    "It is 18$.",
                ][..],
                &["$18.50", "#### $1.80", "18 cents or 19"][..],
            ),
            ("0.25", &["0.25", ".25", "25 / 100 = 0.250", "\\boxed{0.25}"][..], &["0.2", "#### 25"][..]),
            ("2500000", &["2.5 million", "#### 2,500 thousand"][..], &["2.5", "25 million"][..]),
            (
                "-15",
                &["#### -15", "The answer is −15.", "The answer is -$15.", "It is $-15$.", "\\boxed{-15}"][..],
                &["#### 15", "20 - 15"][..],
            ),
        ] {
            check(Outcome::Correct, gold, right);
            check(Outcome::Incorrect, gold, wrong);
        }
    }

    #[test]
    fn a_cut_response_has_an_answer_only_in_a_box() {
        let policy = testing::policy::<Gsm8k>("{}").unwrap();
        let judge = |response: &str| {
            let request = Request { finished: false, ..testing::request("", "#### 12", response) };
            policy.verify(&request).unwrap().outcome
        };
        assert_eq!(judge("\\boxed{12} because"), Outcome::Correct);
        assert_eq!(judge("#### 12"), Outcome::Incorrect);
    }

    #[test]
    fn a_reference_without_one_number_is_unscorable() {
        for gold in ["", "####", "#### none", "#### 3 or 4"] {
            check(Outcome::Unscorable, gold, &["#### 3"]);
        }
    }

    #[test]
    fn any_text_gets_a_verdict() {
        let policy = testing::policy::<Gsm8k>("{}").unwrap();
        let mut random = exgrpo_guest_sdk::Random::new(8);
        for _ in 0..50_000 {
            let request =
                testing::request("", &testing::any_text(&mut random), &testing::any_text(&mut random));
            assert!(policy.verify(&request).is_ok());
        }
    }
}
