//! Shares of counts: how many of `count` things a share in f32 stands for.

/// Relative error that a share may carry: four roundings of f32, for shares that a policy computed.
const ROUNDING: f64 = 4.0 / (1u64 << 24) as f64;

/// ⌊share · count⌋ as the decimal or fraction says that `share` was written as: 0.7 of 10 is 7 although the f32 next to
/// 0.7 is below it, and a third of 96 is 32. `share` lies in 0 to 1.
pub fn whole_part(share: f32, count: u32) -> u32 {
    // The cast saturates, and NaN is 0.
    ((f64::from(share) * f64::from(count) * (1.0 + ROUNDING)) as u32).min(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every decimal of up to three digits, and every count up to 1024, against whole-number arithmetic.
    #[test]
    fn a_decimal_decides_and_not_the_f32_next_to_it() {
        for thousandths in 0..=1000u32 {
            let share: f32 = format!("{}.{:03}", thousandths / 1000, thousandths % 1000).parse().unwrap();
            for count in 0..=1024 {
                assert_eq!(whole_part(share, count), thousandths * count / 1000, "{share} of {count}");
            }
        }
        // The plain product is wrong for some of them: the test can tell.
        assert_eq!((10.0 * f64::from(0.7f32)) as u32, 6);
    }

    #[test]
    fn a_fraction_and_a_computed_share_are_what_they_were_meant_to_be() {
        for parts in 1..=64u32 {
            for count in 0..=1024 {
                assert_eq!(whole_part(1.0 / parts as f32, count), count / parts, "1/{parts} of {count}");
            }
        }
        assert_eq!(whole_part(0.9f32 - 0.2, 10), 7);
        for (share, count, expected) in
            [(f32::NAN, 8, 0), (1.0, u32::MAX, u32::MAX), (0.0, 8, 0), (1e-9, 8, 0)]
        {
            assert_eq!(whole_part(share, count), expected);
        }
    }
}
