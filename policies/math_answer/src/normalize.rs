//! From syntax to the [normal form](crate::normal_form).

use num_bigint::BigInt;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::expr::{Constant, Expr, Function};
use crate::normal_form::{
    self, Algebra, Exponent, Generator, Monomial, NoForm, Quotient, is_positive, scale_exponents,
};
use crate::rational::{self, Rational};

/// Factorials and binomials up to this argument are written out.
const MAX_FACTORIAL: i64 = 1000;
/// Sums are expanded up to this power.
const MAX_EXPANSION: u64 = 100;

/// # Errors
/// The value is too large, undefined, or no scalar.
pub(crate) fn normalize(expr: &Expr, algebra: &mut Algebra) -> Result<Quotient, NoForm> {
    match expr {
        Expr::Number(value) | Expr::Decimal(value) => Ok(value.clone().into()),
        Expr::Symbol(name) | Expr::Text(name) => {
            Quotient::generator(Generator::Symbol(name.clone()), Exponent::one())
        }
        Expr::Constant(constant) => match constant {
            Constant::Pi => Quotient::generator(Generator::Pi, Exponent::one()),
            Constant::Euler => Quotient::generator(Generator::Euler, Exponent::one()),
            Constant::Imaginary => Quotient::generator(Generator::Imaginary, Exponent::one()),
            Constant::Infinity => Err(NoForm::NotScalar),
        },
        Expr::Sum(terms) => {
            let mut sum = Quotient::from(Rational::zero());
            for term in terms {
                let term = normalize(term, algebra)?;
                sum = algebra.add(sum, term)?;
            }
            Ok(sum)
        }
        Expr::Product(factors) => {
            let mut product = Quotient::from(Rational::one());
            for factor in factors {
                let factor = normalize(factor, algebra)?;
                product = algebra.multiply(&product, &factor)?;
            }
            Ok(product)
        }
        Expr::Power(base, exponent) => {
            let base = normalize(base, algebra)?;
            let exponent = normalize(exponent, algebra)?;
            power(&base, &exponent, algebra)
        }
        Expr::Call(function, arguments) => {
            let arguments = arguments
                .iter()
                .map(|argument| normalize(argument, algebra))
                .collect::<Result<Vec<_>, _>>()?;
            call(*function, arguments, algebra)
        }
        Expr::Percent(value) => {
            let value = normalize(value, algebra)?;
            algebra.multiply(&value, &rational::fraction(1, 100).into())
        }
        Expr::Quantity(value, _) => normalize(value, algebra),
        _ => Err(NoForm::NotScalar),
    }
}

fn power(base: &Quotient, exponent: &Quotient, algebra: &mut Algebra) -> Result<Quotient, NoForm> {
    let Some(rational) = exponent.as_rational() else { return exponential(base, exponent, algebra) };
    if base.is_zero() {
        return if rational.is_positive() { Ok(base.clone()) } else { Err(NoForm::Undefined) };
    }
    let exponent = normal_form::exponent(&rational)?;
    if exponent.is_integer() {
        return integer_power(base, exponent.to_integer(), algebra);
    }
    if let Some((monomial, coefficient)) = base.as_term() {
        return radical(monomial, coefficient, exponent, algebra);
    }
    opaque_radical(base, exponent, algebra)
}

fn integer_power(base: &Quotient, exponent: i64, algebra: &mut Algebra) -> Result<Quotient, NoForm> {
    if let Some((monomial, coefficient)) = base.as_term() {
        let monomial = scale_exponents(monomial, Exponent::from_integer(exponent))?;
        if let Some(coefficient) = rational::power(coefficient, exponent) {
            return Quotient::monomial(monomial, coefficient);
        }
        // Too long to write out: a power of primes instead.
        let (sign, mut primes) = prime_power(coefficient, Exponent::from_integer(exponent))?;
        primes.extend(monomial);
        let sign = if sign && exponent % 2 != 0 { -Rational::one() } else { Rational::one() };
        return product_of(primes, sign, algebra);
    }
    if exponent.unsigned_abs() > MAX_EXPANSION {
        return Err(NoForm::TooLarge);
    }
    let power = algebra.power(base, exponent.unsigned_abs())?;
    if exponent < 0 { algebra.invert(&power) } else { Ok(power) }
}

/// A term to a power that is no integer. Positive constants come out of the root; variables stay within unless there is
/// only one, to the first power, because sqrt(x^2) is not x.
fn radical(
    monomial: &Monomial,
    coefficient: &Rational,
    exponent: Exponent,
    algebra: &mut Algebra,
) -> Result<Quotient, NoForm> {
    let Ok((is_negative, mut outside)) = prime_power(coefficient, exponent) else {
        let base = Quotient::monomial(monomial.clone(), coefficient.clone())?;
        return opaque_radical(&base, exponent, algebra);
    };
    let (constants, mut inside): (Monomial, Monomial) =
        monomial.iter().cloned().partition(|(generator, _)| is_positive(generator));
    outside.extend(scale_exponents(&constants, exponent)?);
    let mut sign = Rational::one();
    if is_negative && inside.is_empty() {
        // The real root where there is one, else the principal one.
        if exponent.denom() % 2 == 1 {
            if exponent.numer() % 2 != 0 {
                sign = -sign;
            }
        } else if *exponent.denom() == 2 {
            outside.push((Generator::Imaginary, Exponent::from_integer(*exponent.numer())));
        } else {
            let base = Quotient::from(-Rational::one());
            let root = opaque_radical(&base, exponent, algebra)?;
            let outside = product_of(outside, sign, algebra)?;
            return algebra.multiply(&outside, &root);
        }
        return product_of(outside, sign, algebra);
    }
    if !is_negative
        && let [(Generator::Symbol(_), power)] = inside.as_slice()
        && power.is_one()
    {
        outside.extend(scale_exponents(&inside, exponent)?);
        inside.clear();
    }
    let outside = product_of(outside, sign, algebra)?;
    if inside.is_empty() {
        return Ok(outside);
    }
    let sign = if is_negative { -Rational::one() } else { Rational::one() };
    let root = opaque_radical(&Quotient::monomial(inside, sign)?, exponent, algebra)?;
    algebra.multiply(&outside, &root)
}

fn opaque_radical(base: &Quotient, exponent: Exponent, algebra: &mut Algebra) -> Result<Quotient, NoForm> {
    algebra.is_decisive = false;
    Quotient::generator(Generator::Radicand(Box::new(base.clone())), exponent)
}

/// Generators in any order, repeated ones too.
fn product_of(
    generators: Monomial,
    coefficient: Rational,
    algebra: &mut Algebra,
) -> Result<Quotient, NoForm> {
    let mut product = Quotient::from(coefficient);
    for (generator, exponent) in generators {
        let factor = Quotient::generator(generator, exponent)?;
        product = algebra.multiply(&product, &factor)?;
    }
    Ok(product)
}

/// Whether the value is negative, and the prime factors of its absolute value with exponents times `exponent`.
fn prime_power(value: &Rational, exponent: Exponent) -> Result<(bool, Monomial), NoForm> {
    let mut primes = Monomial::new();
    for (part, sign) in [(value.numer().abs(), 1), (value.denom().clone(), -1)] {
        for (prime, count) in rational::factor(&part).ok_or(NoForm::TooLarge)? {
            let count = Exponent::from_integer(count * sign);
            primes.extend(scale_exponents(&vec![(Generator::Prime(prime), count)], exponent)?);
        }
    }
    Ok((value.is_negative(), primes))
}

/// A power whose exponent has variables (or irrational constants) in it: each term of the exponent gives a factor.
/// Powers of products are distributed, as for whole exponents.
fn exponential(base: &Quotient, exponent: &Quotient, algebra: &mut Algebra) -> Result<Quotient, NoForm> {
    let Some((monomial, coefficient)) = base.as_term().filter(|_| exponent.is_polynomial()) else {
        if base.is_zero() {
            return Err(NoForm::Undefined);
        }
        algebra.is_decisive = false;
        let logarithm =
            Quotient::generator(Generator::Value(Function::Ln, vec![base.clone()]), Exponent::one())?;
        let exponent = algebra.multiply(&logarithm, exponent)?;
        return Quotient::generator(Generator::Value(Function::Exp, vec![exponent]), Exponent::one());
    };
    let (is_negative, mut bases) = prime_power(coefficient, Exponent::one())?;
    bases.extend(monomial.iter().cloned());
    let mut result = Quotient::from(Rational::one());
    for (term, factor) in &exponent.numerator {
        if term.is_empty() {
            // The constant part of the exponent, as in 2^(n+1).
            let part = power(base, &factor.clone().into(), algebra)?;
            result = algebra.multiply(&result, &part)?;
            continue;
        }
        let factor = normal_form::exponent(factor)?;
        let has_angle = term.iter().any(|(generator, _)| !matches!(generator, Generator::Symbol(_)));
        // e^(i pi) and (-1)^n satisfy relations that the form doesn't know.
        algebra.is_decisive &= !has_angle && !is_negative;
        if is_negative {
            let minus = Generator::Radicand(Box::new((-Rational::one()).into()));
            bases.push((minus, Exponent::one()));
        }
        for (generator, exponent) in &bases {
            algebra.is_decisive &= is_positive(generator) || matches!(generator, Generator::Symbol(_));
            let scaled = scale_exponents(&vec![(generator.clone(), *exponent)], factor)?;
            let factor = scaled.into_iter().map(|(generator, exponent)| {
                (Generator::Exponential(Box::new(generator), term.clone()), exponent)
            });
            let factor = Quotient::monomial(factor.collect(), Rational::one())?;
            result = algebra.multiply(&result, &factor)?;
        }
        if is_negative {
            bases.pop();
        }
    }
    Ok(result)
}

fn call(function: Function, arguments: Vec<Quotient>, algebra: &mut Algebra) -> Result<Quotient, NoForm> {
    let rational = arguments.first().and_then(Quotient::as_rational);
    match (function, rational) {
        (Function::Abs, Some(value)) => return Ok(value.abs().into()),
        (Function::Floor, Some(value)) => return Ok(value.floor().into()),
        (Function::Ceil, Some(value)) => return Ok(value.ceil().into()),
        (Function::Factorial, Some(value)) => {
            if let Some(value) = small(&value) {
                return Ok(falling_product(value, value).into());
            }
        }
        (Function::Binomial, Some(of)) => {
            let choose = arguments.get(1).and_then(Quotient::as_rational);
            if let (Some(of), Some(choose)) = (small(&of), choose.as_ref().and_then(small)) {
                if choose > of {
                    return Ok(Rational::zero().into());
                }
                return Ok((falling_product(of, choose) / falling_product(choose, choose)).into());
            }
        }
        (Function::Ln, _) => {
            if let Some((monomial, coefficient)) = arguments.first().and_then(Quotient::as_term)
                && coefficient.is_positive()
                && monomial
                    .iter()
                    .all(|(generator, _)| matches!(generator, Generator::Prime(_) | Generator::Euler))
                && let Ok((_, primes)) = prime_power(coefficient, Exponent::one())
            {
                return logarithm(primes.into_iter().chain(monomial.iter().cloned()), algebra);
            }
            if arguments.first().is_some_and(Quotient::is_zero) {
                return Err(NoForm::Undefined);
            }
        }
        (Function::Sin | Function::Tan | Function::Arcsin | Function::Arctan, Some(value))
            if value.is_zero() =>
        {
            return Ok(value.into());
        }
        (Function::Cos, Some(value)) if value.is_zero() => return Ok(Rational::one().into()),
        _ => {}
    }
    algebra.is_decisive = false;
    Quotient::generator(Generator::Value(function, arguments), Exponent::one())
}

/// A whole number from 0 to [`MAX_FACTORIAL`].
fn small(value: &Rational) -> Option<i64> {
    let value = value.is_integer().then(|| value.numer().to_i64()).flatten()?;
    (0..=MAX_FACTORIAL).contains(&value).then_some(value)
}

/// The product of the `count` integers up to `last`.
fn falling_product(last: i64, count: i64) -> Rational {
    Rational::from_integer(((last - count + 1)..=last).map(BigInt::from).product())
}

fn logarithm(
    factors: impl Iterator<Item = (Generator, Exponent)>,
    algebra: &mut Algebra,
) -> Result<Quotient, NoForm> {
    let mut sum = Quotient::from(Rational::zero());
    for (generator, exponent) in factors {
        let coefficient = Rational::new((*exponent.numer()).into(), (*exponent.denom()).into());
        let term = match generator {
            Generator::Prime(prime) => {
                Quotient::monomial(vec![(Generator::Logarithm(prime), Exponent::one())], coefficient)?
            }
            _ => coefficient.into(),
        };
        sum = algebra.add(sum, term)?;
    }
    Ok(sum)
}
