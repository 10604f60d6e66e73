//! Values rounded to bfloat16, in pairs along the depth of a product.

use std::cell::Cell;

use super::buffers::fit;
use super::kernel::{Pair, vectorized};

/// Rounds to nearest, ties to even; NaN stays NaN.
#[inline(always)]
fn round(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1))) >> 16;
    if value.is_nan() { (bits >> 16) | 0x40 } else { rounded }
}

vectorized! {
    /// Pairs `[_][line]` of the first `width` values of rows that are `stride` apart, filled up with 0; a last row without
    /// a partner is paired with 0.
    pub(super) fn pair_rows(rows: &[f32], stride: usize, width: usize, pairs: &mut [Pair], line: usize) {
        for (rows, pairs) in rows.chunks(2 * stride).zip(pairs.chunks_exact_mut(line)) {
            let (pairs, rest) = pairs.split_at_mut(width);
            let even = &rows[..width];
            if rows.len() > stride {
                for ((pair, &even), &odd) in pairs.iter_mut().zip(even).zip(&rows[stride..][..width]) {
                    *pair = Pair(round(even) | round(odd) << 16);
                }
            } else {
                pairs.iter_mut().zip(even).for_each(|(pair, &even)| *pair = Pair(round(even)));
            }
            rest.fill(Pair::default());
        }
    }

    /// Pairs of neighbours in `values`; a last one without a partner is paired with 0.
    pub(super) fn pair_neighbours(values: &[f32], pairs: &mut [Pair]) {
        let (both, rest) = values.as_chunks::<2>();
        for (pair, &[even, odd]) in pairs.iter_mut().zip(both) {
            *pair = Pair(round(even) | round(odd) << 16);
        }
        if let ([even], Some(pair)) = (rest, pairs.last_mut()) {
            *pair = Pair(round(*even));
        }
    }
}

thread_local! {
    /// Pairs of a left operand and of a panel.
    static PAIRS: Cell<[Vec<Pair>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
}

/// Runs `work` with two buffers of the thread's own, `lens` long.
pub(super) fn with_pairs(lens: [usize; 2], work: impl FnOnce(&mut [Pair], &mut [Pair])) {
    let [mut left, mut panel] = PAIRS.take();
    work(fit(&mut left, lens[0]), fit(&mut panel, lens[1]));
    PAIRS.set([left, panel]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_the_nearest_even() {
        for (value, expected) in [
            (1.0, 0x3f80),
            (f32::from_bits(0x3f80_8000), 0x3f80),
            (f32::from_bits(0x3f81_8000), 0x3f82),
            (f32::from_bits(0x3f80_8001), 0x3f81),
            (-0.0, 0x8000),
            (f32::MAX, 0x7f80),
            (f32::NEG_INFINITY, 0xff80),
        ] {
            assert_eq!(round(value), expected, "{value}");
        }
        for bits in [0x7f80_0001, 0x7fff_ffff, 0xffff_ffff] {
            assert!(f32::from_bits(round(f32::from_bits(bits)) << 16).is_nan());
        }
    }
}
