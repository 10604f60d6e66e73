//! Which number a text gives as its answer.

use exgrpo_guest_sdk::response::{Scale, asserted, denies, is_bound, is_left_to_work_out, scale};

use crate::clauses::{has_another_subject, is_circumstance, is_compared, main_clause};
use crate::numbers::{Number, numbers};

/// Verbs that a value follows.
const VERBS: [&str; 7] = [" is ", " is: ", " are ", " equals ", " was ", " be ", " total of "];
/// What an equation comes to follows them.
const EQUALS: [&str; 5] = ["=", "≈", "\\approx", "→", "\\rightarrow"];
/// Words that stand between a number and another that is no part of it.
const JOINTS: [&str; 13] =
    ["of", "in", "for", "at", "from", "per", "is", "are", "was", "than", "with", "because", "since"];
/// Units that have smaller ones.
const UNITS: [&str; 24] = [
    "hour", "hours", "h", "hr", "hrs", "minute", "minutes", "min", "mins", "day", "days", "week", "weeks",
    "year", "years", "month", "months", "feet", "foot", "ft", "dollar", "dollars", "pound", "pounds",
];
/// What a number behind them counts, in small letters.
const LABELLED: [&str; 14] = [
    "step", "case", "part", "question", "problem", "option", "equation", "method", "example", "figure",
    "table", "schritt", "étape", "paso",
];
/// Bytes before a number that are looked at.
const MAX_CLAUSE: usize = 120;

/// Bytes at the end of a response in which its last number is looked for at first.
const MAX_END: usize = 8_192;
/// Numbers of the same sentence that are looked at.
const MAX_OTHERS: usize = 16;

/// How numbers are read for one question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// The scale that the question asks for, as a unit.
    asked: Option<Scale>,
}

impl Reading {
    /// For a question that may ask "how many dozen" or "how many millions".
    pub(crate) fn new(question: &str) -> Self {
        let mut words = question.split(|char: char| !char.is_alphabetic());
        let mut asked = None;
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case("many") || word.eq_ignore_ascii_case("in") {
                let word = words.next().unwrap_or_default();
                asked = scale(word).or_else(|| scale(word.trim_end_matches(['s', 'S']))).or(asked);
            }
        }
        Self { asked }
    }

    pub(crate) fn numbers(self, text: &str) -> Vec<Number> {
        numbers(text, self.asked)
    }

    /// The only number of a text, if it is its value.
    pub(crate) fn only(self, text: &str) -> Option<Number> {
        let mut numbers = self.numbers(text);
        let last = numbers.pop()?;
        (numbers.is_empty() && is_value(text, &last)).then_some(last)
    }

    /// The first number of a text, unless a sign or nothing at all joins a second one to it: `5 - 3`, `5 3`, `5 or 3`.
    pub(crate) fn single(self, text: &str) -> Option<Number> {
        let mut found = self.numbers(text).into_iter();
        let first = found.next()?;
        if !is_value(text, &first) {
            return None;
        }
        let rest = text.get(first.end..)?.trim_start_matches([' ', '$', '*']);
        if rest
            .strip_prefix(['x', 'X'])
            .is_some_and(|rest| rest.trim_start().starts_with(|char: char| char.is_ascii_digit()))
        {
            return None;
        }
        let Some(second) = found.next() else { return Some(first) };
        let between = text.get(first.end..second.start)?;
        let is_mark = |char: char| char.is_whitespace() || "$*\\".contains(char);
        let bare = between.trim_matches(is_mark);
        // "8 (5 + 3)" says how it was found, "5 (or 3)" doesn't say what it is.
        let bare = match bare.strip_prefix('(') {
            Some("") => return Some(first),
            Some(inner) => inner.trim_matches(is_mark),
            None => bare,
        };
        if is_second_part(between, text.get(second.end..)?) {
            return None;
        }
        let is_joined = matches!(bare, "or" | "and" | "to" | "times" | "cdot" | "或" | "和")
            || bare.chars().all(|char| "+-−–±/×÷·^,;:&x".contains(char));
        (!is_joined).then_some(first)
    }

    /// The number that a line behind "the answer is" gives.
    pub(crate) fn announced(self, line: &str) -> Option<Number> {
        let sentence = line.split_once(". ").map_or(line, |(sentence, _)| sentence);
        // "Rs. 10" is no end of a sentence.
        let sentence = if sentence.contains(|char: char| char.is_ascii_digit()) { sentence } else { line };
        let asserted = asserted(sentence)?;
        let asserted = &asserted[..main_clause(asserted).unwrap_or(asserted.len())];
        let text = result_of(told(asserted));
        let found = self.numbers(text);
        // "Over the 8 hours she drives 340 miles."
        let is_sentence = text.trim_start_matches(['*', ' ']).chars().take(2).all(char::is_alphabetic);
        if is_sentence && found.len() > 1 && found.first().is_some_and(|first| is_circumstance(text, first)) {
            let mut others =
                found.iter().filter(|number| !is_circumstance(text, number) && !number.is_ordinal);
            let only = others.next().filter(|only| is_value(text, only));
            return only.filter(|_| others.next().is_none()).cloned();
        }
        let all = self.numbers(asserted);
        let is_of_two = all.windows(2).any(|pair| has_another_subject(&asserted[pair[0].end..pair[1].start]));
        if is_of_two { None } else { self.single(text) }
    }

    /// The number that a sentence is about, where its last only says when, for what or of how many: the only other one.
    fn meant<'a>(self, text: &str, found: &'a [Number], last: &'a Number) -> Option<(usize, &'a Number)> {
        let index = found.len() - 1;
        let sentence =
            text[..last.start].rfind(". ").max(text[..last.start].rfind('\n')).map_or(0, |at| at + 1);
        let end = main_clause(&text[sentence..]).map(|end| sentence + end);
        let is_beside =
            |number: &Number| end.is_some_and(|end| number.start > end) || is_circumstance(text, number);
        if !is_beside(last) {
            return Some((index, last));
        }
        // "2 * 6 = 12 eggs in 2 boxes" is about what it comes to.
        let result = text[sentence..last.start].rfind('=').map_or(sentence, |at| sentence + at);
        let others = found[..index].iter().enumerate().rev().take(MAX_OTHERS);
        let mut others = others
            .take_while(|(_, number)| number.start >= result)
            .filter(|(_, number)| !number.is_ordinal && !is_beside(number));
        match (others.next(), others.next()) {
            (None, _) => Some((index, last)),
            (Some(only), None) if is_value(text, only.1) => Some(only),
            _ => None,
        }
    }

    /// The last number of a text, if it is what its sentence is about.
    pub(crate) fn last(self, text: &str) -> Option<Number> {
        let text = end_of(text);
        let aside = asides(text);
        let found = self.numbers(text);
        let is_aside = |at: usize| {
            let opened = aside.partition_point(|(start, _)| *start < at);
            opened.checked_sub(1).and_then(|last| aside.get(last)).is_some_and(|(_, end)| at < *end)
        };
        // "1/2 of them" says how it was found.
        let is_share = |number: &Number| {
            text[number.start..number.end].contains('/') && text[number.end..].starts_with(" of ")
        };
        let is_meant = |number: &Number| {
            !number.is_ordinal && !is_aside(number.start) && !is_share(number) && !is_label(text, number)
        };
        let is_no_label = |number: &Number| !is_label(text, number);
        let index = found.iter().rposition(is_meant).or_else(|| found.iter().rposition(is_no_label))?;
        let last = found.get(index)?;
        if !is_value(text, last) {
            return None;
        }
        let (index, last) = self.meant(text, &found[..=index], last)?;
        // "5 to 6" and "5 or 6" are two answers; "from 10 to 6" ends in one.
        let other = index.checked_sub(1).and_then(|before| found.get(before));
        let joint = other.and_then(|other| text.get(other.end..last.start)).map(str::trim);
        let is_range = matches!(joint, Some("or" | "and"))
            || (joint == Some("to")
                && !other.is_some_and(|other| text[..other.start].trim_end().ends_with("from")));
        let is_part = other.is_some_and(|other| {
            is_second_part(&text[other.end..last.start], &text[last.end..])
                && joins_units(&text[other.end..last.start])
        });
        let is_of_two = other.is_some_and(|other| has_another_subject(&text[other.end..last.start]));
        (!is_range && !is_part && !is_of_two).then(|| last.clone())
    }
}

/// Whether a number counts a step of the working, "Step 2", or an item of a list: "2) Add them".
fn is_label(text: &str, number: &Number) -> bool {
    let before = text[..number.start].trim_end_matches(['#', '*', ' ', '-']);
    let word = before.rsplit(|char: char| !char.is_alphabetic()).next().unwrap_or_default();
    let begins_line = before.is_empty() || before.ends_with('\n');
    let behind = text[number.end..].trim_start_matches('*');
    let is_item = |rest: &str| rest.trim_start().starts_with(char::is_alphabetic);
    LABELLED.iter().any(|other| word.eq_ignore_ascii_case(other))
        || begins_line && (behind.starts_with(')') || behind.strip_prefix(". ").is_some_and(is_item))
}

/// Whether a number is the second part of a quantity, or of two side by side: "5 hours (and) 30 minutes". One word, and perhaps
/// "and", stands before it, and one word behind it ends the clause, or the first is a unit that has smaller ones.
fn is_second_part(between: &str, behind: &str) -> bool {
    let mut words = between
        .split(|char: char| char.is_whitespace() || ",$*\\".contains(char))
        .filter(|word| !word.is_empty());
    let is_word = |word: &str| word.chars().all(char::is_alphabetic);
    let is_joined = words.next().is_some_and(|word| is_word(word) && !JOINTS.contains(&word))
        && words.next().is_none_or(|word| matches!(word, "and" | "und" | "et" | "y" | "e"))
        && words.next().is_none();
    let behind = behind.trim_start_matches([' ', '*', '$']);
    let end = behind.find(|char: char| !char.is_alphabetic()).unwrap_or(behind.len());
    let rest = behind[end..].trim_start_matches(['*', '$', ' ']);
    is_joined
        && end > 0
        && (joins_units(between) || rest.is_empty() || rest.starts_with(['.', '!', '\n', ';']))
}

/// Whether the word before a number is a unit that has smaller ones.
fn joins_units(between: &str) -> bool {
    let word = between.split_whitespace().next().unwrap_or_default().trim_end_matches([',', '.']);
    UNITS.contains(&word.to_lowercase().as_str())
}

/// The end of a text, from a space on; all of one that is short, or that has no number there.
fn end_of(text: &str) -> &str {
    let Some(mut from) = text.len().checked_sub(MAX_END) else { return text };
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let end = &text[from..];
    let end = end.find(char::is_whitespace).map_or(end, |space| &end[space..]);
    if end.contains(|char: char| char.is_ascii_digit()) { end } else { text }
}

/// "3 + 4 = 7" ends in what it comes to.
pub(crate) fn result_of(text: &str) -> &str {
    let ends = EQUALS.iter().filter_map(|sign| Some(text.rfind(sign)? + sign.len()));
    &text[ends.max().unwrap_or(0)..]
}

/// Whether what stands before and behind a number leaves it as it is: no denial, no bound, nothing to work out.
fn is_value(text: &str, number: &Number) -> bool {
    let before = clause(&text[..number.start]);
    let behind = &text[number.end..];
    number.is_readable()
        && !denies(before)
        && !is_compared(&text[..number.start], behind)
        && !is_bound(&text[..number.start], behind)
        && !is_left_to_work_out(before, behind)
}

/// The end of a text from the last sign on that ends a clause.
pub(crate) fn clause(text: &str) -> &str {
    let mut from = text.len().saturating_sub(MAX_CLAUSE);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].rsplit([',', ';', ':', '.', '!', '?', '\n']).next().unwrap_or_default()
}

/// What stands in brackets: from where to where, in order.
fn asides(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open = None;
    let mut last = ' ';
    for (at, char) in text.char_indices() {
        match char {
            // `\(` begins a formula.
            '(' if last != '\\' => open = Some(at),
            ')' if last != '\\' => found.extend(open.take().map(|start| (start, at))),
            '\n' => open = None,
            _ => {}
        }
        last = char;
    }
    found
}

/// "the total of 3 days is 15" says what something is; the number before the verb is not it.
fn told(sentence: &str) -> &str {
    let begins_with_words = sentence.chars().take(2).all(char::is_alphabetic);
    let ends = VERBS.iter().filter_map(|verb| Some(sentence.rfind(verb)? + verb.len()));
    let begins_value = |at: &usize| {
        sentence[*at..]
            .trim_start_matches(['*', '$', '\\', '(', '-', '€', '£', ' '])
            .starts_with(|char: char| char.is_ascii_digit())
    };
    let at = ends.filter(begins_value).max().filter(|_| begins_with_words);
    &sentence[at.unwrap_or(0)..]
}
