//! Boxes that only show where an answer goes.

use super::braced;

/// What such boxes hold, in small letters and without spaces.
const PLACEHOLDERS: [&str; 27] = [
    "",
    "...",
    "…",
    "\\ldots",
    "\\dots",
    "\\cdots",
    "\\cdot",
    "?",
    "??",
    "???",
    "answer",
    "youranswer",
    "finalanswer",
    "yourfinalanswer",
    "youranswerhere",
    "answerhere",
    "finalanswerhere",
    "insertanswerhere",
    "thefinalanswer",
    "theanswer",
    "答案",
    "最终答案",
    "respuesta",
    "réponse",
    "antwort",
    "resposta",
    "ответ",
];
/// Commands that draw nothing but room, with what follows them in braces.
const ROOM: [&str; 5] = ["\\phantom", "\\hphantom", "\\vphantom", "\\hspace", "\\vspace"];
/// Spacing, frames and lines, and commands around words; longer names before what they begin with.
const MARKS: [&str; 19] = [
    "\\underline",
    "\\textbf",
    "\\textit",
    "\\text",
    "\\mathrm",
    "\\mbox",
    "\\qquad",
    "\\quad",
    "\\square",
    "\\Box",
    "\\bigcirc",
    "\\left",
    "\\right",
    "\\,",
    "\\;",
    "\\:",
    "\\!",
    "\\ ",
    "*",
];
/// Bytes of such a box.
const MAX_LENGTH: usize = 60;

pub(super) fn is_placeholder(content: &str) -> bool {
    if content.len() > MAX_LENGTH {
        return false;
    }
    let has_room = content.contains("phantom") || content.contains("space");
    // Most boxes hold a number.
    if !has_room && content.contains(|char: char| char.is_ascii_digit() || "=+-^".contains(char)) {
        return false;
    }
    let mut bare = content.to_owned();
    if bare.contains('\\') {
        for command in ROOM.iter().filter(|_| has_room) {
            while let Some(at) = bare.find(command) {
                let open = at + command.len();
                let open = open + usize::from(bare[open..].starts_with('*'));
                match braced(&bare, open).filter(|_| bare[open..].starts_with('{')) {
                    Some(inner) => bare.replace_range(at..=inner.end, ""),
                    None => return false,
                }
            }
        }
        bare = MARKS.iter().fold(bare, |text, mark| text.replace(mark, ""));
    }
    let is_sign = |char: char| char.is_whitespace() || "{}_$~[]<>:：".contains(char);
    let bare: String =
        bare.to_lowercase().replace("\\_", "").chars().filter(|char| !is_sign(*char)).collect();
    PLACEHOLDERS.contains(&bare.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_and_words_for_an_answer_are_none() {
        for content in [
            "",
            " ",
            "\\phantom{x}",
            "\\hspace{1cm}",
            "\\hspace*{2em}\\phantom{\\frac{1}{2}}",
            "\\underline{\\hspace{1cm}}",
            "\\quad",
            "\\ \\ ",
            "\\_\\_\\_",
            "\\square",
            "\\text{Your final answer}",
            "\\textbf{ANSWER}",
            "\\ldots",
            "答案",
            "\\text{Réponse}",
            "\\text{Final Answer:}",
        ] {
            assert!(is_placeholder(content), "{content}");
        }
        for content in
            ["5", "\\phantom{-}5", "x", "\\hspace{1cm}7", "\\emptyset", "A", "\\text{no answer}", "-"]
        {
            assert!(!is_placeholder(content), "{content}");
        }
    }
}
