//! Where the answer stands in a response.

use exgrpo_guest_sdk::response::{self, announced, is_unspaced};

use crate::main_number::main_number;
use crate::spans::{MAX_ANSWER, run_of_formulas, spans};
use crate::statement::{announced_value, is_bare, last_statement, words_said};
use crate::worked_out::results;
use crate::{boxed, commands, modifiers, number_words, parser, units};

/// Boxes at the end of a response that are looked at.
const MAX_BOXES: usize = 64;

/// What may be the answer of a response.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// The likeliest first; the first that can be read is the answer.
    pub(crate) answers: Vec<String>,
    /// The contents of all boxes, where several may be the parts of one answer.
    pub(crate) boxes: Vec<String>,
    /// Whether they come from sentences, not from boxes.
    pub(crate) is_prose: bool,
    /// Whether the first takes the place of a box before it.
    pub(crate) is_revised: bool,
}

/// Candidates for the answer, of what follows the thoughts of a response that shows them. Where nothing follows, it is in the
/// thoughts, and where what follows has no answer, only a box among the thoughts counts.
pub(crate) fn candidates_behind_thoughts(text: &str, finished: bool) -> Candidates {
    let rest = behind_thoughts(text);
    let found = candidates(rest, finished);
    if found.answers.is_empty() && rest.len() < text.len() { candidates(text, false) } else { found }
}

/// What follows the thoughts of a response, or all of it where nothing does.
pub(crate) fn behind_thoughts(text: &str) -> &str {
    let parts = text.rsplit_once("</think>");
    parts.map(|(_, rest)| rest.trim_start()).filter(|rest| !rest.is_empty()).unwrap_or(text)
}

/// Candidates for the answer.
///
/// Boxes decide if any holds something, and the last one counts, with those before it that commas or words join to it, unless
/// a phrase behind it announces another answer. Without a box, it is what follows the last "answer is" and the like, else
/// what the last sentence says, else the last formula, else the last number. A response that was cut has an answer only in
/// a box.
pub(crate) fn candidates(text: &str, finished: bool) -> Candidates {
    let boxes = boxes(text);
    if boxes.is_empty()
        && let Some(denied) = response::filled_boxes(text).last()
    {
        // Of a response whose boxes are all taken back, only what it announces behind them counts.
        let rest = &text[denied.range.end..];
        let answers = finished.then(|| corrected(rest).or_else(|| revised(rest, denied.content))).flatten();
        return Candidates {
            answers: answers.into_iter().collect(),
            is_prose: true,
            ..Candidates::default()
        };
    }
    if let Some(last) = boxes.last() {
        let rest = &text[last.range.end..];
        let revised = finished.then(|| revised(rest, last.content)).flatten();
        let corrected = finished.then(|| corrected(rest)).flatten();
        let revised = corrected.or(revised);
        let is_revised = revised.is_some();
        if !is_revised && let Some(anew) = response::taken_back(rest) {
            let answers = if finished { said_anew(anew) } else { Vec::new() };
            return Candidates { answers, is_prose: true, ..Candidates::default() };
        }
        let answers = revised.into_iter().chain(boxed::joined(text, &boxes)).collect();
        let boxes = boxed::all(text, &boxes).unwrap_or_default();
        return Candidates { answers, boxes, is_prose: false, is_revised };
    }
    let is_prose = finished && !has_open_box(text) && !leaves_box_empty(text) && !response::gives_up(text);
    let answers = if is_prose { without_box(&results(text)) } else { Vec::new() };
    Candidates { answers, is_prose, ..Candidates::default() }
}

/// Whether a response ends in an empty box and says before it, in words that elsewhere may be about a step, that it has no
/// answer.
fn leaves_box_empty(text: &str) -> bool {
    const SAID: [&str; 14] = [
        "i cannot give",
        "i can't give",
        "i could not",
        "i couldn't",
        "i was not able",
        "i wasn't able",
        "i am not able",
        "i'm not able",
        "i am unable",
        "i was unable",
        "i do not know",
        "i don't know",
        "we could not",
        "we were not able",
    ];
    let before = text.trim_end_matches(['$', ' ', '\n', '.', '*', ']', '\\', ')']);
    let Some(before) = before.strip_suffix("\\boxed{}") else { return false };
    let mut from = before.len().saturating_sub(MAX_ANSWER);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let said = before[from..].to_lowercase().replace('’', "'");
    SAID.iter().any(|phrase| said.contains(phrase))
}

/// The last boxes of a text that hold something, and are neither denied nor only asked for.
pub(crate) fn boxes(text: &str) -> Vec<response::Boxed<'_>> {
    let mut boxes = response::filled_boxes(text);
    boxes.drain(..boxes.len().saturating_sub(MAX_BOXES));
    boxes.retain(|boxed| !is_denied(&text[..boxed.range.start]) && !is_asked(text, boxed));
    boxes
}

/// Whether the words before a box deny it.
fn is_denied(before: &str) -> bool {
    let before = before.trim_end_matches(['$', ' ', '\\', '(', '[', '*']);
    modifiers::ends_in_denial(before) || response::is_disowned(before)
}

/// Whether a box is only asked for: "Is it \boxed{3}?"
fn is_asked(text: &str, boxed: &response::Boxed<'_>) -> bool {
    let behind = text[boxed.range.end..].trim_start_matches(['$', ')', ']', '\\', '*', ' ']);
    behind.starts_with('?') && response::is_asked(&text[..boxed.range.start], &behind[1..])
}

/// What is said behind an answer that was taken back.
fn said_anew(text: &str) -> Vec<String> {
    if text.contains(|char: char| char.is_ascii_digit() || char == '$' || char == '\\') {
        return without_box(&results(text));
    }
    let text = text.trim();
    if text.len() <= 300 { words_said(text) } else { Vec::new() }
}

/// The text without a last sentence that only says that an answer belongs into a box.
fn without_reminder(text: &str) -> &str {
    /// Bytes of such a sentence behind the box.
    const MAX_BEHIND: usize = 60;
    /// What ends the sentence before it.
    const ENDS: [&str; 8] = ["\n", ". ", "! ", "? ", "$ ", "** ", "\\) ", "\\] "];
    let Some(at) = text.rfind("\\boxed") else { return text };
    let behind = text[at + "\\boxed".len()..].trim_start_matches(['{', '}']);
    let behind = behind.trim_end_matches(['.', '!', ')', '*', '"', '`', ' ', '\n']);
    let start = ENDS.iter().filter_map(|end| Some(text[..at].rfind(end)? + end.len())).max();
    let Some((before, sentence)) = start.map(|start| text[..at].split_at(start)) else { return text };
    let says_nothing =
        |text: &str| !text.contains(|char: char| char.is_numeric() || "\\$=:\n".contains(char));
    let before = before.trim_end();
    let is_reminder = says_nothing(sentence) && says_nothing(behind) && behind.len() <= MAX_BEHIND;
    if is_reminder && !before.is_empty() { before } else { text }
}

fn without_box(text: &str) -> Vec<String> {
    let text = &response::meant(without_reminder(text));
    if let Some(rest) = answer_behind(text) {
        let start = (rest.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        return match text.get(start..).and_then(response::reconsidered) {
            Some(anew) => said_anew(anew),
            None => announced_value(rest),
        };
    }
    let trimmed = text.trim().trim_matches('*');
    let spans = spans(text);
    // Writings without spaces have no words that would show a sentence.
    let statement = last_statement(text, &spans);
    let is_sentence = statement.is_some() && trimmed.contains(is_unspaced);
    let bare = (is_bare(trimmed) && !is_sentence).then(|| trimmed.trim_end_matches('.').to_owned());
    let rest = match statement {
        Some(values) => values,
        None => match run_of_formulas(text, &spans, false)
            .map(|run| run.answer)
            .or_else(|| Some(main_number(text, false)?.with_unit(text)))
        {
            None if trimmed.len() <= 300 => words_said(trimmed),
            found => found.into_iter().collect(),
        },
    };
    bare.into_iter().chain(rest).collect()
}

/// What a phrase announces, or `####` as in GSM8K's solutions.
fn answer_behind(text: &str) -> Option<&str> {
    let marked = text.rsplit_once("####").map(|(_, rest)| rest.trim().lines().next().unwrap_or_default());
    marked.filter(|line| !line.is_empty()).or_else(|| response::settled(text).map(|found| found.line))
}

/// The answer that a sentence behind the last box gives in correcting it.
fn corrected(rest: &str) -> Option<String> {
    let told = response::corrected(rest)?.trim_start_matches([':', ',', ' ', '：', '，']);
    let mut values = said_anew(told).into_iter();
    let has_value =
        |value: &String| value.contains(|char: char| char.is_ascii_digit() || "\\π√∞".contains(char));
    values.find(|value| has_value(value) && parser::parse(value).is_ok())
}

/// The answer that a phrase behind the last box announces anew, before its value or behind it.
fn revised(rest: &str, before: &str) -> Option<String> {
    announced_anew(rest, before).or_else(|| {
        let told = told_as_answer(rest)?;
        let value = without_box(told).into_iter().next()?;
        value.contains(|char: char| char.is_ascii_digit()).then_some(value)
    })
}

/// The last sentence that tells its value before it says that it is the answer, up to these words: "we get 6 as the final answer".
fn told_as_answer(text: &str) -> Option<&str> {
    const PHRASES: [&str; 9] = [
        " as my answer",
        " as the final answer",
        " as my final answer",
        " as our final answer",
        " as the answer",
        " as the correct answer",
        " as the corrected answer",
        " is the final answer",
        " is my final answer",
    ];
    let end = PHRASES.iter().filter_map(|phrase| text.rfind(phrase)).max()?;
    let before = &text[..end];
    let start =
        ["\n", ". ", "! ", "? "].iter().filter_map(|sign| Some(before.rfind(sign)? + sign.len())).max();
    let told = &before[start.unwrap_or(0)..];
    let is_supposed =
        |word: &str| matches!(word, "if" | "not" | "never" | "would" | "give" | "gives" | "wrong");
    let mut words = told.split(|char: char| !char.is_alphanumeric());
    (!words.any(|word| is_supposed(&word.to_lowercase()))).then_some(told)
}

/// The answer that a phrase behind the last box announces anew.
fn announced_anew(rest: &str, before: &str) -> Option<String> {
    let found = announced(rest)?;
    if !found.is_final(rest) {
        return None;
    }
    let value = announced_value(found.line).into_iter().next()?;
    let bare = value.trim_matches(['(', ')', '*', ' ']);
    let is_label = bare.len() == 1 && bare.chars().all(|char| char.is_ascii_uppercase());
    let has_value = value.contains(|char: char| char.is_ascii_digit() || "\\=<>∞π√∅".contains(char));
    // Words take the place of words.
    let is_word = !before.contains(|char: char| char.is_ascii_digit()) && before.len() > 1 && is_word(&value);
    (is_label || has_value || is_word || found.line.trim_start().starts_with('$')).then_some(value)
}

/// Whether a text is a word or two, and doesn't speak of the box: "hyperbola", but not "see above".
fn is_word(text: &str) -> bool {
    const SPEECH: [&str; 16] = [
        "see",
        "above",
        "below",
        "box",
        "boxed",
        "verified",
        "confirmed",
        "correct",
        "right",
        "clear",
        "obvious",
        "unique",
        "reasonable",
        "as",
        "in",
        "given",
    ];
    let mut words = text.trim_matches(['*', ' ', '.']).split(' ');
    let is_name = |word: &str| {
        word.chars().all(|char| char.is_alphabetic() || char == '-')
            && word.chars().nth(1).is_some()
            && !SPEECH.contains(&word.to_lowercase().as_str())
    };
    words.by_ref().take(2).all(is_name) && words.next().is_none()
}

/// Whether the last box doesn't end: the response broke off in its answer.
fn has_open_box(text: &str) -> bool {
    text.rfind("\\boxed{")
        .is_some_and(|at| !response::boxes(text).iter().any(|boxed| boxed.range.contains(&at)))
}

/// The gold answer: a dataset may give it in a solution with boxes, or behind `####`.
pub(crate) fn gold(reference: &str) -> String {
    let boxes = response::filled_boxes(reference);
    if let Some(parts) = boxed::all(reference, &boxes) {
        return parts.join(", ");
    }
    if let Some(answer) = boxed::joined(reference, &boxes) {
        return answer;
    }
    with_unit(reference.rsplit("####").next().unwrap_or_default().trim())
}

/// `13 (ice cream sandwiches)` with what is in brackets as words behind the value.
fn with_unit(text: &str) -> String {
    let text = text.strip_prefix("**").and_then(|text| text.strip_suffix("**")).unwrap_or(text);
    let parts = text.trim_end_matches(['$', '.']).strip_suffix(')').and_then(|text| text.rsplit_once(" ("));
    let Some((value, remark)) = parts else { return text.to_owned() };
    // "6 (six)"
    if number_words::number(remark).is_some() {
        return value.to_owned();
    }
    let is_words = remark
        .split([' ', '-', '/'])
        .all(|word| word.chars().all(|char| char.is_ascii_alphabetic() || "^.²³".contains(char)));
    let has_word =
        remark.split(' ').any(|word| word.len() > 2 && commands::is_word(word) || units::is_known(word));
    let ends_in_value = value
        .trim_end_matches(['$', ' '])
        .ends_with(|char: char| char.is_ascii_digit() || "}%)".contains(char));
    if is_words && has_word && ends_in_value && !remark.contains("mod") {
        format!("{value} \\text{{ {remark}}}")
    } else {
        text.to_owned()
    }
}

/// What a solution that is no answer by itself says that its answer is.
pub(crate) fn gold_in_prose(reference: &str) -> Option<String> {
    let line = response::after_answer_phrase(reference)?;
    announced_value(line).into_iter().next().filter(|value| value.len() <= MAX_ANSWER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(response: &str) -> String {
        candidates(response, true).answers.into_iter().next().unwrap_or_default()
    }

    #[test]
    fn the_last_box_that_holds_something_counts() {
        assert_eq!(first("$\\boxed{\\{1, 2\\}}$"), "\\{1, 2\\}");
        assert_eq!(first("\\boxed 7 is it"), "7");
        assert!(candidates("The answer is 5. \\boxed{5", true).answers.is_empty());
        assert_eq!(candidates("\\boxed{5} and then", false).answers, ["5"]);
        assert!(candidates("the answer is 5", false).answers.is_empty());
        assert_eq!(first("\\boxed{5}, as asked in \\boxed{}"), "5");
        assert_eq!(first("The answer goes in \\boxed{}. The answer is 5."), "5");
        assert_eq!(first("We put it in \\boxed{} as asked: 5"), "5");
        assert_eq!(first("\\boxed{5} \\boxed{\\text{answer}}"), "5");
    }

    #[test]
    fn a_phrase_behind_the_last_box_takes_its_place() {
        assert_eq!(first("\\boxed{4}\n\n**Final Answer**: $5$"), "5");
        assert_eq!(first("\\boxed{4}, no. So the answer is 5."), "5");
        assert_eq!(first("\\boxed{4}. The answer is in the box."), "4");
        assert_eq!(first("\\boxed{4}. To check the answer: 2*4 = 8."), "4");
        assert_eq!(first("\\boxed{4}. The answer is not 5."), "4");
        assert_eq!(first("\\boxed{4}. If $n$ were odd, the answer would be 5."), "4");
        assert_eq!(first("\\boxed{4}\nWe check that the answer is 4 = 2 + 2."), "4");
        assert_eq!(first("\\boxed{x>1}\n\nAnswer: D"), "D");
    }

    #[test]
    fn without_a_box_phrases_come_first_then_formulas_then_numbers() {
        assert_eq!(first("Answer: 12. We had 13."), "12");
        assert_eq!(first("Answer: 12. We had $13$."), "12");
        assert_eq!(first("The final answer is $x=1$ or $x=2$. I hope"), "x=1, x=2");
        assert_eq!(first("we get \\(3\\) then \\[\\sqrt{2}\\]"), "\\sqrt{2}");
        assert_eq!(first("**Answer:**\n\n$$\\frac{3}{4}$$"), "\\frac{3}{4}");
        assert_eq!(first("She has 3 apples and then 1,250."), "1,250");
        assert_eq!(first("3/4"), "3/4");
        assert_eq!(first("He pays $5 and then $10, in total $15."), "$15");
        assert_eq!(first("From 3-5 we get to\n-$7."), "-7");
    }

    #[test]
    fn prose_says_what_something_is() {
        assert_eq!(first("Final Answer: The largest $n$ is 34."), "34");
        assert_eq!(first("**Final Answer**: the number of points in the domain of $f$ is $19$."), "19");
        assert_eq!(first("The value of $x$ is 3."), "3");
        assert_eq!(first("The value is \\frac{2}{3}."), "\\frac{2}{3}");
        assert_eq!(
            first("With $d = 7$. Therefore, there are 12 of them. I hope it is correct."),
            "12 of them"
        );
        assert_eq!(first("We get $x = 42$. This is because 41 is odd."), "x = 42");
        assert_eq!(first("Since $n$ is $5$, we get $m = 10$."), "m = 10");
        assert!(candidates("Hence it is at least \\sqrt{2}", true).answers.is_empty());
        assert!(candidates("So there are at least 600.", true).answers.is_empty());
    }
}
