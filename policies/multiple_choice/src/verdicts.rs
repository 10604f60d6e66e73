//! Lists that say of each label whether it is right: "A ✗ B ✓", "C – incorrect. D – correct."

use crate::label::Alphabet;
use crate::words::Words;

const YES: [&str; 4] = ["correct", "true", "right", "yes"];
const NO: [&str; 4] = ["incorrect", "false", "wrong", "no"];
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

/// Whether what stands right behind a label is a word or a sign for its verdict.
fn verdict(words: &Words, index: usize) -> Option<bool> {
    let behind = words.behind(index);
    let line = behind.split('\n').next().unwrap_or_default();
    match (line.contains(TICKS), line.contains(CROSSES)) {
        (true, false) => return Some(true),
        (false, true) => return Some(false),
        (true, true) => return None,
        (false, false) => {}
    }
    let is_joined = behind.len() == line.len() && line.chars().all(|char| " *.):-–—|=>→".contains(char));
    let ends = words.ends_clause(index + 1)
        || words.behind(index + 1).starts_with([' ', '*', ')']) && words.ends_sentence(index + 1);
    match (words.is(index + 1, &YES), words.is(index + 1, &NO)) {
        (true, _) if is_joined && ends => Some(true),
        (_, true) if is_joined && ends => Some(false),
        _ => None,
    }
}
