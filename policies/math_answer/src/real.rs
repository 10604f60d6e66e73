//! Intervals of real numbers with a fixed count of binary places, and rectangles in the complex plane: their arithmetic.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Signed, Zero};

use crate::precise::Precise;
use crate::rational::Rational;
use crate::series;

/// Roots up to this one are taken of integers.
pub(crate) const MAX_INDEX: u32 = 64;
/// Numbers longer than this are not computed with.
pub(crate) const MAX_BITS: u64 = 1 << 15;

/// What lies within `radius` of `middle`, both in units of the last place.
#[derive(Debug, Clone)]
pub(crate) struct Real {
    pub(crate) middle: BigInt,
    pub(crate) radius: BigInt,
}

/// A complex number.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) re: Real,
    pub(crate) im: Real,
}

impl Real {
    pub(crate) fn exact(middle: BigInt) -> Self {
        Self { middle, radius: BigInt::zero() }
    }

    pub(crate) fn zero() -> Self {
        Self::exact(BigInt::zero())
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        Self { middle: &self.middle + &other.middle, radius: &self.radius + &other.radius }
    }

    pub(crate) fn negated(&self) -> Self {
        Self { middle: -&self.middle, radius: self.radius.clone() }
    }

    pub(crate) fn is_exact_zero(&self) -> bool {
        self.middle.is_zero() && self.radius.is_zero()
    }

    pub(crate) fn holds_zero(&self) -> bool {
        self.middle.abs() <= self.radius
    }

    /// The largest absolute value in it.
    pub(crate) fn bound(&self) -> BigInt {
        self.middle.abs() + &self.radius
    }
}

impl Value {
    pub(crate) fn real(re: Real) -> Self {
        Self { re, im: Real::zero() }
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        Self { re: self.re.add(&other.re), im: self.im.add(&other.im) }
    }

    pub(crate) fn negated(&self) -> Self {
        Self { re: self.re.negated(), im: self.im.negated() }
    }

    pub(crate) fn times_i(&self) -> Self {
        Self { re: self.im.negated(), im: self.re.clone() }
    }

    pub(crate) fn is_real(&self) -> bool {
        self.im.is_exact_zero()
    }

    pub(crate) fn is_exact_zero(&self) -> bool {
        self.re.is_exact_zero() && self.im.is_exact_zero()
    }

    /// Whether both can't be the same number.
    pub(crate) fn is_apart(&self, other: &Self) -> bool {
        let difference = self.add(&other.negated());
        !difference.re.holds_zero() || !difference.im.holds_zero()
    }

    /// How many places of the value are known: its error is below 2^-places.
    pub(crate) fn known_places(&self, places: u64) -> u64 {
        places.saturating_sub(self.re.radius.bits().max(self.im.radius.bits()) + 1)
    }
}

impl Precise<'_> {
    /// Takes the cost of operations off the work: multiplications take quadratic time.
    pub(crate) fn charge(&self, operations: u64) -> Option<()> {
        let words = self.places / 64 + 1;
        self.work.spend(operations * (1 + words * words / 128)).then_some(())
    }

    /// That of a function's series.
    pub(crate) fn charge_series(&self) -> Option<()> {
        self.charge(self.places / 16 + 16)
    }

    pub(crate) fn one(&self) -> Real {
        Real::exact(series::one(self.places))
    }

    /// A value that is right to one unit, and another for what its caller did.
    pub(crate) fn rounded(&self, middle: BigInt) -> Real {
        Real { middle, radius: BigInt::from(2) }
    }

    pub(crate) fn rational(&self, value: &Rational) -> Option<Real> {
        if value.numer().bits() > MAX_BITS || value.denom().bits() > MAX_BITS {
            return None;
        }
        let (middle, rest) = (value.numer() << self.places).div_mod_floor(value.denom());
        Some(if rest.is_zero() { Real::exact(middle) } else { self.rounded(middle) })
    }

    pub(crate) fn product(&self, a: &Real, b: &Real) -> Option<Real> {
        self.charge(1)?;
        if a.is_exact_zero() || b.is_exact_zero() {
            return Some(Real::zero());
        }
        let middle = (&a.middle * &b.middle) >> self.places;
        let inherited = a.bound() * &b.radius + &a.radius * b.middle.abs();
        let is_exact = inherited.is_zero() && (&middle << self.places) == &a.middle * &b.middle;
        let radius = if is_exact { BigInt::zero() } else { (inherited >> self.places) + 2 };
        (middle.bits() <= MAX_BITS).then_some(Real { middle, radius })
    }

    pub(crate) fn multiply(&self, a: &Value, b: &Value) -> Option<Value> {
        let re = self.product(&a.re, &b.re)?.add(&self.product(&a.im, &b.im)?.negated());
        let im = self.product(&a.re, &b.im)?.add(&self.product(&a.im, &b.re)?);
        Some(Value { re, im })
    }

    pub(crate) fn inverse(&self, a: &Real) -> Option<Real> {
        self.charge(4)?;
        if a.middle.abs() <= &a.radius * 2 {
            return None;
        }
        let (middle, rest) = (series::one(self.places) << self.places).div_mod_floor(&a.middle);
        if rest.is_zero() && a.radius.is_zero() {
            return Some(Real::exact(middle));
        }
        // |1/a - 1/b| <= radius / (|a| (|a| - radius)), and the radius is at most half of |a|.
        let radius = (&a.radius << (2 * self.places + 1)) / (&a.middle * &a.middle) + 2;
        Some(Real { middle, radius })
    }

    pub(crate) fn invert(&self, a: &Value) -> Option<Value> {
        if a.is_real() {
            return Some(Value::real(self.inverse(&a.re)?));
        }
        let squares = self.product(&a.re, &a.re)?.add(&self.product(&a.im, &a.im)?);
        let scale = self.inverse(&squares)?;
        Some(Value { re: self.product(&a.re, &scale)?, im: self.product(&a.im, &scale)?.negated() })
    }

    /// The root of what is not negative, or may be 0.
    pub(crate) fn root(&self, a: &Real, index: u32) -> Option<Real> {
        // It is taken of a number that is as many times longer.
        self.charge(8 + u64::from(index) * u64::from(index) / 2)?;
        let lowest = &a.middle - &a.radius;
        let scaled = |value: &BigInt| (value << (self.places * u64::from(index - 1))).nth_root(index);
        if !lowest.is_positive() {
            if a.is_exact_zero() {
                return Some(Real::zero());
            }
            let highest = &a.middle + &a.radius;
            if highest.is_negative() {
                return None;
            }
            let half: BigInt = (scaled(&highest) + 2) >> 1;
            return Some(Real { radius: &half + 1, middle: half });
        }
        let middle = scaled(&a.middle);
        if a.radius.is_zero() && middle.pow(index) == &a.middle << (self.places * u64::from(index - 1)) {
            return Some(Real::exact(middle));
        }
        // Roots grow slower than their radicands do at the lower end.
        let radius = &middle - scaled(&lowest) + 2;
        Some(Real { middle, radius })
    }

    pub(crate) fn exp(&self, a: &Real) -> Option<Real> {
        self.charge_series()?;
        if a.radius.bits() + 1 >= self.places {
            return None;
        }
        let middle = series::exp(&a.middle, self.places)?;
        let radius = ((&middle * &a.radius) >> (self.places - 1)) + 2;
        Some(Real { middle, radius })
    }

    pub(crate) fn ln(&self, a: &Real) -> Option<Real> {
        self.charge_series()?;
        if a.middle <= &a.radius * 2 {
            return None;
        }
        let radius = (&a.radius << (self.places + 1)) / &a.middle + 2;
        Some(Real { middle: series::ln(&a.middle, self.places), radius })
    }

    pub(crate) fn sin_cos(&self, a: &Real) -> Option<(Real, Real)> {
        self.charge_series()?;
        let (sine, cosine) = series::sin_cos(&a.middle, self.places);
        let real = |middle: BigInt| Real { middle, radius: &a.radius + 2 };
        Some((real(sine), real(cosine)))
    }

    pub(crate) fn arctan(&self, a: &Real) -> Option<Real> {
        self.charge_series()?;
        Some(Real { middle: series::arctan(&a.middle, self.places), radius: &a.radius + 2 })
    }

    /// The angle of a number that is not 0.
    pub(crate) fn angle(&self, a: &Value) -> Option<Real> {
        if a.is_real() {
            let pi = self.rounded(series::pi(self.places));
            return (!a.re.holds_zero()).then(|| if a.re.middle.is_positive() { Real::zero() } else { pi });
        }
        // Half of it has the tangent im / (modulus + re).
        let tangent = self.product(&a.im, &self.inverse(&self.modulus(a)?.add(&a.re))?)?;
        let half = self.arctan(&tangent)?;
        Some(half.add(&half))
    }

    pub(crate) fn modulus(&self, a: &Value) -> Option<Real> {
        if a.is_real() {
            return Some(if a.re.middle.is_negative() { a.re.negated() } else { a.re.clone() });
        }
        self.root(&self.product(&a.re, &a.re)?.add(&self.product(&a.im, &a.im)?), 2)
    }

    pub(crate) fn exponential(&self, a: &Value) -> Option<Value> {
        let scale = self.exp(&a.re)?;
        if a.is_real() {
            return Some(Value::real(scale));
        }
        let (sine, cosine) = self.sin_cos(&a.im)?;
        Some(Value { re: self.product(&scale, &cosine)?, im: self.product(&scale, &sine)? })
    }

    pub(crate) fn logarithm(&self, a: &Value) -> Option<Value> {
        Some(Value { re: self.ln(&self.modulus(a)?)?, im: self.angle(a)? })
    }
}
