//! Units that answers carry. A unit that only one of two answers has doesn't matter; two that are known must fit.

use crate::rational::{self, Rational};

/// How a second unit relates to a first.
#[derive(Debug, PartialEq)]
pub(crate) enum Ratio {
    /// The same, or one of them is not known.
    Same,
    /// One of the second is this many of the first.
    Factor(Rational),
    /// They measure different things.
    Different,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Length,
    Mass,
    Time,
    Volume,
    Money,
    Angle,
    Speed,
}

pub(crate) fn ratio(first: &str, second: &str) -> Ratio {
    if first == second {
        return Ratio::Same;
    }
    let (Some(a), Some(b)) = (known(first), known(second)) else { return Ratio::Same };
    if (a.0, a.2) != (b.0, b.2) {
        return Ratio::Different;
    }
    let factor = b.1 / a.1;
    if factor == rational::integer(1) { Ratio::Same } else { Ratio::Factor(factor) }
}

/// Dimension, size in the smallest unit of its kind here, and power.
fn known(unit: &str) -> Option<(Dimension, Rational, u32)> {
    let unit = unit.trim_end_matches('.');
    let (name, power) = match unit.split_once('^') {
        Some((name, power)) => (name, power.trim().parse().ok()?),
        None => match unit.split_once(' ') {
            Some(("square" | "sq", name)) => (name, 2),
            Some(("cubic" | "cu", name)) => (name, 3),
            Some((name, "squared")) => (name, 2),
            Some((name, "cubed")) => (name, 3),
            _ => (unit, 1),
        },
    };
    let (dimension, numerator, denominator) = simple(name.trim())?;
    if !(1..=3).contains(&power) {
        return None;
    }
    let size = rational::fraction(numerator, denominator);
    Some((dimension, rational::power(&size, i64::from(power))?, power))
}

/// Size as a fraction of the first unit of each kind.
fn simple(name: &str) -> Option<(Dimension, i64, i64)> {
    use Dimension::{Angle, Length, Mass, Money, Speed, Time, Volume};
    Some(match name {
        "mm" | "millimeter" | "millimeters" => (Length, 1, 1),
        "cm" | "centimeter" | "centimeters" => (Length, 10, 1),
        "dm" => (Length, 100, 1),
        "m" | "meter" | "meters" | "metre" | "metres" => (Length, 1000, 1),
        "km" | "kilometer" | "kilometers" => (Length, 1_000_000, 1),
        "in" | "inch" | "inches" => (Length, 254, 10),
        "ft" | "foot" | "feet" => (Length, 3048, 10),
        "yd" | "yard" | "yards" => (Length, 9144, 10),
        "mi" | "mile" | "miles" => (Length, 1_609_344, 1),
        "mg" => (Mass, 1, 1),
        "g" | "gram" | "grams" => (Mass, 1000, 1),
        "kg" | "kilogram" | "kilograms" => (Mass, 1_000_000, 1),
        "lb" | "lbs" | "pound" | "pounds" => (Mass, 45_359_237, 100),
        "oz" | "ounce" | "ounces" => (Mass, 45_359_237, 1600),
        "ms" => (Time, 1, 1000),
        "s" | "sec" | "second" | "seconds" => (Time, 1, 1),
        "min" | "minute" | "minutes" => (Time, 60, 1),
        "h" | "hr" | "hrs" | "hour" | "hours" => (Time, 3600, 1),
        "day" | "days" => (Time, 86_400, 1),
        "week" | "weeks" => (Time, 604_800, 1),
        "ml" | "milliliter" | "milliliters" => (Volume, 1, 1),
        "l" | "liter" | "liters" => (Volume, 1000, 1),
        "cent" | "cents" | "¢" => (Money, 1, 100),
        "$" | "dollar" | "dollars" => (Money, 1, 1),
        "degree" | "degrees" => (Angle, 1, 1),
        "mph" | "miles per hour" => (Speed, 1_609_344, 1_000_000),
        "km/h" | "kph" | "kilometers per hour" => (Speed, 1, 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_units_convert_and_unknown_ones_pass() {
        assert_eq!(ratio("cm", "m"), Ratio::Factor(rational::integer(100)));
        assert_eq!(ratio("cm^2", "square meters"), Ratio::Factor(rational::integer(10_000)));
        assert_eq!(ratio("inches^2", "square inches"), Ratio::Same);
        assert_eq!(ratio("cm", "cm^2"), Ratio::Different);
        assert_eq!(ratio("apples", "cm"), Ratio::Same);
        assert_eq!(ratio("$", "cents"), Ratio::Factor(rational::fraction(1, 100)));
    }
}
