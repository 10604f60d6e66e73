//! Units that answers carry. A unit that only one of two answers has doesn't matter; two that are known must fit.

use std::borrow::Cow;

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

/// What is measured. Currencies are kinds of their own, because nothing says how they convert.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Length,
    Mass,
    Time,
    Months,
    Dollars,
    Euros,
    Pounds,
    Degrees,
    Radians,
    Celsius,
    Fahrenheit,
    Kelvin,
    Morning,
    Afternoon,
    Moles,
    Amperes,
    Yuan,
    /// "5 units", of a length where nothing says of what.
    Units,
}

const KINDS: usize = Kind::Units as usize + 1;
/// Words of one unit; more are no unit.
const MAX_WORDS: usize = 12;

/// What may be said behind a unit.
const DIMENSIONS: [&str; 8] = [" old", " long", " tall", " high", " wide", " deep", " apart", " away"];

/// A product of powers of kinds, and its size in the smallest unit of each.
#[derive(Debug, Clone, PartialEq)]
struct Unit {
    size: Rational,
    powers: [i64; KINDS],
}

pub(crate) fn ratio(first: &str, second: &str) -> Ratio {
    if first == second {
        return Ratio::Same;
    }
    let (Some(a), Some(b)) = (known(first), known(second)) else { return Ratio::Same };
    if a.powers != b.powers {
        let (unit, length) = (Kind::Units as usize, Kind::Length as usize);
        // "5 units" may be any length, and "5 square units" any area.
        let dimension = |unit: &Unit, kind: usize, other: usize| {
            let rest = unit.powers.iter().enumerate().all(|(at, power)| at == kind || *power == 0);
            (rest && unit.powers[other] == 0).then_some(unit.powers[kind])
        };
        let is_same = |a: &Unit, b: &Unit| {
            dimension(a, unit, length).is_some() && dimension(a, unit, length) == dimension(b, length, unit)
        };
        return if is_same(&a, &b) || is_same(&b, &a) { Ratio::Same } else { Ratio::Different };
    }
    let factor = b.size / a.size;
    if factor == rational::integer(1) { Ratio::Same } else { Ratio::Factor(factor) }
}

pub(crate) fn is_known(unit: &str) -> bool {
    known(unit).is_some()
}

/// `square feet`, `cm^2`, `km/h`, `miles per hour`, `m s^-1`, ..; `None` if any part is no unit.
fn known(unit: &str) -> Option<Unit> {
    let bare = ["degrees ", "degree "].iter().find_map(|degrees| unit.strip_prefix(degrees)).unwrap_or(unit);
    // "3 years old" and "3 meters long".
    let bare = DIMENSIONS.iter().find_map(|word| bare.strip_suffix(word)).unwrap_or(bare);
    let bare = &chinese(bare);
    let spaced = bare.replace('/', " / ").replace('*', " ").replace('²', "^2").replace('³', "^3");
    let mut whole = Unit { size: rational::integer(1), powers: [0; KINDS] };
    let (mut sign, mut power) = (1, 1);
    let mut last: Option<Unit> = None;
    let mut words = 0;
    for word in spaced.split_whitespace() {
        words += 1;
        match word {
            _ if words > MAX_WORDS => return None,
            "/" | "per" | "a" if last.is_some() => sign = -1,
            "square" | "sq" | "sq." => power = 2,
            "cubic" | "cu" | "cu." => power = 3,
            "squared" => whole = times(&whole, last.as_ref()?, 1)?,
            "cubed" => whole = times(&whole, last.as_ref()?, 2)?,
            _ => {
                let (name, exponent) = word.split_once('^').unwrap_or((word, "1"));
                let exponent: i64 =
                    exponent.trim().parse().ok().filter(|power| (-99..=99).contains(power))?;
                let atom = simple(name)?;
                let signed = times(&Unit { size: rational::integer(1), powers: [0; KINDS] }, &atom, sign)?;
                whole = times(&whole, &signed, exponent * power)?;
                (power, last) = (1, Some(signed));
            }
        }
    }
    last.map(|_| whole)
}

/// Chinese names of units by their English ones.
fn chinese(unit: &str) -> Cow<'_, str> {
    const NAMES: [(&str, &str); 31] = [
        ("平方", " square "),
        ("立方", " cubic "),
        ("厘米", " cm "),
        ("公分", " cm "),
        ("毫米", " mm "),
        ("分米", " dm "),
        ("千米", " km "),
        ("公里", " km "),
        ("米", " m "),
        ("毫升", " ml "),
        ("升", " l "),
        ("千克", " kg "),
        ("公斤", " kg "),
        ("毫克", " mg "),
        ("克", " g "),
        ("分钟", " min "),
        ("分鐘", " min "),
        ("小时", " h "),
        ("小時", " h "),
        ("秒", " s "),
        ("天", " day "),
        ("周", " week "),
        ("个月", " month "),
        ("岁", " year "),
        ("年", " year "),
        ("美元", " dollar "),
        ("元", " yuan "),
        ("欧元", " euro "),
        ("牛顿", " n "),
        ("摄氏度", " celsius "),
        ("度", " degree "),
    ];
    if unit.is_ascii() {
        return Cow::Borrowed(unit);
    }
    let mut text = unit.replace("欧元", " euro ");
    for (name, english) in NAMES {
        text = text.replace(name, english);
    }
    Cow::Owned(text)
}

fn times(unit: &Unit, other: &Unit, power: i64) -> Option<Unit> {
    let size = &unit.size * rational::power(&other.size, power)?;
    let powers = std::array::from_fn(|kind| unit.powers[kind] + power * other.powers[kind]);
    Some(Unit { size, powers })
}

/// A unit by its name, singular or plural.
fn simple(name: &str) -> Option<Unit> {
    let name = name.trim_end_matches('.');
    named(name).or_else(|| named(name.strip_suffix('s')?))
}

fn named(name: &str) -> Option<Unit> {
    use Kind::{
        Afternoon, Amperes, Celsius, Degrees, Dollars, Euros, Fahrenheit, Kelvin, Length, Mass, Moles,
        Months, Morning, Pounds, Radians, Time, Units, Yuan,
    };
    let (numerator, denominator, kinds): (i64, i64, &[(Kind, i64)]) = match name {
        "mm" | "millimeter" | "millimetre" => (1, 1, &[(Length, 1)]),
        "cm" | "centimeter" | "centimetre" => (10, 1, &[(Length, 1)]),
        "dm" | "decimeter" => (100, 1, &[(Length, 1)]),
        "m" | "meter" | "metre" => (1000, 1, &[(Length, 1)]),
        "km" | "kilometer" | "kilometre" => (1_000_000, 1, &[(Length, 1)]),
        "in" | "inch" | "inche" | "''" => (254, 10, &[(Length, 1)]),
        "ft" | "foot" | "feet" | "'" => (3048, 10, &[(Length, 1)]),
        "yd" | "yard" => (9144, 10, &[(Length, 1)]),
        "mi" | "mile" => (1_609_344, 1, &[(Length, 1)]),
        "mg" | "milligram" => (1, 1, &[(Mass, 1)]),
        "g" | "gram" => (1000, 1, &[(Mass, 1)]),
        "kg" | "kilogram" => (1_000_000, 1, &[(Mass, 1)]),
        "lb" | "pound" => (45_359_237, 100, &[(Mass, 1)]),
        "oz" | "ounce" => (45_359_237, 1600, &[(Mass, 1)]),
        "ms" | "millisecond" => (1, 1000, &[(Time, 1)]),
        "s" | "sec" | "second" => (1, 1, &[(Time, 1)]),
        "min" | "minute" => (60, 1, &[(Time, 1)]),
        "h" | "hr" | "hour" => (3600, 1, &[(Time, 1)]),
        "day" => (86_400, 1, &[(Time, 1)]),
        "week" => (604_800, 1, &[(Time, 1)]),
        "month" => (1, 1, &[(Months, 1)]),
        "year" | "yr" => (12, 1, &[(Months, 1)]),
        "ml" | "milliliter" | "millilitre" => (1000, 1, &[(Length, 3)]),
        "l" | "liter" | "litre" => (1_000_000, 1, &[(Length, 3)]),
        "gallon" | "gal" => (3_785_411_784, 1000, &[(Length, 3)]),
        "quart" | "qt" => (3_785_411_784, 4000, &[(Length, 3)]),
        "pint" => (3_785_411_784, 8000, &[(Length, 3)]),
        "mph" => (1_609_344, 3600, &[(Length, 1), (Time, -1)]),
        "kph" | "kmh" => (1_000_000, 3600, &[(Length, 1), (Time, -1)]),
        "n" | "newton" => (1_000_000_000, 1, &[(Mass, 1), (Length, 1), (Time, -2)]),
        "j" | "joule" => (1_000_000_000_000, 1, &[(Mass, 1), (Length, 2), (Time, -2)]),
        "w" | "watt" => (1_000_000_000_000, 1, &[(Mass, 1), (Length, 2), (Time, -3)]),
        "kn" | "kilonewton" => (1_000_000_000_000, 1, &[(Mass, 1), (Length, 1), (Time, -2)]),
        "kj" | "kilojoule" => (1_000_000_000_000_000, 1, &[(Mass, 1), (Length, 2), (Time, -2)]),
        "kw" | "kilowatt" => (1_000_000_000_000_000, 1, &[(Mass, 1), (Length, 2), (Time, -3)]),
        // Small letters are all that is left of MJ and MW.
        "mj" | "megajoule" => (1_000_000_000_000_000_000, 1, &[(Mass, 1), (Length, 2), (Time, -2)]),
        "mw" | "megawatt" => (1_000_000_000_000_000_000, 1, &[(Mass, 1), (Length, 2), (Time, -3)]),
        "pa" | "pascal" => (1_000_000, 1, &[(Mass, 1), (Length, -1), (Time, -2)]),
        "kpa" | "kilopascal" => (1_000_000_000, 1, &[(Mass, 1), (Length, -1), (Time, -2)]),
        "hz" | "hertz" => (1, 1, &[(Time, -1)]),
        "a" | "amp" | "ampere" => (1, 1, &[(Amperes, 1)]),
        "v" | "volt" => (1_000_000_000_000, 1, &[(Mass, 1), (Length, 2), (Time, -3), (Amperes, -1)]),
        "ohm" | "omega" | "ω" => {
            (1_000_000_000_000, 1, &[(Mass, 1), (Length, 2), (Time, -3), (Amperes, -2)])
        }
        "coulomb" => (1, 1, &[(Amperes, 1), (Time, 1)]),
        "mol" | "mole" => (1, 1, &[(Moles, 1)]),
        "mmol" => (1, 1000, &[(Moles, 1)]),
        "khz" => (1000, 1, &[(Time, -1)]),
        "mhz" => (1_000_000, 1, &[(Time, -1)]),
        "ton" | "tonne" => (1_000_000_000, 1, &[(Mass, 1)]),
        "unit" => (1, 1, &[(Units, 1)]),
        "yuan" | "rmb" => (1, 1, &[(Yuan, 1)]),
        "cent" | "¢" => (1, 100, &[(Dollars, 1)]),
        "$" | "dollar" | "usd" | "buck" => (1, 1, &[(Dollars, 1)]),
        "€" | "euro" | "eur" => (1, 1, &[(Euros, 1)]),
        "£" => (1, 1, &[(Pounds, 1)]),
        "degree" | "°" => (1, 1, &[(Degrees, 1)]),
        "radian" | "rad" => (1, 1, &[(Radians, 1)]),
        "celsius" | "c" => (1, 1, &[(Celsius, 1)]),
        "fahrenheit" | "f" => (1, 1, &[(Fahrenheit, 1)]),
        "k" | "kelvin" => (1, 1, &[(Kelvin, 1)]),
        "am" | "a.m" => (1, 1, &[(Morning, 1)]),
        "pm" | "p.m" => (1, 1, &[(Afternoon, 1)]),
        _ => return None,
    };
    let mut powers = [0; KINDS];
    for (kind, power) in kinds {
        powers[*kind as usize] = *power;
    }
    Some(Unit { size: rational::fraction(numerator, denominator), powers })
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
        assert_eq!(ratio("years old", "months"), Ratio::Factor(rational::fraction(1, 12)));
        assert_eq!(ratio("$", "cents"), Ratio::Factor(rational::fraction(1, 100)));
    }

    #[test]
    fn units_are_products_of_powers() {
        assert_eq!(ratio("m/s", "meters per second"), Ratio::Same);
        assert_eq!(ratio("m / s", "m s^-1"), Ratio::Same);
        assert_eq!(ratio("m/s", "km/h"), Ratio::Factor(rational::fraction(5, 18)));
        assert_eq!(ratio("mph", "miles per hour"), Ratio::Same);
        assert_eq!(ratio("m/s^2", "meters per second squared"), Ratio::Same);
        assert_eq!(ratio("m/s", "m/s^2"), Ratio::Different);
        assert_eq!(ratio("m/s", "m"), Ratio::Different);
        assert_eq!(ratio("cm^3", "ml"), Ratio::Same);
        assert_eq!(ratio("n * m", "joules"), Ratio::Same);
        assert_eq!(ratio("a.m.", "p.m."), Ratio::Different);
        assert_eq!(ratio("$", "€"), Ratio::Different);
        assert_eq!(ratio("m of rope", "feet"), Ratio::Same);
    }
}
