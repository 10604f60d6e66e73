//! Tiles for AVX-512: f32 values, and pairs of bfloat16 values where the processor multiplies those.

#![expect(unsafe_code, reason = "pointers into what `multiply_panel` was given")]

use std::arch::x86_64::{
    __m512, __m512bh, __mmask16, _MM_HINT_T1, _mm_prefetch, _mm512_dpbf16_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};
use std::mem::transmute;

use super::PANEL;
use super::panel::{Operands, Pair, Size};

/// Rows during which the memory behind a panel's depth is brought into the second-level cache, half of it in each tile:
/// what is multiplied next. Otherwise the first tile waits for memory and the others leave it idle.
const AHEAD: usize = 24;

/// A module of tiles: `$splat` and `$load` bring elements into a register, `$multiply(sum, left, right)` adds a product.
macro_rules! tiles {
    ($module:ident, $features:literal, $element:ty, $splat:expr, $load:expr, $multiply:expr) => {
        pub(super) mod $module {
            use super::*;

            /// Tiles of up to twelve rows and a whole panel.
            #[target_feature(enable = $features)]
            pub(in super::super) unsafe fn tiles(
                rows: usize,
                size: &Size,
                Operands { a, b, c }: Operands<$element>,
                accumulate: bool,
            ) {
                let mask = |width: usize| ((1u32 << width.min(16)) - 1) as __mmask16;
                let masks = [mask(size.cols), mask(size.cols.saturating_sub(16))];
                let mut i = 0;
                while i < rows {
                    let height = (rows - i).min(12);
                    // SAFETY: `multiply_panel` asserted the extents.
                    unsafe {
                        let (a, c) = (a.add(i * size.row), c.add(i * size.out));
                        match height {
                            12 if i < AHEAD && rows >= AHEAD => {
                                let next = b.wrapping_add((PANEL + i * PANEL / AHEAD) * size.depth);
                                tile::<12, true>(size, a, b, c, masks, accumulate, next);
                            }
                            12 => tile::<12, false>(size, a, b, c, masks, accumulate, b),
                            11 => tile::<11, false>(size, a, b, c, masks, accumulate, b),
                            10 => tile::<10, false>(size, a, b, c, masks, accumulate, b),
                            9 => tile::<9, false>(size, a, b, c, masks, accumulate, b),
                            8 => tile::<8, false>(size, a, b, c, masks, accumulate, b),
                            7 => tile::<7, false>(size, a, b, c, masks, accumulate, b),
                            6 => tile::<6, false>(size, a, b, c, masks, accumulate, b),
                            5 => tile::<5, false>(size, a, b, c, masks, accumulate, b),
                            4 => tile::<4, false>(size, a, b, c, masks, accumulate, b),
                            3 => tile::<3, false>(size, a, b, c, masks, accumulate, b),
                            2 => tile::<2, false>(size, a, b, c, masks, accumulate, b),
                            _ => tile::<1, false>(size, a, b, c, masks, accumulate, b),
                        }
                    }
                    i += height;
                }
            }

            /// Sums of `ROWS` rows. With `FETCH`, brings in a cache line from `next` on for every step along the depth.
            #[target_feature(enable = $features)]
            #[inline]
            unsafe fn tile<const ROWS: usize, const FETCH: bool>(
                size: &Size,
                a: *const $element,
                b: *const $element,
                c: *mut f32,
                masks: [__mmask16; 2],
                accumulate: bool,
                next: *const $element,
            ) {
                let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
                // SAFETY: `multiply_panel` asserted the extents; masked lanes are not touched, so the address of a
                // masked half may lie past the row (hence `wrapping_add`).
                unsafe {
                    if accumulate {
                        for (i, sum) in sums.iter_mut().enumerate() {
                            let row = c.add(i * size.out).cast_const();
                            *sum = [
                                _mm512_maskz_loadu_ps(masks[0], row),
                                _mm512_maskz_loadu_ps(masks[1], row.wrapping_add(16)),
                            ];
                        }
                    }
                    for k in 0..size.depth {
                        if FETCH {
                            _mm_prefetch::<_MM_HINT_T1>(next.wrapping_add(k * PANEL * 12 / AHEAD).cast());
                        }
                        let right = [$load(b.add(k * PANEL)), $load(b.add(k * PANEL + 16))];
                        for (i, sum) in sums.iter_mut().enumerate() {
                            let x = $splat(a.add(i * size.row + k * size.step));
                            sum[0] = $multiply(sum[0], x, right[0]);
                            sum[1] = $multiply(sum[1], x, right[1]);
                        }
                    }
                    for (i, sum) in sums.iter().enumerate() {
                        let row = c.add(i * size.out);
                        if size.cols == PANEL {
                            _mm512_storeu_ps(row, sum[0]);
                            _mm512_storeu_ps(row.add(16), sum[1]);
                        } else {
                            _mm512_mask_storeu_ps(row, masks[0], sum[0]);
                            _mm512_mask_storeu_ps(row.wrapping_add(16), masks[1], sum[1]);
                        }
                    }
                }
            }
        }
    };
}

tiles!(
    values,
    "avx512f",
    f32,
    |value: *const f32| _mm512_set1_ps(*value),
    |values: *const f32| _mm512_loadu_ps(values),
    |sum: __m512, left: __m512, right: __m512| _mm512_fmadd_ps(left, right, sum)
);

// 512 bits are 512 bits, whatever they are taken for.
tiles!(
    pairs,
    "avx512f,avx512bf16",
    Pair,
    |pair: *const Pair| transmute::<_, __m512bh>(_mm512_set1_epi32((*pair).0 as i32)),
    |pairs: *const Pair| transmute::<_, __m512bh>(_mm512_loadu_si512(pairs.cast())),
    |sum: __m512, left: __m512bh, right: __m512bh| _mm512_dpbf16_ps(sum, left, right)
);
