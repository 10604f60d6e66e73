use super::*;
use crate::dataset::table::row_of_json;

fn content(row: &str, columns: &Columns) -> Result<(Layout, Content), String> {
    let row = row_of_json(row).unwrap();
    let layout = Layout::of(&row);
    read(&row, layout, false, columns).map(|content| (layout, content)).map_err(|refusal| refusal.reason)
}

/// What is asked, with roles; the answer.
fn asked(row: &str) -> Result<(Vec<String>, String), String> {
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
fn choices_are_asked_however_rows_keep_them() {
    let expected = (vec!["user: Which?\nA. ash\nB. oak\nC. elm".to_owned()], "B".to_owned());
    for row in [
        r#"{"question": "Which?", "choices": {"text": ["ash", "oak", "elm"], "label": ["1", "2", "3"]}, "answerKey": "2"}"#,
        r#"{"question": "Which?", "choices": ["ash", "oak", "elm"], "answer": 1}"#,
        r#"{"question": "Which?", "options": ["ash", "oak", "elm"], "answer": "B", "answer_index": 1}"#,
        r#"{"question_stem": "Which?", "choices": {"text": ["ash", "oak", "elm"], "label": ["A", "B", "C"]}, "answerKey": "B"}"#,
        r#"{"question": {"stem": "Which?", "choices": [{"text": "ash", "label": "A"}, {"text": "oak", "label": "B"},
            {"text": "elm", "label": "C"}]}, "answerKey": "B"}"#,
        r#"{"question": "Which?", "A": "ash", "B": "oak", "C": "elm", "D": null, "answer": "b"}"#,
        r#"{"question": "Which?", "opa": "ash", "opb": "oak", "opc": "elm", "cop": 1}"#,
        r#"{"question": "Which?", "option_a": "ash", "option_b": "oak", "option_c": "elm", "answer": "(B)"}"#,
        r#"{"question": "Which?", "options": {"A": "ash", "B": "oak", "C": "elm", "D": null}, "answer_idx": "B", "answer": "oak"}"#,
        r#"{"problem": "Which?", "options": ["A) ash", "B) oak", "C) elm"], "correct": "B"}"#,
        r#"{"ctx": "Which?", "endings": ["ash", "oak", "elm"], "label": "1"}"#,
        r#"{"question": "Which?", "choices": ["ash", "oak", "elm"], "answer": "oak"}"#,
        r#"{"question": "Which?", "choices": ["ash", "oak", "elm"], "answer": ["B"]}"#,
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
fn a_number_counts_choices_from_0_unless_it_is_a_label() {
    let row =
        |answer: &str| format!(r#"{{"question": "?", "choices": ["3", "1", "7"], "answer": {answer}}}"#);
    let read = |answer: &str| {
        content(&row(answer), &Columns::default()).map(|(_, content)| (content.answer, content.counted))
    };
    assert_eq!(read("1"), Ok(("B".to_owned(), Some(1))));
    assert_eq!(read("\"1\""), Ok(("B".to_owned(), Some(1))));
    assert_eq!(read("\"7\""), Ok(("C".to_owned(), None)));
    assert_eq!(read("2"), Ok(("C".to_owned(), Some(2))));
    // 3 is no place; it is a text, the first.
    assert_eq!(read("3"), Ok(("A".to_owned(), None)));
    assert!(read("9").unwrap_err().contains("none of the choices"));
    let row = r#"{"question": "?", "choices": ["2", "5", "1"], "answer": "2"}"#;
    assert!(content(row, &Columns::default()).unwrap_err().contains("the place or the text"));
    // A file of fields tells no text from a number.
    let row = r#"{"question": "?", "choices": [2, 5, 1], "answer": 2}"#;
    assert!(content(row, &Columns::default()).unwrap_err().contains("the place or the text"));
    let row = row_of_json(r#"{"question": "?", "choices": ["ash", "oak"], "answer": 2}"#).unwrap();
    assert!(read_error(&row).counts_from_1);
}

#[test]
fn a_letter_stands_for_one_choice_or_the_row_is_refused() {
    let answer = |row: &str| asked(row).map(|(_, answer)| answer);
    let refused = |row: &str, reason: &str| {
        let error = answer(row).unwrap_err();
        assert!(error.contains(reason), "{row}: {error}");
    };
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
}

#[test]
fn columns_of_choices_are_all_asked_or_the_row_is_refused() {
    let gap = r#"{"question": "?", "A": "ash", "B": "oak", "C": null, "D": "elm", "answer": "B"}"#;
    assert!(asked(gap).unwrap_err().contains("`C` is empty"));
    let list = r#"{"question": "?", "option_a": "ash", "option_b": ["oak"], "answer": "A"}"#;
    assert!(asked(list).unwrap_err().contains("`option_b` is a list"));
    let by_text = r#"{"question": "?", "A": "ash", "B": "oak", "answer": "oak"}"#;
    assert_eq!(asked(by_text), Ok((vec!["user: ?\nA. ash\nB. oak".to_owned()], "B".to_owned())));
    for names in [["option1", "option2"], ["choice_1", "choice_2"], ["optionA", "optionB"], ["a", "b"]] {
        let row =
            format!(r#"{{"question": "?", "{}": "ash", "{}": "oak", "answer": "oak"}}"#, names[0], names[1]);
        assert_eq!(asked(&row), Ok((vec!["user: ?\nA. ash\nB. oak".to_owned()], "B".to_owned())), "{row}");
    }
    let three = Ok((vec!["user: ?\nA. ash\nB. oak\nC. elm".to_owned()], "B".to_owned()));
    for (names, key, answer) in [
        (["option_0", "option_1", "option_2"], "answer", "1"),
        (["0", "1", "2"], "answer", "1"),
        (["ending0", "ending1", "ending2"], "label", "1"),
        (["Option A", "Option B", "Option C"], "answer", "\"B\""),
        (["answerA", "answerB", "answerC"], "label", "\"B\""),
        (["ans0", "ans1", "ans2"], "label", "1"),
        (["choice_01", "choice_02", "choice_03"], "answer", "\"2\""),
    ] {
        let row = format!(
            r#"{{"question": "?", "{}": "ash", "{}": "oak", "{}": "elm", "{key}": {answer}}}"#,
            names[0], names[1], names[2]
        );
        assert_eq!(asked(&row), three, "{row}");
    }
    // A column that is missing in between, or is named as the others by chance.
    let missing =
        r#"{"question": "?", "option_a": "ash", "option_b": "oak", "option_d": "elm", "answer": "B"}"#;
    assert!(asked(missing).unwrap_err().contains("choice C has no column"));
    let chance = r#"{"question": "?", "answer": "7", "answer_1": "6", "answer_2": "8", "a": "3", "b": "4"}"#;
    assert_eq!(asked(chance), Ok((vec!["user: ?".to_owned()], "7".to_owned())));
    // Numbered columns: a number is that of a column.
    let numbered = |answer: &str| {
        asked(&format!(r#"{{"question": "?", "option1": "ash", "option2": "oak", "answer": "{answer}"}}"#))
    };
    assert_eq!(numbered("2").map(|(_, answer)| answer), Ok("B".to_owned()));
    assert!(numbered("0").unwrap_err().contains("no choice has"));
    let empty = r#"{"question": "?", "A": "ash", "B": null, "answer": "B"}"#;
    assert!(asked(empty).unwrap_err().contains("fewer than two choices"));
    // Columns of one letter that are no choices.
    let other = r#"{"question": "?", "A": "3", "B": "4", "answer": "7"}"#;
    assert_eq!(asked(other), Ok((vec!["user: ?".to_owned()], "7".to_owned())));
    let columns: String =
        ('a'..='h').map(|letter| format!("\"option_{letter}\": \"{letter}{letter}\", ")).collect();
    let eight = format!(r#"{{"question": "?", {columns} "answer": "H"}}"#);
    let (messages, answer) = asked(&eight).unwrap();
    assert!(messages[0].ends_with("\nG. gg\nH. hh") && answer == "H", "{messages:?}");
}

fn read_error(row: &Row) -> Refusal {
    read(row, Layout::MultipleChoice, true, &Columns::default()).unwrap_err()
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
    let content = read(&row, Layout::Plain, true, &Columns::default()).unwrap();
    assert_eq!(
        (content.messages[0].content.as_str(), content.left_out),
        ("Who?", vec!["options".to_owned()])
    );
}
