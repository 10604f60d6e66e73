//! Words that make a bound or a difference of a value.

/// What makes a bound of the value behind it.
const BEFORE: [&str; 23] = [
    "at least",
    "at most",
    "more than",
    "less than",
    "fewer than",
    "greater than",
    "larger than",
    "smaller than",
    "between",
    "up to",
    "exceeds",
    "mindestens",
    "höchstens",
    "mehr als",
    "weniger als",
    "au moins",
    "au plus",
    "al menos",
    "至少",
    "至多",
    "超过",
    "少于",
    "多于",
];
/// What makes a bound of the value right behind it.
const RIGHT_BEFORE: [&str; 5] = ["over", "under", "below", "above", "beyond"];
/// What makes a bound of the value before it, behind at most one word for its unit.
const BEHIND: [&str; 14] = [
    "or more",
    "or less",
    "or fewer",
    "or greater",
    "or above",
    "or below",
    "and above",
    "at least",
    "at most",
    "more than",
    "less than",
    "fewer than",
    "以上",
    "以下",
];
/// Bytes before a value in which words about it stand.
const MAX_BEFORE: usize = 24;
/// Bytes behind a value in which words about it stand.
const MAX_BEHIND: usize = 40;

/// Whether the text before or behind a value makes a bound of it ("at least 7", "7 or more"), or a difference ("7 more than
/// Tom"), so that it isn't the value itself.
///
/// ```
/// use exgrpo_guest_sdk::response::is_bound;
///
/// assert!(is_bound("it is at **least** $", "$ apples") && is_bound("", " apples or more") && is_bound("", " more than Tom"));
/// assert!(!is_bound("it is ", ", more than half") && !is_bound("at least 2 of 3, so ", ""));
/// ```
pub fn is_bound(before: &str, behind: &str) -> bool {
    let mut from = before.len().saturating_sub(MAX_BEFORE);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let near = plain(&before[from..]);
    // What was said before a comma or another number is not about this one.
    let near = near.rsplit([',', ';', ':', '.']).next().unwrap_or_default();
    let has_number = |bound: &str| {
        let behind = near.rsplit(bound).next().unwrap_or_default();
        behind.contains(|char: char| char.is_ascii_digit())
    };
    if BEFORE.iter().any(|bound| contains_word(near, bound) && (*bound == "between" || !has_number(bound))) {
        return true;
    }
    let word = near.trim_end_matches(|char: char| !char.is_alphanumeric()).rsplit(' ').next();
    if word.is_some_and(|word| RIGHT_BEFORE.contains(&word)) {
        return true;
    }
    let end = behind.char_indices().nth(MAX_BEHIND).map_or(behind.len(), |(at, _)| at);
    let near = plain(&behind[..end]);
    let near = near.trim_start_matches([' ', ')', '%']);
    let unit = near.split_once(' ').filter(|(unit, _)| unit.chars().all(char::is_alphabetic));
    [Some(near), unit.map(|(_, rest)| rest)]
        .into_iter()
        .flatten()
        .any(|text| BEHIND.iter().any(|bound| text.starts_with(bound)))
}

/// In small letters, without the marks of bold type and of formulas.
pub(super) fn plain(text: &str) -> String {
    let bare = text.replace("\\text", "");
    bare.chars().filter(|char| !"*_`$\\{}".contains(*char)).collect::<String>().to_lowercase()
}

fn contains_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(|char: char| char.is_ascii_alphabetic()))
}
