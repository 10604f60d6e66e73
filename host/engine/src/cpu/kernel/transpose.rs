//! Transposing square blocks of panels, which the backward products do with every weight.

#![expect(unsafe_code, reason = "calls into code compiled for detected processor features")]

use super::{Extension, PANEL, extension};

/// Writes the transpose of `rows` `[height, PANEL]` to `columns` `[width, PANEL]`: value j of row i becomes value i of
/// column j. At most [`PANEL`] of either; what a column has beyond `height` is left as it is.
pub(in crate::cpu) fn transpose_block(rows: &[f32], columns: &mut [f32]) {
    match (rows.as_array(), columns.as_mut_array(), extension()) {
        // SAFETY: `extension` answers only with extensions that this processor has; both have AVX2.
        #[cfg(target_arch = "x86_64")]
        (Some(rows), Some(columns), Extension::Avx2 | Extension::Avx512) => unsafe {
            avx2::square(rows, columns)
        },
        _ => {
            for (j, column) in columns.chunks_exact_mut(PANEL).enumerate() {
                for (value, row) in column.iter_mut().zip(rows.chunks_exact(PANEL)) {
                    *value = row[j];
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
        _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };

    use super::PANEL;

    /// Rows and columns that registers hold.
    const EDGE: usize = 8;

    #[target_feature(enable = "avx2")]
    pub(super) fn square(rows: &[f32; PANEL * PANEL], columns: &mut [f32; PANEL * PANEL]) {
        for i in (0..PANEL).step_by(EDGE) {
            for j in (0..PANEL).step_by(EDGE) {
                // SAFETY: the block ends at (i + 7) * PANEL + j + 7 < PANEL * PANEL.
                let lines = std::array::from_fn(|k| unsafe {
                    _mm256_loadu_ps(rows.as_ptr().add((i + k) * PANEL + j))
                });
                for (l, line) in transpose(lines).into_iter().enumerate() {
                    // SAFETY: likewise.
                    unsafe { _mm256_storeu_ps(columns.as_mut_ptr().add((j + l) * PANEL + i), line) };
                }
            }
        }
    }

    /// Pairs of values, then of pairs, then of halves change places.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn transpose(lines: [__m256; EDGE]) -> [__m256; EDGE] {
        let [a, b, c, d, e, f, g, h] = lines;
        let quads = |a, b, c, d| {
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            [
                _mm256_shuffle_ps::<0x44>(ab, cd),
                _mm256_shuffle_ps::<0xee>(ab, cd),
                _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
                _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
            ]
        };
        let (above, below) = (quads(a, b, c, d), quads(e, f, g, h));
        let mut out = lines;
        for l in 0..EDGE / 2 {
            out[l] = _mm256_permute2f128_ps::<0x20>(above[l], below[l]);
            out[l + EDGE / 2] = _mm256_permute2f128_ps::<0x31>(above[l], below[l]);
        }
        out
    }
}
