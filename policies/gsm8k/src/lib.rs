//! Verifier of GSM8K (Cobbe and others 2021), whose solutions end in a line like `#### 1,200`.
//!
//! The gold answer is the number behind the last `####` of the reference, or the reference itself. The answer of a response
//! is looked for in this order, behind the thoughts: behind the last `####` that is no heading, in the last box with a number (unless a phrase behind it announces
//! another answer), behind "the answer is" and the like in many languages, and else it is the last number of the response.
//! Both are compared by value: separators of thousands, currency and percent signs, units behind the number, trailing points
//! and zeros don't matter; a comma that groups no digits is decimal (`11,05`), and `1.105 Euro` is 1105; "2 thousand" is 2000 (2 where the question asks how many thousand), and "5 1/2" is 5.5. What is
//! left to work out (`5 - 3`, `72/3`, "twice 7") is no answer, nor are bounds, what is denied, and two numbers side by side.
//! A response that was cut has an answer only in a box.

mod clauses;
mod currencies;
mod fractions;
mod numbers;
mod reading;
#[cfg(test)]
mod tests;
mod value;

use exgrpo_guest_sdk::response::{
    after_think_tag, announced, behind_thoughts, filled_boxes, gives_up, half_width, marked, meant,
    reconsidered, settled, taken_back, without_struck,
};
use exgrpo_guest_sdk::{Policy, Request, Result, Verdict, Verifier, parameters};

use currencies::CURRENCIES;
use fractions::plain_fractions;
use numbers::Number;
use reading::{Reading, result_of};

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
        let reading = Reading::new(&request.prompt);
        let gold = plain_fractions(reference.rsplit("####").next().unwrap_or_default());
        let Some(gold) = reading.only(&gold) else {
            return Ok(Verdict::unscorable());
        };
        let mut response = request.response.as_str();
        if self.0.after_think_tag {
            match after_think_tag(response) {
                Some(rest) => response = rest,
                None => return Ok(Verdict::incorrect()),
            }
        } else {
            response = behind_thoughts(response);
        }
        let response = half_width(response);
        let response = without_struck(&response);
        if gives_up(&response) {
            return Ok(Verdict::incorrect());
        }
        Ok(match answer(reading, &plain_fractions(&response), request.finished) {
            Some(answer) if answer == gold => Verdict::correct().with_answer(answer.to_string()),
            Some(answer) => Verdict::incorrect().with_answer(answer.to_string()),
            None => Verdict::incorrect(),
        })
    }
}

/// The answer of a response.
fn answer(reading: Reading, response: &str, finished: bool) -> Option<Number> {
    if finished && let Some((line, end)) = marked(response, begins_with_number) {
        let rest = &response[end..];
        if revised(reading, rest).is_none()
            && let Some(anew) = taken_back(rest)
        {
            return reading.last(anew);
        }
        let anew = filled_boxes(rest).last().and_then(|boxed| reading.only(result_of(boxed.content)));
        return anew.or_else(|| revised(reading, rest)).or_else(|| reading.single(result_of(line)));
    }
    // A box without a number is no answer, and hides none.
    let boxes = filled_boxes(response);
    let mut results = boxes.iter().rev().map(|boxed| (boxed, result_of(boxed.content)));
    if let Some((boxed, result)) = results.find(|(_, result)| !reading.numbers(result).is_empty()) {
        let rest = &response[boxed.range.end..];
        let revised = finished.then(|| revised(reading, rest)).flatten();
        if revised.is_none()
            && let Some(anew) = taken_back(rest)
        {
            return if finished { reading.last(anew) } else { None };
        }
        // Two numbers in one box are no answer, but "3 of 4" may be in a sentence.
        return revised.or_else(|| reading.only(result));
    }
    if !finished {
        return None;
    }
    let response = &meant(response);
    match settled(response) {
        Some(found) if found.is_of_wrong(response) => None,
        Some(found) => {
            let start = (found.line.as_ptr() as usize).saturating_sub(response.as_ptr() as usize);
            match response.get(start..).and_then(reconsidered) {
                Some(anew) => reading.last(anew),
                None => reading.announced(found.line),
            }
        }
        None => reading.last(response),
    }
}

/// The answer that a phrase behind the last box announces anew: one that is all of its line, or that a verb joins.
fn revised(reading: Reading, rest: &str) -> Option<Number> {
    let found = announced(rest)?;
    (found.is_final(rest) && !found.is_of_wrong(rest)).then(|| reading.announced(found.line)).flatten()
}

/// Whether the line behind `####` is an answer, "$72.00" or "48 + 24 = 72", and not a heading: "Step 3", "3. Add them".
fn begins_with_number(line: &str) -> bool {
    let is_mark = |char: char| !char.is_alphanumeric() && char != '#';
    let line = line.trim_start_matches(is_mark);
    let line = CURRENCIES.iter().find_map(|name| line.strip_prefix(name)).unwrap_or(line);
    let line = line.trim_start_matches(is_mark);
    let digits = line.len() - line.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let is_listed = line[digits..]
        .strip_prefix(['.', ')', ':'])
        .is_some_and(|rest| rest.starts_with([' ', '*']) && rest.contains(char::is_alphabetic));
    digits > 0 && !is_listed
}

exgrpo_guest_sdk::export!(Gsm8k: Verifier);
