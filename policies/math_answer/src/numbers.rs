//! Numbers as people write them: thousands separators, decimal exponents, digits that repeat.

use crate::lexer::{Commas, Lexer, Token};

/// Spacing that may stand between groups of digits, the negative one behind a comma too.
const SPACES: [&str; 11] =
    ["\\,", "\\;", "\\:", "\\!", "\\ ", "{\\,}", "~", " ", "\u{a0}", "\u{202f}", "\u{2009}"];
/// What goes over the digits that repeat.
const BARS: [&str; 3] = ["\\overline", "\\bar", "\\dot"];
/// Digits that go on as they are shown.
const ELLIPSES: [&str; 5] = ["...", "…", "\\ldots", "\\dots", "\\cdots"];

impl Lexer {
    pub(crate) fn begins_number(&self) -> bool {
        self.is_digit(0) || (self.peek(0) == Some('.') && (self.is_digit(1) || self.bar(1).is_some()))
    }

    /// Digits, separators, a point, a repeating part and a decimal exponent.
    pub(crate) fn number(&mut self) {
        if let Some(digits) = self.digits_beyond_nine() {
            self.at += digits.len();
            return self.push(Token::Symbol(digits));
        }
        let mut text = String::new();
        self.digits(&mut text);
        if !text.starts_with('0') && (1..=3).contains(&text.len()) {
            while let Some(width) = self.separator() {
                self.at += width;
                self.digits(&mut text);
            }
        }
        if self.peek(0) == Some('.') {
            if self.is_digit(1) {
                text.push('.');
                self.at += 1;
                self.digits(&mut text);
                if self.repeats(&text, self.bar(0)) || self.goes_on(&text) {
                    return;
                }
            } else if self.repeats(&text, self.bar(1).or_else(|| self.period_in_brackets())) {
                return;
            }
        }
        if matches!(self.peek(0), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.peek(1), Some('+' | '-')));
            if self.is_digit(1 + sign) {
                text.push('e');
                text.extend((sign == 1).then(|| self.peek(1)).flatten());
                self.at += 1 + sign;
                self.digits(&mut text);
            }
        }
        self.push(Token::Number(text));
    }

    /// `2A3` in `2A3_{12}`.
    fn digits_beyond_nine(&self) -> Option<String> {
        let is_digit = |char: &&char| matches!(char, '0'..='9' | 'A'..='F');
        let length = self.chars[self.at..].iter().take_while(is_digit).count();
        let run = &self.chars[self.at..self.at + length];
        (self.peek(length) == Some('_') && run.iter().any(char::is_ascii_alphabetic))
            .then(|| run.iter().collect())
    }

    fn digits(&mut self, text: &mut String) {
        while let Some(char) = self.peek(0).filter(char::is_ascii_digit) {
            text.push(char);
            self.at += 1;
        }
    }

    /// Width of a thousands separator in front of exactly three digits: spacing, a comma in braces, or a comma with or without
    /// negative space. A plain comma separates items within brackets, and where the numbers around it don't all have three
    /// digits; a plain space separates items within brackets.
    fn separator(&self) -> Option<usize> {
        let comma = ["{,}", ","].into_iter().find(|comma| self.starts_with(comma));
        let mut width = comma.map_or(0, str::len);
        let mut spaces = Vec::new();
        while let Some(space) = SPACES.into_iter().find(|space| self.starts_with_at(width, space)) {
            width += space.chars().count();
            spaces.push(space);
        }
        let is_group = (0..3).all(|ahead| self.is_digit(width + ahead)) && !self.is_digit(width + 3);
        if !is_group {
            return None;
        }
        let in_list = matches!(self.opened.last(), Some('(' | '[' | 'S'));
        let groups = match comma {
            Some(",") if spaces.is_empty() => {
                !in_list && self.commas == Commas::Group && self.is_grouped_run()
            }
            Some(",") => spaces[0] == "\\!",
            Some(_) => spaces.iter().all(|space| *space == "\\!"),
            None if in_list => !spaces.is_empty() && !spaces.contains(&" "),
            None => !spaces.is_empty(),
        };
        groups.then_some(width)
    }

    /// Whether the digits and commas around this place are one number: up to three digits, then groups of three.
    fn is_grouped_run(&self) -> bool {
        let is_part = |char: &&char| char.is_ascii_digit() || **char == ',';
        let before = self.chars[..self.at].iter().rev().take_while(is_part).count();
        let after = self.chars[self.at..].iter().take_while(is_part).count();
        let run: String = self.chars[self.at - before..self.at + after].iter().collect();
        // A comma at the end belongs to the sentence.
        let mut groups = run.trim_end_matches(',').split(',');
        let first = groups.next().unwrap_or_default();
        (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3)
    }

    /// `\overline{36}` or `\bar3`: the digits, and where they end.
    fn bar(&self, ahead: usize) -> Option<(String, usize)> {
        let bar = BARS.into_iter().find(|bar| self.starts_with_at(ahead, bar))?;
        let mut at = self.at + ahead + bar.len();
        while self.chars.get(at) == Some(&' ') {
            at += 1;
        }
        let digits = |at: usize| -> String {
            self.chars[at..].iter().take_while(|char| char.is_ascii_digit()).collect()
        };
        if self.chars.get(at) != Some(&'{') {
            return digits(at.min(self.chars.len())).chars().next().map(|digit| (digit.into(), at + 1));
        }
        let period = digits(at + 1);
        let end = at + 1 + period.len();
        (!period.is_empty() && self.chars.get(end) == Some(&'}')).then_some((period, end + 1))
    }

    /// `0.(36)`: the digits, and where they end.
    fn period_in_brackets(&self) -> Option<(String, usize)> {
        let start = self.at + 2;
        let period: String =
            self.chars.get(start..)?.iter().take_while(|char| char.is_ascii_digit()).collect();
        let end = start + period.len();
        (self.peek(1) == Some('(') && !period.is_empty() && self.chars.get(end) == Some(&')'))
            .then_some((period, end + 1))
    }

    /// Reads past a repeating part behind the digits of `text`, if there is one.
    fn repeats(&mut self, text: &str, found: Option<(String, usize)>) -> bool {
        let Some((period, end)) = found else { return false };
        self.at = end;
        self.push_repeating(text, &period);
        true
    }

    /// `0.333...` and `0.1666\ldots`: what the digits shown repeat goes on for ever. It takes three of one digit, unless there are
    /// no others, or two of a longer part.
    fn goes_on(&mut self, text: &str) -> bool {
        let Some(ellipsis) = ELLIPSES.into_iter().find(|ellipsis| self.starts_with(ellipsis)) else {
            return false;
        };
        let shown = text.split_once('.').map_or("", |(_, decimals)| decimals);
        let repeats = |length: usize, times: usize| {
            let Some(start) = shown.len().checked_sub(length * times) else { return false };
            let period = &shown[shown.len() - length..];
            shown[start..] == period.repeat(times)
        };
        let times = |length: usize| if length == 1 && shown.len() != 2 { 3 } else { 2 };
        let Some(length) = (1..=shown.len() / 2).find(|&length| repeats(length, times(length))) else {
            return false;
        };
        self.at += ellipsis.chars().count();
        self.push_repeating(text, &shown[shown.len() - length..]);
        true
    }

    /// The number that `text` and an endless repetition of `period` behind it make, as a sum in brackets.
    fn push_repeating(&mut self, text: &str, period: &str) {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let or_zero = |digits: &str| if digits.is_empty() { "0".to_owned() } else { digits.to_owned() };
        // whole.part + period / (99..9 * 10^len(part))
        let denominator = "9".repeat(period.len()) + &"0".repeat(part.len());
        self.tokens.extend([
            Token::Open('('),
            Token::Number(format!("{}.{}", or_zero(whole), or_zero(part))),
            Token::Sign('+'),
            Token::Number(period.into()),
            Token::Sign('/'),
            Token::Number(denominator),
            Token::Close(')'),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use crate::lexer::{Commas, Token, tokenize};

    fn numbers(text: &str) -> Vec<String> {
        let tokens = tokenize(text, Commas::Group).unwrap().into_iter();
        tokens.filter_map(|token| if let Token::Number(text) = token { Some(text) } else { None }).collect()
    }

    #[test]
    fn separators_vanish_from_numbers_but_not_from_lists() {
        for text in
            ["1,234,567", "1{,}234{,}567", "1,\\!234,\\!567", "1\\,234\\;567", "1 234 567", "1~234\u{a0}567"]
        {
            assert_eq!(numbers(text), ["1234567"], "{text}");
        }
        assert_eq!(numbers("12,13"), ["12", "13"]);
        assert_eq!(numbers("1,\\,234"), ["1", "234"]);
        assert_eq!(numbers("1, 234"), ["1", "234"]);
        assert_eq!(numbers("(1,234)"), ["1", "234"]);
        assert_eq!(numbers("1,2345"), ["1", "2345"]);
        assert_eq!(numbers("27,54,108,135"), ["27", "54", "108", "135"]);
        assert_eq!(numbers("11,\\! 111,\\! 100"), ["11111100"]);
        assert_eq!(numbers("352146,362145"), ["352146", "362145"]);
        assert_eq!(numbers("1.07e16 2E-3 3.5"), ["1.07e16", "2e-3", "3.5"]);
    }

    #[test]
    fn repeating_digits_are_a_quotient_of_nines() {
        for text in [
            "0.1\\overline{6}",
            "0.1\\bar6",
            "0.1666...",
            "0.1\\dot{6}",
            "0.166\\overline{6}",
            "0.16666\\ldots",
        ] {
            let found = numbers(text);
            let value: Vec<f64> = found.iter().map(|number| number.parse().unwrap()).collect();
            assert!((value[0] + value[1] / value[2] - 1.0 / 6.0).abs() < 1e-15, "{text} {found:?}");
        }
        assert_eq!(numbers(".\\overline{36}"), ["0.0", "36", "99"]);
        assert_eq!(numbers("0.(3)"), ["0.0", "3", "9"]);
        assert_eq!(numbers("0.1818..."), ["0.1818", "18", "990000"]);
        assert!(tokenize("3.14...", Commas::Group).is_err());
    }
}
