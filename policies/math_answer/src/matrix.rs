//! Sums, multiples and transposes of matrices and vectors, worked out entry by entry.

use crate::expr::{Bracket, Expr};

/// The answer with its matrices' arithmetic done, as far as it is one of those three.
pub(crate) fn worked_out(expr: Expr) -> Expr {
    let is_array = |part: &Expr| rows(part).is_some();
    if !expr.any(&is_array) {
        return expr;
    }
    expr.map(&|part| match &part {
        Expr::Product(factors) => product(factors).unwrap_or(part),
        Expr::Sum(terms) => sum(terms).unwrap_or(part),
        Expr::Power(base, exponent) => transpose(base, exponent).unwrap_or(part),
        _ => part,
    })
}

/// Rows of a matrix; a vector in round brackets is one row.
fn rows(expr: &Expr) -> Option<Vec<&[Expr]>> {
    match expr {
        Expr::Matrix(rows) => Some(rows.iter().map(Vec::as_slice).collect()),
        Expr::Bracketed(Bracket::Round, items, Bracket::Round) => Some(vec![items]),
        _ => None,
    }
}

/// An array like `model` with other entries.
fn like(model: &Expr, mut rows: Vec<Vec<Expr>>) -> Expr {
    match model {
        Expr::Bracketed(open, _, close) => Expr::Bracketed(*open, rows.remove(0), *close),
        _ => Expr::Matrix(rows),
    }
}

/// One array times scalars.
fn product(factors: &[Expr]) -> Option<Expr> {
    let mut arrays = factors.iter().filter(|factor| rows(factor).is_some());
    let (array, None) = (arrays.next()?, arrays.next()) else { return None };
    let scalars: Vec<Expr> = factors.iter().filter(|factor| rows(factor).is_none()).cloned().collect();
    if !scalars.iter().all(is_scalar) {
        return None;
    }
    let scaled = |entry: &Expr| Expr::Product(scalars.iter().cloned().chain([entry.clone()]).collect());
    Some(like(array, rows(array)?.iter().map(|row| row.iter().map(scaled).collect()).collect()))
}

fn is_scalar(expr: &Expr) -> bool {
    !expr.any(&|part| {
        matches!(
            part,
            Expr::Bracketed(..)
                | Expr::Matrix(_)
                | Expr::Set(_)
                | Expr::Union(_)
                | Expr::Relation(..)
                | Expr::PlusMinus(..)
        )
    })
}

/// Arrays of one shape.
fn sum(terms: &[Expr]) -> Option<Expr> {
    let arrays: Vec<Vec<&[Expr]>> = terms.iter().map(rows).collect::<Option<_>>()?;
    let first = arrays.first()?;
    let shape = |rows: &[&[Expr]]| -> Vec<usize> { rows.iter().map(|row| row.len()).collect() };
    if arrays.iter().any(|array| shape(array) != shape(first)) {
        return None;
    }
    let entry = |row: usize, column: usize| {
        Expr::Sum(arrays.iter().map(|array| array[row][column].clone()).collect())
    };
    let rows = first
        .iter()
        .enumerate()
        .map(|(row, entries)| (0..entries.len()).map(|column| entry(row, column)).collect());
    Some(like(&terms[0], rows.collect()))
}

/// `M^T`.
fn transpose(base: &Expr, exponent: &Expr) -> Option<Expr> {
    let is_transposed =
        matches!(exponent, Expr::Symbol(name) if matches!(name.as_str(), "T" | "top" | "intercal"));
    let rows = is_transposed.then(|| rows(base)).flatten()?;
    let width = rows.first()?.len();
    Some(Expr::Matrix(
        (0..width).map(|column| rows.iter().map(|row| row[column].clone()).collect()).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::parse;

    #[test]
    fn arrays_are_scaled_added_and_transposed() {
        let matrix = |text: &str| worked_out(parse(text).unwrap());
        for text in [
            "\\frac12\\begin{pmatrix}2x\\\\4\\end{pmatrix}",
            "\\begin{pmatrix}1\\\\2\\end{pmatrix}+t\\begin{pmatrix}3\\\\4\\end{pmatrix}",
            "(1,2)^T",
            "\\begin{pmatrix}1&2\\end{pmatrix}^\\top",
        ] {
            let Expr::Matrix(rows) = matrix(text) else { panic!("{text}") };
            assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1], "{text}");
        }
        assert!(matches!(matrix("-2(1,2)"), Expr::Bracketed(_, items, _) if items.len() == 2));
        assert!(matches!(matrix("(1,2)+(1,2,3)"), Expr::Sum(_)));
        assert!(matches!(matrix("(1,2)(3,4)"), Expr::Product(_)));
    }
}
