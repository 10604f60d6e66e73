//! From rows to questions.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::extra;
use super::layout::{self, Layout, Survey};
use super::table::{Row, Rows, names};
use super::{ChoicesFrom, Dataset, Mapping};
use exgrpo_core::escape::quoted;
use exgrpo_core::types::{Question, TokenId};
use exgrpo_models::prompt::Prompts;

/// Most columns of numbers that are kept for policies: each has a value a row.
const MAX_EXTRA: usize = 1_000;
/// Most columns of choices that are told: rows may name columns as they like.
const MAX_CHOICE_COLUMNS: usize = 10;

/// The questions in the rows that `open` gives, of the dataset called `source`. They are read twice where they may have
/// choices: what one row's answer means, all of them tell.
///
/// # Errors
/// The rows can't be opened or break off, or none can be used.
pub(super) fn collect<'r>(
    open: &dyn Fn() -> anyhow::Result<Rows<'r>>,
    source: &str,
    mapping: &Mapping,
    prompts: &Prompts<'_>,
) -> anyhow::Result<Dataset> {
    let mut reader = Reader {
        mapping,
        prompts,
        layout: mapping.layout,
        known: HashSet::new(),
        columns: HashMap::new(),
        one_too_many: None,
        survey: Survey::new(mapping.layout == Layout::MultipleChoice),
        left_out: BTreeMap::new(),
        first_columns: None,
        dataset: Dataset::default(),
    };
    if mapping.layout.may_have_choices() {
        reader.survey(open()?);
    }
    for row in open()? {
        let (number, row) = row.with_context(|| format!("dataset {source} can't be read to its end"))?;
        match row {
            Ok(row) => reader.add(number, &row),
            Err(reason) => reader.dataset.unusable.add(number, "not readable".to_owned(), reason),
        }
        if let Some(name) = &reader.one_too_many {
            bail!(
                "dataset {source} has more than {MAX_EXTRA} columns of numbers, {} in row {number} is one too many\n\
                 hint: leave out those that no policy reads",
                quoted(name)
            );
        }
    }
    reader.finish(source)
}

struct Reader<'a> {
    mapping: &'a Mapping,
    prompts: &'a Prompts<'a>,
    layout: Layout,
    known: HashSet<u64>,
    /// Places of the columns in `dataset.extra`.
    columns: HashMap<String, usize>,
    /// The column of numbers that goes beyond [`MAX_EXTRA`].
    one_too_many: Option<String>,
    /// What all rows together say.
    survey: Survey,
    /// Rows a column that seems to belong to what is asked and is not.
    left_out: BTreeMap<String, usize>,
    /// Columns of the first row, for messages.
    first_columns: Option<String>,
    dataset: Dataset,
}

impl Reader<'_> {
    /// Looks over all rows before the first of them is read.
    fn survey(&mut self, rows: Rows<'_>) {
        let path = self.mapping.columns.answer.as_deref();
        // What can't be read, reading will tell.
        let rows = rows.map_while(Result::ok).filter_map(|(number, row)| Some((number, row.ok()?)));
        for (index, (number, row)) in rows.enumerate() {
            // A file that begins with a conversation is read without choices.
            if index == 0 && self.layout == Layout::Auto && Layout::of(&row, &self.survey) == Layout::Verl {
                return;
            }
            self.survey.add(number, &row, path);
        }
    }

    fn add(&mut self, number: usize, row: &Row) {
        if self.layout == Layout::Auto {
            self.layout = Layout::of(row, &self.survey);
        }
        self.first_columns.get_or_insert_with(|| names(row));
        if let Err((reason, detail)) = self.question(number, row).map(|question| self.keep(row, question)) {
            self.dataset.unusable.add(number, reason, detail);
        }
    }

    /// The row's question, or a reason that rows share and what is particular about this one.
    fn question(&mut self, number: usize, row: &Row) -> Result<Question, (String, String)> {
        let shared = |reason: String| (reason, String::new());
        let is_chosen = self.mapping.layout != Layout::Auto;
        let content =
            layout::read(row, self.layout, is_chosen, &self.mapping.columns, &self.survey).map_err(shared)?;
        let title = content.title();
        let id = question_id(&title, &content.answer);
        if self.known.contains(&id) {
            return Err(shared("the same question and answer as an earlier row".to_owned()));
        }
        let longest = self.mapping.max_prompt_tokens;
        let too_long = format!("a prompt longer than rollout.max_prompt_tokens = {longest}");
        let bytes: usize = content.messages.iter().map(|message| message.content.len()).sum();
        if longest > 0 && bytes > self.prompts.most_bytes(longest) {
            return Err((too_long, format!("{bytes} bytes")));
        }
        let prompt_ids = self
            .prompts
            .encode_chat(&content.messages)
            .map_err(|error| ("not expressible as a prompt".to_owned(), on_one_line(&error)))?;
        if prompt_ids.is_empty() || (longest > 0 && prompt_ids.len() > longest) {
            return Err((too_long, format!("{} tokens", prompt_ids.len())));
        }
        self.known.insert(id);
        for name in &content.left_out {
            *self.left_out.entry(name.clone()).or_default() += 1;
        }
        if let Some((column, text)) = &content.right {
            self.count_choices(column, &content.answer, text);
        }
        let demonstration_ids = self.demonstration(number, content.solution.as_deref());
        Ok(Question {
            id,
            system: content.system().map(str::to_owned),
            prompt: title,
            benchmark: content.benchmark,
            answer: content.answer,
            prompt_ids,
            demonstration_ids,
        })
    }

    /// Counts a row that is asked with choices from `column`.
    fn count_choices(&mut self, column: &str, answer: &str, text: &str) {
        let known = &mut self.dataset.choices;
        if let Some(from) = known.iter_mut().find(|from| from.column == column) {
            from.rows += 1;
        } else if known.len() < MAX_CHOICE_COLUMNS {
            let (column, answer, text) = (column.to_owned(), answer.to_owned(), text.to_owned());
            known.push(ChoicesFrom { column, rows: 1, answer, text });
        }
    }

    fn demonstration(&mut self, number: usize, solution: Option<&str>) -> Option<Vec<TokenId>> {
        let longest = self.mapping.max_demonstration_tokens?;
        let too_long = format!("longer than rollout.max_new_tokens = {longest}");
        let most = self.prompts.most_bytes(longest);
        if let Some(solution) = solution.filter(|solution| solution.len() > most) {
            self.dataset.not_demonstrable.add(number, too_long, format!("{} bytes", solution.len()));
            return None;
        }
        let ids = match solution.map(|solution| self.prompts.encode_answer(solution)) {
            Some(Ok(ids)) => ids,
            Some(Err(error)) => {
                let reason = "not in the tokenizer's vocabulary".to_owned();
                self.dataset.not_demonstrable.add(number, reason, on_one_line(&error));
                return None;
            }
            None => {
                self.dataset.not_demonstrable.add(number, "no solution".to_owned(), String::new());
                return None;
            }
        };
        if ids.len() > longest {
            self.dataset.not_demonstrable.add(number, too_long, format!("{} tokens", ids.len()));
            return None;
        }
        Some(ids)
    }

    fn keep(&mut self, row: &Row, question: Question) {
        let Dataset { questions, extra_names, extra, .. } = &mut self.dataset;
        for (name, value) in row {
            // What no f32 holds is as good as absent: policies know numbers and NaN.
            let value = value.as_f64().map(|value| value as f32).filter(|value| value.is_finite());
            let Some(value) = value else { continue };
            let position = match self.columns.get(name) {
                Some(&position) => position,
                None if extra.len() == MAX_EXTRA => {
                    self.one_too_many.get_or_insert_with(|| name.clone());
                    continue;
                }
                None => {
                    extra_names.push(name.clone());
                    extra.push(Vec::new());
                    self.columns.insert(name.clone(), extra.len() - 1);
                    extra.len() - 1
                }
            };
            extra[position].resize(questions.len(), f32::NAN);
            extra[position].push(value);
        }
        questions.push(question);
    }

    fn finish(self, source: &str) -> anyhow::Result<Dataset> {
        let mut dataset = self.dataset;
        if dataset.is_empty() {
            let found =
                if dataset.unusable.is_empty() { "no rows".to_owned() } else { dataset.unusable.to_string() };
            let columns = self.first_columns.map(|names| format!("; columns of its first row: {names}"));
            bail!(
                "dataset {source} has no row that can be used: {found}{}\n\
                 hint: dataset.layout and dataset.question, .answer and .solution say where things are",
                columns.unwrap_or_default()
            );
        }
        for column in &mut dataset.extra {
            column.resize(dataset.questions.len(), f32::NAN);
        }
        dataset.left_out = self.left_out.into_iter().collect();
        let Dataset { questions, extra_names, extra, .. } = &mut dataset;
        let answers: Vec<&str> = questions.iter().map(|question| question.answer.as_str()).collect();
        dataset.kept_back = extra::keep_back(extra_names, extra, &self.mapping.columns, &answers);
        Ok(dataset)
    }
}

/// An error with its advice, for a list of reasons.
fn on_one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").replace("\nhint: ", "; ")
}

/// First eight bytes of the SHA-256 of question and answer.
fn question_id(question: &str, answer: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update((question.len() as u64).to_le_bytes());
    hash.update(question);
    hash.update(answer);
    let digest: [u8; 32] = hash.finalize().into();
    digest[..8].iter().fold(0, |id, &byte| id << 8 | u64::from(byte))
}
