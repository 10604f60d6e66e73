//! How close to 0 a number made of integers, roots and sines of parts of pi can be without being 0.
//!
//! Such a number is U / L with algebraic integers U and L of a field of degree D. All conjugates of U are below u in absolute value
//! and those of L below l, by the rules of Burnikel, Funke, Mehlhorn, Schirra and Schmitt (A separation bound for real
//! algebraic expressions, ESA 2001). The product of all conjugates of U is a whole number, so that U = 0 or |U| >= u^(1-D), and
//! |U / L| >= 1 / (u^(D-1) l).

use num_integer::Integer;
use num_traits::{Signed, ToPrimitive};

use crate::evaluate::literal_quotient;
use crate::expr::{Constant, Expr, Function};
use crate::normal_form::{Algebra, Exponent, Generator};
use crate::normalize::normalize;
use crate::precise::whole_value;
use crate::rational::Rational;

/// Degrees above this are not worth a bound.
const MAX_DEGREE: f64 = 4096.0;
/// Different roots above this are not counted.
const MAX_ROOTS: usize = 12;
/// Work that one argument of a sine may cost.
const ANGLE_WORK: u64 = 2000;

/// Binary logarithms of u and l.
#[derive(Debug, Clone, Copy)]
struct Bound {
    upper: f64,
    lower: f64,
}

/// A number of places after which a difference that is still 0 is 0: `left` and `right` are the same or differ by more than
/// 2^-places. `None` where they are made of something else.
pub(crate) fn places(left: &Expr, right: &Expr) -> Option<u64> {
    let mut field = Field { roots: Vec::new(), degree: 1.0, turns: 1 };
    let (left, right) = (field.bound(left)?, field.bound(right)?);
    let difference = sum(left, right);
    let degree = field.degree();
    if degree > MAX_DEGREE {
        return None;
    }
    // The logarithms are doubles, so that one place is added for their rounding.
    ((degree - 1.0) * difference.upper + difference.lower + 1.0).ceil().to_u64()
}

/// What generates the field that the numbers lie in.
struct Field<'a> {
    roots: Vec<(&'a Expr, u32)>,
    /// The product of the indices of the roots.
    degree: f64,
    /// The sines are of multiples of pi over this.
    turns: u64,
}

impl<'a> Field<'a> {
    /// Roots of unity of order `2 * turns` have a degree below that.
    fn degree(&self) -> f64 {
        self.degree * if self.turns == 1 { 1.0 } else { 2.0 * self.turns as f64 }
    }

    fn bound(&mut self, expr: &'a Expr) -> Option<Bound> {
        match expr {
            Expr::Number(value) | Expr::Decimal(value) => Some(of_rational(value)),
            Expr::Constant(Constant::Imaginary) => {
                self.add_root(expr, 2)?;
                Some(Bound { upper: 0.0, lower: 0.0 })
            }
            Expr::Sum(terms) => {
                let mut total: Option<Bound> = None;
                for term in terms {
                    let term = self.bound(term)?;
                    total = Some(total.map_or(term, |total| sum(total, term)));
                }
                total
            }
            Expr::Product(factors) => {
                let mut product = Bound { upper: 0.0, lower: 0.0 };
                for factor in factors {
                    let factor = self.bound(factor)?;
                    product =
                        Bound { upper: product.upper + factor.upper, lower: product.lower + factor.lower };
                }
                Some(product)
            }
            Expr::Percent(value) => {
                let value = self.bound(value)?;
                Some(Bound { lower: value.lower + 100_f64.log2(), ..value })
            }
            Expr::Quantity(value, _) => self.bound(value),
            Expr::Power(base, exponent) => {
                let quotient = literal_quotient(exponent)?;
                let (times, index) = (quotient.numer().abs().to_u32()?, quotient.denom().to_u32()?);
                let mut bound = self.bound(base)?;
                if index > 1 {
                    self.add_root(expr, index)?;
                    bound = root(bound, f64::from(index));
                }
                let power =
                    Bound { upper: bound.upper * f64::from(times), lower: bound.lower * f64::from(times) };
                Some(if quotient.is_negative() {
                    Bound { upper: power.lower, lower: power.upper }
                } else {
                    power
                })
            }
            Expr::Call(Function::Factorial | Function::Binomial, _) => Some(of_rational(&whole_value(expr)?)),
            Expr::Call(function, arguments) => self.sine(*function, arguments.first()?),
            _ => None,
        }
    }

    /// The same root counts once.
    fn add_root(&mut self, root: &'a Expr, index: u32) -> Option<()> {
        if !self.roots.iter().any(|(other, other_index)| *other_index == index && *other == root) {
            self.roots.push((root, index));
            self.degree *= f64::from(index);
        }
        (self.roots.len() <= MAX_ROOTS && self.degree <= MAX_DEGREE).then_some(())
    }

    /// Twice the sine or cosine of a part of pi is a sum of two roots of unity, or of their products with i.
    fn sine(&mut self, function: Function, argument: &Expr) -> Option<Bound> {
        let mut algebra = Algebra::new(ANGLE_WORK);
        let angle = normalize(argument, &mut algebra).ok()?;
        let part = if angle.is_zero() {
            Rational::from_integer(0.into())
        } else {
            let (monomial, coefficient) = angle.as_term()?;
            let is_of_pi = monomial.as_slice() == [(Generator::Pi, Exponent::from_integer(1))];
            is_of_pi.then(|| coefficient.clone())?
        };
        // The products with i are roots of unity where 4 divides the order.
        let turns = self.turns.lcm(&part.denom().to_u64()?.lcm(&2));
        self.turns = turns;
        let half = Bound { upper: 1.0, lower: 1.0 };
        let bound = match function {
            Function::Sin | Function::Cos => half,
            Function::Tan | Function::Cot => Bound { upper: 2.0, lower: 2.0 },
            Function::Sec | Function::Csc => half,
            _ => return None,
        };
        (self.degree() <= MAX_DEGREE).then_some(bound)
    }
}

fn of_rational(value: &Rational) -> Bound {
    // One more than the logarithm of a number of so many bits.
    let logarithm = |bits: u64| bits as f64;
    let is_whole = value.is_integer();
    Bound {
        upper: logarithm(value.numer().bits()),
        lower: if is_whole { 0.0 } else { logarithm(value.denom().bits()) },
    }
}

/// U / L + U' / L' = (U L' + U' L) / (L L').
fn sum(a: Bound, b: Bound) -> Bound {
    let (first, second) = (a.upper + b.lower, b.upper + a.lower);
    let (high, low) = if first > second { (first, second) } else { (second, first) };
    Bound { upper: high + (1.0 + (low - high).exp2()).log2(), lower: a.lower + b.lower }
}

/// The k-th root of U / L is that of U L^(k-1) over L, or U over that of U^(k-1) L.
fn root(a: Bound, index: f64) -> Bound {
    if a.upper >= a.lower {
        Bound { upper: (a.upper + (index - 1.0) * a.lower) / index, lower: a.lower }
    } else {
        Bound { upper: a.upper, lower: ((index - 1.0) * a.upper + a.lower) / index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::parse;

    fn places_of(left: &str, right: &str) -> Option<u64> {
        places(&parse(left).unwrap(), &parse(right).unwrap())
    }

    #[test]
    fn nested_roots_have_bounds_and_functions_have_none() {
        // The difference is 5e-21 of 10^10, or 2^-34.
        let close = places_of("\\sqrt{10^{20}+1}", "10^{10}").unwrap();
        assert!((34..200).contains(&close), "{close}");
        assert!(places_of("\\sqrt{2}+\\sqrt{3}", "\\sqrt{5+2\\sqrt6}").is_some_and(|places| places < 200));
        assert!(places_of("\\cos\\frac{\\pi}{5}", "\\frac{1+\\sqrt5}{4}").is_some_and(|places| places < 200));
        assert_eq!(places_of("\\ln 2", "0.7"), None);
        assert_eq!(places_of("\\sin 1", "0.8"), None);
        let many = "\\sqrt{2}+\\sqrt{3}+\\sqrt{5}+\\sqrt{7}+\\sqrt{11}+\\sqrt{13}+\\sqrt{17}+\\sqrt{19}+\\sqrt{23}+\\sqrt{29}+\\sqrt{31}+\\sqrt{37}+\\sqrt{41}";
        assert_eq!(places_of(many, "1"), None);
    }
}
