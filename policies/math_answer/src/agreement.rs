//! Whether two values agree that no normal form tells apart.
//!
//! Both are evaluated in double precision with a bound on the error. Constants that agree there are evaluated to more places:
//! roots, and sines of parts of pi, to as many as make their equality certain ([`separation`]), others to
//! [`PLACES`], where two that still agree differ by less than 2^-900 and count as equal. What can't be evaluated so far is left
//! undecided, and makes a response unscorable.
//!
//! With variables, both are evaluated at random points of both signs, from a generator with a fixed seed: they count as equal when
//! they agree at [`POINTS`] points within errors below 1e-9 of the value, and at one of them to 256 places.

use exgrpo_guest_sdk::Random;

use crate::equality::{Work, literal};
use crate::evaluate::{Ball, evaluate};
use crate::expr::{Expr, Function};
use crate::precise::Precise;
use crate::real::Value;
use crate::{rational, separation};

/// Points at which two values must agree.
const POINTS: usize = 6;
/// Points that may be tried, because values may have none at some, or none that is known well.
const MAX_ATTEMPTS: usize = 24;
/// Constants that points are laid beyond.
const MAX_PIVOTS: usize = 12;
const SEED: u64 = 0x6d61_7468;
/// Steps that an evaluation at random points counts for.
const EVALUATION: u64 = 2000;
/// Binary places of values that nothing is known about: the first tell most apart at little cost.
const PLACES: [u64; 2] = [256, 1024];
/// Places beyond this are too many.
const MAX_PLACES: u64 = 8192;
/// Places that rounding may take of a value.
const SPARE_PLACES: u64 = 124;

/// Whether the values are equal. Values that can't be evaluated are not.
pub(crate) fn agree(left: &Expr, right: &Expr, work: &Work) -> bool {
    if !work.spend(EVALUATION) {
        return false;
    }
    let mut symbols = [left.symbols(), right.symbols()].concat();
    symbols.sort_unstable();
    symbols.dedup();
    if symbols.is_empty() {
        constants_agree(left, right, work)
    } else {
        agree_at_random_points(left, right, &symbols, work)
    }
}

fn constants_agree(left: &Expr, right: &Expr, work: &Work) -> bool {
    let balls = evaluate(left, &[], &[]).zip(evaluate(right, &[], &[]));
    let known = balls.filter(|(left, right)| left.is_conclusive() && right.is_conclusive());
    if known.is_some_and(|(left, right)| !overlap(left, right)) {
        return false;
    }
    let certain = separation::places(left, right).filter(|places| *places + SPARE_PLACES <= MAX_PLACES);
    let wanted = certain.map_or(PLACES.to_vec(), |places| {
        // Where the digits of a value are lost in its parts, twice as many are tried.
        vec![places + SPARE_PLACES, (2 * places + 8 * SPARE_PLACES).min(MAX_PLACES)]
    });
    for places in wanted {
        let precise = Precise { places, symbols: &[], values: &[], work };
        let Some((left, right)) = precise.evaluate(left).zip(precise.evaluate(right)) else { break };
        if left.is_apart(&right) {
            return false;
        }
        let known = left.known_places(places).min(right.known_places(places));
        if known > certain.map_or(PLACES[1] - SPARE_PLACES, |certain| certain + 1) {
            return true;
        }
    }
    // What double precision can't tell either has no value that is known.
    if known.is_some() {
        work.leave_undecided();
    }
    false
}

fn agree_at_random_points(left: &Expr, right: &Expr, symbols: &[String], work: &Work) -> bool {
    let pivots = pivots(left, right);
    let mut random = Random::new(SEED);
    let mut agreed = 0;
    for attempt in 0..MAX_ATTEMPTS {
        // Half of the points lie beyond the constants, where absolute values change their sign; some are whole, where steps are.
        let is_far = attempt >= MAX_ATTEMPTS / 2 && !pivots.is_empty();
        let mut values = random_point(&mut random, symbols.len(), attempt % 2 == 0);
        if is_far {
            values.iter_mut().for_each(|value| *value *= pivots[random.below(pivots.len())]);
            if attempt % 2 == 0 {
                values.iter_mut().for_each(|value| *value = value.round());
            }
        }
        let balls = (evaluate(left, symbols, &values), evaluate(right, symbols, &values));
        match balls {
            (Some(near), Some(other)) if near.is_conclusive() && other.is_conclusive() => {
                if !overlap(near, other) {
                    return false;
                }
                if agreed == 0
                    && are_apart(
                        &|precise| precise.evaluate(left).zip(precise.evaluate(right)),
                        symbols,
                        &values,
                        work,
                    )
                {
                    return false;
                }
                agreed += usize::from(!is_far);
            }
            _ => {}
        }
        if agreed >= POINTS && (pivots.is_empty() || attempt + 1 == MAX_ATTEMPTS) {
            return true;
        }
    }
    false
}

/// Whether more places tell two values apart at a point.
fn are_apart(
    values_of: &dyn Fn(&Precise<'_>) -> Option<(Value, Value)>,
    symbols: &[String],
    values: &[f64],
    work: &Work,
) -> bool {
    let precise = Precise { places: PLACES[0], symbols, values, work };
    values_of(&precise).is_some_and(|(left, right)| left.is_apart(&right))
}

/// Sizes of the constants, and of their products with each other, if any part depends on which side of one a variable lies.
fn pivots(left: &Expr, right: &Expr) -> Vec<f64> {
    let is_sided = |part: &Expr| match part {
        Expr::Call(Function::Abs | Function::Floor | Function::Ceil, _) => true,
        Expr::Power(_, exponent) => !matches!(exponent.as_ref(), Expr::Number(value) if value.is_integer()),
        _ => false,
    };
    if !left.any(&is_sided) && !right.any(&is_sided) {
        return Vec::new();
    }
    let sizes = std::cell::RefCell::new(vec![1.0]);
    let collect = |part: &Expr| {
        if let (Some(value), mut sizes) = (literal(part), sizes.borrow_mut())
            && sizes.len() < MAX_PIVOTS
        {
            sizes.push(rational::to_f64(value).abs());
        }
        false
    };
    let _ = left.any(&collect) || right.any(&collect);
    let mut sizes = sizes.into_inner();
    for index in 1..sizes.len() {
        let product = sizes[index] * sizes[index - 1];
        sizes.push(product);
    }
    sizes.retain(|size| size.is_finite() && *size > 0.0);
    sizes
}

fn overlap(left: Ball, right: Ball) -> bool {
    (left.re - right.re).hypot(left.im - right.im) <= left.radius + right.radius
}

/// Coordinates between 0.3 and 3.3, positive or of any sign.
pub(crate) fn random_point(random: &mut Random, dimension: usize, is_positive: bool) -> Vec<f64> {
    (0..dimension)
        .map(|_| {
            let magnitude = 0.3 + 3.0 * random.unit();
            if is_positive || random.below(2) == 0 { magnitude } else { -magnitude }
        })
        .collect()
}
