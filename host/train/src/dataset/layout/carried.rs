//! Letters and numbers that texts of choices carry before themselves: `A) ..`, `(B) ..`, `C. ..`, `1) ..`

use super::key::{letter_in, number_in};

/// What stands before the text of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) kind: MarkKind,
    /// The number, or the place of the letter in the alphabet, from 0.
    pub(super) place: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkKind {
    Letter,
    Number,
}

impl MarkKind {
    /// The place that `text` says where it is a mark of this kind alone.
    pub(super) fn place_in(self, text: &str) -> Option<usize> {
        match self {
            Self::Letter => letter_in(text),
            Self::Number => number_in(text),
        }
    }
}

/// The marks of all texts and the texts without them, where each has one of its own and all are of one kind.
pub(super) fn carried(texts: &[String]) -> Option<(Vec<Mark>, Vec<String>)> {
    let (marks, bare): (Vec<Mark>, Vec<String>) =
        texts.iter().map(|text| mark(text)).collect::<Option<Vec<_>>>()?.into_iter().unzip();
    let kind = marks.first()?.kind;
    let mut places: Vec<usize> = marks.iter().map(|mark| mark.place).collect();
    places.sort_unstable();
    places.dedup();
    let is_each = places.len() == marks.len() && marks.iter().all(|mark| mark.kind == kind);
    is_each.then_some((marks, bare))
}

fn mark(text: &str) -> Option<(Mark, String)> {
    let text = text.trim_start();
    let inner = text.strip_prefix(['(', '（']).unwrap_or(text);
    let is_open = inner.len() < text.len();
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    let (head, rest) = match digits {
        0 => inner.split_at_checked(1)?,
        1..=2 => inner.split_at(digits),
        _ => return None,
    };
    let (kind, signs): (_, &[char]) = match (digits, is_open) {
        (_, true) => (if digits == 0 { MarkKind::Letter } else { MarkKind::Number }, &[')', '）']),
        (0, false) => (MarkKind::Letter, &[')', '）', '.', ':', '：', '、']),
        // `1:2` is a ratio.
        (_, false) => (MarkKind::Number, &[')', '）', '.', '、']),
    };
    // A number with a space behind it is no mark.
    let tail = if kind == MarkKind::Letter { rest.trim_start() } else { rest };
    let after = tail.strip_prefix(signs)?;
    // `1.5` is a number, and `A.D.` a word.
    let is_within = |next: char| next.is_alphabetic() || kind == MarkKind::Number && !next.is_whitespace();
    if tail.starts_with('.') && after.starts_with(is_within) {
        return None;
    }
    let place = kind.place_in(head)?;
    Some((Mark { kind, place }, after.trim_start().to_owned()))
}
