//! Verifier of multiple-choice questions: a response is right when it chooses the option of the gold answer.
//!
//! Options are labelled `A`, `B`, .. or `1`, `2`, ..; the gold answer is a label, perhaps in brackets or with its option
//! behind it (`(B)`, `B. 42`), in a box or behind "the answer is", and says which kind is asked for. The choice of a response
//! is looked for behind its thoughts in this order, and the last one of the first kind that is found counts:
//!
//! 1. a box: `\boxed{B}`, `\boxed{\text{(B)}}`, `\boxed{B. 42}`, unless a phrase behind it announces another choice;
//! 2. a line behind `####` that begins with a label, if it is no heading of a list of options;
//! 3. what follows "the answer is", "Answer:" and the like, in many languages or as a member of a JSON object: `(B)`,
//!    `**B**`, `option B`; a sentence that supposes ("if .., the answer would be C") only where no other announces one;
//! 4. what a sentence says of a label: `I choose B`, `it's B`, `B is correct`, `only B remains`, `所以选B`;
//! 5. the one label that a list of verdicts calls right: `A ✗ B ✓`, unless the question may ask for what is wrong;
//! 6. a first line with a label and nothing else, or with its reason (`B, because ..`), before an explanation;
//! 7. the one label in brackets: `(B)`;
//! 8. a line with a label and nothing else: `B`, `**B.**`;
//! 9. the option as it is listed, if that is all: `B) Rome`;
//! 10. the text of one of the options that the question lists on lines of their own: `Rome`.
//!
//! A box without a label, as `\boxed{}` and `\boxed{42}`, is passed over, but then only what is said in so many words (3 and
//! 4), stands on a line of its own or is the text of an option is a choice. Of a long response the last sentences are read.
//!
//! What is denied, ruled out, asked or only supposed is no choice: `not B`, `we can eliminate B`, `it might be B`. Two
//! different choices side by side, as in "A and B", are none, nor is a label with the text of another option. The article A
//! and the pronoun I are no labels. A response that was cut has a choice only in a box.

mod chinese;
mod choice;
mod label;
mod languages;
mod options;
mod predicates;
mod statements;
#[cfg(test)]
mod tests;
mod verdicts;
mod vocabulary;
mod words;

use exgrpo_guest_sdk::response::{after_think_tag, behind_thoughts, half_width, without_struck};
use exgrpo_guest_sdk::{Policy, Request, Result, Verdict, Verifier, parameters};

use choice::Question;
use label::{Alphabet, Labels};
use options::Options;

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
        let reference = half_width(&request.reference);
        let found = [Labels::Letters, Labels::Numbers].into_iter().find_map(|kind| {
            let labels = Alphabet { kind, size: self.0.max_options };
            let question = Question { labels, options: Options::of(labels, &request.prompt) };
            Some((question.gold(&reference)?, question))
        });
        let Some((gold, question)) = found else { return Ok(Verdict::unscorable()) };
        let mut response = request.response.as_str();
        if self.0.after_think_tag {
            match after_think_tag(response) {
                Some(rest) => response = rest,
                None => return Ok(Verdict::incorrect()),
            }
        } else {
            response = behind_thoughts(response);
        }
        let response = half_width(response).replace('’', "'");
        let response = without_struck(&response);
        Ok(match question.choice(&response, request.finished) {
            Some(label) if label == gold => Verdict::correct().with_answer(label.to_string()),
            Some(label) => Verdict::incorrect().with_answer(label.to_string()),
            None => Verdict::incorrect(),
        })
    }
}

exgrpo_guest_sdk::export!(MultipleChoice: Verifier);
