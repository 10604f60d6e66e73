//! Multiple choice: where rows keep the choices.

use super::apart::{ColumnsApart, Standing, columns_apart, named};
use super::carried::{Mark, MarkKind, carried};
use super::conversation::is_conversation;
use super::fit::Verdict;
use super::key::{folded, is_letter, letter_in, number_in};
use super::survey::Survey;
use super::together;
use crate::dataset::table::{Cell, Row, at};
use exgrpo_core::escape::quoted;

pub(super) const LETTERS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Columns that hold all choices, in the order in which they are looked for; in small letters, without signs.
const TOGETHER: [&str; 5] = ["choices", "options", "endings", "answerchoices", "answeroptions"];
/// A column that holds all choices where it is no text.
const TOGETHER_IF_LIST: &str = "choice";
/// A column that mostly lists other ways to write the answer.
const ALIASES: &str = "answers";
/// Paths that hold all choices.
const TOGETHER_BELOW: [&str; 2] = ["question.choices", "question.options"];
/// What names of wrong choices begin with, in small letters, without signs.
const WRONG: [&str; 3] = ["distractor", "incorrectanswer", "wronganswer"];
/// Columns of the question, in the order in which they are looked for; in small letters, without signs.
const QUESTIONS: [&str; 8] =
    ["question", "questionstem", "problem", "ctx", "query", "goal", "sentence", "startphrase"];

/// Choices of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choices {
    /// Where the row has them: the same for all rows that have them there.
    pub(super) source: String,
    /// The column that has them, or the first of them.
    pub(super) column: String,
    pub(super) texts: Vec<String>,
    /// The texts as the row has them, with letters or numbers that they carry themselves.
    pub(super) written: Vec<String>,
    /// Names that the row gives them; none, or one each.
    pub(super) labels: Vec<String>,
    /// True where a place says which one is meant.
    pub(super) has_order: bool,
    /// True where a number that may be a label or a place is the label.
    pub(super) prefers_labels: bool,
    /// The one that is marked as right where the choices are.
    pub(super) flagged: Option<usize>,
}

impl Choices {
    /// The choices that `row` has, none where it has none. `path` is where the right one is said, if that was named by hand.
    ///
    /// # Errors
    /// They are kept in a way that is not known, are too many, or may be no choices.
    pub(super) fn of(row: &Row, path: Option<&str>, survey: &Survey) -> Result<Option<Self>, String> {
        if let Some(choices) = Self::certain(row, path)? {
            return Ok(Some(choices));
        }
        let mut candidates = candidates(row, path);
        candidates.sort_by_key(|candidate| survey.verdict(candidate));
        for candidate in candidates {
            let verdict = survey.verdict(&candidate);
            let is_chosen = survey.is_chosen() && candidate.standing == Standing::Doubtful;
            if verdict == Verdict::Other && !is_chosen {
                continue;
            }
            match (candidate.choices, verdict) {
                (Ok(None), _) => {}
                (found, Verdict::Unclear(doubt)) if !is_chosen => {
                    // What is wrong with one of a known name says more than the doubt.
                    let is_known = candidate.standing == Standing::Doubtful;
                    let doubt = doubt.reason(&candidate.columns);
                    return Err(found.err().filter(|_| is_known).unwrap_or(doubt));
                }
                (found, _) => return found,
            }
        }
        Ok(None)
    }

    /// Choices that are kept under a name which other things don't have.
    pub(super) fn certain(row: &Row, path: Option<&str>) -> Result<Option<Self>, String> {
        let mut found: Vec<(String, Self)> = Vec::new();
        for (name, cell) in columns_together(row).into_iter().filter(|(_, cell)| !cell.is_empty()) {
            let mut choices = together::choices_in(name, cell)?;
            if choices.labels.is_empty() {
                choices.take_labels(together::labels_beside(row, choices.texts.len())?);
            }
            found.push((name.to_owned(), choices.checked()?));
        }
        let sets: Vec<_> =
            columns_apart(row).into_iter().filter(|set| set.standing == Standing::Usual).collect();
        let mut first: Option<&ColumnsApart> = None;
        for set in &sets {
            let Some(choices) = Self::apart(row, set, path)? else { continue };
            let name = set.filled(row).first().map(|(name, _)| (*name).to_owned()).unwrap_or_default();
            found.push((name, choices));
            first.get_or_insert(set);
        }
        // A choice under another kind of name would be lost.
        for other in &sets {
            let filled = other.filled(row);
            if let (Some(first), [(name, _)]) = (first.filter(|first| first.is_like(other)), &filled[..]) {
                let beside = first.filled(row).first().map(|(name, _)| *name).unwrap_or_default();
                return Err(format!("`{name}` may be a choice beside `{beside}`: rename one of them"));
            }
        }
        let mut found = found.into_iter();
        let Some((name, choices)) = found.next() else { return Ok(None) };
        let trimmed = |choices: &Self| -> Vec<String> {
            choices.texts.iter().map(|text| text.trim().to_owned()).collect()
        };
        match found.find(|(_, other)| trimmed(other) != trimmed(&choices)) {
            Some((other, _)) => {
                Err(format!("`{name}` and `{other}` hold different choices: leave one of them out"))
            }
            None => Ok(Some(choices)),
        }
    }

    /// Choices in the order in which they are asked. `column` has them, or the first of them.
    pub(super) fn new(source: &str, column: &str, texts: Vec<String>, labels: Vec<String>) -> Self {
        let mut choices = Self {
            source: folded(source),
            column: column.to_owned(),
            written: texts.clone(),
            texts,
            labels: Vec::new(),
            has_order: true,
            prefers_labels: false,
            flagged: None,
        };
        choices.take_labels(labels);
        choices
    }

    fn take_labels(&mut self, labels: Vec<String>) {
        // Numbers in no order may be anything.
        let numbers: Option<Vec<usize>> = labels.iter().map(|label| number_in(label.trim())).collect();
        self.prefers_labels = numbers.is_none_or(|numbers| !numbers.is_empty() && numbers.is_sorted());
        self.labels = labels;
    }

    /// Choices that can be lettered.
    fn checked(mut self) -> Result<Self, String> {
        lettered(self.texts.len())?;
        if let Some(label) = doubled(&self.labels) {
            return Err(format!("two choices are labelled {}", quoted(&label)));
        }
        if let Some((marks, bare)) = carried(&self.texts) {
            let is_counted =
                |first: usize| marks.iter().enumerate().all(|(at, mark)| mark.place == at + first);
            let is_labelled = |(label, mark): (&String, &Mark)| {
                letter_in(label.trim()).is_none_or(|letter| letter == mark.place)
            };
            let are_labels = self.labels.iter().zip(&marks).all(is_labelled);
            match marks[0].kind {
                MarkKind::Letter if is_counted(0) && are_labels => self.texts = bare,
                MarkKind::Number if self.labels.is_empty() && (is_counted(0) || is_counted(1)) => {
                    self.texts = bare;
                    self.take_labels(marks.iter().map(|mark| mark.place.to_string()).collect());
                }
                // The texts keep what they carry in another order: a letter or number may be meant by it.
                _ => {}
            }
        }
        if self.texts.iter().any(|text| text.trim().is_empty()) {
            return Err("a choice is empty".to_owned());
        }
        if self.texts.iter().enumerate().all(|(place, text)| text.trim() == letter(place)) {
            return Err(format!("the choices in `{}` are letters without texts", self.column));
        }
        Ok(self)
    }

    /// Two columns or more, the first of them first; none where fewer are not empty.
    ///
    /// # Errors
    /// One before others is missing or empty, or one holds no text; or one is there, and no second.
    pub(super) fn apart(row: &Row, set: &ColumnsApart, path: Option<&str>) -> Result<Option<Self>, String> {
        let filled = set.filled(row);
        let Some(cells) = set.cells(row)? else {
            let mut names = set.places.values().flatten();
            return match (names.next(), names.next()) {
                (Some(first), Some(second)) if !filled.is_empty() || is_letter(row, path) => {
                    Err(format!("fewer than two choices in `{first}`, `{second}` and so on"))
                }
                _ => Ok(None),
            };
        };
        let (mut texts, mut labels) = (Vec::new(), Vec::new());
        for (label, name, cell) in cells {
            let text = cell.text().ok_or_else(|| format!("the choice in `{name}` is {}", cell.kind()))?;
            texts.push(text.into_owned());
            labels.push(label);
        }
        let column = filled.first().map(|(name, _)| *name).unwrap_or_default();
        let choices =
            Self { prefers_labels: !set.counts_from_1(), ..Self::new(&set.id, column, texts, labels) };
        choices.checked().map(Some)
    }

    /// Place of the choice that `text` is the label of. A letter stands for one by its label where all labels are letters,
    /// else by counting.
    pub(super) fn labelled(&self, text: &str) -> Option<usize> {
        let is_label = |label: &String| label.trim().eq_ignore_ascii_case(text);
        if let Some(place) = self.labels.iter().position(is_label) {
            return Some(place);
        }
        let of_all = |read: fn(&str) -> Option<usize>| -> Option<Vec<usize>> {
            self.labels.iter().map(|label| read(label.trim())).collect()
        };
        if let (Some(number), Some(labels)) = (number_in(text), of_all(number_in)) {
            return labels.iter().position(|label| *label == number);
        }
        let letter = letter_in(text)?;
        match of_all(letter_in).filter(|labels| !labels.is_empty()) {
            Some(labels) => labels.iter().position(|label| *label == letter),
            None => Some(letter).filter(|letter| self.has_order && *letter < self.texts.len()),
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

/// # Errors
/// So many choices can't be lettered.
pub(super) fn lettered(count: usize) -> Result<(), String> {
    match (2..=LETTERS.len()).contains(&count) {
        true => Ok(()),
        false => Err(format!("{count} choices: between 2 and {} can be lettered", LETTERS.len())),
    }
}

/// Choices that a row may have under a name which other things have too.
pub(super) struct Candidate<'a> {
    /// The same in all rows.
    pub(super) id: String,
    pub(super) standing: Standing,
    pub(super) columns: Vec<&'a str>,
    /// Places that have columns.
    places: Vec<usize>,
    pub(super) is_small: bool,
    /// True for a name whose number may be an amount as well as the place of a choice.
    pub(super) may_be_counted: bool,
    pub(super) choices: Result<Option<Choices>, String>,
}

impl Candidate<'_> {
    pub(super) fn has_place(&self, place: usize) -> bool {
        self.places.contains(&place)
    }
}

/// All candidates of a row, the most usual first.
pub(super) fn candidates<'a>(row: &'a Row, path: Option<&str>) -> Vec<Candidate<'a>> {
    let sets = columns_apart(row).into_iter().filter(|set| set.standing != Standing::Usual);
    let apart = sets.map(|set| Candidate {
        columns: set.filled(row).into_iter().map(|(name, _)| name).collect(),
        places: set.places.keys().copied().collect(),
        is_small: set.is_small(),
        may_be_counted: set.may_be_counted(),
        choices: Choices::apart(row, &set, path),
        standing: set.standing,
        id: set.id,
    });
    let lists = row.iter().filter(|(name, cell)| folded(name) == ALIASES && matches!(cell, Cell::List(_)));
    let lists = lists.filter_map(|(name, cell)| {
        let choices = together::choices_in(name, cell).ok()?.checked().ok()?;
        Some(Candidate {
            id: ALIASES.to_owned(),
            standing: Standing::Alias,
            columns: vec![name],
            places: Vec::new(),
            is_small: false,
            may_be_counted: true,
            choices: Ok(Some(choices)),
        })
    });
    apart.chain(lists).collect()
}

/// What may hold all choices of a row, with its name or path.
fn columns_together(row: &Row) -> Vec<(&str, &Cell)> {
    let mut found: Vec<(usize, &str, &Cell)> = Vec::new();
    // `option_s` is one choice of many, not all of them.
    for (name, cell) in row.iter().filter(|(name, _)| named(name).is_none()) {
        let known = folded(name);
        let is_text = cell.text().is_some();
        match TOGETHER.iter().position(|name| *name == known) {
            Some(rank) => found.push((rank, name, cell)),
            None if known == TOGETHER_IF_LIST && !is_text => found.push((TOGETHER.len(), name, cell)),
            None => {}
        }
    }
    found.sort_by_key(|(rank, ..)| *rank);
    let below = TOGETHER_BELOW.iter().filter_map(|path| Some((*path, at(row, path)?)));
    found.into_iter().map(|(_, name, cell)| (name, cell)).chain(below).collect()
}

/// Letter of a choice, from 0.
pub(super) fn letter(position: usize) -> String {
    LETTERS.get(position).map(|letter| char::from(*letter).to_string()).unwrap_or_default()
}

/// The question of a row with choices, and the column that has it.
pub(super) fn question(row: &Row) -> Option<(&str, &Cell)> {
    let is_question = |cell: &Cell| cell.text().is_some() || is_conversation(cell);
    let named = |known: &&str| {
        // A name as it is usual goes before one with other capitals.
        let exact = row.get_key_value(*known).filter(|(_, cell)| is_question(cell));
        let mut all = row.iter().filter(|(name, _)| folded(name) == *known);
        exact.or_else(|| all.find(|(_, cell)| is_question(cell))).map(|(name, cell)| (name.as_str(), cell))
    };
    let below = || Some(("question", at(row, "question.stem").filter(|cell| is_question(cell))?));
    QUESTIONS.iter().find_map(named).or_else(below)
}

/// Label that a list has twice: neither capitals nor spaces tell labels apart.
fn doubled(list: &[String]) -> Option<String> {
    let mut sorted: Vec<String> = list.iter().map(|label| label.trim().to_ascii_uppercase()).collect();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone())
}

/// Column that should hold the choices of a row and holds none, where the answer at `path` or in a column of a usual name is
/// a letter.
pub(super) fn missing<'a>(row: &'a Row, path: Option<&str>) -> Option<&'a str> {
    let empty = columns_together(row).into_iter().find(|(_, cell)| cell.is_empty())?;
    is_letter(row, path).then_some(empty.0)
}

/// Columns with choices that a row is not asked with.
pub(super) fn unread(row: &Row) -> Vec<String> {
    let lists =
        columns_together(row).into_iter().filter(|(_, cell)| matches!(cell, Cell::List(_) | Cell::Struct(_)));
    let lists = lists.filter(|(_, cell)| !cell.is_empty()).map(|(name, _)| name.to_owned());
    let may_be_lettered = is_letter(row, None);
    let is_choice = |set: &ColumnsApart| {
        set.standing == Standing::Usual || may_be_lettered && set.standing == Standing::Doubtful
    };
    let sets = columns_apart(row).into_iter().filter(is_choice);
    let apart: Vec<String> = sets.flat_map(|set| set.filled(row)).map(|(name, _)| name.to_owned()).collect();
    let is_wrong = |name: &String| WRONG.iter().any(|known| folded(name).starts_with(known));
    let wrong = row.iter().filter(|(name, cell)| !cell.is_empty() && is_wrong(name));
    // Where the answer is a letter, a list of texts of any name may be what it is of.
    let has_texts = |cell: &Cell| match cell {
        Cell::List(cells) => cells.len() >= 2 && cells.iter().all(|cell| cell.text().is_some()),
        Cell::Struct(parts) => parts.len() >= 2 && parts.values().all(|cell| cell.text().is_some()),
        _ => false,
    };
    let others = row.iter().filter(|(_, cell)| may_be_lettered && has_texts(cell));
    let mut names: Vec<String> =
        lists.chain(apart).chain(wrong.chain(others).map(|(name, _)| name.clone())).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// True where `asked` has the texts of the choices in it that `row` keeps beside it.
pub(super) fn are_in(row: &Row, asked: &str) -> bool {
    let choices = Choices::certain(row, None).ok().flatten();
    choices.is_some_and(|choices| choices.texts.iter().all(|text| asked.contains(text.trim())))
}
