//! Sentences of a response: where they end, and which of them says something.

use crate::main_number::main_number;
use crate::modifiers::begins_with_denial;
use crate::remarks::{is_only_demotion, says_no_solution};
use crate::spans::Span;
use crate::statement::is_conclusion;

/// Words whose point ends no sentence.
const ABBREVIATIONS: [&str; 9] = ["approx", "i.e", "e.g", "rs", "no", "vs", "dr", "mr", "st"];
/// Bytes at the end of a response in which its last statement is looked for.
const MAX_STATEMENT: usize = 2000;

/// Where the last sentence begins and ends that says a value, in a formula or a plain number: what a closing remark says and
/// what is denied doesn't count.
pub(crate) fn last_with_value(text: &str, spans: &[Span<'_>]) -> Option<(usize, usize)> {
    let mut from = text.len().saturating_sub(MAX_STATEMENT);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut statement = None;
    let mut remark = None;
    while from < text.len() {
        let end = end_of_sentence(text, from, spans);
        let sentence = text[from..end].trim_matches([' ', '\n', '*', '\t']);
        let first = spans.partition_point(|span| span.start < from);
        let holds_formula = spans.get(first).is_some_and(|span| span.start < end);
        let has_number = || {
            let is_strict = !spans.is_empty() && !is_conclusion(sentence);
            !is_list_number(text, from, end) && main_number(sentence, is_strict).is_some()
        };
        let has_value = holds_formula
            || says_no_solution(sentence)
            || has_number()
            || (sentence.contains('\\') && (spans.is_empty() || is_conclusion(sentence)));
        let is_question = text[end..].starts_with('?');
        if has_value && !is_remark(sentence) && !is_question && !begins_with_denial(sentence) {
            statement = Some((from, end));
        } else if has_value && (holds_formula || spans.is_empty()) {
            remark = Some((from, end));
        }
        from = end + text[end..].chars().next().map_or(1, char::len_utf8);
    }
    statement.or(remark)
}

/// The number of an item of a list is parted from it by a point as sentences are.
fn is_list_number(text: &str, from: usize, end: usize) -> bool {
    let begins_line = from == 0
        || text[..from].ends_with('\n')
        || text[from..end].trim_start_matches(' ').starts_with('\n');
    let number = text[from..end].trim_matches([' ', '\n', '*', '#', '-', '>']);
    let rest = text[end..].lines().next().unwrap_or_default();
    begins_line && number.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with('.') && rest.len() > 1
}

/// Whether a sentence only looks again at what was said, or says what is no answer.
fn is_remark(sentence: &str) -> bool {
    const BEGINNINGS: [&str; 40] = [
        "this is because",
        "because ",
        "note",
        "check",
        "let's check",
        "let us check",
        "let me",
        "verif",
        "to verify",
        "to check",
        "we can verify",
        "we verify",
        "we can check",
        "this checks",
        "this matches",
        "this agrees",
        "this confirms",
        "recall",
        "remember",
        "(",
        "i hope",
        "i verified",
        "i checked",
        "if you",
        "feel free",
        "confidence",
        "for example",
        "rounded",
        "hint",
        "this took",
        "the other",
        "thank",
        "here we",
        "here, ",
        "i am ",
        "i'm ",
        "let ",
        "suppose ",
        "assume ",
        "consider ",
    ];
    const REFUSALS: [&str; 12] = [
        "admissible",
        "is rejected",
        "are rejected",
        "reject ",
        "discard",
        "extraneous",
        "impossible",
        "invalid",
        "not valid",
        "contradict",
        "doesn't work",
        "does not work",
    ];
    let lower = sentence.trim_start_matches([' ', '\n', '*', '#', '\t', '>', '-']).to_lowercase();
    // "If n were odd, it would be 6."
    let is_unreal = lower.contains(" would ")
        && ["if ", "had ", "were ", "unless ", "otherwise"].iter().any(|begin| lower.starts_with(begin));
    is_unreal
        || is_only_demotion(sentence)
        || BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning))
        || (!is_conclusion(sentence)
            && ![" get ", " left with", " leav", ", so ", " have ", " hence", " thus", " therefore"]
                .iter()
                .any(|word| lower.contains(word))
            && REFUSALS.iter().any(|refusal| lower.contains(refusal)))
}

/// Where the sentence ends that holds `from`: at its point outside of formulas, or at the end of its line.
pub(crate) fn end_of_sentence(text: &str, from: usize, spans: &[Span<'_>]) -> usize {
    let mut next_span = spans.partition_point(|span| span.end <= from);
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        if let Some(span) = spans.get(next_span).filter(|span| span.start <= at) {
            at = span.end;
            next_span += 1;
            // A formula of its own line may end the sentence.
            if span.content.ends_with('.') && matches!(bytes.get(at), Some(b' ' | b'\n')) {
                return at;
            }
            continue;
        }
        let is_end = match bytes[at] {
            b'\n' => true,
            b'.' | b'!' | b'?' => {
                matches!(bytes.get(at + 1), None | Some(b' ' | b'\n' | b'*'))
                    && !is_abbreviated(text, from, at)
                    && !(bytes[at] == b'!' && is_factorial(&text[from..at]))
            }
            _ => false,
        };
        if is_end && !text[from..at].trim().is_empty() {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

/// Whether an exclamation mark behind a text is part of a formula: `10·9!`, `(n-1)!`, but not "5!".
fn is_factorial(before: &str) -> bool {
    let word = before.rsplit([' ', '\n', '$', '*']).next().unwrap_or_default();
    let Some(last) = word.chars().next_back() else { return false };
    let is_operand = last.is_ascii_alphanumeric() || last == ')';
    let is_letter = word.len() == 1 && last.is_ascii_lowercase() && last != 'a';
    let has_digit = || word.contains(|char: char| char.is_ascii_digit() || char == '(');
    is_operand
        && (is_letter || has_digit() && word.contains(['·', '×', '/', '+', '^', '!', '=', '-', 'n', 'k']))
}

/// Whether the point at `at` ends an abbreviation.
fn is_abbreviated(text: &str, from: usize, at: usize) -> bool {
    let before = &text[from..at];
    let word = before.rsplit([' ', '(']).next().unwrap_or_default();
    word.len() <= 6 && ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}
