//! Ratios, and times of day, which are written like them.

use num_integer::Integer;
use num_traits::{ToPrimitive, Zero};

use crate::expr::Expr;
use crate::rational::Rational;

/// Whether `a:b` and `c:d` are proportional, term by term; `equal` compares two products of terms. What may be a time of day is
/// compared as it is written, and so is what has units.
pub(crate) fn same(gold: &[Expr], response: &[Expr], equal: &dyn Fn(&Expr, &Expr) -> bool) -> bool {
    if gold.len() != response.len() {
        return false;
    }
    // The parser reads every time with a zero before its minutes as one.
    let has_hours = |terms: &[Expr]| matches!(terms, [Expr::Quantity(_, unit), ..] if unit == "hour");
    if has_hours(gold) != has_hours(response) {
        return false;
    }
    let has_units = gold.iter().chain(response).any(|term| matches!(term, Expr::Quantity(..)));
    let begins_with_zero = matches!(&gold[0], Expr::Number(value) if value.is_zero());
    if has_units || begins_with_zero || may_be_time(gold) {
        return gold.iter().zip(response).all(|(a, b)| equal(a, b));
    }
    let product = |a: &Expr, b: &Expr| Expr::Product(vec![a.clone(), b.clone()]);
    (1..gold.len())
        .all(|term| equal(&product(&gold[term], &response[0]), &product(&response[term], &gold[0])))
}

/// The quotient that a ratio of two terms is, where `other` can be one. What a clock may show, as `7:20`, is 7/20 at most,
/// and no decimal.
pub(crate) fn quotient(terms: &[Expr], other: &Expr) -> Option<Expr> {
    let [above, below] = terms else { return None };
    let is_decimal = other.any(&|part| matches!(part, Expr::Decimal(_) | Expr::Percent(_)));
    // "4:49 p.m." has its unit at its minutes.
    let has_unit = matches!(below, Expr::Quantity(..));
    let is_time = may_be_time(terms) || has_unit || is_decimal && has_minutes(below);
    (!is_time).then(|| Expr::Product(vec![above.clone(), below.clone().reciprocal()]))
}

/// Two digits below 60.
fn has_minutes(term: &Expr) -> bool {
    let Expr::Number(minutes) = term else { return false };
    minutes.is_integer() && minutes.numer().to_i64().is_some_and(|minutes| (10..60).contains(&minutes))
}

/// `3:30`: not in lowest terms, as a ratio that was asked for would be; or with hours, as the parser reads `12:05`.
fn may_be_time(terms: &[Expr]) -> bool {
    if matches!(terms, [Expr::Quantity(..), ..]) {
        return true;
    }
    let [Expr::Number(hours), Expr::Number(minutes)] = terms else { return false };
    let whole = |value: &Rational| value.is_integer().then(|| value.numer().to_i64()).flatten();
    let (Some(hours), Some(minutes)) = (whole(hours), whole(minutes)) else { return false };
    (0..=24).contains(&hours) && (10..60).contains(&minutes) && hours.gcd(&minutes) > 1
}
