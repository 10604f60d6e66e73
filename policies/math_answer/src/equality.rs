//! Whether two scalars are equal.
//!
//! Exactly, by the [normal form](crate::normal_form), wherever that decides. Otherwise both are evaluated, and what is not
//! told apart in double precision is evaluated to more places ([`agreement`](crate::agreement) states the error).

use std::cell::Cell;

use num_traits::{Signed, Zero};

use crate::agreement::agree;
use crate::evaluate::evaluate;
use crate::expr::{Constant, Expr};
use crate::function_call::in_radians;
use crate::normal_form::{Algebra, NoForm, Quotient};
use crate::normalize::normalize;
use crate::rational::{self, Rational};
use crate::units;

/// A rounded value shows at least this many decimal places ..
const MIN_PLACES: u32 = 6;
/// .. and is at least this many units of its last place.
const MIN_UNITS: i64 = 1000;
/// The same where both are written as numbers, one of them with fewer digits.
const MIN_UNITS_OF_TWO: i64 = 100_000;

/// What one comparison of two answers may cost, in steps of the algebra.
#[derive(Debug)]
pub(crate) struct Work {
    left: Cell<u64>,
    /// What was left when the last algebra began.
    granted: Cell<u64>,
    /// Whether two values were met that may be equal or not.
    undecided: Cell<bool>,
}

/// Steps of a whole comparison; a step takes a microsecond or two.
const MAX_WORK: u64 = 150_000;

impl Work {
    pub(crate) fn new() -> Self {
        Self { left: Cell::new(MAX_WORK), granted: Cell::new(0), undecided: Cell::new(false) }
    }

    /// Takes steps off; false when there are not enough.
    pub(crate) fn spend(&self, steps: u64) -> bool {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Notes that two values agree as far as they are known, which is not far enough.
    pub(crate) fn leave_undecided(&self) {
        self.undecided.set(true);
    }

    pub(crate) fn is_undecided(&self) -> bool {
        self.undecided.get()
    }

    pub(crate) fn algebra(&self) -> Algebra {
        let algebra = Algebra::new(self.left.get());
        self.granted.set(algebra.work_left());
        algebra
    }

    /// Takes off what the last [`algebra`](Self::algebra) used.
    pub(crate) fn done(&self, algebra: &Algebra) {
        self.spend(self.granted.get() - algebra.work_left());
        self.granted.set(algebra.work_left());
    }
}

/// Compares scalars as answers: percent signs, units, bases and rounding are what people make of them.
pub(crate) fn equal_scalars(gold: &Expr, response: &Expr, work: &Work) -> bool {
    match (gold, response) {
        (Expr::InBase(gold, base), Expr::InBase(response, other)) => gold == response && base == other,
        (Expr::InBase(digits, _), Expr::Number(value)) | (Expr::Number(value), Expr::InBase(digits, _)) => {
            value.to_string() == *digits
        }
        // So many of something are no share of it.
        (Expr::Quantity(value, unit), Expr::Percent(_)) | (Expr::Percent(_), Expr::Quantity(value, unit)) => {
            (unit.contains("percent") || matches!(value.as_ref(), Expr::Percent(_)))
                && equal_scalars(&without_unit(gold), &without_unit(response), work)
        }
        (Expr::Quantity(value, said), other) | (other, Expr::Quantity(value, said))
            if matches!(value.as_ref(), Expr::Symbol(_)) && is_said_of(said) =>
        {
            // "n is odd" is neither "n is even" nor "n".
            matches!(other, Expr::Quantity(value, also) if matches!(value.as_ref(), Expr::Symbol(_)) && said == also)
                && equal_scalars(&without_unit(gold), &without_unit(response), work)
        }
        (Expr::Quantity(gold, unit), Expr::Quantity(response, other)) => {
            match units::ratio(unit, other) {
                units::Ratio::Same => equal_scalars(gold, response, work),
                // The response counted in the unit of the gold answer.
                units::Ratio::Factor(factor) => equal_scalars(
                    gold,
                    &Expr::Product(vec![response.as_ref().clone(), Expr::Number(factor)]),
                    work,
                ),
                units::Ratio::Different => false,
            }
        }
        (Expr::Quantity(_, unit), other) if with_unit(other, unit).is_some() => {
            with_unit(other, unit).is_some_and(|quantity| equal_scalars(gold, &quantity, work))
        }
        (other, Expr::Quantity(_, unit)) if with_unit(other, unit).is_some() => {
            with_unit(other, unit).is_some_and(|quantity| equal_scalars(&quantity, response, work))
        }
        (Expr::Quantity(value, _), other) => {
            equal_scalars(value, other, work)
                || (is_angle(gold) && has_pi(other) && equal_values(&in_radians(gold.clone()), other, work))
        }
        (other, Expr::Quantity(value, _)) => {
            equal_scalars(other, value, work)
                || (is_angle(response)
                    && has_pi(other)
                    && equal_values(other, &in_radians(response.clone()), work))
        }
        (Expr::Percent(gold), Expr::Percent(response)) => equal_scalars(gold, response, work),
        // Whether a share or its hundredfold was asked for, only the question says; 0.5 and 0.5 % are never the same.
        (Expr::Percent(number), other) => {
            equal_values(number, other, work) || equal_values(&hundredth(number), other, work)
        }
        (other, Expr::Percent(number)) => {
            let is_whole = literal(number).is_some_and(|number| number.abs() >= rational::integer(1));
            equal_values(other, &hundredth(number), work) || (is_whole && equal_values(other, number, work))
        }
        _ => equal_values(gold, response, work),
    }
}

/// Words that say something of a variable, but not of an option.
fn is_said_of(words: &str) -> bool {
    !["answer", "correct", "right", "best", "choice"].iter().any(|word| words.contains(word))
        && matches!(words.split(' ').next(), Some("is" | "are" | "must" | "divides" | "has" | "have"))
}

fn without_unit(expr: &Expr) -> Expr {
    if let Expr::Quantity(value, _) = expr { value.as_ref().clone() } else { expr.clone() }
}

/// A product whose letters are units, as `2 m/s`, where the other answer has a unit that is known.
fn with_unit(expr: &Expr, other: &str) -> Option<Expr> {
    let Expr::Product(factors) = expr else { return None };
    let (mut value, mut unit) = (Vec::new(), String::new());
    for factor in factors {
        if factor.symbols().is_empty() {
            value.push(factor.clone());
            continue;
        }
        let (name, exponent) = power_of_name(factor)?;
        unit.push_str(&format!(" {name}^{exponent}"));
    }
    let is_unit = !value.is_empty() && units::is_known(&unit) && units::is_known(other);
    is_unit.then(|| Expr::Quantity(Box::new(Expr::Product(value)), unit))
}

/// The name and the exponent of `s^2`, and of `s^2` below a stroke.
fn power_of_name(expr: &Expr) -> Option<(&str, Rational)> {
    match expr {
        Expr::Symbol(name) => Some((name, rational::integer(1))),
        Expr::Power(base, exponent) => {
            let (name, inner) = power_of_name(base)?;
            Some((name, inner * literal(exponent)?))
        }
        _ => None,
    }
}

fn is_angle(expr: &Expr) -> bool {
    matches!(expr, Expr::Quantity(_, unit) if matches!(unit.as_str(), "degree" | "degrees"))
}

/// Whether an angle is measured by the length of its arc.
fn has_pi(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::Constant(Constant::Pi)))
}

fn hundredth(number: &Expr) -> Expr {
    match number {
        Expr::Decimal(value) => Expr::Decimal(value * rational::fraction(1, 100)),
        other => Expr::Percent(Box::new(other.clone())),
    }
}

fn equal_values(gold: &Expr, response: &Expr, work: &Work) -> bool {
    if let (Some(gold), Some(response)) = (infinity(gold), infinity(response)) {
        return gold == response;
    }
    if let (Some(gold), Some(response)) = (literal(gold), literal(response)) {
        let is_precise = |number: &Rational| {
            let units = number
                * Rational::from_integer(num_bigint::BigInt::from(10).pow(decimal_places(number).min(64)));
            units.abs() >= rational::integer(MIN_UNITS_OF_TWO)
        };
        return *gold == *response
            || (is_precise(response) && is_rounded(response, gold))
            || (is_precise(gold) && is_rounded(gold, response));
    }
    let mut algebra = work.algebra();
    let forms = normalize(gold, &mut algebra).and_then(|form| {
        // What is written alike has one form. It counts for two, as that of any other pair does.
        let other = if gold == response {
            algebra.spend(work.granted.get() - algebra.work_left())?;
            form.clone()
        } else {
            normalize(response, &mut algebra)?
        };
        Ok((form, other))
    });
    match forms {
        Ok((gold_form, response_form)) => {
            let is_equal = equal_forms(&gold_form, &response_form, &mut algebra) == Some(true);
            work.done(&algebra);
            if is_equal {
                return true;
            }
            let rounded = |decimal: &Expr, form: &Quotient, exact: &Expr| match (decimal, form.as_rational())
            {
                (Expr::Decimal(decimal), Some(value)) => is_rounded(decimal, &value),
                (Expr::Decimal(decimal), None) => is_rounded_irrational(decimal, exact),
                _ => false,
            };
            if rounded(response, &gold_form, gold) || rounded(gold, &response_form, response) {
                return true;
            }
            !algebra.is_decisive && agree(gold, response, work)
        }
        Err(NoForm::TooLarge) => {
            work.done(&algebra);
            agree(gold, response, work)
        }
        Err(NoForm::Undefined | NoForm::NotScalar) => false,
    }
}

/// Whether the forms are equal values; `None` when that takes too long to see.
pub(crate) fn equal_forms(left: &Quotient, right: &Quotient, algebra: &mut Algebra) -> Option<bool> {
    if left == right {
        return Some(true);
    }
    let difference = algebra.subtract(left.clone(), right.clone());
    if difference.is_err() {
        algebra.is_decisive = false;
    }
    difference.ok().map(|difference| difference.is_zero())
}

/// A number as it was written, with its sign.
pub(crate) fn literal(expr: &Expr) -> Option<&Rational> {
    match expr {
        Expr::Number(value) | Expr::Decimal(value) => Some(value),
        _ => None,
    }
}

/// Whether infinity is meant, and whether it is positive.
pub(crate) fn infinity(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Constant(Constant::Infinity) => Some(true),
        Expr::Product(factors) => match factors.as_slice() {
            [sign, Expr::Constant(Constant::Infinity)] => literal(sign).map(Signed::is_positive),
            _ => None,
        },
        _ => None,
    }
}

/// Whether `decimal` is `value` rounded to the places it shows, or cut there if those are more than enough.
fn is_rounded(decimal: &Rational, value: &Rational) -> bool {
    let Some(places) = shown_places(decimal) else { return false };
    let unit = Rational::new(1.into(), num_bigint::BigInt::from(10).pow(places));
    let error = (decimal - value).abs();
    let is_cut = places > MIN_PLACES && decimal.abs() < value.abs() && error < unit;
    is_cut || error * rational::integer(2) <= unit
}

fn is_rounded_irrational(decimal: &Rational, exact: &Expr) -> bool {
    let Some(places) = shown_places(decimal) else { return false };
    let Some(value) =
        evaluate(exact, &[], &[]).filter(|ball| ball.is_conclusive() && ball.im.abs() <= ball.radius)
    else {
        return false;
    };
    let shown = rational::to_f64(decimal);
    let unit = 10_f64.powi(-i32::try_from(places).unwrap_or(i32::MAX)).max(value.radius);
    let error = (shown - value.re).abs();
    let is_cut = places > MIN_PLACES && shown.abs() < value.re.abs() && error < unit;
    is_cut || error <= unit / 2.0 + value.radius
}

/// Whether a literal is `exact` to the last digit that it shows.
pub(crate) fn is_rounding(exact: &Expr, shown: &Expr) -> bool {
    let shown = if let Expr::Quantity(value, _) = shown { value.as_ref() } else { shown };
    let Some(literal) = literal(shown) else { return false };
    let Some(value) =
        evaluate(exact, &[], &[]).filter(|ball| ball.is_conclusive() && ball.im.abs() <= ball.radius)
    else {
        return false;
    };
    let places = decimal_places(literal);
    let mut unit = 10_f64.powi(-i32::try_from(places).unwrap_or(i32::MAX));
    let ten = rational::integer(10);
    let mut rest = literal.clone();
    while places == 0 && !rest.is_zero() && (&rest / &ten).is_integer() && unit < 1e9 {
        rest /= &ten;
        unit *= 10.0;
    }
    (rational::to_f64(literal) - value.re).abs() <= unit * 0.5 * (1.0 + 1e-9)
}

/// Decimal places up to the last digit that is not 0, if they are enough for a rounded value.
fn shown_places(decimal: &Rational) -> Option<u32> {
    let places = decimal_places(decimal);
    let is_enough = (MIN_PLACES..64).contains(&places)
        && decimal.abs() * Rational::from_integer(num_bigint::BigInt::from(10).pow(places))
            >= rational::integer(MIN_UNITS);
    is_enough.then_some(places)
}

fn decimal_places(decimal: &Rational) -> u32 {
    let mut rest = decimal.denom().clone();
    let mut count = |prime: u32| {
        let mut count = 0_u32;
        while count < 64 && (&rest % prime).is_zero() && !rest.is_zero() {
            rest /= prime;
            count += 1;
        }
        count
    };
    count(2).max(count(5))
}
