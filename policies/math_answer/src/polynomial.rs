//! Sums of terms, each a monomial with its coefficient.

use num_traits::{One, Zero};

use crate::normal_form::Monomial;
use crate::rational::{self, Rational};

/// Coefficients of monomials, none of them 0, sorted by the monomials. Most polynomials have one term or two, for which the
/// nodes of a tree would be far too large.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Polynomial(Vec<(Monomial, Rational)>);

impl Polynomial {
    /// The coefficient must not be 0.
    pub(crate) fn term(monomial: Monomial, coefficient: Rational) -> Self {
        Self(vec![(monomial, coefficient)])
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn is_one(&self) -> bool {
        matches!(self.0.as_slice(), [(monomial, coefficient)] if monomial.is_empty() && coefficient.is_one())
    }

    pub(crate) fn first(&self) -> Option<&(Monomial, Rational)> {
        self.0.first()
    }

    pub(crate) fn last(&self) -> Option<&(Monomial, Rational)> {
        self.0.last()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, (Monomial, Rational)> {
        self.0.iter()
    }

    /// Adds a term whose coefficient is not 0.
    pub(crate) fn add(&mut self, monomial: Monomial, coefficient: Rational) {
        match self.0.binary_search_by(|(other, _)| other.cmp(&monomial)) {
            Err(place) => self.0.insert(place, (monomial, coefficient)),
            Ok(place) => {
                let sum = rational::sum(&self.0[place].1, &coefficient);
                if sum.is_zero() {
                    self.0.remove(place);
                } else {
                    self.0[place].1 = sum;
                }
            }
        }
    }

    /// The same monomials with other coefficients, none of them 0.
    pub(crate) fn map_coefficients(self, change: impl Fn(Rational) -> Rational) -> Self {
        Self(self.0.into_iter().map(|(monomial, coefficient)| (monomial, change(coefficient))).collect())
    }

    /// The same coefficients with other monomials, which must be different from each other.
    pub(crate) fn map_monomials(&self, change: impl Fn(&Monomial) -> Monomial) -> Self {
        let mut terms: Vec<_> =
            self.0.iter().map(|(monomial, coefficient)| (change(monomial), coefficient.clone())).collect();
        terms.sort_by(|(left, _), (right, _)| left.cmp(right));
        Self(terms)
    }
}

impl IntoIterator for Polynomial {
    type Item = (Monomial, Rational);
    type IntoIter = std::vec::IntoIter<(Monomial, Rational)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Polynomial {
    type Item = &'a (Monomial, Rational);
    type IntoIter = std::slice::Iter<'a, (Monomial, Rational)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
