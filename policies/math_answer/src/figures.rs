//! Numbers in a text, as they are written.

use exgrpo_guest_sdk::response::is_unspaced;

use crate::statement::is_prose;
use crate::units;

/// A number of a text, with its sign, separators, percent sign or denominator.
pub(crate) struct Number {
    pub(crate) text: String,
    /// Where it begins and ends, its sign aside.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Number {
    /// With the word behind it, if that is a unit.
    pub(crate) fn with_unit(self, text: &str) -> String {
        const SHORT: [&str; 13] =
            ["cm", "km", "mm", "kg", "mg", "ml", "ft", "am", "pm", "AM", "PM", "a.m", "p.m"];
        let rest = &text[self.end..];
        let words: Vec<&str> = rest
            .trim_start_matches(' ')
            .split(' ')
            .take(4)
            .map(|word| word.trim_end_matches(|char: char| !char.is_alphanumeric()))
            .take_while(|word| {
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.')
            })
            .collect();
        let is_unit = |count: &usize| {
            let first = words[0];
            // "108 miles in 5 hours"
            let ends_in_unit = *count == 1 || !matches!(words[*count - 1], "in" | "a" | "as" | "per");
            ends_in_unit
                && (first.len() > 2 || SHORT.contains(&first))
                && units::is_known(&words[..*count].join(" ").to_lowercase())
        };
        match (1..=words.len()).rev().find(is_unit) {
            Some(count) => format!("{} {}", self.text, words[..count].join(" ")),
            None => self.text,
        }
    }
}

/// Numbers in order; a plain fraction is one.
pub(crate) fn numbers(text: &str) -> Vec<Number> {
    let is_part = |char: char| char.is_ascii_digit() || ".,/%:".contains(char);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(is_part).map(|offset| from + offset) {
        let end = text[start..].find(|char| !is_part(char)).map_or(text.len(), |offset| start + offset);
        let end = end_of_groups(text, start, end);
        from = end;
        let number = text[start..end].trim_matches(['.', ',', '/', ':']);
        if !number.contains(|char: char| char.is_ascii_digit()) {
            continue;
        }
        // A minus sign between two operands is none.
        let before = text[..start].trim_end_matches(['$', '\\']);
        let rest = before.strip_suffix(['-', '−', '–']);
        let is_negative = rest.is_some_and(|rest| {
            !rest.ends_with(|char: char| char.is_alphanumeric() && !is_unspaced(char) || char == ')')
        });
        let text = if is_negative { format!("-{number}") } else { number.to_owned() };
        found.push(Number { text, start, end });
    }
    found
}

/// Where a number ends whose groups of three digits stand apart: "12 345".
fn end_of_groups(text: &str, start: usize, mut end: usize) -> usize {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(&text[start..end]) || end - start > 3 || text[start..].starts_with('0') {
        return end;
    }
    loop {
        let rest = &text[end..];
        let Some(group) =
            [" ", "\u{a0}", "\u{202f}", "\u{2009}"].iter().find_map(|space| rest.strip_prefix(space))
        else {
            return end;
        };
        let is_group = group.get(..3).is_some_and(is_digits)
            && !group[3..].starts_with(|char: char| char.is_alphanumeric() || "/%:".contains(char));
        if !is_group {
            return end;
        }
        end = text.len() - group.len() + 3;
    }
}

/// The number that a text before a formula begins with, where a word parts both: "5 such $n$".
pub(crate) fn leading_number(text: &str) -> Option<String> {
    let number = numbers(text).into_iter().next()?;
    let is_first = text[..number.start].trim_matches(['-', '*', ' ']).is_empty();
    let words = text[number.end..].trim();
    let is_parted = words.starts_with(|char: char| char.is_alphabetic()) && words.split(' ').all(is_prose);
    let is_joint = ["and", "or", "times", "to", "plus", "minus"]
        .iter()
        .any(|joint| words.split(' ').any(|word| word == *joint));
    (is_first && is_parted && !is_joint).then(|| number.with_unit(text))
}
