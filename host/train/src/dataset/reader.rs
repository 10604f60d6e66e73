//! From rows to questions.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::extra;
use super::layout::{self, Layout};
use super::table::{Row, Rows, names};
use super::{Dataset, Mapping};
use exgrpo_core::escape::quoted;
use exgrpo_core::types::{Question, TokenId};
use exgrpo_models::prompt::Prompts;

/// Most columns of numbers that are kept for policies: each has a value a row.
const MAX_EXTRA: usize = 1_000;

/// The questions in `rows` of the dataset called `source`.
///
/// # Errors
/// The rows break off, or none can be used.
pub(super) fn collect(
    rows: Rows<'_>,
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
        counting: Counting::default(),
        left_out: BTreeMap::new(),
        first_columns: None,
        dataset: Dataset::default(),
    };
    for row in rows {
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
    counting: Counting,
    /// Rows a column that seems to belong to what is asked and is not.
    left_out: BTreeMap<String, usize>,
    /// Columns of the first row, for messages.
    first_columns: Option<String>,
    dataset: Dataset,
}

/// How right choices are numbered, over all rows that give a bare number.
#[derive(Default)]
struct Counting {
    has_zero: bool,
    /// The first row whose number is that of its choices.
    past_the_end: Option<usize>,
}

impl Reader<'_> {
    fn add(&mut self, number: usize, row: &Row) {
        if self.layout == Layout::Auto {
            self.layout = Layout::of(row);
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
        let read = layout::read(row, self.layout, is_chosen, &self.mapping.columns);
        let content = read.map_err(|refusal| {
            if refusal.counts_from_1 {
                self.counting.past_the_end.get_or_insert(number);
            }
            shared(refusal.reason)
        })?;
        self.counting.has_zero |= content.counted == Some(0);
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
        if let (Some(row), false) = (self.counting.past_the_end, self.counting.has_zero) {
            bail!(
                "dataset {source} seems to count its right choices from 1: row {row} has the number of its choices, no row \
                 has 0\nhint: give letters, labels or texts, or count from 0"
            );
        }
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
