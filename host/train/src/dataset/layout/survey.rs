//! What all rows of a file say together about their choices: whether numbers count from 0 or 1, whether a letter is a label
//! or a text, and whether columns of doubtful names are choices. One row alone often fits more than one.

use std::collections::BTreeMap;

use super::apart::Standing;
use super::choices::{Candidate, Choices, candidates};
use super::key::{Meant, READINGS, Reading, folded, keys, letter_in, meant};
use crate::dataset::table::{Cell, Row};
use exgrpo_core::escape::quoted;

/// Most sets of columns of doubtful names that are looked at: rows may name columns as they like.
const MAX_SETS: usize = 200;

/// What was seen, and what follows from it.
#[derive(Debug, Default)]
pub(in crate::dataset) struct Survey {
    /// True where columns of doubtful names are choices because the layout was named.
    is_chosen: bool,
    /// By where the choices are, and by the column that says which is right.
    tallies: BTreeMap<(String, String), Tally>,
    /// By set of columns of doubtful names.
    doubtful: BTreeMap<String, Fit>,
}

/// Rows that one reading explains and another doesn't: how many, and the first of them.
#[derive(Debug, Default)]
struct Tally {
    alone: [[(usize, usize); READINGS.len()]; READINGS.len()],
}

impl Tally {
    fn add(&mut self, number: usize, meant: &Meant) {
        let pairs = READINGS.into_iter().flat_map(|one| READINGS.map(|other| (one, other)));
        for (one, other) in
            pairs.filter(|(one, other)| meant.by(*one).is_some() && meant.by(*other).is_none())
        {
            // What letters and words mean says nothing about numbers, nor words about letters.
            let is_told = match (one, other) {
                (Reading::Text, _) | (_, Reading::Text) => meant.is_number || meant.is_letter,
                _ => meant.is_number,
            };
            if is_told {
                let (rows, first) = &mut self.alone[one as usize][other as usize];
                if *rows == 0 {
                    *first = number;
                }
                *rows += 1;
            }
        }
    }

    fn rows(&self, one: Reading, other: Reading) -> usize {
        self.alone[one as usize][other as usize].0
    }

    /// True where `one` explains all that `other` does, and more.
    fn goes_before(&self, one: Reading, other: Reading) -> bool {
        self.rows(one, other) > 0 && self.rows(other, one) == 0
    }

    /// The first rows of numbers that can only count from 0 and only from 1, where there are both.
    fn mixed(&self) -> Option<(usize, usize)> {
        let (zeros, first_zero) = self.alone[Reading::From0 as usize][Reading::From1 as usize];
        let (ends, first_end) = self.alone[Reading::From1 as usize][Reading::From0 as usize];
        (zeros > 0 && ends > 0).then_some((first_zero, first_end))
    }

    /// True where some answers that look like what `reading` explains are texts: then one that is no text may be a mistake.
    fn is_spoilt(&self, reading: Reading) -> bool {
        self.rows(Reading::Text, reading) * 20 > self.rows(reading, Reading::Text)
    }
}

/// How well the answers fit columns of doubtful names.
#[derive(Debug, Default)]
struct Fit {
    fitting: usize,
    /// Rows whose answer is none of the choices, and the first of them.
    others: usize,
    first_other: Option<usize>,
    /// Rows whose answer is a letter that fits.
    letters: usize,
    /// Rows whose answer is a letter beyond the choices, or whose columns have gaps.
    spoilt: usize,
    /// Rows whose answer fits as a label or place.
    named: usize,
    /// Rows that have more to them than numbers.
    worded: usize,
    /// Rows whose answer is a number that may be an amount.
    amounts: usize,
    /// Rows whose choices are not all numbers.
    with_words: usize,
    /// True where an answer can only count from 0, and where one can only count from 1.
    has_zero: bool,
    has_end: bool,
    /// Rows whose answer fits as a text.
    texts: usize,
    /// Places of these texts, a bit each.
    places: u32,
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
}

impl Doubt {
    pub(super) fn reason(self, columns: &[&str]) -> String {
        let names: Vec<String> = columns.iter().take(2).map(|name| quoted(name).to_string()).collect();
        let why = match self {
            Self::But(row) => format!("most answers are one of them, that of row {row} is not"),
            Self::Numbers => "they are numbers as the answers are".to_owned(),
            Self::Amounts => "the answers are numbers, which may count them or say something else".to_owned(),
            Self::SameText => "the answer is always the text of the same one".to_owned(),
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

impl Survey {
    pub(in crate::dataset) fn new(is_chosen: bool) -> Self {
        Self { is_chosen, ..Self::default() }
    }

    /// Takes in a row of the file. `path` is where the right choice is said, if that was named by hand.
    pub(in crate::dataset) fn add(&mut self, number: usize, row: &Row, path: Option<&str>) {
        match Choices::certain(row, path) {
            Ok(Some(choices)) => {
                self.tally(number, row, path, &choices);
            }
            // The row is refused, whatever the others are.
            Err(_) => {}
            Ok(None) => self.add_doubtful(number, row, path),
        }
    }

    fn add_doubtful(&mut self, number: usize, row: &Row, path: Option<&str>) {
        let Some((name, key)) = keys(row, path).first().copied() else { return };
        // What a plain question has its answer in.
        let is_plain = path.is_some() || folded(name) == "answer";
        for candidate in candidates(row, path) {
            let is_new = !self.doubtful.contains_key(&candidate.id);
            if matches!(candidate.choices, Ok(None)) || is_new && self.doubtful.len() == MAX_SETS {
                continue;
            }
            if let Ok(Some(choices)) = &candidate.choices {
                self.tally(number, row, path, choices);
            }
            let fit = self.doubtful.entry(candidate.id.clone()).or_default();
            let letter = key.text().and_then(|text| letter_in(&text));
            match &candidate.choices {
                Ok(Some(choices)) => match meant(choices, key) {
                    Some(meant) if !meant.is_none() => {
                        fit.add(choices, &meant);
                        let is_amount = is_plain && candidate.may_be_counted && meant.is_number;
                        fit.amounts += usize::from(is_amount);
                    }
                    // `x` beside `a` and `b` is none of them.
                    Some(meant) if meant.is_letter && !candidate.is_small => fit.spoilt += 1,
                    _ => fit.miss(number),
                },
                _ if letter.is_some_and(|letter| candidate.has_place(letter)) => fit.spoilt += 1,
                _ => fit.miss(number),
            }
        }
    }

    fn tally(&mut self, number: usize, row: &Row, path: Option<&str>, choices: &Choices) {
        for (name, cell) in keys(row, path) {
            let Some(meant) = meant(choices, cell) else { continue };
            let tally = self.tallies.entry((choices.source.clone(), folded(name))).or_default();
            tally.add(number, &meant);
        }
    }

    /// Whether the columns of a doubtful set are choices.
    pub(super) fn verdict(&self, candidate: &Candidate) -> Verdict {
        let Some(fit) = self.doubtful.get(&candidate.id) else { return Verdict::Other };
        // Columns of any name hold an answer's text by chance, and other ways to write it do always.
        let is_all = fit.fitting > 0 && fit.others == 0 && fit.spoilt == 0;
        let is_mixed = fit.has_zero && fit.has_end;
        let is_named = is_all && fit.named == fit.fitting && fit.texts < fit.fitting && !is_mixed;
        match candidate.standing {
            Standing::Usual | Standing::Doubtful => fit.verdict(),
            _ if !is_named || fit.with_words == 0 => Verdict::Other,
            _ if fit.amounts == fit.fitting => Verdict::Unclear(Doubt::Amounts),
            Standing::Alias => Verdict::Choices,
            Standing::Unknown => Verdict::Unclear(Doubt::Name),
        }
    }

    /// True where the layout was named: then columns of doubtful names are choices.
    pub(super) fn is_chosen(&self) -> bool {
        self.is_chosen
    }

    /// Place of the right one of `choices`, by `path` or by columns of usual names, which must agree.
    ///
    /// # Errors
    /// None or more than one may be meant; the text says why and what to do.
    pub(super) fn right(&self, row: &Row, path: Option<&str>, choices: &Choices) -> Result<usize, String> {
        let keys = keys(row, path);
        let mut found: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut kind = None;
        if let Some(flagged) = choices.flagged {
            found.push((&choices.column, vec![flagged]));
        }
        for (name, cell) in &keys {
            let Some(meant) = meant(choices, cell) else {
                kind.get_or_insert((*name, cell.kind()));
                if matches!(cell, Cell::List(_)) && found.is_empty() {
                    break;
                }
                continue;
            };
            if meant.is_contradicted {
                return Err(format!(
                    "`{name}` is a letter or number that counts one choice and stands before another (give the text)"
                ));
            }
            let places = self.places(choices, name, &meant);
            match (places.is_empty(), found.is_empty()) {
                (true, true) if meant.is_text_of_two => {
                    return Err("the right choice is the text of two choices".to_owned());
                }
                (true, true) => {
                    return Err(format!("the right choice in `{name}` is none of the choices"));
                }
                (true, false) => {}
                (false, _) => found.push((name, places)),
            }
        }
        let Some(((first, places), others)) = found.split_first() else {
            return Err(match kind {
                Some((name, kind)) => format!("the right choice in `{name}` is {kind}"),
                None => "no column says which choice is right".to_owned(),
            });
        };
        let mut left = places.clone();
        for (name, places) in others {
            left.retain(|place| places.contains(place));
            if left.is_empty() {
                return Err(format!(
                    "`{first}` and `{name}` say different choices to be right (name one by dataset.answer)"
                ));
            }
        }
        match left[..] {
            [place] => Ok(place),
            _ => Err(self.doubt(choices, first, &keys)),
        }
    }

    fn tally_of(&self, choices: &Choices, key: &str) -> Option<&Tally> {
        self.tallies.get(&(choices.source.clone(), folded(key)))
    }

    /// Places that `meant` leaves open after what the file says about readings.
    fn places(&self, choices: &Choices, key: &str, meant: &Meant) -> Vec<usize> {
        let unseen = Tally::default();
        let tally = self.tally_of(choices, key).unwrap_or(&unseen);
        let fits: Vec<Reading> = READINGS.into_iter().filter(|one| meant.by(*one).is_some()).collect();
        let is_left = |one: &Reading| !fits.iter().any(|other| tally.goes_before(*other, *one));
        let mut kept: Vec<Reading> = fits.iter().copied().filter(is_left).collect();
        let counts = |one: &Reading| matches!(one, Reading::From0 | Reading::From1);
        let is_spoilt = (meant.is_number || meant.is_letter)
            && !kept.contains(&Reading::Text)
            && kept.iter().any(|one| tally.is_spoilt(*one));
        if is_spoilt || tally.mixed().is_some() && kept.iter().any(counts) {
            // It says nothing.
            return (0..choices.texts.len()).collect();
        }
        if choices.prefers_labels && kept.contains(&Reading::Label) {
            kept.retain(|one| !counts(one));
        }
        let mut places: Vec<usize> = kept.into_iter().filter_map(|one| meant.by(one)).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Why the right choice is open.
    fn doubt(&self, choices: &Choices, key: &str, keys: &[(&str, &Cell)]) -> String {
        let cell = keys.iter().find(|(name, _)| *name == key).map(|(_, cell)| *cell);
        let meant = cell.and_then(|cell| meant(choices, cell)).unwrap_or_default();
        let tally = self.tally_of(choices, key);
        let is_spoilt =
            |one: Reading| tally.is_some_and(|tally| meant.by(one).is_some() && tally.is_spoilt(one));
        if meant.by(Reading::Text).is_some() || READINGS.into_iter().any(is_spoilt) {
            let other = if meant.is_number { "the label, the place" } else { "the letter" };
            return format!(
                "the right choice in `{key}` may be {other} or the text of one, and other rows don't tell (give letters)"
            );
        }
        match tally.and_then(Tally::mixed) {
            Some((zero, end)) => format!(
                "the numbers in `{key}` count choices from 0 (row {zero}) and from 1 (row {end}) (give letters or texts)"
            ),
            None => format!(
                "the numbers in `{key}` may count choices from 0 or from 1: no row has 0 or the number of its choices (give \
                 letters or texts)"
            ),
        }
    }
}

impl Fit {
    fn miss(&mut self, number: usize) {
        self.others += 1;
        self.first_other.get_or_insert(number);
    }

    fn add(&mut self, choices: &Choices, meant: &Meant) {
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

    fn verdict(&self) -> Verdict {
        // Where nearly all answers are letters of columns, the others are mistakes.
        let nearly_all = (self.fitting + self.others) * 19;
        let are_letters = self.letters * 20 >= nearly_all;
        // So it is where they are places in a column that says nothing but that.
        let are_places =
            self.amounts == 0 && self.texts == 0 && self.worded > 0 && self.named * 20 >= nearly_all;
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
            (fitting, others, Some(row)) if fitting > others && self.worded > 0 => {
                Verdict::Unclear(Doubt::But(row))
            }
            _ => Verdict::Other,
        }
    }
}
