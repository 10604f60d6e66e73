//! Choices that have a column each: `A`, `B`, ..; `option_a`, ..; `choice1`, ..; `ending0`, ..

use std::collections::BTreeMap;

use crate::dataset::table::{Cell, Row};

/// What the names of such columns begin with, in the order in which they are looked for. One that begins another comes
/// after it.
const STEMS: [&str; 8] =
    ["answer_choice", "answer_option", "option", "opt", "choice", "ending", "candidate", "alternative"];
/// Beginnings of names that are often no choices.
const DOUBTFUL_STEMS: [&str; 6] = ["", "op", "solution", "sol", "answer", "ans"];
/// Numbers as words, from 1.
const WORDS: [&str; 10] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
/// Most digits of a choice's number: a year or an id is no choice.
const MAX_DIGITS: usize = 3;

/// Columns of choices, whatever signs and capitals their names have.
#[derive(Debug)]
pub(super) struct ColumnsApart<'a> {
    /// A name for the set of them, the same in all rows.
    pub(super) id: String,
    /// Names by place; two names of one place are one choice said twice.
    pub(super) places: BTreeMap<usize, Vec<&'a str>>,
    kind: Kind,
    stem: String,
    pub(super) standing: Standing,
}

/// What a name says about what is under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Choices.
    Usual,
    /// Choices or something else: all rows of the file tell.
    Doubtful,
    /// Other ways to write the answer, but for some datasets.
    Alias,
    /// Nothing: not read as choices, and not taken for something else where answers name them.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Letter,
    /// A small letter alone: often the name of a number.
    Small,
    Number,
}

impl Kind {
    fn label(self, place: usize) -> String {
        match (self, u8::try_from(place)) {
            (Self::Letter | Self::Small, Ok(place)) => char::from(b'A'.saturating_add(place)).to_string(),
            _ => place.to_string(),
        }
    }
}

/// All sets of columns that may be choices, the most usual first. A set may lack some of its choices.
pub(super) fn columns_apart(row: &Row) -> Vec<ColumnsApart<'_>> {
    let mut sets: BTreeMap<(usize, String, Kind), BTreeMap<usize, Vec<&str>>> = BTreeMap::new();
    for name in row.keys() {
        if let Some(Part { rank, stem, kind, place }) = part(name) {
            sets.entry((rank, stem, kind)).or_default().entry(place).or_default().push(name);
        }
    }
    let set = |((rank, stem, kind), places): ((usize, String, Kind), BTreeMap<usize, Vec<_>>)| {
        let standing = match rank {
            UNKNOWN if places.len() < 2 => return None,
            UNKNOWN => Standing::Unknown,
            _ if rank < STEMS.len() => Standing::Usual,
            _ => Standing::Doubtful,
        };
        Some(ColumnsApart { id: format!("{stem} {kind:?}"), places, kind, stem, standing })
    };
    sets.into_iter().filter_map(set).collect()
}

/// A choice: its label, the name of its column, and what that holds.
type Labelled<'a> = (String, &'a str, &'a Cell);

impl<'a> ColumnsApart<'a> {
    /// Place of the first choice.
    fn first(&self) -> usize {
        usize::from(self.kind == Kind::Number && !self.places.contains_key(&0))
    }

    /// True where their numbers count from 1: then one that says which is right may count from 0 all the same.
    pub(super) fn counts_from_1(&self) -> bool {
        self.kind == Kind::Number && self.first() == 1
    }

    /// True for small letters alone.
    pub(super) fn is_small(&self) -> bool {
        self.kind == Kind::Small
    }

    /// True for names that other things have as often as choices: `a`, `solution1`, `A` beside `B` alone.
    pub(super) fn may_be_counted(&self) -> bool {
        match self.kind {
            Kind::Small => true,
            Kind::Letter | Kind::Number if !self.stem.is_empty() => true,
            Kind::Letter => self.places.len() < 3,
            Kind::Number => false,
        }
    }

    /// True for columns of the same word, one set with letters and one with numbers, say.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.stem == other.stem && !self.stem.is_empty()
    }

    /// Columns that are not empty.
    pub(super) fn filled(&self, row: &'a Row) -> Vec<(&'a str, &'a Cell)> {
        let names = self.places.values().flatten().copied();
        names.filter_map(|name| Some((name, row.get(name).filter(|cell| !cell.is_empty())?))).collect()
    }

    /// The choices with their labels. Those at the end may be empty; none where fewer than two are not.
    ///
    /// # Errors
    /// One before others is missing or empty, or there twice.
    pub(super) fn cells(&self, row: &'a Row) -> Result<Option<Vec<Labelled<'a>>>, String> {
        let mut cells: BTreeMap<usize, (&str, &Cell)> = BTreeMap::new();
        for (place, names) in &self.places {
            for name in names {
                let Some(cell) = row.get(*name).filter(|cell| !cell.is_empty()) else { continue };
                if let Some((other, _)) = cells.insert(*place, (name, cell)) {
                    return Err(format!(
                        "`{other}` and `{name}` are both the choice {}: rename one of them",
                        self.label(*place)
                    ));
                }
            }
        }
        let Some(last) = cells.keys().next_back().copied().filter(|_| cells.len() >= 2) else {
            return Ok(None);
        };
        let mut found = Vec::new();
        for place in self.first()..=last {
            let label = self.label(place);
            match (cells.get(&place), self.places.get(&place).and_then(|names| names.first())) {
                (Some((name, cell)), _) => found.push((label, *name, *cell)),
                (None, Some(name)) => {
                    return Err(format!("the choice in `{name}` is empty, later ones are not"));
                }
                (None, None) => {
                    let later = cells.range(place..).next().map(|(_, (name, _))| *name).unwrap_or_default();
                    return Err(format!("the choice {label} has no column, `{later}` after it has"));
                }
            }
        }
        Ok(Some(found))
    }

    fn label(&self, place: usize) -> String {
        self.kind.label(place)
    }
}

fn is_separator(letter: char) -> bool {
    matches!(letter, '_' | '-' | '.' | ':' | '(' | ')' | '[' | ']' | ' ')
}

/// Rank of the stems that are not known.
const UNKNOWN: usize = usize::MAX;

/// A name: what it begins with, and the letter or number beside that.
struct Part {
    /// Place of the stem among [`STEMS`] and [`DOUBTFUL_STEMS`].
    rank: usize,
    stem: String,
    kind: Kind,
    place: usize,
}

fn part(name: &str) -> Option<Part> {
    let bare = name.trim_matches(is_separator);
    let lower = bare.to_ascii_lowercase().replace(is_separator, "_");
    if let Some((kind, place)) = label(bare) {
        let is_small = bare.starts_with(|letter: char| letter.is_ascii_lowercase());
        let kind = if kind == Kind::Letter && is_small { Kind::Small } else { kind };
        // Words alone are no places, nor are numbers of three digits.
        let is_short = bare.len() <= 2;
        return is_short.then(|| Part { rank: STEMS.len(), stem: String::new(), kind, place });
    }
    let known =
        || STEMS.iter().chain(&DOUBTFUL_STEMS).copied().enumerate().filter(|(_, stem)| !stem.is_empty());
    if known().any(|(_, stem)| stem == lower) {
        return None;
    }
    let of_stem = |(rank, stem): (usize, &str)| {
        let behind = lower.strip_prefix(stem).and_then(|rest| {
            let tail = rest.trim_start_matches('_');
            // `options` and `sole` are words of their own.
            let is_word = tail.len() == rest.len() && (tail == "s" || stem == "sol");
            label(tail).filter(|(kind, _)| *kind == Kind::Number || !is_word)
        });
        let before = || lower.strip_suffix(stem)?.strip_suffix('_').and_then(label);
        let (kind, place) = behind.or_else(before)?;
        Some(Part { rank, stem: stem.to_owned(), kind, place })
    };
    let unknown = || {
        let stem = lower.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let (stem, tail) = match stem.len() < lower.len() {
            true => lower.split_at(stem.len()),
            false => lower.rsplit_once('_')?,
        };
        let (kind, place) = label(tail)?;
        Some(Part { rank: UNKNOWN, stem: stem.trim_end_matches('_').to_owned(), kind, place })
    };
    known().find_map(of_stem).or_else(unknown)
}

/// Place that a letter, a number or a number's word stands for.
fn label(text: &str) -> Option<(Kind, usize)> {
    if let Some(word) = WORDS.iter().position(|word| *word == text) {
        return Some((Kind::Number, word + 1));
    }
    match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => {
            Some((Kind::Letter, usize::from(letter.to_ascii_uppercase() - b'A')))
        }
        digits if digits.iter().all(u8::is_ascii_digit) && digits.len() <= MAX_DIGITS => {
            Some((Kind::Number, text.parse().ok()?))
        }
        _ => None,
    }
}

/// What a text calls a choice by its column, as in `option_2` or `Choice B`: the letter or number.
pub(super) fn named(text: &str) -> Option<String> {
    let part = part(text).filter(|part| !part.stem.is_empty() && part.rank != UNKNOWN)?;
    Some(part.kind.label(part.place))
}

/// Names of an object's parts as letters or numbers, where all are: `option_a` and `option_b`, say.
pub(super) fn labels_of<'a>(names: impl Iterator<Item = &'a String>) -> Option<Vec<String>> {
    let parts: Vec<Part> = names.map(|name| part(name)).collect::<Option<_>>()?;
    let first = parts.first()?;
    let is_same =
        |part: &Part| part.stem == first.stem && (part.kind == Kind::Number) == (first.kind == Kind::Number);
    let label = |part: &Part| part.kind.label(part.place);
    parts.iter().all(is_same).then(|| parts.iter().map(label).collect())
}
