//! Measuring a model on benchmarks: samples k completions of every question, has a verifier judge them, and keeps a
//! row a completion. What was judged stays judged: an evaluation that was interrupted goes on where it stopped.

mod examine;
mod heldout;
mod report;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::atomic;
use crate::config::PromptSection;
use crate::dataset::{Dataset, Mapping};
use crate::guest::PolicySet;
use crate::log::{EvaluationRow, Row, read, write_part};
use crate::model::{Actor, Sampling};
use crate::prompt::Prompts;
use crate::rng::Streams;
use crate::tokenizer::Tokenizer;
use crate::types::{Question, TokenId};

pub use examine::{Examiner, Judged};
pub use heldout::Evaluation;
pub use report::{Report, Score};

/// File of an evaluation's directory that says what was asked.
const SETTINGS: &str = "eval.toml";

/// Completions that are sampled, judged and written together.
const COMPLETIONS_A_PART: usize = 128;

/// Everything that decides an evaluation's outcome. Two that differ can't share a directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Model; a run stands for its latest checkpoint, a name on the hub for its commit.
    pub model: String,
    /// Files of questions, as they were named.
    pub datasets: Vec<String>,
    /// SHA-256 of the verifier, `builtin` without one.
    pub verifier: String,
    /// Completions a question; by default 32 for AIME and AMC and 1 for the rest, as the paper has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// Questions of each benchmark, the first ones; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Sampling temperature; 0 takes the likeliest token.
    pub temperature: f32,
    /// Nucleus sampling; 1 draws from the whole vocabulary.
    pub top_p: f32,
    /// Longest completion in tokens.
    pub max_new_tokens: u32,
    /// Seed.
    pub seed: u64,
    /// How questions are put to the model.
    #[serde(default)]
    pub prompt: PromptSection,
}

impl Settings {
    /// Completions of each of a benchmark's questions.
    fn samples_of(&self, benchmark: &str) -> u32 {
        let name = benchmark.to_lowercase();
        let is_small = name.contains("aime") || name.contains("amc");
        self.samples.unwrap_or(if is_small { 32 } else { 1 })
    }

    /// A name for a directory that the same settings find again.
    pub fn label(&self) -> anyhow::Result<String> {
        let digest = Sha256::digest(toml::to_string(self)?);
        let stem = Path::new(&self.model).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let stem = stem.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
        Ok(format!("eval-{stem}-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2]))
    }
}

/// The questions of one name.
#[derive(Debug)]
pub struct Benchmark {
    /// The rows' `data_source`, or the name of their file.
    pub name: String,
    /// Questions that are asked.
    pub questions: Vec<Question>,
    /// Rows of its file that can't be used, said once a file.
    pub num_unusable: usize,
}

/// Reads `source` and splits it by benchmark, in the order of the names.
pub fn read_benchmarks(
    source: &str,
    mapping: &Mapping,
    prompts: &Prompts<'_>,
    limit: Option<usize>,
) -> anyhow::Result<(Vec<Benchmark>, Dataset)> {
    let mut dataset = Dataset::read(source, mapping, prompts)?;
    let file = Path::new(source).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name_of = |question: &Question| question.benchmark.clone().unwrap_or_else(|| file.clone());
    let names: BTreeSet<String> = dataset.questions.iter().map(name_of).collect();
    let mut benchmarks: Vec<Benchmark> =
        names.into_iter().map(|name| Benchmark { name, questions: Vec::new(), num_unusable: 0 }).collect();
    for question in std::mem::take(&mut dataset.questions) {
        let name = name_of(&question);
        let Ok(index) = benchmarks.binary_search_by(|benchmark| benchmark.name.cmp(&name)) else { continue };
        let questions = &mut benchmarks[index].questions;
        if limit.is_none_or(|limit| questions.len() < limit) {
            questions.push(question);
        }
    }
    if let Some(first) = benchmarks.first_mut() {
        first.num_unusable = dataset.unusable.len();
    }
    Ok((benchmarks, dataset))
}

/// What an evaluation works with.
pub struct Evaluator<'a> {
    /// Settings.
    pub settings: &'a Settings,
    /// The network.
    pub actor: &'a Actor,
    /// Text of completions.
    pub tokenizer: &'a Tokenizer,
    /// Tokens that end a completion.
    pub stop_ids: &'a [TokenId],
    /// The verifier, and nothing else that matters.
    pub policies: &'a mut PolicySet,
}

/// How far an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Questions that are judged.
    pub done: usize,
    /// All questions.
    pub all: usize,
}

impl Evaluator<'_> {
    /// Judges what is not yet judged in the directory `out`, and reports on all of it. `tell` hears of every part, and
    /// answers false to stop early.
    ///
    /// # Errors
    /// `out` belongs to other settings or can't be written; sampling or judging fails.
    pub fn run(
        &mut self,
        benchmarks: &[Benchmark],
        out: &Path,
        mut tell: impl FnMut(Progress) -> bool,
    ) -> anyhow::Result<Report> {
        claim(out, self.settings)?;
        let mut rows: Vec<EvaluationRow> = read::rows(out)?;
        let judged: HashSet<(String, u64)> =
            rows.iter().map(|row| (row.benchmark.clone(), row.question_id)).collect();
        let mut next_part = rows.iter().map(|row| row.step).max().unwrap_or(0) + 1;
        let all = benchmarks.iter().map(|benchmark| benchmark.questions.len()).sum();
        let asked: Vec<(&Benchmark, &Question)> = benchmarks
            .iter()
            .flat_map(|benchmark| benchmark.questions.iter().map(move |question| (benchmark, question)))
            .filter(|(benchmark, question)| !judged.contains(&(benchmark.name.clone(), question.id)))
            .collect();
        let mut rest = asked.as_slice();
        let mut goes_on = tell(Progress { done: all - rest.len(), all });
        while !rest.is_empty() && goes_on {
            let (part, later) = rest.split_at(self.questions_of_part(rest));
            let new = self.judge(part, next_part)?;
            write_part(out, next_part, &new)?;
            rows.extend(new);
            next_part += 1;
            rest = later;
            goes_on = tell(Progress { done: all - rest.len(), all });
        }
        Ok(Report::new(benchmarks, &rows))
    }

    /// Questions whose completions fill a part, at least one.
    fn questions_of_part(&self, rest: &[(&Benchmark, &Question)]) -> usize {
        let mut completions = 0;
        let fits = rest.iter().take_while(|(benchmark, _)| {
            completions += self.settings.samples_of(&benchmark.name) as usize;
            completions <= COMPLETIONS_A_PART
        });
        fits.count().max(1)
    }

    fn judge(&mut self, part: &[(&Benchmark, &Question)], number: u32) -> anyhow::Result<Vec<EvaluationRow>> {
        let streams = Streams::new(self.settings.seed);
        // A completion's stream is named by its question, so that it is the same in whatever part it comes.
        let asked = part.iter().map(|(benchmark, question)| {
            let samples = 0..self.settings.samples_of(&benchmark.name);
            let stream = |sample| streams.stream("eval", question.id, u64::from(sample));
            (*question, samples.map(stream).collect())
        });
        let mut examiner = Examiner {
            actor: self.actor,
            tokenizer: self.tokenizer,
            sampling: Sampling {
                temperature: self.settings.temperature,
                top_p: self.settings.top_p,
                max_new_tokens: self.settings.max_new_tokens as usize,
                stop_ids: self.stop_ids.to_vec(),
            },
            policies: self.policies,
        };
        let judged = examiner.examine(asked.collect(), number)?;
        // Nobody reads the verifier's journal here; it must not grow.
        self.policies.drain(number);
        let mut rows = Vec::new();
        for ((benchmark, question), judged) in part.iter().zip(judged) {
            rows.extend(judged.into_iter().enumerate().map(|(sample, judged)| EvaluationRow {
                step: number,
                benchmark: benchmark.name.clone(),
                question_id: question.id,
                sample: sample as u32,
                prompt: question.prompt.clone(),
                reference: question.answer.clone(),
                completion: judged.text,
                num_tokens: judged.completion.ids.len() as u32,
                finished: judged.completion.finished,
                verdict: judged.verdict,
                answer: judged.answer,
            }));
        }
        Ok(rows)
    }
}

/// Makes `out` the directory of an evaluation with these settings, or finds that it is.
fn claim(out: &Path, settings: &Settings) -> anyhow::Result<()> {
    let path: PathBuf = out.join(SETTINGS);
    if path.exists() {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        let there: Settings =
            toml::from_str(&text).with_context(|| format!("can't use {}", path.display()))?;
        if there != *settings {
            bail!(
                "{} holds an evaluation with other settings\nhint: choose another --out, or compare with {}",
                out.display(),
                path.display()
            );
        }
        atomic::remove_leftovers(out)?;
        return Ok(());
    }
    let folder = out.join(EvaluationRow::TABLE);
    std::fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
    atomic::write_file(&path, toml::to_string(settings)?.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests;
