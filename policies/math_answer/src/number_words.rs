//! Numbers in words: "twenty-four", "one hundred", "two thirds", 十二, 四分之三.

use crate::expr::Expr;
use crate::rational::{self, Rational};

const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
/// The parts of a whole, by their number from three on.
const PARTS: [&str; 10] =
    ["third", "quarter", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"];
/// More words than these are no number.
const MAX_WORDS: usize = 12;
/// Bytes of an answer that is a number in words, and words of its unit.
const MAX_LENGTH: usize = 120;
const MAX_UNIT: usize = 2;

/// A whole number by its name.
pub(crate) fn number(words: &str) -> Option<i64> {
    let spaced = words.replace('-', " ");
    let mut words = spaced.split_whitespace().filter(|word| *word != "and").peekable();
    words.peek()?;
    let (mut total, mut part): (i64, i64) = (0, 0);
    // What the next word may add: less than this.
    let mut room = i64::MAX;
    let mut is_first = true;
    for (count, word) in words.enumerate() {
        if count > MAX_WORDS {
            return None;
        }
        let value = |names: &[&str]| {
            names.iter().position(|name| *name == word).and_then(|at| i64::try_from(at).ok())
        };
        if let Some(unit) = value(&UNITS) {
            let is_open = is_first
                || (part % 100 == 0 || (unit < 10 && unit > 0 && part % 10 == 0 && part % 100 >= 20));
            if !is_open {
                return None;
            }
            part += unit;
        } else if let Some(ten) = value(&TENS) {
            if part % 100 != 0 {
                return None;
            }
            part += 10 * (ten + 2);
        } else if word == "hundred" {
            if !(0..10).contains(&part) {
                return None;
            }
            part = part.max(1) * 100;
        } else {
            let scale = match word {
                "thousand" => 1_000,
                "million" => 1_000_000,
                "billion" => 1_000_000_000,
                _ => return None,
            };
            if scale >= room || (part == 0 && !is_first) {
                return None;
            }
            total += part.max(1) * scale;
            (part, room) = (0, scale);
        }
        is_first = false;
    }
    Some(total + part)
}

/// A text that begins with a whole number by its name, with its digits: "forty-nine", "twenty-eight ways", "minus five".
pub(crate) fn in_digits(text: &str) -> Option<String> {
    let bare = text.trim_matches(['$', '*', ' ', '.', '!', '\n']);
    let bare = bare.strip_prefix("\\text{").and_then(|text| text.strip_suffix('}')).unwrap_or(bare);
    let is_in_words = |char: char| char.is_ascii_alphabetic() || char == '-' || char == ' ';
    if bare.len() > MAX_LENGTH || !bare.chars().all(is_in_words) {
        return None;
    }
    let lower = bare.to_ascii_lowercase();
    let negative = ["negative ", "minus "].iter().find_map(|sign| lower.strip_prefix(sign));
    let words: Vec<&str> = negative.unwrap_or(&lower).split_whitespace().collect();
    let length = (1..=words.len().min(MAX_WORDS))
        .rev()
        .find(|length| words[length - 1] != "and" && number(&words[..*length].join(" ")).is_some())?;
    let rest = &words[length..];
    // "Two thirds" and "seven or more" are something else.
    let is_part = |word: &&str| {
        let singular = word.strip_suffix('s').unwrap_or(word);
        let is_ordinal = singular.ends_with("th") || PARTS.contains(&singular);
        is_ordinal || matches!(singular, "half" | "halve" | "to" | "or" | "and" | "of" | "than" | "is" | "if")
    };
    if rest.len() > MAX_UNIT || rest.iter().any(is_part) {
        return None;
    }
    let sign = if negative.is_some() { "-" } else { "" };
    let digits = format!("{sign}{}", number(&words[..length].join(" "))?);
    Some(if rest.is_empty() { digits } else { format!("{digits} \\text{{ {}}}", rest.join(" ")) })
}

/// A number or a fraction in words.
pub(crate) fn value(words: &str) -> Option<Rational> {
    if let Some(number) = number(words) {
        return Some(rational::integer(number));
    }
    let spaced = words.replace('-', " ");
    if let Some((above, below)) = spaced.rsplit_once(' ') {
        let singular = below.strip_suffix('s').unwrap_or(below);
        let part = match singular {
            "half" | "halve" => Some(2),
            _ => PARTS.iter().position(|part| *part == singular).and_then(|at| i64::try_from(at + 3).ok()),
        };
        let above = if above == "a" || above == "an" { Some(1) } else { number(above) };
        if let (Some(above), Some(below)) = (above, part) {
            return Some(rational::fraction(above, below));
        }
    }
    chinese_value(words)
}

/// 四分之三, 百分之二十五 or a whole number.
fn chinese_value(words: &str) -> Option<Rational> {
    let Some((below, above)) = words.split_once("分之") else {
        return chinese(words).map(rational::integer);
    };
    let below = chinese(below).filter(|below| *below > 0)?;
    Some(rational::fraction(chinese(above)?, below))
}

/// A whole number in Chinese numerals.
fn chinese(text: &str) -> Option<i64> {
    const DIGITS: &str = "零一二三四五六七八九";
    let (mut total, mut section, mut digit) = (0_i64, 0_i64, None);
    if text.is_empty() || text.chars().count() > MAX_WORDS {
        return None;
    }
    for char in text.chars() {
        let char = if char == '两' { '二' } else { char };
        if let Some(at) = DIGITS.chars().position(|other| other == char) {
            // Digits one by one are no number of this kind.
            if digit.is_some_and(|digit| digit != 0) {
                return None;
            }
            digit = i64::try_from(at).ok();
            continue;
        }
        let place = match char {
            '十' => 10,
            '百' => 100,
            '千' => 1_000,
            '万' | '萬' => 10_000,
            '亿' | '億' => 100_000_000,
            _ => return None,
        };
        if place < 10_000 {
            section = section.checked_add(digit.unwrap_or(1) * place)?;
        } else {
            section += digit.unwrap_or(0);
            total = total.checked_add(section.max(1).checked_mul(place)?)?;
            section = 0;
        }
        digit = None;
    }
    Some(total + section + digit.unwrap_or(0))
}

/// A number in words as an answer.
pub(crate) fn answer(words: &str) -> Option<Expr> {
    let value = value(words)?;
    Some(if value.is_integer() {
        Expr::Number(value)
    } else {
        let number = |part: &num_bigint::BigInt| Expr::Number(Rational::from_integer(part.clone()));
        Expr::Product(vec![number(value.numer()), number(value.denom()).reciprocal()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names() {
        for (words, expected) in [
            ("seven", 7),
            ("twenty", 20),
            ("twenty-four", 24),
            ("one hundred", 100),
            ("one hundred and five", 105),
            ("two thousand three hundred forty-one", 2341),
            ("one million", 1_000_000),
            ("nineteen", 19),
        ] {
            assert_eq!(number(words), Some(expected), "{words}");
        }
        for words in ["twenty twelve", "two three", "apples", "", "and", "four twenty", "hundredth"] {
            assert_eq!(number(words), None, "{words}");
        }
        for (text, digits) in [
            ("twenty-one", Some("21")),
            ("**Ten** ways", None),
            ("ten ways", Some("10 \\text{ ways}")),
            ("one hundred and five", Some("105")),
            ("minus five", Some("-5")),
            ("two thirds", None),
            ("seven or more", None),
            ("five hundredths", None),
            ("x", None),
            ("the seven", None),
        ] {
            assert_eq!(in_digits(text).as_deref(), digits, "{text}");
        }
        assert_eq!(value("two thirds"), Some(rational::fraction(2, 3)));
        assert_eq!(value("one-sixth"), Some(rational::fraction(1, 6)));
        assert_eq!(value("十二"), Some(rational::integer(12)));
        assert_eq!(value("三百零五"), Some(rational::integer(305)));
        assert_eq!(value("三万"), Some(rational::integer(30_000)));
        assert_eq!(value("四分之三"), Some(rational::fraction(3, 4)));
        assert_eq!(value("百分之二十五"), Some(rational::fraction(1, 4)));
        assert_eq!(value("甲"), None);
    }
}
