//! The options that a question lists, and answers that give the text of one.

use crate::label::Alphabet;

/// Bytes of an answer that may be the text of an option.
const MAX_TEXT: usize = 400;
/// Words of a question that asks for what is wrong.
const NEGATIONS: [&str; 9] =
    ["not", "except", "false", "incorrect", "wrong", "least", "untrue", "cannot", "never"];

/// The options of a question, by their labels.
#[derive(Debug, Default)]
pub(crate) struct Options {
    texts: Vec<(char, String)>,
    /// Whether the question may ask for what is wrong.
    pub(crate) is_negative: bool,
}

impl Options {
    /// The last list in a question whose lines have labels one after the other: `A. Rome`, `(B) Berlin`.
    pub(crate) fn of(labels: Alphabet, question: &str) -> Self {
        let mut texts: Vec<(char, String)> = Vec::new();
        for line in question.lines() {
            let Some((label, text)) = listed(labels, line) else { continue };
            let next = u32::try_from(texts.len()).ok().and_then(|count| labels.nth(count));
            if labels.nth(0) == Some(label) {
                texts = vec![(label, plain(text))];
            } else if next == Some(label) {
                texts.push((label, plain(text)));
            }
        }
        let mut words = question.split(|char: char| !char.is_alphabetic());
        let is_negative = words.any(|word| NEGATIONS.iter().any(|other| word.eq_ignore_ascii_case(other)));
        Self { texts, is_negative }
    }

    /// The label of the only option with a text.
    pub(crate) fn with_text(&self, text: &str) -> Option<char> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let text = plain(text);
        let mut found = self.texts.iter().filter(|(_, option)| !option.is_empty() && *option == text);
        let (label, _) = found.next()?;
        found.next().is_none().then_some(*label)
    }

    /// Whether a text gives a label with the text of another option.
    pub(crate) fn contradict(&self, label: char, text: &str) -> bool {
        let near: String = text.chars().take(MAX_TEXT).collect();
        let near = plain(near.lines().next().unwrap_or_default());
        let Some(at) = near.find(label.to_ascii_lowercase()).filter(|at| *at < 2) else { return false };
        let behind = near[at + 1..].trim_start_matches([')', ']', '.', ':', ' ', ',']);
        let sentence = behind.split(". ").next().unwrap_or_default();
        self.with_text(sentence).is_some_and(|other| other != label)
    }

    /// Whether the verdicts "true" and "false" are options themselves.
    pub(crate) fn are_verdicts(&self) -> bool {
        let verdicts = ["true", "false", "yes", "no", "correct", "incorrect", "right", "wrong"];
        self.texts.iter().any(|(_, text)| verdicts.contains(&text.as_str()))
    }
}

/// The label of a line and the text behind it.
fn listed(labels: Alphabet, line: &str) -> Option<(char, &str)> {
    let line = line.trim_start_matches([' ', '\t', '-', '*', '(', '[']);
    let mut chars = line.chars();
    let label = chars.next().filter(|char| !char.is_ascii_lowercase()).and_then(|char| labels.label(char))?;
    let rest = chars.as_str().trim_start_matches('*');
    let text = rest.strip_prefix([')', '.', ':', ']'])?;
    (text.starts_with([' ', '\t', '*']) && !text.trim().is_empty()).then_some((label, text))
}

/// A text in small letters, without the marks of bold type and of formulas and without its full stop.
fn plain(text: &str) -> String {
    let bare = ["\\text", "\\mathrm", "\\left", "\\right", "\\$"]
        .iter()
        .fold(text.to_owned(), |text, command| text.replace(command, ""));
    let bare: String = bare.chars().filter(|char| !"*$`\"{}\\_".contains(*char)).collect();
    let words: Vec<&str> = bare.split_whitespace().collect();
    words.join(" ").trim_end_matches(['.', '!', ' ']).to_lowercase()
}
