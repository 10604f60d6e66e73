//! Numbers of a text, and their values.

use exgrpo_guest_sdk::response::is_unspaced;

/// Words that multiply the number before them, with the zeros that they add.
const SCALES: [(&str, usize); 4] = [("hundred", 2), ("thousand", 3), ("million", 6), ("billion", 9)];
/// What may group the digits of a number by threes; spaces of any width are among them.
const SEPARATORS: [char; 6] = [',', ' ', '\u{a0}', '\u{202f}', '\u{2009}', '\''];
/// Names of currencies that may touch their amount.
const CURRENCIES: [&str; 9] = ["Rs", "rs", "USD", "US", "EUR", "GBP", "INR", "CAD", "AUD"];
/// Bytes before a number in which words about it stand.
const MAX_WORDS: usize = 24;

/// "3 + 4 = 7" ends in what it comes to.
pub(crate) fn result_of(text: &str) -> &str {
    text.rsplit_once('=').map_or(text, |(_, result)| result)
}

pub(crate) fn only(mut numbers: Vec<Number>) -> Option<Number> {
    let last = numbers.pop()?;
    numbers.is_empty().then_some(last)
}

/// The first number of a text, unless a sign or nothing at all joins a second one to it: `5 - 3`, `5 3`, `5 or 3`.
pub(crate) fn single(text: &str) -> Option<Number> {
    let mut found = numbers(text).into_iter();
    let first = found.next()?;
    let rest = text.get(first.end..)?.trim_start_matches([' ', '$', '*']);
    if rest
        .strip_prefix(['x', 'X'])
        .is_some_and(|rest| rest.trim_start().starts_with(|char: char| char.is_ascii_digit()))
    {
        return None;
    }
    let Some(second) = found.next() else { return Some(first) };
    let between = text.get(first.end..second.start)?;
    let is_mark = |char: char| char.is_whitespace() || "$*\\".contains(char);
    let bare = between.trim_matches(is_mark);
    // "8 (5 + 3)" says how it was found, "5 (or 3)" doesn't say what it is.
    let bare = match bare.strip_prefix('(') {
        Some("") => return Some(first),
        Some(inner) => inner.trim_matches(is_mark),
        None => bare,
    };
    let is_joined = matches!(bare, "or" | "and" | "to" | "times" | "cdot" | "或" | "和")
        || bare.chars().all(|char| "+-−–±/×÷·^,;:&x".contains(char));
    (!is_joined).then_some(first)
}

/// A decimal of any length: its sign, and its digits without zeros that don't count.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    is_negative: bool,
    whole: String,
    decimals: String,
    /// Where its digits begin and end in its text, in bytes.
    start: usize,
    end: usize,
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        (self.is_negative, &self.whole, &self.decimals) == (other.is_negative, &other.whole, &other.decimals)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        let point = if self.decimals.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{}", self.decimals)
    }
}

impl Number {
    /// What stands right before the number in its text.
    pub(crate) fn words_before<'a>(&self, text: &'a str) -> &'a str {
        let mut from = self.start.saturating_sub(MAX_WORDS);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text.get(from..self.start).unwrap_or_default()
    }
}

/// All numbers of a text, in order. Digits that belong to a name (`x2`) or to a fraction (`72/3`) are none.
pub(crate) fn numbers(text: &str) -> Vec<Number> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let scanner = Scanner { text, chars };
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
            at += 1;
            while let Some(digit) = self.peek(at).filter(char::is_ascii_digit) {
                decimals.push(digit);
                at += 1;
            }
        }
        let shift = self.scale(at);
        while decimals.len() < shift {
            decimals.push('0');
        }
        whole.extend(decimals.drain(..shift));
        let in_name = self.is_in_name(start);
        let in_fraction = (self.peek(at) == Some('/') && self.is_digit(at + 1))
            || (start > 1 && self.before(start) == Some('/') && self.is_digit(start - 2));
        let number = Number {
            is_negative: self.is_negative(start) && !(is_zero(&whole) && is_zero(&decimals)),
            whole: whole.trim_start_matches('0').to_owned(),
            decimals: decimals.trim_end_matches('0').to_owned(),
            start: self.offset(start),
            end: self.offset(at),
        };
        ((!in_name && !in_fraction).then_some(number), at)
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
        (groups && (1..=3).contains(&before)).then_some((sign, width))
    }

    /// Zeros that a word behind a number adds to it: 6 for " million".
    fn scale(&self, at: usize) -> usize {
        if self.peek(at) != Some(' ') {
            return 0;
        }
        let rest = self.chars[at..].iter().map(|(_, char)| *char).skip_while(|char| *char == ' ');
        let word: String = rest.take_while(|char| char.is_alphabetic()).take(10).collect();
        SCALES.iter().find(|(name, _)| *name == word).map_or(0, |(_, zeros)| *zeros)
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

fn is_zero(digits: &str) -> bool {
    digits.bytes().all(|digit| digit == b'0')
}
