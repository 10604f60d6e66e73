//! docs/src/reference/log.md says what the schemas say.

use std::fmt::Write;

use arrow::datatypes::{DataType, Field, Schema};

use exgrpo_core::blessed;
use exgrpo_core::journal::{EventKind, Slot};
use exgrpo_core::types::{Origin, Verdict};

use crate::metric::{definition, keys};
use crate::table::Word;
use crate::{
    DecisionRow, EvaluationRow, EventRow, ExperienceRow, ProblemChange, ProblemRow, Row, SCHEMA_VERSION,
    TABLES, metrics,
};

const HEAD: &str = "\
# The log: every table, column and metric

This page is generated from the schemas; a test compares them. The same text is in the metadata of every Parquet file, \
as `doc` and `unit` of each field.
";

/// Group size that the metrics of buckets are listed for: any will do.
const GROUP_SIZE: u32 = 2;

#[test]
fn the_reference_says_what_the_schemas_say() {
    let mut page = HEAD.to_owned();
    let _ = write!(page, "\nVersion of the schemas: {SCHEMA_VERSION}.\n");
    table::<ExperienceRow>(&mut page);
    table::<DecisionRow>(&mut page);
    table::<ProblemRow>(&mut page);
    table::<EventRow>(&mut page);
    metrics_table(&mut page);
    table::<EvaluationRow>(&mut page);
    words(&mut page);
    for name in TABLES {
        assert!(page.contains(&format!("\n## `{name}`\n")), "{name} is missing");
    }
    blessed::compare("docs/src/reference/log.md", &page).unwrap_or_else(|problem| panic!("{problem}"));
}

fn table<R: Row>(page: &mut String) {
    heading(page, R::TABLE, R::DOC.trim());
    columns(page, &R::schema());
}

fn heading(page: &mut String, name: &str, doc: &str) {
    let _ = write!(page, "\n## `{name}`\n\n{doc}\n\n");
}

fn columns(page: &mut String, schema: &Schema) {
    page.push_str("| column | type | unit | what it is |\n|---|---|---|---|\n");
    for field in schema.fields() {
        let _ = writeln!(page, "| `{}` | {} | {} |", field.name(), type_of(field), meaning(field));
    }
}

/// Unit and documentation, as two cells.
fn meaning(field: &Field) -> String {
    let text = |key| field.metadata().get(key).map_or_else(String::new, |text| cell(text));
    format!("{} | {}", text("unit"), text("doc"))
}

fn type_of(field: &Field) -> String {
    let word = match field.data_type() {
        DataType::List(element) => format!("list of {}", word_of(element.data_type())),
        simple => word_of(simple),
    };
    if field.is_nullable() { format!("{word}, or null") } else { word }
}

fn word_of(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "text".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn metrics_table(page: &mut String) {
    heading(
        page,
        metrics::TABLE,
        "A step: the column `step` (uint32), and a column a metric (float64, null where there is no value). K is the size \
         of a group.",
    );
    page.push_str("| metric | unit | what it is |\n|---|---|---|\n");
    // Metrics of one definition follow each other: one for each origin, or for each bucket.
    let mut rows: Vec<(Vec<String>, &str, String)> = Vec::new();
    for key in keys(GROUP_SIZE) {
        let (unit, doc) = definition(&key).unwrap();
        let doc = cell(doc.concat().trim());
        match rows.last_mut().filter(|(_, _, last)| *last == doc) {
            Some((names, ..)) => names.push(key),
            None => rows.push((vec![key], unit.unwrap_or_default(), doc)),
        }
    }
    for (names, unit, doc) in rows {
        let _ = writeln!(page, "| {} | {unit} | {doc} |", shown(&names));
    }
}

/// The names of one definition; buckets as the first and the last of any group size.
fn shown(names: &[String]) -> String {
    match names {
        [first, .., last] if last.ends_with(&format!("_{GROUP_SIZE}")) => {
            format!("`{first}` … `{}K`", last.trim_end_matches(|c: char| c.is_ascii_digit()))
        }
        _ => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

fn words(page: &mut String) {
    page.push_str("\n## Words\n\nWhat columns of text say where they say one of a few words:\n\n");
    list_of::<Origin>(page, "origin");
    list_of::<Verdict>(page, "verdict");
    list_of::<Slot>(page, "slot");
    list_of::<EventKind>(page, "kind");
    list_of::<ProblemChange>(page, "change");
}

fn list_of<W: Word>(page: &mut String, column: &str) {
    list(page, column, W::ALL.iter().map(|word| word.word()));
}

fn list<'a>(page: &mut String, column: &str, words: impl IntoIterator<Item = &'a str>) {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    let _ = writeln!(page, "* `{column}`: {}", words.join(", "));
}
