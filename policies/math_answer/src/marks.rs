//! What is written behind a number, a name or a bracket: exponents, subscripts, primes, factorials, percent and degree signs.

use crate::expr::{Expr, Function};
use crate::lexer::{Token, Unreadable};
use crate::number_words;
use crate::parser::{Parsed, Parser};
use crate::scalar::{MAX_OPERANDS, Sign};

impl Parser {
    /// A primary with what is written behind it.
    pub(crate) fn factor(&mut self) -> Parsed {
        let mut base = self.primary()?;
        if let Expr::Symbol(name) = &base
            && let Some(applied) = self.applied(name)
        {
            base = applied;
        }
        self.marked(base)
    }

    /// What has been read with what is written behind it.
    pub(crate) fn marked(&mut self, mut base: Expr) -> Parsed {
        let mut marks = 0;
        loop {
            marks += 1;
            if marks > MAX_OPERANDS {
                return Err("it has too many factors");
            }
            match self.peek() {
                Some(Token::Sign('^')) => {
                    self.at += 1;
                    base = self.raised(base)?;
                }
                Some(Token::Sign('_')) => {
                    self.at += 1;
                    let subscript = self.spelled()?;
                    base = subscripted(base, &subscript)?;
                }
                Some(Token::Sign('\'')) => {
                    self.at += 1;
                    base = primed(base);
                }
                Some(Token::Sign('!')) => {
                    self.at += 1;
                    base = Expr::Call(Function::Factorial, vec![base]);
                }
                Some(Token::Sign('%')) => {
                    self.at += 1;
                    base = Expr::Percent(Box::new(base));
                }
                Some(Token::Degree) => {
                    self.at += 1;
                    base = degrees(base);
                    base = self.temperature(base);
                }
                Some(Token::Currency(sign)) if matches!(base, Expr::Number(_) | Expr::Decimal(_)) => {
                    let unit = sign.to_string();
                    self.at += 1;
                    base = Expr::Quantity(Box::new(base), unit);
                }
                _ => return Ok(base),
            }
        }
    }

    pub(crate) fn begins_percent_or_degrees(&self) -> bool {
        let is_degree = |ahead: usize| self.peek_at(ahead) == Some(&Token::Degree);
        match self.peek() {
            Some(Token::Sign('%') | Token::Degree) => true,
            Some(Token::Sign('^')) => {
                is_degree(1) || (self.peek_at(1) == Some(&Token::Open('{')) && is_degree(2))
            }
            _ => false,
        }
    }

    /// `f(0)`, read past its brackets: the value of a function at a number, not a product; and `P(A|B)`.
    fn applied(&mut self, name: &str) -> Option<Expr> {
        if let Some(end) = self.end_of_condition(name) {
            let spelled: Vec<String> =
                self.tokens[self.at..end].iter().map(|token| format!("{token:?}")).collect();
            self.at = end;
            return Some(Expr::Symbol(format!("{name} {}", spelled.join(" "))));
        }
        let (Some(Token::Open('(')), Some(Token::Number(at)), Some(Token::Close(')'))) =
            (self.peek(), self.peek_at(1), self.peek_at(2))
        else {
            return None;
        };
        let applied = Expr::Symbol(format!("{name}({at})"));
        self.at += 3;
        Some(applied)
    }

    /// Behind `P`: where the brackets of a conditional probability end.
    fn end_of_condition(&self, name: &str) -> Option<usize> {
        const MAX_TOKENS: usize = 24;
        if !matches!(name, "P" | "Pr" | "E") || self.peek() != Some(&Token::Open('(')) {
            return None;
        }
        let rest = self.tokens.get(self.at..)?;
        let close = rest.iter().take(MAX_TOKENS).position(|token| *token == Token::Close(')'))?;
        rest[..close].contains(&Token::Sign('|')).then_some(self.at + close + 1)
    }

    /// `20^\circ C`, read past its letter.
    fn temperature(&mut self, base: Expr) -> Expr {
        let scale = match self.peek() {
            Some(Token::Symbol(letter)) if letter == "C" => "celsius",
            Some(Token::Symbol(letter)) if letter == "F" => "fahrenheit",
            _ => return base,
        };
        let Expr::Quantity(value, _) = base else { return base };
        self.at += 1;
        Expr::Quantity(value, scale.into())
    }

    /// Behind `^`.
    fn raised(&mut self, base: Expr) -> Parsed {
        let group = usize::from(self.peek() == Some(&Token::Open('{')));
        match self.peek_at(group) {
            Some(Token::Degree) => {
                self.at += group + 1;
                if group == 1 {
                    self.expect(&Token::Close('{'))?;
                }
                return Ok(self.temperature(degrees(base)));
            }
            Some(Token::Sign('\'')) => {
                self.at += group;
                let mut base = base;
                while self.accept_sign('\'') {
                    base = primed(base);
                }
                if group == 1 {
                    self.expect(&Token::Close('{'))?;
                }
                return Ok(base);
            }
            _ => {}
        }
        let exponent = self.nested(|parser| match parser.signs() {
            None | Some(Sign::Plus) => parser.exponent(),
            Some(Sign::Minus) => Ok(parser.exponent()?.negated()),
            Some(Sign::PlusMinus(_)) => Err("an exponent has two signs"),
        })?;
        Ok(Expr::Power(Box::new(base), Box::new(exponent)))
    }

    /// A whole exponent: powers associate to the right.
    pub(crate) fn exponent(&mut self) -> Parsed {
        let base = self.primary()?;
        if self.accept_sign('^') { self.raised(base) } else { Ok(base) }
    }

    /// A subscript, an accent's letter or a unit's exponent as it is written.
    pub(crate) fn spelled(&mut self) -> Result<String, Unreadable> {
        let mut text = String::new();
        let mut depth = 0_usize;
        loop {
            let token = self.peek().ok_or("it ends too early")?;
            match token {
                Token::Open('{') => depth += 1,
                Token::Close('{') if depth > 0 => depth -= 1,
                Token::Number(part) | Token::Symbol(part) | Token::Text(part) => {
                    text.push_str(part);
                }
                Token::Sign(sign) if depth > 0 => text.push(*sign),
                Token::Sign('-') => text.push('-'),
                Token::Pi => text.push_str("pi"),
                Token::Infinity => text.push_str("infinity"),
                Token::Function(function) if depth > 0 => text.push_str(&format!("{function:?}")),
                Token::Open('(') if depth > 0 => text.push('('),
                Token::Close(')') if depth > 0 => text.push(')'),
                _ => return Err("a subscript is no name"),
            }
            let is_sign = matches!(token, Token::Sign('-'));
            self.at += 1;
            if depth == 0 && !is_sign {
                return Ok(text);
            }
        }
    }
}

/// A degree sign is a unit, so that 45 degrees may be given as 45.
fn degrees(base: Expr) -> Expr {
    Expr::Quantity(Box::new(base), "degree".into())
}

fn subscripted(base: Expr, subscript: &str) -> Parsed {
    Ok(match base {
        Expr::Number(value) => Expr::InBase(value.to_string(), base_of(subscript)),
        Expr::Symbol(name) => Expr::Symbol(format!("{name}_{subscript}")),
        Expr::Text(name) => Expr::Symbol(format!("{name}_{subscript}")),
        _ => return Err("a subscript stands behind no name"),
    })
}

/// `2`, `(2)` and `two` are one base.
fn base_of(subscript: &str) -> String {
    let bare = subscript.trim_matches(['(', ')']);
    let bare = bare.strip_prefix("base").map_or(bare, str::trim);
    number_words::number(bare).map_or_else(|| bare.to_owned(), |base| base.to_string())
}

fn primed(base: Expr) -> Expr {
    match base {
        Expr::Symbol(name) => Expr::Symbol(name + "'"),
        // `9''` is a length.
        Expr::Quantity(value, unit) if unit == "'" => Expr::Quantity(value, "''".into()),
        number @ (Expr::Number(_) | Expr::Decimal(_)) => Expr::Quantity(Box::new(number), "'".into()),
        other => Expr::Product(vec![other, Expr::Symbol("'".into())]),
    }
}
