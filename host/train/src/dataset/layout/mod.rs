//! Where a row keeps question, answer and solution: presets for the usual layouts, and columns named by hand.

mod apart;
mod carried;
mod choices;
mod conversation;
mod fit;
mod key;
mod survey;
mod together;

use serde::{Deserialize, Serialize};

use super::table::{Cell, Row, at, names};
use choices::Choices;
use exgrpo_models::Message;
pub(super) use survey::Survey;

/// A usual way to lay out rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Whichever of the others fits the first row; a row that has choices is asked with them all the same.
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
    /// A question with choices: `choices`, `options` or `endings` as texts, as `{text, label}` or by letter, or a column
    /// a choice (`A`, `B`, ..; `option_a`, ..; `opa`, ..; `choice0`, ..); and `answerKey`, `answer`, `label` or another
    /// usual name with the letter, label, text or place of the right one. All rows together tell whether places count from
    /// 0 or from 1.
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

    /// True where rows may have choices.
    pub(super) fn may_have_choices(self) -> bool {
        matches!(self, Self::Auto | Self::MultipleChoice)
    }

    /// The layout that a row has.
    pub(super) fn of(row: &Row, survey: &Survey) -> Self {
        let has = |name: &str| row.contains_key(name);
        let is_gsm8k = || matches!(row.get("answer"), Some(Cell::Text(text)) if text.contains("####"));
        let is_verl = has("reward_model") || row.get("prompt").is_some_and(conversation::is_conversation);
        if has("prompt") && is_verl {
            Self::Verl
        } else if !matches!(Choices::of(row, None, survey), Ok(None)) {
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
    /// What is asked, the last message the user's.
    pub(super) messages: Vec<Message>,
    pub(super) answer: String,
    pub(super) solution: Option<String>,
    /// Columns that seem to belong to what is asked and are not.
    pub(super) left_out: Vec<String>,
    /// The column that has the choices, or the first of them, and the text of the right one.
    pub(super) right: Option<(String, String)>,
}

impl Content {
    /// The question as logs and verifiers know it: without the system's message, other turns with their roles.
    pub(super) fn title(&self) -> String {
        conversation::title(&self.messages)
    }

    /// The message of the system that it begins with.
    pub(super) fn system(&self) -> Option<&str> {
        conversation::system(&self.messages)
    }
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

/// Where a layout has its parts, for rows without choices: (question, answer, solution).
fn preset(layout: Layout) -> (&'static str, &'static str, &'static str) {
    match layout {
        Layout::Math => ("problem", "answer", "solution"),
        Layout::Verl => ("prompt", "reward_model.ground_truth", "extra_info.solution"),
        _ => ("question", "answer", "solution"),
    }
}

/// Reads a row by `layout`, which is not [`Layout::Auto`]. `is_chosen` is false where the first row decided about it: then
/// a row with choices is asked with them. `survey` has seen all rows.
///
/// # Errors
/// It is no question: a reason that rows share, which names no row but those that others are told by.
pub(super) fn read(
    row: &Row,
    layout: Layout,
    is_chosen: bool,
    columns: &Columns,
    survey: &Survey,
) -> Result<Content, String> {
    let has_choices = layout == Layout::MultipleChoice || !is_chosen && layout != Layout::Verl;
    let choices = if has_choices { Choices::of(row, columns.answer.as_deref(), survey)? } else { None };
    if layout == Layout::MultipleChoice && is_chosen && choices.is_none() {
        return Err(format!("no choices among its columns {}", names(row)));
    }
    if let (true, None, Some(column)) =
        (has_choices, &choices, choices::missing(row, columns.answer.as_deref()))
    {
        return Err(format!("no choices in `{column}`, and an answer that is a letter"));
    }
    let (question_at, answer_at, solution_at) = preset(layout);
    let missing = |what: &str, path: &str, by_hand: bool| match by_hand {
        true => format!("no text or number at `{path}` for the {what}"),
        false => format!("no {what}: layout `{}` expects it in `{path}`", layout.as_str()),
    };
    let mut content = Content { benchmark: text_at(row, "data_source"), ..Content::default() };

    let by_hand = columns.question.as_deref();
    let (question_name, question) = match (by_hand, &choices) {
        (None, Some(_)) => {
            choices::question(row).map_or((question_at, None), |(name, cell)| (name, Some(cell)))
        }
        (path, _) => (path.unwrap_or(question_at), at(row, path.unwrap_or(question_at))),
    };
    let missing_question = || missing("question", by_hand.unwrap_or(question_at), by_hand.is_some());
    content.messages = match question {
        Some(cell) if layout == Layout::Verl || conversation::is_conversation(cell) => {
            conversation::messages(cell)?
        }
        Some(Cell::Unreadable(reason)) => return Err(format!("the question is {reason}")),
        Some(cell) => vec![Message::new("user", &cell.text().ok_or_else(missing_question)?)],
        None => return Err(missing_question()),
    };

    // COPA's question is one word about a premise.
    let premise = text_at(row, "premise").filter(|premise| !premise.trim().is_empty());
    let mut has_premise = false;
    if let ([only], Some(premise), Some(_), None) = (&mut content.messages[..], premise, &choices, by_hand) {
        let asked = match only.content.trim().to_lowercase().as_str() {
            "cause" => Some("What was the cause?"),
            "effect" => Some("What was the effect?"),
            _ => None,
        };
        if let Some(asked) = asked {
            only.content = format!("{}\n{asked}", premise.trim());
            has_premise = true;
        }
    }

    match &choices {
        Some(choices) => {
            let right = survey.right(row, columns.answer.as_deref(), choices)?;
            content.answer = choices::letter(right);
            content.right = choices.texts.get(right).map(|text| (choices.column.clone(), text.clone()));
            if let Some(last) = content.messages.last_mut().filter(|last| !last.content.trim().is_empty()) {
                last.content = choices.asked(&last.content);
            }
        }
        None => {
            let path = columns.answer.as_deref();
            let cell = at(row, path.unwrap_or(answer_at));
            if let Some(Cell::Unreadable(reason)) = cell {
                return Err(format!("the answer is {reason}"));
            }
            let answer = cell.and_then(Cell::text);
            // MATH as it was published has the answer in its solution alone.
            let boxed = (layout == Layout::Math && path.is_none())
                .then(|| text_at(row, columns.solution.as_deref().unwrap_or(solution_at)))
                .flatten()
                .and_then(|solution| last_boxed(&solution).map(|answer| answer.to_owned().into()));
            let answer = answer
                .or(boxed)
                .ok_or_else(|| missing("answer", path.unwrap_or(answer_at), path.is_some()))?;
            content.answer = answer.into_owned();
        }
    }
    content.solution = text_at(row, columns.solution.as_deref().unwrap_or(solution_at));
    if layout == Layout::Gsm8k && columns.answer.is_none() && choices.is_none() {
        let Some((solution, answer)) = content.answer.rsplit_once("####") else {
            return Err("no answer: layout `gsm8k` expects it in `answer` behind ####".to_owned());
        };
        if columns.solution.is_none() {
            content.solution = Some(without_calculations(solution));
        }
        content.answer = answer.trim().to_owned();
    }
    if content.messages.last().is_none_or(|last| last.content.trim().is_empty()) {
        return Err("the question is empty".to_owned());
    }
    if content.answer.trim().is_empty() {
        return Err("the answer is empty".to_owned());
    }
    let paths = [columns.question.as_deref(), columns.answer.as_deref(), columns.solution.as_deref()];
    let mut used: Vec<&str> =
        paths.iter().flatten().map(|path| path.split('.').next().unwrap_or_default()).collect();
    used.push(question_name);
    if has_premise {
        used.push("premise");
    }
    content.left_out = conversation::left_out(row, &used);
    if choices.is_none() {
        // verl's questions have their choices written into them.
        let asked = content.messages.last().map(|last| last.content.as_str()).unwrap_or_default();
        let is_asked = layout == Layout::Verl && choices::are_in(row, asked);
        content.left_out.extend(choices::unread(row).into_iter().filter(|_| !is_asked));
    }
    Ok(content)
}

/// Text at a dotted path; a number is written with its digits.
fn text_at(row: &Row, path: &str) -> Option<String> {
    at(row, path)?.text().map(std::borrow::Cow::into_owned)
}

/// What is in the last `\\boxed{..}` of a solution.
fn last_boxed(solution: &str) -> Option<&str> {
    const BOX: &str = "\\boxed{";
    let inner = &solution[solution.rfind(BOX)? + BOX.len()..];
    let mut open = 1usize;
    let end = inner.char_indices().find(|(_, letter)| {
        match letter {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        open == 0
    });
    Some(inner[..end?.0].trim()).filter(|answer| !answer.is_empty())
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

#[cfg(test)]
mod choices_tests;
#[cfg(test)]
mod survey_tests;
#[cfg(test)]
mod tests;
