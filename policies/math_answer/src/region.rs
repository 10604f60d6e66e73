//! Sets of real numbers by their borders: unions of intervals, complements, inequalities.

use crate::equality::infinity;
use crate::evaluate::evaluate;
use crate::expr::{Bracket, Comparison, Expr, Function};

/// Borders closer than this, relative to their size, are one.
const TOLERANCE: f64 = 1e-11;
/// More borders than this are not compared.
const MAX_BORDERS: usize = 300;

/// Where a set begins or ends.
#[derive(Debug, Clone)]
struct Border {
    value: f64,
    /// As it is written, where it is no root of an equation.
    exact: Option<Expr>,
}

/// Which borders a set has, and whether it holds what is before the first, the first, what is between it and the second, ..
#[derive(Debug)]
pub(crate) struct Region {
    borders: Vec<Border>,
    holds: Vec<bool>,
}

impl Region {
    /// The set that an expression describes, if it is one that borders describe. Inequalities are about one variable.
    pub(crate) fn of(expr: &Expr) -> Option<Self> {
        if expr.symbols().len() > 1 {
            return None;
        }
        let region = Self::of_parts(expr)?;
        match expr {
            // "x < 1, x > 2" has no solution, so that alternatives were meant.
            Expr::Intersection(parts)
                if region.holds == [false] && parts.iter().all(|part| matches!(part, Expr::Relation(..))) =>
            {
                Self::of_parts(&Expr::Union(parts.clone()))
            }
            _ => Some(region),
        }
    }

    fn of_parts(expr: &Expr) -> Option<Self> {
        let mut borders = Vec::new();
        collect_borders(expr, &mut borders)?;
        borders.sort_by(|a: &Border, b| a.value.total_cmp(&b.value));
        borders.dedup_by(|a, b| is_same(a.value, b.value));
        if borders.len() > MAX_BORDERS {
            return None;
        }
        let mut region = Self { borders: Vec::new(), holds: vec![] };
        let value_at = |index: usize| borders.get(index).map(|border| border.value);
        let between = |index: usize| match (index.checked_sub(1).and_then(value_at), value_at(index)) {
            (None, None) => 0.0,
            (None, Some(next)) => next - next.abs().max(1.0),
            (Some(last), None) => last + last.abs().max(1.0),
            (Some(last), Some(next)) => last.midpoint(next),
        };
        let mut inside = contains(expr, between(0))?;
        region.holds.push(inside);
        for (index, border) in borders.iter().enumerate() {
            let (at, after) = (contains(expr, border.value)?, contains(expr, between(index + 1))?);
            // A border that changes nothing is none.
            if (at, after) != (inside, inside) {
                region.borders.push(border.clone());
                region.holds.extend([at, after]);
            }
            inside = after;
        }
        Some(region)
    }

    /// Borders that are written are compared by `equal` as well.
    pub(crate) fn is_same(&self, other: &Self, equal: &dyn Fn(&Expr, &Expr) -> bool) -> bool {
        let is_same_border = |(a, b): (&Border, &Border)| {
            is_same(a.value, b.value)
                && a.exact.as_ref().zip(b.exact.as_ref()).is_none_or(|(a, b)| equal(a, b))
        };
        self.holds == other.holds && self.borders.iter().zip(&other.borders).all(is_same_border)
    }
}

fn is_same(a: f64, b: f64) -> bool {
    if a.is_infinite() || b.is_infinite() {
        return a == b;
    }
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0)
}

/// A real constant, infinity included.
fn constant(expr: &Expr) -> Option<f64> {
    if let Some(is_positive) = infinity(expr) {
        return Some(if is_positive { f64::INFINITY } else { f64::NEG_INFINITY });
    }
    let ball = evaluate(expr, &[], &[])?;
    (ball.is_conclusive() && ball.im.abs() <= ball.radius).then_some(ball.re)
}

/// Constant bounds of an interval, in order.
fn bounds(items: &[Expr]) -> Option<(f64, f64)> {
    let [low, high] = items else { return None };
    let (low, high) = (constant(low)?, constant(high)?);
    (low <= high).then_some((low, high))
}

fn collect_borders(expr: &Expr, borders: &mut Vec<Border>) -> Option<()> {
    match expr {
        Expr::Reals => {}
        Expr::Bracketed(_, items, _) => {
            let (low, high) = bounds(items)?;
            let ends = [low, high].into_iter().zip(items).filter(|(bound, _)| bound.is_finite());
            borders.extend(ends.map(|(value, end)| Border { value, exact: Some(end.clone()) }));
        }
        Expr::Set(points) => {
            let values = points.iter().filter(|point| constant(point).is_some()).count();
            if values > 0 && values < points.len() {
                return None;
            }
            for point in points {
                // Conditions in a list: "x < 1 or x > 2".
                match constant(point) {
                    Some(value) => borders.push(Border { value, exact: Some(point.clone()) }),
                    None => collect_borders(point, borders)?,
                }
            }
        }
        Expr::Union(parts) | Expr::Intersection(parts) => {
            for part in parts {
                collect_borders(part, borders)?;
            }
        }
        Expr::Difference(whole, part) => {
            collect_borders(whole, borders)?;
            collect_borders(part, borders)?;
        }
        Expr::Member(_, set) => collect_borders(set, borders)?,
        Expr::Relation(first, rest) => {
            let mut left = first.as_ref();
            for (_, right) in rest {
                add_borders(left, right, borders)?;
                left = right;
            }
        }
        _ => return None,
    }
    Some(())
}

/// Where two sides may be equal that differ by a polynomial of one variable of degree 1 or 2, or by one with absolute
/// values in it. Too many borders do no harm.
fn add_borders(left: &Expr, right: &Expr, borders: &mut Vec<Border>) -> Option<()> {
    for (name, bound) in [(left, right), (right, left)] {
        if let (Expr::Symbol(_), Some(value)) = (name, constant(bound)) {
            borders.extend(value.is_finite().then(|| Border { value, exact: Some(bound.clone()) }));
            return Some(());
        }
    }
    let difference = left.clone().minus(right.clone());
    let is_abs = |part: &Expr| matches!(part, Expr::Call(Function::Abs, _));
    if !difference.any(&is_abs) {
        return add_roots(&difference, borders);
    }
    for is_negative in [false, true] {
        let without = difference.clone().map(&|part| match part {
            Expr::Call(Function::Abs, mut arguments) if arguments.len() == 1 => {
                let argument = arguments.remove(0);
                if is_negative { argument.negated() } else { argument }
            }
            other => other,
        });
        add_roots(&without, borders)?;
    }
    Some(())
}

/// The real roots of a x^2 + b x + c, whose coefficients its values give.
fn add_roots(polynomial: &Expr, borders: &mut Vec<Border>) -> Option<()> {
    let root = |value: f64| Border { value, exact: None };
    let symbols = polynomial.symbols();
    if symbols.len() != 1 {
        return None;
    }
    let at = |x: f64| {
        let ball = evaluate(polynomial, &symbols, &[x])?;
        (ball.is_conclusive() && ball.im.abs() <= ball.radius).then_some(ball.re)
    };
    let (before, c, after) = (at(-1.0)?, at(0.0)?, at(1.0)?);
    let (a, b) = ((after + before) / 2.0 - c, (after - before) / 2.0);
    let scale = before.abs().max(c.abs()).max(after.abs()).max(1e-300);
    for x in [2.5, -3.7] {
        if (a * x * x + b * x + c - at(x)?).abs() > 1e-9 * scale * 20.0 {
            return None;
        }
    }
    if a.abs() <= 1e-12 * scale {
        borders.extend((b != 0.0).then(|| root(-c / b)));
        return Some(());
    }
    let discriminant = b * b - 4.0 * a * c;
    if discriminant >= 0.0 {
        // The larger root by addition, the other from their product: no digits cancel.
        let sum = -(b + b.signum() * discriminant.sqrt()) / 2.0;
        borders.push(root(sum / a));
        borders.extend((sum != 0.0).then(|| root(c / sum)));
    }
    Some(())
}

fn contains(expr: &Expr, x: f64) -> Option<bool> {
    Some(match expr {
        Expr::Reals => true,
        Expr::Bracketed(open, items, close) => {
            let (low, high) = bounds(items)?;
            let above = if is_same(x, low) { *open == Bracket::Square } else { x > low };
            let below = if is_same(x, high) { *close == Bracket::Square } else { x < high };
            above && below
        }
        Expr::Set(points) => {
            let mut found = false;
            for point in points {
                found |= match constant(point) {
                    Some(value) => is_same(value, x),
                    None => contains(point, x)?,
                };
            }
            found
        }
        Expr::Union(parts) => {
            let mut found = false;
            for part in parts {
                found |= contains(part, x)?;
            }
            found
        }
        Expr::Intersection(parts) => {
            let mut found = true;
            for part in parts {
                found &= contains(part, x)?;
            }
            found
        }
        Expr::Difference(whole, part) => contains(whole, x)? && !contains(part, x)?,
        Expr::Member(_, set) => contains(set, x)?,
        Expr::Relation(first, rest) => {
            let mut left = first.as_ref();
            let mut holds = true;
            for (comparison, right) in rest {
                holds &= compare_at(left, *comparison, right, x)?;
                left = right;
            }
            holds
        }
        _ => return None,
    })
}

fn compare_at(left: &Expr, comparison: Comparison, right: &Expr, x: f64) -> Option<bool> {
    let value = |side: &Expr| {
        let symbols = side.symbols();
        evaluate(side, &symbols, &vec![x; symbols.len()]).map(|ball| ball.re).or_else(|| constant(side))
    };
    let (left, right) = (value(left)?, value(right)?);
    let is_equal = is_same(left, right);
    Some(match comparison {
        Comparison::Equal | Comparison::Near => is_equal,
        Comparison::NotEqual => !is_equal,
        Comparison::Less => left < right && !is_equal,
        Comparison::LessEqual => left < right || is_equal,
        Comparison::Greater => left > right && !is_equal,
        Comparison::GreaterEqual => left > right || is_equal,
    })
}
