//! Verifier of multiple-choice questions: a response is right when it chooses the option of the gold answer.
//!
//! Options are labelled `A`, `B`, .. or `1`, `2`, ..; the gold answer is a label, perhaps in brackets or with its option
//! behind it (`(B)`, `B. 42`), and says which kind is asked for. The choice of a response is looked for in this order, and
//! the last one of the first kind that is found counts:
//!
//! 1. a box: `\boxed{B}`, `\boxed{\text{(B)}}`, `\boxed{B. 42}`;
//! 2. what follows "the answer is", "Answer:" and the like: `(B)`, `**B**`, `option B`;
//! 3. a label in brackets: `(B)`;
//! 4. a line with a label and nothing else: `B`, `**B.**`;
//! 5. the option as it is listed, if that is all: `B) Rome`;
//! 6. what a sentence says of a label: `I choose B`, `B is correct`.
//!
//! `####` announces an answer as "the answer is" does.
//!
//! Two different choices side by side, as in "A and B", are none. A response that was cut has a choice only in a box.

use exgrpo_guest_sdk::response::{after_answer_phrase, after_think_tag, boxes};
use exgrpo_guest_sdk::{Policy, Request, Result, Verdict, Verifier, parameters};

parameters! {
    /// What a run may set.
    pub struct Settings {
        /// Whether a response must close its thoughts with a think tag; only what follows the first one counts.
        after_think_tag: bool = false;
        /// How many options a question has at most, from `A` or `1` on. Labels behind them are no labels.
        max_options: u32 = 10, within 2..=26;
    }
}

/// Accepts the right label.
#[derive(Debug)]
pub struct MultipleChoice(Settings);

impl Policy for MultipleChoice {
    type Parameters = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self(settings))
    }
}

impl Verifier for MultipleChoice {
    fn verify(&self, request: &Request) -> Result<Verdict> {
        let labels =
            [Labels::Letters, Labels::Numbers].map(|kind| Alphabet { kind, size: self.0.max_options });
        let found =
            labels.into_iter().find_map(|labels| Some((labels, labels.at_start(&request.reference)?)));
        let Some((labels, gold)) = found else { return Ok(Verdict::unscorable()) };
        let mut response = request.response.as_str();
        if self.0.after_think_tag {
            match after_think_tag(response) {
                Some(rest) => response = rest,
                None => return Ok(Verdict::incorrect()),
            }
        }
        Ok(match labels.choice(response, request.finished) {
            Some(label) if label == gold => Verdict::correct().with_answer(label.to_string()),
            Some(label) => Verdict::incorrect().with_answer(label.to_string()),
            None => Verdict::incorrect(),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Labels {
    Letters,
    Numbers,
}

/// The labels that options may have.
#[derive(Debug, Clone, Copy)]
struct Alphabet {
    kind: Labels,
    size: u32,
}

impl Alphabet {
    /// A label as a letter or a digit; small letters count as capitals.
    fn label(self, char: char) -> Option<char> {
        let (label, first) = match self.kind {
            Labels::Letters => (char.to_ascii_uppercase(), 'A'),
            Labels::Numbers => (char, '1'),
        };
        let last = if self.kind == Labels::Letters { 26 } else { 9 };
        let index = u32::from(label).checked_sub(u32::from(first))?;
        (index < self.size.min(last)).then_some(label)
    }

    /// The choice of a response.
    fn choice(self, response: &str, finished: bool) -> Option<char> {
        if let Some(last) = boxes(response).last() {
            return self.at_start(last.content);
        }
        if !finished {
            return None;
        }
        let marked =
            response.rsplit_once("####").map(|(_, rest)| rest.trim().lines().next().unwrap_or_default());
        if let Some(line) = marked.or_else(|| after_answer_phrase(response)) {
            return self.at_start(line).or_else(|| self.bracketed(line).next());
        }
        self.bracketed(response)
            .last()
            .or_else(|| self.alone(response))
            .or_else(|| self.listed(response))
            .or_else(|| self.told(response))
    }

    /// The label that a text begins with, behind words that announce it and marks around it.
    fn at_start(self, text: &str) -> Option<char> {
        let bare = ["\\textbf", "\\text", "\\mathrm", "\\mathbf"]
            .iter()
            .fold(text.to_owned(), |text, name| text.replace(name, ""));
        let bare: String = bare.chars().filter(|char| !"*$\\{}\"'`".contains(*char)).collect();
        let mut rest = bare.trim_start();
        for word in ["option", "choice", "answer", "letter", "the", "is", ":"] {
            if rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)) {
                rest = rest[word.len()..].trim_start();
            }
        }
        let is_bracketed = rest.starts_with(['(', '[']);
        rest = rest.trim_start_matches(['(', '[']);
        let mut chars = rest.chars();
        let first = chars.next()?;
        let label = self.label(first)?;
        let rest = chars.as_str();
        // A label ends where its word does: not the A of "All", nor the 4 of "42" or "4.5".
        let ends = match rest.chars().next() {
            None => true,
            Some(next) if is_bracketed => ")] .:,".contains(next),
            Some('.') => !rest[1..].starts_with(|char: char| char.is_ascii_digit()),
            Some(')' | ']' | ':' | ',' | ';') => true,
            // "A cat" begins with an article.
            Some(' ' | '\n') => {
                first.is_ascii_uppercase() && first != 'A' || rest.trim_start().starts_with(['-', '(', '–'])
            }
            _ => false,
        };
        (ends && !self.names_another(rest, label)).then_some(label)
    }

    /// Whether a second label follows at once, as in "A and B" or "A, B".
    fn names_another(self, rest: &str, label: char) -> bool {
        let rest = rest.trim_start_matches([')', ']', ' ', '.', ',', ';']);
        let joined =
            ["and ", "or ", "& ", "/"].iter().find_map(|word| rest.strip_prefix(word)).unwrap_or(rest);
        let mut chars = joined.trim_start_matches(['(', '[']).chars();
        let other = chars
            .next()
            .filter(|char| char.is_ascii_uppercase() || char.is_ascii_digit())
            .and_then(|char| self.label(char));
        let is_alone = chars.next().is_none_or(|char| !char.is_alphanumeric() && char != ' ' && char != '\'');
        is_alone && other.is_some_and(|other| other != label)
    }

    /// Labels in brackets of their own, in order.
    fn bracketed(self, text: &str) -> impl DoubleEndedIterator<Item = char> {
        let chars: Vec<char> = text.chars().collect();
        // "Not (A)" rules one out.
        let is_ruled_out = |at: usize| {
            let before: String = chars[at.saturating_sub(4)..at].iter().collect();
            before.eq_ignore_ascii_case("not ")
        };
        let found: Vec<char> = chars
            .windows(3)
            .enumerate()
            .filter(|(at, window)| {
                matches!((window[0], window[2]), ('(', ')') | ('[', ']')) && !is_ruled_out(*at)
            })
            .filter_map(|(_, window)| self.label(window[1]))
            .collect();
        found.into_iter()
    }

    /// The last label that a sentence chooses: "option B", "I choose B", "B is correct", "B is the best answer".
    fn told(self, text: &str) -> Option<char> {
        let words: Vec<&str> = text
            .split_whitespace()
            .map(|word| word.trim_matches(|char: char| !char.is_alphanumeric()))
            .filter(|word| !word.is_empty())
            .collect();
        let is = |at: usize, wanted: &[&str]| {
            words.get(at).is_some_and(|word| wanted.iter().any(|other| word.eq_ignore_ascii_case(other)))
        };
        (0..words.len()).rev().find_map(|at| {
            let mut chars = words[at].chars();
            let first = chars.next().filter(|char| char.is_uppercase() || char.is_ascii_digit())?;
            let label = self.label(first).filter(|_| chars.next().is_none())?;
            let is_chosen = at > 0
                && is(at - 1, &["option", "choice", "choose", "select", "pick"])
                && !is(at + 1, &["is"]);
            let is_right = is(at + 1, &["is"])
                && (is(at + 2, &["correct", "right"])
                    || (is(at + 2, &["the"]) && is(at + 3, &["correct", "right", "best", "answer"])));
            (is_chosen || is_right).then_some(label)
        })
    }

    /// The last line that is a label and nothing else.
    fn alone(self, text: &str) -> Option<char> {
        text.lines().rev().find_map(|line| {
            let mut chars = line.trim_matches(|char: char| " *_.:()[]\t$`\"".contains(char)).chars();
            let label = self.label(chars.next()?)?;
            chars.next().is_none().then_some(label)
        })
    }

    /// The label of an option that is all of a text.
    fn listed(self, text: &str) -> Option<char> {
        let line = text.trim().trim_start_matches('*');
        let is_listed = !line.contains('\n') && line.chars().nth(1).is_some_and(|char| ").:".contains(char));
        is_listed.then(|| self.at_start(line)).flatten()
    }
}

exgrpo_guest_sdk::export!(MultipleChoice: Verifier);

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::{Outcome, testing};

    use super::*;

    #[track_caller]
    fn check(expected: Outcome, gold: &str, responses: &[&str]) {
        let policy = testing::policy::<MultipleChoice>("{}").unwrap();
        for response in responses {
            let verdict = policy.verify(&testing::request("", gold, response)).unwrap();
            assert_eq!(verdict.outcome, expected, "{gold} | {response}");
        }
    }

    #[test]
    fn choices_are_found_in_boxes_phrases_brackets_and_lines() {
        for gold in ["B", "(B)", "\\text{(B)}", "B. 42", "b"] {
            check(
                Outcome::Correct,
                gold,
                &[
                    "\\boxed{B}",
                    "\\boxed{\\text{(B)}}",
                    "A? No. $\\boxed{\\textbf{B}}$",
                    "\\boxed{B. 42}",
                    "(A) fails. The answer is (B).",
                    "The answer is B because A is false.",
                    "the correct answer is: **B) Rome**",
                    "Answer: option B",
                    "**Answer:**\n\nB",
                    "The correct choice is (B)",
                    "Not (A) but (B)",
                    "Let me think. A is false.\n\n**B.**",
                    "b",
                ],
            );
        }
        check(Outcome::Correct, "3", &["\\boxed{3}", "The answer is (3).", "3) Rome", "Answer: 3. Rome"]);
        check(Outcome::Correct, "A", &["The answer is A.", "Answer: A", "answer is (A) all of them"]);
    }

    #[test]
    fn people_write_choices_in_many_ways() {
        check(
            Outcome::Correct,
            "B",
            &[
                "(B)",
                "B.",
                "option B",
                "Option (B)",
                "Answer: B) foo",
                "Answer: B. foo",
                "The answer is **B**.",
                "The answer is **(B)**.",
                "The answer is $\\boxed{B}$.",
                "The correct answer is option B: Rome.",
                "The correct option is B.",
                "The correct choice is B",
                "The best answer is B, since A is absurd.",
                "Therefore, the answer is (B) Rome.",
                "So B is correct.",
                "B is the correct answer.",
                "**B) Rome**",
                "I would choose B.",
                "Final answer: B",
                "Final Answer: \\textbf{(B)}",
                "#### B",
                "<answer>B</answer>",
                "<answer>(B)</answer>",
                "The answer is: B\n\nExplanation: A is wrong.",
                "Answer is B",
                "\\boxed{\\mathrm{B}}",
                "\\boxed{\\text{B}}",
                "\\boxed{\\text{B) Rome}}",
                "\\boxed{(B)\\ 42}",
                "\\boxed{\\text{Option B}}",
                "Answer: `B`",
                "[B]",
                "The answer is \"B\".",
                "The answer is b.",
            ],
        );
        check(
            Outcome::Incorrect,
            "B",
            &[
                "The answer is not B.",
                "So B is incorrect.",
                "The answer is A) Berlin",
                "Answer: C. B",
                "option A",
                "A. B is wrong",
                "The answer is AB.",
                "The answer is (A) or (B).",
                "The answer is both A and B.",
                "\\boxed{A} or B",
                "\\boxed{A, B}",
                "\\boxed{AB}",
                "None of the above",
                "Option B is wrong, so the answer is D.",
                "Not (B).",
                "Rome",
            ],
        );
    }

    #[test]
    fn other_choices_and_none_are_incorrect() {
        check(
            Outcome::Incorrect,
            "B",
            &[
                "",
                "\\boxed{A}",
                "\\boxed{}",
                "\\boxed{Both}",
                "The answer is A and B.",
                "The answer is (A), (B)",
                "The answer is Berlin.",
                "B is tempting, but the answer is (C).",
                "Because of this.",
            ],
        );
        check(
            Outcome::Incorrect,
            "A",
            &["The answer is a cat.", "The answer is All of them.", "The answer is A cat"],
        );
        check(Outcome::Incorrect, "4", &["The answer is 42.", "\\boxed{4.5}", "\\boxed{44}"]);
        let policy =
            testing::policy::<MultipleChoice>(r#"{"after_think_tag": true, "max_options": 4}"#).unwrap();
        let judge = |response: &str| policy.verify(&testing::request("", "B", response)).unwrap().outcome;
        assert_eq!(judge("\\boxed{B}"), Outcome::Incorrect);
        assert_eq!(judge("\\boxed{A}</think>\\boxed{B}"), Outcome::Correct);
        let cut = Request { finished: false, ..testing::request("", "B", "</think>The answer is B") };
        assert_eq!(policy.verify(&cut).unwrap().outcome, Outcome::Incorrect);
    }

    #[test]
    fn a_reference_that_is_no_label_is_unscorable() {
        for gold in ["", "Rome", "42", "K", "0", "All"] {
            check(Outcome::Unscorable, gold, &["\\boxed{B}"]);
        }
    }

    #[test]
    fn any_text_gets_a_verdict() {
        let policy = testing::policy::<MultipleChoice>("{}").unwrap();
        let mut random = exgrpo_guest_sdk::Random::new(8);
        for _ in 0..50_000 {
            let request =
                testing::request("", &testing::any_text(&mut random), &testing::any_text(&mut random));
            assert!(policy.verify(&request).is_ok());
        }
    }
}
