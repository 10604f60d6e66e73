//! Words beside a value that make another value of it: "the square root of 2", "5 squared", "not 7", "at least 100".

use exgrpo_guest_sdk::response::is_denial;

use crate::expr::{Expr, Function};
use crate::rational;
use crate::words;

/// What makes another value of the one behind it, which no rule here works out.
const OPERATORS: [&str; 36] = [
    "root of",
    "square of",
    "cube of",
    "reciprocal of",
    "inverse of",
    "factorial of",
    "logarithm of",
    "log of",
    "sine of",
    "cosine of",
    "tangent of",
    "power of",
    "powers of",
    "multiple of",
    "multiples of",
    "divisor of",
    "divisors of",
    "factor of",
    "factors of",
    "fraction of",
    "quarter of",
    "third of",
    "thirds of",
    "quarters of",
    "percent of",
    "% of",
    "\\% of",
    "modulo",
    "log base",
    "times",
    "plus",
    "instead of",
    "rather than",
    "except",
    "except for",
    "other than",
];
/// What makes another value of the one before it.
const BEHIND: [&str; 22] = [
    "squared",
    "cubed",
    "factorial",
    "times",
    "plus",
    "minus",
    "divided by",
    "multiplied by",
    "over",
    "to the power",
    "or more",
    "or less",
    "or fewer",
    "or greater",
    "or higher",
    "or lower",
    "or larger",
    "or smaller",
    "or so",
    "and a half",
    "raised to",
    "is wrong",
];
/// Words that may stand between a denial and what is denied.
const ADVERBS: [&str; 22] = [
    "definitely",
    "actually",
    "certainly",
    "clearly",
    "obviously",
    "probably",
    "simply",
    "surely",
    "indeed",
    "really",
    "of course",
    "likely",
    "therefore",
    "thus",
    "then",
    "just",
    "hence",
    "also",
    "most",
    "in fact",
    "equal to",
    "necessarily",
];
/// Denials that may answer a question before them, so that a sentence that begins with one may tell a value: "No, it is 5".
const ANSWERING: [&str; 8] = ["no", "non", "não", "nie", "ne", "nor", "pas", "не"];
/// Verbs behind a denial: "n'est pas égal à", "no es", "ist nicht".
const VERBS: [&str; 38] = [
    "puede",
    "pueden",
    "ser",
    "puo",
    "può",
    "essere",
    "pode",
    "kann",
    "peut",
    "может",
    "быть",
    "egal",
    "be",
    "equal",
    "to",
    "is",
    "are",
    "have",
    "been",
    "possibly",
    "es",
    "son",
    "é",
    "são",
    "è",
    "sono",
    "igual",
    "a",
    "égal",
    "à",
    "gleich",
    "uguale",
    "ist",
    "равен",
    "равна",
    "равно",
    "est",
    "être",
];

/// Verbs that are denied, in writings without spaces.
pub(crate) const UNSPACED_DENIALS: [&str; 10] =
    ["不是", "不为", "非", "並非", "不等于", "不可能是", "不可能为", "不会是", "不应是", "不应该是"];

/// Whether a text begins with a denial, whatever marks or adverbs come first: "not 7", "**not** 7", "definitely not 7".
pub(crate) fn begins_with_denial(text: &str) -> bool {
    let start: String = text.chars().take(80).collect::<String>().to_lowercase();
    let bare: String = start
        .chars()
        .map(|char| if matches!(char, '*' | '_' | '`' | '"') { ' ' } else { char })
        .collect::<String>();
    let mut rest = bare.trim_start_matches([' ', '(', ',', ':', '\n']);
    while let Some(behind) = ADVERBS.iter().find_map(|adverb| without_word(rest, adverb)) {
        rest = behind.trim_start_matches([' ', ',']);
    }
    let word = rest.split(|char: char| !(char.is_alphabetic() || matches!(char, '\'' | '’'))).next();
    word.is_some_and(|word| is_denial(word) && !ANSWERING.contains(&word))
        || without_word(rest, "no longer").is_some()
        || ["不是", "并非", "不为", "no es ", "não é ", "n'est pas", "non è ", "не "]
            .iter()
            .any(|denial| rest.starts_with(denial))
}

fn without_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(word)?;
    (!rest.starts_with(char::is_alphanumeric)).then_some(rest)
}

/// Whether the words that end directly before a verb or a value deny it: "the answer cannot be", "it isn't".
pub(crate) fn ends_in_denial(before: &str) -> bool {
    let lower = last_words(before, 4);
    let mut words: Vec<&str> = lower.split(' ').collect();
    // "cannot be", "isn't equal to", "is not actually"
    while words.last().is_some_and(|word| VERBS.contains(word) || ADVERBS.contains(word)) {
        words.pop();
    }
    words.last().is_some_and(|word| {
        is_denial(word) && !matches!(*word, "nor" | "nie")
            || UNSPACED_DENIALS.iter().any(|denial| word.ends_with(denial))
    })
}

/// Whether the words before a value, or those behind it, make it a bound or another value.
pub(crate) fn alter(before: &str, behind: &str) -> bool {
    alters_what_follows(before) || alters_what_precedes(behind)
}

fn alters_what_follows(before: &str) -> bool {
    let words = last_words(before, 5);
    words::is_bound(&words) || operator(&words).is_some() || ends_in_denial(before)
}

fn alters_what_precedes(behind: &str) -> bool {
    let start: String = behind.chars().take(24).collect::<String>().to_lowercase();
    let start = start.trim_start_matches(['*', '$', ' ', ')', '_', '\\']);
    BEHIND.iter().any(|word| without_word(start, word).is_some())
        || ["percent of ", "% of "].iter().any(|share| {
            start
                .strip_prefix(share)
                .is_some_and(|whole| whole.starts_with(|char: char| char.is_ascii_digit() || char == '$'))
        })
        || ["以上", "以下", "이상", "이하"].iter().any(|word| start.starts_with(word))
}

/// The last words of the clause that a text ends in, in small letters and without marks.
pub(crate) fn last_words(text: &str, count: usize) -> String {
    let from = text.char_indices().rev().nth(100).map_or(0, |(at, _)| at);
    let clause = text[from..].trim_end_matches(['$', '\\', '-', '−', '*', '(', ' ', '[', ':', '_']);
    let clause = clause.rsplit([',', ';', ':', '.', '\n', '!', '?']).next().unwrap_or_default();
    let bare: String = clause
        .chars()
        .map(|char| match char {
            '*' | '_' | '`' | '$' | '(' | ')' | '"' => ' ',
            '’' => '\'',
            char => char,
        })
        .collect();
    let mut words: Vec<&str> = bare.split_whitespace().rev().take(count).collect();
    words.reverse();
    words.join(" ").to_lowercase()
}

/// What words at the end of a phrase do to the value behind them.
pub(crate) enum Operator {
    SquareRoot,
    CubeRoot,
    /// So many times the value: a numerator and a denominator.
    Times(i64, i64),
    /// Something that is not worked out here.
    Other,
}

/// The operator that words before a value are.
pub(crate) fn operator(words: &str) -> Option<Operator> {
    let ends =
        |end: &str| words.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with([' ', '-']));
    let any = |names: &[&str]| names.iter().any(|name| ends(name));
    Some(if ends("square root of") {
        Operator::SquareRoot
    } else if ends("cube root of") || ends("cubic root of") {
        Operator::CubeRoot
    } else if any(&["half of", "half"]) && !any(&["a half", "and half"]) {
        Operator::Times(1, 2)
    } else if any(&["twice", "double", "two times"]) {
        Operator::Times(2, 1)
    } else if any(&["triple", "thrice", "three times"]) {
        Operator::Times(3, 1)
    } else if OPERATORS.iter().any(|name| ends(name)) {
        Operator::Other
    } else {
        return None;
    })
}

impl Operator {
    /// The value that it makes; `None` where that isn't known.
    pub(crate) fn applied(&self, value: Expr) -> Option<Expr> {
        Some(match self {
            Self::SquareRoot => {
                Expr::Power(Box::new(value), Box::new(Expr::Number(rational::fraction(1, 2))))
            }
            Self::CubeRoot => Expr::Power(Box::new(value), Box::new(Expr::Number(rational::fraction(1, 3)))),
            Self::Times(above, below) => {
                Expr::Product(vec![Expr::Number(rational::fraction(*above, *below)), value])
            }
            Self::Other => return None,
        })
    }
}

/// What the first word behind a value makes of it, and the words that are left: "5 squared", "3 factorial".
pub(crate) fn powered(value: &Expr, words: &str) -> Option<(Expr, String)> {
    let (first, rest) = words.split_once(' ').unwrap_or((words, ""));
    let power = |exponent: i64| {
        Expr::Power(Box::new(value.clone()), Box::new(Expr::Number(rational::integer(exponent))))
    };
    let made = match first {
        "squared" => power(2),
        "cubed" => power(3),
        "factorial" => Expr::Call(Function::Factorial, vec![value.clone()]),
        _ => return None,
    };
    Some((made, rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_show_through_marks_and_adverbs() {
        for text in ["not 7", "**not** 7", "definitely not 7", "actually, *not* $7$", "never 7"] {
            assert!(begins_with_denial(text), "{text}");
        }
        for text in ["7", "nothing", "notably 7", "actually 7"] {
            assert!(!begins_with_denial(text), "{text}");
        }
        for text in ["the answer can't be ", "it is not ", "it isn't actually ", "x cannot equal "] {
            assert!(ends_in_denial(text), "{text}");
        }
        assert!(!ends_in_denial("if it is not odd, it is "));
    }

    #[test]
    fn words_beside_a_value_may_alter_it() {
        for (before, behind) in [
            ("it is at least ", ""),
            ("the square root of ", ""),
            ("", " squared"),
            ("", "$ times the radius"),
            ("half of $", ""),
            ("is 3 plus ", ""),
        ] {
            assert!(alter(before, behind), "{before} {behind}");
        }
        for (before, behind) in
            [("a total of ", " apples"), ("the answer is ", " timesheets"), ("one and a half, ", "")]
        {
            assert!(!alter(before, behind), "{before} {behind}");
        }
    }
}
