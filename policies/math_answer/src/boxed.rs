//! Boxes, and which of them are one answer together.

use exgrpo_guest_sdk::response::{Boxed, is_unspaced};

use crate::around;
use crate::spans::{MAX_ANSWER, percent_behind};

/// Words that join two boxes, and those that may stand with them: "for part (a), and for part (b)".
const JOINTS: [&str; 23] = [
    "well",
    "and",
    "or",
    "part",
    "parts",
    "和",
    "或",
    "与",
    "及",
    "und",
    "et",
    "y",
    "e",
    "sowie",
    "plus",
    "with",
    "или",
    "и",
    "以及",
    "と",
    "그리고",
    "oder",
    "ou",
];
const BESIDES: [&str; 39] = [
    "as",
    "also",
    "then",
    "finally",
    "similarly",
    "likewise",
    "together",
    "along",
    "additionally",
    "second",
    "first",
    "too",
    "auch",
    "aussi",
    "también",
    "também",
    "anche",
    "puis",
    "dann",
    "то",
    "также",
    "for",
    "in",
    "the",
    "a",
    "b",
    "c",
    "d",
    "i",
    "ii",
    "iii",
    "iv",
    "1",
    "2",
    "3",
    "while",
    "respectively",
    "we",
    "have",
];
/// Words that take back what was in a box.
const CORRECTIONS: [&str; 14] = [
    "wait", "no", "not", "instead", "actually", "wrong", "rather", "but", "however", "mistake", "correct",
    "error", "sorry", "check",
];
/// Bytes between two boxes that belong together.
const MAX_BETWEEN: usize = 160;
/// Bytes before a box in which its name is looked for.
const MAX_NAME: usize = 16;
/// More boxes than this are not one answer.
const MAX_BOXES: usize = 32;

/// The content of the last box, joined with the boxes that belong to it.
pub(crate) fn joined(text: &str, boxes: &[Boxed<'_>]) -> Option<String> {
    let (last, before) = boxes.split_last()?;
    let mut parts = vec![content(text, last)];
    let mut length = last.content.len();
    let mut start = last.range.start;
    for boxed in before.iter().rev() {
        length += boxed.content.len();
        let between = &text[boxed.range.end..start];
        if length > MAX_ANSWER || !(is_joint(between) || are_named_apart(&text[..boxed.range.start], between))
        {
            break;
        }
        parts.push(content(text, boxed));
        start = boxed.range.start;
    }
    parts.reverse();
    Some(parts.join(", "))
}

/// Every box as one list, each content once; `None` where words between them take one back, or for a single box.
pub(crate) fn all(text: &str, boxes: &[Boxed<'_>]) -> Option<Vec<String>> {
    if !(2..=MAX_BOXES).contains(&boxes.len()) {
        return None;
    }
    let is_apart = |pair: &[Boxed<'_>]| {
        let between = text[pair[0].range.end..pair[1].range.start].to_lowercase();
        between.len() > MAX_BETWEEN
            || between.split(|char: char| !char.is_alphanumeric()).any(|word| CORRECTIONS.contains(&word))
    };
    if boxes.windows(2).any(is_apart) {
        return None;
    }
    let mut parts: Vec<String> = Vec::new();
    for boxed in boxes {
        let part = content(text, boxed);
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    (parts.len() > 1 && parts.iter().map(String::len).sum::<usize>() <= MAX_ANSWER).then_some(parts)
}

fn content(text: &str, boxed: &Boxed<'_>) -> String {
    if let Some(whole) = around::whole(text, boxed) {
        return whole;
    }
    let percent = percent_behind(&text[boxed.range.end..]).unwrap_or_default();
    format!("{}{percent}", boxed.content)
}

/// Whether what stands between two boxes makes them one answer: nothing, a comma, or words that join.
fn is_joint(between: &str) -> bool {
    if between.len() > MAX_BETWEEN {
        return false;
    }
    let spacing = ["\\quad", "\\qquad", "\\text", "\\textbf", "\\mathrm", "\\mbox", "\\ ", "\\,", "\\;", "~"];
    // Longer names first: `\text` begins `\textbf`.
    let mut bare = between.replace("\\textbf", " ");
    for command in spacing {
        bare = bare.replace(command, " ");
    }
    if bare.trim().is_empty() && !between.contains('\n') {
        return true;
    }
    let bare: String =
        bare.chars().map(|char| if "$\\()[]{}*".contains(char) { ' ' } else { char }).collect();
    let bare = bare.trim();
    let bare = without_name(bare).unwrap_or(bare);
    let is_separator = |char: char| matches!(char, ',' | ';' | '&' | '.' | ':');
    let has_separator = bare.contains([',', ';', '&']);
    let words = || {
        bare.split(|char: char| char.is_whitespace() || is_separator(char)).filter(|word| !word.is_empty())
    };
    let is_known = |word: &str| {
        let word = word.to_lowercase();
        JOINTS.contains(&word.as_str()) || BESIDES.contains(&word.as_str())
    };
    let is_joined = words().any(|word| JOINTS.contains(&word.to_lowercase().as_str()));
    (has_separator || is_joined) && words().all(is_known) && (is_joined || words().next().is_none())
}

/// Whether both of two boxes have a name, each another one, and nothing else stands between them, as on lines of their own.
fn are_named_apart(before: &str, between: &str) -> bool {
    let bare = |text: &str| -> String {
        text.chars().map(|char| if "$\\()[]{},;".contains(char) { ' ' } else { char }).collect()
    };
    let mut from = before.len().saturating_sub(MAX_NAME);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let (before, between) = (bare(&before[from..]), bare(between));
    let (before, between) = (before.trim(), between.trim());
    match (without_name(before), without_name(between)) {
        (Some(first), Some("")) => {
            let name = |text: &str| text.trim_end_matches('=').trim().to_owned();
            name(&before[first.len()..]) != name(between)
        }
        _ => false,
    }
}

/// What stands before `y=`, as in "x = \boxed{1} and y = \boxed{2}".
fn without_name(text: &str) -> Option<&str> {
    let before = text.strip_suffix('=')?.trim_end();
    let rest = before
        .trim_end_matches(|char: char| char.is_ascii_alphanumeric() || char == '_' || is_unspaced(char));
    (1..=3).contains(&(before.len() - rest.len())).then_some(rest)
}

#[cfg(test)]
mod tests {
    use exgrpo_guest_sdk::response::filled_boxes;

    use super::*;

    #[test]
    fn commas_and_words_join_boxes_and_sentences_dont() {
        let joined = |text: &str| joined(text, &filled_boxes(text)).unwrap_or_default();
        assert_eq!(joined("so \\boxed{1}, no: \\boxed{\\frac{1}{2}}."), "\\frac{1}{2}");
        assert_eq!(joined("$\\boxed{2}$ and $\\boxed{3}$"), "2, 3");
        assert_eq!(joined("\\boxed{2} \\quad \\text{and} \\quad \\boxed{3}"), "2, 3");
        assert_eq!(joined("\\boxed{2}\\qquad\\boxed{3}"), "2, 3");
        assert_eq!(joined("$\\boxed{2}$ as well as $\\boxed{3}$"), "2, 3");
        assert_eq!(joined("\\boxed{2} for part (a) and \\boxed{3} for part (b)"), "2, 3");
        assert_eq!(joined("$\\boxed{2}$ for part (a). For part (b), $\\boxed{3}$"), "2, 3");
        assert_eq!(joined("$x=\\boxed{2}$ and $y = \\boxed{3}$"), "2, 3");
        assert_eq!(joined("$x=\\boxed{2}$\n\n$y = \\boxed{3}$"), "2, 3");
        assert_eq!(joined("$x=\\boxed{2}$\n\n$x = \\boxed{3}$"), "3");
        assert_eq!(joined("\\boxed{2}\n\n\\boxed{3}"), "3");
        assert_eq!(joined("\\boxed{2} is wrong and \\boxed{3}"), "3");
        assert_eq!(joined("\\boxed{50}\\%"), "50\\%");
        assert_eq!(joined("α = \\boxed{2}, β = \\boxed{3}"), "3");
    }

    #[test]
    fn all_boxes_are_a_list_unless_one_is_taken_back() {
        let all = |text: &str| all(text, &filled_boxes(text));
        assert_eq!(all("\\boxed{1} papers and \\boxed{2} bins"), Some(vec!["1".into(), "2".into()]));
        assert_eq!(all("\\boxed{1}, wait, \\boxed{2}"), None);
        assert_eq!(all("\\boxed{1}. Again: \\boxed{1}"), None);
    }
}
