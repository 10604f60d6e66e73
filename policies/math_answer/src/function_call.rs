//! Functions with what is written around their names: exponent, base, index, argument.

use crate::expr::{Constant, Expr, Function};
use crate::lexer::Token;
use crate::parser::{Parsed, Parser};
use crate::rational;
use crate::scalar::{MAX_OPERANDS, Sign, number, single_or};

impl Parser {
    /// An argument of `\frac`, `\sqrt` or `\binom`: in braces, or one digit or sign.
    pub(crate) fn argument(&mut self) -> Parsed {
        let at = self.at;
        if let Some(Token::Number(text)) = self.tokens.get_mut(at)
            && text.len() > 1
            && text.bytes().all(|byte| byte.is_ascii_digit())
        {
            let rest = text.split_off(1);
            let digit = std::mem::replace(text, rest);
            return number(&digit);
        }
        self.nested(Self::primary)
    }

    /// Behind a function's name: exponent, base, argument.
    pub(crate) fn call(&mut self, function: Function) -> Parsed {
        let mut function = function;
        let (mut exponent, mut base, mut index) = (None, None, None);
        if function == Function::Sqrt && self.accept(&Token::Open('[')) {
            index = Some(self.sum()?);
            self.expect(&Token::Close(']'))?;
        }
        loop {
            if self.accept_sign('_') {
                base = Some(self.argument()?);
            } else if self.accept_sign('^') {
                exponent = Some(match self.signs() {
                    Some(Sign::Minus) => self.exponent()?.negated(),
                    _ => self.exponent()?,
                });
            } else {
                break;
            }
        }
        if exponent == Some(Expr::Number(rational::integer(-1)))
            && let Some(inverse) = function.inverse()
        {
            (function, exponent) = (inverse, None);
        }
        let value = match function {
            Function::Sqrt => {
                let radicand = self.argument()?;
                let index = index.unwrap_or(Expr::Number(rational::integer(2)));
                Expr::Power(Box::new(radicand), Box::new(index.reciprocal()))
            }
            Function::Binomial => match self.argument()? {
                Expr::Bracketed(_, items, _) if items.len() == 2 => Expr::Call(function, items),
                first => Expr::Call(function, vec![first, self.argument()?]),
            },
            _ => {
                let mut argument = self.function_argument(function)?;
                if function.is_trigonometric() {
                    argument = argument.map(&in_radians);
                }
                match (function, base) {
                    (Function::Exp, _) => {
                        Expr::Power(Box::new(Expr::Constant(Constant::Euler)), Box::new(argument))
                    }
                    (Function::Log, base) => {
                        let base = base.unwrap_or(Expr::Number(rational::integer(10)));
                        let logarithm = |of| Expr::Call(Function::Ln, vec![of]);
                        Expr::Product(vec![logarithm(argument), logarithm(base).reciprocal()])
                    }
                    (_, None) => Expr::Call(function, vec![argument]),
                    (_, Some(_)) => return Err("a function has a subscript"),
                }
            }
        };
        Ok(match exponent {
            None => value,
            Some(exponent) => Expr::Power(Box::new(value), Box::new(exponent)),
        })
    }

    /// Brackets, or else the factors up to the next function or operator.
    fn function_argument(&mut self, function: Function) -> Parsed {
        if matches!(self.peek(), Some(Token::Open('(' | '[' | '{'))) {
            return self.primary();
        }
        let mut factors = Vec::new();
        // `\cos t e^{-t}` is a product of two functions.
        let is_exponential = |parser: &Self| {
            matches!(parser.peek(), Some(Token::Symbol(name)) if name == "e")
                && parser.peek_at(1) == Some(&Token::Sign('^'))
        };
        while self.begins_factor()
            && (factors.is_empty() || !is_exponential(self))
            && (factors.is_empty()
                || !matches!(self.peek(), Some(Token::Function(_) | Token::Open('(' | '['))))
        {
            factors.push(self.factor()?);
            if factors.len() > MAX_OPERANDS {
                return Err("it has too many factors");
            }
        }
        if factors.is_empty() {
            return if matches!(self.peek(), Some(Token::Sign('-'))) {
                self.signed_factor()
            } else {
                Err("a function has no argument")
            };
        }
        // `\sin \pi/3` means a third of pi; `\sin x/3` is left as it is written.
        let is_constant = factors.iter().all(|factor| factor.symbols().is_empty());
        if function.is_trigonometric()
            && is_constant
            && self.peek() == Some(&Token::Sign('/'))
            && matches!(self.peek_at(1), Some(Token::Number(_)))
        {
            self.at += 1;
            factors.push(self.factor()?.reciprocal());
        }
        Ok(single_or(factors, Expr::Product))
    }
}

/// Where an angle goes into a function, its degrees matter.
pub(crate) fn in_radians(expr: Expr) -> Expr {
    match expr {
        Expr::Quantity(value, unit) if matches!(unit.as_str(), "degree" | "degrees") => {
            let degree = vec![*value, Expr::Constant(Constant::Pi), Expr::Number(rational::fraction(1, 180))];
            Expr::Product(degree)
        }
        other => other,
    }
}
