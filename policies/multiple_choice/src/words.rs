//! The words of a text, and which of them are labels.

use exgrpo_guest_sdk::response::is_unspaced;

use crate::label::Alphabet;

/// What may close around a label: brackets, quotes, marks of bold type and of formulas.
const CLOSING: [char; 9] = [')', ']', '*', '"', '\'', '$', '}', '_', '`'];
/// Signs that may touch the end of a label.
const BEHIND: &str = ")]*\"'$}`_.,;:!?—–|\n";

/// A text word by word.
pub(crate) struct Words<'a> {
    pub(crate) text: &'a str,
    /// Where each begins and ends, in bytes.
    ranges: Vec<(usize, usize)>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let is_in_word = |char: char| char.is_alphanumeric() && !is_unspaced(char);
        let mut ranges = Vec::new();
        let mut start = None;
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            // "isn't" is one word.
            let is_joint =
                char == '\'' && start.is_some() && chars.peek().is_some_and(|(_, next)| is_in_word(*next));
            if is_in_word(char) || is_joint {
                start.get_or_insert(at);
            } else if let Some(start) = start.take() {
                ranges.push((start, at));
            }
        }
        ranges.extend(start.map(|start| (start, text.len())));
        Self { text, ranges }
    }

    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(crate) fn get(&self, index: usize) -> &'a str {
        self.ranges.get(index).map_or("", |(start, end)| &self.text[*start..*end])
    }

    pub(crate) fn start(&self, index: usize) -> usize {
        self.ranges.get(index).map_or(self.text.len(), |(start, _)| *start)
    }

    /// What stands between a word and the one behind it.
    pub(crate) fn behind(&self, index: usize) -> &'a str {
        let end = self.ranges.get(index).map_or(self.text.len(), |(_, end)| *end);
        &self.text[end..self.start(index + 1)]
    }

    /// What stands between a word and the one before it.
    pub(crate) fn before(&self, index: usize) -> &'a str {
        let end = index.checked_sub(1).and_then(|before| self.ranges.get(before)).map_or(0, |(_, end)| *end);
        &self.text[end..self.start(index)]
    }

    pub(crate) fn is(&self, index: usize, wanted: &[&str]) -> bool {
        let word = self.get(index);
        if word.is_ascii() {
            return wanted.iter().any(|other| word.eq_ignore_ascii_case(other));
        }
        // No wanted word is longer.
        word.len() <= 24 && wanted.contains(&word.to_lowercase().as_str())
    }

    /// The label that a word is: a capital or a digit on its own, or any letter in brackets. Names like `B_1`, `B'`, `B = 2`
    /// and `4.5` are none.
    pub(crate) fn label(&self, index: usize, labels: Alphabet) -> Option<char> {
        let word = self.get(index);
        let mut chars = word.chars();
        let first = chars.next()?;
        // Turkish: A'dır.
        let is_turkish = chars
            .as_str()
            .strip_prefix('\'')
            .is_some_and(|rest| ["dir", "dır", "dur", "dür", "tir", "tır", "tur", "tür"].contains(&rest));
        if !(chars.as_str().is_empty() || is_turkish) {
            return None;
        }
        let label = labels.label(first)?;
        let (before, behind) = (self.before(index), self.behind(index));
        let is_bracketed = before.ends_with(['(', '[']) && behind.starts_with([')', ']']);
        if first.is_ascii_lowercase() && !is_bracketed {
            return None;
        }
        let opens = before.chars().next_back().is_none_or(|char| {
            char.is_whitespace() || "([*\"'$`{>|:,".contains(char) || is_unspaced(char) || !char.is_ascii()
        });
        let is_last = index + 1 == self.len();
        let closes = behind.chars().next().is_none_or(|char| {
            char.is_whitespace() || BEHIND.contains(char) || is_unspaced(char) || !char.is_ascii()
        });
        // "B.C." and "4.5" go on.
        let goes_on = !is_last && matches!(behind, "." | ":" | "'" | "_" | ",");
        let is_operand = ["=", "<", ">", "+", "^", "≤", "≥", "×", "²"].iter().any(|sign| {
            behind.trim_start().starts_with(sign) || before.trim_end().ends_with(sign) && *sign != ">"
        });
        (opens && closes && !goes_on && !is_operand).then_some(label)
    }

    /// Whether a sentence ends behind a word.
    pub(crate) fn ends_sentence(&self, index: usize) -> bool {
        index + 1 >= self.len() || self.behind(index).contains(['.', '!', '?', '\n', ';'])
    }

    /// Whether a clause ends right behind a word and its brackets.
    pub(crate) fn ends_clause(&self, index: usize) -> bool {
        let behind = self.behind(index).trim_start_matches(CLOSING);
        let is_last = index + 1 >= self.len() && behind.trim().is_empty();
        is_last
            || behind.starts_with(['.', ',', ';', '!', '\n'])
            || behind.trim_start().starts_with(['(', '—', '–'])
            || behind.starts_with(" - ")
    }

    /// Whether nothing but brackets and marks stands between a word and the next.
    pub(crate) fn goes_on(&self, index: usize) -> bool {
        index + 1 < self.len()
            && self.behind(index).chars().all(|char| char == ' ' || CLOSING.contains(&char))
    }

    /// Whether a question mark follows a word.
    pub(crate) fn is_asked(&self, index: usize) -> bool {
        self.behind(index).trim_start_matches(CLOSING).trim_start().starts_with('?')
    }
}
