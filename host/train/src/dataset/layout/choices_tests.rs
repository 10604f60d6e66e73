//! Rows with choices, each a file of its own.

use super::tests::{asked, content};
use super::*;

const WHICH: &str = "user: Which?\nA. ash\nB. oak\nC. elm";

fn answer(row: &str) -> Result<String, String> {
    asked(row).map(|(_, answer)| answer)
}

fn refused(row: &str, reason: &str) {
    let error = answer(row).unwrap_err();
    assert!(error.contains(reason), "{row}: {error}");
}

#[test]
fn choices_are_asked_however_rows_keep_them() {
    let expected = (vec![WHICH.to_owned()], "B".to_owned());
    for row in [
        r#"{"question": "Which?", "choices": {"text": ["ash", "oak", "elm"], "label": ["1", "2", "3"]}, "answerKey": "2"}"#,
        r#"{"question": "Which?", "choices": ["ash", "oak", "elm"], "answer": "B"}"#,
        r#"{"question": "Which?", "options": ["ash", "oak", "elm"], "answer": "B", "answer_index": 1}"#,
        r#"{"question_stem": "Which?", "choices": {"text": ["ash", "oak", "elm"], "label": ["A", "B", "C"]}, "answerKey": "B"}"#,
        r#"{"question": {"stem": "Which?", "choices": [{"text": "ash", "label": "A"}, {"text": "oak", "label": "B"},
            {"text": "elm", "label": "C"}]}, "answerKey": "B"}"#,
        r#"{"question": "Which?", "A": "ash", "B": "oak", "C": "elm", "D": null, "answer": "b"}"#,
        r#"{"Question": "Which?", "A": "ash", "B": "oak", "C": "elm", "Answer": "B"}"#,
        r#"{"question": "Which?", "opa": "ash", "opb": "oak", "opc": "elm", "answer": "B"}"#,
        r#"{"question": "Which?", "option_a": "ash", "option_b": "oak", "option_c": "elm", "answer": "(B)"}"#,
        r#"{"question": "Which?", "options": {"A": "ash", "B": "oak", "C": "elm", "D": null}, "answer_idx": "B", "answer": "oak"}"#,
        r#"{"question": "Which?", "options": {"option_a": "ash", "option_b": "oak", "option_c": "elm"}, "answer": "B"}"#,
        r#"{"problem": "Which?", "options": ["A) ash", "B) oak", "C) elm"], "correct": "B"}"#,
        r#"{"ctx": "Which?", "endings": ["ash", "oak", "elm"], "label": "oak"}"#,
        r#"{"question": "Which?", "choices": ["ash", "oak", "elm"], "answer": "oak"}"#,
        r#"{"question": "Which?", "choice": ["ash", "oak", "elm"], "answer": "oak"}"#,
        r#"{"question": "Which?", "choices": ["ash", "oak", "elm"], "answer": ["B"]}"#,
        r#"{"question": "Which?", "choices": ["ash", "oak", "elm"], "answer": "B. oak"}"#,
        r#"{"question": [{"role": "user", "content": "Which?"}], "choices": ["ash", "oak", "elm"], "answer": "B"}"#,
    ] {
        assert_eq!(asked(row).as_ref(), Ok(&expected), "{row}");
    }
    // Named by hand.
    let columns =
        Columns { question: Some("stem".to_owned()), answer: Some("key.0".to_owned()), ..Columns::default() };
    let row = r#"{"stem": "Which?", "choices": ["ash", "oak", "elm"], "key": ["B"], "answer": "A"}"#;
    let (_, content) = content(row, &columns).unwrap();
    assert_eq!(
        (content.messages[0].content.as_str(), content.answer.as_str()),
        ("Which?\nA. ash\nB. oak\nC. elm", "B")
    );
}

#[test]
fn a_letter_stands_for_one_choice_or_the_row_is_refused() {
    refused(r#"{"question": "?", "choices": ["C", "A", "D", "K"], "answer": "C"}"#, "the letter or the text");
    assert_eq!(answer(r#"{"question": "?", "choices": ["X", "Y"], "answer": "Y"}"#), Ok("B".to_owned()));
    // Labels with a gap: a letter is the label, not the place.
    let gap = |answer: &str| {
        format!(
            r#"{{"question": "?", "options": {{"A": "ash", "B": null, "C": "oak", "D": "elm"}}, "answer": "{answer}"}}"#
        )
    };
    for text in ["C", "c", "(C)", "oak"] {
        assert_eq!(answer(&gap(text)), Ok("B".to_owned()), "{text}");
    }
    refused(&gap("b"), "none of the choices");
    // A letter that the texts carry themselves.
    let carried = r#"{"question": "?", "options": ["A) ash", "B) oak"], "answer": "B) oak"}"#;
    assert_eq!(asked(carried), Ok((vec!["user: ?\nA. ash\nB. oak".to_owned()], "B".to_owned())));
    // Letters that they carry in another order than they have.
    let other = |answer: &str| {
        format!(r#"{{"question": "?", "option_a": "B. ash", "option_b": "A. oak", "answer": "{answer}"}}"#)
    };
    assert_eq!(answer(&other("A. oak")), Ok("B".to_owned()));
    // Letter and text that don't belong together.
    refused(r#"{"question": "?", "choices": ["ash", "oak"], "answer": "A. oak"}"#, "none of the choices");
}

#[test]
fn columns_of_choices_are_all_asked_or_the_row_is_refused() {
    refused(
        r#"{"question": "?", "A": "ash", "B": "oak", "C": null, "D": "elm", "answer": "B"}"#,
        "`C` is empty",
    );
    refused(
        r#"{"question": "?", "option_a": "ash", "option_b": ["oak"], "answer": "A"}"#,
        "`option_b` is a list",
    );
    for names in [
        ["option1", "option2", "option3"],
        ["choice_01", "choice_02", "choice_03"],
        ["choice_one", "choice_two", "choice_three"],
        ["option_0", "option_1", "option_2"],
        ["ending0", "ending1", "ending2"],
        ["optionA", "optionB", "optionC"],
        ["Option A", "Option B", "Option C"],
        ["option_a", "Option_b", "OPTION-C"],
        ["option_1", "option-2", "option 3"],
        ["A option", "B option", "C option"],
        ["answer_choice_a", "answer_choice_b", "answer_choice_c"],
    ] {
        let row = format!(
            r#"{{"question": "Which?", "{}": "ash", "{}": "oak", "{}": "elm", "answer": "oak"}}"#,
            names[0], names[1], names[2]
        );
        assert_eq!(asked(&row), Ok((vec![WHICH.to_owned()], "B".to_owned())), "{row}");
    }
    for names in
        [["(A)", "(B)", "(C)"], ["A.", "B.", "C."], ["A", " B", "C "], ["answerA", "answerB", "answerC"]]
    {
        let row = format!(
            r#"{{"question": "Which?", "{}": "ash", "{}": "oak", "{}": "elm", "answer": "B"}}"#,
            names[0], names[1], names[2]
        );
        assert_eq!(asked(&row), Ok((vec![WHICH.to_owned()], "B".to_owned())), "{row}");
    }
    // A column that is missing, is there twice, or belongs to no set.
    for (columns, reason) in [
        (r#""option_a": "ash", "option_b": "oak", "option_d": "elm""#, "choice C has no column"),
        (r#""option_b": "ash", "option_c": "oak""#, "choice A has no column"),
        (r#""B": "ash", "C": "oak""#, "choice A has no column"),
        (r#""option_1": "ash", "option_2": "oak", "option_100": "elm""#, "choice 3 has no column"),
        (r#""option_1": "ash", "option_01": "oak", "option_2": "elm""#, "both the choice 1"),
        (r#""option_a": "ash", "Option_A": "oak", "option_b": "elm""#, "both the choice A"),
        (r#""option_a": "ash", "option_b": "oak", "option_3": "elm""#, "`option_3` may be a choice"),
        (r#""option_a": "ash", "option_b": "oak", "choices": ["ash", "elm"]"#, "hold different choices"),
        (r#""options": ["ash", "oak"], "choices": ["ash", "elm"]"#, "hold different choices"),
        (r#""A": "ash", "B": null"#, "fewer than two choices"),
        (r#""option_a": "ash", "option_b": null"#, "fewer than two choices"),
    ] {
        refused(&format!(r#"{{"question": "?", {columns}, "answer": "B"}}"#), reason);
    }
    // Said twice in the same words.
    let twice = r#"{"question": "?", "option_a": "ash", "option_b": "oak", "choices": ["ash", "oak"], "answer": "B"}"#;
    assert_eq!(answer(twice), Ok("B".to_owned()));
    let columns = |last: char| -> String {
        ('a'..=last).map(|letter| format!("\"option_{letter}\": \"{letter}{letter}\", ")).collect()
    };
    for last in ['h', 'l', 'z'] {
        let upper = last.to_ascii_uppercase();
        let (messages, answer) =
            asked(&format!(r#"{{"question": "?", {} "options": [], "answer": "{upper}"}}"#, columns(last)))
                .unwrap();
        assert!(messages[0].ends_with(&format!("\n{upper}. {last}{last}")), "{messages:?}");
        assert_eq!(answer, upper.to_string());
    }
}

#[test]
fn columns_that_are_named_as_choices_by_chance_are_none() {
    for (columns, gold) in [
        (r#""answer": "7", "answer_1": "6", "answer_2": "8", "a": "3", "b": "4""#, "7"),
        (r#""A": "3", "B": "4", "answer": "7""#, "7"),
        (r#""op1": 3, "op2": 4, "answer": "7""#, "7"),
        (r#""x": 3, "y": 4, "answer": "B""#, "B"),
        (r#""option": "x", "choice": "y", "opt": "z", "answer": "B""#, "B"),
        (r#""answers": "x", "sole": "y", "sold": "z", "answer": "B""#, "B"),
    ] {
        let row = format!(r#"{{"question": "?", {columns}}}"#);
        assert_eq!(asked(&row), Ok((vec!["user: ?".to_owned()], gold.to_owned())), "{row}");
    }
}

#[test]
fn an_answer_that_names_a_column_or_its_number_is_that_choice() {
    let two = |answer: &str| {
        self::answer(&format!(
            r#"{{"question": "?", "option_1": "ash", "option_2": "oak", "answer": {answer}}}"#
        ))
    };
    for text in ["2", "2.0", "\"2\"", "\"02\"", "\"2)\"", "\"(2)\"", "\"option_2\"", "\"Option 2\"", "\"B\""]
    {
        assert_eq!(two(text), Ok("B".to_owned()), "{text}");
    }
    for text in ["2.5", "-1", "\"3\"", "\"option_3\"", "\"2 or 1\"", "\"\\u0662\""] {
        assert!(two(text).unwrap_err().contains("none of the choices"), "{text}");
    }
    assert!(two("[\"1\", \"2\"]").unwrap_err().contains("is a list"));
    assert!(two("null").unwrap_err().contains("no column says"));
    let letters = |answer: &str| {
        self::answer(&format!(
            r#"{{"question": "?", "option_a": "ash", "option_b": "oak", "answer": {answer}}}"#
        ))
    };
    for text in ["\"option_b\"", "\"Option B\"", "\"b)\"", "\"[B]\"", "\"B:\"", "2"] {
        assert_eq!(letters(text), Ok("B".to_owned()), "{text}");
    }
}

#[test]
fn a_truth_value_is_right_only_as_a_text() {
    let row =
        |columns: &str| format!(r#"{{"question": "2>3?", "option_a": true, "option_b": false, {columns}}}"#);
    assert_eq!(answer(&row("\"answer\": false")), Ok("B".to_owned()));
    assert_eq!(answer(&row("\"answer\": \"false\"")), Ok("B".to_owned()));
    let words = r#"{"question": "2>3?", "choices": ["True", "False"], "answer": false}"#;
    assert_eq!(answer(words), Ok("B".to_owned()));
    let other = |columns: &str| format!(r#"{{"question": "?", "choices": ["ash", "oak"], {columns}}}"#);
    refused(&other("\"label\": true"), "is a truth value");
    // It says something else than the column that says the choice.
    assert_eq!(answer(&other("\"correct\": true, \"label\": \"B\"")), Ok("B".to_owned()));
}

#[test]
fn labels_that_only_capitals_or_spaces_tell_apart_are_refused() {
    let row = |labels: &str| {
        format!(r#"{{"question": "?", "choices": {{"text": ["x", "y"], "label": {labels}}}, "answer": "A"}}"#)
    };
    for labels in [r#"["A", "A"]"#, r#"["A", "a"]"#, r#"["A", "A "]"#] {
        refused(&row(labels), "two choices are labelled \"A\"");
    }
    assert_eq!(answer(&row(r#"["a", "b "]"#)), Ok("A".to_owned()));
}

#[test]
fn columns_that_say_different_choices_are_named() {
    let row =
        |columns: &str| format!(r#"{{"question": "?", "option_a": "ash", "option_b": "oak", {columns}}}"#);
    refused(&row(r#""label": "A", "correct_answer": "oak""#), "`label` and `correct_answer` say different");
    refused(&row(r#""label": "A", "answer": "B""#), "`answer` and `label` say different");
    assert_eq!(
        answer(&row(r#""label": "B", "correct_answer": "oak", "target": "hard""#)),
        Ok("B".to_owned())
    );
    // One that can't be read doesn't give way to another.
    refused(&row(r#""answer": "elm", "label": "A""#), "`answer` is none of the choices");
    // What one leaves open the other tells.
    assert_eq!(answer(&row(r#""answer": 1, "correct_answer": "oak""#)), Ok("B".to_owned()));
    let columns = Columns { answer: Some("label".to_owned()), ..Columns::default() };
    let (_, content) = content(&row(r#""label": "A", "answer": "B""#), &columns).unwrap();
    assert_eq!(content.answer, "A");
}

#[test]
fn choices_by_name_have_an_order_only_where_their_names_have_one() {
    let row = |names: [&str; 3], answer: &str| {
        format!(
            r#"{{"question": "Which?", "options": {{"{}": "ash", "{}": "oak", "{}": "elm"}}, "answer": "{answer}"}}"#,
            names[0], names[1], names[2]
        )
    };
    assert_eq!(answer(&row(["2", "10", "11"], "10")), Ok("B".to_owned()));
    assert_eq!(asked(&row(["2", "10", "11"], "10")).unwrap().0, [WHICH]);
    assert_eq!(answer(&row(["first", "second", "third"], "second")), Ok("B".to_owned()));
    refused(&row(["first", "second", "third"], "B"), "none of the choices");
    refused(&row(["first", "second", "third"], "1"), "none of the choices");
}

#[test]
fn copa_is_asked_with_its_premise() {
    let row = |question: &str| {
        format!(
            r#"{{"premise": "It rained.", "question": "{question}", "choice1": "ash", "choice2": "oak", "label": 0}}"#
        )
    };
    assert_eq!(
        asked(&row("effect")),
        Ok((vec!["user: It rained.\nWhat was the effect?\nA. ash\nB. oak".to_owned()], "A".to_owned()))
    );
    let (_, cause) = content(&row("cause"), &Columns::default()).unwrap();
    assert!(cause.messages[0].content.starts_with("It rained.\nWhat was the cause?\n"), "{cause:?}");
    assert!(cause.left_out.is_empty());
    let (_, other) = content(&row("Why?"), &Columns::default()).unwrap();
    assert_eq!(other.left_out, ["premise"]);
}
