//! Exact rationals of any size, and the few operations on them that must be bounded.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::Ratio;
use num_traits::float::FloatCore;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

/// A rational number in lowest terms.
pub(crate) type Rational = Ratio<BigInt>;

/// Powers above this many bits are not written out. 2^14 bits are 4,900 decimal digits.
pub(crate) const MAX_BITS: u64 = 1 << 14;

pub(crate) fn integer(value: i64) -> Rational {
    Rational::from_integer(value.into())
}

/// `numerator / denominator`; the denominator must not be 0.
pub(crate) fn fraction(numerator: i64, denominator: i64) -> Rational {
    Rational::new(numerator.into(), denominator.into())
}

/// Size of numerator and denominator together, the measure of what arithmetic costs.
pub(crate) fn bits(value: &Rational) -> u64 {
    value.numer().bits() + value.denom().bits()
}

/// What an operation on numbers of this many bits costs, in steps: their common divisor takes quadratic time.
pub(crate) fn cost(bits: u64) -> u64 {
    let words = bits / 64;
    1 + words * words / 8
}

/// Reads decimal digits with at most one point, and no sign or exponent. `None` for anything else.
pub(crate) fn parse_decimal(text: &str) -> Option<Rational> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() <= 1 && whole.is_empty() || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    if part.is_empty() {
        return Some(Rational::from_integer(BigInt::parse_bytes(whole.as_bytes(), 10)?));
    }
    let numerator = BigInt::parse_bytes([whole, part].concat().as_bytes(), 10)?;
    Some(quotient(numerator, BigInt::from(10).pow(part.len())))
}

/// The quotient in lowest terms; the denominator is above 0. `Ratio` looks for a common divisor bit by bit in heap memory,
/// which takes far longer than to find it in machine words.
fn quotient(numerator: BigInt, denominator: BigInt) -> Rational {
    match (numerator.to_i64(), denominator.to_i64()) {
        (Some(n), Some(d)) => in_words(n, d),
        _ => Rational::new(numerator, denominator),
    }
}

/// The same of machine words.
fn in_words(numerator: i64, denominator: i64) -> Rational {
    // The divisor is at most the denominator, so that it has a sign of its own to spare.
    let divisor = numerator.unsigned_abs().gcd(&denominator.unsigned_abs()) as i64;
    Rational::new_raw((numerator / divisor).into(), (denominator / divisor).into())
}

/// Numerator and denominator, where both are machine words.
fn words(value: &Rational) -> Option<(i64, i64)> {
    value.numer().to_i64().zip(value.denom().to_i64())
}

/// The product. That of integers needs no common divisor, and that of most others finds it in machine words.
pub(crate) fn product(left: &Rational, right: &Rational) -> Rational {
    if left.is_integer() && right.is_integer() {
        return Rational::from_integer(left.numer() * right.numer());
    }
    let in_words = || {
        let ((a, b), (c, d)) = words(left).zip(words(right))?;
        Some(in_words(a.checked_mul(c)?, b.checked_mul(d)?))
    };
    in_words().unwrap_or_else(|| left * right)
}

/// The sum, likewise.
pub(crate) fn sum(left: &Rational, right: &Rational) -> Rational {
    if left.is_integer() && right.is_integer() {
        return Rational::from_integer(left.numer() + right.numer());
    }
    let in_words = || {
        let ((a, b), (c, d)) = words(left).zip(words(right))?;
        Some(in_words(a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?, b.checked_mul(d)?))
    };
    in_words().unwrap_or_else(|| left + right)
}

/// `base` to an integer power, or `None` when it is too long to write out or 0 to a power below 1.
pub(crate) fn power(base: &Rational, exponent: i64) -> Option<Rational> {
    if base.is_zero() {
        return (exponent > 0).then(Rational::zero);
    }
    if base.abs().is_one() {
        let is_negative = base.is_negative() && exponent.is_odd();
        return Some(if is_negative { -Rational::one() } else { Rational::one() });
    }
    let size = u32::try_from(exponent.unsigned_abs()).ok()?;
    if bits(base).checked_mul(u64::from(size))? > MAX_BITS {
        return None;
    }
    let (numerator, denominator) = (base.numer().pow(size), base.denom().pow(size));
    Some(if exponent < 0 {
        // Still in lowest terms, but for the sign of the denominator.
        if numerator.is_negative() {
            Rational::new_raw(-denominator, -numerator)
        } else {
            Rational::new_raw(denominator, numerator)
        }
    } else {
        Rational::new_raw(numerator, denominator)
    })
}

/// The nearest double, also when numerator and denominator are out of its range by themselves. Its relative error is below
/// 2^-50; infinite or 0 where the quotient is out of range.
pub(crate) fn to_f64(value: &Rational) -> f64 {
    let shift_of = |number: &BigInt| number.bits().saturating_sub(1000);
    let (up, down) = (shift_of(value.numer()), shift_of(value.denom()));
    let numerator = (value.numer() >> up).to_f64().unwrap_or(f64::NAN);
    let denominator = (value.denom() >> down).to_f64().unwrap_or(f64::NAN);
    numerator / denominator * ((up as f64) - (down as f64)).exp2()
}

/// The exact value of a double; `None` for what is no number.
pub(crate) fn from_f64(value: f64) -> Option<Rational> {
    if !value.is_finite() {
        return None;
    }
    let (mantissa, exponent, sign) = FloatCore::integer_decode(value);
    let scale = BigInt::one() << exponent.unsigned_abs();
    let signed = BigInt::from(mantissa) * sign;
    Some(if exponent >= 0 { Rational::from_integer(signed * scale) } else { Rational::new(signed, scale) })
}

/// Prime factors below this are found by division; a rest below its square is prime too.
const TRIAL_LIMIT: u64 = 1 << 10;

/// Prime factors with multiplicities of an integer above 0, or `None` where a part of it is too large to be told prime.
pub(crate) fn factor(number: &BigInt) -> Option<Vec<(u64, i64)>> {
    if number.bits() > 4096 {
        return None;
    }
    let mut rest = number.clone();
    let mut factors = Vec::new();
    let mut prime = 2_u64;
    while prime < TRIAL_LIMIT && !rest.is_one() {
        if rest.bits() <= 63 {
            return factor_word(rest.to_u64()?, prime, factors);
        }
        let mut count = 0;
        loop {
            let (quotient, remainder) = rest.div_rem(&BigInt::from(prime));
            if !remainder.is_zero() {
                break;
            }
            rest = quotient;
            count += 1;
        }
        if count > 0 {
            factors.push((prime, count));
        }
        prime += if prime == 2 { 1 } else { 2 };
    }
    rest.is_one().then_some(factors)
}

/// The rest of [`factor`] in machine words, from the candidate `prime` on.
fn factor_word(mut rest: u64, mut prime: u64, mut factors: Vec<(u64, i64)>) -> Option<Vec<(u64, i64)>> {
    while prime < TRIAL_LIMIT && prime * prime <= rest {
        let mut count = 0;
        while rest.is_multiple_of(prime) {
            rest /= prime;
            count += 1;
        }
        if count > 0 {
            factors.push((prime, count));
        }
        prime += if prime == 2 { 1 } else { 2 };
    }
    if rest == 1 {
        return Some(factors);
    }
    let root = rest.isqrt();
    if rest < TRIAL_LIMIT * TRIAL_LIMIT {
        factors.push((rest, 1));
    } else if root * root == rest && root < TRIAL_LIMIT * TRIAL_LIMIT {
        factors.push((root, 2));
    } else {
        return None;
    }
    Some(factors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_and_powers_are_exact_within_their_bounds() {
        assert_eq!(parse_decimal("0.125"), Some(fraction(1, 8)));
        assert_eq!(parse_decimal("."), None);
        assert_eq!(power(&fraction(-2, 3), -3), Some(fraction(-27, 8)));
        assert_eq!(power(&integer(10), i64::MAX), None);
        assert_eq!(power(&integer(-1), i64::MAX), Some(integer(-1)));
        let huge = power(&integer(10), 3000).unwrap();
        assert_eq!(from_f64(-0.375), Some(fraction(-3, 8)));
        assert_eq!(from_f64(f64::NAN), None);
        assert!((to_f64(&(&huge / (&huge * integer(3)))) - 1.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn integers_fall_into_primes() {
        assert_eq!(factor(&BigInt::from(360)), Some(vec![(2, 3), (3, 2), (5, 1)]));
        assert_eq!(factor(&BigInt::from(1_000_003 * 2)), Some(vec![(2, 1), (1_000_003, 1)]));
        assert_eq!(factor(&BigInt::from(1_000_003_u64 * 1_000_033)), None);
    }
}
