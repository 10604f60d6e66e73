//! Sentences that tell an answer as another's, as false, as a former one or only as supposed: "nobody would say 5", "it is
//! false that the answer is 5", "earlier I had 5", "if the answer is 5".

use std::borrow::Cow;

use super::disowned_words::{
    ASKING, CLOSING_DENIALS, FORMER, FORMER_VERBS, HOLDERS, JOINTS, RUSSIAN_HOLDERS, SAYING, SUPPOSED,
    SUPPOSING, UNTRUE, UNTRUE_ELSEWHERE, WORDS,
};
use super::is_unspaced;
use super::without_contrasts;

/// Bytes at the end of a text whose sentences are looked at, and of a sentence before a value.
const MAX_END: usize = 4_000;
const MAX_BEFORE: usize = 160;
/// Words between a holder and the verb of what is held: "some of the students would say".
const MAX_HELD: usize = 5;

/// Whether the words before an answer in its sentence make it another's, false, or a former one.
///
/// ```
/// use exgrpo_guest_sdk::response::is_disowned;
///
/// assert!(is_disowned("Nobody would say ") && is_disowned("It is false that the answer is "));
/// assert!(is_disowned("Hmm, earlier I had ") && !is_disowned("The number of ways that nobody sits alone is "));
/// assert!(!is_disowned("Some say 5, but it is "));
/// ```
pub fn is_disowned(before: &str) -> bool {
    let mut from = before.len().saturating_sub(MAX_BEFORE);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let near = &before[from..];
    let sentence = near.rsplit(['\n', '!', '?', '。']).next().unwrap_or_default();
    let sentence = sentence.rsplit(". ").next().unwrap_or_default();
    if !may_disown(sentence) {
        return false;
    }
    let lower = sentence.to_lowercase().replace('’', "'").replace(['*', '_', '$', '"'], "");
    let joints = JOINTS.all_in(&lower).filter(|(_, joint)| !joint.contains(':'));
    let clause = joints.map(|(at, joint)| at + joint.len()).max();
    holds_disowned(&lower[clause.unwrap_or(0)..])
}

fn holds_disowned(clause: &str) -> bool {
    may_disown(clause) && (is_untrue(clause) || is_held(clause) || is_former(clause))
}

/// Whether a clause has one of the words that every phrase has: most don't.
fn may_disown(clause: &str) -> bool {
    let is_known = |word: &[u8]| {
        let letter = word.first().map_or(0, u8::to_ascii_lowercase).wrapping_sub(b'a');
        let (from, to) = BY_LETTER.get(usize::from(letter)).copied().unwrap_or_default();
        WORDS[from..to].iter().any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
    };
    has_other_letters(clause) || clause.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()).any(is_known)
}

/// Whether a text has letters beyond ASCII; signs such as `°` or `√` are none.
fn has_other_letters(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(|char| !char.is_ascii() && char.is_alphabetic())
}

/// Which of [`WORDS`] begin with each letter: from where to where.
const BY_LETTER: [(usize, usize); 26] = {
    let mut ranges = [(0, 0); 26];
    let mut index = 0;
    while index < WORDS.len() {
        let letter = (WORDS[index].as_bytes()[0] - b'a') as usize;
        assert!(ranges[letter].1 == 0 || ranges[letter].1 == index, "the words must be sorted");
        ranges[letter] = (if ranges[letter].1 == 0 { index } else { ranges[letter].0 }, index + 1);
        index += 1;
    }
    ranges
};

fn is_untrue(clause: &str) -> bool {
    UNTRUE.words_in(clause).next().is_some() || !clause.is_ascii() && UNTRUE_ELSEWHERE.are_in(clause)
}

/// Whether somebody else is said to hold what follows.
fn is_held(clause: &str) -> bool {
    let others = (!clause.is_ascii()).then(|| RUSSIAN_HOLDERS.words_in(clause)).into_iter().flatten();
    HOLDERS.words_in(clause).chain(others).filter(|found| is_first(clause, *found)).any(|(at, holder)| {
        let words = clause[at + holder.len()..].split(|char: char| !char.is_alphanumeric());
        let mut verbs = words.filter(|word| !word.is_empty()).take(MAX_HELD);
        verbs.any(|word| SAYING.iter().any(|verb| says(word, verb)))
    })
}

/// Whether a word is a form of a verb; the shortest stems take only the endings of their language.
fn says(word: &str, verb: &str) -> bool {
    let Some(ending) = word.strip_prefix(verb) else { return false };
    match verb {
        "di" => matches!(ending, "cen" | "sent" | "cono" | "zem" | "rait" | "ce"),
        "dir" => matches!(ending, "ía" | "ía que" | "ebbe" | "ia" | "ait"),
        "sag" | "mein" => matches!(ending, "en" | "t" | "te" | "ten"),
        _ => ending.chars().count() <= 4,
    }
}

fn is_former(clause: &str) -> bool {
    FORMER.words_in(clause).filter(|found| is_first(clause, *found)).any(|(at, phrase)| {
        let word = clause[at + phrase.len()..].split_whitespace().next().unwrap_or_default();
        phrase.starts_with("my ") || FORMER_VERBS.contains(&word)
    })
}

/// Whether a phrase of whole words stands nowhere before.
fn is_first(text: &str, (at, phrase): (usize, &str)) -> bool {
    let begins = |at: usize| !text[..at].ends_with(char::is_alphanumeric);
    let ends = |at: usize| !text[at..].starts_with(char::is_alphanumeric);
    !text
        .match_indices(phrase)
        .take_while(|(other, _)| *other < at)
        .any(|(at, _)| begins(at) && ends(at + phrase.len()))
}

/// The text without the clauses of its end that disown an answer, suppose it, ask for it, or deny it behind it.
///
/// ```
/// use exgrpo_guest_sdk::response::without_disowned;
///
/// assert_eq!(without_disowned("Some say 5, but it is 6."), "it is 6.");
/// assert_eq!(without_disowned("It is 6. If the answer is 5, then 0 = 1."), "It is 6. then 0 = 1.");
/// assert_eq!(without_disowned("답은 6입니다. 5가 아닙니다."), "답은 6입니다.");
/// assert_eq!(without_disowned("Is it 5? No."), " No.");
/// assert_eq!(without_disowned("If n is 2, it is 6."), "If n is 2, it is 6.");
/// ```
pub fn without_disowned(text: &str) -> Cow<'_, str> {
    let mut from = text.len().saturating_sub(MAX_END);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut kept = String::new();
    let mut copied = 0;
    while from < text.len() {
        let length = end_of_sentence(&text[from..]);
        let sentence = &text[from..from + length];
        if let Some((start, end)) = dropped(sentence, &text[from + length..]) {
            kept.push_str(&text[copied..from + start]);
            copied = from + end;
        }
        from += length;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    kept.push_str(&text[copied..]);
    Cow::Owned(kept)
}

/// The text without what its end sets against the right answer, disowns, supposes, asks or denies.
///
/// ```
/// use exgrpo_guest_sdk::response::meant;
///
/// assert_eq!(meant("Some say 5. It is not 5 but 6."), " It is 6.");
/// ```
pub fn meant(text: &str) -> Cow<'_, str> {
    match without_contrasts(text) {
        Cow::Borrowed(text) => without_disowned(text),
        Cow::Owned(text) => match without_disowned(&text) {
            Cow::Owned(left) => Cow::Owned(left),
            Cow::Borrowed(_) => Cow::Owned(text),
        },
    }
}

/// The length of a sentence with its sign.
fn end_of_sentence(text: &str) -> usize {
    let end = text.char_indices().find(|(at, char)| match char {
        '\n' | '。' | '！' | '？' => true,
        '.' | '!' | '?' => text[at + 1..].chars().next().is_none_or(char::is_whitespace),
        _ => false,
    });
    end.map_or(text.len(), |(at, sign)| at + sign.len_utf8())
}

/// What of a sentence goes: from where to where.
fn dropped(sentence: &str, rest: &str) -> Option<(usize, usize)> {
    let is_plain = !has_other_letters(sentence) && !sentence.contains(['?', '？']);
    if is_plain && !may_suppose(sentence) && !may_disown(sentence) {
        return None;
    }
    let lower = sentence.to_lowercase().replace('’', "'");
    if lower.len() > 2 * MAX_END {
        return None;
    }
    // Offsets are those of the sentence itself.
    let is_same_length = lower.len() == sentence.len();
    let whole = sentence.len();
    let up_to = |joint_from: usize| {
        let found = lower.get(joint_from..).map(|rest| JOINTS.all_in(rest)).into_iter().flatten();
        match found.map(|(at, joint)| joint_from + at + joint.len()).min() {
            Some(end) if is_same_length && sentence.is_char_boundary(end) => end,
            _ => whole,
        }
    };
    let bare = lower.trim_start_matches(|char: char| !char.is_alphanumeric());
    let begin = lower.len() - bare.len();
    if is_supposed(bare) {
        let sign =
            bare.find([',', '，', '、']).map(|at| at + bare[at..].chars().next().map_or(1, char::len_utf8));
        let end = sign.or_else(|| Some(bare.find(" then ")? + 1)).filter(|_| is_same_length);
        return Some((0, end.map_or(whole, |end| begin + end)));
    }
    if is_question(bare, rest) || is_denied_behind(bare) {
        return Some((0, whole));
    }
    if !may_disown(&lower) {
        return None;
    }
    // What stands before a value decides; "It is 6, and nobody would say 5" keeps its beginning.
    let first = lower.find(|char: char| char.is_ascii_digit()).unwrap_or(lower.len());
    let first = label(sentence).map_or(first, |label| first.min(label));
    let before = lower.get(..first)?;
    let clause = JOINTS.all_in(before).map(|(at, joint)| at + joint.len()).max().unwrap_or(0);
    let start = if is_same_length && sentence.is_char_boundary(clause) { clause } else { 0 };
    holds_disowned(&before[clause..]).then(|| (start, up_to(first)))
}

/// Where a capital stands that may be the label of an option.
fn label(sentence: &str) -> Option<usize> {
    let bytes = sentence.as_bytes();
    let is_in_word =
        |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'\'');
    (1..bytes.len()).find(|&at| {
        bytes[at].is_ascii_uppercase() && !is_in_word(at - 1) && !is_in_word(at + 1) && bytes[at] != b'I'
    })
}

/// Whether an ASCII sentence begins with a word that supposes.
fn may_suppose(sentence: &str) -> bool {
    let bare = sentence.trim_start_matches(|char: char| !char.is_alphanumeric());
    let begins = |word: &&str| bare.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    SUPPOSING.iter().any(begins)
}

/// Whether a sentence begins with a clause that supposes an answer: "if the answer is 5,".
fn is_supposed(lower: &str) -> bool {
    let supposes = SUPPOSING.iter().any(|word| {
        lower.strip_prefix(word).is_some_and(|rest| word.ends_with(is_unspaced) || rest.starts_with(' '))
    });
    if !supposes {
        return false;
    }
    let clause = lower.split([',', '，', '、']).next().unwrap_or_default();
    SUPPOSED.iter().any(|word| clause.contains(word))
}

/// Whether a sentence asks for an answer, and what follows doesn't say yes to it.
fn is_question(lower: &str, rest: &str) -> bool {
    let asks = lower.trim_end_matches(['*', '"', ' ']).ends_with(['?', '？']);
    asks && begins_question(lower) && !confirms(rest)
}

fn begins_question(lower: &str) -> bool {
    let is_whole = |rest: &str| !rest.starts_with(char::is_alphanumeric);
    ASKING.iter().any(|begin| lower.strip_prefix(begin).is_some_and(is_whole))
}

fn confirms(rest: &str) -> bool {
    let next = rest.trim_start_matches(|char: char| !char.is_alphanumeric());
    let yes = ["Yes", "yes", "Indeed", "Right", "Correct", "Ja", "Oui", "Sí", "Sì", "Sim", "Да"];
    yes.iter().any(|yes| next.starts_with(yes))
}

/// Whether the sentence before an answer that a question mark follows asks for it, and what is behind that doesn't say yes.
///
/// ```
/// use exgrpo_guest_sdk::response::is_asked;
///
/// assert!(is_asked("Hmm. Is it ", " Or 6?") && !is_asked("Is it ", " Yes.") && !is_asked("What is it? ", ""));
/// ```
pub fn is_asked(before: &str, behind: &str) -> bool {
    let mut from = before.len().saturating_sub(MAX_BEFORE);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let sentence = before[from..].rsplit(['\n', '!', '?']).next().unwrap_or_default();
    let sentence = sentence.rsplit(". ").next().unwrap_or_default();
    let sentence = sentence.trim_start_matches(|char: char| !char.is_alphanumeric());
    begins_question(&sentence.to_lowercase()) && !confirms(behind)
}

/// Whether a sentence ends in a verb that denies what stands before it.
fn is_denied_behind(lower: &str) -> bool {
    if lower.is_ascii() {
        return false;
    }
    let bare = lower
        .trim_end_matches(|char: char| !char.is_alphanumeric() && char != '\u{940}' && char != '\u{902}');
    CLOSING_DENIALS.iter().any(|denial| bare.ends_with(denial))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_left_out() {
        for text in [
            "Nobody would say 5.",
            "No one would claim the answer is 5.",
            "Some students say the answer is 5.",
            "It is false that the answer is 5.",
            "It's not true that it is 5.",
            "I don't think the answer is 5.",
            "I doubt that the answer is 5.",
            "One might think the answer is 5.",
            "It would be wrong to say 5.",
            "Earlier I had 5.",
            "I initially thought it is 5.",
            "Niemand würde sagen, die Antwort sei 5.",
            "Manche sagen 5.",
            "Es ist falsch, dass die Antwort 5 ist.",
            "Personne ne dirait 5.",
            "Certains pensent que la réponse est 5.",
            "Il est faux que la réponse est 5.",
            "Nadie diría 5.",
            "Algunos dicen 5.",
            "Es falso que la respuesta es 5.",
            "Nessuno direbbe 5.",
            "Alcuni pensano 5.",
            "Ninguém diria 5.",
            "Muitos acham que é 5.",
            "Никто не сказал бы 5.",
            "Многие думают, что ответ 5.",
            "Неверно, что ответ 5.",
            "没有人会说5。",
            "정답은 5가 아닙니다.",
            "答えは5ではありません。",
            "Cevap 5 değil.",
            "Is the answer 5?",
        ] {
            assert_eq!(without_disowned(text).trim(), "", "{text}");
        }
        for text in [
            "The answer is 5.",
            "B is right.",
            "There are 5 ways in which nobody sits alone.",
            "If n is even, the answer is 5.",
            "Some of the 9 cards are red, so it is 5.",
            "Most students, namely 5, passed.",
            "What is it? It is 5.",
            "Is the answer 5? Yes.",
            "They say 5.",
            "He thinks of the number 5.",
            "",
        ] {
            assert_eq!(without_disowned(text), text);
        }
    }

    #[test]
    fn only_the_clause_goes_that_disowns() {
        for (text, left) in [
            ("B is right, while some students say C.", "B is right, while "),
            ("Some say 5, but it is 6.", "it is 6."),
            ("Suppose the answer is C. Then 0 = 1.", " Then 0 = 1."),
            ("If the answer is 5 then 0 = 1.", "then 0 = 1."),
        ] {
            assert_eq!(without_disowned(text), left);
        }
    }

    #[test]
    fn many_sentences_cost_little() {
        for piece in ["Nobody would say 5. ", "If the answer is 5, ", "a. ", "5? ", "가. "] {
            let hostile = piece.repeat(100_000);
            let started = std::time::Instant::now();
            let _ = (without_disowned(&hostile), is_disowned(&hostile));
            assert!(started.elapsed().as_secs_f64() < 1.0, "{piece}");
        }
    }
}
