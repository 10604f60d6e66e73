//! Questions: reading them, and the queue that hands out fresh ones.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rng::Streams;
use crate::tokenizer::Tokenizer;
use crate::types::Question;

/// Prefix of the names of data that ships inside the binary.
pub const EMBEDDED: &str = "embedded:";

const ARITHMETIC_TRAIN: &str = include_str!("../../datasets/arithmetic/train.jsonl");
const ARITHMETIC_TEST: &str = include_str!("../../datasets/arithmetic/test.jsonl");

/// All questions of one split, rows numbered from 0.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Rows.
    pub questions: Vec<Question>,
    /// Names of the numeric fields that rows carry beside question and answer; policies see them as extra columns.
    pub extra_names: Vec<String>,
    /// Values of those fields, a column a name; NaN where a row has none.
    pub extra: Vec<Vec<f32>>,
}

impl Dataset {
    /// Reads JSONL rows `{"question": …, "answer": …, …}` from a path or from an embedded name. A prompt of more than
    /// `max_prompt_tokens` is an error, as is an unreadable row: nothing is dropped in silence.
    pub fn read(source: &str, tokenizer: &Tokenizer, max_prompt_tokens: usize) -> anyhow::Result<Self> {
        let owned;
        let text = match source.strip_prefix(EMBEDDED) {
            Some("arithmetic/train") => ARITHMETIC_TRAIN,
            Some("arithmetic/test") => ARITHMETIC_TEST,
            Some(name) => {
                bail!("no embedded dataset {name:?}\nhint: there are arithmetic/train and arithmetic/test")
            }
            None => {
                owned = std::fs::read_to_string(Path::new(source))
                    .with_context(|| format!("can't read dataset {source}"))?;
                &owned
            }
        };
        Self::parse(text, source, tokenizer, max_prompt_tokens)
    }

    fn parse(
        text: &str,
        source: &str,
        tokenizer: &Tokenizer,
        max_prompt_tokens: usize,
    ) -> anyhow::Result<Self> {
        let mut questions = Vec::new();
        let mut extra: Vec<(String, Vec<f32>)> = Vec::new();
        let mut rows_by_id = HashMap::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = || format!("dataset {source}, line {}", index + 1);
            let row: Row = serde_json::from_str(line).with_context(place)?;
            let prompt_ids = tokenizer.encode(&row.question).with_context(place)?;
            if prompt_ids.is_empty() || prompt_ids.len() > max_prompt_tokens {
                bail!(
                    "{}: the question has {} tokens, at least 1 and at most {max_prompt_tokens} can be used\n\
                     hint: raise rollout.max_prompt_tokens or take the row out",
                    place(),
                    prompt_ids.len()
                );
            }
            let id = question_id(&row.question, &row.answer);
            if let Some(first) = rows_by_id.insert(id, index + 1) {
                bail!("{}: the same question and answer stand in line {first}", place());
            }
            for (name, value) in row.rest {
                let Some(value) = value.as_f64() else { continue };
                let position = extra.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                    extra.push((name, Vec::new()));
                    extra.len() - 1
                });
                let column = &mut extra[position].1;
                column.resize(questions.len(), f32::NAN);
                column.push(value as f32);
            }
            questions.push(Question { id, prompt: row.question, answer: row.answer, prompt_ids });
        }
        if questions.is_empty() {
            bail!("dataset {source} has no rows");
        }
        for (_, column) in &mut extra {
            column.resize(questions.len(), f32::NAN);
        }
        let (extra_names, extra) = extra.into_iter().unzip();
        Ok(Self { questions, extra_names, extra })
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

#[derive(Deserialize)]
struct Row {
    question: String,
    answer: String,
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, serde_json::Value>,
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

/// Hands out fresh questions: every row once an epoch, in an order drawn anew each epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuestionQueue {
    num_rows: u32,
    epoch: u64,
    /// Rows still to come in this epoch, the next one last.
    remaining: Vec<u32>,
}

impl QuestionQueue {
    /// A queue over rows `0..num_rows`, before its first epoch.
    pub fn new(num_rows: usize) -> Self {
        Self { num_rows: num_rows as u32, epoch: 0, remaining: Vec::new() }
    }

    /// The next `count` rows. An epoch's end in the middle goes on with the next epoch; rows for which `skip` says
    /// true when an epoch begins are left out of it (unless that would leave fewer than `count`).
    pub fn take(&mut self, count: usize, streams: &Streams, skip: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut rows = Vec::with_capacity(count);
        while rows.len() < count {
            match self.remaining.pop() {
                Some(row) => rows.push(row),
                None => self.begin_epoch(count, streams, &skip),
            }
        }
        rows
    }

    /// Epochs begun so far.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    fn begin_epoch(&mut self, count: usize, streams: &Streams, skip: impl Fn(u32) -> bool) {
        self.epoch += 1;
        self.remaining = (0..self.num_rows).filter(|&row| !skip(row)).collect();
        if self.remaining.len() < count {
            self.remaining = (0..self.num_rows).collect();
        }
        self.remaining.shuffle(&mut streams.stream("dataset", self.epoch, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_source::EMBEDDED_TOKENIZER;

    fn parse(text: &str) -> anyhow::Result<Dataset> {
        let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded")?;
        Dataset::parse(text, "rows.jsonl", &tokenizer, 8)
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
    fn bad_rows_are_named_by_line() {
        for (text, expected) in [
            ("{\"question\":\"1+2=\"}", "line 1"),
            (
                "{\"question\":\"1+2=\",\"answer\":\"3\"}\n{\"question\":\"11+22+33=\",\"answer\":\"66\"}",
                "9 tokens",
            ),
            ("{\"question\":\"1?\",\"answer\":\"3\"}", "line 1"),
            (
                "{\"question\":\"1=\",\"answer\":\"1\"}\n{\"question\":\"1=\",\"answer\":\"1\"}",
                "stand in line 1",
            ),
            ("\n", "no rows"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn every_epoch_hands_out_every_row_once_in_its_own_order() {
        let streams = Streams::new(3);
        let mut queue = QuestionQueue::new(10);
        let first: Vec<u32> = queue.take(10, &streams, |_| false);
        let second: Vec<u32> = (0..5).flat_map(|_| queue.take(2, &streams, |_| false)).collect();
        assert_ne!(first, second);
        for mut epoch in [first, second] {
            epoch.sort_unstable();
            assert_eq!(epoch, (0..10).collect::<Vec<_>>());
        }
        let third = queue.take(5, &streams, |row| row < 5);
        assert!(third.iter().all(|&row| row >= 5));
        assert_eq!(queue.epoch(), 3);
    }
}
