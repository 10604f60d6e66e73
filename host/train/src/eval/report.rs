//! What the rows of an evaluation say: averages with intervals, a line a benchmark.

use std::collections::BTreeMap;

use super::Benchmark;
use exgrpo_core::escape::foreign;
use exgrpo_core::types::Verdict;
use exgrpo_log::EvaluationRow;

/// 97.5 % quantile of the normal distribution.
const Z: f64 = 1.96;

/// Benchmarks of the paper's in-distribution average (arXiv 2510.02245, Table 1), under names that files use.
const IN_DISTRIBUTION: &[&[&str]] = &[
    &["aime", "aime24", "aime2024"],
    &["aime25", "aime2025"],
    &["amc", "amc23"],
    &["math", "math500", "math-500"],
    &["minerva", "minerva_math"],
    &["olympiad", "olympiad_bench", "olympiadbench"],
];

/// Those of its out-of-distribution average.
const OUT_OF_DISTRIBUTION: &[&[&str]] =
    &[&["arc_c", "arc-c", "arc_challenge"], &["gpqa", "gpqa_diamond"], &["mmlu_pro", "mmlu-pro"]];

/// What is known of one benchmark. Shares are of questions that have a scored completion.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Benchmark.
    pub name: String,
    /// Questions with a scored completion.
    pub questions: usize,
    /// Most completions of a question.
    pub samples: usize,
    /// Mean over questions of the share of correct completions: pass@1, estimated from k of them (avg@k).
    pub average: f64,
    /// 95 % interval of `average`, from the spread over questions.
    pub average_interval: (f64, f64),
    /// Share of questions with a correct completion: pass@k.
    pub pass: f64,
    /// 95 % interval of `pass` (Wilson).
    pub pass_interval: (f64, f64),
    /// Mean length of completions in tokens.
    pub mean_tokens: f64,
    /// Completions that stopped at the length limit.
    pub num_unfinished: usize,
    /// Completions that the verifier could not score.
    pub num_unscorable: usize,
    /// Completions whose verification ran out of its budget.
    pub num_out_of_budget: usize,
    /// Rows of the file that are no questions.
    pub num_unusable: usize,
}

/// Scores of all benchmarks, and the paper's averages where all of their parts are there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Scores in the order of the benchmarks.
    pub scores: Vec<Score>,
}

impl Report {
    pub(super) fn new(benchmarks: &[Benchmark], rows: &[EvaluationRow]) -> Self {
        let scores = benchmarks.iter().map(|benchmark| {
            let rows = rows.iter().filter(|row| row.benchmark == benchmark.name);
            Score { num_unusable: benchmark.num_unusable, ..score(&benchmark.name, rows) }
        });
        Self { scores: scores.collect() }
    }

    /// The report as a Markdown table.
    pub fn table(&self) -> String {
        let percent = |share: f64, (low, high): (f64, f64)| {
            format!("{:.1} [{:.1}, {:.1}]", 100.0 * share, 100.0 * low, 100.0 * high)
        };
        let mut text = String::from(
            "| benchmark | questions | k | avg@k, % | pass@k, % | tokens | unfinished | unscorable | out of budget | \
             unusable rows |\n|---|---|---|---|---|---|---|---|---|---|\n",
        );
        for score in &self.scores {
            text.push_str(&format!(
                "| {} | {} | {} | {} | {} | {:.0} | {} | {} | {} | {} |\n",
                // A name is one cell.
                foreign(&score.name).to_string().replace('|', "\\|"),
                score.questions,
                score.samples,
                percent(score.average, score.average_interval),
                percent(score.pass, score.pass_interval),
                score.mean_tokens,
                score.num_unfinished,
                score.num_unscorable,
                score.num_out_of_budget,
                score.num_unusable
            ));
        }
        for (name, members) in
            [("in distribution", IN_DISTRIBUTION), ("out of distribution", OUT_OF_DISTRIBUTION)]
        {
            let found: Vec<f64> = members.iter().filter_map(|names| self.average_of(names)).collect();
            if !found.is_empty() {
                let mean = found.iter().sum::<f64>() / found.len() as f64;
                let of = format!("{} of {}", found.len(), members.len());
                text.push_str(&format!("| {name}, mean of {of} | | | {:.1} | | | | | | |\n", 100.0 * mean));
            }
        }
        text
    }

    fn average_of(&self, names: &[&str]) -> Option<f64> {
        let score = self.scores.iter().find(|score| names.contains(&score.name.to_lowercase().as_str()))?;
        (score.questions > 0).then_some(score.average)
    }
}

fn score<'a>(name: &str, rows: impl Iterator<Item = &'a EvaluationRow>) -> Score {
    let mut by_question: BTreeMap<u64, Vec<Verdict>> = BTreeMap::new();
    let (mut tokens, mut num_unfinished) = (0.0, 0);
    for row in rows {
        by_question.entry(row.question_id).or_default().push(row.verdict);
        num_unfinished += usize::from(!row.finished);
        tokens += f64::from(row.num_tokens);
    }
    let count =
        |wanted: Verdict| by_question.values().flatten().filter(|&&verdict| verdict == wanted).count();
    let samples = by_question.values().map(Vec::len).max().unwrap_or(0);
    let shares: Vec<f64> =
        by_question.values().filter_map(|verdicts| share_correct(verdicts.iter().copied())).collect();
    let num_passed = shares.iter().filter(|&&share| share > 0.0).count();
    let (average, average_interval) = mean_interval(&shares);
    let questions = shares.len();
    Score {
        name: name.to_owned(),
        questions,
        samples,
        average,
        average_interval,
        pass: num_passed as f64 / questions as f64,
        pass_interval: wilson_interval(num_passed, questions),
        mean_tokens: tokens / by_question.values().map(Vec::len).sum::<usize>() as f64,
        num_unfinished,
        num_unscorable: count(Verdict::Unscorable),
        num_out_of_budget: count(Verdict::OutOfBudget),
        num_unusable: 0,
    }
}

/// Share of correct verdicts among those that carry a reward, none when there is none.
pub(super) fn share_correct(verdicts: impl Iterator<Item = Verdict>) -> Option<f64> {
    let (mut scored, mut correct) = (0u32, 0u32);
    for verdict in verdicts {
        scored += u32::from(verdict.is_scored());
        correct += u32::from(verdict == Verdict::Correct);
    }
    (scored > 0).then(|| f64::from(correct) / f64::from(scored))
}

/// Mean of shares and its interval. Where all are 0 or 1 it is Wilson's, which does not shrink to a point when every
/// question went the same way.
fn mean_interval(shares: &[f64]) -> (f64, (f64, f64)) {
    let count = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / count;
    if shares.iter().all(|&share| share == 0.0 || share == 1.0) {
        let successes = shares.iter().filter(|&&share| share == 1.0).count();
        return (mean, wilson_interval(successes, shares.len()));
    }
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let half = Z * (variance / count).sqrt();
    (mean, ((mean - half).max(0.0), (mean + half).min(1.0)))
}

/// Wilson's interval of a share (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927).
fn wilson_interval(successes: usize, trials: usize) -> (f64, f64) {
    let n = trials as f64;
    let share = successes as f64 / n;
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(question_id: u64, verdict: Verdict) -> EvaluationRow {
        EvaluationRow {
            step: 1,
            benchmark: "math".to_owned(),
            question_id,
            sample: 0,
            prompt: String::new(),
            reference: String::new(),
            completion: String::new(),
            num_tokens: 10,
            finished: verdict != Verdict::Incorrect,
            verdict,
            answer: None,
        }
    }

    #[test]
    fn a_score_is_what_one_counts_by_hand() {
        use Verdict::{Correct, Incorrect, OutOfBudget, Unscorable};
        let rows: Vec<EvaluationRow> = [
            (1, [Correct, Incorrect]),
            (2, [Incorrect, Incorrect]),
            (3, [Correct, Unscorable]),
            (4, [OutOfBudget, Unscorable]),
        ]
        .into_iter()
        .flat_map(|(id, verdicts)| verdicts.map(|verdict| row(id, verdict)))
        .collect();
        let score = score("math", rows.iter());
        // Shares 1/2, 0, 1; question 4 has none. Variance 1/4, error sqrt(1/12).
        assert_eq!((score.questions, score.samples, score.average), (3, 2, 0.5));
        let half = 1.96 * (1.0f64 / 12.0).sqrt();
        assert!((score.average_interval.0 - (0.5 - half).max(0.0)).abs() < 1e-12);
        assert!((score.average_interval.1 - (0.5 + half).min(1.0)).abs() < 1e-12);
        assert!((score.pass - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((score.num_unscorable, score.num_out_of_budget, score.num_unfinished), (2, 1, 3));
    }

    #[test]
    fn wilson_intervals_are_those_of_the_literature() {
        // 0 of 10: upper end z²/(n + z²); 15 of 50 by hand.
        let (low, high) = wilson_interval(0, 10);
        assert!(low.abs() < 1e-12 && (high - 3.8416 / 13.8416).abs() < 1e-9);
        let (low, high) = wilson_interval(15, 50);
        assert!((low - 0.1910).abs() < 1e-3 && (high - 0.4375).abs() < 1e-3, "{low} {high}");
        assert_eq!(mean_interval(&[0.0, 0.0]).1.0, 0.0);
        assert!(mean_interval(&[0.0, 0.0]).1.1 > 0.5, "two failures say little");
    }

    #[test]
    fn the_averages_of_the_paper_are_made_of_the_parts_that_are_there() {
        let score = |name: &str, average| Score {
            name: name.to_owned(),
            average,
            ..score(name, [row(1, Verdict::Correct)].iter())
        };
        let report = Report {
            scores: vec![score("AIME", 0.2), score("math", 0.6), score("arc_c", 0.5), score("other", 0.9)],
        };
        let table = report.table();
        assert!(table.contains("in distribution, mean of 2 of 6 | | | 40.0 |"), "{table}");
        assert!(table.contains("out of distribution, mean of 1 of 3 | | | 50.0 |"), "{table}");
    }
}
