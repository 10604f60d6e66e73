//! Processor features at run time: the register tile of the matrix product, and a macro that compiles a loop for
//! several vector extensions. With `transpose` and `bf16`, the only unsafe code of the engine.
//!
//! Every variant performs the same operations on every element, in the same order, with fused multiply-adds, so
//! that results are equal bit for bit on every machine: vector width decides speed only.

#![expect(
    unsafe_code,
    reason = "calls into code compiled for detected processor features; bounds are asserted"
)]

use std::sync::OnceLock;

/// Columns of a panel of the right operand.
pub(super) const PANEL: usize = 32;

/// Vector extension that loops are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extension {
    /// Whatever the target's baseline has.
    Baseline,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The best extension this processor has.
pub(super) fn extension() -> Extension {
    static DETECTED: OnceLock<Extension> = OnceLock::new();
    *DETECTED.get_or_init(|| supported_extensions()[0])
}

/// Every extension this processor has, the best first.
pub(super) fn supported_extensions() -> Vec<Extension> {
    let mut supported = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx2 && avx512 {
            supported.push(Extension::Avx512);
        }
        if avx2 {
            supported.push(Extension::Avx2);
        }
    }
    supported.push(Extension::Baseline);
    supported
}

/// Defines functions whose bodies are compiled once for each vector extension and chosen at run time.
macro_rules! vectorized {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[expect(unsafe_code, reason = "the processor has the features it is called with")]
        #[allow(clippy::too_many_arguments, reason = "slices of one row each, which a struct would only rename")]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn portable($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($arg: $ty),*) $(-> $ret)? { portable($($arg),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $ret)? { portable($($arg),*) }
            match $crate::model::cpu::kernel::extension() {
                $crate::model::cpu::kernel::Extension::Baseline => portable($($arg),*),
                // SAFETY: `extension` answers only with extensions that this processor has.
                #[cfg(target_arch = "x86_64")]
                $crate::model::cpu::kernel::Extension::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::model::cpu::kernel::Extension::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    )*};
}
pub(super) use vectorized;

/// The left operand of a product: element (i, k) is `data[i * row_stride + k * depth_stride]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left<'a> {
    /// Storage.
    pub(super) data: &'a [f32],
    /// Distance of consecutive rows.
    pub(super) row_stride: usize,
    /// Distance of consecutive elements of a row.
    pub(super) depth_stride: usize,
}

/// Where a product is written: element (i, j) is `data[i * row_stride + j]`.
#[derive(Debug)]
pub(super) struct Out<'a> {
    /// Storage.
    pub(super) data: &'a mut [f32],
    /// Distance of consecutive rows.
    pub(super) row_stride: usize,
    /// True to continue the sums that are there, false to begin at zero.
    pub(super) accumulate: bool,
}

/// One panel of the product: `out[i][j] (+)= Σ_k left[i][k] · panel[k][j]` for `rows` rows and `cols <= PANEL`
/// columns; `panel` holds `depth` rows of `PANEL` values. Each element is one chain of fused multiply-adds over
/// ascending k, so it depends neither on the rows beside it nor on how the depth was cut.
pub(super) fn multiply_panel(
    rows: usize,
    depth: usize,
    cols: usize,
    left: Left<'_>,
    panel: &[f32],
    out: Out<'_>,
) {
    multiply_panel_with(extension(), rows, depth, cols, left, panel, out);
}

/// [`multiply_panel`] with a given extension, which the processor must have.
pub(super) fn multiply_panel_with(
    extension: Extension,
    rows: usize,
    depth: usize,
    cols: usize,
    left: Left<'_>,
    panel: &[f32],
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
    let a = left.data.as_ptr();
    let b = panel.as_ptr();
    let c = out.data.as_mut_ptr();
    let size = Size { depth, cols, row: left.row_stride, step: left.depth_stride, out: out.row_stride };
    // SAFETY: the asserts above bound every address the tiles compute, and the caller has the extension.
    unsafe {
        match extension {
            Extension::Baseline => portable::tiles(rows, &size, a, b, c, out.accumulate),
            #[cfg(target_arch = "x86_64")]
            Extension::Avx2 => avx2::tiles(rows, &size, a, b, c, out.accumulate),
            #[cfg(target_arch = "x86_64")]
            Extension::Avx512 => avx512::tiles(rows, &size, a, b, c, out.accumulate),
        }
    }
}

/// Extents and strides of a product, in elements.
struct Size {
    depth: usize,
    cols: usize,
    row: usize,
    step: usize,
    out: usize,
}

mod portable {
    use super::{PANEL, Size};

    /// Tiles of one row.
    pub(super) unsafe fn tiles(
        rows: usize,
        size: &Size,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        accumulate: bool,
    ) {
        for i in 0..rows {
            let mut sums = [0.0f32; PANEL];
            // SAFETY: `multiply_panel_with` asserted the extents.
            unsafe {
                if accumulate {
                    for (j, sum) in sums.iter_mut().enumerate().take(size.cols) {
                        *sum = *c.add(i * size.out + j);
                    }
                }
                for k in 0..size.depth {
                    let x = *a.add(i * size.row + k * size.step);
                    let panel = b.add(k * PANEL).cast::<[f32; PANEL]>();
                    for (sum, &y) in sums.iter_mut().zip(&*panel) {
                        *sum = x.mul_add(y, *sum);
                    }
                }
                for (j, &sum) in sums.iter().enumerate().take(size.cols) {
                    *c.add(i * size.out + j) = sum;
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };

    use super::{PANEL, Size};

    /// Tiles of up to six rows and half a panel.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn tiles(
        rows: usize,
        size: &Size,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        accumulate: bool,
    ) {
        let mut i = 0;
        while i < rows {
            let height = (rows - i).min(6);
            for half in 0..size.cols.div_ceil(16) {
                // SAFETY: `multiply_panel_with` asserted the extents.
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
        // SAFETY: `multiply_panel_with` asserted the extents; a narrow edge goes through `edge`.
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
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __mmask16, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
        _mm512_set1_ps, _mm512_setzero_ps,
    };

    use super::{PANEL, Size};

    /// Tiles of up to twelve rows and a whole panel.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn tiles(
        rows: usize,
        size: &Size,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        accumulate: bool,
    ) {
        let mask = |width: usize| ((1u32 << width.min(16)) - 1) as __mmask16;
        let masks = [mask(size.cols), mask(size.cols.saturating_sub(16))];
        let mut i = 0;
        while i < rows {
            let height = (rows - i).min(12);
            // SAFETY: `multiply_panel_with` asserted the extents.
            unsafe {
                let (a, c) = (a.add(i * size.row), c.add(i * size.out));
                match height {
                    12 => tile::<12>(size, a, b, c, masks, accumulate),
                    11 => tile::<11>(size, a, b, c, masks, accumulate),
                    10 => tile::<10>(size, a, b, c, masks, accumulate),
                    9 => tile::<9>(size, a, b, c, masks, accumulate),
                    8 => tile::<8>(size, a, b, c, masks, accumulate),
                    7 => tile::<7>(size, a, b, c, masks, accumulate),
                    6 => tile::<6>(size, a, b, c, masks, accumulate),
                    5 => tile::<5>(size, a, b, c, masks, accumulate),
                    4 => tile::<4>(size, a, b, c, masks, accumulate),
                    3 => tile::<3>(size, a, b, c, masks, accumulate),
                    2 => tile::<2>(size, a, b, c, masks, accumulate),
                    _ => tile::<1>(size, a, b, c, masks, accumulate),
                }
            }
            i += height;
        }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn tile<const ROWS: usize>(
        size: &Size,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        masks: [__mmask16; 2],
        accumulate: bool,
    ) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        // SAFETY: `multiply_panel_with` asserted the extents; masked lanes are not touched, so the address of a
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
                let right = [_mm512_loadu_ps(b.add(k * PANEL)), _mm512_loadu_ps(b.add(k * PANEL + 16))];
                for (i, sum) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*a.add(i * size.row + k * size.step));
                    sum[0] = _mm512_fmadd_ps(x, right[0], sum[0]);
                    sum[1] = _mm512_fmadd_ps(x, right[1], sum[1]);
                }
            }
            for (i, sum) in sums.iter().enumerate() {
                let row = c.add(i * size.out);
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
