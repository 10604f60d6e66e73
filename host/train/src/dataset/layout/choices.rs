//! Multiple choice: where rows keep the choices, and which of them is right.

use super::apart::{ColumnsApart, columns_apart};
use super::conversation::is_conversation;
use crate::dataset::table::{Cell, Row, at};
use exgrpo_core::escape::quoted;

const LETTERS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Columns that hold all choices, in the order in which they are looked for.
const TOGETHER: [&str; 5] = ["choices", "options", "endings", "question.choices", "question.options"];
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
const QUESTIONS: [&str; 8] =
    ["question", "question_stem", "question.stem", "problem", "Problem", "ctx", "query", "goal"];

/// Choices of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choices {
    texts: Vec<String>,
    /// The texts as the row has them, with letters that they carry themselves.
    written: Vec<String>,
    /// Names that the row gives them; none, or one each.
    labels: Vec<String>,
    /// True when one of them is a number of the file.
    has_numbers: bool,
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
            None => Self::in_columns(row, path)?,
        };
        let Some(mut choices) = found else { return Ok(None) };
        let count = choices.texts.len();
        if !(2..=LETTERS.len()).contains(&count) {
            return Err(format!("{count} choices: between 2 and {} can be lettered", LETTERS.len()));
        }
        if let Some(label) = doubled(&choices.labels) {
            return Err(format!("two choices are labelled {}", quoted(label)));
        }
        choices.strip_letters();
        Ok(Some(choices))
    }

    fn new(texts: Vec<String>, labels: Vec<String>, has_numbers: bool) -> Self {
        Self { written: texts.clone(), texts, labels, has_numbers }
    }

    /// Choices in a column each, by the first set of names that a row has.
    fn in_columns(row: &Row, path: Option<&str>) -> Result<Option<Self>, String> {
        let key = key(row, path).and_then(Cell::text);
        let key = key.as_deref().map(str::trim);
        let has_letter = key.is_some_and(|key| letter_in(key).is_some());
        for columns in columns_apart(row) {
            let found = Self::apart(row, &columns);
            let is_one = |choices: &Self| {
                let names_it = |text: &String| key.is_some_and(|key| text.trim() == key);
                choices.texts.iter().any(names_it) || choices.labels.iter().any(names_it)
            };
            let is_meant =
                !columns.is_doubtful || has_letter || matches!(&found, Ok(Some(choices)) if is_one(choices));
            match found {
                _ if !is_meant => {}
                Ok(None) if has_letter => {
                    let [first, second, ..] = columns.names[..] else { continue };
                    return Err(format!("fewer than two choices in `{first}`, `{second}` and so on"));
                }
                Ok(None) => {}
                found => return found,
            }
        }
        Ok(None)
    }

    fn together(cell: &Cell) -> Option<Self> {
        let has_numbers = match cell {
            Cell::List(cells) => cells.iter().any(is_number),
            Cell::Struct(parts) => match parts.get("text") {
                Some(Cell::List(cells)) => cells.iter().any(is_number),
                _ => parts.values().any(is_number),
            },
            _ => false,
        };
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
                Some(Self::new(part(["text", "value", "content"])?, labels, has_numbers))
            }
            Cell::List(cells) => Some(Self::new(texts(cells)?, Vec::new(), has_numbers)),
            Cell::Struct(parts) => match (parts.get("text"), parts.get("label")) {
                (Some(Cell::List(text)), label) => {
                    let labels = match label {
                        Some(Cell::List(label)) => texts(label)?,
                        _ => Vec::new(),
                    };
                    let texts = texts(text)?;
                    (labels.is_empty() || labels.len() == texts.len())
                        .then(|| Self::new(texts, labels, has_numbers))
                }
                // By letter. Parquet gives every row all letters that any row has.
                _ => {
                    let named = parts.iter().filter(|(_, cell)| **cell != Cell::Null);
                    let pairs = named.map(|(label, cell)| Some((label.clone(), cell.text()?.into_owned())));
                    let (labels, texts) = pairs.collect::<Option<Vec<_>>>()?.into_iter().unzip();
                    Some(Self::new(texts, labels, has_numbers))
                }
            },
            _ => None,
        }
    }

    /// Two columns or more, the first of them first. Those at the end may be empty.
    ///
    /// # Errors
    /// One before others is empty, or one holds no text.
    fn apart(row: &Row, columns: &ColumnsApart) -> Result<Option<Self>, String> {
        let cells: Vec<Option<&Cell>> =
            columns.names.iter().map(|name| row.get(*name).filter(|cell| !cell.is_empty())).collect();
        let count = cells.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        if count < 2 {
            return Ok(None);
        }
        let mut texts = Vec::new();
        for ((name, label), cell) in columns.names.iter().zip(&columns.labels).zip(&cells[..count]) {
            let Some(cell) = cell else {
                return Err(match name.is_empty() {
                    true => format!("the choice {label} has no column, later ones have"),
                    false => format!("the choice in `{name}` is empty, later ones are not"),
                });
            };
            let text = cell.text().ok_or_else(|| format!("the choice in `{name}` is {}", cell.kind()))?;
            texts.push(text.into_owned());
        }
        let labels = columns.labels[..count].to_vec();
        Ok(Some(Self::new(texts, labels, cells.iter().flatten().any(|cell| is_number(cell)))))
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
        let count_of = |list: &[String]| list.iter().filter(|known| known.trim() == text).count();
        // Of two equal ones neither is meant.
        let position_of = |list: &[String]| {
            list.iter().position(|known| known.trim() == text).filter(|_| count_of(list) == 1)
        };
        let of_none = Unknown::No(match count_of(&self.texts) {
            0 => "the right choice is none of the choices",
            _ => "the right choice is the text of two choices",
        });
        if let Some(position) = position_of(&self.labels) {
            return Ok(Right::Named(position));
        }
        let is_count = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !self.labels.is_empty() && self.labels.iter().all(|label| is_count(label)) && is_count(text) {
            return Err(Unknown::No("the right choice is a number that no choice has"));
        }
        let by_text = position_of(&self.texts).or_else(|| position_of(&self.written));
        match (letter_in(text).map(|letter| self.lettered(letter)), by_text) {
            (Some(Some(lettered)), Some(position)) if lettered != position => {
                return Err(Unknown::No("the right choice may be the letter or the text of one"));
            }
            (Some(Some(position)), _) | (Some(None), Some(position)) => return Ok(Right::Named(position)),
            (Some(None), None) => return Err(of_none),
            (None, _) => {}
        }
        let count = text.parse::<usize>().ok().filter(|_| is_count(text));
        match (count.filter(|&count| count < self.texts.len()), by_text) {
            // Where text can't be told from number, one that is also among the texts may mean either.
            (Some(count), Some(position))
                if count != position && (self.has_numbers || matches!(key, Some(Cell::Text(_)))) =>
            {
                Err(Unknown::No("the right choice may be the place or the text of one"))
            }
            (Some(count), _) => Ok(Right::Counted(count)),
            (None, Some(position)) => Ok(Right::Named(position)),
            (None, None) if count == Some(self.texts.len()) => Err(Unknown::PastTheEnd),
            (None, None) => Err(of_none),
        }
    }

    /// Place of the choice that a letter stands for: by its label where all labels are letters, else by counting.
    fn lettered(&self, letter: usize) -> Option<usize> {
        let of_labels: Vec<usize> = self.labels.iter().filter_map(|label| letter_in(label)).collect();
        match !self.labels.is_empty() && of_labels.len() == self.labels.len() {
            true => of_labels.iter().position(|label| *label == letter),
            false => Some(letter).filter(|letter| *letter < self.texts.len()),
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

fn is_number(cell: &Cell) -> bool {
    matches!(cell, Cell::Number(_))
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

/// Text that a list has twice.
fn doubled(list: &[String]) -> Option<&String> {
    let mut sorted: Vec<&String> = list.iter().collect();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// Column that should hold the choices of a row and holds none, where the answer at `path` or in a column of a usual name is
/// a letter.
pub(super) fn missing(row: &Row, path: Option<&str>) -> Option<&'static str> {
    let key = key(row, path).and_then(Cell::text)?;
    letter_in(key.trim())?;
    TOGETHER.into_iter().find(|path| at(row, path).is_some_and(Cell::is_empty))
}
