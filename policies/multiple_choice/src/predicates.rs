//! What the words behind a label say of it: "B is correct", "C can't be right", "only D remains".

use exgrpo_guest_sdk::response::is_denial;

use crate::statements::Said;
use crate::vocabulary::{CONNECTING, FITTING, NAMES, RIGHT, RIGHT_UNJOINED, SURE, WRONG, WRONG_UNJOINED};
use crate::words::Words;

/// Words of a predicate that are looked at.
const MAX_PREDICATE: usize = 7;
/// What is right only at deceiving.
const TRAPS: [&str; 6] = ["distractor", "trap", "decoy", "mistake", "misconception", "bet"];
/// What makes a predicate depend on something.
const CONDITIONS: [&str; 5] = ["if", "only", "unless", "provided", "were"];

/// What the words behind a label say of it.
pub(crate) fn predicate(words: &Words, index: usize) -> Option<Said> {
    let end = behind_brackets(words, index);
    let verb = end + 1;
    if !words.goes_on(end) || !is_subject(words, index) {
        return None;
    }
    if words.is(verb, &WRONG_UNJOINED) {
        return Some(Said::RuledOut);
    }
    if words.is(verb, &RIGHT_UNJOINED) && words.ends_clause(verb) {
        return Some(Said::Chosen);
    }
    if words.is(verb, &["fails"]) {
        return Some(Said::RuledOut);
    }
    if words.is(verb, &["isn't", "can't", "cannot", "doesn't", "won't", "wouldn't"]) {
        let is_of_it = words.is(verb + 1, &["be", "hold", "work", "fit"]);
        return (is_of_it || (verb + 1..verb + 4).any(|at| words.is(at, &RIGHT))).then_some(Said::RuledOut);
    }
    if words.is(verb, &FITTING) {
        return fitting(words, index).then_some(Said::Chosen);
    }
    let is_plain = words.is(verb, &["is", "ist", "est", "es", "é", "è"]);
    let is_modal = words.is(verb, &["must", "should"]) && words.is(verb + 1, &["be"]);
    // "B seems correct" and "B would be correct" choose where nothing comes behind.
    let is_weak = words.is(verb, &["seems", "appears", "looks"])
        || (words.is(verb, &["would"]) && words.is(verb + 1, &["be"]));
    if !(is_plain || is_modal || is_weak) {
        return None;
    }
    let mut is_not = false;
    for at in verb + 1..verb + MAX_PREDICATE {
        if !words.goes_on(at - 1) {
            return None;
        }
        if is_denial(words.get(at)) {
            is_not = true;
        } else if words.is(at, &WRONG) {
            return (!is_not).then_some(Said::RuledOut);
        } else if words.is(at, &RIGHT) {
            if is_not || is_of_none(words, index) {
                return Some(Said::RuledOut);
            }
            if words.is(at + 1, &TRAPS) && words.goes_on(at) {
                return None;
            }
            return (is_unconditional(words, at) && (!is_weak || at + 3 > words.len()))
                .then_some(Said::Chosen);
        }
        let is_better = words.is(at, &["a"]) && words.is(at + 1, &["better", "much", "far"]);
        let is_passed = words.is(at, &SURE)
            || words.is(at, &["be", "la", "die", "a", "de", "el", "il"])
            || is_weak && words.is(at, &["to"]);
        if !(is_not && is_denial(words.get(at)) || is_better || is_passed) {
            return None;
        }
    }
    None
}

/// The last word of what stands in brackets behind a label, "option B (Rome) is", or the label itself.
fn behind_brackets(words: &Words, index: usize) -> usize {
    if !words.behind(index).trim_start_matches(['*', ')']).starts_with(" (") {
        return index;
    }
    (index + 1..index + 8).find(|at| words.behind(*at).starts_with(')')).unwrap_or(index)
}

/// Whether a sentence is about none of its labels: "none of A, B or C is correct".
fn is_of_none(words: &Words, index: usize) -> bool {
    let sentence = (0..index).rev().take(16).take_while(|at| !words.ends_sentence(*at));
    sentence.into_iter().any(|at| words.is(at, &["none", "neither"]))
}

/// Whether a sentence is about the label itself, and not about plan B or group A.
fn is_subject(words: &Words, index: usize) -> bool {
    let gap = words.before(index);
    let begins = gap.contains(['.', ',', ';', ':', '!', '?', '\n', '(', '[', '*', '"', '—', '–']);
    index == 0
        || begins
        || !gap.is_ascii()
        || [&CONNECTING[..], &NAMES, &SURE].iter().any(|list| words.is(index - 1, list))
}

/// Whether "is correct" isn't asked, and holds without a condition.
fn is_unconditional(words: &Words, right: usize) -> bool {
    let end = (right..right + 3).find(|at| !words.goes_on(*at)).unwrap_or(right + 3);
    !words.is_asked(end) && !(right + 1..=end).any(|at| words.is(at, &CONDITIONS))
}

/// Whether "only B satisfies both", "thus B holds" or "B makes the most sense" chooses a label.
fn fitting(words: &Words, index: usize) -> bool {
    let verb = index + 1;
    let from = index.saturating_sub(3);
    let near = (from..index).rev().take_while(|at| !words.ends_sentence(*at));
    let mut near = near.filter(|at| words.is(*at, &["so", "thus", "therefore", "hence", "only"]));
    if let Some(lead) = near.next() {
        return words.is(lead, &["only"]) || words.ends_clause(verb);
    }
    let is_most = |at: usize| words.is(at, &["most"]);
    words.is(verb, &["remains"]) && words.ends_clause(verb)
        || words.is(verb, &["makes"])
            && (is_most(verb + 1) || words.is(verb + 1, &["the"]) && is_most(verb + 2))
}
