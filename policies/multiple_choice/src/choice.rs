//! The choice of a response.

use exgrpo_guest_sdk::response::{
    Announced, Boxed, announced, asserted, begins_conclusion, filled_boxes, is_denial, marked, meant,
    reconsidered, settled, taken_back,
};

use crate::label::{Alphabet, Choice, REASONS};
use crate::options::Options;
use crate::statements::Told;
use crate::words::Words;
use crate::{chinese, languages, statements, verdicts};

/// What a sentence says of a label in brackets that is not the choice.
const RULED_OUT: [&str; 8] =
    ["is not", "isn't", "is wrong", "is incorrect", "is false", "can't", "cannot", "fails"];
/// Signs that may stand around a label that is all of a line.
const AROUND: &str = " *_.:()[]{}\t$`\"'!\\👉✅✔☑➡→★>\u{fe0f}";
/// Bytes of a line that is a label and nothing else, with all that stands around it.
const MAX_LINE: usize = 80;
/// Bytes at the end of a response whose sentences are read.
const MAX_END: usize = 16_384;

/// A question, as far as it tells how to read its answers.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) labels: Alphabet,
    pub(crate) options: Options,
}

impl Question {
    /// The choice of a response.
    pub(crate) fn choice(&self, response: &str, finished: bool) -> Option<char> {
        let boxes = filled_boxes(response);
        if let Some(last) = boxes.last() {
            let boxed = if self.is_one_of_boxes(response, &boxes) {
                Choice::Several
            } else {
                self.at_start(last.content)
            };
            if !finished || boxed == Choice::Several {
                return boxed.one();
            }
            let rest = &response[last.range.end..];
            return match (self.revised(rest), boxed.one()) {
                (Some(label), _) => Some(label),
                (None, Some(label)) => match taken_back(rest) {
                    Some(anew) => self.said_anew(anew),
                    None => Some(label),
                },
                (None, None) => self
                    .said(response)
                    .or_else(|| self.labels.alone(response))
                    .or_else(|| self.options.with_text(last.content)),
            };
        }
        if !finished {
            return None;
        }
        if let Some((label, end)) = self.marked(response) {
            return Some(self.revised(&response[end..]).unwrap_or(label));
        }
        let response = &meant(response);
        if let Some(found) = settled(response) {
            let said = self.announcement(&found, response);
            return said.or_else(|| languages::told(self.labels, end_of(response)).map(|(_, label)| label));
        }
        let labels = self.labels;
        let words = Words::new(end_of(response));
        let told = statements::told(labels, &words);
        self.told(&told, response)
            .or_else(|| self.verdict(&words))
            .or_else(|| labels.first_line(response))
            .or_else(|| labels.with_reason(response))
            .or_else(|| labels.first_listed(response))
            .or_else(|| labels.sole_bracketed(response, &told.ruled_out))
            .or_else(|| labels.alone(response))
            .or_else(|| self.listed(response))
            .or_else(|| self.bold_option(response))
            .or_else(|| self.text_alone(response))
    }

    /// Whether the last box stands beside another one with another label: `\boxed{A} and \boxed{B}`.
    fn is_one_of_boxes(&self, response: &str, boxes: &[Boxed<'_>]) -> bool {
        let [.., before, last] = boxes else { return false };
        let between = response[before.range.end..last.range.start].to_lowercase();
        let is_sign = |char: char| matches!(char, ' ' | '$' | ',' | '&' | '\\' | '*' | '/');
        let is_beside = matches!(between.trim_matches(is_sign), "" | "and" | "or");
        let labels = (self.at_start(before.content).one(), self.at_start(last.content).one());
        is_beside
            && !between.contains('\n')
            && matches!(labels, (Some(first), Some(second)) if first != second)
    }

    /// The choice of a reference: a label, or what a solution ends in.
    pub(crate) fn gold(&self, reference: &str) -> Option<char> {
        match self.labels.at_start(reference) {
            Choice::One(label) => return Some(label),
            Choice::Several => return None,
            Choice::Nothing => {}
        }
        if let Some(last) = filled_boxes(reference).last() {
            return self.labels.at_start(last.content).one();
        }
        let line = announced(reference)?.line;
        self.labels.at_start(line).one()
    }

    /// The label that a text begins with; nothing where the text of another option follows it.
    fn at_start(&self, text: &str) -> Choice {
        match self.labels.at_start(text) {
            Choice::One(label) if self.options.contradict(label, text) => Choice::Several,
            choice => choice,
        }
    }

    /// The label behind the last `####`, and where its line ends; headings that list the options have none.
    fn marked(&self, response: &str) -> Option<(char, usize)> {
        let label = |head: &str| self.labels.at_start(head).one();
        let is_label = |head: &str| label(head).is_some();
        let (line, end) = marked(response, is_label)?;
        let found = self.at_start(line).one()?;
        let before = &response[..end - line.len()];
        let is_listed = marked(before, is_label).is_some_and(|(other, _)| label(other) != Some(found));
        (!is_listed).then_some((found, end))
    }

    /// What is said in so many words: behind "the answer is", or of a label.
    fn said(&self, response: &str) -> Option<char> {
        match settled(response) {
            Some(found) => self.announcement(&found, response),
            None => self.told(&statements::told(self.labels, &Words::new(end_of(response))), response),
        }
    }

    /// The choice behind what takes another back: "No, it's B", "Scratch that. B".
    fn said_anew(&self, anew: &str) -> Option<char> {
        let label = || self.at_start(anew.trim_start_matches([' ', ',', ':', '.', '!', '-', '—', '–', '\n']));
        self.said(anew).or_else(|| label().one())
    }

    /// What sentences say of a label.
    fn told(&self, told: &Told, response: &str) -> Option<char> {
        let end = end_of(response);
        let (at, label) = [told.chosen, chinese::told(self.labels, end), languages::told(self.labels, end)]
            .into_iter()
            .flatten()
            .max()?;
        // "So (C)" concludes from what was said before.
        let concluded = self.labels.bracketed(end).pop();
        let concluded = concluded.filter(|(last, _)| *last > at && is_concluded(end, *last));
        Some(concluded.map_or(label, |(_, label)| label))
    }

    /// The label that a phrase announces; a wrong answer is one only where the question may ask for it.
    fn announcement(&self, found: &Announced, response: &str) -> Option<char> {
        let start = (found.line.as_ptr() as usize).saturating_sub(response.as_ptr() as usize);
        if let Some(anew) = response.get(start..).and_then(reconsidered) {
            return self.said_anew(anew);
        }
        let is_meant = self.options.is_negative || !found.is_of_wrong(response);
        is_meant.then(|| self.announced(found.line, response)).flatten()
    }

    /// The label that a line of a response chooses, behind "the answer is".
    fn announced(&self, line: &str, response: &str) -> Option<char> {
        match self.at_start(line) {
            Choice::One(label) => return Some(label),
            Choice::Several => return None,
            Choice::Nothing => {}
        }
        let told = |text: &str| statements::told(self.labels, &Words::new(end_of(text)));
        match asserted(line) {
            // "Not B. It's C."
            None => {
                let from = (line.as_ptr() as usize).checked_sub(response.as_ptr() as usize);
                let rest = from.and_then(|from| response.get(from..)).unwrap_or(line);
                told(rest).chosen.map(|(_, label)| label)
            }
            Some(right) if right.len() < line.len() => self.at_start(right).one(),
            Some(_) => {
                let sentence = line.split(". ").next().unwrap_or_default();
                let told = told(line);
                let chosen = told.chosen.map(|(_, label)| label);
                chosen
                    .or_else(|| self.labels.sole_bracketed(line, &told.ruled_out))
                    .or_else(|| self.options.with_text(sentence))
            }
        }
    }

    /// The choice that a phrase behind the last box announces anew.
    fn revised(&self, rest: &str) -> Option<char> {
        let found = announced(rest)?;
        found.is_final(rest).then(|| self.announcement(&found, rest)).flatten()
    }

    /// The only label that a list calls right, unless the question may ask for what is wrong.
    fn verdict(&self, words: &Words) -> Option<char> {
        let is_read = !self.options.is_negative && !self.options.are_verdicts();
        is_read.then(|| verdicts::right(self.labels, words)).flatten()
    }

    /// The option as it is listed, if that is all of a response.
    fn listed(&self, response: &str) -> Option<char> {
        let label = self.labels.listed(response)?;
        let is_wrong =
            response.len() <= MAX_LINE && verdicts::is_wrong(response) && !self.options.are_verdicts();
        (!is_wrong && !self.options.contradict(label, response)).then_some(label)
    }

    /// The option that a last line in bold type is, where no other line is one: "**C) Jupiter**".
    fn bold_option(&self, response: &str) -> Option<char> {
        let option = |line: &str| {
            let inner = line.trim().strip_prefix("**")?.strip_suffix("**")?;
            self.labels.listed(inner.trim_start_matches('('))
        };
        let mut lines = response.lines().rev().filter(|line| !line.trim().is_empty());
        let last = lines.next()?;
        let label = option(last)?;
        let is_sole = lines.filter_map(option).all(|other| other == label);
        (is_sole && !self.options.contradict(label, last)).then_some(label)
    }

    /// The label of the option whose text is all of a response of one line, or what its sentence ends in: "7 + 5 = 12".
    fn text_alone(&self, response: &str) -> Option<char> {
        let line = response.trim();
        if line.contains('\n') {
            return None;
        }
        self.options.with_text(line).or_else(|| {
            let ends =
                [" is ", " are ", " = "].iter().filter_map(|verb| Some(line.rfind(verb)? + verb.len()));
            self.options.with_text(&line[ends.max()?..])
        })
    }
}

impl Alphabet {
    /// Labels in brackets of their own, in order.
    fn bracketed(self, text: &str) -> Vec<(usize, char)> {
        let bytes = text.as_bytes();
        // "Not (A)" and "(A) is wrong" rule one out.
        let is_ruled_out = |at: usize| {
            let before = text[..at].trim_end_matches([' ', '*', '$']);
            let word = before.rsplit([' ', '*', '\n', '(', '[']).next();
            let behind = text[at + 3..].trim_start_matches(['*', ' ', '$']);
            let is_said = |verdict: &str| {
                behind.get(..verdict.len()).is_some_and(|start| start.eq_ignore_ascii_case(verdict))
            };
            word.is_some_and(is_denial) || RULED_OUT.iter().any(|verdict| is_said(verdict))
        };
        bytes
            .windows(3)
            .enumerate()
            .filter(|(_, window)| matches!((window[0], window[2]), (b'(', b')') | (b'[', b']')))
            .filter_map(|(at, window)| Some((at, self.label(char::from(window[1]))?)))
            .filter(|(at, _)| !is_ruled_out(*at))
            .collect()
    }

    /// The label in brackets that isn't ruled out, if it is the only one, or the one that a last sentence concludes:
    /// "Hence (B)".
    fn sole_bracketed(self, text: &str, ruled_out: &[char]) -> Option<char> {
        let mut found = self.bracketed(text);
        found.retain(|(_, label)| !ruled_out.contains(label));
        let (at, last) = *found.last()?;
        let is_sole = found.iter().all(|(_, label)| *label == last);
        (is_sole || is_concluded(text, at)).then_some(last)
    }

    /// The last line that is a label and nothing else; a list of such lines chooses none.
    fn alone(self, text: &str) -> Option<char> {
        let mut lines = text.lines().rev().skip_while(|line| self.line(line).is_none());
        let label = self.line(lines.next()?)?;
        let before = lines.next().and_then(|line| self.line(line));
        before.is_none_or(|other| other == label).then_some(label)
    }

    /// The first line, if it is a label and an explanation follows; lines that are labels are no explanation.
    fn first_line(self, text: &str) -> Option<char> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let label = self.line(lines.next()?)?;
        let mut rest = lines.peekable();
        (rest.peek().is_some() && rest.all(|line| self.line(line).is_none())).then_some(label)
    }

    /// The label that a text begins with, if its reason follows: "A, because B is too large."
    fn with_reason(self, text: &str) -> Option<char> {
        let line = text.trim_start().lines().next()?;
        let start = line.char_indices().nth(MAX_LINE).map_or(line.len(), |(at, _)| at);
        let words = Words::new(&line[..start]);
        let is_first = words.before(0).chars().all(|char| AROUND.contains(char));
        let is_joined = words.behind(0).contains([',', '—', '–', ';', ':']);
        (is_first && is_joined && words.is(1, &REASONS)).then(|| words.label(0, self)).flatten()
    }

    /// The option as it is listed, in the first line and only there, before an explanation.
    fn first_listed(self, text: &str) -> Option<char> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let label = self.listed(lines.next()?)?;
        let mut rest = lines.peekable();
        let is_option = |line: &str| self.listed(line.trim_start_matches('(')).is_some();
        (rest.peek().is_some() && !rest.any(is_option)).then_some(label)
    }

    /// The label that a line is.
    fn line(self, line: &str) -> Option<char> {
        if line.len() > MAX_LINE {
            return None;
        }
        let line = line.trim_start().trim_start_matches("- ");
        let line = line.trim_start_matches(['$', '\\', '*', '(', '[']);
        let name = ["textbf{", "text{", "mathrm{"].iter().find_map(|name| line.strip_prefix(name));
        let line = name.unwrap_or(line);
        let mut chars = line.trim_matches(|char: char| AROUND.contains(char)).chars();
        let label = self.label(chars.next()?)?;
        chars.next().is_none().then_some(label)
    }

    /// The label of an option that is all of a text, and the only one in it: "B) Rome", "Option B: Rome".
    fn listed(self, text: &str) -> Option<char> {
        let line = text.trim().trim_start_matches('*');
        if line.contains('\n') {
            return None;
        }
        let named = ["Option ", "option ", "Choice "].iter().find_map(|name| line.strip_prefix(name));
        let line = named.unwrap_or(line);
        let behind = line.get(1..)?.trim_start_matches('*');
        let dash = [" - ", " – ", " — "].iter().find_map(|dash| behind.strip_prefix(dash));
        let is_word = |rest: &str| rest.len() > 1 && rest.chars().take(2).all(char::is_alphanumeric);
        if !behind.starts_with([')', '.', ':']) && !dash.is_some_and(is_word) {
            return None;
        }
        let label = self.at_start(line).one()?;
        let words = Words::new(line);
        let is_another = |index: usize| {
            let is_listed = words.behind(index).starts_with([')', '.', ':']);
            is_listed && words.label(index, self).is_some_and(|other| other != label)
        };
        (1..words.len()).all(|index| !is_another(index)).then_some(label)
    }
}

/// The end of a text, as far as its sentences are read; all of most.
fn end_of(text: &str) -> &str {
    let mut from = text.len().saturating_sub(MAX_END);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// Whether the sentence of a place begins with a word that concludes.
fn is_concluded(text: &str, at: usize) -> bool {
    begins_conclusion(text[..at].rsplit(['.', '\n', '!', '?']).next().unwrap_or_default())
}
