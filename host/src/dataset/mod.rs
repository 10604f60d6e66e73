//! Questions: reading them, and the queue that hands out fresh ones.

mod extra;
mod layout;
mod queue;
mod rows;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::escape::quoted;
use crate::prompt::Prompts;
use crate::types::{Question, TokenId};

pub use extra::KeptBack;
pub use layout::{Columns, Layout};
pub use queue::QuestionQueue;

/// Prefix of the names of data that ships inside the binary.
pub const EMBEDDED: &str = "embedded:";

/// Most columns of numbers that are kept for policies: each has a value a row.
const MAX_EXTRA: usize = 1_000;

const ARITHMETIC_TRAIN: &str = include_str!("../../../datasets/arithmetic/train.jsonl");
const ARITHMETIC_TEST: &str = include_str!("../../../datasets/arithmetic/test.jsonl");

/// How rows become questions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapping {
    /// Layout of the rows.
    pub layout: Layout,
    /// Columns named by hand.
    pub columns: Columns,
    /// Longest prompt in tokens; 0 sets no limit.
    pub max_prompt_tokens: usize,
    /// Longest demonstration in tokens, its stop token included; none when solutions are not wanted.
    pub max_demonstration_tokens: Option<usize>,
}

/// All questions of one split, numbered from 0.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Questions.
    pub questions: Vec<Question>,
    /// Names of the numeric fields that rows carry at their top level and from which the answer doesn't follow; policies
    /// see them as extra columns.
    pub extra_names: Vec<String>,
    /// Values of those fields, a column a name; NaN where a row has none.
    pub extra: Vec<Vec<f32>>,
    /// Numeric fields that policies don't see.
    pub kept_back: Vec<KeptBack>,
    /// Rows that are no questions.
    pub unusable: Unusable,
    /// Solutions that can't be demonstrated although that is wanted; their questions are there all the same.
    pub not_demonstrable: Unusable,
}

/// Rows that can't be used, counted by reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unusable {
    reasons: BTreeMap<String, Reason>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason {
    num_rows: usize,
    /// Number of the first such row, and what it said.
    first: (usize, String),
}

impl Unusable {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.reasons.values().map(|reason| reason.num_rows).sum()
    }

    /// True when every row could be used.
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    fn add(&mut self, row: usize, reason: String, detail: String) {
        let first = Reason { num_rows: 0, first: (row, detail) };
        self.reasons.entry(reason).or_insert(first).num_rows += 1;
    }
}

/// Reasons with their counts and the first row of each, on one line.
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (reason, Reason { num_rows, first: (row, detail) })) in self.reasons.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            write!(f, "{separator}{num_rows} x {reason} (first: row {row}{detail})")?;
        }
        Ok(())
    }
}

impl Dataset {
    /// Reads `source`: an embedded name, or a JSONL, JSON or Parquet file. `prompts` says how a question is put to the
    /// model. Rows that can't be used are counted by reason.
    ///
    /// # Errors
    /// The file can't be read, or none of its rows can be used.
    pub fn read(source: &str, mapping: &Mapping, prompts: &Prompts<'_>) -> anyhow::Result<Self> {
        let rows = match source.strip_prefix(EMBEDDED) {
            Some("arithmetic/train") => rows::of_text(ARITHMETIC_TRAIN),
            Some("arithmetic/test") => rows::of_text(ARITHMETIC_TEST),
            Some(name) => {
                bail!("no embedded dataset {name:?}\nhint: there are arithmetic/train and arithmetic/test")
            }
            None => rows::of_file(Path::new(source))?,
        };
        Self::collect(rows, source, mapping, prompts)
    }

    fn collect(
        rows: rows::Rows<'_>,
        source: &str,
        mapping: &Mapping,
        prompts: &Prompts<'_>,
    ) -> anyhow::Result<Self> {
        let mut reader = Reader {
            mapping,
            prompts,
            layout: mapping.layout,
            known: HashSet::new(),
            columns: HashMap::new(),
            one_too_many: None,
            dataset: Self::empty(),
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
        let mut dataset = reader.dataset;
        if dataset.is_empty() {
            let found =
                if dataset.unusable.is_empty() { "no rows".to_owned() } else { dataset.unusable.to_string() };
            bail!(
                "dataset {source} has no row that can be used: {found}\n\
                 hint: dataset.layout and dataset.question, .answer and .solution say where things are"
            );
        }
        for column in &mut dataset.extra {
            column.resize(dataset.questions.len(), f32::NAN);
        }
        let Self { questions, extra_names, extra, .. } = &mut dataset;
        let answers: Vec<&str> = questions.iter().map(|question| question.answer.as_str()).collect();
        dataset.kept_back = extra::keep_back(extra_names, extra, &mapping.columns, &answers);
        Ok(dataset)
    }

    fn empty() -> Self {
        Self {
            questions: Vec::new(),
            extra_names: Vec::new(),
            extra: Vec::new(),
            kept_back: Vec::new(),
            unusable: Unusable::default(),
            not_demonstrable: Unusable::default(),
        }
    }

    /// Number of questions.
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    /// True without questions; never so for a dataset that was read.
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }
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
    dataset: Dataset,
}

impl Reader<'_> {
    fn add(&mut self, number: usize, row: &rows::Row) {
        if self.layout == Layout::Auto {
            self.layout = Layout::of(row);
        }
        if let Err((reason, detail)) = self.question(number, row).map(|question| self.keep(row, question)) {
            self.dataset.unusable.add(number, reason, detail);
        }
    }

    /// The row's question, or a reason that rows share and what is particular about this one.
    fn question(&mut self, number: usize, row: &rows::Row) -> Result<Question, (String, String)> {
        let shared = |reason: String| (reason, String::new());
        let content = layout::read(row, self.layout, &self.mapping.columns).map_err(shared)?;
        let id = question_id(&content.question, &content.answer);
        if self.known.contains(&id) {
            return Err(shared("the same question and answer as an earlier row".to_owned()));
        }
        let longest = self.mapping.max_prompt_tokens;
        let too_long = format!("a prompt longer than rollout.max_prompt_tokens = {longest}");
        let bytes = content.question.len() + content.system.as_ref().map_or(0, String::len);
        if longest > 0 && bytes > self.prompts.most_bytes(longest) {
            return Err((too_long, format!("{bytes} bytes")));
        }
        let prompt_ids = self
            .prompts
            .encode(&content.question, content.system.as_deref())
            .map_err(|error| ("not expressible as a prompt".to_owned(), format!("{error:#}")))?;
        if prompt_ids.is_empty() || (longest > 0 && prompt_ids.len() > longest) {
            return Err((too_long, format!("{} tokens", prompt_ids.len())));
        }
        self.known.insert(id);
        let demonstration_ids = self.demonstration(number, content.solution);
        Ok(Question {
            id,
            benchmark: content.benchmark,
            prompt: content.question,
            system: content.system,
            answer: content.answer,
            prompt_ids,
            demonstration_ids,
        })
    }

    fn demonstration(&mut self, number: usize, solution: Option<String>) -> Option<Vec<TokenId>> {
        let longest = self.mapping.max_demonstration_tokens?;
        let too_long = format!("longer than rollout.max_new_tokens = {longest}");
        let most = self.prompts.most_bytes(longest);
        if let Some(solution) = solution.as_ref().filter(|solution| solution.len() > most) {
            self.dataset.not_demonstrable.add(number, too_long, format!("{} bytes", solution.len()));
            return None;
        }
        let ids = match solution.map(|solution| self.prompts.encode_answer(&solution)) {
            Some(Ok(ids)) => ids,
            Some(Err(error)) => {
                let reason = "not in the tokenizer's vocabulary".to_owned();
                self.dataset.not_demonstrable.add(number, reason, format!("{error:#}"));
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

    fn keep(&mut self, row: &rows::Row, question: Question) {
        let Dataset { questions, extra_names, extra, .. } = &mut self.dataset;
        for (name, value) in row {
            let Some(value) = value.as_f64() else { continue };
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
            extra[position].push(value as f32);
        }
        questions.push(question);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_source::EMBEDDED_TOKENIZER;
    use crate::tokenizer::Tokenizer;

    fn parse(text: &str) -> anyhow::Result<Dataset> {
        let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded")?;
        let mapping = Mapping { max_prompt_tokens: 8, ..Mapping::default() };
        Dataset::collect(rows::of_text(text), "rows.jsonl", &mapping, &Prompts::plain(&tokenizer, 0))
    }

    #[test]
    fn rows_keep_their_numeric_fields_as_columns() {
        let dataset = parse(
            "{\"question\":\"1+2=\",\"answer\":\"3\",\"grade\":1}\n\n\
             {\"question\":\"2+2=\",\"answer\":\"4\",\"topic\":\"sums\"}\n\
             {\"question\":\"2+3=\",\"answer\":\"5\",\"grade\":2}\n",
        )
        .unwrap();
        assert_eq!(dataset.len(), 3);
        assert_eq!(dataset.extra_names, ["grade"]);
        assert_eq!(dataset.extra[0][0], 1.0);
        assert!(dataset.extra[0][1].is_nan());
        assert_eq!(dataset.extra[0][2], 2.0);
    }

    #[test]
    fn a_gold_answer_reaches_no_policy_by_whatever_path_it_was_named() {
        let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded").unwrap();
        let read = |row: &dyn Fn(usize) -> serde_json::Value, answer: Option<&str>| {
            let text: String = (1..=9).map(|number| format!("{}\n", row(number))).collect();
            let columns = Columns { answer: answer.map(str::to_owned), ..Columns::default() };
            let mapping = Mapping { columns, ..Mapping::default() };
            let prompts = Prompts::plain(&tokenizer, 0);
            let dataset = Dataset::collect(rows::of_text(&text), "rows.jsonl", &mapping, &prompts).unwrap();
            assert_eq!(dataset.len(), 9);
            dataset
        };
        let question = |number: usize| format!("{number}+1=");
        let gold = |number: usize| (number * 7 + 3) % 10;
        let plain = |n: usize| serde_json::json!({"question": question(n), "gold": gold(n), "grade": n % 3});
        let nested = |n: usize| serde_json::json!({"question": question(n), "meta": {"gold": gold(n)}, "copy": gold(n), "grade": n % 3});
        let verl = |n: usize| {
            serde_json::json!({
                "prompt": [{"role": "user", "content": question(n)}], "grade": n % 3, "copy": gold(n) as f64,
                "reward_model": {"ground_truth": gold(n).to_string()}, "extra_info": {"index": n, "answer": gold(n)}
            })
        };
        let choices = |n: usize| {
            serde_json::json!({
                "question": question(n), "choices": ["1", "2", "3"], "answer": n * n % 3, "right": n * n % 3, "grade": n % 2
            })
        };
        let math = |n: usize| serde_json::json!({"problem": question(n), "answer": gold(n), "solution": gold(n), "grade": n % 3});
        for (dataset, kept_back) in [
            (read(&plain, Some("gold")), vec!["gold"]),
            (read(&nested, Some("meta.gold")), vec!["copy"]),
            (read(&verl, None), vec!["copy"]),
            (read(&math, None), vec!["answer", "solution"]),
        ] {
            assert_eq!(dataset.extra_names, ["grade"]);
            assert_eq!(dataset.extra[0][..3], [1.0, 2.0, 0.0]);
            let mut names: Vec<&str> = dataset.kept_back.iter().map(|kept| kept.name.as_str()).collect();
            names.sort_unstable();
            assert_eq!(names, kept_back);
        }
        // Lettered choices need a tokenizer that knows letters: the layout alone is read here.
        let contents: Vec<layout::Content> = (1..=9)
            .map(|n| {
                let value = choices(n);
                let row = value.as_object().unwrap();
                layout::read(row, Layout::of(row), &Columns::default()).unwrap()
            })
            .collect();
        let answers: Vec<&str> = contents.iter().map(|content| content.answer.as_str()).collect();
        let mut names: Vec<String> = ["answer", "right", "grade"].map(str::to_owned).to_vec();
        let column =
            |name: &str| (1..=9).map(|n| choices(n)[name].as_f64().unwrap() as f32).collect::<Vec<_>>();
        let mut columns = names.iter().map(|name| column(name)).collect();
        extra::keep_back(&mut names, &mut columns, &Columns::default(), &answers);
        assert_eq!(names, ["grade"]);
    }

    #[test]
    fn rows_that_cannot_be_used_are_counted_by_reason() {
        let good = "{\"question\":\"1+2=\",\"answer\":\"3\"}\n";
        let bad = [
            ("{\"question\":\"2+2=\"}\n", "no answer"),
            (
                "{\"question\":\"11+22+33=\",\"answer\":\"66\"}\n",
                "max_prompt_tokens = 8 (first: row 3: 9 tokens)",
            ),
            ("{\"question\":\"1?\",\"answer\":\"3\"}\n", "not in the tokenizer's vocabulary"),
            (good, "the same question and answer"),
            ("{\"question\":\n", "not readable"),
        ];
        let text: String = std::iter::once(good).chain(bad.iter().map(|(row, _)| *row)).collect();
        let dataset = parse(&text).unwrap();
        assert_eq!((dataset.len(), dataset.unusable.len()), (1, bad.len()));
        for (_, reason) in bad {
            assert!(dataset.unusable.to_string().contains(reason), "{}", dataset.unusable);
        }
        for text in [bad[0].0, "\n"] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains("no row that can be used") && error.contains("hint: "), "{error}");
        }
    }

    #[test]
    fn jsonl_json_and_parquet_hold_the_same_rows() {
        let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        std::fs::write(
            at("a.jsonl"),
            "{\"question\":\"1+2=\",\"answer\":\"3\"}\n{\"question\":\"2+2=\",\"answer\":\"4\"}",
        )
        .unwrap();
        std::fs::write(
            at("a.json"),
            "[{\"question\":\"1+2=\",\"answer\":\"3\"},{\"question\":\"2+2=\",\"answer\":\"4\"}]",
        )
        .unwrap();
        let column = |values: [&str; 2]| -> arrow::array::ArrayRef {
            std::sync::Arc::new(arrow::array::StringArray::from(values.to_vec()))
        };
        let batch = arrow::array::RecordBatch::try_from_iter([
            ("question", column(["1+2=", "2+2="])),
            ("answer", column(["3", "4"])),
        ])
        .unwrap();
        let file = std::fs::File::create(at("a.parquet")).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let prompts = Prompts::plain(&tokenizer, 0);
        let read = |name: &str| Dataset::read(&at(name), &Mapping::default(), &prompts);
        let expected = read("a.jsonl").unwrap().questions;
        assert_eq!(expected.len(), 2);
        assert_eq!(read("a.json").unwrap().questions, expected);
        assert_eq!(read("a.parquet").unwrap().questions, expected);

        let whole = std::fs::read(at("a.parquet")).unwrap();
        std::fs::write(at("cut.parquet"), &whole[..whole.len() / 2]).unwrap();
        for (name, expected) in
            [("cut.parquet", "no readable Parquet"), ("nowhere.jsonl", "can't read dataset")]
        {
            let error = format!("{:#}", read(name).unwrap_err());
            assert!(error.contains(expected) && error.contains(name), "{error}");
        }
    }
}
