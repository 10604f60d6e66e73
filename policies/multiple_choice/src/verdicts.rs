//! Lists that say of each label whether it is right: "A ✗ B ✓", "C – incorrect. D – correct."

use crate::label::Alphabet;
use crate::words::Words;

const YES: [&str; 4] = ["correct", "true", "right", "yes"];
const NO: [&str; 4] = ["incorrect", "false", "wrong", "no"];
/// Words of an option that are passed over.
const MAX_OPTION: usize = 24;
const TICKS: [char; 5] = ['✓', '✔', '✅', '☑', '🗸'];
const CROSSES: [char; 5] = ['✗', '✘', '❌', '✖', '✕'];

/// The one label that a list of verdicts calls right, where it calls others wrong.
pub(crate) fn right(labels: Alphabet, words: &Words) -> Option<char> {
    let (mut right, mut wrong): (Vec<char>, Vec<char>) = (Vec::new(), Vec::new());
    for index in 0..words.len() {
        let Some(label) = words.label(index, labels) else { continue };
        let Some(is_right) = verdict(words, index) else { continue };
        let list = if is_right { &mut right } else { &mut wrong };
        if !list.contains(&label) {
            list.push(label);
        }
    }
    match right[..] {
        [label] if !wrong.is_empty() && !wrong.contains(&label) => Some(label),
        _ => None,
    }
}

/// Whether a text of one label calls it wrong: "D: no".
pub(crate) fn is_wrong(text: &str) -> bool {
    let words = Words::new(text);
    words.len() == 2 && words.is(1, &NO)
}

/// Whether what stands right behind a label, or behind the text of its option in its line, is a word or a sign for its verdict.
fn verdict(words: &Words, index: usize) -> Option<bool> {
    let behind = words.behind(index);
    let line = behind.split('\n').next().unwrap_or_default();
    match (line.contains(TICKS), line.contains(CROSSES)) {
        (true, false) => return Some(true),
        (false, true) => return Some(false),
        (true, true) => return None,
        (false, false) => {}
    }
    let is_joined = behind.len() == line.len() && line.chars().all(|char| " *.):-–—|=>→(".contains(char));
    if is_joined && let Some(is_right) = said(words, index + 1) {
        return Some(is_right);
    }
    let begins_line = index == 0 || words.before(index).contains('\n');
    let listed = line.trim_start_matches('*').starts_with([')', '.', ':']);
    if !(begins_line && listed) {
        return None;
    }
    // "A) Rome ❌", "✅ B) Paris"
    let whole = words.text[words.start(index)..].split('\n').next().unwrap_or_default();
    let before = words.before(index).rsplit('\n').next().unwrap_or_default();
    let signs = |text: &str| (text.contains(TICKS), text.contains(CROSSES));
    match (signs(whole), signs(before)) {
        ((true, false), (false, false)) | ((false, false), (true, false)) => return Some(true),
        ((false, true), (false, false)) | ((false, false), (false, true)) => return Some(false),
        _ => {}
    }
    // "A) merge sort — correct, it sorts": the first verdict behind a dash or in brackets.
    let in_line =
        (index + 1..words.len()).take(MAX_OPTION).take_while(|at| !words.before(*at).contains('\n'));
    let is_apart = |at: usize| {
        let before = words.before(at);
        [" — ", " – ", " - ", " (", ": ", "→", "—", "=>"].iter().any(|sign| before.contains(sign))
    };
    in_line.filter(|at| is_apart(*at)).find_map(|at| said(words, at))
}

/// The verdict that a word is, where its clause ends with it.
fn said(words: &Words, at: usize) -> Option<bool> {
    let behind = words.behind(at).trim_start_matches(['*', '_', ')']);
    let ends = words.ends_clause(at)
        || words.behind(at).starts_with([' ', '*', ')']) && words.ends_sentence(at)
        || behind.starts_with(':')
        || words.is(at + 1, &["because", "since", "as"]);
    match (words.is(at, &YES), words.is(at, &NO)) {
        (true, _) if ends => Some(true),
        (_, true) if ends => Some(false),
        _ => None,
    }
}
