//! The choice of a response.

use exgrpo_guest_sdk::response::{after_answer_phrase, announced, filled_boxes};

use crate::label::{Alphabet, Choice};

/// Words before a statement that make it none: "it might seem that A is correct".
const DOUBTS: [&str; 14] = [
    "if", "whether", "seem", "seems", "think", "thought", "might", "may", "suppose", "assume", "not", "why",
    "unless", "neither",
];
/// What a sentence says of a label that is not the choice.
const RULED_OUT: [&str; 7] = ["is not", "isn't", "is wrong", "is incorrect", "is false", "can't", "cannot"];
/// Words that begin a conclusion, in small letters.
const CONCLUSIONS: [&str; 6] = ["so ", "so,", "therefore", "thus", "hence", "因此"];

impl Alphabet {
    /// The choice of a response.
    pub(crate) fn choice(self, response: &str, finished: bool) -> Option<char> {
        let boxes = filled_boxes(response);
        if let Some(last) = boxes.last() {
            let boxed = self.at_start(last.content);
            if !finished || boxed == Choice::Several {
                return boxed.one();
            }
            return match (self.revised(&response[last.range.end..]), boxed.one()) {
                (Some(label), _) | (None, Some(label)) => Some(label),
                (None, None) => self.said(response).or_else(|| self.alone(response)),
            };
        }
        if !finished {
            return None;
        }
        let marked =
            response.rsplit_once("####").map(|(_, rest)| rest.trim().lines().next().unwrap_or_default());
        if let Some(line) = marked {
            return self.announced(line);
        }
        if after_answer_phrase(response).is_some() {
            return self.said(response);
        }
        self.said(response)
            .or_else(|| self.first_line(response))
            .or_else(|| self.first_listed(response))
            .or_else(|| self.bracketed(response).last().map(|(_, label)| label))
            .or_else(|| self.alone(response))
            .or_else(|| self.listed(response))
    }

    /// What is said in so many words: behind "the answer is", or of a label.
    fn said(self, response: &str) -> Option<char> {
        match after_answer_phrase(response) {
            Some(line) => self.announced(line),
            None => {
                let (at, label) =
                    [self.told(response), self.told_in_chinese(response)].into_iter().flatten().max()?;
                // "So (C)" concludes from what was said before.
                let concluded = self
                    .bracketed(response)
                    .next_back()
                    .filter(|(last, _)| *last > at && self.is_concluded(response, *last));
                Some(concluded.map_or(label, |(_, label)| label))
            }
        }
    }

    /// The label that a line behind "the answer is" chooses.
    fn announced(self, line: &str) -> Option<char> {
        match self.at_start(line) {
            Choice::One(label) => Some(label),
            Choice::Several => None,
            Choice::Nothing if is_denial(line) => None,
            Choice::Nothing => {
                let bracketed = self.bracketed(line).next().map(|(_, label)| label);
                bracketed.or_else(|| self.told(line).map(|(_, label)| label))
            }
        }
    }

    /// The choice that a phrase behind the last box announces anew.
    fn revised(self, rest: &str) -> Option<char> {
        let found = announced(rest)?;
        found.is_final(rest).then(|| self.announced(found.line)).flatten()
    }

    fn is_concluded(self, text: &str, at: usize) -> bool {
        let sentence = text[..at].rsplit(['.', '\n', '!', '?']).next().unwrap_or_default();
        let sentence = sentence.trim_start().to_lowercase();
        CONCLUSIONS.iter().any(|word| sentence.starts_with(word))
    }

    /// Labels in brackets of their own, in order.
    fn bracketed(self, text: &str) -> impl DoubleEndedIterator<Item = (usize, char)> {
        let (offsets, chars): (Vec<usize>, Vec<char>) = text.char_indices().unzip();
        // "Not (A)" and "(A) is wrong" rule one out.
        let is_ruled_out = |at: usize| {
            let before: String = chars[at.saturating_sub(4)..at].iter().collect();
            let behind: String = chars.iter().skip(at + 3).take(16).collect::<String>().to_lowercase();
            let behind = behind.trim_start_matches(['*', ' ', '$']);
            before.eq_ignore_ascii_case("not ") || RULED_OUT.iter().any(|verdict| behind.starts_with(verdict))
        };
        let found: Vec<(usize, char)> = chars
            .windows(3)
            .enumerate()
            .filter(|(at, window)| {
                matches!((window[0], window[2]), ('(', ')') | ('[', ']')) && !is_ruled_out(*at)
            })
            .filter_map(|(at, window)| Some((offsets[at], self.label(window[1])?)))
            .collect();
        found.into_iter()
    }

    /// The last label that a sentence chooses: "option B", "I choose B", "(B) is correct", "B is the best answer"; and where.
    fn told(self, text: &str) -> Option<(usize, char)> {
        let words: Vec<(usize, &str)> = text
            .split_whitespace()
            .map(|word| word.trim_matches(|char: char| !char.is_alphanumeric()))
            .filter(|word| !word.is_empty())
            .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
            .collect();
        let is = |at: usize, wanted: &[&str]| {
            words.get(at).is_some_and(|(_, word)| wanted.iter().any(|other| word.eq_ignore_ascii_case(other)))
        };
        (0..words.len()).rev().find_map(|at| {
            let (offset, word) = words[at];
            let is_before = |wanted: &[&str]| at > 0 && is(at - 1, wanted);
            let mut chars = word.chars();
            let first = chars.next().filter(|char| char.is_uppercase() || char.is_ascii_digit())?;
            let label = self.label(first).filter(|_| chars.next().is_none())?;
            // "Option B ignores friction" chooses nothing.
            let ends = text[offset + word.len()..].trim_start_matches([')', ']', '*', '"']).chars().next();
            let is_named =
                is_before(&["option", "choice"]) && ends.is_none_or(|char| ".,;!\n".contains(char));
            let is_gone_with = is_before(&["with"]) && at > 1 && is(at - 2, &["go", "going"]);
            let is_chosen = is_named
                || is_gone_with
                || (is_before(&["choose", "select", "pick"]) && !is(at + 1, &["is"]));
            let is_right = is(at + 1, &["is"])
                && (is(at + 2, &["correct", "right"])
                    || (is(at + 2, &["the"]) && is(at + 3, &["correct", "right", "best", "answer"])));
            ((is_chosen || is_right) && !is_doubted(&text[..offset])).then_some((offset, label))
        })
    }

    /// The last label that a Chinese sentence chooses: 所以选C, 选项C正确, C是正确的; and where.
    fn told_in_chinese(self, text: &str) -> Option<(usize, char)> {
        if text.is_ascii() {
            return None;
        }
        let chosen = text.rmatch_indices(['选', '選']).find_map(|(at, verb)| {
            let rest = text[at + verb.len()..]
                .trim_start_matches(['择', '擇', '项', '項', '是', '为', '為', ':', ' ', '*', '(', '$']);
            let mut chars = rest.chars();
            let label =
                chars.next().filter(|char| !char.is_ascii_lowercase()).and_then(|char| self.label(char))?;
            let ends = chars.next().is_none_or(|char| !char.is_ascii_alphanumeric());
            let is_denied = ["不", "不能", "不应", "别"].iter().any(|word| text[..at].ends_with(word));
            // 选项C错误
            let is_wrong = ["错", "不", "是错"]
                .iter()
                .any(|word| chars.as_str().starts_with(word) || rest[1..].starts_with(word));
            (ends && !is_denied && !is_wrong && !rest[1..].starts_with(['和', '或', '与']))
                .then_some((at, label))
        });
        let right = ["是正确", "正确", "是对的", "项正确"].iter().filter_map(|word| {
            let at = text.rfind(word)?;
            let label = text[..at].trim_end_matches([')', ' ', '*']).chars().next_back()?;
            Some((at, self.label(label).filter(|_| !label.is_ascii_lowercase())?))
        });
        chosen.into_iter().chain(right).max()
    }

    /// The last line that is a label and nothing else.
    fn alone(self, text: &str) -> Option<char> {
        text.lines().rev().find_map(|line| self.line(line))
    }

    /// The first line, if it is a label and an explanation follows; lines that are labels are no explanation.
    fn first_line(self, text: &str) -> Option<char> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let label = self.line(lines.next()?)?;
        let mut rest = lines.peekable();
        (rest.peek().is_some() && rest.all(|line| self.line(line).is_none())).then_some(label)
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
        let mut chars = line.trim_matches(|char: char| " *_.:()[]\t$`\"".contains(char)).chars();
        let label = self.label(chars.next()?)?;
        chars.next().is_none().then_some(label)
    }

    /// The label of an option that is all of a text.
    fn listed(self, text: &str) -> Option<char> {
        let line = text.trim().trim_start_matches('*');
        let is_listed = !line.contains('\n') && line.chars().nth(1).is_some_and(|char| ").:".contains(char));
        is_listed.then(|| self.at_start(line).one()).flatten()
    }
}

/// Whether one of the last words before a statement in its sentence makes it none.
fn is_doubted(before: &str) -> bool {
    let sentence = before.rsplit(['.', '\n', '!', '?', ';']).next().unwrap_or_default();
    let words = sentence.split_whitespace().rev().take(4);
    words
        .map(|word| word.trim_matches(|char: char| !char.is_alphanumeric()))
        .any(|word| DOUBTS.iter().any(|doubt| word.eq_ignore_ascii_case(doubt)))
}

/// Whether a line says what the answer is not.
fn is_denial(line: &str) -> bool {
    let line = line.trim_start_matches(['*', ' ']).to_lowercase();
    ["not ", "no ", "nicht ", "never ", "neither "].iter().any(|word| line.starts_with(word))
}
