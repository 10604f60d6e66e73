//! Choices that have a column each: `A`, `B`, ..; `option_a`, ..; `choice1`, ..; `ending0`, ..

use std::collections::BTreeMap;

use crate::dataset::table::Row;

/// What the names of such columns begin with, in the order in which they are looked for.
const STEMS: [&str; 7] = ["option", "opt", "op", "choice", "ending", "candidate", "alternative"];
/// Beginnings of names that are often no choices.
const DOUBTFUL_STEMS: [&str; 3] = ["", "answer", "ans"];
/// Letters beyond this are taken for the end of a word, as in `options`.
const LAST_LETTER: u8 = b'J';

/// Columns of choices, the first one first.
#[derive(Debug)]
pub(super) struct ColumnsApart<'a> {
    /// Names; one that the row lacks is empty where a later one is there.
    pub(super) names: Vec<&'a str>,
    /// A letter or a number each.
    pub(super) labels: Vec<String>,
    /// True where the columns are choices only if the answer names or is one of them.
    pub(super) is_doubtful: bool,
}

/// All sets of columns that may be choices, the most usual first.
pub(super) fn columns_apart(row: &Row) -> Vec<ColumnsApart<'_>> {
    // By what is before the letter or number, and the kind of that.
    let mut sets: BTreeMap<(usize, &str, Kind), BTreeMap<usize, &str>> = BTreeMap::new();
    for name in row.keys() {
        let Some((before, kind, place)) = parts(name) else { continue };
        let stem = before.trim_end_matches(['_', '-', ' ', '.']).to_ascii_lowercase();
        let Some(rank) = STEMS.iter().chain(&DOUBTFUL_STEMS).position(|known| *known == stem) else {
            continue;
        };
        if stem.is_empty() && !before.is_empty() {
            continue;
        }
        sets.entry((rank, before, kind)).or_default().insert(place, name);
    }
    let found = sets.into_iter().filter_map(|((rank, _, kind), places)| {
        let first = match kind {
            Kind::Number if !places.contains_key(&0) => 1,
            _ => 0,
        };
        let last = *places.keys().next_back()?;
        // One before the last may be missing, not the first two.
        if !places.contains_key(&first) || !places.contains_key(&(first + 1)) {
            return None;
        }
        let range = first..=last;
        Some(ColumnsApart {
            names: range.clone().map(|place| places.get(&place).copied().unwrap_or_default()).collect(),
            labels: range.map(|place| kind.label(place)).collect(),
            is_doubtful: rank >= STEMS.len(),
        })
    });
    found.collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Capital,
    Small,
    Number,
}

impl Kind {
    fn label(self, place: usize) -> String {
        match (self, u8::try_from(place)) {
            (Self::Capital | Self::Small, Ok(place)) => char::from(b'A'.saturating_add(place)).to_string(),
            _ => place.to_string(),
        }
    }
}

/// A name's part before its last letter or its number, and that letter's or number's place.
fn parts(name: &str) -> Option<(&str, Kind, usize)> {
    let before = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if before.len() < name.len() {
        let digits = &name[before.len()..];
        // A year or an id is no choice.
        return Some((before, Kind::Number, digits.parse().ok().filter(|_| digits.len() <= 2)?));
    }
    let letter = *name.as_bytes().last()?;
    let kind = match letter {
        b'A'..=LAST_LETTER => Kind::Capital,
        b'a'..=b'j' => Kind::Small,
        _ => return None,
    };
    Some((&name[..name.len() - 1], kind, usize::from(letter.to_ascii_uppercase() - b'A')))
}
