//! Numbers of a text, in order.

use exgrpo_guest_sdk::response::{Scale, is_unspaced, scale};

use crate::currencies::{CURRENCIES, EUROS};
use crate::value::Value;

/// What may group the digits of a number by threes; spaces of any width are among them.
const SEPARATORS: [char; 6] = [',', ' ', '\u{a0}', '\u{202f}', '\u{2009}', '\''];
/// Letters of a word that may be a scale, and one more.
const MAX_WORD: usize = 12;

/// Scales behind one another: "2 hundred thousand million".
const MAX_SCALES: usize = 3;

/// A number of a text.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    is_negative: bool,
    /// `None` for a number that is part of something else: `5^2`, `√5`, `5:30`, `24/3`.
    value: Option<Value>,
    /// Whether it is a place in an order: "5th".
    pub(crate) is_ordinal: bool,
    /// Where its digits begin and where it ends in its text, in bytes.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.is_readable() && (self.is_negative, &self.value) == (other.is_negative, &other.value)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        self.value.as_ref().map_or(Ok(()), |value| write!(f, "{sign}{value}"))
    }
}

impl Number {
    pub(crate) fn is_readable(&self) -> bool {
        self.value.is_some()
    }
}

/// All numbers of a text, in order. Digits that belong to a name (`x2`), a unit (`cm^2`) or a date (`3/4/2020`) are none.
/// The scale that a question asks for is a unit: 2 of "how many dozen" are "2 dozen".
pub(crate) fn numbers(text: &str, asked: Option<Scale>) -> Vec<Number> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let scanner = Scanner { text, chars, asked };
    let mut found = Vec::new();
    let mut at = 0;
    while at < scanner.chars.len() {
        if scanner.begins(at) {
            let (number, end) = scanner.number(at);
            found.extend(number);
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// A text character by character.
struct Scanner<'a> {
    text: &'a str,
    /// Each with where it begins, in bytes.
    chars: Vec<(usize, char)>,
    /// The scale that counts as a unit.
    asked: Option<Scale>,
}

impl Scanner<'_> {
    fn peek(&self, at: usize) -> Option<char> {
        self.chars.get(at).map(|(_, char)| *char)
    }

    fn is_digit(&self, at: usize) -> bool {
        self.peek(at).is_some_and(|char| char.is_ascii_digit())
    }

    fn before(&self, at: usize) -> Option<char> {
        at.checked_sub(1).and_then(|at| self.peek(at))
    }

    /// A digit, or a point with one behind it that ends no abbreviation: `.5`, but not that of `Rs.10`.
    fn begins(&self, at: usize) -> bool {
        let is_point = self.peek(at) == Some('.') && self.is_digit(at + 1);
        self.is_digit(at) || (is_point && !self.before(at).is_some_and(char::is_alphanumeric))
    }

    /// The number that begins here, if it is no part of something else, and where it ends.
    fn number(&self, start: usize) -> (Option<Number>, usize) {
        let mut at = start;
        let (mut whole, mut decimals) = (String::new(), String::new());
        let mut separator = None;
        loop {
            if let Some(digit) = self.peek(at).filter(char::is_ascii_digit) {
                whole.push(digit);
                at += 1;
            } else if let Some((sign, width)) = self.separator(start, at)
                && separator.is_none_or(|other| other == sign)
            {
                separator = Some(sign);
                at += width;
            } else {
                break;
            }
        }
        if self.peek(at) == Some('.') && self.is_digit(at + 1) {
            (decimals, at) = self.digits(at + 1);
            // "1.234,56", "1.234.567" and "1.105 Euro" have points between their groups.
            while decimals.len() == 3
                && separator.is_none()
                && (1..=3).contains(&whole.len())
                && self.is_grouped(start, at)
            {
                whole.push_str(&decimals);
                separator = Some('.');
                decimals.clear();
                while let (Some('.'), (group, end)) = (self.peek(at), self.digits(at + 1))
                    && group.len() == 3
                {
                    whole.push_str(&group);
                    at = end;
                }
            }
        }
        // A comma that groups no digits is decimal: "11,05", but not "1,2,3".
        if decimals.is_empty()
            && self.peek(at) == Some(',')
            && separator.is_none_or(|sign| sign != ',')
            && let (digits, end) = self.digits(at + 1)
            && !digits.is_empty()
            && !(self.peek(end) == Some(',') && self.is_digit(end + 1))
            && self.before(start) != Some(',')
        {
            (decimals, at) = (digits, end);
        }
        let in_name = self.is_in_name(start);
        let mut value = Some(Value::decimal(&whole, &decimals));
        // A date, or a quotient that is left to work out.
        let mut is_other = false;
        if let Some((below, end)) = self.denominator(at) {
            is_other = self.is_sign_between_digits(end, '/');
            let above = value.as_ref().and_then(Value::whole);
            value = above.and_then(|above| Value::fraction(above, below)).filter(|value| !value.is_whole());
            at = end;
            while is_other && (self.is_digit(at) || self.peek(at) == Some('/')) {
                at += 1;
            }
        } else if self.is_sign_between_digits(at, '/') {
            // Too long to compute with.
            value = None;
        } else if let Some((above, below, end)) = self.fraction_behind(at) {
            value = value.and_then(|value| value.and(above, below));
            at = end;
        }
        let digits_end = at;
        for _ in 0..MAX_SCALES {
            let Some((scale, end)) = self.scale(at) else { break };
            if self.asked != Some(scale) {
                value = value.and_then(|value| value.scaled(scale));
            }
            at = end;
        }
        if self.is_part(start, digits_end) {
            value = None;
        }
        let is_zero = value.as_ref().is_some_and(Value::is_zero);
        let number = Number {
            is_negative: self.is_negative(start) && !is_zero,
            value,
            is_ordinal: self.is_ordinal(digits_end),
            start: self.offset(start),
            end: self.offset(at),
        };
        let is_exponent_of_unit = self.is_exponent(start) && !self.is_power_of_number(start);
        ((!in_name && !is_other && !is_exponent_of_unit).then_some(number), at)
    }

    /// The digits from `at` on, and where they end.
    fn digits(&self, at: usize) -> (String, usize) {
        let digits: String = (at..).map_while(|at| self.peek(at).filter(char::is_ascii_digit)).collect();
        let end = at + digits.len();
        (digits, end)
    }

    /// Whether what follows three digits behind a point shows that it grouped them: a comma, another group, or a currency
    /// of countries that write decimal commas.
    fn is_grouped(&self, begin: usize, at: usize) -> bool {
        let next = self.peek(at);
        let is_joined = matches!(next, Some(',' | '.')) && self.is_digit(at + 1);
        let start = at + usize::from(next == Some(' '));
        let word: String = (start..)
            .map_while(|at| self.peek(at))
            .take_while(|char| char.is_alphabetic() || *char == '€')
            .take(MAX_WORD)
            .collect();
        let is_price = self.before(begin) == Some('€');
        is_joined || is_price || EUROS.contains(&word.to_lowercase().as_str())
    }

    /// The whole number from `at` on, if it is short, and where it ends.
    fn short_whole(&self, at: usize) -> Option<(u64, usize)> {
        let mut value = 0_u64;
        let mut end = at;
        while let Some(digit) = self.peek(end).and_then(|char| char.to_digit(10)) {
            value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
            end += 1;
        }
        (end > at).then_some((value, end))
    }

    /// What the number that ends at `at` is divided by.
    fn denominator(&self, at: usize) -> Option<(u64, usize)> {
        (self.peek(at) == Some('/')).then(|| self.short_whole(at + 1)).flatten()
    }

    /// The fraction that makes a mixed number of the one that ends at `at`: "5 1/2", "5 and a half".
    fn fraction_behind(&self, at: usize) -> Option<(u64, u64, usize)> {
        if self.peek(at) != Some(' ') {
            return None;
        }
        for (words, above, below) in
            [(" and a half", 1, 2), (" and a quarter", 1, 4), (" and three quarters", 3, 4)]
        {
            let length = words.chars().count();
            if words.chars().enumerate().all(|(index, char)| self.peek(at + index) == Some(char))
                && !self.peek(at + length).is_some_and(char::is_alphabetic)
            {
                return Some((above, below, at + length));
            }
        }
        let (above, slash) = self.short_whole(at + 1)?;
        let (below, end) = self.denominator(slash)?;
        (above < below && self.peek(end) != Some('/')).then_some((above, below, end))
    }

    /// Whether a number is only part of a power, a root, a time or a ratio.
    fn is_part(&self, start: usize, end: usize) -> bool {
        let is_power = match self.peek(end) {
            Some('^') => {
                let skip = usize::from(self.peek(end + 1) == Some('{'));
                self.peek(end + 1 + skip).is_some_and(|char| char.is_alphanumeric() || char == '-')
            }
            // 1.5e3
            Some('e' | 'E') => {
                self.peek(end + 1).is_some_and(|char| char.is_ascii_digit() || "+-".contains(char))
            }
            Some(char) => "²³⁴⁵⁶⁷⁸⁹¹⁰⁻".contains(char),
            None => false,
        };
        let before = |back: usize| start.checked_sub(back).and_then(|at| self.peek(at));
        let is_braced = matches!(before(1), Some('{' | '(' | ' '));
        let root_end = start - usize::from(is_braced);
        let is_root = self.before(root_end).is_some_and(|char| matches!(char, '√' | '∛'))
            || (root_end >= 4
                && "sqrt".chars().enumerate().all(|(at, char)| self.peek(root_end - 4 + at) == Some(char)));
        let is_ratio = self.is_sign_between_digits(end, ':')
            || (before(1) == Some(':') && before(2).is_some_and(|char| char.is_ascii_digit()));
        is_power || is_root || is_ratio || self.is_exponent(start)
    }

    fn is_sign_between_digits(&self, at: usize, sign: char) -> bool {
        self.peek(at) == Some(sign) && self.is_digit(at + 1)
    }

    fn is_exponent(&self, start: usize) -> bool {
        let sign = start - usize::from(self.before(start) == Some('-'));
        let brace = sign - usize::from(self.before(sign) == Some('{'));
        self.before(brace) == Some('^')
    }

    /// Whether a number or brackets are the base of the exponent at `start`, and not the letters of a unit.
    fn is_power_of_number(&self, start: usize) -> bool {
        let mut at = start;
        while self.before(at).is_some_and(|char| "-{^}".contains(char)) && start - at < 5 {
            at -= 1;
        }
        self.before(at).is_none_or(|char| !char.is_alphabetic())
    }

    fn is_ordinal(&self, end: usize) -> bool {
        let letters: String =
            (end..end + 3).map_while(|at| self.peek(at)).take_while(|char| char.is_alphabetic()).collect();
        matches!(letters.as_str(), "st" | "nd" | "rd" | "th")
    }

    /// Whether letters touch the number, other than those of a currency.
    fn is_in_name(&self, start: usize) -> bool {
        let letters = (0..start).rev().take(4).take_while(|at| {
            self.peek(*at).is_some_and(|char| char == '_' || char.is_alphabetic() && !is_unspaced(char))
        });
        let mut name: Vec<char> = letters.filter_map(|at| self.peek(at)).collect();
        name.reverse();
        let name: String = name.into_iter().collect();
        !name.is_empty() && !CURRENCIES.contains(&name.as_str())
    }

    fn offset(&self, at: usize) -> usize {
        self.chars.get(at).map_or(self.text.len(), |(offset, _)| *offset)
    }

    /// The sign that groups the digits of a number that began at `start`, and its width: three digits follow it, and then no
    /// more. LaTeX has ways to keep a comma from being followed by a space.
    fn separator(&self, start: usize, at: usize) -> Option<(char, usize)> {
        let starts_with =
            |sign: &str| sign.chars().enumerate().all(|(index, char)| self.peek(at + index) == Some(char));
        let (sign, width) = [("{,}", ','), (",\\!", ','), ("\\,", ' ')]
            .into_iter()
            .find(|(spelled, _)| starts_with(spelled))
            .map(|(spelled, sign)| (sign, spelled.len()))
            .or_else(|| self.peek(at).filter(|char| SEPARATORS.contains(char)).map(|char| (char, 1)))?;
        let groups = (0..3).all(|ahead| self.is_digit(at + width + ahead)) && !self.is_digit(at + width + 3);
        let before = (start..at).rev().take(4).take_while(|at| self.is_digit(*at)).count();
        // "0,125" is no group.
        let is_zero = before == 1 && at == start + 1 && self.peek(start) == Some('0');
        (groups && !is_zero && (1..=3).contains(&before)).then_some((sign, width))
    }

    /// The scale behind a number and where it ends: " Million", "$ million", "-million", "k", "万".
    fn scale(&self, at: usize) -> Option<(Scale, usize)> {
        let mut start = at;
        while self.peek(start).is_some_and(|char| " $*_\\{)-\u{a0}".contains(char)) && start - at < 6 {
            start += 1;
        }
        if "text".chars().enumerate().all(|(index, char)| self.peek(start + index) == Some(char))
            && start > at
        {
            start += 4;
            while self.peek(start).is_some_and(|char| matches!(char, '{' | ' ')) && start - at < 12 {
                start += 1;
            }
        }
        let first = self.peek(start)?;
        let is_in_word = |char: &char| char.is_alphabetic() && !is_unspaced(*char);
        // 千米 and 千克 are kilometres and kilograms.
        let is_prefix = |next: char| "米克瓦卡焦伏赫帕升字安牛公".contains(next);
        if matches!(first, '千' | '百') && self.peek(start + 1).is_some_and(is_prefix) {
            return None;
        }
        let word: String = if is_unspaced(first) {
            first.to_string()
        } else {
            (start..).map_while(|at| self.peek(at)).take_while(is_in_word).take(MAX_WORD).collect()
        };
        // "5 M" may be a unit.
        let is_touching = !(at..start).any(|at| matches!(self.peek(at), Some(' ' | '-' | ')')));
        let length = word.chars().count();
        if length == 1 && !is_touching || self.is_digit(start + length) {
            return None;
        }
        // What follows a bracket or a subtraction is no scale of the number.
        let is_far = (at..start).any(|at| self.peek(at) == Some(')'));
        scale(&word).filter(|_| !is_far).map(|scale| (scale, start + length))
    }

    fn is_word_before(&self, end: usize, word: &str) -> bool {
        let start = end.checked_sub(word.len());
        start.is_some_and(|start| {
            let is_char = |(at, char): (usize, char)| {
                self.peek(start + at).is_some_and(|other| other.eq_ignore_ascii_case(&char))
            };
            word.chars().enumerate().all(is_char) && !self.before(start).is_some_and(char::is_alphabetic)
        })
    }

    /// A minus sign before a number (or before its currency sign) is a sign unless it stands between two operands.
    fn is_negative(&self, start: usize) -> bool {
        let skip = |mut at: usize, signs: &[char]| {
            while self.before(at).is_some_and(|char| signs.contains(&char)) {
                at -= 1;
            }
            at
        };
        let sign = skip(start, &['$', '\\', '€', '£', ' ']);
        if self.is_word_before(sign, "negative") {
            return true;
        }
        // "5 minus 3" subtracts.
        if self.is_word_before(sign, "minus") {
            let operand = skip(sign - "minus".len(), &['$', '\\', ' ', '*', '%']);
            return !self.before(operand).is_some_and(|char| char.is_ascii_digit() || char == ')');
        }
        if !self.before(sign).is_some_and(|char| matches!(char, '-' | '−')) {
            return false;
        }
        let operand = skip(sign - 1, &[' ']);
        let is_spaced = operand < sign - 1;
        // "5 - 3" and "5-3" subtract, "is -3" does not.
        let Some(last) = self.before(operand) else { return true };
        let is_operand = (last.is_ascii_alphanumeric() && !is_unspaced(last)) || last == ')';
        let is_close = !(sign..start).any(|at| self.peek(at) == Some(' '));
        !is_operand || (is_spaced && is_close && last.is_alphabetic())
    }
}
