//! What says which choice is right, and what it may mean.

use super::apart::named;
use super::choices::{Choices, LETTERS};
use crate::dataset::table::{Cell, Row, at};

/// Columns that say which choice is right, in the order in which they are looked for; in small letters, without signs.
const KEYS: [&str; 29] = [
    "answerkey",
    "answer",
    "answeridx",
    "answerindex",
    "correct",
    "correctoption",
    "cop",
    "label",
    "gold",
    "target",
    "correctanswer",
    "answerletter",
    "answerlabel",
    "answerid",
    "correctidx",
    "correctindex",
    "correctchoice",
    "correctletter",
    "correctlabel",
    "correctansweridx",
    "correctanswerindex",
    "correctanswerid",
    "goldindex",
    "goldlabel",
    "answertext",
    "correctanswertext",
    "correctoptiontext",
    "correcttext",
    "goldtext",
];

/// A way in which a text or number may name a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// By the choice's label or letter.
    Label,
    /// By its place, counted from 0.
    From0,
    /// By its place, counted from 1.
    From1,
    /// By its text.
    Text,
}

pub(super) const READINGS: [Reading; 4] = [Reading::Label, Reading::From0, Reading::From1, Reading::Text];

/// The choice that a key means under each of [`READINGS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Meant {
    pub(super) places: [Option<usize>; READINGS.len()],
    /// True for a bare number.
    pub(super) is_number: bool,
    /// True for a letter alone.
    pub(super) is_letter: bool,
    /// True for the text of more than one choice.
    pub(super) is_text_of_two: bool,
    /// True for a letter that counts one choice and stands before another.
    pub(super) is_contradicted: bool,
}

impl Meant {
    pub(super) fn is_none(&self) -> bool {
        self.places.iter().all(Option::is_none)
    }

    pub(super) fn by(&self, reading: Reading) -> Option<usize> {
        self.places[reading as usize]
    }
}

/// A name in small letters and without the signs between its words.
pub(super) fn folded(name: &str) -> String {
    let letters = name.chars().filter(|letter| !matches!(letter, '_' | '-' | ' '));
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// What says which choice is right: the value at `path` alone, or what columns of usual names hold, the most usual first.
/// A list of one stands for what is in it.
pub(super) fn keys<'a>(row: &'a Row, path: Option<&'a str>) -> Vec<(&'a str, &'a Cell)> {
    let mut found: Vec<(usize, &str, &Cell)> = match path {
        Some(path) => at(row, path).map(|cell| (0, path, cell)).into_iter().collect(),
        None => {
            let rank = |name: &str| {
                let name = folded(name);
                KEYS.iter().position(|known| *known == name)
            };
            row.iter().filter_map(|(name, cell)| Some((rank(name)?, name.as_str(), cell))).collect()
        }
    };
    found.sort_by_key(|(rank, ..)| *rank);
    let only = |cell: &'a Cell| match cell {
        Cell::List(cells) => match &cells[..] {
            [one] => one,
            _ => cell,
        },
        _ => cell,
    };
    let found = found.into_iter().map(|(_, name, cell)| (name, only(cell)));
    found.filter(|(_, cell)| !cell.is_empty()).collect()
}

/// True where the first key is a letter.
pub(super) fn is_letter(row: &Row, path: Option<&str>) -> bool {
    let keys = keys(row, path);
    let text = keys.first().and_then(|(_, cell)| cell.text());
    text.is_some_and(|text| letter_in(&text).is_some())
}

/// What `key` means among `choices`; none where it is no text, number or list of one, or a truth value that is none of the
/// texts: such a column says something else.
pub(super) fn meant(choices: &Choices, key: &Cell) -> Option<Meant> {
    let text = key.text()?;
    let text = text.trim();
    let by_text = place_of(&choices.texts, text).or_else(|| place_of(&choices.written, text));
    let by_text = by_text.or_else(|| place_like(&choices.texts, text));
    let count = |list: &[String]| list.iter().filter(|known| known.trim() == text).count();
    if let Cell::Bool(value) = key {
        // A truth value has no case of its own: Python writes `True`.
        let mut equal = choices.texts.iter().enumerate();
        let place = equal.position(|(_, known)| known.trim().eq_ignore_ascii_case(&value.to_string()));
        return place.map(|place| Meant { places: [None, None, None, Some(place)], ..Meant::default() });
    }
    let bare = bare(text);
    let number = number_in(bare);
    let letter = letter_in(text);
    let place_from = |first: usize| {
        let place = number?.checked_sub(first)?;
        Some(place).filter(|place| choices.has_order && *place < choices.texts.len())
    };
    let by_name = || {
        let name = named(text)?;
        choices.labelled(&name)
    };
    let by_label = choices.labelled(text).or_else(|| choices.labelled(bare)).or_else(by_name);
    let by_label = by_label.or_else(|| with_its_text(choices, text));
    let by_mark = choices.carried.iter().position(|mark| Some(mark.place) == mark.kind.place_in(bare));
    let is_contradicted =
        by_text.is_none() && by_mark.is_some_and(|mark| by_label.is_some_and(|label| label != mark));
    let by_label = by_label.or(by_mark);
    Some(Meant {
        places: [by_label, place_from(0), place_from(1), by_text],
        is_number: number.is_some(),
        is_letter: letter.is_some(),
        is_text_of_two: count(&choices.texts) > 1,
        is_contradicted,
    })
}

/// Place of the only text that is `text`.
fn place_of(list: &[String], text: &str) -> Option<usize> {
    let mut places = list.iter().enumerate().filter(|(_, known)| known.trim() == text);
    let (place, _) = places.next()?;
    // Of two equal ones neither is meant.
    places.next().is_none().then_some(place)
}

/// Place of the only text that says the same as `text` in other signs: `1` for `1.0`, `$1` or `1 km`, `b` for `B`.
fn place_like(list: &[String], text: &str) -> Option<usize> {
    let value = amount(text);
    let is_letter = letter_in(text).is_some();
    let is_like = |known: &String| {
        let known = known.trim();
        value.is_some() && amount(known) == value || is_letter && known.eq_ignore_ascii_case(text)
    };
    let mut places = list.iter().enumerate().filter(|(_, known)| is_like(known));
    let (place, _) = places.next()?;
    places.next().is_none().then_some(place)
}

/// The number that a text is, with a sign of a currency before it or a unit behind it.
fn amount(text: &str) -> Option<f64> {
    let text = text.trim().trim_start_matches(['$', '€', '£', '¥', '₹']).trim_start();
    let is_part = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | ',' | '-' | '+');
    let end = text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number.trim_end_matches(['.', ',']).replace(',', "");
    let is_unit = unit.chars().all(|letter| letter.is_alphabetic() || " %°'".contains(letter));
    number.parse().ok().filter(|_| is_unit)
}

/// The choice that a letter and its own text name together: `B. oak`.
fn with_its_text(choices: &Choices, text: &str) -> Option<usize> {
    let inner = text.trim_start_matches('(');
    let rest = inner.get(1..)?.trim_start();
    let place = choices.labelled(inner.get(..1)?)?;
    let said = rest.strip_prefix([')', '.', ':'])?.trim();
    choices.texts.get(place).filter(|known| known.trim() == said).map(|_| place)
}

/// A label without the signs around it.
fn bare(text: &str) -> &str {
    text.trim_matches(['(', ')', '[', ']', '.', ':', ' '])
}

/// A whole number that is not below 0: `2`, `02`, `2.0`.
pub(super) fn number_in(text: &str) -> Option<usize> {
    let whole = match text.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    let is_count = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    whole.parse().ok().filter(|_| is_count)
}

/// Place of the letter that a text is: `B`, `b`, `(B)`, `B.`
pub(super) fn letter_in(text: &str) -> Option<usize> {
    match bare(text.trim()).as_bytes() {
        [letter] => LETTERS.iter().position(|known| *known == letter.to_ascii_uppercase()),
        _ => None,
    }
}
