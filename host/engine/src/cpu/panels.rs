//! Small matrices in panels: what attention multiplies.

use std::ops::Range;

use super::buffers::fit;
use super::kernel::{Left, Out, PANEL, multiply_panel, transpose_block};

/// Columns of several panels: `out[rows, cols] (+)= left · panels`, each panel holding `panel_depth` rows, of which
/// the first `depth` are used.
pub(super) fn multiply_panels(
    [rows, depth, cols]: [usize; 3],
    left: Left<'_>,
    panels: &[f32],
    panel_depth: usize,
    out: Out<'_>,
) {
    for (p, begin) in (0..cols).step_by(PANEL).enumerate() {
        let out =
            Out { data: &mut out.data[begin..], row_stride: out.row_stride, accumulate: out.accumulate };
        let panel = &panels[p * panel_depth * PANEL..];
        multiply_panel(rows, depth, (cols - begin).min(PANEL), left, panel, out);
    }
}

/// Values that a panelled copy of `rows` x `width` needs when its columns are `width`.
fn plain_size(rows: usize, width: usize) -> usize {
    width.next_multiple_of(PANEL) * rows
}

/// Some rows of a row-major matrix: row i is `data[i * stride..][..width]`.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    data: &'a [f32],
    stride: usize,
    width: usize,
    count: usize,
}

impl<'a> Rows<'a> {
    /// Columns `column..column + width` of `rows` of `data`, whose rows are `stride` apart.
    pub(super) fn new(
        data: &'a [f32],
        stride: usize,
        rows: &Range<usize>,
        column: usize,
        width: usize,
    ) -> Self {
        let data = if rows.is_empty() { &[] } else { &data[rows.start * stride + column..] };
        Self { data, stride, width, count: rows.len() }
    }

    /// Row `index`.
    pub(super) fn row(&self, index: usize) -> &'a [f32] {
        &self.data[index * self.stride..][..self.width]
    }

    /// Rows from `first` on as the left operand of a product.
    pub(super) fn left(&self, first: usize) -> Left<'a> {
        Left { data: &self.data[first * self.stride..], row_stride: self.stride, depth_stride: 1 }
    }

    /// Panels `[width / PANEL][count][PANEL]`: the rows as the depth of a product; what fills up the last is arbitrary.
    pub(super) fn pack_plain(&self, out: &mut Vec<f32>) {
        let out = fit(out, plain_size(self.count, self.width));
        for i in 0..self.count {
            for (p, values) in self.row(i).chunks(PANEL).enumerate() {
                out[(p * self.count + i) * PANEL..][..values.len()].copy_from_slice(values);
            }
        }
    }

    /// Panels `[count / PANEL][width][PANEL]`: the rows as the columns of a product.
    pub(super) fn pack_transposed(&self, out: &mut Vec<f32>) {
        let panels = fit(out, plain_size(self.width, self.count));
        let mut block = [0.0; PANEL * PANEL];
        for (p, panel) in panels.chunks_exact_mut(self.width * PANEL).enumerate() {
            let rows = p * PANEL..self.count.min((p + 1) * PANEL);
            block[rows.len() * PANEL..].fill(0.0);
            for (b, columns) in panel.chunks_mut(PANEL * PANEL).enumerate() {
                for (line, i) in block.chunks_exact_mut(PANEL).zip(rows.clone()) {
                    let values = self.row(i)[b * PANEL..].iter().take(PANEL);
                    line.iter_mut().zip(values).for_each(|(to, value)| *to = *value);
                }
                transpose_block(&block, columns);
            }
        }
    }
}

/// Writes `values` as column `index` of panels `[_][depth][PANEL]`.
pub(super) fn write_column(panels: &mut [f32], depth: usize, index: usize, values: &[f32]) {
    let panel = &mut panels[index / PANEL * depth * PANEL..][..depth * PANEL];
    for (line, &value) in panel.chunks_exact_mut(PANEL).zip(values) {
        line[index % PANEL] = value;
    }
}

/// Column `index` of panels `[_][depth][PANEL]`.
pub(super) fn column(panels: &[f32], depth: usize, index: usize) -> impl Iterator<Item = f32> + '_ {
    let panel = &panels[index / PANEL * depth * PANEL..][..depth * PANEL];
    panel.chunks_exact(PANEL).map(move |line| line[index % PANEL])
}

/// Adds `values` to column `index` of panels `[_][depth][PANEL]`.
pub(super) fn add_to_column(panels: &mut [f32], depth: usize, index: usize, values: &[f32]) {
    let panel = &mut panels[index / PANEL * depth * PANEL..][..depth * PANEL];
    for (line, &value) in panel.chunks_exact_mut(PANEL).zip(values) {
        line[index % PANEL] += value;
    }
}

/// Writes `values` as row `index` of panels `[_][depth][PANEL]`.
pub(super) fn write_row(panels: &mut [f32], depth: usize, index: usize, values: &[f32]) {
    for (p, values) in values.chunks(PANEL).enumerate() {
        panels[(p * depth + index) * PANEL..][..values.len()].copy_from_slice(values);
    }
}
