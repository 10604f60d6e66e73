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
}

impl Meant {
    pub(super) fn is_none(&self) -> bool {
        self.places.iter().all(Option::is_none)
    }

    pub(super) fn by(&self, reading: Reading) -> Option<usize> {
        self.places[reading as usize]
    }
}

/// True for a column that says a place by its name.
pub(super) fn is_index(name: &str) -> bool {
    let name = folded(name);
    name.ends_with("index") || name.ends_with("idx")
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
    Some(Meant {
        places: [by_label, place_from(0), place_from(1), by_text],
        is_number: number.is_some(),
        is_letter: letter.is_some(),
        is_text_of_two: count(&choices.texts) > 1,
    })
}

/// Place of the only text that is `text`.
fn place_of(list: &[String], text: &str) -> Option<usize> {
    let mut places = list.iter().enumerate().filter(|(_, known)| known.trim() == text);
    let (place, _) = places.next()?;
    // Of two equal ones neither is meant.
    places.next().is_none().then_some(place)
}

/// Place of the only text that is the same but for capitals, or that a bare number or letter may stand for: the text's only
/// number is that (`2` for `2 m/s`), or the letter stands before or behind its words (`[B] oak`, `point B`).
fn place_like(list: &[String], text: &str) -> Option<usize> {
    let letter = letter_in(text).and_then(|place| LETTERS.get(place)).map(|letter| char::from(*letter));
    let number: Option<f64> = text.replace(',', "").parse().ok();
    let is_like = |known: &String| {
        let is_same = known.trim().eq_ignore_ascii_case(text);
        is_same
            || number.is_some() && only_number(known) == number
            || letter.is_some_and(|letter| has_letter(known, letter))
    };
    let mut places = list.iter().enumerate().filter(|(_, known)| is_like(known));
    let (place, _) = places.next()?;
    places.next().is_none().then_some(place)
}

/// The number in a text that has one and no other.
fn only_number(text: &str) -> Option<f64> {
    let is_part = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | ',' | '-' | '+');
    let runs = text.split(|letter| !is_part(letter));
    let mut numbers = runs.filter(|run| run.bytes().any(|byte| byte.is_ascii_digit()));
    let number = numbers.next()?.trim_end_matches(['.', ',']).replace(',', "");
    number.parse().ok().filter(|_| numbers.next().is_none())
}

/// Whether a text is a letter, begins with one as a mark (also behind `Option` or `Choice`), or ends in one.
fn has_letter(text: &str, letter: char) -> bool {
    let mut words = text.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty());
    let is_it = |word: Option<&str>| word.is_some_and(|word| word.chars().eq([letter]));
    let last = words.clone().next_back();
    let first = words.next();
    let second = words.next();
    if second.is_none() {
        return first.is_some_and(|word| word.len() == 1 && word.eq_ignore_ascii_case(&letter.to_string()));
    }
    let is_option =
        first.is_some_and(|word| ["option", "choice", "answer"].contains(&word.to_lowercase().as_str()));
    // `A dog` and `I run` begin with words.
    let is_word = matches!(letter, 'A' | 'I')
        && text
            .trim_start()
            .strip_prefix([letter])
            .is_some_and(|rest| rest.trim_start_matches(' ').starts_with(char::is_alphabetic));
    is_it(first) && !is_word || is_option && is_it(second) || is_it(last)
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
    // `.5` is a number.
    text.trim_start_matches(['(', '[', ' ']).trim_end_matches([')', ']', '.', ':', ' '])
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
