//! The algebraic normal form: a quotient of polynomials over the rationals in generators that are independent, so that
//! two values are equal exactly when the difference of their forms has no terms.
//!
//! Generators are primes under fractional powers (sqrt 6 is 2^1/2 3^1/2), the imaginary unit, pi, e, logarithms of primes,
//! variables, and powers with variables in the exponent (4^n is (2^n)^2). Real radicals of distinct primes are linearly
//! independent over the rationals (Besicovitch 1940), and so are their products with i; pi, e and logarithms of primes are
//! taken to be algebraically independent, which nobody doubts and nobody proved. Everything else, a nested radical or a
//! function's value, is an opaque generator: then equal forms prove equality, and unequal forms prove nothing.

use num_integer::Integer;
use num_rational::Ratio;
use num_traits::{CheckedAdd, CheckedMul, One, ToPrimitive, Zero};

use crate::expr::Function;
use crate::polynomial::Polynomial;
use crate::rational::{self, Rational};

/// Exponent of a generator.
pub(crate) type Exponent = Ratio<i64>;

/// Terms of one polynomial; beyond, the comparison falls back on evaluation.
const MAX_TERMS: usize = 600;
/// Steps that one normal form may cost: about one a product of two terms, more for long coefficients.
const MAX_WORK: u64 = 40_000;
/// Steps that the product of two denominators that are 1 counts for.
const PRODUCT_OF_ONES: u64 = 2;

/// What can't be written as a polynomial in the generators before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Generator {
    Prime(u64),
    Imaginary,
    Pi,
    Euler,
    Symbol(String),
    /// Natural logarithm of a prime.
    Logarithm(u64),
    /// A base to the power of a monomial with variables.
    Exponential(Box<Generator>, Monomial),
    /// A radicand that is no monomial of positive constants: opaque.
    Radicand(Box<Quotient>),
    /// A function's value: opaque.
    Value(Function, Vec<Quotient>),
}

/// Generators with their exponents, sorted, none of them 0.
pub(crate) type Monomial = Vec<(Generator, Exponent)>;

/// A numerator and a denominator that is not 0. A denominator of one term is always 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quotient {
    pub(crate) numerator: Polynomial,
    pub(crate) denominator: Polynomial,
}

/// Why there is no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoForm {
    /// It would be too long.
    TooLarge,
    /// Division by zero and the like: it has no value at all.
    Undefined,
    /// It is no scalar.
    NotScalar,
}

/// The state of one conversion: how much it may still cost, and whether something opaque was met.
#[derive(Debug)]
pub(crate) struct Algebra {
    work: u64,
    /// Whether unequal forms are unequal values.
    pub(crate) is_decisive: bool,
}

impl Algebra {
    /// With the work that is left of a comparison, but no more than one normal form may cost.
    pub(crate) fn new(work: u64) -> Self {
        Self { work: work.min(MAX_WORK), is_decisive: true }
    }

    pub(crate) fn work_left(&self) -> u64 {
        self.work
    }

    /// # Errors
    /// There is not enough left.
    pub(crate) fn spend(&mut self, cost: u64) -> Result<(), NoForm> {
        self.work = self.work.checked_sub(cost).ok_or(NoForm::TooLarge)?;
        Ok(())
    }

    fn add_term(
        &mut self,
        sum: &mut Polynomial,
        monomial: Monomial,
        coefficient: Rational,
    ) -> Result<(), NoForm> {
        self.spend(rational::cost(rational::bits(&coefficient)))?;
        if rational::bits(&coefficient) > 2 * rational::MAX_BITS || sum.len() > MAX_TERMS {
            return Err(NoForm::TooLarge);
        }
        if coefficient.is_zero() {
            return Ok(());
        }
        sum.add(monomial, coefficient);
        Ok(())
    }

    /// # Errors
    /// It is too large.
    fn add_polynomials(&mut self, mut left: Polynomial, right: Polynomial) -> Result<Polynomial, NoForm> {
        for (monomial, coefficient) in right {
            self.add_term(&mut left, monomial, coefficient)?;
        }
        Ok(left)
    }

    fn multiply_polynomials(&mut self, left: &Polynomial, right: &Polynomial) -> Result<Polynomial, NoForm> {
        let mut product = Polynomial::default();
        for (left_monomial, left_coefficient) in left {
            for (right_monomial, right_coefficient) in right {
                let size = rational::bits(left_coefficient) + rational::bits(right_coefficient);
                self.spend((left_monomial.len() + right_monomial.len()) as u64 / 4 + rational::cost(size))?;
                let (unit, monomial) = multiply_monomials(left_monomial, right_monomial)?;
                let mut coefficient = rational::product(left_coefficient, right_coefficient);
                if !unit.is_one() {
                    coefficient = rational::product(&coefficient, &unit);
                }
                self.add_term(&mut product, monomial, coefficient)?;
            }
        }
        Ok(product)
    }

    pub(crate) fn add(&mut self, left: Quotient, right: Quotient) -> Result<Quotient, NoForm> {
        if left.denominator == right.denominator {
            let numerator = self.add_polynomials(left.numerator, right.numerator)?;
            return self.quotient(numerator, left.denominator);
        }
        let a = self.multiply_polynomials(&left.numerator, &right.denominator)?;
        let b = self.multiply_polynomials(&right.numerator, &left.denominator)?;
        let denominator = self.multiply_polynomials(&left.denominator, &right.denominator)?;
        let numerator = self.add_polynomials(a, b)?;
        self.quotient(numerator, denominator)
    }

    pub(crate) fn multiply(&mut self, left: &Quotient, right: &Quotient) -> Result<Quotient, NoForm> {
        let numerator = self.multiply_polynomials(&left.numerator, &right.numerator)?;
        if left.denominator.is_one() && right.denominator.is_one() {
            self.spend(PRODUCT_OF_ONES)?;
            return Ok(Quotient { numerator, denominator: one() });
        }
        let denominator = self.multiply_polynomials(&left.denominator, &right.denominator)?;
        self.quotient(numerator, denominator)
    }

    /// # Errors
    /// The value is 0, or the result too large.
    pub(crate) fn invert(&mut self, value: &Quotient) -> Result<Quotient, NoForm> {
        self.quotient(value.denominator.clone(), value.numerator.clone())
    }

    pub(crate) fn subtract(&mut self, left: Quotient, right: Quotient) -> Result<Quotient, NoForm> {
        let numerator = right.numerator.map_coefficients(|coefficient| -coefficient);
        self.add(left, Quotient { numerator, denominator: right.denominator })
    }

    /// Repeated squaring; `exponent` is not negative.
    pub(crate) fn power(&mut self, base: &Quotient, mut exponent: u64) -> Result<Quotient, NoForm> {
        let mut result = Quotient::from(Rational::one());
        let mut square = base.clone();
        while exponent > 0 {
            if exponent.is_odd() {
                result = self.multiply(&result, &square)?;
            }
            exponent >>= 1;
            if exponent > 0 {
                square = self.multiply(&square, &square)?;
            }
        }
        Ok(result)
    }

    /// Brings the denominator to 1 if it is one term, else divides both by its leading term.
    fn quotient(&mut self, numerator: Polynomial, denominator: Polynomial) -> Result<Quotient, NoForm> {
        let Some((monomial, coefficient)) = denominator.last() else {
            return Err(NoForm::Undefined);
        };
        if denominator.is_one() {
            return Ok(Quotient { numerator, denominator });
        }
        if numerator.is_empty() {
            return Ok(Quotient { numerator, denominator: one() });
        }
        let (unit, inverse) = invert_monomial(monomial)?;
        let scale = Polynomial::term(inverse, unit / coefficient);
        let numerator = self.multiply_polynomials(&numerator, &scale)?;
        let denominator = self.multiply_polynomials(&denominator, &scale)?;
        // The leading term became 1 up to a constant that no monomial holds.
        Ok(Quotient { numerator, denominator })
    }
}

fn one() -> Polynomial {
    Polynomial::term(Monomial::new(), Rational::one())
}

impl From<Rational> for Quotient {
    fn from(value: Rational) -> Self {
        let numerator =
            if value.is_zero() { Polynomial::default() } else { Polynomial::term(Monomial::new(), value) };
        Self { numerator, denominator: one() }
    }
}

impl Quotient {
    pub(crate) fn generator(generator: Generator, exponent: Exponent) -> Result<Self, NoForm> {
        Self::monomial(vec![(generator, exponent)], Rational::one())
    }

    /// # Errors
    /// Exponents out of range.
    pub(crate) fn monomial(monomial: Monomial, coefficient: Rational) -> Result<Self, NoForm> {
        let (unit, monomial) = multiply_monomials(&monomial, &Monomial::new())?;
        let coefficient = rational::product(&coefficient, &unit);
        Ok(Self { numerator: Polynomial::term(monomial, coefficient), denominator: one() })
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.numerator.is_empty()
    }

    /// The only term, if the value is one.
    pub(crate) fn as_term(&self) -> Option<(&Monomial, &Rational)> {
        let is_term = self.numerator.len() == 1 && self.is_polynomial();
        is_term
            .then(|| self.numerator.first())
            .flatten()
            .map(|(monomial, coefficient)| (monomial, coefficient))
    }

    pub(crate) fn is_polynomial(&self) -> bool {
        self.denominator.len() == 1
    }

    pub(crate) fn as_rational(&self) -> Option<Rational> {
        if self.is_zero() {
            return Some(Rational::zero());
        }
        self.as_term().filter(|(monomial, _)| monomial.is_empty()).map(|(_, coefficient)| coefficient.clone())
    }
}

/// The product of two monomials and the rational that comes out of it: whole powers of primes, and the sign of i^2.
fn multiply_monomials(left: &Monomial, right: &Monomial) -> Result<(Rational, Monomial), NoForm> {
    let mut unit = Rational::one();
    let mut product = Monomial::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let (generator, exponent) = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a.0 == b.0 => {
                let sum = bounded(a.1.checked_add(&b.1))?;
                let generator = &a.0;
                left.next();
                right.next();
                (generator, sum)
            }
            (Some(a), Some(b)) if a.0 < b.0 => {
                let term = *a;
                left.next();
                (&term.0, term.1)
            }
            (_, Some(b)) => {
                let term = *b;
                right.next();
                (&term.0, term.1)
            }
            (Some(a), None) => {
                let term = *a;
                left.next();
                (&term.0, term.1)
            }
            (None, None) => return Ok((unit, product)),
        };
        let rest = match generator {
            Generator::Prime(prime) => {
                let whole = exponent.floor().to_integer();
                match rational::power(&Rational::from_integer((*prime).into()), whole) {
                    _ if whole == 0 => exponent,
                    Some(power) => {
                        unit = rational::product(&unit, &power);
                        exponent - whole
                    }
                    // Too long to write out: it stays a power.
                    None => exponent,
                }
            }
            Generator::Imaginary if exponent.is_integer() => {
                let turns = exponent.to_integer().rem_euclid(4);
                if turns >= 2 {
                    unit = -unit;
                }
                Exponent::from_integer(turns % 2)
            }
            _ => exponent,
        };
        if !rest.is_zero() {
            product.push((generator.clone(), rest));
        }
    }
}

fn invert_monomial(monomial: &Monomial) -> Result<(Rational, Monomial), NoForm> {
    let inverse: Monomial =
        monomial.iter().map(|(generator, exponent)| (generator.clone(), -*exponent)).collect();
    multiply_monomials(&inverse, &Monomial::new())
}

/// Every exponent times `factor`.
pub(crate) fn scale_exponents(monomial: &Monomial, factor: Exponent) -> Result<Monomial, NoForm> {
    monomial
        .iter()
        .map(|(generator, exponent)| Ok((generator.clone(), bounded(exponent.checked_mul(&factor))?)))
        .collect()
}

/// Exponents stay far from where their own arithmetic would overflow.
fn bounded(exponent: Option<Exponent>) -> Result<Exponent, NoForm> {
    const LIMIT: i64 = 1 << 40;
    exponent
        .filter(|exponent| exponent.numer().abs() <= LIMIT && *exponent.denom() <= LIMIT)
        .ok_or(NoForm::TooLarge)
}

/// A rational as an exponent.
///
/// # Errors
/// It is too large.
pub(crate) fn exponent(value: &Rational) -> Result<Exponent, NoForm> {
    let parts = value.numer().to_i64().zip(value.denom().to_i64());
    bounded(parts.filter(|(numerator, _)| *numerator != i64::MIN).map(|(n, d)| Exponent::new_raw(n, d)))
}

/// Whether the generator is known to be a positive real number.
pub(crate) fn is_positive(generator: &Generator) -> bool {
    matches!(generator, Generator::Prime(_) | Generator::Pi | Generator::Euler | Generator::Logarithm(_))
}
