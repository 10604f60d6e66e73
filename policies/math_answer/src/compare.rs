//! Whether a response is the gold answer, whatever both are made of.

use std::borrow::Cow;

use crate::equality::{Work, equal_scalars, infinity};
use crate::expr::{Bracket, Comparison, Expr};
use crate::matrix;
use crate::ratio;
use crate::region::Region;
use crate::relation;

/// Whether both answers, as they were read, are the same; `None` where two values may be equal or not.
pub(crate) fn equivalent(gold: &Expr, response: &Expr) -> Option<bool> {
    let comparer = Comparer { work: Work::new() };
    let is_same = comparer.same(&prepared(gold), &prepared(response));
    (is_same || !comparer.work.is_undecided()).then_some(is_same)
}

/// An answer with its matrices' arithmetic done and its signs `\pm` spread. Most have neither.
fn prepared(expr: &Expr) -> Cow<'_, Expr> {
    if expr.any(&|part| matches!(part, Expr::PlusMinus(..)) || matrix::is_array(part)) {
        Cow::Owned(expanded(&matrix::worked_out(expr.clone())))
    } else {
        Cow::Borrowed(expr)
    }
}

/// Each answer with a sign `\pm` as the set of the two that it stands for. All such signs of an answer go together.
fn expanded(expr: &Expr) -> Expr {
    let has_sign = |expr: &Expr| expr.any(&|part| matches!(part, Expr::PlusMinus(..)));
    if !has_sign(expr) {
        return expr.clone();
    }
    let with = |expr: &Expr, is_negative: bool| {
        expr.clone().map(&|part| match part {
            Expr::PlusMinus(flipped, value) => {
                if flipped == is_negative {
                    *value
                } else {
                    value.negated()
                }
            }
            other => other,
        })
    };
    let items = match expr {
        Expr::Set(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let both = items.iter().flat_map(|item| {
        if has_sign(item) { vec![with(item, false), with(item, true)] } else { vec![item.clone()] }
    });
    Expr::Set(both.collect())
}

/// Steps that looking at one pair counts for, its algebra aside.
const STEP: u64 = 10;

struct Comparer {
    work: Work,
}

impl Comparer {
    fn same(&self, gold: &Expr, response: &Expr) -> bool {
        // What has no end in sight is not the same: sets within sets multiply.
        if !self.work.spend(STEP) {
            return false;
        }
        let named = match (gold, response) {
            (Expr::Set(_), _) => (None, relation::spread(response)),
            (_, Expr::Set(_)) => (relation::spread(gold), None),
            _ => (None, None),
        };
        let (gold, response) = (named.0.as_ref().unwrap_or(gold), named.1.as_ref().unwrap_or(response));
        match (gold, response) {
            (Expr::Relation(..), Expr::Relation(..)) => {
                relation::same(gold, response, &self.work, &|a, b| self.same(a, b))
            }
            (Expr::Member(name, gold), Expr::Member(other, response)) => {
                equal_scalars(name, other, &self.work) && self.same(gold, response)
            }
            (Expr::Member(_, gold), _) => self.same(gold, response),
            (_, Expr::Member(_, response)) => self.same(gold, response),
            (Expr::Relation(..), _) => match relation::assigned(gold) {
                Some((_, value)) => {
                    self.same(value, response)
                        || relation::before_rounding(gold).is_some_and(|exact| self.same(exact, response))
                }
                None => {
                    self.same_regions(gold, response)
                        || relation::measured(gold).is_some_and(|value| self.same(value, response))
                }
            },
            (_, Expr::Relation(..)) => match relation::result(response) {
                Some(value) => {
                    self.same(gold, value)
                        || relation::before_rounding(response).is_some_and(|exact| self.same(gold, exact))
                }
                None => self.same_regions(gold, response),
            },
            (Expr::Ratio(gold), Expr::Ratio(response)) => {
                ratio::same(gold, response, &|a, b| equal_scalars(a, b, &self.work))
            }
            (Expr::Set(gold), Expr::Set(response)) => self.same_groups(gold, response).unwrap_or_else(|| {
                self.same_sets(gold, response)
                    || (has_conditions(gold)
                        && self.same_regions(&Expr::Set(gold.clone()), &Expr::Set(response.clone())))
            }),
            (Expr::Set(elements), Expr::Bracketed(_, items, _)) if elements.len() > 1 => {
                !is_half_open(response) && self.same_sets(elements, items)
            }
            (Expr::Bracketed(open, items, _), Expr::Set(elements)) if elements.len() > 1 => {
                let is_list = *open == Bracket::Round || items.len() > 2;
                is_list && !is_half_open(gold) && self.same_sequences(items, &relation::by_name(elements))
            }
            (Expr::Set(elements), other) if !elements.is_empty() && !is_region(other) => {
                elements.len() == 1 && self.same(&elements[0], other)
            }
            (other, Expr::Set(elements)) if !elements.is_empty() && !is_region(other) => {
                self.are_all_same(elements) && self.same(other, &elements[0])
            }
            (Expr::Bracketed(open, gold, close), Expr::Bracketed(other_open, response, other_close)) => {
                let opened =
                    gold.len() > 2 || bracket_at(*open, &gold[0]) == bracket_at(*other_open, &response[0]);
                let closed = gold.len() > 2
                    || gold.last().map(|end| bracket_at(*close, end))
                        == response.last().map(|end| bracket_at(*other_close, end));
                opened && closed && self.same_sequences(gold, response)
            }
            (Expr::Matrix(gold), Expr::Matrix(response)) => {
                gold.len() == response.len()
                    && gold.iter().zip(response).all(|(a, b)| self.same_sequences(a, b))
            }
            (Expr::Matrix(rows), Expr::Bracketed(_, items, _)) => {
                vector(rows).is_some_and(|v| self.same_sequences(&v, items))
            }
            (Expr::Bracketed(_, items, _), Expr::Matrix(rows)) => {
                vector(rows).is_some_and(|v| self.same_sequences(items, &v))
            }
            (Expr::Matrix(rows), scalar) | (scalar, Expr::Matrix(rows)) => {
                matches!(rows.as_slice(), [row] if matches!(row.as_slice(), [entry] if self.same(entry, scalar)))
            }
            (Expr::Text(gold), Expr::Text(response)) => gold == response,
            (Expr::Ratio(terms), other) => {
                ratio::quotient(terms, other).is_some_and(|value| equal_scalars(&value, other, &self.work))
            }
            (other, Expr::Ratio(terms)) => {
                ratio::quotient(terms, other).is_some_and(|value| equal_scalars(other, &value, &self.work))
            }
            _ if is_region(gold) || is_region(response) => {
                self.same_parts(gold, response) || self.same_regions(gold, response)
            }
            _ => equal_scalars(gold, response, &self.work),
        }
    }

    fn same_regions(&self, gold: &Expr, response: &Expr) -> bool {
        let region = |expr: &Expr| Region::of(&relation::with_names_as_variables(expr));
        let equal = |a: &Expr, b: &Expr| equal_scalars(a, b, &self.work);
        region(gold).zip(region(response)).is_some_and(|(gold, response)| gold.is_same(&response, &equal))
    }

    /// Whether a list repeats one answer, as two boxes may do.
    fn are_all_same(&self, elements: &[Expr]) -> bool {
        elements.iter().skip(1).all(|element| self.same(&elements[0], element))
    }

    /// The parts in any order: borders with variables are compared so.
    fn same_parts(&self, gold: &Expr, response: &Expr) -> bool {
        match (gold, response) {
            (Expr::Union(gold), Expr::Union(response))
            | (Expr::Intersection(gold), Expr::Intersection(response)) => self.same_sets(gold, response),
            _ => false,
        }
    }

    fn same_sequences(&self, gold: &[Expr], response: &[Expr]) -> bool {
        gold.len() == response.len() && gold.iter().zip(response).all(|(a, b)| self.same(a, b))
    }

    /// Every element of each side is found on the other. Names in the gold answer that the response leaves out give the order.
    fn same_sets(&self, gold: &[Expr], response: &[Expr]) -> bool {
        if gold.len() == response.len() && are_named_apart(gold) && !response.iter().any(is_assignment) {
            return self.same_sequences(gold, response);
        }
        if gold.len() == response.len() {
            return self.same_sequences(gold, response) || self.match_one_to_one(gold, response);
        }
        // A response may repeat itself, but what the gold answer lists twice is a solution twice.
        gold.len() < response.len()
            && gold.iter().all(|this| response.iter().any(|that| self.same(this, that)))
            && response.iter().all(|that| gold.iter().any(|this| self.same(this, that)))
    }

    /// Solutions for several names, each side as tuples or with its names; `None` where neither repeats names.
    fn same_groups(&self, gold: &[Expr], response: &[Expr]) -> Option<bool> {
        match (relation::grouped(gold, false), relation::grouped(response, false)) {
            (Some(_), Some(_)) => {
                let (names, gold) = relation::grouped(gold, true)?;
                let (others, response) = relation::grouped(response, true)?;
                Some(names == others && self.same_sets(&gold, &response))
            }
            (Some((_, gold)), None) => Some(self.same_sets(&gold, response)),
            (None, Some(_)) => Some(self.same_sets(gold, &relation::grouped(response, true)?.1)),
            (None, None) => None,
        }
    }

    fn match_one_to_one(&self, gold: &[Expr], response: &[Expr]) -> bool {
        let mut left: Vec<&Expr> = response.iter().collect();
        gold.iter().all(|this| {
            let found = left.iter().position(|that| self.same(this, that));
            found.map(|at| left.swap_remove(at)).is_some()
        })
    }
}

fn is_region(expr: &Expr) -> bool {
    matches!(expr, Expr::Union(_) | Expr::Intersection(_) | Expr::Difference(..) | Expr::Reals)
}

fn has_conditions(items: &[Expr]) -> bool {
    items.iter().any(|item| {
        matches!(item, Expr::Relation(..) | Expr::Member(..)) && relation::assigned(item).is_none()
    })
}

/// An interval that includes one end can't be a tuple.
fn is_half_open(expr: &Expr) -> bool {
    matches!(expr, Expr::Bracketed(open, items, close) if open != close || (items.len() == 2 && *open == Bracket::Square))
}

/// At infinity there is nothing to include.
fn bracket_at(bracket: Bracket, end: &Expr) -> Bracket {
    if infinity(end).is_some() { Bracket::Round } else { bracket }
}

/// The entries of a matrix of one row or one column.
fn vector(rows: &[Vec<Expr>]) -> Option<Vec<Expr>> {
    let is_vector = rows.len() == 1 || rows.iter().all(|row| row.len() == 1);
    is_vector.then(|| rows.concat())
}

fn is_assignment(expr: &Expr) -> bool {
    relation::assigned(expr).is_some()
}

/// Whether all elements are assignments to different names.
pub(crate) fn are_named_apart(elements: &[Expr]) -> bool {
    let names: Option<Vec<&Expr>> =
        elements.iter().map(|element| relation::assigned(element).map(|(name, _)| name)).collect();
    names.is_some_and(|names| (1..names.len()).all(|index| !names[..index].contains(&names[index])))
}

/// The comparison that a relation between two sides makes, if there is only one.
pub(crate) fn single(expr: &Expr) -> Option<(&Expr, Comparison, &Expr)> {
    match expr {
        Expr::Relation(left, rest) => match rest.as_slice() {
            [(comparison, right)] => Some((left, *comparison, right)),
            _ => None,
        },
        _ => None,
    }
}
