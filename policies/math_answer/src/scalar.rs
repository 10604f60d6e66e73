//! Scalars: sums, products, powers and functions, as people write them.
//!
//! ```text
//! sum      = ('+' | '-' | '\pm')* product (('+' | '-' | '\pm') product)*
//! product  = factor (('*' | '/')? factor)*          a missing sign is a product, or the sum of a mixed number
//! factor   = primary ('^' exponent | '_' subscript | '!' | '%' | degree)*
//! ```

use num_traits::{One, Zero};

use crate::expr::{Comparison, Constant, Expr, Function};
use crate::lexer::{Token, Unreadable};
use crate::parser::{Parsed, Parser};
use crate::rational::{self, Rational};

/// Factors of a product and terms of a sum.
pub(crate) const MAX_OPERANDS: usize = 512;
/// A decimal exponent beyond this is unreadable.
const MAX_DECIMAL_EXPONENT: i64 = 4000;

impl Parser {
    pub(crate) fn sum(&mut self) -> Parsed {
        let mut terms = Vec::new();
        loop {
            let Some(sign) = self.signs() else {
                if terms.is_empty() {
                    terms.push(self.product()?);
                    continue;
                }
                break;
            };
            let term = self.product()?;
            terms.push(match sign {
                Sign::Plus => term,
                Sign::Minus => term.negated(),
                Sign::PlusMinus(flipped) => Expr::PlusMinus(flipped, Box::new(term)),
            });
            if terms.len() > MAX_OPERANDS {
                return Err("it has too many terms");
            }
        }
        Ok(single_or(terms, Expr::Sum))
    }

    /// Any signs in front of a term, as one.
    pub(crate) fn signs(&mut self) -> Option<Sign> {
        let mut sign = None;
        loop {
            sign = Some(match (self.peek()?, sign) {
                (Token::Sign('+'), sign) => sign.unwrap_or(Sign::Plus),
                (Token::Sign('-'), Some(Sign::Minus)) => Sign::Plus,
                (Token::Sign('-'), Some(Sign::PlusMinus(flipped))) => Sign::PlusMinus(!flipped),
                (Token::Sign('-'), _) => Sign::Minus,
                (&Token::PlusMinus(flipped), _) => Sign::PlusMinus(flipped),
                _ => return sign,
            });
            self.at += 1;
        }
    }

    fn product(&mut self) -> Parsed {
        let mut factors = vec![self.factor()?];
        // Whether the last factor is an integer that a fraction may follow.
        let mut mixed = self.ends_in_integer(&factors);
        loop {
            if factors.len() > MAX_OPERANDS {
                return Err("it has too many factors");
            }
            if self.accept_sign('*') {
                factors.push(self.signed_factor()?);
                mixed = self.ends_in_integer(&factors);
            } else if self.accept_sign('/') || self.accept_ratio() {
                factors.push(self.signed_factor()?.reciprocal());
                mixed = false;
            } else if let Some(Token::Text(word)) = self.peek()
                && !matches!(word.as_str(), "and" | "or")
            {
                let unit = word.clone();
                self.at += 1;
                let unit = self.unit_power(unit);
                let value = single_or(factors, Expr::Product);
                factors = vec![Expr::Quantity(Box::new(value), unit)];
                if self.begins_factor() {
                    return Err("it has words among its formulas");
                }
                mixed = false;
            } else if self.begins_factor() {
                let plain_fraction = mixed && self.is_plain_fraction();
                let is_fraction = mixed && self.peek() == Some(&Token::Fraction);
                let is_bracketed = matches!(self.peek(), Some(Token::Open('(')));
                let mut factor = self.factor()?;
                if is_bracketed && matches!(factor, Expr::Member(..) | Expr::Relation(..) | Expr::Text(_)) {
                    // A remark, as in "k \pi (k \in \mathbb{Z})" or "12 (units)".
                    continue;
                }
                if plain_fraction && self.accept_sign('/') {
                    factor = Expr::Product(vec![factor, self.factor()?.reciprocal()]);
                }
                match factors.pop() {
                    Some(whole) if (is_fraction && is_proper(&factor)) || plain_fraction => {
                        factors.push(Expr::Sum(vec![whole, factor]));
                    }
                    whole => {
                        factors.extend(whole);
                        factors.push(factor);
                    }
                }
                mixed = self.ends_in_integer(&factors);
            } else {
                return Ok(single_or(factors, Expr::Product));
            }
        }
    }

    /// `3:4`, where it is no list of conditions.
    fn accept_ratio(&mut self) -> bool {
        !self.in_bars
            && matches!(self.peek_at(1), Some(Token::Number(_) | Token::Symbol(_)))
            && self.accept_sign(':')
    }

    fn ends_in_integer(&self, factors: &[Expr]) -> bool {
        matches!(factors.last(), Some(Expr::Number(_)))
            && matches!(self.at.checked_sub(1).and_then(|at| self.tokens.get(at)), Some(Token::Number(_)))
    }

    /// `1/2` with the integers written out, as in `3 1/2`.
    fn is_plain_fraction(&self) -> bool {
        let is_integer =
            |token: Option<&Token>| matches!(token, Some(Token::Number(text)) if !text.contains(['.', 'e']));
        is_integer(self.peek()) && self.peek_at(1) == Some(&Token::Sign('/')) && is_integer(self.peek_at(2))
    }

    /// The exponent of a unit, written out.
    fn unit_power(&mut self, mut unit: String) -> String {
        if self.accept_sign('^')
            && let Ok(spelled) = self.spelled()
        {
            unit.push('^');
            unit.push_str(&spelled);
        }
        unit
    }

    pub(crate) fn signed_factor(&mut self) -> Parsed {
        match self.signs() {
            None | Some(Sign::Plus) => self.factor(),
            Some(Sign::Minus) => Ok(self.factor()?.negated()),
            Some(Sign::PlusMinus(flipped)) => Ok(Expr::PlusMinus(flipped, Box::new(self.factor()?))),
        }
    }

    pub(crate) fn begins_factor(&self) -> bool {
        match self.peek() {
            Some(
                Token::Number(_)
                | Token::Symbol(_)
                | Token::Function(_)
                | Token::Accent(_)
                | Token::Fraction
                | Token::Environment(true, _)
                | Token::Open(_)
                | Token::Infinity
                | Token::Pi,
            ) => true,
            Some(Token::Sign('|')) => !self.in_bars,
            _ => false,
        }
    }

    /// A primary with what is written behind it.
    pub(crate) fn factor(&mut self) -> Parsed {
        let mut base = self.primary()?;
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

    /// Behind `^`.
    fn raised(&mut self, base: Expr) -> Parsed {
        let group = usize::from(self.peek() == Some(&Token::Open('{')));
        match self.peek_at(group) {
            Some(Token::Degree) => {
                self.at += group + 1;
                if group == 1 {
                    self.expect(&Token::Close('{'))?;
                }
                return Ok(degrees(base));
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

    pub(crate) fn primary(&mut self) -> Parsed {
        let Some(token) = self.peek().cloned() else { return Err("it ends too early") };
        self.at += 1;
        match token {
            Token::Number(text) => number(&text),
            Token::Symbol(name) => Ok(self.symbol(name)),
            Token::Pi => Ok(Expr::Constant(Constant::Pi)),
            Token::Infinity => Ok(Expr::Constant(Constant::Infinity)),
            Token::Reals => Ok(Expr::Reals),
            Token::EmptySet => Ok(Expr::Set(Vec::new())),
            Token::Text(words) => Ok(self.text(words)),
            Token::Function(function) => self.nested(|parser| parser.call(function)),
            Token::Accent(accent) => Ok(Expr::Symbol(format!("{accent} {}", self.spelled()?))),
            Token::Fraction => {
                let numerator = self.argument()?;
                let denominator = self.argument()?;
                Ok(Expr::Product(vec![numerator, denominator.reciprocal()]))
            }
            Token::Environment(true, name) => self.matrix(&name),
            Token::Currency(sign) => {
                let value = self.nested(Self::signed_factor)?;
                Ok(Expr::Quantity(Box::new(value), sign.to_string()))
            }
            Token::Open(open @ ('(' | '[')) => self.bracketed(open),
            Token::Open('S') => self.set(),
            Token::Open('{') => {
                let inner = self.nested(Self::answer)?;
                self.expect(&Token::Close('{'))?;
                Ok(inner)
            }
            Token::Open(open) => {
                let inner = self.nested(Self::sum)?;
                self.expect(&Token::Close(open))?;
                Ok(Expr::Call(if open == 'f' { Function::Floor } else { Function::Ceil }, vec![inner]))
            }
            Token::Sign('|') if !self.in_bars => {
                self.in_bars = true;
                let inner = self.nested(Self::sum);
                self.in_bars = false;
                self.expect(&Token::Sign('|'))?;
                Ok(Expr::Call(Function::Abs, vec![inner?]))
            }
            Token::Sign('-') => Ok(self.nested(Self::factor)?.negated()),
            _ => Err("a number or a variable is missing"),
        }
    }

    /// Constants are variables whose names are taken, unless a subscript or a prime makes another name.
    fn symbol(&mut self, name: String) -> Expr {
        let is_plain = !matches!(self.peek(), Some(Token::Sign('_' | '\'')));
        match name.as_str() {
            "i" if is_plain => Expr::Constant(Constant::Imaginary),
            "e" if is_plain => Expr::Constant(Constant::Euler),
            _ => Expr::Symbol(name),
        }
    }

    /// Words at the beginning: a name when a relation follows, else what leads to the value.
    fn text(&mut self, words: String) -> Expr {
        let leads = matches!(self.peek(), Some(Token::Sign(':')));
        self.at += usize::from(leads);
        if (leads || self.begins_factor() || matches!(self.peek(), Some(Token::Currency(_))))
            && let Ok(value) = self.nested(Self::factor)
        {
            return value;
        }
        if matches!(self.peek(), Some(Token::Compare(Comparison::Equal))) {
            Expr::Symbol(words)
        } else {
            Expr::Text(words)
        }
    }

    /// A subscript, an accent's letter or a unit's exponent as it is written.
    fn spelled(&mut self) -> Result<String, Unreadable> {
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

#[derive(Clone, Copy)]
pub(crate) enum Sign {
    Plus,
    Minus,
    PlusMinus(bool),
}

pub(crate) fn single_or(mut items: Vec<Expr>, many: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match items.pop() {
        Some(item) if items.is_empty() => item,
        last => {
            items.extend(last);
            many(items)
        }
    }
}

/// A quotient of integers whose value lies between 0 and 1: what follows the whole part of a mixed number.
fn is_proper(factor: &Expr) -> bool {
    let Expr::Product(parts) = factor else { return false };
    let [Expr::Number(numerator), Expr::Power(denominator, _)] = parts.as_slice() else { return false };
    matches!(denominator.as_ref(), Expr::Number(denominator) if numerator < denominator && *numerator > Rational::zero())
}

/// # Errors
/// The exponent is out of bounds.
pub(crate) fn number(text: &str) -> Parsed {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let value = rational::parse_decimal(mantissa).ok_or("a number can't be read")?;
    let exponent: i64 = exponent.parse().map_err(|_| "an exponent is too large")?;
    if exponent.abs() > MAX_DECIMAL_EXPONENT {
        return Err("an exponent is too large");
    }
    let scale = rational::power(&rational::integer(10), exponent).unwrap_or_else(Rational::one);
    let value = value * scale;
    Ok(if text.contains(['.', 'e']) { Expr::Decimal(value) } else { Expr::Number(value) })
}

/// A degree sign is a unit, so that 45 degrees may be given as 45.
fn degrees(base: Expr) -> Expr {
    Expr::Quantity(Box::new(base), "degree".into())
}

fn subscripted(base: Expr, subscript: &str) -> Parsed {
    Ok(match base {
        Expr::Number(value) => Expr::InBase(value.to_string(), subscript.into()),
        Expr::Symbol(name) => Expr::Symbol(format!("{name}_{subscript}")),
        Expr::Text(name) => Expr::Symbol(format!("{name}_{subscript}")),
        _ => return Err("a subscript stands behind no name"),
    })
}

fn primed(base: Expr) -> Expr {
    match base {
        Expr::Symbol(name) => Expr::Symbol(name + "'"),
        other => Expr::Product(vec![other, Expr::Symbol("'".into())]),
    }
}
