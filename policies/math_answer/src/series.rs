//! Elementary functions of numbers with a fixed count of binary places, as long as they need to be.
//!
//! A number x stands as the integer nearest to x * 2^places, give or take. Every function here works with [`GUARD`] places more
//! than it is asked for and is right to one unit of the last place that it is asked for.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// Places that are computed beyond those asked for: rounding takes one unit a step, and doublings 2 bits each.
const GUARD: u64 = 64;
/// How often an argument is halved before a series is summed, and the result doubled or squared.
const HALVINGS: u64 = 12;

pub(crate) fn one(places: u64) -> BigInt {
    BigInt::one() << places
}

/// Machin's formula.
pub(crate) fn pi(places: u64) -> BigInt {
    let wide = places + GUARD;
    let arctan = |of: u32| sum_of_odd_powers(one(wide) / of, |power| power / (of * of), true);
    (arctan(5) * 16 - arctan(239) * 4) >> GUARD
}

/// Twice the inverse hyperbolic tangent of a third.
fn ln_2(places: u64) -> BigInt {
    let wide = places + GUARD;
    (sum_of_odd_powers(one(wide) / 3, |power| power / 9, false) * 2) >> GUARD
}

/// `first / 1 - second / 3 + third / 5 - ..`, or with plus signs only.
fn sum_of_odd_powers(first: BigInt, next: impl Fn(BigInt) -> BigInt, alternates: bool) -> BigInt {
    let (mut power, mut sum) = (first, BigInt::zero());
    let mut divisor = 1_u32;
    while !power.is_zero() {
        let term = &power / divisor;
        if alternates && divisor % 4 == 3 {
            sum -= term
        } else {
            sum += term
        }
        power = next(power);
        divisor += 2;
    }
    sum
}

/// The exponential of x, if that is below 2^1100.
pub(crate) fn exp(x: &BigInt, places: u64) -> Option<BigInt> {
    let turns = x.div_floor(&ln_2(places)).to_i64()?;
    if turns > 1100 {
        return None;
    }
    // A large result needs its places before the point as well, and so does the multiple of ln 2 that is taken off.
    let wide = places + GUARD + u64::try_from(turns).unwrap_or(0) + 64 - u64::from(turns.leading_zeros());
    let rest = (x << (wide - places)) - ln_2(wide) * turns;
    let reduced = rest >> HALVINGS;
    let (mut term, mut sum) = (one(wide), one(wide));
    let mut step = 1_u32;
    while !term.is_zero() {
        term = ((term * &reduced) >> wide) / step;
        // A negative term ends at -1, not at 0.
        if term == -BigInt::one() {
            break;
        }
        sum += &term;
        step += 1;
    }
    for _ in 0..HALVINGS {
        sum = (&sum * &sum) >> wide;
    }
    let shift = i64::try_from(wide - places).ok()? - turns;
    Some(if shift >= 0 { sum >> shift } else { sum << -shift })
}

/// The natural logarithm of x > 0.
pub(crate) fn ln(x: &BigInt, places: u64) -> BigInt {
    let wide = places + GUARD;
    // x = m * 2^shift with 2/3 < m < 4/3.
    let mut shift = i64::try_from(x.bits()).unwrap_or(i64::MAX) - i64::try_from(places).unwrap_or(0);
    let scaled = |shift: i64| {
        let left = i64::try_from(GUARD).unwrap_or(0) - shift;
        if left >= 0 { x << left } else { x >> -left }
    };
    let mut mantissa = scaled(shift);
    if &mantissa * 3 < one(wide) * 2 {
        shift -= 1;
        mantissa = scaled(shift);
    }
    let quotient = ((&mantissa - one(wide)) << wide) / (&mantissa + one(wide));
    let square = (&quotient * &quotient) >> wide;
    let series = sum_of_odd_powers(quotient, |power| shift_down(power * &square, wide), false) * 2;
    (series + ln_2(wide) * shift) >> GUARD
}

/// Towards 0, so that a series of negative terms ends.
fn shift_down(value: BigInt, places: u64) -> BigInt {
    if value.is_negative() { -(-value >> places) } else { value >> places }
}

/// Sine and cosine of x.
pub(crate) fn sin_cos(x: &BigInt, places: u64) -> (BigInt, BigInt) {
    // As many turns are taken off as x has bits before its point.
    let wide = places + GUARD + x.bits().saturating_sub(places);
    let quarter = pi(wide) >> 1;
    let (turns, rest) = (x << (wide - places)).div_mod_floor(&quarter);
    let reduced = rest >> HALVINGS;
    let square = (&reduced * &reduced) >> wide;
    // The sine, and 1 - cos, which keeps its digits through the doublings.
    let mut sine = BigInt::zero();
    let mut versine = BigInt::zero();
    let mut term = reduced.clone();
    let mut step = 1_u32;
    while !term.is_zero() {
        if step % 4 == 1 {
            sine += &term
        } else {
            sine -= &term
        }
        term = ((term * &square) >> wide) / ((step + 1) * (step + 2));
        step += 2;
    }
    term = &square >> 1;
    step = 2;
    while !term.is_zero() {
        if step % 4 == 2 {
            versine += &term
        } else {
            versine -= &term
        }
        term = ((term * &square) >> wide) / ((step + 1) * (step + 2));
        step += 2;
    }
    for _ in 0..HALVINGS {
        // sin 2a = 2 sin a cos a, and 1 - cos 2a = 2 (1 - cos a) (1 + cos a).
        sine = (&sine * (one(wide) - &versine)) >> (wide - 1);
        versine = (&versine * ((one(wide) << 1) - &versine)) >> (wide - 1);
    }
    let cosine = one(wide) - versine;
    let narrow = |value: BigInt| value >> (wide - places);
    let (sine, cosine) = (narrow(sine), narrow(cosine));
    match turns.mod_floor(&BigInt::from(4)).to_u8() {
        Some(0) => (sine, cosine),
        Some(1) => (cosine, -sine),
        Some(2) => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// The arctangent of x.
pub(crate) fn arctan(x: &BigInt, places: u64) -> BigInt {
    let wide = places + GUARD;
    let mut reduced = x << GUARD;
    let halvings = 3;
    for _ in 0..halvings {
        // tan(a / 2) = tan a / (1 + sqrt(1 + tan^2 a))
        let root = ((one(wide) << wide) + &reduced * &reduced).sqrt();
        reduced = (reduced << wide) / (root + one(wide));
    }
    let square = (&reduced * &reduced) >> wide;
    let series = sum_of_odd_powers(reduced, |power| shift_down(power * &square, wide), true);
    series >> (GUARD - halvings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &BigInt, expected: &str, places: u64) {
        let digits = expected.replace('.', "");
        let decimals = expected.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let scale = BigInt::from(10).pow(u32::try_from(decimals).unwrap());
        let expected: BigInt = (digits.parse::<BigInt>().unwrap() << places) / &scale;
        let tolerance: BigInt = (one(places) * 2) / scale + 2;
        assert!((found - &expected).abs() <= tolerance, "{found} {expected}");
    }

    #[test]
    fn functions_are_right_to_their_last_place() {
        // Checked with mpmath 1.3, 50 digits.
        for places in [64, 200, 1024] {
            near(&pi(places), "3.14159265358979323846264338327950288419716939937510", places);
            near(&ln_2(places), "0.69314718055994530941723212145817656807550013436026", places);
            let two = one(places) * 2;
            near(&exp(&two, places).unwrap(), "7.38905609893065022723042746057500781318031557055185", places);
            near(
                &exp(&-two.clone(), places).unwrap(),
                "0.13533528323661269189399949497248440340763154590958",
                places,
            );
            near(
                &ln(&(one(places) * 10), places),
                "2.30258509299404568401799145468436420760110148862877",
                places,
            );
            near(
                &ln(&(one(places) / 8), places),
                "-2.07944154167983592825169636437452970422650040308076",
                places,
            );
            let (sine, cosine) = sin_cos(&(one(places) * 10), places);
            near(&sine, "-0.54402111088936981340474766185137728168364301291622", places);
            near(&cosine, "-0.83907152907645245225886394782406483451993016513317", places);
            near(&arctan(&two, places), "1.10714871779409050301706546017853704007004764540143", places);
            near(
                &arctan(&-one(places), places),
                "-0.78539816339744830961566084581987572104929234984378",
                places,
            );
        }
        let hundred = exp(&(one(128) * 100), 128).unwrap();
        assert!((hundred >> 128_u64).to_string().starts_with("268811714181613544841262555158"));
    }
}
