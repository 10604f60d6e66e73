//! Choices that one column holds: a list of texts, objects with a text each, lists side by side, an object by name.

use std::collections::BTreeMap;

use super::apart::labels_of;
use super::choices::{Choices, lettered};
use super::key::{folded, letter_in, number_in};
use crate::dataset::table::{Cell, Row};

/// Parts of a choice that hold its text, in the order in which they are looked for; in small letters, without signs.
const TEXTS: [&str; 11] = [
    "text",
    "value",
    "content",
    "choicetext",
    "optiontext",
    "answertext",
    "body",
    "choice",
    "option",
    "answer",
    "ending",
];
/// Parts that hold its label. `option` is one beside a `text`.
const LABELS: [&str; 15] = [
    "label",
    "key",
    "letter",
    "id",
    "index",
    "idx",
    "symbol",
    "prefix",
    "choicelabel",
    "optionlabel",
    "choiceid",
    "optionid",
    "name",
    "option",
    "choice",
];
/// Parts that say whether it is the right one.
const FLAGS: [&str; 5] = ["iscorrect", "correct", "isanswer", "isright", "istrue"];
/// Columns of labels beside a column of texts.
const LABELS_BESIDE: [&str; 11] = [
    "labels",
    "letters",
    "choicelabels",
    "choiceslabels",
    "choiceletters",
    "choiceids",
    "optionlabels",
    "optionslabels",
    "optionletters",
    "optionids",
    "optionkeys",
];

/// The choices that `cell` of the column `name` holds.
///
/// # Errors
/// They are kept in a way that is not known, or what may be their labels is not read.
pub(super) fn choices_in(name: &str, cell: &Cell) -> Result<Choices, String> {
    let unknown = || format!("the choices in `{name}` are {} of a form that isn't known", cell.kind());
    if let Cell::List(cells) = cell {
        // Before anything is made of them: objects of a long list may each have parts of their own.
        lettered(cells.len())?;
    }
    match cell {
        Cell::List(cells) if matches!(cells.first(), Some(Cell::Struct(_))) => {
            let objects: Vec<&Row> = cells
                .iter()
                .map(|cell| match cell {
                    Cell::Struct(parts) => Some(parts),
                    _ => None,
                })
                .collect::<Option<_>>()
                .ok_or_else(unknown)?;
            let mut names: Vec<&String> = objects.iter().flat_map(|parts| parts.keys()).collect();
            names.sort_unstable();
            names.dedup();
            let parts = names.into_iter().map(|part| {
                let cells = objects.iter().map(|object| object.get(part).unwrap_or(&Cell::Null)).collect();
                (part.as_str(), cells)
            });
            of_parts(name, parts.collect())?.ok_or_else(unknown)
        }
        Cell::List(cells) => {
            let cells: Vec<&Cell> = cells.iter().collect();
            Ok(Choices::new(name, name, texts(&cells).ok_or_else(unknown)?, Vec::new()))
        }
        Cell::Struct(parts) => {
            let lists = parts.iter().filter_map(|(part, cell)| match cell {
                Cell::List(cells) => Some((part.as_str(), cells.iter().collect())),
                _ => None,
            });
            let lists: Parts = lists.collect();
            match lists.is_empty() {
                true => by_name(name, parts)?.ok_or_else(unknown),
                false => {
                    let choices = of_parts(name, lists)?.ok_or_else(unknown)?;
                    check_order(name, &choices.labels)?;
                    Ok(choices)
                }
            }
        }
        _ => Err(unknown()),
    }
}

/// Labels in a column of their own, for `count` choices that have none.
///
/// # Errors
/// Numbers in no order: labels, or something else.
pub(super) fn labels_beside(row: &Row, count: usize) -> Result<Vec<String>, String> {
    for (name, cell) in row.iter().filter(|(name, _)| LABELS_BESIDE.contains(&folded(name).as_str())) {
        let Cell::List(cells) = cell else { continue };
        let cells: Vec<&Cell> = cells.iter().collect();
        let Some(labels) = texts(&cells).filter(|labels| labels.len() == count) else { continue };
        check_order(name, &labels)?;
        return Ok(labels);
    }
    Ok(Vec::new())
}

/// Labels are letters or words, or numbers that rise: others may say which choice is right.
fn check_order(name: &str, labels: &[String]) -> Result<(), String> {
    let numbers: Option<Vec<usize>> = labels.iter().map(|label| number_in(label.trim())).collect();
    match numbers {
        Some(numbers) if !numbers.is_sorted_by(|one, next| one < next) => {
            Err(format!("`{name}` may be labels of the choices, but it is in no order: rename it"))
        }
        _ => Ok(()),
    }
}

/// What choices have of one kind each, by its name.
type Parts<'a> = Vec<(&'a str, Vec<&'a Cell>)>;

/// Choices of which `parts` hold texts, labels and so on; none without texts.
fn of_parts(column: &str, parts: Parts<'_>) -> Result<Option<Choices>, String> {
    let mut by_name: BTreeMap<String, (&str, Vec<&Cell>)> = BTreeMap::new();
    for (name, cells) in parts {
        if cells.iter().all(|cell| **cell == Cell::Null) {
            continue;
        }
        if let Some((other, _)) = by_name.insert(singular(name), (name, cells)) {
            return Err(format!(
                "the choices in `{column}` have both `{other}` and `{name}`: leave one of them out"
            ));
        }
    }
    let mut take = |known: &[&str]| known.iter().find_map(|name| by_name.remove(*name));
    let Some((_, cells)) = take(&TEXTS) else { return Ok(None) };
    let Some(found) = texts(&cells) else { return Ok(None) };
    let for_each = |(name, cells): (&str, Vec<&Cell>)| {
        texts(&cells).filter(|labels| labels.len() == found.len()).ok_or_else(|| {
            format!("the choices in `{column}` have `{name}` of another number or kind than their texts")
        })
    };
    let labels = take(&LABELS).map(for_each).transpose()?.unwrap_or_default();
    let is_label = |value: &String| letter_in(value).is_some() || number_in(value.trim()).is_some();
    if found.iter().all(is_label) && labels.iter().any(|label| !is_label(label)) {
        return Err(format!(
            "the choices in `{column}` have words as labels and labels as texts (rename them)"
        ));
    }
    let flagged = take(&FLAGS).map(|(name, cells)| flagged(column, name, &cells)).transpose()?;
    for (name, cells) in by_name.into_values() {
        let Some(values) = texts(&cells) else { continue };
        if found.iter().all(is_label) && !values.iter().all(is_label) {
            return Err(format!(
                "the choices in `{column}` may have their texts in `{name}` (rename it to text)"
            ));
        }
        let is_flag = cells.iter().all(|cell| matches!(cell, Cell::Bool(_)));
        if labels.is_empty() && values.iter().all(is_label) || is_flag {
            return Err(format!(
                "the choices in `{column}` have `{name}`, which may say their labels or which is right (rename it to label or \
                 is_correct, or leave it out)"
            ));
        }
    }
    Ok(Some(Choices { flagged, ..Choices::new(column, column, found, labels) }))
}

/// A part's name as [`TEXTS`], [`LABELS`] and [`FLAGS`] have it.
fn singular(name: &str) -> String {
    let name = folded(name);
    let known = |one: &&str| TEXTS.iter().chain(&LABELS).any(|known| known == one);
    name.strip_suffix('s').filter(known).map(str::to_owned).unwrap_or(name)
}

/// The only one that is marked as right.
fn flagged(column: &str, part: &str, cells: &[&Cell]) -> Result<usize, String> {
    let is_set = |cell: &Cell| match cell {
        Cell::Bool(value) => Some(*value),
        Cell::Null => Some(false),
        cell => match cell.text()?.trim() {
            "1" | "true" | "True" => Some(true),
            "0" | "false" | "False" => Some(false),
            _ => None,
        },
    };
    let set: Option<Vec<bool>> = cells.iter().map(|cell| is_set(cell)).collect();
    let places: Vec<usize> =
        set.unwrap_or_default().iter().enumerate().filter(|(_, set)| **set).map(|(place, _)| place).collect();
    match places[..] {
        [place] => Ok(place),
        _ => Err(format!("`{part}` of the choices in `{column}` doesn't say of just one that it is right")),
    }
}

/// Choices that an object has by name: letters or numbers, which say their order, or other words, which don't.
fn by_name(column: &str, parts: &Row) -> Result<Option<Choices>, String> {
    // Parquet gives every row all letters that any row has.
    let named: Vec<_> = parts.iter().filter(|(_, cell)| **cell != Cell::Null).collect();
    let in_order = labels_of(named.iter().map(|(name, _)| *name));
    if in_order.is_none() && named.iter().filter(|(name, _)| letter_in(name).is_some()).count() > 1 {
        return Err(format!(
            "the choices in `{column}` have letters and other words as names (leave the others out)"
        ));
    }
    // A place is open where one before others is missing.
    let has_gap = || {
        let known =
            in_order.iter().flatten().filter_map(|label| letter_in(label).or_else(|| number_in(label)));
        let (least, most) = known.fold((usize::MAX, 0), |(least, most), at| (least.min(at), most.max(at)));
        most.saturating_sub(least) + 1 != named.len()
    };
    let has_order = in_order.is_some() && !has_gap();
    let labels = in_order.unwrap_or_else(|| named.iter().map(|(name, _)| (*name).clone()).collect());
    let cells: Vec<&Cell> = named.iter().map(|(_, cell)| *cell).collect();
    let Some(texts) = texts(&cells) else { return Ok(None) };
    let is_sign = |text: &String| letter_in(text).is_some() || text.trim().parse::<f64>().is_ok();
    let are_flags = cells.iter().all(|cell| matches!(cell, Cell::Bool(_)));
    if are_flags && (!has_order || cells.len() > 2) || !has_order && texts.iter().all(is_sign) {
        return Err(format!(
            "the choices in `{column}` seem to be the names of its parts, not what is in them (give them as a list of texts)"
        ));
    }
    let mut pairs: Vec<(String, String)> = labels.into_iter().zip(texts).collect();
    // 10 comes after 9, and capitals don't come before small letters.
    pairs.sort_by_key(|(label, _)| number_in(label).or_else(|| letter_in(label)));
    let (labels, texts) = pairs.into_iter().unzip();
    Ok(Some(Choices { has_order, ..Choices::new(column, column, texts, labels) }))
}

fn texts(cells: &[&Cell]) -> Option<Vec<String>> {
    cells.iter().map(|cell| cell.text().map(|text| text.into_owned())).collect()
}
