//! Words for operations that are left to work out.

use super::bounds::plain;

/// What works on the value behind it.
const BEFORE: [&str; 14] = [
    "twice",
    "double",
    "triple",
    "half",
    "half of",
    "square root of",
    "cube root of",
    "root of",
    "square of",
    "cube of",
    "third of",
    "quarter of",
    "quarters of",
    "percent of",
];
/// What works on the value before it.
const BEHIND: [&str; 8] = ["squared", "cubed", "factorial", "to the power", "raised to", "²", "³", "⁴"];
/// What joins two values; a number follows.
const JOINTS: [&str; 10] = [
    "times",
    "plus",
    "minus",
    "divided by",
    "multiplied by",
    "added to",
    "subtracted from",
    "over",
    "% of",
    "percent of",
];
/// Bytes before a value in which such a word stands.
const MAX_BEFORE: usize = 24;
/// Characters behind a value in which such a word stands.
const MAX_BEHIND: usize = 32;

/// Whether the text before or behind a number says what is to be done with it, so that it isn't the result: "twice 7",
/// "5 squared", "5 times 3".
///
/// ```
/// use exgrpo_guest_sdk::response::is_left_to_work_out;
///
/// assert!(is_left_to_work_out("it is half of $", "$") && is_left_to_work_out("", "$ times $3$"));
/// assert!(!is_left_to_work_out("a total of ", " square feet") && !is_left_to_work_out("", " times in all"));
/// ```
pub fn is_left_to_work_out(before: &str, behind: &str) -> bool {
    let mut from = before.len().saturating_sub(MAX_BEFORE);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let near = plain(&before[from..]);
    let near = near.trim_end();
    let is_worked_on = |word: &str| {
        let start = near.strip_suffix(word);
        start.is_some_and(|start| !start.ends_with(|char: char| char.is_alphabetic()))
    };
    if BEFORE.iter().any(|word| is_worked_on(word)) {
        return true;
    }
    let end = behind.char_indices().nth(MAX_BEHIND).map_or(behind.len(), |(at, _)| at);
    let near = plain(&behind[..end]);
    let near = near.trim_start();
    BEHIND.iter().any(|word| near.starts_with(word))
        || JOINTS.iter().any(|joint| {
            let second = near.strip_prefix(joint).map(str::trim_start);
            second.is_some_and(|second| second.starts_with(|char: char| char.is_ascii_digit()))
        })
}
