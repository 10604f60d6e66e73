//! Labels of options, and where a text begins with one.

use exgrpo_guest_sdk::response::{is_denial, is_unspaced};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Labels {
    Letters,
    Numbers,
}

/// What a text chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Nothing,
    One(char),
    /// Different labels side by side.
    Several,
}

impl Choice {
    pub(crate) fn one(self) -> Option<char> {
        match self {
            Self::One(label) => Some(label),
            Self::Nothing | Self::Several => None,
        }
    }
}

/// What may follow a label that could be an article: "the answer is A because ..".
pub(crate) const REASONS: [&str; 23] = [
    "because",
    "since",
    "as",
    "due",
    "for",
    "when",
    "given",
    "which",
    "so",
    "porque",
    "pues",
    "car",
    "parce",
    "weil",
    "da",
    "perché",
    "поскольку",
    "rather",
    "not",
    "instead",
    "by",
    "based",
    "but",
];

/// Words that may stand before a label, in small letters.
const ANNOUNCING: [&str; 47] = [
    "選択肢",
    "选项",
    "選項",
    "선택지",
    "보기",
    "option",
    "choice",
    "answer",
    "letter",
    "statement",
    "alternative",
    "the",
    "la",
    "le",
    "el",
    "die",
    "is",
    ":",
    "opción",
    "opcion",
    "opção",
    "alternativa",
    "opzione",
    "lettera",
    "optie",
    "вариант",
    "η",
    "a letra",
    "letra",
    "lettre",
    "réponse",
    "respuesta",
    "antwort",
    "đáp án",
    "pilihan",
    "therefore",
    "thus",
    "indeed",
    "still",
    "of course",
    "most",
    "donc",
    "also",
    "quindi",
    "então",
    "entonces",
    ",",
];
/// Characters of a text that tell whether it begins with a label.
const MAX_START: usize = 400;
/// Such words before a label.
const MAX_ANNOUNCING: usize = 6;

/// Whether a text begins with a label in bold type.
fn is_bold(text: &str, label: char) -> bool {
    let bare = text.trim_start_matches(|char: char| !char.is_alphanumeric());
    bare.strip_prefix(label).is_some_and(|behind| behind.starts_with("**"))
}

/// What follows one of the words that announce a label, or an adverb in "-ly".
fn behind_word(text: &str) -> Option<&str> {
    let behind = ANNOUNCING.iter().find_map(|word| {
        let start = text.get(..word.len())?;
        let behind = &text[word.len()..];
        let is_whole = !behind.starts_with(char::is_alphabetic)
            || !word.ends_with(|char: char| char.is_alphabetic() && !is_unspaced(char));
        (is_whole && start.to_lowercase() == *word).then_some(behind)
    });
    let adverb = || {
        let length = text.find(|char: char| !char.is_ascii_alphabetic())?;
        let (word, behind) = text.split_at(length);
        (word.ends_with("ly") && length < 16).then_some(behind)
    };
    behind.or_else(adverb).or_else(|| behind_article(text)).map(str::trim_start)
}

/// What follows an article before a label that ends its clause, or before its name: "é a G", "è l'opzione G" (without marks).
fn behind_article(text: &str) -> Option<&str> {
    let behind =
        ["a ", "o ", "l", "la ", "de ", "het "].iter().find_map(|article| text.strip_prefix(article))?;
    let mut chars = behind.trim_start_matches(['(', '[']).chars();
    let is_label = chars.next().is_some_and(|label| label.is_ascii_uppercase() || label.is_ascii_digit());
    let rest = chars.as_str().trim_start_matches([')', ']']);
    let is_named = ANNOUNCING
        .iter()
        .any(|word| behind.strip_prefix(word).is_some_and(|rest| word.len() > 3 && rest.starts_with(' ')));
    let ends = rest.is_empty() || rest.starts_with(['.', ',', '!', ':', ';', '\n']);
    (is_named || is_label && ends).then_some(behind)
}

/// Whether a text goes on with what an answer is not: "and not B", "y no B".
fn begins_contrast(text: &str) -> bool {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let is_joined = words.next().is_some_and(|word| matches!(word, "and" | "und" | "et" | "y" | "e" | "и"));
    let mut behind = words.take(2).skip_while(|word| word.ends_with("ly"));
    is_joined && behind.next().is_some_and(is_denial)
}

/// The labels that options may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alphabet {
    pub(crate) kind: Labels,
    pub(crate) size: u32,
}

impl Alphabet {
    /// A label as a letter or a digit; small letters count as capitals.
    pub(crate) fn label(self, char: char) -> Option<char> {
        let (label, first) = match self.kind {
            Labels::Letters => (char.to_ascii_uppercase(), 'A'),
            Labels::Numbers => (char, '1'),
        };
        let last = if self.kind == Labels::Letters { 26 } else { 9 };
        let index = u32::from(label).checked_sub(u32::from(first))?;
        (index < self.size.min(last)).then_some(label)
    }

    /// The label of the option at a place, counted from 0.
    pub(crate) fn nth(self, index: u32) -> Option<char> {
        let first = if self.kind == Labels::Letters { 'A' } else { '1' };
        char::from_u32(u32::from(first) + index).and_then(|char| self.label(char))
    }

    /// The label that a text begins with, behind words that announce it and marks around it.
    pub(crate) fn at_start(self, text: &str) -> Choice {
        let end = text.char_indices().nth(MAX_START).map_or(text.len(), |(at, _)| at);
        let text = &text[..end];
        let bare = ["\\textbf", "\\text", "\\mathrm", "\\mathbf"]
            .iter()
            .fold(text.to_owned(), |text, name| text.replace(name, ""));
        let bare: String = bare.chars().filter(|char| !"*$\\{}\"'`".contains(*char)).collect();
        let mut rest = bare.trim_start();
        for _ in 0..MAX_ANNOUNCING {
            let Some(behind) = behind_word(rest) else { break };
            rest = behind;
        }
        let is_bracketed = rest.starts_with(['(', '[']);
        rest = rest.trim_start_matches(['(', '[']);
        let mut chars = rest.chars();
        let Some(first) = chars.next() else { return Choice::Nothing };
        let Some(label) = self.label(first) else { return Choice::Nothing };
        let rest = chars.as_str();
        // A label ends where its word does: not the A of "All", nor the 4 of "42" or "4.5".
        let ends = match rest.chars().next() {
            None => true,
            Some(next) if is_bracketed => ")] .:,".contains(next),
            Some('.') => !rest[1..].starts_with(|char: char| char.is_ascii_digit()),
            Some(')' | ']' | ':' | ',' | ';' | '!') => true,
            // "**A** Rome" has no article.
            Some(' ' | '\n') if is_bold(text, first) => true,
            // "A cat" begins with an article, "I think" with a pronoun.
            // "E = mc^2" begins with a variable.
            Some(' ')
                if rest.trim_start().starts_with(['=', '<', '>', '+', '^', '≤', '≥', '≠', '≈', '/']) =>
            {
                false
            }
            Some(' ' | '\n') => {
                let next = rest.trim_start();
                let word = next.split(|char: char| !char.is_alphabetic()).next().unwrap_or_default();
                first.is_ascii_uppercase() && !matches!(first, 'A' | 'I')
                    || next.starts_with(['-', '(', '–'])
                    || REASONS.contains(&word)
                    || begins_contrast(next)
            }
            Some(next) if is_unspaced(next) => true,
            _ => false,
        };
        match (ends, self.names_another(rest, label)) {
            (false, _) => Choice::Nothing,
            (true, false) => Choice::One(label),
            (true, true) => Choice::Several,
        }
    }

    /// Whether a second label follows at once, as in "A and B" or "A, B"; but not where a sentence about it begins.
    fn names_another(self, rest: &str, label: char) -> bool {
        let rest = rest.trim_start_matches([')', ']', ' ', '.', ',', ';']);
        let joint = ["and ", "or ", "& ", "/", "和", "或", "与", "及"]
            .iter()
            .find_map(|word| rest.strip_prefix(word));
        let mut chars = joint.unwrap_or(rest).trim_start_matches(['(', '[']).chars();
        let other = chars
            .next()
            .filter(|char| char.is_ascii_uppercase() || char.is_ascii_digit())
            .and_then(|char| self.label(char));
        let behind = chars.as_str().trim_start_matches([')', ']']);
        let is_alone = behind.chars().next().is_none_or(|char| !char.is_alphanumeric() && char != '\'');
        let is_spoken_of = behind.starts_with(' ')
            && (joint.is_none() || chars.as_str().starts_with(' '))
            && !["and ", "or "].iter().any(|word| behind.trim_start().starts_with(word));
        is_alone && !is_spoken_of && other.is_some_and(|other| other != label)
    }
}
