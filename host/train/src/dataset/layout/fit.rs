//! How well answers fit columns of doubtful names, and what follows from it.

use super::choices::{Choices, LETTERS};
use super::key::{Meant, READINGS, Reading, letter_in, meant};
use super::survey::MAX_SETS;
use crate::dataset::table::Cell;
use exgrpo_core::escape::quoted;

/// How well the answers fit columns of doubtful names.
#[derive(Debug, Default)]
pub(super) struct Fit {
    pub(super) fitting: usize,
    /// Rows whose answer is none of the choices, and the first of them.
    pub(super) others: usize,
    pub(super) first_other: Option<usize>,
    /// Rows whose answer is a letter that fits.
    pub(super) letters: usize,
    /// Rows whose answer is a letter beyond the choices, or whose columns have gaps.
    pub(super) spoilt: usize,
    /// Rows whose answer fits as a label or place.
    pub(super) named: usize,
    /// Rows that have more to them than numbers.
    pub(super) worded: usize,
    /// Rows whose answer is a number that may be an amount.
    pub(super) amounts: usize,
    /// Rows whose choices are not all numbers.
    pub(super) with_words: usize,
    /// True where an answer can only count from 0, and where one can only count from 1.
    pub(super) has_zero: bool,
    pub(super) has_end: bool,
    /// Rows whose answer fits as a text.
    pub(super) texts: usize,
    /// Places of these texts, a bit each.
    pub(super) places: u32,
}

/// Whether columns of doubtful names are choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Choices,
    Unclear(Doubt),
    Other,
}

/// Why it is not clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// Most answers are among them; the answer of this row isn't.
    But(usize),
    /// Answers and columns are numbers.
    Numbers,
    /// Answers are numbers, which may be amounts or places of choices.
    Amounts,
    /// The answer is always the text of the same column.
    SameText,
    /// No answer is among them, but some are letters.
    Letters,
    /// Answers fit, but the name is that of anything.
    Name,
    /// The file has so many such names that not all were looked at.
    TooMany,
}

impl Doubt {
    pub(super) fn reason(self, columns: &[&str]) -> String {
        let names: Vec<String> = columns.iter().take(2).map(|name| quoted(name).to_string()).collect();
        let why = match self {
            Self::But(row) => format!("most answers are one of them, that of row {row} is not"),
            Self::Numbers => "they are numbers as the answers are".to_owned(),
            Self::Amounts => "the answers are numbers, which may count them or say something else".to_owned(),
            Self::SameText => "the answer is always the text of the same one".to_owned(),
            Self::TooMany => format!("the file has more than {MAX_SETS} such sets"),
            Self::Letters | Self::Name => "answers are letters, none is one of them".to_owned(),
        };
        let names = names.join(", ");
        if self == Self::Name {
            return format!(
                "columns {names} seem to be choices, as all answers name one of them (rename them option_a and so on, or set \
                 dataset.layout to what it is)"
            );
        }
        format!(
            "columns {names} may or may not be choices: {why} (set dataset.layout to multiple-choice or to what it is)",
        )
    }
}

impl Fit {
    pub(super) fn miss(&mut self, number: usize) {
        self.others += 1;
        self.first_other.get_or_insert(number);
    }

    pub(super) fn add(&mut self, choices: &Choices, meant: &Meant) {
        self.fitting += 1;
        let is_named = READINGS.into_iter().any(|one| one != Reading::Text && meant.by(one).is_some());
        self.named += usize::from(is_named);
        self.letters += usize::from(meant.is_letter && meant.by(Reading::Label).is_some());
        let (from_0, from_1) = (meant.by(Reading::From0), meant.by(Reading::From1));
        self.has_zero |= from_0.is_some() && from_1.is_none();
        self.has_end |= from_1.is_some() && from_0.is_none();
        let is_number = |text: &String| text.trim().parse::<f64>().is_ok();
        let are_numbers = choices.texts.iter().all(is_number);
        self.with_words += usize::from(!are_numbers);
        self.worded += usize::from(!(are_numbers && meant.is_number));
        if let Some(place) = meant.by(Reading::Text) {
            self.texts += 1;
            self.places |= 1 << place;
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        // Where nearly all answers are letters of columns, the others are mistakes.
        let nearly_all = (self.fitting + self.others) * 19;
        let are_letters = self.letters * 20 >= nearly_all;
        // So it is where they are places in a column that says nothing but that.
        let are_places = self.amounts == 0
            && self.texts * 20 <= self.fitting
            && self.worded > 0
            && self.named * 20 >= nearly_all;
        match (self.fitting, self.others, self.first_other) {
            (0, 0, _) if self.spoilt > 0 => Verdict::Unclear(Doubt::Letters),
            (0, ..) => Verdict::Other,
            (_, 0, _) if self.worded == 0 => Verdict::Unclear(Doubt::Numbers),
            (fitting, 0, _) if self.texts == fitting && self.places.count_ones() < 2 => {
                Verdict::Unclear(Doubt::SameText)
            }
            (fitting, 0, _) if self.amounts == fitting => Verdict::Unclear(Doubt::Amounts),
            (_, 0, _) => Verdict::Choices,
            _ if are_letters || are_places => Verdict::Choices,
            (fitting, others, Some(row)) if (fitting > others || self.letters > 0) && self.worded > 0 => {
                Verdict::Unclear(Doubt::But(row))
            }
            _ => Verdict::Other,
        }
    }
}

pub(super) fn fits(choices: &Choices, key: &Cell) -> bool {
    meant(choices, key).is_some_and(|meant| !meant.is_none())
}

pub(super) fn is_lettered(key: &Cell) -> bool {
    key.text().is_some_and(|text| letter_in(&text).is_some())
}

/// Whether an answer is letters of several choices: `ABD`.
pub(super) fn is_of_many(choices: &Choices, key: &Cell) -> bool {
    let Some(text) = key.text() else { return false };
    let text = text.trim();
    let places = text.bytes().map(|letter| LETTERS.iter().position(|known| *known == letter));
    let places: Option<Vec<usize>> = places.collect();
    places.is_some_and(|places| {
        places.len() > 1
            && places.is_sorted_by(|one, next| one < next)
            && places.iter().all(|place| *place < choices.texts.len())
    })
}
