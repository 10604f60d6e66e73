//! What a row holds. A value keeps its type and its digits from the file to the verifier: numbers stay the text that
//! they were written as.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use exgrpo_core::escape::{foreign, quoted};
use exgrpo_log::parquet_footer::MAX_COLUMNS;

/// Deepest nesting of a value.
const MAX_DEPTH: usize = 64;

/// A row, or a value with named parts: columns by name.
pub type Row = BTreeMap<String, Cell>;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// None.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number, with the digits that the file has; it may be beyond any float.
    Number(String),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Cell>),
    /// Values by name.
    Struct(Row),
    /// A value that has no text, and why.
    Unreadable(String),
}

impl Cell {
    /// The text of a value that has one: a number with its digits, a truth value as `true` or `false`.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(Cow::Borrowed(text)),
            Self::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Self::Null | Self::List(_) | Self::Struct(_) | Self::Unreadable(_) => None,
        }
    }

    /// The value as a number, where it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// True for nothing, an empty text and an empty list or struct.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::List(cells) => cells.is_empty(),
            Self::Struct(row) => row.values().all(Self::is_empty),
            Self::Bool(_) | Self::Number(_) | Self::Unreadable(_) => false,
        }
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Struct(_) => "an object",
            Self::Unreadable(_) => "a value that can't be read",
        }
    }

    /// A value as CSV holds it: nothing, a number as JSON writes numbers, else text.
    pub fn of_field(text: &str) -> Self {
        match text {
            "" => Self::Null,
            _ if is_number(text) => Self::Number(text.to_owned()),
            _ => Self::Text(text.to_owned()),
        }
    }
}

/// True for what JSON calls a number.
fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get().len() == text.len())
}

/// The row that a JSON text is.
///
/// # Errors
/// It is no JSON, no object, too wide or too deep; the text says so.
pub(in crate::dataset) fn row_of_json(text: &str) -> Result<Row, String> {
    let raw: &RawValue =
        serde_json::from_str(text).map_err(|error| foreign(&error.to_string()).to_string())?;
    row(raw)
}

/// The row that a value of JSON is; see [`row_of_json`].
pub(super) fn row(raw: &RawValue) -> Result<Row, String> {
    match cell(raw, 0)? {
        Cell::Struct(row) if row.len() > MAX_COLUMNS => Err(format!("more than {MAX_COLUMNS} columns")),
        Cell::Struct(row) => Ok(row),
        other => Err(format!("a row is {}, not an object", other.kind())),
    }
}

/// The parts of an object in their order; names may be there twice.
struct Parts<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Parts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;

        impl<'de> Visitor<'de> for Visit {
            type Value = Parts<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut parts = Vec::new();
                while let Some(part) = map.next_entry()? {
                    parts.push(part);
                }
                Ok(Parts(parts))
            }
        }

        deserializer.deserialize_map(Visit)
    }
}

/// Each level is looked over once by each level above it, so the depth is bounded.
fn cell(raw: &RawValue, depth: usize) -> Result<Cell, String> {
    if depth > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    let text = raw.get();
    let read = |error: serde_json::Error| foreign(&error.to_string()).to_string();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let Parts(parts) = serde_json::from_str(text).map_err(read)?;
            let mut row = Row::new();
            for (name, raw) in parts {
                let cell = cell(raw, depth + 1)?;
                match row.entry(name) {
                    Entry::Vacant(place) => place.insert(cell),
                    // Which of two is meant nobody knows.
                    Entry::Occupied(place) => {
                        return Err(format!("an object has {} twice", quoted(place.key())));
                    }
                };
            }
            Cell::Struct(row)
        }
        Some(b'[') => {
            let cells: Vec<&RawValue> = serde_json::from_str(text).map_err(read)?;
            Cell::List(cells.into_iter().map(|raw| cell(raw, depth + 1)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Cell::Text(serde_json::from_str(text).map_err(read)?),
        Some(b't') => Cell::Bool(true),
        Some(b'f') => Cell::Bool(false),
        Some(b'n') => Cell::Null,
        _ => Cell::Number(text.to_owned()),
    })
}

/// The value at a dotted path (`extra_info.solution`, `prompt.0.content`): lists are indexed by number, and a column
/// whose own name has dots goes first.
pub fn at<'a>(row: &'a Row, path: &str) -> Option<&'a Cell> {
    if let Some(cell) = row.get(path) {
        return Some(cell);
    }
    let mut parts = path.split('.');
    let mut cell = row.get(parts.next()?)?;
    for part in parts {
        cell = match cell {
            Cell::Struct(row) => row.get(part)?,
            Cell::List(cells) => cells.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(cell)
}

/// Names of the columns of a row, as they are shown: the first few of many.
pub fn names(row: &Row) -> String {
    const SHOWN: usize = 20;
    let mut names: Vec<String> = row.keys().take(SHOWN).map(|name| quoted(name).to_string()).collect();
    if row.len() > SHOWN {
        names.push(format!("{} more", row.len() - SHOWN));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_other_values_their_type() {
        let text = r#"{"big": 1180591620717411303424, "wide": -0.10000000000000000000001, "e": 1E+400, "t": "7\n",
                       "l": [1, null, true], "s": {"a b": 2.50, "": []}, "u": "\u00e9"}"#;
        let row = row_of_json(text).unwrap();
        let number = |digits: &str| Cell::Number(digits.to_owned());
        assert_eq!(row["big"], number("1180591620717411303424"));
        assert_eq!(row["wide"], number("-0.10000000000000000000001"));
        assert_eq!(row["e"], number("1E+400"));
        assert_eq!(row["t"], Cell::Text("7\n".to_owned()));
        assert_eq!(row["u"].text().unwrap(), "é");
        assert_eq!(row["l"], Cell::List(vec![number("1"), Cell::Null, Cell::Bool(true)]));
        assert_eq!(at(&row, "s.a b"), Some(&number("2.50")));
        assert_eq!(at(&row, "l.0"), Some(&number("1")));
        assert_eq!((at(&row, "l.3"), at(&row, "s.b"), at(&row, "big.0")), (None, None, None));
        assert!(row["e"].as_f64().unwrap().is_infinite());
        assert_eq!(at(&row_of_json(r#"{"a.b": 1, "a": {"b": 2}}"#).unwrap(), "a.b"), Some(&number("1")));
    }

    #[test]
    fn what_is_no_row_says_why() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(65), "]".repeat(65));
        for (text, expected) in [
            ("[1]", "a list"),
            ("7", "a number"),
            ("", "EOF"),
            ("{\"a\": 1} 2", "trailing"),
            ("{\"a\": \"\\ud800\"}", "hex escape"),
            (&deep, "deeper than 64"),
        ] {
            let error = row_of_json(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_field_is_a_number_where_json_has_such_numbers() {
        for (text, is_number) in [
            ("12", true),
            ("-0.50", true),
            ("1e9", true),
            ("007", false),
            ("+1", false),
            ("1,000", false),
            ("- 1", false),
            ("12 ", false),
            ("1/2", false),
            ("nan", false),
        ] {
            let cell = Cell::of_field(text);
            assert_eq!(cell.as_f64().is_some(), is_number, "{text}");
            assert_eq!(cell.text().unwrap(), text);
        }
        assert_eq!(Cell::of_field(""), Cell::Null);
    }
}
