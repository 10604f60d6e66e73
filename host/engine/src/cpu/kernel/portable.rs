//! Tiles for any processor.

#![expect(unsafe_code, reason = "pointers into what `multiply_panel` was given")]

use super::PANEL;
use super::panel::{Operands, Size};

/// Tiles of one row.
pub(super) unsafe fn tiles(rows: usize, size: &Size, Operands { a, b, c }: Operands<f32>, accumulate: bool) {
    for i in 0..rows {
        let mut sums = [0.0f32; PANEL];
        // SAFETY: `multiply_panel` asserted the extents.
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
