//! The value of a number: a decimal of any length, or a fraction that is none.

use exgrpo_guest_sdk::response::Scale;

/// Digits of a number that is computed with as a fraction.
const MAX_DIGITS: usize = 15;
/// The largest denominator that is computed with.
const MAX_DENOMINATOR: u64 = 1_000_000;

/// A value without its sign, in one form: digits without zeros that don't count, or a fraction in lowest terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    whole: String,
    decimals: String,
    /// What the digits are divided by: 1 for all decimals.
    over: u64,
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        let point = if self.decimals.is_empty() { "" } else { "." };
        write!(f, "{whole}{point}{}", self.decimals)?;
        if self.over > 1 { write!(f, "/{}", self.over) } else { Ok(()) }
    }
}

impl Value {
    pub(crate) fn decimal(whole: &str, decimals: &str) -> Self {
        Self {
            whole: whole.trim_start_matches('0').to_owned(),
            decimals: decimals.trim_end_matches('0').to_owned(),
            over: 1,
        }
    }

    /// What two whole numbers divide to; `None` where that can't be computed.
    pub(crate) fn fraction(above: u64, below: u64) -> Option<Self> {
        if below == 0 || below > MAX_DENOMINATOR {
            return None;
        }
        let common = greatest_common_divisor(above, below);
        let (mut above, mut below) = (u128::from(above / common), below / common);
        let twos_and_fives = |mut number: u64| {
            let mut count = 0;
            for prime in [2, 5] {
                while number.is_multiple_of(prime) {
                    (number, count) = (number / prime, count + 1);
                }
            }
            (number == 1).then_some(count)
        };
        // A denominator of twos and fives makes a decimal: 3/8 = 0.375.
        let Some(places) = twos_and_fives(below) else {
            return Some(Self { whole: above.to_string(), decimals: String::new(), over: below });
        };
        for _ in 0..places {
            above *= 10;
        }
        above /= u128::from(below);
        below = places;
        let digits = format!("{above:0>width$}", width = below as usize + 1);
        let (whole, decimals) = digits.split_at(digits.len() - below as usize);
        Some(Self::decimal(whole, decimals))
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.decimals.is_empty()
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.decimals.is_empty() && self.over == 1
    }

    /// As a whole number, if it is one that can be computed with.
    pub(crate) fn whole(&self) -> Option<u64> {
        if !self.is_whole() || self.whole.len() > MAX_DIGITS {
            return None;
        }
        if self.whole.is_empty() { Some(0) } else { self.whole.parse().ok() }
    }

    /// With a fraction behind it: "5 1/2".
    pub(crate) fn and(&self, above: u64, below: u64) -> Option<Self> {
        Self::fraction(self.whole()?.checked_mul(below)?.checked_add(above)?, below)
    }

    pub(crate) fn scaled(&self, scale: Scale) -> Option<Self> {
        match scale {
            Scale::Over(divisor) => Self::fraction(self.whole()?, divisor),
            Scale::Times(factor) if self.over > 1 => {
                let above: u64 = self.whole.parse().ok()?;
                Self::fraction(above.checked_mul(factor)?, self.over)
            }
            Scale::Times(factor) => {
                let mut carry = 0_u128;
                let mut digits: Vec<u8> = Vec::with_capacity(self.whole.len() + self.decimals.len() + 20);
                for digit in self.whole.bytes().chain(self.decimals.bytes()).rev() {
                    carry += u128::from(digit - b'0') * u128::from(factor);
                    digits.push(b'0' + (carry % 10) as u8);
                    carry /= 10;
                }
                while carry > 0 {
                    digits.push(b'0' + (carry % 10) as u8);
                    carry /= 10;
                }
                while digits.len() < self.decimals.len() {
                    digits.push(b'0');
                }
                let digits: String = digits.into_iter().rev().map(char::from).collect();
                let (whole, decimals) = digits.split_at(digits.len() - self.decimals.len());
                Some(Self::decimal(whole, decimals))
            }
        }
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_and_scales_come_to_one_form() {
        let shown = |value: Option<Value>| value.map(|value| value.to_string());
        for (above, below, expected) in
            [(1, 2, "0.5"), (3, 8, "0.375"), (6, 3, "2"), (4, 6, "2/3"), (0, 7, "0"), (1, 1000, "0.001")]
        {
            assert_eq!(shown(Value::fraction(above, below)).as_deref(), Some(expected));
        }
        assert_eq!(Value::fraction(1, 0), None);
        assert_eq!(shown(Value::decimal("5", "").and(1, 2)).as_deref(), Some("5.5"));
        let scaled = |whole, decimals, scale| shown(Value::decimal(whole, decimals).scaled(scale));
        assert_eq!(scaled("2", "5", Scale::Times(1_000_000)).as_deref(), Some("2500000"));
        assert_eq!(scaled("0", "001", Scale::Times(12)).as_deref(), Some("0.012"));
        assert_eq!(scaled("5", "", Scale::Over(10)).as_deref(), Some("0.5"));
        assert_eq!(
            shown(Value::fraction(1, 3).and_then(|third| third.scaled(Scale::Times(12)))).as_deref(),
            Some("4")
        );
    }
}
