//! Values of expressions at points, in double precision with a bound on the error.
//!
//! A [`Ball`] is a disc in the complex plane that holds the exact value. Each operation adds to the radius what it inherits
//! from its operands (to first order, doubled) and 2^-50 of the value for its own rounding.

use num_traits::Signed;

use crate::expr::{Constant, Expr, Function};
use crate::rational;

/// Relative rounding error that one operation is charged: several units in the last place.
const ROUNDING: f64 = 1.0 / (1_u64 << 50) as f64;

/// A complex number and how far the exact value may be from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ball {
    pub(crate) re: f64,
    pub(crate) im: f64,
    pub(crate) radius: f64,
}

impl Ball {
    fn new(re: f64, im: f64, inherited: f64) -> Self {
        Self { re, im, radius: inherited + ROUNDING * re.hypot(im) }
    }

    pub(crate) fn real(value: f64) -> Self {
        Self::new(value, 0.0, 0.0)
    }

    pub(crate) fn modulus(self) -> f64 {
        self.re.hypot(self.im)
    }

    /// Finite, and known to about nine digits (or to 1e-9, near 0).
    pub(crate) fn is_conclusive(self) -> bool {
        self.modulus().is_finite() && self.radius <= 1e-9 * self.modulus().max(1.0)
    }

    fn is_real(self) -> bool {
        self.im.abs() <= self.radius
    }

    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im, self.radius + other.radius)
    }

    fn multiply(self, other: Self) -> Self {
        let inherited =
            self.radius * other.modulus() + other.radius * self.modulus() + self.radius * other.radius;
        Self::new(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re, inherited)
    }

    fn invert(self) -> Option<Self> {
        let modulus = self.modulus();
        if modulus <= 2.0 * self.radius {
            return None;
        }
        let scale = 1.0 / (modulus * modulus);
        Some(Self::new(self.re * scale, -self.im * scale, 2.0 * self.radius * scale))
    }

    fn exp(self) -> Self {
        let scale = self.re.exp();
        // The derivative of exp is exp itself; sin and cos lose what the reduction of a large angle loses.
        let inherited = 2.0 * scale * (self.radius + ROUNDING * (self.re.abs() + self.im.abs()));
        Self::new(scale * self.im.cos(), scale * self.im.sin(), inherited)
    }

    fn ln(self) -> Option<Self> {
        let modulus = self.modulus();
        if modulus <= 2.0 * self.radius {
            return None;
        }
        Some(Self::new(modulus.ln(), self.im.atan2(self.re), 2.0 * self.radius / modulus))
    }

    fn scale(self, factor: f64) -> Self {
        Self::new(self.re * factor, self.im * factor, self.radius * factor.abs())
    }

    fn times_i(self) -> Self {
        Self { re: -self.im, im: self.re, radius: self.radius }
    }

    /// Principal power, but the real root of a negative number where `odd_root` says that there is one.
    fn power(self, exponent: Self, odd_root: Option<bool>) -> Option<Self> {
        if self.modulus() == 0.0 && self.radius == 0.0 {
            return (exponent.re > exponent.radius).then_some(self);
        }
        if exponent.im == 0.0 && exponent.re.fract() == 0.0 && exponent.re.abs() <= 64.0 {
            let mut product = Self::real(1.0);
            for _ in 0..exponent.re.abs() as u32 {
                product = product.multiply(self);
            }
            return if exponent.re < 0.0 { product.invert() } else { Some(product) };
        }
        if let Some(is_odd) = odd_root
            && self.is_real()
            && self.re < 0.0
        {
            let root = Self { re: -self.re, im: 0.0, ..self }.ln()?.multiply(exponent).exp();
            return Some(if is_odd { root.scale(-1.0) } else { root });
        }
        Some(self.ln()?.multiply(exponent).exp())
    }
}

/// The value with `values[k]` for the variable `symbols[k]`; `None` where it has none or is no scalar.
pub(crate) fn evaluate(expr: &Expr, symbols: &[String], values: &[f64]) -> Option<Ball> {
    let at = |expr: &Expr| evaluate(expr, symbols, values);
    let ball = match expr {
        Expr::Number(value) | Expr::Decimal(value) => {
            let ball = Ball::real(rational::to_f64(value));
            let is_exact = value.is_integer() && value.numer().bits() <= 53;
            if is_exact { Ball { radius: 0.0, ..ball } } else { ball }
        }
        Expr::Symbol(name) | Expr::Text(name) => {
            let value = *values.get(symbols.binary_search(name).ok()?)?;
            Ball { re: value, im: 0.0, radius: 0.0 }
        }
        Expr::Constant(Constant::Pi) => Ball::real(std::f64::consts::PI),
        Expr::Constant(Constant::Euler) => Ball::real(std::f64::consts::E),
        Expr::Constant(Constant::Imaginary) => Ball { re: 0.0, im: 1.0, radius: 0.0 },
        Expr::Sum(terms) => {
            let mut sum = Ball::real(0.0);
            for term in terms {
                sum = sum.add(at(term)?);
            }
            sum
        }
        Expr::Product(factors) => {
            let mut product = Ball { re: 1.0, im: 0.0, radius: 0.0 };
            for factor in factors {
                product = product.multiply(at(factor)?);
            }
            product
        }
        Expr::Power(base, exponent) => at(base)?.power(at(exponent)?, odd_root(exponent))?,
        Expr::Percent(value) => at(value)?.scale(0.01),
        Expr::Quantity(value, _) => at(value)?,
        Expr::Call(Function::Binomial, arguments) => {
            let [of, choose] = arguments.as_slice() else { return None };
            let (of, choose) = (at(of)?, at(choose)?);
            let rest = of.add(choose.scale(-1.0));
            gamma(of)?.multiply(gamma(choose)?.multiply(gamma(rest)?).invert()?)
        }
        Expr::Call(function, arguments) => call(*function, at(arguments.first()?)?)?,
        _ => return None,
    };
    ball.modulus().is_finite().then_some(ball)
}

/// For an exponent p/q in lowest terms with odd q: whether p is odd.
pub(crate) fn odd_root(exponent: &Expr) -> Option<bool> {
    let quotient = literal_quotient(exponent)?;
    let is_odd = |number: &num_bigint::BigInt| number.bit(0);
    (!quotient.is_integer() && is_odd(quotient.denom())).then(|| is_odd(&quotient.numer().abs()))
}

/// A quotient of integers that is written as one, as in `1/3`, `-\frac{2}{3}` or the index of a root.
pub(crate) fn literal_quotient(expr: &Expr) -> Option<rational::Rational> {
    match expr {
        Expr::Number(value) => Some(value.clone()),
        Expr::Power(base, exponent) => match (base.as_ref(), exponent.as_ref()) {
            (Expr::Number(base), Expr::Number(exponent)) if *exponent == rational::integer(-1) => {
                rational::power(base, -1)
            }
            _ => None,
        },
        Expr::Product(factors) if factors.len() <= 3 => factors
            .iter()
            .try_fold(rational::integer(1), |product, factor| Some(product * literal_quotient(factor)?)),
        _ => None,
    }
}

fn call(function: Function, x: Ball) -> Option<Ball> {
    let one = Ball { re: 1.0, im: 0.0, radius: 0.0 };
    // (exp(ix), exp(-ix)) and (exp(x), exp(-x)).
    let circular = || (x.times_i().exp(), x.times_i().scale(-1.0).exp());
    let hyperbolic = || (x.exp(), x.scale(-1.0).exp());
    let sum = |(a, b): (Ball, Ball)| a.add(b);
    let difference = |(a, b): (Ball, Ball)| a.add(b.scale(-1.0));
    let sine = || difference(circular()).times_i().scale(-0.5);
    let cosine = || sum(circular()).scale(0.5);
    let real = |value: f64, slope: f64| x.is_real().then(|| Ball::new(value, 0.0, 2.0 * x.radius * slope));
    match function {
        Function::Sin => Some(sine()),
        Function::Cos => Some(cosine()),
        Function::Tan => Some(sine().multiply(cosine().invert()?)),
        Function::Cot => Some(cosine().multiply(sine().invert()?)),
        Function::Sec => cosine().invert(),
        Function::Csc => sine().invert(),
        Function::Sinh => Some(difference(hyperbolic()).scale(0.5)),
        Function::Cosh => Some(sum(hyperbolic()).scale(0.5)),
        Function::Tanh => Some(difference(hyperbolic()).multiply(sum(hyperbolic()).invert()?)),
        Function::Exp => Some(x.exp()),
        Function::Ln => x.ln(),
        Function::Log => Some(x.ln()?.scale(std::f64::consts::LOG10_E)),
        Function::Sqrt => x.power(one.scale(0.5), None),
        Function::Arcsin if x.re.abs() < 1.0 => real(x.re.asin(), 1.0 / (1.0 - x.re * x.re).sqrt()),
        Function::Arccos if x.re.abs() < 1.0 => real(x.re.acos(), 1.0 / (1.0 - x.re * x.re).sqrt()),
        Function::Arcsin if x.re.abs() == 1.0 => {
            real(x.re.asin(), x.radius.sqrt() / x.radius.max(f64::MIN_POSITIVE))
        }
        Function::Arccos if x.re.abs() == 1.0 => {
            real(x.re.acos(), x.radius.sqrt() / x.radius.max(f64::MIN_POSITIVE))
        }
        Function::Arctan => real(x.re.atan(), 1.0),
        Function::Abs => Some(Ball::new(x.modulus(), 0.0, x.radius)),
        Function::Floor | Function::Ceil => {
            // At a jump the value is not known.
            let round = if function == Function::Floor { f64::floor } else { f64::ceil };
            let (low, high) = (round(x.re - x.radius), round(x.re + x.radius));
            (x.is_real() && low == high).then_some(Ball { re: low, im: 0.0, radius: 0.0 })
        }
        Function::Factorial => gamma(x),
        _ => None,
    }
}

/// The gamma function at `x + 1` for real x between -20 and 160: Stirling's series above 12, the recurrence below.
fn gamma(x: Ball) -> Option<Ball> {
    if !x.is_real() || !(-20.0..160.0).contains(&x.re) {
        return None;
    }
    let (mut z, mut divisor) = (x.re + 1.0, 1.0);
    while z < 12.0 {
        divisor *= z;
        z += 1.0;
    }
    if divisor == 0.0 {
        return None;
    }
    let w = 1.0 / (z * z);
    let series = (1.0 / 12.0 - w * (1.0 / 360.0 - w * (1.0 / 1260.0 - w * (1.0 / 1680.0 - w / 1188.0)))) / z;
    let logarithm = (z - 0.5) * z.ln() - z + 0.5 * (2.0 * std::f64::consts::PI).ln() + series;
    let value = logarithm.exp() / divisor;
    // The series is good to 1e-12 there, the exponential loses the digits of the logarithm before its point; the slope is at
    // most the value times ln z, but near a pole, where 1e-9 is too much to ask anyway.
    Some(Ball::new(value, 0.0, value.abs() * (4e-12 + 2.0 * x.radius * (z.ln() + 20.0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::parse;

    #[test]
    fn values_are_within_their_bounds() {
        for (text, value) in [
            ("\\sin(\\pi/6)+\\cos^2(\\pi/4)", 1.0),
            ("e^{i\\pi}", -1.0),
            ("\\sqrt[3]{-8}", -2.0),
            ("\\ln 2/\\ln 4", 0.5),
            ("\\binom{10}{3}+5!", 240.0),
            ("\\lfloor 7/2\\rfloor", 3.0),
            ("\\arctan 1", std::f64::consts::FRAC_PI_4),
            ("|3-4i|", 5.0),
        ] {
            let ball = evaluate(&parse(text).unwrap(), &[], &[]).unwrap();
            assert!(ball.is_conclusive(), "{text} {ball:?}");
            assert!((ball.re - value).hypot(ball.im) <= ball.radius, "{text} {ball:?}");
        }
        let half_factorial = evaluate(&parse("x!").unwrap(), &["x".into()], &[0.5]).unwrap();
        assert!((half_factorial.re - 0.886_226_925_452_758).abs() < 1e-13);
        assert_eq!(evaluate(&parse("1/x").unwrap(), &["x".into()], &[0.0]), None);
    }
}
