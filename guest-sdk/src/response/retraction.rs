//! Words behind an answer that take it back: "\boxed{5} is wrong", "Hold on, that can't be right."

use super::denial::is_denial;
use super::is_unspaced;

/// Words before a sentence that takes something back, in small letters; those of the first list stop somebody's thoughts.
const STOPS: [&str; 24] = [
    "wait",
    "hold",
    "no",
    "nope",
    "oops",
    "hmm",
    "hm",
    "actually",
    "sorry",
    "stop",
    "moment",
    "thought",
    "thoughts",
    "halt",
    "nein",
    "attends",
    "attendez",
    "espera",
    "espere",
    "aspetta",
    "стоп",
    "подождите",
    "нет",
    "correction",
];
const LEADS: [&str; 26] = [
    "on",
    "but",
    "however",
    "ah",
    "oh",
    "ok",
    "okay",
    "well",
    "second",
    "a",
    "minute",
    "one",
    "i",
    "now",
    "see",
    "realize",
    "realise",
    "realized",
    "notice",
    "unfortunately",
    "clearly",
    "aber",
    "mais",
    "pero",
    "mas",
    "ma",
];
/// What such a sentence is about.
const SUBJECTS: [&str; 26] = [
    "this", "that", "it", "the", "my", "above", "answer", "result", "value", "solution", "these", "das",
    "dies", "es", "die", "antwort", "cela", "ça", "eso", "esto", "isso", "isto", "questo", "ciò", "это",
    "last",
];
/// Subjects that have their verb with them.
const JOINED: [&str; 6] = ["that's", "it's", "thats", "c'est", "there's", "i'm"];
const VERBS: [&str; 20] = [
    "is", "was", "are", "were", "be", "seems", "looks", "must", "has", "to", "ist", "war", "est", "était",
    "está", "é", "era", "è", "sono", "estaba",
];
const ADVERBS: [&str; 18] = [
    "clearly",
    "obviously",
    "certainly",
    "definitely",
    "actually",
    "of",
    "course",
    "the",
    "a",
    "an",
    "my",
    "also",
    "quite",
    "in",
    "fact",
    "simply",
    "leider",
    "still",
];
const WRONG: [&str; 31] = [
    "wrong",
    "incorrect",
    "false",
    "invalid",
    "mistaken",
    "mistake",
    "error",
    "impossible",
    "nonsense",
    "falsch",
    "faux",
    "fausse",
    "inexact",
    "incorrecto",
    "incorrecta",
    "mal",
    "errado",
    "errada",
    "incorreto",
    "incorreta",
    "sbagliato",
    "sbagliata",
    "errato",
    "errata",
    "неверно",
    "неправильно",
    "ошибка",
    "неверный",
    "unmöglich",
    "impossibile",
    "imposible",
];
const RIGHT: [&str; 22] = [
    "right",
    "correct",
    "valid",
    "true",
    "answer",
    "possible",
    "it",
    "solution",
    "work",
    "make",
    "hold",
    "richtig",
    "korrekt",
    "correcte",
    "juste",
    "correcto",
    "correcta",
    "correto",
    "correta",
    "corretto",
    "giusto",
    "верно",
];
/// What somebody confesses behind "I".
const CONFESSIONS: [&str; 12] = [
    "made a mistake",
    "made an error",
    "made an arithmetic",
    "made a sign",
    "was wrong",
    "forgot",
    "miscalculated",
    "miscounted",
    "misread",
    "overlooked",
    "messed up",
    "have made a mistake",
];
/// The same in writings without spaces: in a short sentence.
const UNSPACED: [&str; 14] = [
    "不对",
    "不對",
    "错了",
    "錯了",
    "是错",
    "错误",
    "不正确",
    "算错",
    "間違",
    "誤り",
    "ではない",
    "ではありません",
    "틀렸",
    "아닙니다",
];
/// Characters of a sentence without spaces that takes something back.
const MAX_UNSPACED: usize = 16;
/// Sentences behind an answer that may take it back without stopping first, those that are looked at, and bytes of each.
const MAX_NEAR: usize = 2;
const MAX_SENTENCES: usize = 24;
const MAX_HEAD: usize = 120;

/// What follows the sentence that takes back the answer before `rest`, where one does: right behind it, or anew where
/// somebody stops ("Wait, that's wrong"). What is called right again stands.
///
/// ```
/// use exgrpo_guest_sdk::response::taken_back;
///
/// assert_eq!(taken_back("$ is wrong. It is 6."), Some(" It is 6."));
/// assert_eq!(taken_back("$. Hold on, this can't be right: 6."), Some(""));
/// assert_eq!(taken_back("$. Some say 6. That is wrong."), None);
/// assert_eq!(taken_back("$. Wait, that is wrong. No, it is right."), None);
/// ```
pub fn taken_back(rest: &str) -> Option<&str> {
    walk(rest, 0)
}

/// The same for an answer that a sentence tells, with which `text` begins: only where somebody stops behind it.
///
/// ```
/// use exgrpo_guest_sdk::response::reconsidered;
///
/// assert_eq!(reconsidered("5. Wait, that's wrong. It is 6."), Some(" It is 6."));
/// assert_eq!(reconsidered("no. That is impossible."), None);
/// ```
pub fn reconsidered(text: &str) -> Option<&str> {
    // Most texts go on with no other sentence.
    if !text.trim_end_matches(is_mark).contains(['.', '\n', '!', '。']) {
        return None;
    }
    walk(text, MAX_NEAR)
}

/// Looks at sentences, the first of which is so many behind the answer.
fn walk(rest: &str, first: usize) -> Option<&str> {
    let mut found = None;
    let mut from = 0;
    for number in 0..MAX_SENTENCES {
        let sentence = rest.get(from..).filter(|rest| !rest.is_empty())?;
        let (length, is_asked) = end_of(sentence);
        let next = from + length;
        let said = if is_asked { None } else { said(&sentence[..length], first + number) };
        match said {
            Some(true) => found = rest.get(next..),
            Some(false) => found = None,
            None => {}
        }
        from = next;
        if from >= rest.len() || number + 1 == MAX_SENTENCES {
            break;
        }
    }
    found
}

/// Where a sentence ends behind its sign, and whether it is a question.
fn end_of(text: &str) -> (usize, bool) {
    let end = text.char_indices().find(|(at, char)| match char {
        '\n' | '。' | '！' | '？' => !text[..*at].trim_matches(is_mark).is_empty(),
        '.' | '!' | '?' => text[at + 1..].chars().next().is_none_or(|next| !next.is_alphanumeric()),
        _ => false,
    });
    match end {
        Some((at, sign)) => (at + sign.len_utf8(), matches!(sign, '?' | '？')),
        None => (text.len(), false),
    }
}

fn is_mark(char: char) -> bool {
    char.is_whitespace() || "$)]}*_\\(\"'.".contains(char)
}

/// Whether a sentence takes back what was said before (or calls it right), where it is about that.
fn said(sentence: &str, number: usize) -> Option<bool> {
    let sentence = sentence.trim_matches(is_mark);
    if number > 0 && !may_begin(sentence) {
        return None;
    }
    let head = sentence.char_indices().nth(MAX_HEAD).map_or(sentence.len(), |(at, _)| at);
    let head = &sentence[..head];
    if !head.is_ascii() && head.contains(is_unspaced) {
        let is_short =
            head.chars().count() <= MAX_UNSPACED && !head.contains(|char: char| char.is_ascii_digit());
        return (is_short && UNSPACED.iter().any(|word| head.contains(word))).then_some(true);
    }
    let head = head.to_lowercase().replace('’', "'");
    let words: Vec<&str> = head
        .split(|char: char| !(char.is_alphanumeric() || char == '\''))
        .filter(|word| !word.is_empty())
        .take(16)
        .collect();
    let is = |at: usize, list: &[&str]| words.get(at).is_some_and(|word| list.contains(word));
    let mut at = 0;
    let mut stops = false;
    while is(at, &STOPS) || is(at, &LEADS) && !is(at + 1, &["was", "made", "forgot"]) {
        stops |= is(at, &STOPS);
        at += 1;
    }
    if at > 0 && is(at - 1, &["i"]) {
        at -= 1;
    }
    if is(at, &["i"]) {
        let confessed = words[at + 1..].join(" ");
        let is_confession = CONFESSIONS.iter().any(|word| confessed.starts_with(word));
        return (is_confession && (stops || number < MAX_NEAR)).then_some(true);
    }
    let begin = at;
    while is(at, &SUBJECTS) {
        at += 1;
    }
    let is_joined = is(at, &JOINED);
    at += usize::from(is_joined);
    // Right behind the answer its verb follows; later a sentence needs a subject, and something that stops.
    let has_subject = at > begin;
    if has_subject && !stops && number >= MAX_NEAR || !has_subject && (number > 0 || stops) {
        return None;
    }
    let verdict = predicate(&words, at, is_joined, has_subject)?;
    Some(verdict)
}

/// Whether the first word of a sentence may begin one that takes something back: most don't.
fn may_begin(sentence: &str) -> bool {
    let end = sentence.find(|char: char| !(char.is_alphanumeric() || matches!(char, '\'' | '’')));
    let word = &sentence[..end.unwrap_or(sentence.len())];
    if !word.is_ascii() {
        return true;
    }
    [&STOPS[..], &LEADS, &SUBJECTS, &JOINED]
        .iter()
        .any(|list| list.iter().any(|other| word.eq_ignore_ascii_case(other)))
}

/// Whether the words from `at` on call something wrong; `None` where they say something else.
fn predicate(words: &[&str], mut at: usize, has_verb: bool, has_subject: bool) -> Option<bool> {
    let is = |at: usize, list: &[&str]| words.get(at).is_some_and(|word| list.contains(word));
    let (mut is_said, mut is_not) = (has_verb, false);
    while let Some(word) = words.get(at) {
        if is_denial(word) || matches!(*word, "cannot" | "can't" | "n'est") {
            is_not = true;
            is_said = true;
        } else if is(at, &WRONG) && (is_said || has_subject) {
            // "It is wrong to divide by 0."
            return (!is(at + 1, &["to", "that", "for"])).then_some(!is_not);
        } else if is(at, &RIGHT) && is_said {
            return Some(is_not);
        } else if is(at, &VERBS) {
            is_said = true;
        } else if !is(at, &ADVERBS) {
            return None;
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_back_where_it_is_called_wrong() {
        for rest in [
            " is wrong.",
            "$ is not correct, since 5 is odd.",
            "$ isn't the answer.",
            "$. That is wrong.",
            "$. This can't be right.",
            "$\n\nWait, that's incorrect.",
            "$. Then 2 + 3 = 6. Hold on, this cannot be right: I forgot a case.",
            "$. Oops, I made a mistake.",
            "$. I miscalculated.",
            "$. No, it doesn't work.",
            "$\n\nMoment, das ist falsch.",
            "$. Attends, c'est faux.",
            "$. Espera, eso es incorrecto.",
            "$. Espera, isso está errado.",
            "$. Aspetta, questo è sbagliato.",
            "$. Стоп, это неверно.",
            "。等等，这不对。",
            "는 틀렸습니다.",
        ] {
            assert!(taken_back(rest).is_some(), "{rest}");
        }
        for rest in [
            "",
            "$.",
            "$ is the only right answer; 6 is wrong.",
            "$ is correct.",
            "$ is not only right but also the least.",
            "$. Some say 6. That is wrong.",
            "$. Is that wrong? No.",
            "$. Wait, let me check it: 2 + 3 = 5. It is right.",
            "$. It is wrong to divide by 0, so we did not.",
            "$. That is the answer.",
            "$. If it were odd, that would be wrong.",
            "$. I hope it is correct.",
            "$. No other value is right.",
            "。所以答案是5，而6是错误的。",
        ] {
            assert_eq!(taken_back(rest), None, "{rest}");
        }
    }
}
