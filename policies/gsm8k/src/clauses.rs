//! What of a sentence is beside the number that it is about: subordinate clauses, circumstances, comparisons.

use crate::numbers::Number;
use crate::reading::clause;

/// Words right before a number that isn't what a sentence is about, if it has another one: "12 dollars for 3 pens".
const CIRCUMSTANCES: [&str; 23] = [
    "in", "for", "than", "per", "within", "after", "before", "every", "from", "out of", "of the", "of these",
    "if", "when", "over", "during", "until", "since", "at", "of her", "of his", "of their", "of all",
];
/// Words that may stand between such a word and its number.
const ARTICLES: [&str; 12] =
    ["the", "these", "those", "her", "his", "their", "its", "original", "initial", "first", "total", "all"];
/// Words right behind such a number: "12 pens at 3 dollars each".
const RATES: [&str; 4] = ["each", "apiece", "per", "every"];
/// Words that begin a clause about something else: "she is 45, while Tom is 17".
const SUBORDINATE: [&str; 18] = [
    " while ",
    " whereas ",
    " once ",
    " although ",
    " though ",
    " when ",
    " after ",
    " before ",
    " because ",
    " since ",
    " if ",
    " leaving ",
    " including ",
    " compared to ",
    " compared with ",
    ", of which ",
    ", without ",
    " excluding ",
];
/// Verbs that the answer follows behind "with": "that leaves her with 5".
const KEEPING: [&str; 13] = [
    "leave", "leaves", "leaving", "left", "end", "ends", "ended", "up", "stuck", "remains", "remain",
    "finishes", "finish",
];
/// Signs and commands that compare the numbers beside them.
const COMPARISONS: [&str; 16] = [
    "<", "≤", "≥", "≠", "≮", "≯", "!=", "\\le", "\\leq", "\\ge", "\\geq", "\\lt", "\\gt", "\\ne", "\\neq",
    "\\not",
];
/// Words of a clause before a number that are looked at.
const MAX_WORDS: usize = 5;

/// Where the main clause ends of a text that begins with it, if it has a number and another clause follows in its sentence.
pub(crate) fn main_clause(text: &str) -> Option<usize> {
    let end = text.find(['\n', '!', '?']).into_iter().chain(text.find(". ")).min().unwrap_or(text.len());
    let sentence = &text[..end];
    let first = sentence.find(|char: char| char.is_ascii_digit())?;
    SUBORDINATE.iter().filter_map(|word| Some(first + sentence[first..].find(word)?)).min()
}

/// Whether a number only says when, for what, for how much each or of how many.
pub(crate) fn is_circumstance(text: &str, number: &Number) -> bool {
    let behind = text[number.end..].chars().take(40).collect::<String>();
    let mut words =
        behind.split_whitespace().map(|word| word.trim_matches(|char: char| !char.is_alphabetic()));
    follows_preposition(clause(&text[..number.start]))
        || words.by_ref().take(2).any(|word| RATES.contains(&word))
        || is_part(text, number)
}

/// Whether a preposition stands before the place that a clause ends at: "for 4 notebooks and", "out of the original".
fn follows_preposition(before: &str) -> bool {
    let is_mark = |char: char| char.is_whitespace() || "$*\\€£".contains(char);
    let before = before.trim_end_matches(is_mark).to_lowercase();
    let is_before = |before: &str| {
        CIRCUMSTANCES.iter().any(|word| {
            before.strip_suffix(word).is_some_and(|rest| !rest.ends_with(|char: char| char.is_alphabetic()))
        })
    };
    if is_before(&before) {
        return true;
    }
    let words: Vec<&str> = before.rsplit(is_mark).filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
    let articles = words.iter().take_while(|word| ARTICLES.contains(word)).count();
    if let Some(first) = articles.checked_sub(1).and_then(|last| words.get(last)) {
        let at = first.as_ptr() as usize - before.as_ptr() as usize;
        if is_before(before[..at].trim_end()) {
            return true;
        }
    }
    match words[..] {
        // "with 1 left over", but not "leaves her with 5"
        ["with", ..] => !words.iter().any(|word| KEEPING.contains(word)),
        // "for 4 notebooks and 9 pens"
        ["and", noun, number, ..] if noun.chars().all(char::is_alphabetic) => {
            let at = number.as_ptr() as usize - before.as_ptr() as usize;
            number.starts_with(|char: char| char.is_ascii_digit() || char == '$')
                && follows_preposition(&before[..at])
        }
        _ => false,
    }
}

/// Whether a number is a share of what was said: ", 39 of them loose".
fn is_part(text: &str, number: &Number) -> bool {
    let behind = text[number.end..].trim_start_matches([' ', '*', '$']);
    let rest = ["of them ", "of these ", "of those ", "of which "]
        .iter()
        .find_map(|share| behind.strip_prefix(share));
    let rest = rest.map(|rest| rest.split(['.', '\n', ',', ';']).next().unwrap_or_default());
    let has_verb = |rest: &str| {
        let mut words = rest.split(' ');
        words.any(|word| {
            matches!(word, "is" | "are" | "was" | "were" | "has" | "have" | "will" | "do" | "remain")
        })
    };
    text[..number.start].trim_end_matches([' ', '*', '$']).ends_with(',')
        && rest.is_some_and(|rest| !has_verb(rest))
}

/// Whether a sign beside a number compares it: "x < 7", "$x \\neq 7$". Arrows, tags and quotes are no such signs.
pub(crate) fn is_compared(before: &str, behind: &str) -> bool {
    let before = before.trim_end_matches([' ', '$', '*', '{']);
    let is_sign = |text: &str| COMPARISONS.iter().any(|sign| text.ends_with(sign));
    if is_sign(before) && !before.ends_with("<<") {
        return true;
    }
    if let Some(rest) = before.strip_suffix('>') {
        let line = rest.rsplit('\n').next().unwrap_or_default();
        let is_arrow = rest.ends_with(['=', '-', '>', '–', '—']);
        let is_tag = line.rfind('<').is_some_and(|at| !line[at + 1..].contains([' ', '>']));
        if !(is_arrow || is_tag || line.trim().is_empty()) {
            return true;
        }
    }
    let behind = behind.trim_start_matches([' ', '$', '*', '}']);
    let is_tag = behind.strip_prefix('<').is_some_and(|tag| {
        tag.starts_with(['/', '<']) || tag.starts_with(char::is_alphabetic) && tag.contains('>')
    });
    !is_tag && COMPARISONS.iter().any(|sign| *sign != "\\not" && behind.starts_with(sign))
        || behind.strip_prefix('>').is_some_and(|rest| !rest.starts_with('>'))
}

/// Whether words between two numbers tell the second one of somebody else: "and Tom has", so that only the question says which
/// of them is asked for.
pub(crate) fn has_another_subject(between: &str) -> bool {
    let joined = [" and ", ", but ", "; "].iter().find_map(|joint| between.split_once(joint));
    joined.is_some_and(|(noun, subject)| {
        let is_plain = noun.len() < 30 && !noun.contains(['.', '\n', '=']);
        let mut words = subject.split(' ').filter(|word| !word.is_empty());
        let is_name = words.next().is_some_and(|name| {
            name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphabetic)
        });
        is_plain && is_name && words.next().is_some_and(|verb| verb.starts_with(char::is_lowercase))
    })
}
