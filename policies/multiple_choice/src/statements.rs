//! What sentences say of labels: that one is chosen, or ruled out.

use exgrpo_guest_sdk::response::is_denial;

use crate::label::{Alphabet, REASONS};
use crate::predicates::predicate;
use crate::vocabulary::{
    ANSWERS, CHOOSING, DOUBTS, GIVING, LEADING, LEADS, NAMES, OPTIONS, PAIRS, RIGHT_UNJOINED, RULING_OUT,
    SUBJECTS, SURE, WRONG, WRONG_UNJOINED,
};
use crate::words::Words;

/// Words before a statement that are looked at for doubts.
const MAX_DOUBTS: usize = 5;

/// Words of a sentence before a label that are looked at for what it supposes.
const MAX_SENTENCE: usize = 24;
/// Words before a label, or its names, that leave it unsaid whether it is chosen: "so does option G", "the same for option G".
const UNSTATED: [&str; 23] = [
    "consider",
    "considering",
    "at",
    "see",
    "check",
    "unlike",
    "does",
    "do",
    "did",
    "for",
    "to",
    "from",
    "of",
    "like",
    "about",
    "as",
    "both",
    "or",
    "even",
    "except",
    "and",
    "too",
    "likewise",
];
/// Words that begin what is only supposed, and those that show that it isn't so.
const SUPPOSING: [&str; 14] = [
    "if",
    "had",
    "were",
    "unless",
    "suppose",
    "supposing",
    "wenn",
    "falls",
    "si",
    "se",
    "если",
    "should",
    "hätte",
    "otherwise",
];
const UNREAL: [&str; 17] = [
    "would", "had", "were", "could", "hätte", "wäre", "würde", "serait", "sería", "seria", "sarebbe",
    "avait", "hubiera", "tivesse", "avesse", "fosse", "бы",
];
/// Labels that are looked at from the end of a text on.
const MAX_LABELS: usize = 256;

/// What a sentence does with a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Chosen,
    RuledOut,
}

/// What a text says of its labels.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The last label that it chooses, and where; none where another is chosen beside it, or where it is ruled out behind.
    pub(crate) chosen: Option<(usize, char)>,
    /// What it rules out behind that.
    pub(crate) ruled_out: Vec<char>,
}

/// What the sentences of a text say of labels.
pub(crate) fn told(labels: Alphabet, words: &Words) -> Told {
    let mut told = Told::default();
    let found = (0..words.len()).rev().filter_map(|index| Some((index, words.label(index, labels)?)));
    for (index, label) in found.take(MAX_LABELS) {
        match said(labels, words, index) {
            Some(Said::RuledOut) if !told.ruled_out.contains(&label) => told.ruled_out.push(label),
            Some(Said::Chosen) => {
                let is_meant =
                    !told.ruled_out.contains(&label) && !is_one_of_several(labels, words, index, label);
                told.chosen = is_meant.then_some((words.start(index), label));
                break;
            }
            _ => {}
        }
    }
    told
}

/// Whether "A is correct and B is correct" chooses another label too.
fn is_one_of_several(labels: Alphabet, words: &Words, index: usize, label: char) -> bool {
    let lead = lead(words, index);
    let is_joined = lead.is_some_and(|lead| words.is(lead, &["and", "or", "both"]));
    is_joined
        && (0..index)
            .rev()
            .take(12)
            .take_while(|before| !words.ends_sentence(*before))
            .filter_map(|before| Some((before, words.label(before, labels)?)))
            .any(|(before, other)| other != label && said(labels, words, before) == Some(Said::Chosen))
}

/// The word before a label and its names, in the same sentence.
fn lead(words: &Words, index: usize) -> Option<usize> {
    let mut lead = index.checked_sub(1)?;
    for _ in 0..4 {
        if words.ends_sentence(lead) {
            return None;
        }
        let is_passed = words.is(lead, &NAMES) || words.get(lead).ends_with("ly") || words.is(lead, &SURE);
        // "Therefore, B" concludes.
        if !is_passed || words.is(lead, &LEADS) && !words.is(lead, &["choice"]) {
            return Some(lead);
        }
        lead = lead.checked_sub(1)?;
    }
    (!words.ends_sentence(lead)).then_some(lead)
}

fn said(labels: Alphabet, words: &Words, index: usize) -> Option<Said> {
    let found = predicate(words, index).or_else(|| said_before(labels, words, index))?;
    match found {
        Said::Chosen if words.is_asked(index) || is_supposed(words, index) => None,
        Said::Chosen => doubt(words, index),
        Said::RuledOut => Some(Said::RuledOut),
    }
}

/// Whether a sentence only supposes: "If it had asked for the opposite, A would be correct."
fn is_supposed(words: &Words, index: usize) -> bool {
    let sentence = (0..index).rev().take(MAX_SENTENCE).take_while(|at| !words.ends_sentence(*at));
    let opens = |at: usize| {
        let begins = at == 0 || words.ends_sentence(at - 1);
        // "If I had to choose, I'd choose B" does choose.
        words.is(at, &SUPPOSING)
            && (begins || !words.is(at, &["had", "were", "should"]))
            && words.get(at + 1) != "I"
    };
    let is_unreal = |at: usize| words.is(at, &UNREAL) || words.get(at).ends_with("'d");
    let behind = (index + 1..index + 4).take_while(|at| !words.ends_sentence(at - 1));
    sentence.clone().any(opens) && sentence.chain(behind).any(is_unreal)
}

/// What the words before a label say: "I choose", "it is", "not", "we rule out option".
fn said_before(labels: Alphabet, words: &Words, index: usize) -> Option<Said> {
    let ends = words.ends_clause(index);
    let has_reason = words.goes_on(index) && words.is(index + 1, &REASONS);
    // "Choose A good one" and "choose I" have an article and a pronoun.
    let is_article =
        matches!(words.get(index), "A" | "I") && !words.before(index).ends_with(['(', '[', '*', '"']);
    let is_whole = ends || has_reason || words.is(index + 1, &["rather", "not", "over", "instead"]);
    let from = (0..index).rev().take(4).take_while(|at| words.is(*at, &NAMES)).last().unwrap_or(index);
    let is_named = (from..index).any(|at| words.is(at, &OPTIONS)) && words.goes_on(index - 1);
    // "Choice: B" is a label, and "Ans. B" is one sentence.
    let is_abbreviated = index > 0 && words.is(index - 1, &["ans"]);
    let is_label = index > 0
        && words.is(index - 1, &["choice", "answer", "option"])
        && words.before(index).contains([':', '-', '–']);
    if ends && (is_abbreviated || is_label) {
        return is_last_word(words, index).then_some(Said::Chosen);
    }
    let Some(lead) = lead(words, index) else {
        // "Option B."
        return (is_named && is_stated(words, index)).then_some(Said::Chosen);
    };
    let is_before =
        |wanted: &[&str]| lead > 0 && !words.ends_sentence(lead - 1) && words.is(lead - 1, wanted);
    if is_denial(words.get(lead))
        || words.is(lead, &RULING_OUT)
        || (words.is(lead, &["out"]) && is_before(&["rule", "ruled", "ruling", "rules", "throw"]))
        || (words.is(lead, &["of"]) && is_before(&["instead"]))
    {
        return Some(Said::RuledOut);
    }
    // "Верен вариант B."
    if words.is(lead, &WRONG_UNJOINED) {
        return Some(Said::RuledOut);
    }
    if words.is(lead, &RIGHT_UNJOINED) && words.goes_on(lead) && ends {
        return Some(Said::Chosen);
    }
    // "Also ist Option B richtig."
    if words.is(lead, &["ist"]) && words.goes_on(index) && words.is(index + 1, &["richtig", "korrekt"]) {
        return words.ends_clause(index + 1).then_some(Said::Chosen);
    }
    if words.is(lead, &["but"]) && ends {
        // "Not D but A."
        let is_corrected = lead > 1
            && words.label(lead - 1, labels).is_some()
            && (lead.saturating_sub(4)..lead - 1).any(|at| is_denial(words.get(at)));
        return is_corrected.then_some(Said::Chosen);
    }
    // "We get 2" and "it is 2" may tell a value.
    let is_value = words.get(index).starts_with(|char: char| char.is_ascii_digit())
        && !is_named
        && !words.before(index).ends_with(['(', '[']);
    if is_value && words.is(lead, &["get", "obtain"]) {
        return None;
    }
    // "I would answer B."
    let is_answered = index > 1
        && words.is(index - 1, &["answer", "say", "guess", "vote"])
        && words.goes_on(index - 1)
        && (words.is(index - 2, &["i'd", "i'll"])
            || words.get(index - 2) == "I"
            || index > 2
                && words.is(index - 2, &["would", "will", "must", "shall", "should"])
                && (words.get(index - 3) == "I" || words.is(index - 3, &["we"])));
    // "Those steps lead to B", but no value of "leads to 2".
    let is_led = !is_value
        && ends
        && words.is(lead, &["to"])
        && lead > 0
        && (words.is(lead - 1, &LEADING)
            || words.is(lead - 1, &["me", "us"]) && lead > 1 && words.is(lead - 2, &LEADING));
    // "That gives B as the correct choice."
    let is_named_right = words.is(lead, &GIVING) && is_called_right(words, index);
    if is_answered || is_led || is_named_right || is_changed(words, index) && ends {
        return Some(Said::Chosen);
    }
    let is_chosen = words.is(lead, &CHOOSING)
        || PAIRS.iter().any(|(first, second)| words.is(lead, second) && is_before(first));
    if is_chosen {
        return (is_whole || !is_article && !words.is(index + 1, &["is", "and", "or"]))
            .then_some(Said::Chosen);
    }
    if is_value {
        return None;
    }
    // "The wrong one is B."
    let is_of_wrong = lead > 1 && words.is(lead - 2, &WRONG);
    let is_joined = words.is(lead, &["it's", "that's"])
        || (words.is(lead, &["is"])
            && (is_before(&SUBJECTS) && !is_of_wrong || is_about_answer(words, lead)))
        || (words.is(lead, &["be"])
            && (is_before(&["must", "should", "only"]) || is_about_answer(words, lead)))
        || (words.is(lead, &["be"])
            && is_before(&["to"])
            && lead > 1
            && words.is(lead - 2, &["answer", "has"]))
        || words.is(lead, &["cevap", "yanıt", "ответ", "відповідь", "odpowiedź", "адказ", "отговор"]) && ends;
    if is_joined {
        return is_whole.then_some(Said::Chosen);
    }
    let gap = words.before(index);
    let is_announced = gap.contains(':') || gap.contains(" - ") || gap.contains('–');
    if words.is(lead, &LEADS) && (is_announced || words.ends_sentence(index)) && ends {
        return Some(Said::Chosen);
    }
    if gap.contains(':') && words.ends_clause(index) && index + 1 == words.len() {
        return is_last_word(words, index).then_some(Said::Chosen);
    }
    (is_named && is_stated(words, index) && !words.is(lead, &UNSTATED) && !is_before(&["so"]))
        .then_some(Said::Chosen)
}

/// Whether "as the correct choice" follows a label.
fn is_called_right(words: &Words, index: usize) -> bool {
    let article = index + 1 + usize::from(words.is(index + 2, &["the", "our", "my"]));
    words.goes_on(index)
        && words.is(index + 1, &["as"])
        && words.is(article + 1, &["correct", "right", "best", "only", "answer", "final", "choice"])
}

/// Whether "I change my answer to" stands before a label.
fn is_changed(words: &Words, index: usize) -> bool {
    let from = (0..index).rev().take(3).take_while(|at| words.is(*at, &NAMES)).last().unwrap_or(index);
    let is_before = |back: usize, wanted: &[&str]| from >= back && words.is(from - back, wanted);
    let changing = [
        "change",
        "changing",
        "switch",
        "switching",
        "revise",
        "revising",
        "correct",
        "update",
        "moving",
        "move",
    ];
    is_before(1, &["to"])
        && (is_before(2, &changing)
            || is_before(2, &["answer", "choice", "mind", "pick", "selection", "it"])
                && (is_before(3, &changing) || is_before(4, &changing)))
}

/// Whether what "is" joins to a label is the right answer: "the correct option here", "the only option that works".
fn is_about_answer(words: &Words, verb: usize) -> bool {
    let sentence = || (0..verb).rev().take(12).take_while(|at| !words.ends_sentence(*at));
    let is_against =
        |at: usize| is_denial(words.get(at)) || words.is(at, &RULING_OUT) || words.is(at, &WRONG);
    sentence().any(|at| words.is(at, &ANSWERS)) && !sentence().any(is_against)
}

/// Whether an option that is named is all that is said of it: "so option B.", but not "option B. False".
fn is_stated(words: &Words, index: usize) -> bool {
    let behind = words.behind(index).trim_start_matches([')', ']', '*', '"']);
    (behind.trim().is_empty() && index + 1 == words.len() || behind.starts_with(['.', ',', ';', '!', '\n']))
        && !words.is(index + 1, &["correct", "incorrect", "true", "false", "right", "wrong", "yes", "no"])
}

/// Whether a label behind a colon ends a text whose last line rules nothing out: "I am sure: B".
fn is_last_word(words: &Words, index: usize) -> bool {
    (0..index).rev().take(12).take_while(|at| !words.behind(*at).contains('\n')).all(|at| {
        !is_denial(words.get(at))
            && !words.is(at, &RULING_OUT)
            && !words.is(at, &WRONG)
            && !words.is(at, &DOUBTS)
    })
}

/// A choice, unless the words before it in its clause deny it or only suppose it.
fn doubt(words: &Words, index: usize) -> Option<Said> {
    let mut at = index;
    for _ in 0..MAX_DOUBTS {
        let Some(before) = at.checked_sub(1) else { break };
        let gap = words.behind(before);
        // "It can't be B, so it's D."
        if words.ends_sentence(before) || gap.contains([',', ':']) || words.is(before, &["but", "so", "then"])
        {
            break;
        }
        if is_denial(words.get(before)) || words.is(before, &RULING_OUT) {
            return Some(Said::RuledOut);
        }
        if words.is(before, &DOUBTS) {
            let is_mine = words.is(before, &["think"]) && before > 0 && words.get(before - 1) == "I";
            if !is_mine {
                return None;
            }
        }
        at = before;
    }
    Some(Said::Chosen)
}
