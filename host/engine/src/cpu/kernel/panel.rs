//! One panel of a product, in the tiles of whatever vector extension the processor has.

#![expect(
    unsafe_code,
    reason = "calls into code compiled for detected processor features; bounds are asserted"
)]

use super::{Extension, PANEL, extension, multiplies_pairs, portable};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// What operands of products are made of.
pub(in crate::cpu) trait Element: Copy + Default + Send + Sync + 'static {
    /// Multiplies in tiles.
    ///
    /// # Safety
    /// The processor has `extension`; the extents lie within what `a`, `b` and `c` point to.
    unsafe fn tiles(
        extension: Extension,
        rows: usize,
        size: &Size,
        operands: Operands<Self>,
        accumulate: bool,
    );
}

/// Two neighbours along the depth as bfloat16, the one of even index in the lower half.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(in crate::cpu) struct Pair(pub(in crate::cpu) u32);

/// The left operand of a product: element (i, k) is `data[i * row_stride + k * depth_stride]`.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Left<'a, E = f32> {
    /// Storage.
    pub(in crate::cpu) data: &'a [E],
    /// Distance of consecutive rows.
    pub(in crate::cpu) row_stride: usize,
    /// Distance of consecutive elements of a row.
    pub(in crate::cpu) depth_stride: usize,
}

/// Where a product is written: element (i, j) is `data[i * row_stride + j]`.
#[derive(Debug)]
pub(in crate::cpu) struct Out<'a> {
    /// Storage.
    pub(in crate::cpu) data: &'a mut [f32],
    /// Distance of consecutive rows.
    pub(in crate::cpu) row_stride: usize,
    /// True to continue the sums that are there, false to begin at zero.
    pub(in crate::cpu) accumulate: bool,
}

/// Extents and strides of a product, in elements.
pub(in crate::cpu) struct Size {
    pub(super) depth: usize,
    pub(super) cols: usize,
    pub(super) row: usize,
    pub(super) step: usize,
    pub(super) out: usize,
}

/// Left operand, panel and result.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Operands<E> {
    pub(super) a: *const E,
    pub(super) b: *const E,
    pub(super) c: *mut f32,
}

impl Element for f32 {
    unsafe fn tiles(
        extension: Extension,
        rows: usize,
        size: &Size,
        operands: Operands<f32>,
        accumulate: bool,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match extension {
                Extension::Baseline => portable::tiles(rows, size, operands, accumulate),
                #[cfg(target_arch = "x86_64")]
                Extension::Avx2 => avx2::tiles(rows, size, operands, accumulate),
                #[cfg(target_arch = "x86_64")]
                Extension::Avx512 => avx512::values::tiles(rows, size, operands, accumulate),
            }
        }
    }
}

impl Element for Pair {
    unsafe fn tiles(_: Extension, rows: usize, size: &Size, operands: Operands<Pair>, accumulate: bool) {
        assert!(multiplies_pairs(), "the processor has no bf16 products");
        // SAFETY: the caller's promise, and the processor has the feature.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            avx512::pairs::tiles(rows, size, operands, accumulate);
        }
    }
}

/// One panel of the product: `out[i][j] (+)= Σ_k left[i][k] · panel[k][j]` for `rows` rows and `cols <= PANEL`
/// columns; `panel` holds `depth` rows of `PANEL` elements. Each result is one chain of fused multiply-adds over
/// ascending k (of a pair the odd one first), so it depends neither on the rows beside it nor on how the depth was cut.
pub(in crate::cpu) fn multiply_panel<E: Element>(
    rows: usize,
    depth: usize,
    cols: usize,
    left: Left<'_, E>,
    panel: &[E],
    out: Out<'_>,
) {
    multiply_panel_with(extension(), rows, depth, cols, left, panel, out);
}

/// [`multiply_panel`] with a given extension, which the processor must have.
fn multiply_panel_with<E: Element>(
    extension: Extension,
    rows: usize,
    depth: usize,
    cols: usize,
    left: Left<'_, E>,
    panel: &[E],
    out: Out<'_>,
) {
    if rows == 0 || cols == 0 {
        return;
    }
    assert!(cols <= PANEL && panel.len() >= depth * PANEL, "panel too short");
    assert!((rows - 1) * out.row_stride + cols <= out.data.len(), "output too short");
    if depth > 0 {
        let last = (rows - 1) * left.row_stride + (depth - 1) * left.depth_stride;
        assert!(last < left.data.len(), "left operand too short");
    }
    let size = Size { depth, cols, row: left.row_stride, step: left.depth_stride, out: out.row_stride };
    let operands = Operands { a: left.data.as_ptr(), b: panel.as_ptr(), c: out.data.as_mut_ptr() };
    // SAFETY: the asserts above bound every address the tiles compute, and the caller has the extension.
    unsafe { E::tiles(extension, rows, &size, operands, out.accumulate) }
}

#[cfg(test)]
mod tests {
    use super::super::supported_extensions;
    use super::*;

    #[test]
    fn every_extension_gives_the_same_bits_whatever_the_cut() {
        let (rows, depth) = (13, 37);
        let left: Vec<f32> = (0..rows * depth).map(|i| ((i * 7919) % 1013) as f32 / 311.0 - 1.6).collect();
        let panel: Vec<f32> =
            (0..depth * PANEL).map(|i| ((i * 104_729) % 997) as f32 / 173.0 - 2.9).collect();
        for cols in [1, 15, 16, 17, 24, 32] {
            let stride = cols + 3;
            let mut expected = vec![7.0f32; rows * stride];
            for i in 0..rows {
                for j in 0..cols {
                    expected[i * stride + j] =
                        (0..depth).fold(0.0, |sum, k| left[i * depth + k].mul_add(panel[k * PANEL + j], sum));
                }
            }
            for extension in supported_extensions() {
                for cut in [0, 1, 20] {
                    let mut out = vec![7.0f32; rows * stride];
                    for (begin, end) in [(0, cut), (cut, depth)] {
                        multiply_panel_with(
                            extension,
                            rows,
                            end - begin,
                            cols,
                            Left { data: &left[begin..], row_stride: depth, depth_stride: 1 },
                            &panel[begin * PANEL..],
                            Out { data: &mut out, row_stride: stride, accumulate: begin > 0 },
                        );
                    }
                    assert_eq!(out, expected, "{extension:?}, {cols} columns, cut at {cut}");
                }
            }
        }
    }
}
