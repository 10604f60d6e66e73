//! Where a row keeps question, answer and solution: presets for the usual layouts, and columns named by hand.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rows::Row;

/// A usual way to lay out rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Whichever of the others fits the first row.
    #[default]
    Auto,
    /// `question`, `answer`, and perhaps `solution`.
    Plain,
    /// GSM8K: `question`, and an `answer` that is a solution with the result behind `####`.
    Gsm8k,
    /// MATH and MATH-500: `problem`, `answer`, `solution`.
    Math,
    /// verl: `prompt` as chat messages, `reward_model.ground_truth`, perhaps `extra_info.solution`.
    Verl,
    /// `question`, `choices` (texts, or ARC's `{text, label}`), and `answer` or `answerKey` as letter, label or index.
    MultipleChoice,
}

impl Layout {
    /// The word in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Plain => "plain",
            Self::Gsm8k => "gsm8k",
            Self::Math => "math",
            Self::Verl => "verl",
            Self::MultipleChoice => "multiple-choice",
        }
    }

    /// The layout that a row has.
    pub(super) fn of(row: &Row) -> Self {
        let has = |name: &str| row.contains_key(name);
        let is_gsm8k = || row.get("answer").and_then(Value::as_str).is_some_and(|text| text.contains("####"));
        if has("reward_model") && has("prompt") {
            Self::Verl
        } else if has("choices") {
            Self::MultipleChoice
        } else if has("problem") {
            Self::Math
        } else if is_gsm8k() {
            Self::Gsm8k
        } else {
            Self::Plain
        }
    }
}

/// What a row says, before anything is tokenized.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Content {
    pub(super) benchmark: Option<String>,
    pub(super) system: Option<String>,
    pub(super) question: String,
    pub(super) answer: String,
    pub(super) solution: Option<String>,
}

/// Columns named by hand, as dotted paths (`extra_info.solution`, `prompt.0.content`); they go before the layout's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// Path of the question.
    pub question: Option<String>,
    /// Path of the gold answer.
    pub answer: Option<String>,
    /// Path of a solution.
    pub solution: Option<String>,
}

/// Reads a row by `layout`, which is not [`Layout::Auto`]. The error is a reason that rows share: it names no row.
pub(super) fn read(row: &Row, layout: Layout, columns: &Columns) -> Result<Content, String> {
    let mut content = Content { benchmark: text(row, "data_source"), ..Content::default() };
    let (question, answer, solution) = match layout {
        Layout::Auto | Layout::Plain => (text(row, "question"), text(row, "answer"), text(row, "solution")),
        Layout::Math => (text(row, "problem"), text(row, "answer"), text(row, "solution")),
        Layout::Gsm8k => {
            let whole = text(row, "answer");
            let parts = whole.as_deref().and_then(|whole| whole.rsplit_once("####"));
            let solution = parts.map(|(solution, _)| without_calculations(solution));
            (text(row, "question"), parts.map(|(_, answer)| answer.trim().to_owned()), solution)
        }
        Layout::Verl => {
            let message = |role: &str| last_message(row.get("prompt"), role);
            content.system = message("system");
            (message("user"), text(row, "reward_model.ground_truth"), text(row, "extra_info.solution"))
        }
        Layout::MultipleChoice => multiple_choice(row)?,
    };
    let chosen = |path: &Option<String>, preset: Option<String>, what: &str, column: &str| match path {
        Some(path) => text(row, path).ok_or_else(|| format!("no text or number at `{path}` for the {what}")),
        None => {
            preset.ok_or_else(|| format!("no {what}: layout `{}` expects it in {column}", layout.as_str()))
        }
    };
    let (question_at, answer_at) = match layout {
        Layout::Math => ("`problem`", "`answer`"),
        Layout::Verl => ("a user message of `prompt`", "`reward_model.ground_truth`"),
        Layout::Gsm8k => ("`question`", "`answer` behind ####"),
        _ => ("`question`", "`answer`"),
    };
    content.question = chosen(&columns.question, question, "question", question_at)?;
    content.answer = chosen(&columns.answer, answer, "answer", answer_at)?;
    content.solution = match &columns.solution {
        Some(path) => text(row, path),
        None => solution,
    };
    if content.question.trim().is_empty() {
        return Err("the question is empty".to_owned());
    }
    if content.answer.trim().is_empty() {
        return Err("the answer is empty".to_owned());
    }
    Ok(content)
}

/// Text at a dotted path; a number is written out. Lists are indexed by number.
fn text(row: &Row, path: &str) -> Option<String> {
    let mut parts = path.split('.');
    let mut value = row.get(parts.next()?)?;
    for part in parts {
        value = match value {
            Value::Object(object) => object.get(part)?,
            Value::Array(list) => list.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn last_message(prompt: Option<&Value>, role: &str) -> Option<String> {
    let messages = prompt?.as_array()?;
    let of_role = messages.iter().rev().find(|message| message["role"] == role)?;
    of_role["content"].as_str().map(str::to_owned)
}

/// GSM8K's solutions without its calculator notes, `<<48/2=24>>`.
fn without_calculations(solution: &str) -> String {
    let mut text = String::new();
    let mut rest = solution;
    while let Some((before, after)) = rest.split_once("<<") {
        text.push_str(before);
        rest = after.split_once(">>").map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text.trim_end().to_owned()
}

type Parts = (Option<String>, Option<String>, Option<String>);

/// The question with its choices under letters, and the letter of the right one.
fn multiple_choice(row: &Row) -> Result<Parts, String> {
    const LETTERS: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let (texts, labels) = match row.get("choices") {
        Some(Value::Array(texts)) => (texts.clone(), Vec::new()),
        Some(Value::Object(choices)) => {
            let list = |name: &str| choices.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            (list("text"), list("label"))
        }
        _ => return Err("no choices: layout `multiple-choice` expects them in `choices`".to_owned()),
    };
    if texts.is_empty() || texts.len() > LETTERS.len() {
        return Err(format!("{} choices: between 1 and {} can be lettered", texts.len(), LETTERS.len()));
    }
    let key = row.get("answerKey").or_else(|| row.get("answer"));
    let position = match key {
        Some(Value::Number(index)) => index.as_u64().map(|index| index as usize),
        Some(Value::String(key)) => {
            let labelled = labels.iter().position(|label| label == key.as_str());
            let lettered = || match key.as_bytes() {
                [letter] => LETTERS.iter().position(|known| known == letter),
                _ => None,
            };
            labelled.or_else(lettered)
        }
        _ => None,
    };
    let Some(letter) = position.filter(|&position| position < texts.len()).map(|position| LETTERS[position])
    else {
        return Err("the right choice is none of the choices".to_owned());
    };
    let Some(mut question) = text(row, "question") else { return Ok((None, None, None)) };
    for (letter, choice) in LETTERS.iter().zip(&texts) {
        let choice = choice.as_str().map_or_else(|| choice.to_string(), str::to_owned);
        question.push_str(&format!("\n{}. {choice}", char::from(*letter)));
    }
    Ok((Some(question), Some(char::from(letter).to_string()), text(row, "solution")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(row: &str, columns: &Columns) -> Result<(Layout, Content), String> {
        let row: Row = serde_json::from_str(row).unwrap();
        let layout = Layout::of(&row);
        read(&row, layout, columns).map(|content| (layout, content))
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
                    {"role": "user", "content": "How many?"}], "reward_model": {"ground_truth": "73", "style": "rule"}}"#,
                Layout::Verl,
                "How many?",
                "73",
                None,
            ),
            (
                r#"{"question": "Which?", "choices": {"text": ["ash", "oak"], "label": ["1", "2"]}, "answerKey": "2"}"#,
                Layout::MultipleChoice,
                "Which?\nA. ash\nB. oak",
                "B",
                None,
            ),
            (
                r#"{"question": "Which?", "choices": ["ash", "oak"], "answer": 0}"#,
                Layout::MultipleChoice,
                "Which?\nA. ash\nB. oak",
                "A",
                None,
            ),
        ] {
            let (have, content) = content(row, &none).unwrap();
            assert_eq!(have, layout, "{row}");
            assert_eq!((content.question.as_str(), content.answer.as_str()), (question, answer));
            assert_eq!(content.solution.as_deref(), solution);
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
                r#"{"question": "?", "choices": ["a"], "answer": "C"}"#,
                Columns::default(),
                "none of the choices",
            ),
        ] {
            let error = content(row, &columns).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
