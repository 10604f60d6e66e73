//! Scalars: sums, products, powers and functions, as people write them.
//!
//! ```text
//! sum      = ('+' | '-' | '\pm')* product (('+' | '-' | '\pm') product)*
//! product  = factor (('*' | '/')? factor)*          a missing sign is a product, or the sum of a mixed number
//! factor   = primary ('^' exponent | '_' subscript | '!' | '%' | degree)*
//! ```

use num_traits::{One, Zero};

use crate::expr::{Constant, Expr, Function};
use crate::lexer::Token;
use crate::parser::{Parsed, Parser};
use crate::rational::{self, Rational};
use crate::words;

/// Factors of a product and terms of a sum.
pub(crate) const MAX_OPERANDS: usize = 512;
/// A decimal exponent beyond this is unreadable.
const MAX_DECIMAL_EXPONENT: i64 = 4000;

impl Parser {
    pub(crate) fn sum(&mut self) -> Parsed {
        let mut terms = Vec::new();
        loop {
            let worded = if terms.is_empty() { None } else { self.worded_sign() };
            let Some(sign) = worded.or_else(|| self.signs()) else {
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

    /// "plus" or "minus" between two terms.
    fn worded_sign(&mut self) -> Option<Sign> {
        if self.accept_operation(&["plus"]) {
            Some(Sign::Plus)
        } else {
            self.accept_operation(&["minus"]).then_some(Sign::Minus)
        }
    }

    /// Any signs in front of a term, as one.
    pub(crate) fn signs(&mut self) -> Option<Sign> {
        let mut sign = None;
        loop {
            let Some(next) = self.peek() else { return sign };
            sign = Some(match (next, sign) {
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
        if let Some(angle) = self.minutes(&factors[0]) {
            factors = vec![angle];
        }
        // Whether the last factor is an integer that a fraction may follow.
        let mut mixed = self.ends_in_integer(&factors);
        loop {
            if factors.len() > MAX_OPERANDS {
                return Err("it has too many factors");
            }
            if self.accept_sign('*') || self.accept_operation(&["times", "multiplied by"]) {
                factors.push(self.signed_factor()?);
                mixed = self.ends_in_integer(&factors);
            } else if self.accept_sign('/')
                || self.accept_operation(&["divided by", "over", "out of"])
                || self.accept_chance()
            {
                factors.push(self.signed_factor()?.reciprocal());
                mixed = false;
            } else if let Some(Token::Text(word)) = self.peek()
                && !words::is_joint(word)
                && !matches!(word.as_str(), "plus" | "minus")
            {
                factors = vec![self.quantity(single_or(factors, Expr::Product))?];
                if self.begins_factor() {
                    return Err("it has words among its formulas");
                }
                mixed = false;
            } else if let Some(unit) = self.unit_fraction() {
                factors = vec![Expr::Quantity(Box::new(single_or(factors, Expr::Product)), unit)];
                mixed = false;
            } else if self.begins_factor() {
                let plain_fraction = mixed && self.is_plain_fraction();
                let is_fraction = mixed && self.peek() == Some(&Token::Fraction);
                let is_bracketed = matches!(self.peek(), Some(Token::Open('(')));
                let has_words = matches!(self.peek_at(1), Some(Token::Text(_)));
                let mut factor = if is_fraction { self.primary()? } else { self.factor()? };
                if is_fraction {
                    // A sign behind a mixed number is about all of it.
                    let is_whole = is_proper(&factor) && self.begins_percent_or_degrees();
                    if is_whole && let Some(whole) = factors.pop() {
                        factors.push(self.marked(Expr::Sum(vec![whole, factor]))?);
                        mixed = false;
                        continue;
                    }
                    factor = self.marked(factor)?;
                }
                if is_bracketed && (has_words || matches!(factor, Expr::Member(..) | Expr::Relation(..))) {
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

    /// An operation in words before another operand: "5 times 3".
    fn accept_operation(&mut self, names: &[&str]) -> bool {
        let is_operand = matches!(
            self.peek_at(1),
            Some(
                Token::Number(_)
                    | Token::Symbol(_)
                    | Token::Fraction
                    | Token::Function(_)
                    | Token::Pi
                    | Token::Open(_)
            )
        );
        let is_next =
            is_operand && matches!(self.peek(), Some(Token::Text(word)) if names.contains(&word.as_str()));
        self.at += usize::from(is_next);
        is_next
    }

    /// "in" before a number that ends the answer: "1 in 6".
    fn accept_chance(&mut self) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Text(word)) if word == "in")
            && matches!(self.peek_at(1), Some(Token::Number(_)))
            && self.peek_at(2).is_none();
        self.at += usize::from(is_next);
        is_next
    }

    /// The minutes of an angle behind its degrees, read past them: `72^\circ 30'`.
    fn minutes(&mut self, degrees: &Expr) -> Option<Expr> {
        let Expr::Quantity(value, unit) = degrees else { return None };
        let (Some(Token::Number(text)), true) = (self.peek(), unit == "degree") else { return None };
        // `30'` or `30^{\prime}`.
        let width = match (self.peek_at(1), self.peek_at(2), self.peek_at(3), self.peek_at(4)) {
            (Some(Token::Sign('\'')), ..) => 2,
            (Some(Token::Sign('^')), Some(Token::Sign('\'')), ..) => 3,
            (
                Some(Token::Sign('^')),
                Some(Token::Open('{')),
                Some(Token::Sign('\'')),
                Some(Token::Close('{')),
            ) => 5,
            _ => return None,
        };
        let (Expr::Number(whole), Ok(Expr::Number(part))) = (value.as_ref(), number(text)) else {
            return None;
        };
        if part >= rational::integer(60) {
            return None;
        }
        let angle = Expr::Number(whole + part * rational::fraction(1, 60));
        self.at += width;
        Some(Expr::Quantity(Box::new(angle), unit.clone()))
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

    pub(crate) fn primary(&mut self) -> Parsed {
        let Some(token) = self.peek().cloned() else { return Err("it ends too early") };
        self.at += 1;
        match token {
            Token::Number(text) => number(&text),
            // `3 \pmod{7}`: the modulus is neither a factor nor a variable's exponent.
            Token::Symbol(name) if name == "mod" => {
                let modulus = self.nested(Self::primary)?;
                Ok(Expr::Power(Box::new(Expr::Symbol(name)), Box::new(modulus)))
            }
            Token::Symbol(name) => Ok(self.symbol(name)),
            Token::Pi => Ok(Expr::Constant(Constant::Pi)),
            Token::Infinity => Ok(Expr::Constant(Constant::Infinity)),
            Token::Reals => Ok(Expr::Reals),
            Token::EmptySet => Ok(Expr::Set(Vec::new())),
            Token::Text(words) => self.text(words),
            Token::Function(function) => self.nested(|parser| parser.call(function)),
            Token::Accent(accent) => {
                let name = self.spelled()?;
                // Unit vectors are written in many ways.
                let is_unit_vector =
                    matches!(accent.as_str(), "hat" | "vec") && matches!(name.as_str(), "i" | "j" | "k");
                Ok(if is_unit_vector { self.symbol(name) } else { Expr::Symbol(format!("{accent} {name}")) })
            }
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
    const UNREADABLE: &str = "a number can't be read";
    let Some((mantissa, exponent)) = text.split_once('e') else {
        let value = rational::parse_decimal(text).ok_or(UNREADABLE)?;
        return Ok(if text.contains('.') { Expr::Decimal(value) } else { Expr::Number(value) });
    };
    let value = rational::parse_decimal(mantissa).ok_or(UNREADABLE)?;
    let exponent: i64 = exponent.parse().map_err(|_| "an exponent is too large")?;
    if exponent.abs() > MAX_DECIMAL_EXPONENT {
        return Err("an exponent is too large");
    }
    let scale = rational::power(&rational::integer(10), exponent).unwrap_or_else(Rational::one);
    Ok(Expr::Decimal(rational::product(&value, &scale)))
}
