//! Tiles for AVX2 and FMA.

#![expect(unsafe_code, reason = "pointers into what `multiply_panel` was given")]

use std::arch::x86_64::{
    _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::PANEL;
use super::panel::{Operands, Size};

/// Tiles of up to six rows and half a panel.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn tiles(rows: usize, size: &Size, Operands { a, b, c }: Operands<f32>, accumulate: bool) {
    let mut i = 0;
    while i < rows {
        let height = (rows - i).min(6);
        for half in 0..size.cols.div_ceil(16) {
            // SAFETY: `multiply_panel` asserted the extents.
            unsafe {
                let (a, c) = (a.add(i * size.row), c.add(i * size.out));
                match height {
                    6 => tile::<6>(size, a, b, c, half, accumulate),
                    5 => tile::<5>(size, a, b, c, half, accumulate),
                    4 => tile::<4>(size, a, b, c, half, accumulate),
                    3 => tile::<3>(size, a, b, c, half, accumulate),
                    2 => tile::<2>(size, a, b, c, half, accumulate),
                    _ => tile::<1>(size, a, b, c, half, accumulate),
                }
            }
        }
        i += height;
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn tile<const ROWS: usize>(
    size: &Size,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    half: usize,
    accumulate: bool,
) {
    let width = (size.cols - half * 16).min(16);
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    let mut edge = [0.0f32; 16];
    // SAFETY: `multiply_panel` asserted the extents; a narrow edge goes through `edge`.
    unsafe {
        let (b, c) = (b.add(half * 16), c.add(half * 16));
        if accumulate {
            for (i, sum) in sums.iter_mut().enumerate() {
                let mut row = c.add(i * size.out).cast_const();
                if width < 16 {
                    row.copy_to_nonoverlapping(edge.as_mut_ptr(), width);
                    row = edge.as_ptr();
                }
                *sum = [_mm256_loadu_ps(row), _mm256_loadu_ps(row.add(8))];
            }
        }
        for k in 0..size.depth {
            let right = [_mm256_loadu_ps(b.add(k * PANEL)), _mm256_loadu_ps(b.add(k * PANEL + 8))];
            for (i, sum) in sums.iter_mut().enumerate() {
                let x = _mm256_broadcast_ss(&*a.add(i * size.row + k * size.step));
                sum[0] = _mm256_fmadd_ps(x, right[0], sum[0]);
                sum[1] = _mm256_fmadd_ps(x, right[1], sum[1]);
            }
        }
        for (i, sum) in sums.iter().enumerate() {
            let row = c.add(i * size.out);
            if width < 16 {
                _mm256_storeu_ps(edge.as_mut_ptr(), sum[0]);
                _mm256_storeu_ps(edge.as_mut_ptr().add(8), sum[1]);
                row.copy_from_nonoverlapping(edge.as_ptr(), width);
            } else {
                _mm256_storeu_ps(row, sum[0]);
                _mm256_storeu_ps(row.add(8), sum[1]);
            }
        }
    }
}
