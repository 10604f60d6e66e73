//! Sums, products, small powers, multiples and transposes of matrices and vectors, worked out entry by entry.

use crate::expr::{Bracket, Expr};
use crate::rational;

/// A product whose entries would have more parts is left as it is. It bounds their depth too.
const MAX_SIZE: usize = 2000;
/// Powers up to this one are worked out.
const MAX_POWER: i64 = 6;

/// The answer with its matrices' arithmetic done, as far as it is one of those three.
pub(crate) fn worked_out(expr: Expr) -> Expr {
    if !expr.any(&is_array) {
        return expr;
    }
    expr.map(&|part| match &part {
        Expr::Product(factors) => product(factors).unwrap_or(part),
        Expr::Sum(terms) => sum(terms).unwrap_or(part),
        Expr::Power(base, exponent) => {
            transpose(base, exponent).or_else(|| power(base, exponent)).unwrap_or(part)
        }
        _ => part,
    })
}

/// A matrix, or a vector in round brackets.
pub(crate) fn is_array(expr: &Expr) -> bool {
    matches!(expr, Expr::Matrix(_) | Expr::Bracketed(Bracket::Round, _, Bracket::Round))
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

/// One array, or a product of matrices in a row, times scalars.
fn product(factors: &[Expr]) -> Option<Expr> {
    let arrays: Vec<&Expr> = factors.iter().filter(|factor| rows(factor).is_some()).collect();
    let array = match arrays.as_slice() {
        [] => return None,
        [array] => (*array).clone(),
        [first, rest @ ..] => rest.iter().try_fold((*first).clone(), |left, right| times(&left, right))?,
    };
    let array = &array;
    let scalars: Vec<Expr> = factors.iter().filter(|factor| rows(factor).is_none()).cloned().collect();
    if !scalars.iter().all(is_scalar) {
        return None;
    }
    let scaled = |entry: &Expr| Expr::Product(scalars.iter().cloned().chain([entry.clone()]).collect());
    Some(like(array, rows(array)?.iter().map(|row| row.iter().map(scaled).collect()).collect()))
}

/// The product of two matrices whose sizes fit.
fn times(left: &Expr, right: &Expr) -> Option<Expr> {
    let (Expr::Matrix(left), Expr::Matrix(right)) = (left, right) else { return None };
    let (inner, width) = (right.len(), right.first()?.len());
    if left.first()?.len() != inner || left.iter().chain(right).flatten().any(|entry| !is_scalar(entry)) {
        return None;
    }
    // Entries are copied into every sum that they belong to.
    let size = |rows: &[Vec<Expr>]| rows.iter().flatten().map(size_of).sum::<usize>();
    if size(left).saturating_mul(width).saturating_add(size(right).saturating_mul(left.len())) > MAX_SIZE {
        return None;
    }
    let entry = |row: &[Expr], column: usize| {
        let terms = row.iter().zip(right).map(|(a, b)| Expr::Product(vec![a.clone(), b[column].clone()]));
        Expr::Sum(terms.collect())
    };
    Some(Expr::Matrix(left.iter().map(|row| (0..width).map(|column| entry(row, column)).collect()).collect()))
}

/// `M^2`, `M^3`, ..
fn power(base: &Expr, exponent: &Expr) -> Option<Expr> {
    let Expr::Number(exponent) = exponent else { return None };
    let is_matrix = matches!(base, Expr::Matrix(_));
    let times_itself =
        (2..=MAX_POWER).find(|power| *exponent == rational::integer(*power)).filter(|_| is_matrix)?;
    (1..times_itself).try_fold(base.clone(), |left, _| times(&left, base))
}

/// How many parts an expression has.
fn size_of(expr: &Expr) -> usize {
    1 + expr.children().into_iter().map(size_of).sum::<usize>()
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

    #[test]
    fn matrices_are_multiplied_where_their_sizes_fit() {
        let matrix = |text: &str| worked_out(parse(text).unwrap());
        let square = "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}";
        let column = "\\begin{pmatrix}5\\\\6\\end{pmatrix}";
        let shape = |expr: Expr| match expr {
            Expr::Matrix(rows) => rows.iter().map(Vec::len).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shape(matrix(&format!("{square}{square}"))), [2, 2]);
        assert_eq!(shape(matrix(&format!("2{square} \\cdot {column}"))), [1, 1]);
        assert_eq!(shape(matrix(&format!("{square}^3"))), [2, 2]);
        assert!(matches!(matrix(&format!("{column}{square}")), Expr::Product(_)));
        assert!(matches!(matrix(&square.repeat(100)), Expr::Product(_)));
    }
}
