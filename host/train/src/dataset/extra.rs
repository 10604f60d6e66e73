//! Which of a dataset's numeric columns policies may see. They say something about questions, such as a difficulty; none
//! from which the answer follows is among them.

use super::layout::Columns;

/// Columns of a usual name for an answer or a solution, without signs between words and in lower case.
const NAMES: [&str; 42] = [
    "answer",
    "answerid",
    "answeridx",
    "answerindex",
    "answerkey",
    "answerlabel",
    "answerletter",
    "answernumber",
    "answers",
    "answervalue",
    "completion",
    "cop",
    "correct",
    "correctanswer",
    "correctanswerid",
    "correctansweridx",
    "correctanswerindex",
    "correctchoice",
    "correctid",
    "correctidx",
    "correctindex",
    "correctlabel",
    "correctletter",
    "correctoption",
    "expected",
    "expectedanswer",
    "finalanswer",
    "gold",
    "goldanswer",
    "goldindex",
    "goldlabel",
    "groundtruth",
    "label",
    "output",
    "reference",
    "referenceanswer",
    "response",
    "result",
    "rewardmodel",
    "solution",
    "solutions",
    "target",
];

/// Rows from which on an order like the answers' is no accident.
const MIN_RANKED: usize = 8;
/// Rank correlation with the answers from which on a column is as good as the answers.
const MAX_CORRELATION: f64 = 0.99;

/// A numeric column that policies don't see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBack {
    /// Name of the column.
    pub name: String,
    /// Why.
    pub reason: &'static str,
}

/// Takes the columns out of `names` and `columns` from which the answer follows: those that `paths` or a usual name say
/// to be the answer or a solution, and those whose values do. `answers` are the gold answers, a row each.
pub(super) fn keep_back(
    names: &mut Vec<String>,
    columns: &mut Vec<Vec<f32>>,
    paths: &Columns,
    answers: &[&str],
) -> Vec<KeptBack> {
    let answers = Answers::of(answers);
    let mut kept_back = Vec::new();
    let all = std::mem::take(names).into_iter().zip(std::mem::take(columns));
    for (name, values) in all {
        match by_name(&name, paths).or_else(|| answers.told_by(&values)) {
            Some(reason) => kept_back.push(KeptBack { name, reason }),
            None => {
                names.push(name);
                columns.push(values);
            }
        }
    }
    kept_back
}

fn by_name(name: &str, paths: &Columns) -> Option<&'static str> {
    let begins = |path: &Option<String>| {
        path.as_deref().is_some_and(|path| path == name || path.split('.').next() == Some(name))
    };
    let plain: String =
        name.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if begins(&paths.answer) {
        Some("it is the answer's column")
    } else if begins(&paths.solution) {
        Some("it is the solution's column")
    } else if begins(&paths.question) || plain == "question" {
        Some("it is the question's column")
    } else {
        NAMES.contains(&plain.as_str()).then_some("its name is that of an answer or a solution")
    }
}

/// Gold answers as numbers, in the ways that a column may hold them.
struct Answers {
    /// The number that the answer is or holds; NaN where it has none or several.
    numbers: Vec<f64>,
    /// Position of an answer that is one letter, from 0; NaN for others.
    letters: Vec<f64>,
}

impl Answers {
    fn of(answers: &[&str]) -> Self {
        Self {
            numbers: answers.iter().map(|answer| number(answer).unwrap_or(f64::NAN)).collect(),
            letters: answers.iter().map(|answer| letter(answer).unwrap_or(f64::NAN)).collect(),
        }
    }

    /// Why a column gives the answers away, if it does.
    fn told_by(&self, values: &[f32]) -> Option<&'static str> {
        let known = |answers: &[f64], shift: f64| -> Vec<(f64, f64)> {
            let pairs = answers.iter().zip(values).map(|(answer, &value)| (answer + shift, f64::from(value)));
            pairs.filter(|(answer, value)| answer.is_finite() && value.is_finite()).collect()
        };
        let numbers = known(&self.numbers, 0.0);
        if is_equal(&numbers) || is_equal(&known(&self.letters, 0.0)) || is_equal(&known(&self.letters, 1.0))
        {
            return Some("its values are the answers");
        }
        (numbers.len() >= MIN_RANKED && rank_correlation(&numbers).abs() >= MAX_CORRELATION)
            .then_some("its values rise or fall with the answers")
    }
}

/// True when most pairs are equal; nearly all where there are so few different answers that most may be so by accident.
fn is_equal(pairs: &[(f64, f64)]) -> bool {
    let equal = pairs.iter().filter(|(answer, value)| (answer - value).abs() <= 1e-6 * answer.abs().max(1.0));
    let mut different: Vec<f64> = pairs.iter().map(|(answer, _)| *answer).collect();
    different.sort_by(f64::total_cmp);
    different.dedup();
    let least = if different.len() > 4 { pairs.len() / 2 } else { pairs.len() * 9 / 10 };
    !pairs.is_empty() && equal.count() > least.min(pairs.len() - 1)
}

/// Spearman's: 1 when the values have the order of the answers, -1 for the reverse; NaN when one of them is constant.
fn rank_correlation(pairs: &[(f64, f64)]) -> f64 {
    let answers = ranks(pairs.iter().map(|(answer, _)| *answer));
    let values = ranks(pairs.iter().map(|(_, value)| *value));
    let mean = (pairs.len() as f64 - 1.0) / 2.0;
    let product =
        |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum() };
    product(&answers, &values) / (product(&answers, &answers) * product(&values, &values)).sqrt()
}

/// Ranks from 0; equal values share the mean of theirs.
fn ranks(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<(f64, usize)> = values.enumerate().map(|(index, value)| (value, index)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranks = vec![0.0; sorted.len()];
    let mut begin = 0;
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let rank = begin as f64 + (equal.len() as f64 - 1.0) / 2.0;
        equal.iter().for_each(|&(_, index)| ranks[index] = rank);
        begin += equal.len();
    }
    ranks
}

/// The one number in a text, however it is written: `1,048`, `$18`, `\frac{1}{2}`, `-3/4`, `12 apples`.
fn number(text: &str) -> Option<f64> {
    let text = text.replace('\u{2212}', "-").replace("\\frac{", "").replace("}{", "/");
    // A comma within a number sets thousands apart; elsewhere it parts two numbers.
    let signs: Vec<char> = text.chars().filter(|sign| !matches!(sign, '$' | '}')).collect();
    let is_digit = |at: usize| signs.get(at).is_some_and(char::is_ascii_digit);
    let kept =
        (0..signs.len()).filter(|&at| !(signs[at] == ',' && at > 0 && is_digit(at - 1) && is_digit(at + 1)));
    let plain: String = kept.map(|at| signs[at]).collect();
    let is_part = |sign: char| sign.is_ascii_digit() || matches!(sign, '.' | '/' | '-' | '+' | 'e' | 'E');
    let parsed = |part: &str| -> Option<f64> {
        let part = part.trim_end_matches(['.', 'e', 'E', '-', '+', '/']).trim_start_matches(['e', 'E', '/']);
        let value = match part.split_once('/') {
            Some((above, below)) => above.parse::<f64>().ok()? / below.parse::<f64>().ok()?,
            None => part.parse().ok()?,
        };
        value.is_finite().then_some(value)
    };
    let mut numbers = plain.split(|sign| !is_part(sign)).filter_map(parsed);
    let number = numbers.next()?;
    numbers.next().is_none().then_some(number)
}

/// Position in the alphabet of an answer that is one letter, `B` or `(b)`.
fn letter(text: &str) -> Option<f64> {
    match text.trim().trim_matches(['(', ')', '.']).as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(f64::from(letter.to_ascii_uppercase() - b'A')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the columns that are kept back.
    fn kept(columns: &[(&str, &[f32])], paths: &Columns, answers: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut values: Vec<Vec<f32>> = columns.iter().map(|(_, values)| values.to_vec()).collect();
        let kept_back = keep_back(&mut names, &mut values, paths, answers);
        assert_eq!(names.len() + kept_back.len(), columns.len());
        assert_eq!(names.len(), values.len());
        kept_back.into_iter().map(|kept| kept.name).collect()
    }

    #[test]
    fn the_answer_is_kept_back_whatever_its_column_is_called() {
        let answers = ["12", "1,048", "-3", "\\frac{1}{2}", "18 apples", "$70"];
        let values: &[f32] = &[12.0, 1048.0, -3.0, 0.5, 18.0, 70.0];
        let grade: &[f32] = &[1.0, 2.0, 3.0, 1.0, 2.0, 3.0];
        let paths = Columns {
            answer: Some("value".to_owned()),
            solution: Some("how.steps".to_owned()),
            ..Columns::default()
        };
        assert_eq!(
            kept(
                &[
                    ("grade", grade),
                    ("value", grade),
                    ("how", grade),
                    ("Ground-Truth", grade),
                    ("answer", grade),
                    ("reward_model", grade),
                    ("x", values),
                ],
                &paths,
                &answers
            ),
            ["value", "how", "Ground-Truth", "answer", "reward_model", "x"]
        );
        // Nearly all rows are enough, and so are the few rows that have a value.
        let mut nearly = values.to_vec();
        nearly[5] = 7.0;
        let sparse = [f32::NAN, f32::NAN, -3.0, f32::NAN, 18.0, f32::NAN];
        let none = Columns::default();
        assert_eq!(kept(&[("a", &nearly), ("b", &sparse), ("c", grade)], &none, &answers), ["a", "b"]);
    }

    #[test]
    fn a_letter_is_known_by_its_position_and_an_order_gives_answers_away() {
        let none = Columns::default();
        let letters = ["B", "(a)", "D", "C", "A", "B"];
        let from_0: &[f32] = &[1.0, 0.0, 3.0, 2.0, 0.0, 1.0];
        let from_1: Vec<f32> = from_0.iter().map(|position| position + 1.0).collect();
        let topic: &[f32] = &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        assert_eq!(kept(&[("p", from_0), ("q", &from_1), ("topic", topic)], &none, &letters), ["p", "q"]);

        let answers: Vec<String> = (0..12).map(|row| (row * row * 7 % 31).to_string()).collect();
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let of = |rule: fn(f32) -> f32| -> Vec<f32> {
            answers.iter().map(|answer| rule(answer.parse().unwrap())).collect()
        };
        let (cents, log, mirror) = (of(|x| 100.0 * x + 3.0), of(|x| (x + 1.0).ln()), of(|x| -x));
        let digits = of(|x| if x < 10.0 { 1.0 } else { 2.0 });
        let index: Vec<f32> = (0..12).map(|row| row as f32).collect();
        let columns: [(&str, &[f32]); 5] =
            [("cents", &cents), ("log", &log), ("mirror", &mirror), ("digits", &digits), ("index", &index)];
        assert_eq!(kept(&columns, &none, &answers), ["cents", "log", "mirror"]);
    }

    #[test]
    fn numbers_are_found_however_they_are_written() {
        for (text, expected) in [
            ("42", Some(42.0)),
            (" 1,048 ", Some(1048.0)),
            ("\u{2212}7.5", Some(-7.5)),
            ("3/4", Some(0.75)),
            ("\\frac{3}{4}", Some(0.75)),
            ("$12.50", Some(12.5)),
            ("18 apples.", Some(18.0)),
            ("1e3", Some(1000.0)),
            ("x=4", Some(4.0)),
            ("(1, 2) and 3/0", None),
            ("7 or 8", None),
            ("elephant", None),
            ("", None),
        ] {
            assert_eq!(number(text), expected, "{text:?}");
        }
    }
}
