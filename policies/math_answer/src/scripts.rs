//! Raised and lowered characters: `10²³`, `10⁻⁵`, `x₁`, `5th`.

use crate::lexer::{Lexer, Token};

/// The digit or the sign that a raised character is.
fn raised(char: char) -> Option<char> {
    Some(match char {
        '⁰' => '0',
        '¹' => '1',
        '²' => '2',
        '³' => '3',
        '⁴'..='⁹' => char::from_u32(u32::from(char) - 0x2070 + u32::from('0'))?,
        '⁻' => '-',
        '⁺' => '+',
        'ⁿ' => 'n',
        _ => return None,
    })
}

pub(crate) fn is_superscript(char: char) -> bool {
    raised(char).is_some()
}

/// The digit that a lowered character is.
fn lowered(char: char) -> Option<char> {
    matches!(char, '₀'..='₉').then(|| char::from_u32(u32::from(char) - 0x2080 + u32::from('0'))).flatten()
}

impl Lexer {
    /// A run of raised or lowered characters that begins here, as one exponent or subscript.
    pub(crate) fn script(&mut self) -> bool {
        let Some(first) = self.peek(0) else { return false };
        let (sign, read): (char, fn(char) -> Option<char>) =
            if raised(first).is_some() { ('^', raised) } else { ('_', lowered) };
        let mut run = String::new();
        while let Some(char) = self.peek(0).and_then(read) {
            run.push(char);
            self.at += 1;
        }
        if run.is_empty() {
            return false;
        }
        self.push(Token::Sign(sign));
        self.push(Token::Open('{'));
        let mut digits = String::new();
        for char in run.chars() {
            if char.is_ascii_digit() {
                digits.push(char);
                continue;
            }
            if !digits.is_empty() {
                self.push(Token::Number(std::mem::take(&mut digits)));
            }
            self.push(if char == 'n' { Token::Symbol("n".into()) } else { Token::Sign(char) });
        }
        if !digits.is_empty() {
            self.push(Token::Number(digits));
        }
        self.push(Token::Close('{'));
        true
    }

    /// The ending of an ordinal behind a number, read past it: `5th`, `5^{th}`.
    pub(crate) fn ordinal(&mut self) -> bool {
        if !matches!(self.tokens.last(), Some(Token::Number(_))) {
            return false;
        }
        const FRAMES: [(&str, &str); 7] = [
            ("", ""),
            ("^{", "}"),
            ("^{\\text{", "}}"),
            ("^{\\mathrm{", "}}"),
            ("^{\\textrm{", "}}"),
            ("^\\text{", "}"),
            ("\\text{", "}"),
        ];
        for (open, close) in FRAMES.iter().filter(|(open, _)| self.starts_with_at(0, open)) {
            let is_ending = |ending: &&str| {
                let end = open.len() + ending.len();
                self.starts_with_at(open.len(), ending)
                    && self.starts_with_at(end, close)
                    && !self.peek(end + close.len()).is_some_and(char::is_alphanumeric)
            };
            if let Some(ending) = ["th", "st", "nd", "rd"].into_iter().find(is_ending) {
                self.at += open.len() + ending.len() + close.len();
                return true;
            }
        }
        false
    }

    /// Whether the letter x that begins here is a sign of multiplication: `6.02 x 10^{23}`.
    pub(crate) fn is_times(&self) -> bool {
        let spaces =
            self.chars[(self.at + 1).min(self.chars.len())..].iter().take_while(|char| **char == ' ').count();
        let power = 1 + spaces;
        let is_power = self.peek(power + 2).is_some_and(|char| char == '^' || raised(char).is_some());
        matches!(self.peek(0), Some('x' | 'X'))
            && matches!(self.tokens.last(), Some(Token::Number(_)))
            && self.starts_with_at(power, "10")
            && is_power
    }
}

#[cfg(test)]
mod tests {
    use crate::parser::parse;

    #[test]
    fn raised_and_lowered_characters_are_exponents_and_subscripts() {
        for (text, meant) in [
            ("10²³", "10^{23}"),
            ("3.2×10⁻⁵", "3.2\\times10^{-5}"),
            ("2⁴", "2^4"),
            ("x₁+x₂", "x_1+x_2"),
            ("a₁₂", "a_{12}"),
            ("6.02 x 10^{23}", "6.02 \\times 10^{23}"),
            ("5th", "5"),
            ("5^{\\text{th}}", "5"),
            ("x²y³", "x^2y^3"),
        ] {
            assert_eq!(parse(text), parse(meant), "{text}");
        }
    }
}
