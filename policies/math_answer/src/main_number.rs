//! Which number of a sentence is the one that it tells, and which belong to its conditions.

use exgrpo_guest_sdk::response::is_unspaced;

use crate::figures::{Number, numbers};
use crate::modifiers::last_words;

/// Words that a number behind them belongs to, and not to the answer.
const PREPOSITIONS: [&str; 24] = [
    "in",
    "after",
    "for",
    "with",
    "within",
    "at",
    "on",
    "by",
    "from",
    "per",
    "over",
    "during",
    "under",
    "before",
    "between",
    "through",
    "than",
    "until",
    "since",
    "among",
    "of",
    "every",
    "nach",
    "через",
];
/// Words between a preposition and its number.
const ARTICLES: [&str; 15] = [
    "original", "initial", "total", "the", "these", "those", "all", "her", "his", "their", "each", "both",
    "its", "other", "only",
];
/// What may be told by "of": "a total of 5".
const AMOUNTS: [&str; 30] = [
    "total",
    "sum",
    "remainder",
    "maximum",
    "minimum",
    "average",
    "cost",
    "price",
    "profit",
    "speed",
    "area",
    "value",
    "volume",
    "length",
    "mean",
    "median",
    "perimeter",
    "distance",
    "loss",
    "result",
    "answer",
    "probability",
    "rate",
    "age",
    "score",
    "product",
    "height",
    "width",
    "weight",
    "difference",
];
/// What a number behind it counts, as in "step 3".
const LABELS: [&str; 24] = [
    "step", "case", "part", "equation", "eq", "method", "question", "problem", "option", "figure", "table",
    "example", "lemma", "theorem", "section", "row", "chapter", "page", "day", "week", "grade", "exercise",
    "level", "note",
];
/// Verbs whose infinitive says the answer: "has to pay 5".
const MODALS: [&str; 28] = [
    "need",
    "needs",
    "needed",
    "have",
    "has",
    "had",
    "able",
    "want",
    "wants",
    "going",
    "possible",
    "equal",
    "close",
    "comes",
    "come",
    "up",
    "amounts",
    "adds",
    "get",
    "us",
    "leads",
    "likely",
    "simplifies",
    "evaluates",
    "reduces",
    "corresponds",
    "rounds",
    "sums",
];

/// Verbs that the answer follows behind "with".
const KEEPING: [&str; 7] = ["leaves", "leave", "leaving", "left", "ends", "end", "ended"];

/// Numbers at the end of a clause that are looked at.
const MAX_NUMBERS: usize = 64;

/// The number that a clause says, where it says one beside those of its conditions. `strictly`, a number that a preposition
/// stands before is none.
pub(crate) fn main_number(clause: &str, strictly: bool) -> Option<Number> {
    let found = numbers(clause);
    let first = found.len().saturating_sub(MAX_NUMBERS);
    let all: Vec<Number> = found.into_iter().skip(first).filter(|number| !is_label(clause, number)).collect();
    let is_main = |number: &Number| !is_beside(clause, number);
    let counts = |number: &Number| {
        let behind = clause[number.end..].trim_start_matches(['*', ' ']);
        // ", 17 of them loose" is beside.
        let is_apposed = clause[..number.start].trim_end().ends_with(',');
        !is_apposed
            && ["of the ", "of these ", "of those ", "of them "].iter().any(|words| behind.starts_with(words))
    };
    let place = all
        .iter()
        .position(|number| is_main(number) && counts(number))
        .or_else(|| all.iter().rposition(is_main))
        .or_else(|| if strictly { None } else { all.len().checked_sub(1) })?;
    let is_clear = !has_two_subjects(clause, &all[..place]);
    all.into_iter().nth(place).filter(|_| is_clear)
}

/// "Bob has 5 apples and Alice has": only the question says whose number counts.
fn has_two_subjects(clause: &str, before: &[Number]) -> bool {
    let Some(number) = before.last() else { return false };
    let rest = &clause[number.end..];
    rest.split_once(" and ").is_some_and(|(between, subject)| {
        between.len() < 30
            && subject.starts_with(|char: char| char.is_ascii_uppercase())
            && !between.contains([',', '.'])
    })
}

/// "Step 3", or the number of an item of a list.
pub(crate) fn is_label(clause: &str, number: &Number) -> bool {
    let words = last_words(&clause[..number.start], 1);
    let before = clause[..number.start].trim_end_matches(['#', '*', ' ', '-']);
    let begins_line = before.is_empty() || before.ends_with('\n');
    let behind = &clause[number.end..];
    LABELS.contains(&words.as_str()) || (begins_line && (behind.starts_with(')') || behind.starts_with(". ")))
}

/// Whether what is behind a number compares: "6 more than".
pub(crate) fn begins_comparison(behind: &str) -> bool {
    let mut next = behind.trim_start_matches(['*', '$', ' ']).split_whitespace();
    let compares =
        matches!(next.next(), Some("more" | "less" | "fewer" | "greater" | "older" | "younger" | "times"));
    compares && next.take(3).any(|word| matches!(word, "than" | "as"))
}

/// Whether words up to the end of a clause have a verb: "of them are loose".
fn has_verb(words: &str) -> bool {
    let clause = words.split([',', '.', ';']).next().unwrap_or_default();
    clause.split(' ').any(|word| matches!(word, "is" | "are" | "was" | "were" | "has" | "have" | "remain"))
}

/// Whether a number belongs to a condition or a comparison: "in 5 days", "6 more than".
pub(crate) fn is_beside(clause: &str, number: &Number) -> bool {
    // A time of day is no part of a condition: "at 3:30".
    if number.text.contains(':') || clause[..number.start].ends_with(is_unspaced) {
        return false;
    }
    if begins_comparison(&clause[number.end..]) {
        return true;
    }
    let behind = clause[number.end..].trim_start_matches(['*', ' ']);
    let is_share =
        ["of them ", "of these ", "of those ", "of which "].iter().any(|share| behind.starts_with(share));
    if is_share && clause[..number.start].trim_end().ends_with(',') && !has_verb(behind) {
        return true;
    }
    let words = last_words(&clause[..number.start], 5);
    let words: Vec<&str> = words.split(' ').collect();
    let bare =
        words.iter().rposition(|word| !ARTICLES.contains(word)).map_or(&words[..0], |last| &words[..=last]);
    match bare {
        [.., "out", "of"] => true,
        // "That leaves her with 5."
        [before @ .., "with"] if before.iter().any(|verb| KEEPING.contains(verb)) => false,
        [.., amount, "of"] if AMOUNTS.contains(amount) => false,
        [.., modal, "to"] => !MODALS.contains(modal),
        [.., word] if PREPOSITIONS.contains(word) => true,
        [.., "with", _] => true,
        [.., modal, "to", _] => !MODALS.contains(modal),
        ["to", _] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clause::main_clause;

    fn said(sentence: &str) -> String {
        let (text, _) = main_clause(sentence, &[]);
        main_number(&text, false).map(|number| number.text).unwrap_or_default()
    }

    #[test]
    fn numbers_of_other_things_are_not_the_answer() {
        for sentence in [
            "In 13 minutes he reads 30 pages.",
            "We need 30 workers to finish in 5 days.",
            "He bought 30 pens for $3 each.",
            "Lucy has 30 marbles, 14 more than Max.",
            "30 of the 40 numbers are prime.",
            "This gives a total of 30 ways to choose 4 books.",
            "It leaves a remainder of 30.",
            "She has to pay $30 for 11 tickets.",
            "It is finished after 30 days.",
            "There are 30 triangles with perimeter 8.",
        ] {
            assert_eq!(said(sentence), "30", "{sentence}");
        }
    }
}
