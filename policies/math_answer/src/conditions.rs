//! Items of an answer that say for which values another one holds.

use crate::expr::{Comparison, Expr};

/// Words that say for which values of a letter something holds.
pub(crate) const QUANTIFIERS: [&str; 6] =
    ["for all", "for every", "for any", "for each", "for some constant", "for some real"];

/// What values a parameter takes, as the last part of "k \pi, k \in \mathbb{Z}".
pub(crate) fn is_range(expr: &Expr) -> bool {
    match expr {
        Expr::Member(_, set) => matches!(set.as_ref(), Expr::Symbol(_)),
        // "k is an integer"
        Expr::Quantity(name, words) => {
            matches!(name.as_ref(), Expr::Symbol(_))
                && ["integer", "constant", "any real"].iter().any(|kind| words.contains(kind))
        }
        _ => false,
    }
}

/// `x \in \mathbb{R}`.
pub(crate) fn is_real(expr: &Expr) -> bool {
    matches!(expr, Expr::Member(name, set) if matches!(name.as_ref(), Expr::Symbol(_)) && **set == Expr::Reals)
}

pub(crate) fn is_bare_value(expr: &Expr) -> bool {
    !matches!(expr, Expr::Relation(..) | Expr::Member(..) | Expr::Text(_)) && expr.symbols().is_empty()
}

/// "x \ne 1, 2" says both of x.
pub(crate) fn distribute(items: &mut [Expr]) {
    let Some(Expr::Relation(name, rest)) = items.first().cloned() else { return };
    if let [(Comparison::NotEqual, _)] = rest.as_slice() {
        for item in items.iter_mut().skip(1) {
            *item = Expr::Relation(name.clone(), vec![(Comparison::NotEqual, item.clone())]);
        }
    }
}

/// An inequality, or a membership.
pub(crate) fn is_condition(expr: &Expr) -> bool {
    match expr {
        Expr::Member(..) => true,
        Expr::Relation(_, rest) => rest.iter().all(|(comparison, _)| !comparison.is_equality()),
        _ => false,
    }
}
