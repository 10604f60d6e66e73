//! Words behind an answer that take it back: "\boxed{5} is wrong", "Hold on, that can't be right."

use super::denial::is_denial;
use super::is_unspaced;
use super::retraction_words::{
    ADVERBS, AMBIGUOUS, CONFESSIONS, JOINED, LEADS, OFF, RIGHT, STOPS, SUBJECTS, UNSPACED, UNSPACED_STOPS,
    VERBS, WRONG,
};
use super::withdrawal::withdrawal;

/// Characters of a sentence without spaces that takes something back.
const MAX_UNSPACED: usize = 16;
/// The same where it stops somebody's thoughts first.
const MAX_STOPPED: usize = 48;
/// Sentences behind an answer that may take it back without stopping first, those that are looked at, and bytes of each.
const MAX_NEAR: usize = 2;
const MAX_SENTENCES: usize = 24;
const MAX_HEAD: usize = 120;
/// Signs of a sentence that are looked at, and bytes of an answer before the first of them.
const MAX_SIGNS: usize = 6;
const MAX_WITHDRAWN: usize = 60;
/// What the right answer follows in a sentence that calls another wrong.
const TOLD: [&str; 6] = [": ", ", so ", "; so ", ", hence ", ", therefore ", ", thus "];

/// What follows the sentence that takes back the answer before `rest`, where one does: right behind it, or anew where
/// somebody stops ("Wait, that's wrong"). What is called right again stands.
///
/// ```
/// use exgrpo_guest_sdk::response::taken_back;
///
/// assert_eq!(taken_back("$ is wrong. It is 6."), Some(" It is 6."));
/// assert_eq!(taken_back("$. Hold on, this can't be right: 6."), Some(" 6."));
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
    if !text.trim_end_matches(is_mark).contains(['.', '\n', '!', '?', ',', '(', '—', '–', '。', '、']) {
        return None;
    }
    walk(text, MAX_NEAR)
}

/// Looks at sentences, the first of which is so many behind the answer.
fn walk(rest: &str, first: usize) -> Option<&str> {
    let mut found = None;
    let mut from = 0;
    let (mut was_asked, mut is_doubted) = (false, false);
    for number in 0..MAX_SENTENCES {
        let sentence = rest.get(from..).filter(|rest| !rest.is_empty())?;
        let (length, is_asked) = end_of(sentence);
        let next = from + length;
        let is_right_behind = first + number == 0;
        let sentence = &sentence[..length];
        // "Is 3 odd? No." is about 3; "The answer is 3? No." is about the answer.
        let with_no = !was_asked || is_doubted;
        let withdrawn = if first + number == 0 || number > 0 { withdrawal(sentence, with_no) } else { None };
        if let Some(end) = withdrawn.or_else(|| withdrawn_within(sentence)).filter(|_| !is_asked) {
            found = rest.get(from + end..);
        } else if let Some(end) = bare_no(sentence).filter(|_| is_doubted) {
            found = rest.get(from + end..);
        } else if !is_asked {
            // "is what I first thought, but that is wrong"
            let contrast = || sentence.split_once(", but ").filter(|_| is_right_behind);
            match said(sentence, first + number).or_else(|| said(contrast()?.1, 1)) {
                // "I made a mistake: it is 6.", "is too small, so it is 6"
                Some(true) => {
                    let told =
                        TOLD.iter().filter_map(|joint| Some(sentence.find(joint)? + joint.len() - 1)).min();
                    found = rest.get(told.map_or(next, |told| from + told)..);
                }
                Some(false) => found = None,
                None => {}
            }
        }
        was_asked = is_asked;
        is_doubted =
            number == 0 && is_asked && (first > 0 || sentence.trim_start_matches(is_mark).starts_with('?'));
        from = next;
        if from >= rest.len() || number + 1 == MAX_SENTENCES {
            break;
        }
    }
    found
}

/// Where a denial ends that is all of a sentence, or its beginning: "No, I made a mistake".
fn bare_no(sentence: &str) -> Option<usize> {
    let bare = sentence.trim_start_matches(is_mark);
    let begin = sentence.len() - bare.len();
    let no = ["No", "Nope", "Nein", "Non", "Não", "Нет", "no", "nein", "non"].iter().find(|no| {
        bare.strip_prefix(**no)
            .is_some_and(|behind| behind.is_empty() || behind.starts_with([',', '.', '!', ';', ':']))
    })?;
    Some(begin + no.len())
}

/// Where a phrase ends that withdraws an answer behind a comma or a dash of its sentence: "3, sorry, I meant 4", "3 (no, 4)".
fn withdrawn_within(sentence: &str) -> Option<usize> {
    let signs = sentence.match_indices([',', '—', '–', '(', ';', '、', '，']).take(MAX_SIGNS);
    let mut found = signs.filter_map(|(at, sign)| {
        let behind = at + sign.len();
        let end = withdrawal(&sentence[behind..], true)?;
        // What is withdrawn stands before.
        let before = sentence[..at].trim_end_matches(is_mark);
        let is_answer = before.len() < MAX_WITHDRAWN;
        is_answer.then_some(behind + end)
    });
    found.next()
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
        let stops = UNSPACED_STOPS.iter().any(|word| head.starts_with(word));
        let most = if stops { MAX_STOPPED } else { MAX_UNSPACED };
        // What names another answer denies that one.
        let has_digit = head.contains(|char: char| char.is_ascii_digit() || char.is_ascii_uppercase());
        let is_short = head.chars().count() <= most && (stops || !has_digit);
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
    // "The result 205 was wrong."
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    at += usize::from(at > begin && words.get(at).is_some_and(is_number));
    let is_joined = is(at, &JOINED);
    at += usize::from(is_joined);
    // Right behind the answer its verb follows; later a sentence needs a subject, and something that stops.
    let has_subject = at > begin;
    let is_bare_stop = at == words.len() && stops;
    if has_subject && !stops && number >= MAX_NEAR || !has_subject && (number > 0 || stops) && !is_bare_stop {
        return None;
    }
    // "Wait, no."
    let is_no = |word: &&str| matches!(*word, "no" | "nope" | "nein" | "non" | "нет");
    if at == words.len() && at > 1 && words.iter().any(is_no) {
        return Some(true);
    }
    if has_subject && !stops && words[at..].iter().any(|word| AMBIGUOUS.contains(word)) {
        return None;
    }
    predicate(&words, at, is_joined, has_subject)
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
        let is_off = matches!(*word, "too" | "zu" | "trop" | "demasiado" | "troppo" | "слишком");
        if is_off && (is_said || has_subject) && is(at + 1, &OFF) {
            return Some(!is_not);
        }
        if is_denial(word) || matches!(*word, "cannot" | "can't" | "n'est") {
            is_not = true;
            is_said = true;
        } else if is(at, &WRONG) && (is_said || has_subject) {
            // "It is wrong to divide by 0."
            return (!is(at + 1, &["to", "that", "for", "if"])).then_some(!is_not);
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
            "$? No, that is too small.",
            "$. Wait, no. It is 6.",
            "$ would be wrong.",
            "$ is what I first thought, but that is wrong.",
            "$ is too small, so it is 6.",
            "$. Sorry, I meant 6.",
            "\nScratch that. 6.",
            "$... scratch that, 6.",
            "$ — no, wait, 6.",
            "$? No, it is 6.",
            "$ (no, 6).",
            "$. Actually no, it should be 6.",
            "입니다. 아니, 6입니다.",
            "です。いや、6です。",
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
            "$. It is impossible because 5 is odd.",
            "$. Is there another? No.",
            "$ would be wrong if $x$ were negative.",
            "$. If it were odd, that would be wrong.",
            "$. I hope it is correct.",
            "$. Is 7 possible? No, it is 6 less.",
            "$\n\nIs this wrong? No, it isn't wrong.",
            "$, no more and no less.",
            "$, as 6 is too small.",
            "です。6ではありません。",
            "$. No other value is right.",
            "。所以答案是5，而6是错误的。",
        ] {
            assert_eq!(taken_back(rest), None, "{rest}");
        }
    }
}
