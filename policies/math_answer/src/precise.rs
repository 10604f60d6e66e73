//! Values of expressions at points, to as many binary places as a comparison takes.
//!
//! A [`Value`] holds the exact one. What [`evaluate`](crate::evaluate) does in double precision is done here where that
//! doesn't decide.

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

use crate::equality::Work;
use crate::evaluate::{literal_quotient, odd_root};
use crate::expr::{Constant, Expr, Function};
use crate::normal_form::Algebra;
use crate::normalize::normalize;
use crate::rational::{self, Rational};
use crate::real::{MAX_BITS, MAX_INDEX, Real, Value};
use crate::series;

/// Whole exponents up to this one are multiplied out.
const MAX_EXPONENT: u32 = 4096;

/// One evaluation: how many places it has, where the variables lie, and what its work may cost.
pub(crate) struct Precise<'a> {
    pub(crate) places: u64,
    pub(crate) symbols: &'a [String],
    pub(crate) values: &'a [f64],
    pub(crate) work: &'a Work,
}

impl Precise<'_> {
    /// The value; `None` where it has none, is no scalar, or takes too much work.
    pub(crate) fn evaluate(&self, expr: &Expr) -> Option<Value> {
        self.charge(1)?;
        let value = match expr {
            Expr::Number(value) | Expr::Decimal(value) => Value::real(self.rational(value)?),
            Expr::Symbol(name) | Expr::Text(name) => {
                let value = *self.values.get(self.symbols.binary_search(name).ok()?)?;
                Value::real(self.rational(&rational::from_f64(value)?)?)
            }
            Expr::Constant(Constant::Pi) => Value::real(self.rounded(series::pi(self.places))),
            Expr::Constant(Constant::Euler) => Value::real(self.exp(&self.one())?),
            Expr::Constant(Constant::Imaginary) => Value { re: Real::zero(), im: self.one() },
            Expr::Sum(terms) => {
                let mut sum = Value::real(Real::zero());
                for term in terms {
                    sum = sum.add(&self.evaluate(term)?);
                }
                sum
            }
            Expr::Product(factors) => {
                let mut product = Value::real(self.one());
                for factor in factors {
                    product = self.multiply(&product, &self.evaluate(factor)?)?;
                }
                product
            }
            Expr::Power(base, exponent) => self.power(base, exponent)?,
            Expr::Percent(value) => {
                let hundredth = Value::real(self.rational(&rational::fraction(1, 100))?);
                self.multiply(&self.evaluate(value)?, &hundredth)?
            }
            Expr::Quantity(value, _) => self.evaluate(value)?,
            // A whole number, if it is known at all.
            Expr::Call(Function::Factorial | Function::Binomial, _) => {
                Value::real(self.rational(&whole_value(expr)?)?)
            }
            Expr::Call(function, arguments) => match arguments.as_slice() {
                [argument] => self.call(*function, &self.evaluate(argument)?)?,
                _ => return None,
            },
            _ => return None,
        };
        let is_short = |real: &Real| real.middle.bits() <= MAX_BITS && real.radius.bits() <= MAX_BITS;
        (is_short(&value.re) && is_short(&value.im)).then_some(value)
    }

    /// As [`evaluate`](crate::evaluate) has it: the principal power, but the real root of a negative number where there is one.
    fn power(&self, base: &Expr, exponent: &Expr) -> Option<Value> {
        let value = self.evaluate(base)?;
        let Some(quotient) = literal_quotient(exponent) else {
            if value.is_exact_zero() {
                return None;
            }
            let exponent = self.evaluate(exponent)?;
            return self.exponential(&self.multiply(&self.logarithm(&value)?, &exponent)?);
        };
        if value.is_exact_zero() {
            return quotient.is_positive().then_some(value);
        }
        let (times, index) = (quotient.numer().abs().to_u32()?, quotient.denom().to_u32()?);
        if times > MAX_EXPONENT {
            return None;
        }
        let root = if index == 1 {
            value
        } else if value.is_real() && index <= MAX_INDEX && !value.re.middle.is_negative() {
            Value::real(self.root(&value.re, index)?)
        } else if value.is_real() && index <= MAX_INDEX && odd_root(exponent).is_some() {
            Value::real(self.root(&value.re.negated(), index)?.negated())
        } else if value.is_real() && index == 2 {
            Value { re: Real::zero(), im: self.root(&value.re.negated(), 2)? }
        } else {
            let part = Value::real(self.rational(&Rational::new(1.into(), index.into()))?);
            self.exponential(&self.multiply(&self.logarithm(&value)?, &part)?)?
        };
        let power = self.whole_power(&root, times)?;
        if quotient.is_negative() { self.invert(&power) } else { Some(power) }
    }

    fn whole_power(&self, base: &Value, mut exponent: u32) -> Option<Value> {
        let (mut power, mut square) = (Value::real(self.one()), base.clone());
        while exponent > 0 {
            if exponent % 2 == 1 {
                power = self.multiply(&power, &square)?;
            }
            exponent /= 2;
            if exponent > 0 {
                square = self.multiply(&square, &square)?;
            }
        }
        Some(power)
    }

    fn call(&self, function: Function, x: &Value) -> Option<Value> {
        let half =
            |value: Value| self.multiply(&value, &Value::real(self.rational(&rational::fraction(1, 2))?));
        let circular = || -> Option<(Value, Value)> {
            if x.is_real() {
                let (sine, cosine) = self.sin_cos(&x.re)?;
                return Some((Value::real(sine), Value::real(cosine)));
            }
            let (plus, minus) = (self.exponential(&x.times_i())?, self.exponential(&x.times_i().negated())?);
            let sine = half(plus.add(&minus.negated()).times_i().negated())?;
            Some((sine, half(plus.add(&minus))?))
        };
        let hyperbolic = || -> Option<(Value, Value)> {
            let (plus, minus) = (self.exponential(x)?, self.exponential(&x.negated())?);
            Some((half(plus.add(&minus.negated()))?, half(plus.add(&minus))?))
        };
        let quotient = |(above, below): (Value, Value)| self.multiply(&above, &self.invert(&below)?);
        let swapped = |(a, b): (Value, Value)| (b, a);
        let real = x.is_real().then_some(&x.re);
        match function {
            Function::Sin => Some(circular()?.0),
            Function::Cos => Some(circular()?.1),
            Function::Tan => quotient(circular()?),
            Function::Cot => quotient(swapped(circular()?)),
            Function::Sec => self.invert(&circular()?.1),
            Function::Csc => self.invert(&circular()?.0),
            Function::Sinh => Some(hyperbolic()?.0),
            Function::Cosh => Some(hyperbolic()?.1),
            Function::Tanh => quotient(hyperbolic()?),
            Function::Exp => self.exponential(x),
            Function::Ln => self.logarithm(x),
            Function::Log => {
                let ten = self.ln(&Real::exact(series::one(self.places) * 10))?;
                self.multiply(&self.logarithm(x)?, &Value::real(self.inverse(&ten)?))
            }
            Function::Arctan => Some(Value::real(self.arctan(real?)?)),
            Function::Arcsin => Some(Value::real(self.arcsin(real?)?)),
            Function::Arccos => {
                let quarter = self.rounded(series::pi(self.places) >> 1);
                Some(Value::real(quarter.add(&self.arcsin(real?)?.negated())))
            }
            Function::Abs => Some(Value::real(self.modulus(x)?)),
            Function::Floor | Function::Ceil => {
                let real = real?;
                let whole = |value: BigInt| {
                    if function == Function::Floor { value >> self.places } else { -(-value >> self.places) }
                };
                let (low, high) = (whole(&real.middle - &real.radius), whole(&real.middle + &real.radius));
                // At a jump the value is not known.
                (low == high).then(|| Value::real(Real::exact(low << self.places)))
            }
            Function::Sqrt | Function::Factorial | Function::Binomial => None,
        }
    }

    /// Twice the arctangent of x / (1 + sqrt(1 - x^2)).
    fn arcsin(&self, x: &Real) -> Option<Real> {
        let rest = self.one().add(&self.product(x, x)?.negated());
        let tangent = self.product(x, &self.inverse(&self.one().add(&self.root(&rest, 2)?))?)?;
        let half = self.arctan(&tangent)?;
        Some(half.add(&half))
    }
}

/// The rational value of a factorial or a binomial coefficient.
pub(crate) fn whole_value(expr: &Expr) -> Option<Rational> {
    const WORK: u64 = 2000;
    normalize(expr, &mut Algebra::new(WORK)).ok()?.as_rational()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate;
    use crate::parser::parse;

    #[test]
    fn values_hold_those_in_double_precision() {
        for text in [
            "\\sin(\\pi/6)+\\cos^2(\\pi/4)",
            "e^{i\\pi}",
            "\\sqrt[3]{-8}",
            "(-8)^{2/3}",
            "\\sqrt{-2}",
            "\\ln 2/\\ln 4",
            "\\ln(-3)",
            "\\lfloor 7/2\\rfloor",
            "\\lceil -\\sqrt2\\rceil",
            "\\arctan 1",
            "|3-4i|",
            "\\arcsin(1)",
            "\\arccos(-\\frac12)",
            "\\tanh 2",
            "\\sin(1+i)",
            "2^{\\sqrt2}",
            "\\log_{10} 7",
            "(1+i)^{1/3}",
            "\\frac{1}{1+\\sqrt[5]{7}}",
            "12.5\\%",
        ] {
            let expr = parse(text).unwrap();
            let ball = evaluate::evaluate(&expr, &[], &[]).unwrap();
            let work = Work::new();
            let precise = Precise { places: 256, symbols: &[], values: &[], work: &work };
            let value = precise.evaluate(&expr).unwrap();
            assert!(value.known_places(256) > 200, "{text} {value:?}");
            let near = |real: &Real, found: f64| {
                let scaled = rational::to_f64(&Rational::new(real.middle.clone(), series::one(256)));
                (scaled - found).abs() <= ball.radius + 1e-15
            };
            assert!(near(&value.re, ball.re) && near(&value.im, ball.im), "{text} {ball:?} {value:?}");
        }
    }
}
