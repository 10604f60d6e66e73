//! Products of values rounded to bfloat16 and summed in f32, where the processor has an instruction for them.
//!
//! The instruction multiplies pairs along the depth: a pair is a `u32`, the value of the even index in its lower half. As
//! in f32, every element is one chain over ascending depth, so that results depend neither on threads nor on the batch.

#![expect(
    unsafe_code,
    reason = "calls into code compiled for a detected processor feature; bounds are asserted"
)]

use std::cell::Cell;

use super::kernel::{Out, PANEL};
use super::layer::fit;

/// True when this processor has the instruction.
pub(super) fn is_supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Rounds to nearest, ties to even; NaN stays NaN.
#[inline(always)]
fn round(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1))) >> 16;
    if value.is_nan() { (bits >> 16) | 0x40 } else { rounded }
}

super::kernel::vectorized! {
    /// Pairs `[depth / 2][width]` of rows of `width` values; a last row without a partner is paired with 0.
    pub(super) fn pair_rows(rows: &[f32], width: usize, pairs: &mut [u32]) {
        for (line, pairs) in rows.chunks(2 * width).zip(pairs.chunks_exact_mut(width)) {
            let (even, odd) = line.split_at(width);
            if odd.is_empty() {
                pairs.iter_mut().zip(even).for_each(|(pair, &even)| *pair = round(even));
            }
            for ((pair, &even), &odd) in pairs.iter_mut().zip(even).zip(odd) {
                *pair = round(even) | round(odd) << 16;
            }
        }
    }

    /// Pairs of neighbours in `values`; a last one without a partner is paired with 0.
    pub(super) fn pair_neighbours(values: &[f32], pairs: &mut [u32]) {
        let (both, rest) = values.as_chunks::<2>();
        for (pair, &[even, odd]) in pairs.iter_mut().zip(both) {
            *pair = round(even) | round(odd) << 16;
        }
        if let ([even], Some(pair)) = (rest, pairs.last_mut()) {
            *pair = round(*even);
        }
    }
}

/// The left operand: pair k of row i is `data[i * row_stride + k * depth_stride]`.
#[derive(Clone, Copy)]
pub(super) struct LeftPairs<'a> {
    pub(super) data: &'a [u32],
    pub(super) row_stride: usize,
    pub(super) depth_stride: usize,
}

/// [`super::kernel::multiply_panel`] of pairs; `panel` holds `depth` rows of [`PANEL`] pairs.
///
/// # Panics
/// The processor lacks the instruction, see [`is_supported`].
pub(super) fn multiply_panel(
    rows: usize,
    depth: usize,
    cols: usize,
    left: LeftPairs<'_>,
    panel: &[u32],
    out: Out<'_>,
) {
    if rows == 0 || cols == 0 {
        return;
    }
    assert!(is_supported(), "the processor has no bf16 products");
    assert!(cols <= PANEL && panel.len() >= depth * PANEL, "panel too short");
    assert!((rows - 1) * out.row_stride + cols <= out.data.len(), "output too short");
    if depth > 0 {
        let last = (rows - 1) * left.row_stride + (depth - 1) * left.depth_stride;
        assert!(last < left.data.len(), "left operand too short");
    }
    // SAFETY: the asserts above bound every address the tiles compute, and the processor has the features.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        avx512::tiles(rows, depth, cols, left, panel, out);
    }
}

thread_local! {
    /// Pairs of a left operand and of a panel.
    static PAIRS: Cell<[Vec<u32>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
}

/// Runs `work` with two buffers of the thread's own, `lens` long.
pub(super) fn with_pairs(lens: [usize; 2], work: impl FnOnce(&mut [u32], &mut [u32])) {
    let [mut left, mut panel] = PAIRS.take();
    work(fit(&mut left, lens[0]), fit(&mut panel, lens[1]));
    PAIRS.set([left, panel]);
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512bh, __mmask16, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps,
        _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
    };
    use std::mem::transmute;

    use super::{LeftPairs, Out, PANEL};

    /// Tiles of up to twelve rows and a whole panel.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn tiles(
        rows: usize,
        depth: usize,
        cols: usize,
        left: LeftPairs<'_>,
        panel: &[u32],
        out: Out<'_>,
    ) {
        let mask = |width: usize| ((1u32 << width.min(16)) - 1) as __mmask16;
        let masks = [mask(cols), mask(cols.saturating_sub(16))];
        let strides = [left.row_stride, left.depth_stride, out.row_stride];
        let mut i = 0;
        while i < rows {
            let height = (rows - i).min(12);
            // SAFETY: `multiply_panel` asserted the extents.
            unsafe {
                let a = left.data.as_ptr().add(i * left.row_stride);
                let c = out.data.as_mut_ptr().add(i * out.row_stride);
                let b = panel.as_ptr();
                match height {
                    12 => tile::<12>(depth, strides, a, b, c, masks, out.accumulate),
                    11 => tile::<11>(depth, strides, a, b, c, masks, out.accumulate),
                    10 => tile::<10>(depth, strides, a, b, c, masks, out.accumulate),
                    9 => tile::<9>(depth, strides, a, b, c, masks, out.accumulate),
                    8 => tile::<8>(depth, strides, a, b, c, masks, out.accumulate),
                    7 => tile::<7>(depth, strides, a, b, c, masks, out.accumulate),
                    6 => tile::<6>(depth, strides, a, b, c, masks, out.accumulate),
                    5 => tile::<5>(depth, strides, a, b, c, masks, out.accumulate),
                    4 => tile::<4>(depth, strides, a, b, c, masks, out.accumulate),
                    3 => tile::<3>(depth, strides, a, b, c, masks, out.accumulate),
                    2 => tile::<2>(depth, strides, a, b, c, masks, out.accumulate),
                    _ => tile::<1>(depth, strides, a, b, c, masks, out.accumulate),
                }
            }
            i += height;
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    unsafe fn tile<const ROWS: usize>(
        depth: usize,
        [row_stride, depth_stride, out_stride]: [usize; 3],
        a: *const u32,
        b: *const u32,
        c: *mut f32,
        masks: [__mmask16; 2],
        accumulate: bool,
    ) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        // SAFETY: `multiply_panel` asserted the extents; masked lanes are not touched, so the address of a masked half
        // may lie past the row (hence `wrapping_add`). 512 bits are 512 bits, whatever they are taken for.
        unsafe {
            let pairs = |register| transmute::<_, __m512bh>(register);
            if accumulate {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let row = c.add(i * out_stride).cast_const();
                    *sum = [
                        _mm512_maskz_loadu_ps(masks[0], row),
                        _mm512_maskz_loadu_ps(masks[1], row.wrapping_add(16)),
                    ];
                }
            }
            for k in 0..depth {
                let right = [0, 16].map(|half| pairs(_mm512_loadu_si512(b.add(k * PANEL + half).cast())));
                for (i, sum) in sums.iter_mut().enumerate() {
                    let x = pairs(_mm512_set1_epi32(*a.add(i * row_stride + k * depth_stride) as i32));
                    sum[0] = _mm512_dpbf16_ps(sum[0], x, right[0]);
                    sum[1] = _mm512_dpbf16_ps(sum[1], x, right[1]);
                }
            }
            for (i, sum) in sums.iter().enumerate() {
                let row = c.add(i * out_stride);
                _mm512_mask_storeu_ps(row, masks[0], sum[0]);
                _mm512_mask_storeu_ps(row.wrapping_add(16), masks[1], sum[1]);
            }
        }
    }
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
