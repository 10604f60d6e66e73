//! Sentences that say what an answer is not.

/// Words that deny what follows them, in small letters.
const DENIALS: [&str; 23] = [
    "keineswegs",
    "inte",
    "ikke",
    "niet",
    "not",
    "never",
    "neither",
    "nor",
    "no",
    "cannot",
    "hardly",
    "nicht",
    "nie",
    "kein",
    "keine",
    "keinesfalls",
    "ne",
    "pas",
    "jamais",
    "nunca",
    "não",
    "non",
    "не",
];
/// Words that deny together.
const PHRASES: [&str; 4] = ["anything but ", "far from ", "other than ", "different from "];
/// Adverbs that may stand before a denial, but for those in "-ly".
const ADVERBS: [&str; 16] = [
    "of",
    "course",
    "indeed",
    "therefore",
    "thus",
    "hence",
    "in",
    "fact",
    "just",
    "still",
    "quite",
    "then",
    "also",
    "sicher",
    "sicherlich",
    "auch",
];
/// What joins the right answer to a denied one.
const CORRECTIONS: [&str; 9] = [
    " but rather ",
    " but instead ",
    " but ",
    " rather ",
    " sondern ",
    " sino ",
    " mais ",
    " bensì ",
    "而是",
];
/// Words before a denial.
const MAX_ADVERBS: usize = 6;
/// Bytes in which the right answer follows a denied one.
const MAX_CORRECTION: usize = 80;

/// Marks of bold type and of formulas, which may stand around any word.
fn is_mark(char: char) -> bool {
    char.is_whitespace() || "*_`$\\(\"{,".contains(char)
}

/// Whether a word denies what follows it: "not", "cannot", "isn't", "nicht".
///
/// ```
/// use exgrpo_guest_sdk::response::is_denial;
///
/// assert!(is_denial("Not") && is_denial("couldn't") && !is_denial("note"));
/// ```
pub fn is_denial(word: &str) -> bool {
    // No denial is longer.
    if word.len() > 16 {
        return false;
    }
    let lower = word.to_lowercase();
    DENIALS.contains(&lower.as_str()) || lower.ends_with("n't") || lower.ends_with("n’t")
}

/// Whether one of the words of a text denies what follows it.
///
/// ```
/// use exgrpo_guest_sdk::response::denies;
///
/// assert!(denies("the total is **not** "));
/// assert!(!denies("the note of No. "));
/// ```
pub fn denies(text: &str) -> bool {
    let is_sign = |char: char| !char.is_alphabetic() && !matches!(char, '\'' | '’');
    let is_abbreviated = |word: &str| {
        let end = word.as_ptr() as usize - text.as_ptr() as usize + word.len();
        text[end..].starts_with('.')
    };
    text.contains("不") || text.split(is_sign).any(|word| is_denial(word) && !is_abbreviated(word))
}

/// What a sentence behind "the answer is" asserts: all of it, or what it puts in the place of what it denies; `None` where
/// it only says what the answer is not.
///
/// ```
/// use exgrpo_guest_sdk::response::asserted;
///
/// assert_eq!(asserted("72, not 71"), Some("72, not 71"));
/// assert_eq!(asserted("definitely **not** 72, but 71"), Some("71"));
/// assert_eq!(asserted("**not** 72"), None);
/// ```
pub fn asserted(sentence: &str) -> Option<&str> {
    let Some(denied) = behind_denial(sentence) else { return Some(sentence) };
    let end = denied.char_indices().nth(MAX_CORRECTION).map_or(denied.len(), |(at, _)| at);
    let near = &denied[..end];
    let at = CORRECTIONS.iter().find_map(|joint| Some(near.find(joint)? + joint.len()))?;
    let right = denied[at..].trim_start();
    // "but it is close to 72" is about something else.
    let is_value = |char: char| char.is_ascii_digit() || char.is_ascii_uppercase() || char == '-';
    right.trim_start_matches(is_mark).starts_with(is_value).then_some(right)
}

/// What follows the denial that a sentence begins with, behind adverbs.
fn behind_denial(sentence: &str) -> Option<&str> {
    let mut rest = sentence;
    for _ in 0..=MAX_ADVERBS {
        rest = rest.trim_start_matches(is_mark);
        if let Some(denied) = rest.strip_prefix('不') {
            return Some(denied);
        }
        let is_letter = |char: char| char.is_alphabetic() || matches!(char, '\'' | '’');
        let length = rest.find(|char| !is_letter(char)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length);
        if let Some(denied) = PHRASES.iter().find_map(|phrase| rest.strip_prefix(phrase)) {
            return Some(denied);
        }
        // "No. 7" counts.
        if is_denial(word) && !behind.starts_with('.') {
            return Some(behind);
        }
        let is_adverb =
            word.len() < 20 && (word.ends_with("ly") || ADVERBS.contains(&word.to_lowercase().as_str()));
        if !is_adverb {
            return None;
        }
        rest = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_are_seen_through_marks_and_adverbs() {
        for denied in [
            "not 7",
            "**not** 7",
            "Not (B).",
            "definitely not 7",
            "in fact, never 7",
            "of course *not* $7$",
            "no longer 7",
            "nicht 7",
            "不是7",
            "anything but 7",
            "actually not 7, but it is close to 8",
        ] {
            assert_eq!(asserted(denied), None, "{denied}");
        }
        for (sentence, right) in [
            ("not 7 but 8.", "8."),
            ("nicht 7, sondern $8$", "$8$"),
            ("不是7，而是8", "8"),
            ("**not** (A), but rather (B)", "(B)"),
            ("not A but B", "B"),
        ] {
            assert_eq!(asserted(sentence), Some(right), "{sentence}");
        }
        for kept in ["7", "7 and not 8", "nothing", "note 7", "No. 7", "", "only 7"] {
            assert_eq!(asserted(kept), Some(kept));
        }
    }
}
