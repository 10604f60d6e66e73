//! The default task: chains of additions and subtractions, some opened by a product, whose answers need written
//! working. `38+47-19=` is answered by `38+47=85;85-19=66;66`: a step an operation, then the result.
//!
//! Questions come in five grades (more operations, larger numbers). The pretraining corpus imitates writers of three
//! habits: careful ones take one operation a step, hasty ones merge operations, guessers write the result at once;
//! all of them slip now and then. A model of this size rarely merges or guesses right, so the base model knows the
//! careful way and often does not take it: what reinforcement learning is for.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Hardest grade; the easiest is 1.
pub const MAX_GRADE: u32 = 5;

/// Largest running total; the smallest is 0.
const MAX_TOTAL: i64 = 199;

/// One row of the dataset's JSONL files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The prompt, `38+47-19=`.
    pub question: String,
    /// The result, `66`.
    pub answer: String,
    /// 1 (two operations, one digit) to 5 (four operations, two digits, a product first in half of them).
    pub grade: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Plus,
    Minus,
    Times,
}

impl Operation {
    fn apply(self, left: i64, right: i64) -> i64 {
        match self {
            Self::Plus => left + right,
            Self::Minus => left - right,
            Self::Times => left * right,
        }
    }

    fn symbol(self) -> char {
        match self {
            Self::Plus => '+',
            Self::Minus => '-',
            Self::Times => '*',
        }
    }
}

/// A chain of operations, evaluated from left to right (a product only ever comes first, so that this is also the
/// usual order of operations).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    first: i64,
    rest: Vec<(Operation, i64)>,
    grade: u32,
}

impl Chain {
    /// Draws a chain of this grade, 1 to [`MAX_GRADE`]. Running totals stay within 0 to 199.
    pub fn sample(grade: u32, rng: &mut ChaCha8Rng) -> Self {
        let (num_operations, largest, product) = match grade {
            1 => (2, 9, false),
            2 => (3, 9, false),
            3 => (2, 49, false),
            4 => (3, 49, rng.random_bool(0.5)),
            _ => (4, 49, rng.random_bool(0.5)),
        };
        let smallest = if largest > 9 { 10 } else { 1 };
        let first = if product { rng.random_range(2..=9) } else { rng.random_range(smallest..=largest) };
        let mut total = first;
        let mut rest = Vec::with_capacity(num_operations);
        for position in 0..num_operations {
            let (operation, operand) = loop {
                let operation = match (position, product, rng.random_bool(0.5)) {
                    (0, true, _) => Operation::Times,
                    (_, _, true) => Operation::Plus,
                    (_, _, false) => Operation::Minus,
                };
                let operand = match operation {
                    Operation::Times => rng.random_range(2..=9),
                    _ => rng.random_range(smallest..=largest),
                };
                if (0..=MAX_TOTAL).contains(&operation.apply(total, operand)) {
                    break (operation, operand);
                }
            };
            total = operation.apply(total, operand);
            rest.push((operation, operand));
        }
        Self { first, rest, grade }
    }

    /// The chain as a dataset row.
    pub fn row(&self) -> Row {
        let mut question = self.first.to_string();
        let mut total = self.first;
        for &(operation, operand) in &self.rest {
            question.push(operation.symbol());
            question.push_str(&operand.to_string());
            total = operation.apply(total, operand);
        }
        question.push('=');
        Row { question, answer: total.to_string(), grade: self.grade }
    }

    /// Working as one of the corpus's writers would put it down.
    pub fn working(&self, habits: &Habits, rng: &mut ChaCha8Rng) -> String {
        let draw: f64 = rng.random();
        let merge = if draw < habits.careful {
            0.0
        } else if draw < habits.careful + habits.hasty {
            0.6
        } else {
            1.0
        };
        let mut text = String::new();
        let mut total = self.first;
        let mut done = 0;
        while done < self.rest.len() {
            let mut take = 1;
            while done + take < self.rest.len() && rng.random_bool(merge) {
                take += 1;
            }
            let whole = done == 0 && take == self.rest.len();
            let mut step = total.to_string();
            for &(operation, operand) in &self.rest[done..done + take] {
                step.push(operation.symbol());
                step.push_str(&operand.to_string());
                total = operation.apply(total, operand);
            }
            if rng.random_bool(habits.slip) {
                total = slip(total, rng);
            }
            if !whole {
                text.push_str(&format!("{step}={total};"));
            }
            done += take;
        }
        text.push_str(&total.to_string());
        text
    }
}

/// A near miss of `total`: a digit off by one, as carrying errors are.
fn slip(total: i64, rng: &mut ChaCha8Rng) -> i64 {
    let place = if rng.random_bool(0.5) { 1 } else { 10 };
    let off = if rng.random_bool(0.5) { place } else { -place };
    if (0..=MAX_TOTAL).contains(&(total + off)) { total + off } else { total - off }
}

/// How the writers of the pretraining corpus work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Habits {
    /// Share of workings with one operation a step.
    pub careful: f64,
    /// Share of workings that merge some operations; the remaining ones guess the result at once.
    pub hasty: f64,
    /// Probability that a step's result is a near miss.
    pub slip: f64,
}

impl Default for Habits {
    fn default() -> Self {
        Self { careful: 0.45, hasty: 0.3, slip: 0.02 }
    }
}

/// Draws training and held-out rows, all different questions, grades in equal shares.
pub fn split(num_train: usize, num_test: usize, rng: &mut ChaCha8Rng) -> (Vec<Row>, Vec<Row>) {
    let mut seen = std::collections::HashSet::new();
    let mut rows = Vec::with_capacity(num_train + num_test);
    // Grade 1 holds a few thousand questions only, so the share of each is drawn, and repeats are drawn again.
    while rows.len() < num_train + num_test {
        let row = Chain::sample(rng.random_range(1..=MAX_GRADE), rng).row();
        if seen.insert(row.question.clone()) {
            rows.push(row);
        }
    }
    let test = rows.split_off(num_train);
    (rows, test)
}

#[cfg(test)]
mod tests {
    use super::*;
    use exgrpo_core::rng::Streams;

    fn evaluate(expression: &str) -> i64 {
        let mut total = None;
        let mut operation = '+';
        for token in expression.split_inclusive(['+', '-', '*']) {
            let number: i64 = token.trim_end_matches(['+', '-', '*']).parse().unwrap();
            total = Some(match (total, operation) {
                (None, _) => number,
                (Some(t), '+') => t + number,
                (Some(t), '-') => t - number,
                (Some(t), _) => t * number,
            });
            operation = token.chars().last().unwrap();
        }
        total.unwrap()
    }

    #[test]
    fn careful_working_without_slips_is_right_at_every_step() {
        let mut rng = Streams::new(1).stream("test", 0, 0);
        let careful = Habits { careful: 1.0, hasty: 0.0, slip: 0.0 };
        for draw in 0..500 {
            let chain = Chain::sample(draw % MAX_GRADE + 1, &mut rng);
            let row = chain.row();
            assert_eq!(evaluate(row.question.trim_end_matches('=')).to_string(), row.answer);
            let working = chain.working(&careful, &mut rng);
            let mut steps: Vec<&str> = working.split(';').collect();
            assert_eq!(steps.pop(), Some(row.answer.as_str()));
            assert_eq!(steps.len(), chain.rest.len());
            for step in steps {
                let (left, right) = step.split_once('=').unwrap();
                assert_eq!(evaluate(left).to_string(), right, "{working}");
            }
        }
    }

    #[test]
    fn splits_do_not_overlap_and_repeat_with_the_seed() {
        let draw = |seed| split(400, 100, &mut Streams::new(seed).stream("dataset", 0, 0));
        let (train, test) = draw(1);
        let train_questions: std::collections::HashSet<_> = train.iter().map(|r| &r.question).collect();
        assert_eq!(train_questions.len(), 400);
        assert!(test.iter().all(|row| !train_questions.contains(&row.question)));
        assert_eq!(draw(1), (train, test));
    }
}
