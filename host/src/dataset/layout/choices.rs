//! Multiple choice: where rows keep the choices, and which of them is right.

use super::conversation::is_conversation;
use crate::dataset::table::{Cell, Row, at};

const LETTERS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Columns that hold all choices, in the order in which they are looked for.
const TOGETHER: [&str; 5] = ["choices", "options", "endings", "question.choices", "question.options"];
/// Columns that hold a choice each. Those of one letter are choices only where the answer is a letter.
const APART: [&[&str]; 4] = [
    &["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"],
    &["option_a", "option_b", "option_c", "option_d", "option_e", "option_f"],
    &["opa", "opb", "opc", "opd", "ope"],
    &["choice_a", "choice_b", "choice_c", "choice_d", "choice_e", "choice_f"],
];
/// Columns that say which choice is right, in the order in which they are looked for.
const KEYS: [&str; 12] = [
    "answerKey",
    "answer_key",
    "answer",
    "answer_idx",
    "answer_index",
    "correct",
    "correct_option",
    "cop",
    "label",
    "gold",
    "target",
    "correct_answer",
];
/// Columns of the question, in the order in which they are looked for.
const QUESTIONS: [&str; 7] =
    ["question", "question_stem", "question.stem", "problem", "Problem", "ctx", "query"];

/// Choices of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choices {
    texts: Vec<String>,
    /// Names that the row gives them; none, or one each.
    labels: Vec<String>,
}

/// How a row says which choice is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// By a letter, a label or its text: this one, from 0.
    Named(usize),
    /// By a bare number, counted from 0.
    Counted(usize),
}

impl Right {
    pub(super) fn position(self) -> usize {
        match self {
            Self::Named(position) | Self::Counted(position) => position,
        }
    }
}

/// Why a row's right choice isn't known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unknown {
    /// The row says nothing, or nothing that fits.
    No(&'static str),
    /// A number that is the number of choices: right where one counts from 1.
    PastTheEnd,
}

impl Choices {
    /// The choices that `row` has, none where it has none. `path` is where the right one is said, if that was named by hand.
    ///
    /// # Errors
    /// They are kept in a way that is not known, or are too many.
    pub(super) fn of(row: &Row, path: Option<&str>) -> Result<Option<Self>, String> {
        let together = TOGETHER.iter().filter_map(|path| at(row, path).map(|cell| (path, cell)));
        let found = match together.into_iter().find(|(_, cell)| !cell.is_empty()) {
            Some((path, cell)) => Some(Self::together(cell).ok_or_else(|| {
                format!("the choices in `{path}` are {} of a form that isn't known", cell.kind())
            })?),
            None => {
                let is_letter =
                    key(row, path).and_then(Cell::text).is_some_and(|text| letter_in(&text).is_some());
                let sets = APART.iter().filter(|names| names[0].len() > 1 || is_letter);
                sets.into_iter().find_map(|names| Self::apart(row, names))
            }
        };
        let Some(mut choices) = found else { return Ok(None) };
        let count = choices.texts.len();
        if !(1..=LETTERS.len()).contains(&count) {
            return Err(format!("{count} choices: between 1 and {} can be lettered", LETTERS.len()));
        }
        choices.strip_letters();
        Ok(Some(choices))
    }

    fn together(cell: &Cell) -> Option<Self> {
        let texts = |cells: &[Cell]| -> Option<Vec<String>> {
            cells.iter().map(|cell| cell.text().map(|text| text.into_owned())).collect()
        };
        match cell {
            Cell::List(cells) if matches!(cells.first(), Some(Cell::Struct(_))) => {
                let part = |names: [&str; 3]| -> Option<Vec<String>> {
                    let of = |cell: &Cell| match cell {
                        Cell::Struct(parts) => {
                            names.iter().find_map(|name| parts.get(*name)?.text().map(Into::into))
                        }
                        _ => None,
                    };
                    cells.iter().map(of).collect()
                };
                let labels = part(["label", "key", "id"]).unwrap_or_default();
                Some(Self { texts: part(["text", "value", "content"])?, labels })
            }
            Cell::List(cells) => Some(Self { texts: texts(cells)?, labels: Vec::new() }),
            Cell::Struct(parts) => match (parts.get("text"), parts.get("label")) {
                (Some(Cell::List(text)), label) => {
                    let labels = match label {
                        Some(Cell::List(label)) => texts(label)?,
                        _ => Vec::new(),
                    };
                    let texts = texts(text)?;
                    (labels.is_empty() || labels.len() == texts.len()).then_some(Self { texts, labels })
                }
                // By letter. Parquet gives every row all letters that any row has.
                _ => {
                    let named = parts.iter().filter(|(_, cell)| **cell != Cell::Null);
                    let pairs = named.map(|(label, cell)| Some((label.clone(), cell.text()?.into_owned())));
                    let (labels, texts) = pairs.collect::<Option<Vec<_>>>()?.into_iter().unzip();
                    Some(Self { texts, labels })
                }
            },
            _ => None,
        }
    }

    /// Two columns or more, the first of them first.
    fn apart(row: &Row, names: &[&str]) -> Option<Self> {
        let texts: Vec<String> =
            names.iter().map_while(|name| row.get(*name)?.text().map(|text| text.into_owned())).collect();
        let labels = names[..texts.len()].iter().map(|name| name[name.len() - 1..].to_uppercase()).collect();
        (texts.len() >= 2).then_some(Self { texts, labels })
    }

    /// Takes away letters that the texts carry themselves: `A) ..`, `(A) ..`, `A. ..`.
    fn strip_letters(&mut self) {
        let bare = |(text, letter): (&String, &u8)| -> Option<String> {
            let text = text.trim_start();
            let inner = text.strip_prefix(['(', '（']).unwrap_or(text);
            let rest = inner.strip_prefix([char::from(*letter), char::from(letter.to_ascii_lowercase())])?;
            let marks: &[char] =
                if inner.len() < text.len() { &[')', '）'] } else { &[')', '）', '.', ':', '：', '、'] };
            Some(rest.trim_start().strip_prefix(marks)?.trim_start().to_owned())
        };
        if let Some(texts) = self.texts.iter().zip(LETTERS).map(bare).collect() {
            self.texts = texts;
        }
    }

    /// Which one is right: by `path`, or by a column of a usual name.
    pub(super) fn right(&self, row: &Row, path: Option<&str>) -> Result<Right, Unknown> {
        let key = key(row, path);
        let key = match key {
            Some(Cell::List(keys)) if keys.len() == 1 => keys.first(),
            key => key,
        };
        let Some(key_text) = key.and_then(Cell::text) else {
            return Err(Unknown::No("no column says which choice is right"));
        };
        let text = key_text.trim();
        let position_of = |list: &[String]| {
            let mut equal = (0..list.len()).filter(|&index| list[index].trim() == text);
            // Of two equal ones neither is meant.
            equal.next().filter(|_| equal.next().is_none())
        };
        let of_none = Unknown::No("the right choice is none of the choices");
        if let Some(position) = position_of(&self.labels).or_else(|| letter_in(text)) {
            return if position < self.texts.len() { Ok(Right::Named(position)) } else { Err(of_none) };
        }
        let by_text = position_of(&self.texts);
        let count = text.parse::<usize>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        match (count.filter(|&count| count < self.texts.len()), by_text) {
            // A number in quotes that is also one of the texts may mean either.
            (Some(count), Some(position)) if count != position && matches!(key, Some(Cell::Text(_))) => {
                Err(Unknown::No("the right choice may be the place or the text of one"))
            }
            (Some(count), _) => Ok(Right::Counted(count)),
            (None, Some(position)) => Ok(Right::Named(position)),
            (None, None) if count == Some(self.texts.len()) => Err(Unknown::PastTheEnd),
            (None, None) => Err(of_none),
        }
    }

    /// `question` with the choices below it, under letters.
    pub(super) fn asked(&self, question: &str) -> String {
        let mut asked = question.to_owned();
        for (letter, text) in LETTERS.iter().zip(&self.texts) {
            asked.push_str(&format!("\n{}. {text}", char::from(*letter)));
        }
        asked
    }
}

/// What says which choice is right: the value at `path`, or in a column of a usual name.
fn key<'a>(row: &'a Row, path: Option<&str>) -> Option<&'a Cell> {
    match path {
        Some(path) => at(row, path),
        None => KEYS.iter().filter_map(|name| row.get(*name)).find(|cell| !cell.is_empty()),
    }
}

/// Place of the letter that a text is: `B`, `b`, `(B)`, `B.`
fn letter_in(text: &str) -> Option<usize> {
    match text.trim_matches(['(', ')', '.', ' ']).as_bytes() {
        [letter] => LETTERS.iter().position(|known| *known == letter.to_ascii_uppercase()),
        _ => None,
    }
}

/// Letter of a choice, from 0.
pub(super) fn letter(position: usize) -> String {
    LETTERS.get(position).map(|letter| char::from(*letter).to_string()).unwrap_or_default()
}

/// The question of a row with choices.
pub(super) fn question(row: &Row) -> Option<&Cell> {
    QUESTIONS
        .iter()
        .filter_map(|path| at(row, path))
        .find(|cell| cell.text().is_some() || is_conversation(cell))
}
