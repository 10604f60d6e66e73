//! Measuring a model on benchmarks: samples k completions of every question, has a verifier judge them, and keeps a
//! row a completion. What was judged stays judged: an evaluation that was interrupted goes on where it stopped.

mod grade;
mod heldout;
mod parts;
mod report;
mod settings;

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use crate::dataset::{Dataset, Mapping};
use exgrpo_core::rng::Streams;
use exgrpo_core::types::{Question, TokenId};
use exgrpo_engine::{Sampler, SamplingParams};
use exgrpo_log::{EvaluationRow, write_part};
use exgrpo_models::prompt::Prompts;
use exgrpo_models::tokenizer::Tokenizer;
use exgrpo_policy::PolicySet;

pub use grade::{Grader, Judged};
pub use heldout::HeldOut;
pub use report::{Report, Score};
pub use settings::Settings;

/// Completions that are sampled, judged and written together.
const COMPLETIONS_A_PART: usize = 128;

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
    pub sampler: &'a dyn Sampler,
    /// Text of completions.
    pub tokenizer: &'a Tokenizer,
    /// Tokens that end a completion.
    pub stop_ids: &'a [TokenId],
    /// The verifier, and nothing else that matters.
    pub policies: &'a mut PolicySet,
}

/// How far an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvalProgress {
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
    /// `out` belongs to another evaluation, a part of it is damaged or was not asked for, or it can't be written; sampling
    /// or judging fails.
    pub fn run(
        &mut self,
        benchmarks: &[Benchmark],
        out: &Path,
        mut tell: impl FnMut(EvalProgress) -> bool,
    ) -> anyhow::Result<Report> {
        let _claim = self.settings.claim(out)?;
        let mut rows = parts::read(out, benchmarks, self.settings)?;
        let asked_sha256 = self.settings.sha256()?;
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
        let mut goes_on = tell(EvalProgress { done: all - rest.len(), all });
        while !rest.is_empty() && goes_on {
            let (part, later) = rest.split_at(self.questions_of_part(rest));
            let new = self.judge(part, next_part)?;
            write_part(out, next_part, &asked_sha256, &new)?;
            rows.extend(new);
            next_part += 1;
            rest = later;
            goes_on = tell(EvalProgress { done: all - rest.len(), all });
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
        let mut grader = Grader {
            sampler: self.sampler,
            tokenizer: self.tokenizer,
            sampling: SamplingParams {
                temperature: self.settings.temperature,
                score_temperature: 1.0,
                top_p: self.settings.top_p,
                max_new_tokens: self.settings.max_new_tokens as usize,
                stop_ids: self.stop_ids.to_vec(),
            },
            policies: self.policies,
        };
        let judged = grader.grade(asked.collect(), number)?;
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

#[cfg(test)]
mod tests;
