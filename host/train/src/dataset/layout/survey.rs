//! What all rows of a file say together about their choices: whether numbers count from 0 or 1, whether a letter is a label
//! or a text, and whether columns of doubtful names are choices. One row alone often fits more than one.

use std::collections::BTreeMap;

use super::apart::Standing;
use super::choices::{Candidate, Choices, candidates};
use super::fit::{Doubt, Fit, Verdict, fits, is_lettered, is_of_many};
use super::key::{Meant, READINGS, Reading, folded, is_index, keys, letter_in, meant};
use crate::dataset::table::{Cell, Row};

/// Most sets of columns of doubtful names that are looked at: rows may name columns as they like.
pub(super) const MAX_SETS: usize = 200;

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
        let keys = keys(row, path);
        let Some(first) = keys.first().copied() else { return };
        for candidate in candidates(row, path) {
            // An explanation in `answer` doesn't hide the letter beside it.
            let (name, key) = match &candidate.choices {
                Ok(Some(choices)) if !fits(choices, first.1) && !candidate.is_small => {
                    let is_told = |(_, cell): &&(&str, &Cell)| is_lettered(cell) && fits(choices, cell);
                    keys.iter().find(is_told).copied().unwrap_or(first)
                }
                _ => first,
            };
            // What a plain question has its answer in.
            let is_plain = path.is_some() || folded(name) == "answer";
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
                    Some(_) if !candidate.is_small && is_of_many(choices, key) => fit.spoilt += 1,
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
        let Some(fit) = self.doubtful.get(&candidate.id) else {
            let is_full = self.doubtful.len() == MAX_SETS && candidate.standing != Standing::Unknown;
            return if is_full { Verdict::Unclear(Doubt::TooMany) } else { Verdict::Other };
        };
        // Columns of any name hold an answer's text by chance, and other ways to write it do always.
        let is_all = fit.fitting > 0 && fit.others == 0 && fit.spoilt == 0;
        let is_mixed = fit.has_zero && fit.has_end;
        let is_named = is_all && fit.named == fit.fitting && fit.texts < fit.fitting && !is_mixed;
        // Letters that name choices in most rows, or nearly all answers, are no chance: the rest may be mistakes.
        let all = fit.fitting + fit.others + fit.spoilt;
        let is_mostly = fit.letters * 2 > all || fit.fitting * 20 >= all * 19 && fit.texts * 2 < fit.fitting;
        match candidate.standing {
            Standing::Usual | Standing::Doubtful => fit.verdict(),
            _ if !is_all && !is_mixed && is_mostly && fit.with_words > 0 => match fit.first_other {
                Some(row) => Verdict::Unclear(Doubt::But(row)),
                None => Verdict::Unclear(Doubt::Name),
            },
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
            let places = self.places(choices, name, &meant);
            match (places.is_empty(), found.is_empty()) {
                (true, true) if meant.is_text_of_two => {
                    return Err("the right choice is the text of two choices".to_owned());
                }
                (true, true) => {
                    return Err(format!("the right choice in `{name}` is none of the choices"));
                }
                // A category has a number, but a letter beyond the choices is a mistake.
                (true, false) if meant.is_letter || choices.flagged.is_some() && meant.is_number => {
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
        // Of two columns that each leave it open, one may say something else.
        let is_told = found.iter().any(|(_, places)| places.len() == 1);
        match left[..] {
            [place] if is_told => Ok(place),
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
        let may_count = meant.is_number && is_index(key);
        if choices.prefers_labels && !may_count && kept.contains(&Reading::Label) {
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
            let (other, remedy) = match meant.is_number {
                true => ("the label, the place", "letters"),
                false => ("the letter", "whole texts"),
            };
            return format!(
                "the right choice in `{key}` may be {other} or the text of one, and other rows don't tell (give {remedy})"
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
