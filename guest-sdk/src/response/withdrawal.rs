//! Phrases that withdraw what was said right before them: "scratch that", "sorry, I meant 4", "no, it is 4".

use super::contrast::value_length;
use super::is_unspaced;
use super::withdrawal_words::{BEFORE, EXCLAIMED, JOINING, MEANT, NO, SORRY, UNSPACED, WITHDRAWALS};

/// Characters of a sentence in which such a phrase begins and ends.
const MAX_HEAD: usize = 120;
/// Words before such a phrase, and between it and the answer.
const MAX_BEFORE: usize = 4;
const MAX_JOINING: usize = 6;
/// Words behind an answer that end its clause: "4 apples", "4 of them".
const MAX_BEHIND: usize = 3;

/// Where the phrase ends with which a text begins, in bytes. A denial that answers a question is about that: `with_no` says
/// whether one may be about the answer.
pub(super) fn withdrawal(text: &str, with_no: bool) -> Option<usize> {
    let end = phrase(text, with_no)?;
    // "Oops, I meant 4."
    Some(text.get(end..).and_then(|rest| phrase(rest, with_no)).map_or(end, |more| end + more))
}

fn phrase(text: &str, with_no: bool) -> Option<usize> {
    let rest = text.trim_start_matches(|char: char| !char.is_alphanumeric());
    let begin = text.len() - rest.len();
    let end = rest.char_indices().nth(MAX_HEAD).map_or(rest.len(), |(at, _)| at);
    let head = rest[..end].to_lowercase().replace('’', "'");
    if head.starts_with(is_unspaced) {
        let phrase = UNSPACED.iter().find(|phrase| head.starts_with(**phrase))?;
        return Some(begin + phrase.len() + before_answer(&head[phrase.len()..]));
    }
    if !may_begin(&head) {
        return None;
    }
    // Offsets in small letters are those of the text but for a few capitals that no phrase has.
    let place = |left: &str| {
        let at = begin + head.len() - left.len();
        Some(if text.is_char_boundary(at) { at } else { begin + end })
    };
    let mut left = head.as_str();
    let (mut is_no, mut stops) = (false, 0);
    for _ in 0..=MAX_BEFORE {
        if let Some(behind) = WITHDRAWALS.at(left, 0).next().map(|phrase| &left[phrase.len()..]) {
            return place(answer(behind).unwrap_or(behind));
        }
        if let Some(behind) = EXCLAIMED.at(left, 0).find_map(|phrase| behind_word(left, phrase))
            && let Some(told) = answer(behind).or_else(|| Some(behind).filter(|behind| ends(behind)))
        {
            return place(told);
        }
        if let Some(told) = MEANT.at(left, 0).find_map(|phrase| behind_word(left, phrase)).and_then(answer) {
            return place(told);
        }
        let no = NO.at(left, 0).find_map(|word| behind_word(left, word)).filter(|_| with_no);
        is_no |= no.is_some();
        let Some(behind) = no.or_else(|| BEFORE.at(left, 0).find_map(|word| behind_word(left, word))) else {
            break;
        };
        stops += 1;
        left = behind.trim_start_matches([' ', ',', '.', '!', '…', '-', '—', '–', ':']);
    }
    // "Actually, 4" says no, too.
    is_no |= stops > 0 && SORRY.iter().any(|word| head.starts_with(word));
    let is_bare = left.is_empty() && stops > 1 && is_no;
    if is_bare { place(left) } else { answer(left).filter(|_| is_no).and_then(place) }
}

/// The length of what stands before the answer in writings without spaces: "是", or a sentence that only apologizes.
fn before_answer(text: &str) -> usize {
    let end = text.find(['.', '!', ',', '。', '！', '，', '、']).unwrap_or(0);
    let has_answer = text[..end].contains(|char: char| char.is_ascii_alphanumeric() || char == '$');
    let begin = if has_answer { 0 } else { end };
    let rest = text[begin..].trim_start_matches(['.', '!', ',', '。', '！', '，', '、', ' ']);
    text.len() - rest.trim_start_matches("应该").trim_start_matches("答案").trim_start_matches('是').len()
}

/// Whether a text begins with one of the phrases: most don't.
fn may_begin(head: &str) -> bool {
    [&WITHDRAWALS, &EXCLAIMED, &MEANT, &NO, &BEFORE].iter().any(|list| list.at(head, 0).next().is_some())
}

fn behind_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let behind = text.strip_prefix(word)?;
    (!behind.starts_with(|char: char| char.is_alphanumeric() || matches!(char, '\'' | '-'))).then_some(behind)
}

/// Whether a clause ends at the beginning of a text.
fn ends(text: &str) -> bool {
    text.trim_start_matches(['*', '_', ' ']).chars().next().is_none_or(|char| ".,!:;)—–\n…".contains(char))
}

/// The answer that follows and ends its clause, behind words that join it.
fn answer(text: &str) -> Option<&str> {
    let mut rest = text;
    for _ in 0..=MAX_JOINING {
        rest = rest.trim_start_matches([' ', ',', ':', '*', '_', '"', '—', '–', '…', '.', '\n']);
        // The small letters of a label are those of the text.
        let label = rest.strip_prefix(|char: char| char.is_ascii_lowercase());
        let label =
            label.or_else(|| rest.strip_prefix('(')?.strip_prefix(|char: char| char.is_ascii_lowercase()));
        let is_label =
            label.is_some_and(|behind| behind.is_empty() || behind.starts_with(['.', ')', '!', ',', '*']));
        if is_label || rest.starts_with('$') || rest.starts_with('\\') {
            return Some(rest);
        }
        if let Some(length) = value_length(rest) {
            return Some(rest).filter(|_| ends_clause(&rest[length..]));
        }
        let joined =
            JOINING.iter().filter_map(|word| behind_word(rest, word)).min_by_key(|behind| behind.len());
        rest = joined?;
    }
    None
}

/// Whether at most a few words stand before the end of a clause.
fn ends_clause(text: &str) -> bool {
    let end = text.find(['.', ',', ';', '!', '?', ')', '\n', '—', '–', '(', ':']).unwrap_or(text.len());
    let words = text[..end].split_whitespace();
    let is_verb = |word: &str| {
        matches!(
            word,
            "is" | "are" | "was" | "has" | "ist" | "est" | "es" | "è" | "é" | "can" | "does" | "would"
        )
    };
    let mut words = words
        .map(|word| word.trim_matches(|char: char| !char.is_alphanumeric()))
        .filter(|word| !word.is_empty());
    let behind: Vec<&str> = words.by_ref().take(MAX_BEHIND + 1).collect();
    behind.len() <= MAX_BEHIND && !behind.iter().any(|word| is_verb(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_withdrawn() {
        for text in [
            "Scratch that. 4",
            ".. scratch that, 4.",
            "Sorry, I meant 4.",
            "Just kidding, 4.",
            "Actually no, it should be 6.",
            "No, it is 4.",
            "No, 4.",
            "No, it's B.",
            "Wait, no.",
            "Hmm, wait, no: 4",
            "Oops! 4",
            "My mistake: it's 4.",
            "Never mind, it is 4.",
            "Make that 4.",
            "It should be $4$.",
            "Actually, 4.",
            "On second thought, 4.",
            "I mean 4.",
            "Nein, doch B.",
            "Nein, es ist 4.",
            "Entschuldigung, ich meinte 4.",
            "Quatsch, 4.",
            "Non, plutôt B.",
            "Pardon, je voulais dire 4.",
            "Je me suis trompé : 4.",
            "No, perdón, es B.",
            "Perdón, quise decir 4.",
            "No, mejor 4.",
            "No, anzi 4.",
            "Scusa, volevo dire 4.",
            "Não, aliás 4.",
            "Desculpe, quis dizer 4.",
            "Нет, вернее 4.",
            "Извините, я имел в виду 4.",
            "いや、Bです。",
            "すみません、4です。",
            "아니, B입니다.",
            "죄송합니다. 4입니다.",
            "不，应该是B。",
            "抱歉，是4。",
        ] {
            assert!(withdrawal(text, true).is_some(), "{text}");
        }
        for text in [
            "No other value works.",
            "No, 3 is even.",
            "No further steps are needed.",
            "Never mind the units.",
            "My mistake was to divide by 2.",
            "I mean the other root.",
            "It should be noted that 4 is even.",
            "Actually, this is the only one.",
            "Sorry for the long answer.",
            "Rather than 4, we use 5.",
            "We are done.",
            "Note 4.",
            "Non-negative numbers only.",
            "",
        ] {
            assert_eq!(withdrawal(text, true), None, "{text}");
        }
    }
}
