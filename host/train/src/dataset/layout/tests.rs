//! Rows of all layouts, each a file of its own.

use super::*;
use crate::dataset::table::row_of_json;

/// A row that is a file of its own.
pub(super) fn content(row: &str, columns: &Columns) -> Result<(Layout, Content), String> {
    let row = row_of_json(row).unwrap();
    let mut survey = Survey::new(false);
    survey.add(1, &row, columns.answer.as_deref());
    let layout = Layout::of(&row, &survey);
    read(&row, layout, false, columns, &survey).map(|content| (layout, content))
}

/// What is asked, with roles; the answer.
pub(super) fn asked(row: &str) -> Result<(Vec<String>, String), String> {
    let (_, content) = content(row, &Columns::default())?;
    let messages = content.messages.iter().map(|message| format!("{}: {}", message.role, message.content));
    Ok((messages.collect(), content.answer))
}

#[test]
fn each_layout_is_recognised_and_read() {
    let none = Columns::default();
    for (row, layout, question, answer, solution) in [
        (r#"{"question": "1+1=", "answer": 2}"#, Layout::Plain, "1+1=", "2", None),
        (
            r#"{"question": "Half of 48, twice?", "answer": "Half is 48/2 = <<48/2=24>>24.\nTwice that.\n#### 1,048"}"#,
            Layout::Gsm8k,
            "Half of 48, twice?",
            "1,048",
            Some("Half is 48/2 = 24.\nTwice that."),
        ),
        (
            r#"{"problem": "What is $x$?", "answer": "\\frac{1}{2}", "solution": "Easy."}"#,
            Layout::Math,
            "What is $x$?",
            "\\frac{1}{2}",
            Some("Easy."),
        ),
        (
            r#"{"data_source": "aime", "prompt": [{"role": "system", "content": "Think."},
                {"role": "user", "content": "How many?"}], "reward_model": {"ground_truth": 73.50, "style": "rule"}}"#,
            Layout::Verl,
            "How many?",
            "73.50",
            None,
        ),
        (r#"{"question": "Is it?", "answer": true}"#, Layout::Plain, "Is it?", "true", None),
        (
            r#"{"problem": "Half?", "level": "Level 1", "solution": "\\boxed{7} no, $\\boxed{\\frac{1}{2}}$."}"#,
            Layout::Math,
            "Half?",
            "\\frac{1}{2}",
            Some("\\boxed{7} no, $\\boxed{\\frac{1}{2}}$."),
        ),
    ] {
        let (have, content) = content(row, &none).unwrap();
        assert_eq!(have, layout, "{row}");
        assert_eq!((content.title().as_str(), content.answer.as_str()), (question, answer));
        assert_eq!(content.solution.as_deref(), solution);
        assert!(content.left_out.is_empty());
    }
}

#[test]
fn a_conversation_keeps_all_its_turns_or_is_refused() {
    let row = |prompt: &str| format!(r#"{{"prompt": {prompt}, "reward_model": {{"ground_truth": "7"}}}}"#);
    let turns = row(r#"[{"role": "system", "content": "Add."}, {"role": "user", "content": "1+1="},
        {"role": "assistant", "content": "2", "tool_calls": null},
        {"role": "user", "content": [{"type": "text", "text": "And that "}, {"type": "text", "text": "plus 5?"}]}]"#);
    let expected = ["system: Add.", "user: 1+1=", "assistant: 2", "user: And that plus 5?"];
    assert_eq!(asked(&turns).unwrap(), (expected.map(str::to_owned).to_vec(), "7".to_owned()));
    let (_, content) = content(&turns, &Columns::default()).unwrap();
    assert_eq!(content.title(), "user: 1+1=\nassistant: 2\nuser: And that plus 5?");
    assert_eq!(content.system(), Some("Add."));
    assert_eq!(asked(&row("\"1+6=\"")).unwrap().0, ["user: 1+6="]);

    let user = r#"{"role": "user", "content": "?"}"#;
    for (prompt, reason) in [
        (format!(r#"[{user}, {{"role": "assistant", "content": "Well,"}}]"#), "ends with a message of role"),
        (r#"[{"role": "user", "content": [{"type": "image", "url": "x"}]}]"#.to_owned(), "\"image\""),
        (format!(r#"[{{"role": "assistant", "content": "", "tool_calls": [1]}}, {user}]"#), "\"tool_calls\""),
        (format!(r#"[{{"role": "assistant", "content": null}}, {user}]"#), "no content"),
        (format!(r#"[{{"content": "x"}}, {user}]"#), "no role"),
        ("[]".to_owned(), "no message"),
        ("null".to_owned(), "null"),
    ] {
        let error = asked(&row(&prompt)).unwrap_err();
        assert!(error.contains(reason), "{prompt}: {error}");
    }
}

#[test]
fn columns_go_before_the_layout_and_what_is_missing_is_a_reason() {
    let columns = Columns { answer: Some("gold.0.value".to_owned()), ..Columns::default() };
    let row = r#"{"question": "1+1=", "gold": [{"value": "2"}]}"#;
    assert_eq!(content(row, &columns).unwrap().1.answer, "2");
    for (row, columns, reason) in [
        (row, Columns::default(), "no answer"),
        (r#"{"question": "1+1="}"#, columns, "gold.0.value"),
        (r#"{"question": " ", "answer": "2"}"#, Columns::default(), "question is empty"),
        (
            r#"{"question": "?", "choices": ["a", "b"], "answer": "D"}"#,
            Columns::default(),
            "none of the choices",
        ),
        (r#"{"question": "?", "choices": ["a"], "answer": "A"}"#, Columns::default(), "1 choices"),
        (r#"{"question": "?", "choices": [], "answer": "A"}"#, Columns::default(), "no choices in `choices`"),
        (r#"{"question": "?", "choices": ["no", "no"], "answer": "no"}"#, Columns::default(), "text of two"),
        (
            r#"{"question": "?", "choices": {"text": ["x", "y"], "label": ["A", "A"]}, "answer": "A"}"#,
            Columns::default(),
            "two choices are labelled \"A\"",
        ),
        (r#"{"question": "?", "choices": "a) 1 , b) 2", "answer": "a"}"#, Columns::default(), "isn't known"),
        (r#"{"question": "?", "choices": ["a", "b"]}"#, Columns::default(), "which choice is right"),
    ] {
        let error = content(row, &columns).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn what_seems_to_be_asked_and_is_not_is_named() {
    let left_out = |row: &str| content(row, &Columns::default()).unwrap().1.left_out;
    assert_eq!(
        left_out(r#"{"question": "Who?", "answer": "he", "passage": "He came.", "level": 2}"#),
        ["passage"]
    );
    assert!(left_out(r#"{"question": "Who?", "answer": "he", "context": null, "images": []}"#).is_empty());
    let row = row_of_json(r#"{"question": "Who?", "answer": "he", "options": ["he", "she"]}"#).unwrap();
    let content = read(&row, Layout::Plain, true, &Columns::default(), &Survey::default()).unwrap();
    assert_eq!(
        (content.messages[0].content.as_str(), content.left_out),
        ("Who?", vec!["options".to_owned()])
    );
}
