//! What all rows of a file say together about their choices.

use super::*;
use crate::dataset::table::row_of_json;

/// The gold answer of each row, or why it is refused.
fn answers_as(rows: &[String], layout: Layout) -> Vec<Result<String, String>> {
    let rows: Vec<Row> = rows.iter().map(|row| row_of_json(row).unwrap()).collect();
    let is_chosen = layout != Layout::Auto;
    let mut survey = Survey::new(is_chosen);
    for (index, row) in rows.iter().enumerate() {
        survey.add(index + 1, row, None);
    }
    let layout = if is_chosen { layout } else { Layout::of(&rows[0], &survey) };
    let read = |row| read(row, layout, is_chosen, &Columns::default(), &survey).map(|content| content.answer);
    rows.iter().map(read).collect()
}

fn answers(rows: &[String]) -> Vec<Result<String, String>> {
    answers_as(rows, Layout::Auto)
}

/// The gold answers in one word; `-` for a row that is refused for `reason`.
fn letters(rows: &[String], reason: &str) -> String {
    let letter = |answer: Result<String, String>| match answer {
        Ok(answer) => answer,
        Err(error) => {
            assert!(!reason.is_empty() && error.contains(reason), "{error}");
            "-".to_owned()
        }
    };
    answers(rows).into_iter().map(letter).collect()
}

/// Rows with the same choices and these values of `key`.
fn rows(choices: &str, key: &str, values: &[&str]) -> Vec<String> {
    let row = |value: &&str| format!(r#"{{"question": "?", {choices}, "{key}": {value}}}"#);
    values.iter().map(row).collect()
}

const LIST: &str = r#""choices": ["ash", "oak", "elm"]"#;
const NUMBERED: &str = r#""choice1": "ash", "choice2": "oak", "choice3": "elm""#;
const FROM_0: &str = r#""ending0": "ash", "ending1": "oak", "ending2": "elm""#;
const LETTERED: &str = r#""A": "ash", "B": "oak", "C": "elm""#;
const LABELLED: &str = r#""choices": {"text": ["ash", "oak", "elm"], "label": ["1", "2", "3"]}"#;

#[test]
fn a_file_tells_whether_numbers_count_from_0_or_from_1() {
    let unclear = "no row has 0 or the number of its choices";
    let both = "from 0 (row 2) and from 1 (row 3)";
    for (choices, values, expected, reason) in [
        (LIST, vec!["1", "0", "2"], "BAC", ""),
        (LIST, vec!["1", "3", "2"], "ACB", ""),
        (LIST, vec!["1", "2", "\"C\""], "--C", unclear),
        (LIST, vec!["1", "0", "3", "\"oak\""], "---B", both),
        (LIST, vec!["\"1\"", "\"0\"", "2.0"], "BAC", ""),
        (NUMBERED, vec!["1", "0", "2"], "BAC", ""),
        (NUMBERED, vec!["1", "3", "2"], "ACB", ""),
        (NUMBERED, vec!["1", "2", "\"choice2\""], "--B", unclear),
        (NUMBERED, vec!["1", "0", "3"], "---", both),
        (FROM_0, vec!["1", "0", "2"], "BAC", ""),
        (FROM_0, vec!["1", "2", "1"], "BCB", ""),
        (FROM_0, vec!["1", "3", "2"], "ACB", ""),
        (FROM_0, vec!["1", "0", "3"], "---", both),
        (LETTERED, vec!["1", "3", "2"], "ACB", ""),
        (LETTERED, vec!["1", "0", "2"], "BAC", ""),
        (LETTERED, vec!["1", "2", "1"], "---", unclear),
        (LABELLED, vec!["\"1\"", "\"2\"", "\"1\""], "ABA", ""),
        (LABELLED, vec!["1", "0", "2"], "BAC", ""),
        (LABELLED, vec!["1", "0", "3"], "---", both),
    ] {
        let key = if choices == FROM_0 || choices == NUMBERED { "label" } else { "answer" };
        assert_eq!(letters(&rows(choices, key, &values), reason), expected, "{choices} {values:?}");
    }
    // A number that fits nothing says nothing about the others.
    let bad = rows(LIST, "answer", &["1", "-1", "9", "0"]);
    assert_eq!(letters(&bad, "none of the choices"), "B--A");
    // Labels that are letters in most rows and numbers in some: a number is a label.
    let mut arc = rows(LABELLED, "answerKey", &["\"1\"", "\"2\""]);
    arc.extend(rows(r#""choices": {"text": ["ash", "oak"], "label": ["A", "B"]}"#, "answerKey", &["\"B\""]));
    assert_eq!(letters(&arc, ""), "ABB");
}

#[test]
fn a_file_tells_labels_and_places_from_texts() {
    let numbers = r#""choices": ["3", "1", "7"]"#;
    assert_eq!(letters(&rows(numbers, "answer", &["\"1\"", "\"7\"", "\"3\""]), ""), "BCA");
    assert_eq!(letters(&rows(numbers, "answer", &["1", "0", "2"]), ""), "BAC");
    let columns = r#""option1": "4", "option2": "3", "option3": "2", "option4": "1""#;
    let doubt = "the place or the text";
    assert_eq!(letters(&rows(columns, "answer", &["\"1\"", "4"]), "the label, the place or the text"), "--");
    let mut texts = rows(columns, "answer", &["\"1\"", "4"]);
    texts.extend(rows(r#""option1": "9", "option2": "8""#, "answer", &["8"]));
    assert_eq!(letters(&texts, ""), "DAB");
    let mut labels = rows(columns, "answer", &["\"1\"", "4"]);
    labels.extend(rows(r#""option1": "9", "option2": "8""#, "answer", &["2"]));
    assert_eq!(letters(&labels, ""), "ADB");
    let mixed = rows(r#""choices": ["2", "5", "1"]"#, "answer", &["\"2\"", "\"5\"", "\"0\""]);
    assert_eq!(letters(&mixed, doubt), "-B-");
    // Letters that are texts too.
    let roots = r#""choices": ["C", "A", "D", "K"]"#;
    assert_eq!(letters(&rows(roots, "answer", &["\"C\"", "\"A\"", "\"K\""]), ""), "ABD");
    assert_eq!(letters(&rows(roots, "answer", &["\"C\"", "\"B\""]), ""), "CB");
    assert_eq!(
        letters(&rows(roots, "answer", &["\"C\"", "\"B\"", "\"K\""]), "the letter or the text"),
        "--D"
    );
    // A number that is no text, where numbers are texts.
    let sums = rows(numbers, "answer", &["\"7\"", "\"3\"", "\"0\""]);
    assert_eq!(letters(&sums, doubt), "CA-");
}

#[test]
fn columns_of_doubtful_names_are_choices_where_all_rows_say_so() {
    let small = |values: &[&str]| rows(r#""a": 1, "b": -3, "c": 2"#, "answer", values);
    for (rows, expected, reason) in [
        (small(&["3", "2", "\"x\""]), "32x", ""),
        (small(&["3", "2"]), "--", "they are numbers"),
        (rows(r#""op1": 3, "op2": 2"#, "answer", &["1", "2", "4"]), "124", ""),
        (rows(r#""op1": 3, "op2": 2"#, "answer", &["1", "2"]), "--", "they are numbers"),
        (rows(r#""opa": "ash", "opb": "oak""#, "cop", &["1", "0"]), "BA", ""),
        (rows(r#""sol1": "twist", "sol2": "push""#, "label", &["1", "0"]), "BA", ""),
        (rows(r#""answer0": "ash", "answer1": "oak""#, "label", &["1", "0"]), "BA", ""),
        (
            rows(r#""answerA": "ash", "answerB": "oak", "answerC": "elm""#, "label", &["\"1\"", "\"3\""]),
            "AC",
            "",
        ),
        (
            rows(r#""answer_a": "4", "answer_b": "5""#, "answer", &["\"4\"", "\"5\""]),
            "--",
            "they are numbers",
        ),
        (rows(r#""answer_a": "ash", "answer_b": "oak""#, "answer", &["\"oak\"", "\"ash\""]), "BA", ""),
        (
            rows(r#""answer_1": "ash", "answer_2": "an ash""#, "answer", &["\"ash\"", "\"ash\""]),
            "--",
            "same one",
        ),
        (rows(LETTERED, "answer", &["\"B\"", "\"oak\"", "\"elm\""]), "BBC", ""),
        (rows(LETTERED, "answer", &["\"B\"", "\"oak\"", "\"beech\""]), "---", "that of row 3 is not"),
        (rows(LETTERED, "answer", &["\"E\"", "\"D\""]), "--", "answers are letters"),
        (rows(LETTERED, "answer", &["\"E\"", "\"B\""]), "-B", "none of the choices"),
    ] {
        assert_eq!(letters(&rows, reason), expected, "{rows:?}");
    }
    // Names that are not known are never read as choices, nor left out where answers name them.
    let items = r#""item_a": "ash", "item_b": "oak""#;
    for (rows, expected, reason) in [
        (rows(items, "answer", &["\"B\"", "\"a\""]), "--", "\"item_a\", \"item_b\" seem to be choices"),
        (rows(items, "answer", &["\"B\"", "\"C\"", "\"x\""]), "BCx", ""),
        (rows(items, "answer", &["\"oak\"", "\"ash\""]), "oakash", ""),
        (rows(r#""fact1": "ash", "fact2": "oak""#, "answer", &["1", "2", "3"]), "123", ""),
        (rows(r#""n1": 1, "n2": 2"#, "answer", &["1", "2"]), "12", ""),
        // Other ways to write the answer, or choices.
        (rows(r#""answers": ["ash", "an ash"]"#, "answer", &["\"ash\"", "\"ash\""]), "ashash", ""),
        (rows(r#""answers": ["1", "one"]"#, "answer", &["1", "1"]), "11", ""),
        (rows(r#""answers": ["ash", "oak", "elm"]"#, "label", &["1", "0"]), "BA", ""),
    ] {
        assert_eq!(letters(&rows, reason), expected, "{rows:?}");
    }
    // One mistake among letters spoils no file.
    let values: Vec<&str> = std::iter::repeat_n("\"B\"", 30).chain(["\"beech\""]).collect();
    assert_eq!(
        letters(&rows(LETTERED, "answer", &values), "none of the choices"),
        format!("{}-", "B".repeat(30))
    );
}

#[test]
fn a_layout_that_is_named_decides_about_doubtful_columns() {
    let rows =
        rows(r#""answer_1": "ash", "answer_2": "an ash""#, "answer", &["\"ash\"", "\"an ash\"", "\"oak\""]);
    assert!(answers(&rows)[0].as_ref().unwrap_err().contains("dataset.layout"));
    let chosen: Vec<Option<String>> =
        answers_as(&rows, Layout::MultipleChoice).into_iter().map(Result::ok).collect();
    assert_eq!(chosen, [Some("A".to_owned()), Some("B".to_owned()), None]);
    let plain: Vec<Option<String>> = answers_as(&rows, Layout::Plain).into_iter().map(Result::ok).collect();
    assert_eq!(plain, ["ash", "an ash", "oak"].map(|answer| Some(answer.to_owned())));
}

/// Files in the form of public datasets, and others that are nearly like them: the answers of the rows that are asked, and
/// what is said of a row that isn't or of a column that isn't.
#[test]
fn usual_layouts_are_read_and_doubtful_ones_are_refused() {
    let mut wrong = Vec::new();
    for line in include_str!("layouts.jsonl").lines() {
        let file: serde_json::Value = serde_json::from_str(line).unwrap();
        let rows: Vec<Row> = file["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row_of_json(&row.to_string()).unwrap())
            .collect();
        let mut survey = Survey::new(false);
        rows.iter().enumerate().for_each(|(index, row)| survey.add(index + 1, row, None));
        let layout = Layout::of(&rows[0], &survey);
        let (mut answers, mut said) = (Vec::new(), Vec::new());
        for row in &rows {
            match read(row, layout, false, &Columns::default(), &survey) {
                Ok(content) => {
                    answers.push(content.answer);
                    said.extend(content.left_out);
                }
                Err(reason) => said.push(reason),
            }
        }
        let expected: Vec<&str> =
            file["answers"].as_array().unwrap().iter().map(|answer| answer.as_str().unwrap()).collect();
        let says = file["says"].as_str().unwrap();
        let is_said = said.iter().any(|said| said.contains(says)) || says.is_empty();
        if answers != expected || !is_said {
            wrong.push(format!("{}: {answers:?}, {said:?}", file["name"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
