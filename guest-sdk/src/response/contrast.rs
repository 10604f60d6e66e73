//! Sentences that set the right answer against a wrong one: "not 7 but 8", "nicht 7, sondern 8", "7이 아니라 8입니다".

use std::borrow::Cow;

use super::is_unspaced;
use super::phrases::Openings;

/// Words that deny the value behind them, and what joins the right one to it.
static DENIED_FIRST: [(&str, &[&str]); 29] = [
    ("not", &["but rather", "but instead", "but", "rather"]),
    ("nicht", &["sondern"]),
    ("keine", &["sondern"]),
    ("keinesfalls", &["sondern"]),
    ("niet", &["maar wel", "maar"]),
    ("pas", &["mais bien", "mais plutôt", "mais"]),
    ("no", &["sino"]),
    ("não", &["mas sim", "mas", "e sim"]),
    ("non", &["ma bensì", "bensì", "ma", "mais"]),
    ("не", &["а", "но", "але"]),
    ("nie", &["lecz", "ale", "tylko"]),
    ("inte", &["utan"]),
    ("ikke", &["men"]),
    ("không phải là", &["mà là", "mà"]),
    ("không phải", &["mà là", "mà"]),
    ("không là", &["mà là", "mà"]),
    ("bukanlah", &["melainkan", "tetapi", "tapi"]),
    ("bukan", &["melainkan", "tetapi", "tapi"]),
    ("nu", &["ci"]),
    ("nem", &["hanem"]),
    ("ei", &["vaan"]),
    ("ne", &["nýbrž", "ale", "nego", "već", "ampak", "temveč", "а"]),
    ("není", &["nýbrž", "ale"]),
    ("όχι", &["αλλά"]),
    ("ليس", &["بل"]),
    ("ليست", &["بل"]),
    ("不是", &["而是"]),
    ("并非", &["而是"]),
    ("不为", &["而是"]),
];
/// Words that deny the value behind them where the right one stands before: "8, nicht 7".
const DENIALS: [&str; 14] = [
    "not",
    "nicht",
    "niet",
    "non",
    "não",
    "не",
    "nie",
    "inte",
    "ikke",
    "bukan",
    "không phải",
    "nu",
    "pas",
    "no",
];
/// What may join such a denial, apart from a comma.
const JOINERS: [&str; 12] = ["and", "und", "et", "y", "e", "а", "и", "i", "en", "och", "og", "và"];
/// Verbs that may stand between a denial and its value, and stay: "no es 7, sino 8".
const VERBS: [&str; 17] = [
    "es",
    "son",
    "é",
    "são",
    "è",
    "sono",
    "jest",
    "je",
    "este",
    "är",
    "er",
    "равен",
    "равна",
    "равно",
    "это",
    "est",
    "είναι",
];
/// Words that deny the value before them; the right one follows. Longer ones stand before what they begin with.
const DENIED_BEHIND: [&str; 6] = ["아니라", "ではなくて", "ではなく", "じゃなくて", "değil", "नहीं बल्कि"];
/// What joins a denied value to the right one before it, and what ends it.
static RIGHT_FIRST: [(&str, &[&str]); 9] = [
    ("であって", &["ではない", "ではありません", "でない"]),
    ("であり", &["ではない", "ではありません", "でない"]),
    ("이지", &["아닙니다", "아니다", "아니에요"]),
    ("이며", &["아닙니다", "아니다", "아니에요"]),
    ("而不是", &[""]),
    ("而非", &[""]),
    ("并不是", &[""]),
    ("并非", &[""]),
    ("不是", &[""]),
];
/// Bytes at the end of a text in which contrasts are looked for.
const MAX_END: usize = 2_000;
/// Bytes of a value, and characters of its unit and of what else stands before a joint.
const MAX_VALUE: usize = 48;
const MAX_UNIT: usize = 24;

/// The text without what its end denies beside the right answer. Only whole contrasts go: where no value takes the place of
/// the denied one, all stays.
///
/// ```
/// use exgrpo_guest_sdk::response::without_contrasts;
///
/// assert_eq!(without_contrasts("Die Antwort ist nicht 7, sondern 8."), "Die Antwort ist 8.");
/// assert_eq!(without_contrasts("답은 7이 아니라 8입니다."), "답은 8입니다.");
/// assert_eq!(without_contrasts("It is not 7."), "It is not 7.");
/// ```
pub fn without_contrasts(text: &str) -> Cow<'_, str> {
    let mut from = text.len().saturating_sub(MAX_END);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut out = String::new();
    let mut copied = 0;
    for at in from..text.len() {
        if at < copied || !OPENINGS.may_begin(text.as_bytes(), at) || !begins_word(&text[from..], at - from) {
            continue;
        }
        if let Some((start, kept, end)) = contrast(text, at).filter(|(start, ..)| *start >= copied) {
            out.push_str(&text[copied..start]);
            out.push_str(kept);
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// How the words of the lists above begin that a contrast is found by: most words of a text begin in another way.
static OPENINGS: Openings = {
    let mut openings = Openings::NONE;
    let mut index = 0;
    while index < DENIED_FIRST.len() {
        openings.add_in_any_case(DENIED_FIRST[index].0);
        index += 1;
    }
    index = 0;
    while index < DENIALS.len() {
        openings.add_in_any_case(DENIALS[index]);
        index += 1;
    }
    index = 0;
    while index < DENIED_BEHIND.len() {
        openings.add_in_any_case(DENIED_BEHIND[index]);
        index += 1;
    }
    index = 0;
    while index < RIGHT_FIRST.len() {
        openings.add_in_any_case(RIGHT_FIRST[index].0);
        index += 1;
    }
    openings
};

/// Whether a word begins at a place; in writings without spaces, one may begin anywhere.
fn begins_word(text: &str, at: usize) -> bool {
    let is_in_word = |char: char| char.is_alphanumeric() && !is_unspaced(char);
    let Some((before, behind)) = text.split_at_checked(at) else { return false };
    !before.ends_with(is_in_word) || behind.starts_with(is_unspaced)
}

/// What is to be left out for the word at a place: from where, what stands for it, to where.
fn contrast(text: &str, at: usize) -> Option<(usize, &str, usize)> {
    let rest = &text[at..];
    for (denial, joints) in &DENIED_FIRST {
        let Some(behind) = behind_word(rest, denial) else { continue };
        let trimmed = behind.trim_start();
        let verb = VERBS.iter().find_map(|verb| behind_word(trimmed, verb));
        let denied = verb.unwrap_or(behind);
        if let Some(right) = joints.iter().find_map(|joint| behind_joint(denied, joint)) {
            let end = text.len() - right.len();
            // "n'est pas 7 mais 8"
            let before = ["n'est ", "n’est "].iter().find_map(|verb| text[..at].strip_suffix(verb));
            return Some(match before {
                Some(before) => (before.len(), "est ", end),
                None if denial.ends_with(is_unspaced) => (at, "是", end),
                None if verb.is_none() => (at, "", end),
                // With the space behind it.
                None => (at, text.get(at + denial.len() + 1..text.len() - denied.len() + 1)?, end),
            });
        }
    }
    if let Some((start, end)) = denied_at_the_end(text, at) {
        return Some((start, "", end));
    }
    if text.is_ascii() {
        return None;
    }
    for denial in DENIED_BEHIND {
        if let Some(behind) = behind_word(rest, denial) {
            let right = behind.trim_start_matches([' ', ',', '、', '，']);
            let start = start_of_value(&text[..at])?;
            return begins_value(right).then_some((start, "", text.len() - right.len()));
        }
    }
    for (joint, ends) in &RIGHT_FIRST {
        if let Some(behind) = rest.strip_prefix(*joint) {
            let before = text[..at].trim_end_matches([' ', ',', '，', '、']);
            start_of_value(before)?;
            let denied = behind.trim_start_matches([' ', ',', '、', '，']);
            let value = value_length(denied)?;
            return ends.iter().find_map(|end| {
                let near = denied[value..].char_indices().nth(MAX_UNIT);
                let near = near.map_or(&denied[value..], |(end, _)| &denied[value..value + end]);
                let found = near.find(end)?;
                let ends = found + end.len();
                // "不是540,而是531" goes on.
                let goes_on = end.is_empty()
                    && denied[value..].trim_start_matches([' ', ',', '，']).starts_with("而是");
                let is_near = near[..found].chars().all(|char| char.is_alphabetic() || char == ' ');
                (is_near && !goes_on).then(|| (before.len(), "", text.len() - denied.len() + value + ends))
            });
        }
    }
    None
}

/// Where ", not 7" begins and ends that closes a clause with the right value.
fn denied_at_the_end(text: &str, at: usize) -> Option<(usize, usize)> {
    let (denial, behind) =
        DENIALS.iter().find_map(|denial| Some((*denial, behind_word(&text[at..], denial)?)))?;
    let denied = behind.strip_prefix(' ')?.trim_start_matches(is_mark);
    let rest = &denied[value_length(denied)?..];
    let closing = rest.trim_start_matches(['*', '_', ')', '"']);
    let ends = closing.is_empty()
        || closing.starts_with(['\n', '!', ';', ','])
        || closing.strip_prefix('.').is_some_and(|next| !next.starts_with(char::is_alphanumeric));
    let mut before = text[..at].trim_end();
    let joiner = JOINERS.iter().find_map(|joiner| before.strip_suffix(joiner)?.strip_suffix(' '));
    before = joiner.unwrap_or(before);
    let is_joined = joiner.is_some() || before.ends_with(',');
    let right = before.trim_end_matches([',', ' ']);
    let sentence = right.rsplit(['\n', '!', '?', ';']).next().unwrap_or_default();
    // "It is 8, no 7" corrects itself in English.
    let is_meant = denial != "no" || [" es ", " son "].iter().any(|verb| sentence.contains(verb));
    let mut words = sentence.rsplit(' ').take(2);
    let has_value =
        words.any(|word| value_length(word.trim_start_matches(is_mark)).is_some() || word.ends_with('$'));
    (ends && is_joined && is_meant && has_value).then(|| (right.len(), text.len() - rest.len()))
}

/// What follows a word; those of writings without spaces end anywhere.
#[inline]
fn behind_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    if !text.as_bytes().first()?.eq_ignore_ascii_case(word.as_bytes().first()?) {
        return None;
    }
    let start = text.get(..word.len())?;
    let is_word = start == word || word.is_ascii() && start.eq_ignore_ascii_case(word);
    let behind = &text[word.len()..];
    let is_whole = word.ends_with(is_unspaced) || !behind.starts_with(char::is_alphanumeric);
    (is_word && is_whole).then_some(behind)
}

/// The right value behind a denied one and a joint.
fn behind_joint<'a>(denied: &'a str, joint: &str) -> Option<&'a str> {
    let denied = denied.trim_start_matches(is_mark);
    let rest = &denied[value_length(denied)?..];
    let end = rest.char_indices().nth(MAX_UNIT).map_or(rest.len(), |(end, _)| end);
    let at = rest[..end].find(joint)?;
    let between = &rest[..at];
    let is_plain =
        between.chars().all(|char| char.is_alphabetic() || is_mark(char) || ",，、)$".contains(char));
    let is_word = joint.starts_with(is_unspaced) || !between.ends_with(char::is_alphabetic);
    let right = &rest[at + joint.len()..];
    let is_whole = joint.ends_with(is_unspaced) || !right.starts_with(char::is_alphanumeric);
    let right = right.trim_start_matches(' ');
    (is_plain && is_word && is_whole && begins_value(right)).then_some(right)
}

fn is_mark(char: char) -> bool {
    char.is_whitespace() || "*_`\"„“«'".contains(char)
}

fn begins_value(text: &str) -> bool {
    value_length(text.trim_start_matches(is_mark)).is_some()
}

/// The length of the formula, number or label that a text begins with.
pub(super) fn value_length(text: &str) -> Option<usize> {
    let near = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= MAX_VALUE).last()?;
    let near = if text.len() <= MAX_VALUE { text } else { &text[..near] };
    for (open, close) in [("$", "$"), ("\\(", "\\)")] {
        if let Some(inner) = near.strip_prefix(open)
            && let Some(end) = inner.find(close).filter(|end| *end > 0)
        {
            return Some(open.len() + end + close.len());
        }
    }
    let bare = near.trim_start_matches(['(', '-', '−', '$', '€', '£', '\\']);
    let mut end = near.len();
    for (at, char) in bare.char_indices() {
        let next = bare[at + char.len_utf8()..].chars().next();
        let is_joint = matches!(char, '.' | ',') && next.is_some_and(|next| next.is_ascii_digit());
        if !(char.is_ascii_alphanumeric() || is_joint || "/^+-%°{}".contains(char)) {
            end = near.len() - bare.len() + at;
            break;
        }
    }
    let token = near[near.len() - bare.len()..end].trim_end_matches(['-', '+', '/']);
    let is_label = token.len() == 1 && token.starts_with(|char: char| char.is_ascii_uppercase());
    let is_value = token.starts_with(|char: char| char.is_ascii_digit()) || is_label;
    is_value.then_some(end)
}

/// Where the value begins that a text ends with, before at most a few letters for its unit and its particle.
fn start_of_value(text: &str) -> Option<usize> {
    let bare = text.trim_end_matches(|char: char| is_unspaced(char) || is_mark(char) || ")]".contains(char));
    if text[bare.len()..].chars().count() > MAX_UNIT / 3 || bare.is_empty() {
        return None;
    }
    if let Some(inner) = bare.strip_suffix('$') {
        return inner.rfind('$').filter(|start| bare.len() - start <= MAX_VALUE);
    }
    let is_in_value = |char: char| char.is_ascii_alphanumeric() || ".,/^+-−%°(){}".contains(char);
    let start = bare.trim_end_matches(is_in_value).len();
    let token = bare[start..].trim_start_matches([',', '.', ')']);
    let start = bare.len() - token.len();
    (!token.is_empty() && token.len() <= MAX_VALUE && value_length(token).is_some()).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asserted_is_left_of_a_contrast() {
        for (text, left) in [
            ("It is not $7$, but rather 8.", "It is 8."),
            ("Not A but B", "B"),
            ("nicht 7 Äpfel, sondern $8$", "$8$"),
            ("Het antwoord is niet 7, maar 8", "Het antwoord is 8"),
            ("n'est pas 7 mais 8", "est 8"),
            ("La respuesta no es 7, sino 8", "La respuesta es 8"),
            ("Ответ не 7, а 8.", "Ответ 8."),
            ("답은 7개가 아니라 8개입니다", "답은 8개입니다"),
            ("答えは7ではなく8です", "答えは8です"),
            ("答案不是7,而是8", "答案是8"),
            ("答案是8,不是7。", "答案是8。"),
            ("答えは8であって7ではない。", "答えは8。"),
            ("Die Antwort ist 8, nicht 7.", "Die Antwort ist 8."),
            ("La réponse est 8 ans, et non $7$", "La réponse est 8 ans"),
            ("Cevap 7 değil, 8.", "Cevap 8."),
        ] {
            assert_eq!(without_contrasts(text), left);
        }
        for text in [
            "It is not 7.",
            "It is not 7, but it is close to 8.",
            "not only 7 but 8",
            "It is 8, no 7.",
            "It is even, not 7 or so",
            "答案不是7。",
            "7이 아닙니다",
            "Note 7 but 8",
            "",
        ] {
            assert_eq!(without_contrasts(text), text);
        }
    }
}
