//! Matrix products over row-major buffers, spread over the cores.
//!
//! Every element of a product is one chain of fused multiply-adds over ascending depth, whatever the blocking, so
//! a row's result depends neither on the rows beside it nor on the number of threads.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::bf16;
use super::buffers::fit;
use super::kernel::{Element, Left, Out, PANEL, multiply_panel, transpose_block};
use crate::Precision;

/// Most depth that is worked on at a time: 64 KiB of a panel, which every row of a block reads again.
const DEPTH_BLOCK: usize = 512;
/// Values that stay in a core's second-level cache beside others.
const SECOND_LEVEL: usize = 1 << 17;
/// Values of a left operand that stay there, with a panel beside them.
const LEFT_BLOCK: usize = 3 << 16;
/// Rows that the widest register tile works on.
pub(super) const TILE: usize = 12;
/// Values that stay in the cache that cores share.
const THIRD_LEVEL: usize = 1 << 21;

/// Values of a matrix of `depth` x `cols` in panels.
pub(super) fn panels_len(depth: usize, cols: usize) -> usize {
    depth * cols.next_multiple_of(PANEL)
}

/// The right operand of a product, `depth` x `cols`, as panels of [`PANEL`] columns, the last one filled up with
/// arbitrary values: `[cols / PANEL][depth][PANEL]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panels<'a> {
    data: &'a [f32],
    depth: usize,
    cols: usize,
    precision: Precision,
}

impl<'a> Panels<'a> {
    /// A matrix whose panels are `data`, to be multiplied in `precision`.
    pub(super) fn new(data: &'a [f32], depth: usize, cols: usize, precision: Precision) -> Self {
        Self { data: &data[..panels_len(depth, cols)], depth, cols, precision }
    }

    fn panel(&self, index: usize) -> &'a [f32] {
        &self.data[index * self.depth * PANEL..][..self.depth * PANEL]
    }

    /// Columns `cols`, whose first is the first of a panel.
    pub(super) fn columns(&self, cols: Range<usize>) -> Self {
        Self { data: &self.data[cols.start * self.depth..], cols: cols.len(), ..*self }
    }
}

/// A buffer for panels.
#[derive(Debug, Default)]
pub(super) struct PanelBuffer(Vec<f32>);

impl PanelBuffer {
    /// Transposes: the result has as many columns as `matrix` has depth.
    pub(super) fn turn(&mut self, matrix: Panels<'_>) -> Panels<'_> {
        let Panels { depth: cols, cols: depth, precision, .. } = matrix;
        let data = fit(&mut self.0, panels_len(depth, cols));
        data.par_chunks_exact_mut(depth * PANEL).enumerate().for_each(|(q, turned)| {
            let first = q * PANEL;
            let width = (cols - first).min(PANEL);
            for (p, block) in turned.chunks_mut(PANEL * PANEL).enumerate() {
                transpose_block(&matrix.panel(p)[first * PANEL..][..width * PANEL], block);
            }
        });
        Panels::new(data, depth, cols, precision)
    }
}

/// Writes `width` columns of `source` (rows `stride` apart) as the rows of `panel` `[depth, PANEL]`.
pub(super) fn copy_panel(source: &[f32], stride: usize, width: usize, panel: &mut [f32]) {
    for (line, row) in panel.chunks_exact_mut(PANEL).zip(source.chunks(stride)) {
        if width == PANEL {
            line.copy_from_slice(&row[..PANEL]);
        } else {
            line[..width].copy_from_slice(&row[..width]);
            line[width..].fill(0.0);
        }
    }
}

/// Rows of a left operand, `stride` values apart.
#[derive(Clone, Copy)]
pub(super) struct LeftRows<'a> {
    pub(super) data: &'a [f32],
    pub(super) stride: usize,
}

impl<'a> LeftRows<'a> {
    /// Columns from `first` on of a matrix whose rows have `stride` values.
    pub(super) fn columns(data: &'a [f32], stride: usize, first: usize) -> Self {
        Self { data: &data[first..], stride }
    }
}

/// `y[rows, cols] (+)= x[rows, depth] · right`, `rows` given by the length of `y`.
pub(super) fn multiply(x: &[f32], right: Panels<'_>, y: &mut [f32], accumulate: bool) {
    multiply_rows(LeftRows { data: x, stride: right.depth }, right, y, accumulate);
}

/// [`multiply`] of rows that lie anywhere.
pub(super) fn multiply_rows(x: LeftRows<'_>, right: Panels<'_>, y: &mut [f32], accumulate: bool) {
    let Panels { depth, cols, .. } = right;
    let rows = y.len() / cols;
    let threads = rayon::current_num_threads();
    let size = depth * cols;
    if threads > 1 && (rows < 16 * threads || rows < 96 * threads && size > SECOND_LEVEL) {
        return multiply_by_columns(x, right, y, accumulate, threads);
    }
    // The right operand is read once a block: few blocks when it is large, several a core for balance otherwise.
    let pieces = if size > THIRD_LEVEL { 1 } else { 4 };
    let fitting = (LEFT_BLOCK / depth.max(1)).clamp(64, 264);
    let tiles = rows.div_ceil(TILE);
    let blocks = rows.div_ceil(fitting).max(pieces * threads).next_multiple_of(threads);
    let mut first = 0;
    let tasks = shares(tiles, blocks).map(|tiles| {
        let len = (tiles * TILE).min(rows - first);
        first += len;
        (first - len, len)
    });
    let tasks: Vec<(usize, usize)> = tasks.collect();
    split(y, tasks.iter().map(|(_, len)| len * cols)).into_par_iter().zip(tasks).with_max_len(1).for_each(
        |(y, (first, _))| {
            let x = LeftRows { data: &x.data[first * x.stride..], ..x };
            multiply_panels(x, right, 0, y, cols, accumulate);
        },
    );
}

/// Depth that is worked on at a time: even blocks, so that none is too short to be worth a pass over the results.
pub(super) fn even_block(depth: usize) -> usize {
    depth.div_ceil(depth.div_ceil(DEPTH_BLOCK).max(1)).max(1)
}

/// `count` things shared out evenly: how many each of at most `parts` parts gets, none of them empty.
pub(super) fn shares(count: usize, parts: usize) -> impl Iterator<Item = usize> {
    let parts = parts.min(count).max(1);
    (0..parts).map(move |part| (part + 1) * count / parts - part * count / parts)
}

/// Cuts `data` into pieces of the given lengths.
pub(super) fn split(mut data: &mut [f32], lens: impl Iterator<Item = usize>) -> Vec<&mut [f32]> {
    let mut pieces = Vec::new();
    for len in lens {
        let (piece, rest) = data.split_at_mut(len);
        pieces.push(piece);
        data = rest;
    }
    pieces
}

/// The panels of `right` from `first` on, as many as a row of `y` has room for; rows of `y` are `stride` apart.
fn multiply_panels(
    x: LeftRows<'_>,
    right: Panels<'_>,
    first: usize,
    y: &mut [f32],
    stride: usize,
    accumulate: bool,
) {
    let (rows, depth) = (y.len() / stride, right.depth);
    let panels = (0..stride.div_ceil(PANEL)).map(|p| {
        let width = (stride - p * PANEL).min(PANEL);
        (right.panel(first + p), p * PANEL, width)
    });
    match right.precision {
        Precision::F32 => {
            let left = Left { data: x.data, row_stride: x.stride, depth_stride: 1 };
            for (panel, begin, width) in panels {
                let out = Out { data: &mut y[begin..], row_stride: stride, accumulate };
                multiply_in_blocks([rows, depth, width], left, panel, out);
            }
        }
        Precision::Bf16 => {
            let depth = depth.div_ceil(2);
            bf16::with_pairs([rows * depth, depth * PANEL], |pairs, paired| {
                for (pairs, row) in pairs.chunks_exact_mut(depth).zip(x.data.chunks(x.stride)) {
                    bf16::pair_neighbours(&row[..right.depth], pairs);
                }
                let left = Left { data: &*pairs, row_stride: depth, depth_stride: 1 };
                for (panel, begin, width) in panels {
                    bf16::pair_rows(panel, PANEL, PANEL, paired, PANEL);
                    let out = Out { data: &mut y[begin..], row_stride: stride, accumulate };
                    multiply_in_blocks([rows, depth, width], left, paired, out);
                }
            });
        }
    }
}

/// [`multiply_panel`], a block of depth after the other.
fn multiply_in_blocks<E: Element>(
    [rows, depth, cols]: [usize; 3],
    left: Left<'_, E>,
    panel: &[E],
    out: Out<'_>,
) {
    let block = even_block(depth);
    for begin in (0..depth).step_by(block) {
        multiply_panel(
            rows,
            (depth - begin).min(block),
            cols,
            Left { data: &left.data[begin * left.depth_stride..], ..left },
            &panel[begin * PANEL..],
            Out { data: &mut *out.data, accumulate: out.accumulate || begin > 0, ..out },
        );
    }
}

/// With few rows the columns are shared out instead: every core reads its part of the right operand once.
fn multiply_by_columns(x: LeftRows<'_>, right: Panels<'_>, y: &mut [f32], accumulate: bool, threads: usize) {
    let cols = right.cols;
    let rows = y.len() / cols;
    let num_panels = cols.div_ceil(PANEL);
    // Columns of a share; the last share may have fewer.
    let share = num_panels.div_ceil(4 * threads).max(1) * PANEL;
    let mut parts = PARTS.take();
    let source: &[f32] = y;
    fit(&mut parts, cols * rows).par_chunks_mut(share * rows).enumerate().for_each(|(s, part)| {
        let width = part.len() / rows;
        if accumulate {
            for (line, row) in part.chunks_exact_mut(width).zip(source.chunks_exact(cols)) {
                line.copy_from_slice(&row[s * share..][..width]);
            }
        }
        multiply_panels(x, right, s * share / PANEL, part, width, accumulate);
    });
    y.par_chunks_mut(cols).enumerate().with_min_len(8).for_each(|(i, row)| {
        for (s, values) in row.chunks_mut(share).enumerate() {
            let width = values.len();
            values.copy_from_slice(&parts[s * share * rows + i * width..][..width]);
        }
    });
    PARTS.set(parts);
}

thread_local! {
    /// Results of [`multiply_by_columns`] by share, kept because fresh memory costs more than the product of few rows.
    static PARTS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Repeats this engine's product of `[rows, depth]` with `[depth, cols]`, for benches to compare with.
pub fn repeat_product([rows, depth, cols]: [usize; 3], precision: Precision, repetitions: usize) {
    let x = vec![0.5; rows * depth];
    let right = vec![0.25; panels_len(depth, cols)];
    let mut y = vec![0.0; rows * cols];
    for _ in 0..repetitions {
        multiply(&x, Panels::new(&right, depth, cols, precision), &mut y, false);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cpu::kernel::{Pair, multiplies_pairs};
    use crate::cpu::panels::{column, write_column};

    pub(in crate::cpu) fn values(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + seed * 31) % 2003) as f32 / 911.0 - 1.1).collect()
    }

    /// `weight` `[_, depth]` as panels of its transpose.
    pub(in crate::cpu) fn in_panels(weight: &[f32], depth: usize) -> Vec<f32> {
        let cols = weight.len() / depth;
        let mut panels = vec![0.0; panels_len(depth, cols)];
        for (j, row) in weight.chunks_exact(depth).enumerate() {
            write_column(&mut panels, depth, j, row);
        }
        panels
    }

    pub(in crate::cpu) fn from_panels(panels: &[f32], cols: usize, depth: usize) -> Vec<f32> {
        (0..cols).flat_map(|j| column(panels, depth, j).collect::<Vec<_>>()).collect()
    }

    pub(in crate::cpu) fn with_threads<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
    }

    #[test]
    fn products_are_sequential_chains_for_any_number_of_rows_and_threads() {
        let (depth, cols) = (300, 45);
        let weight = values(cols * depth, 1);
        let x = values(133 * depth, 2);
        let expected: Vec<f32> = x
            .chunks_exact(depth)
            .flat_map(|row| {
                weight
                    .chunks_exact(depth)
                    .map(|w| row.iter().zip(w).fold(0.0f32, |sum, (a, b)| a.mul_add(*b, sum)))
                    .collect::<Vec<_>>()
            })
            .collect();
        let right = in_panels(&weight, depth);
        for threads in [1, 2, 4] {
            with_threads(threads, || {
                for rows in [1, 3, 8, 17, 40, 133] {
                    let mut y = vec![0.0; rows * cols];
                    multiply(
                        &x[..rows * depth],
                        Panels::new(&right, depth, cols, Precision::F32),
                        &mut y,
                        false,
                    );
                    assert_eq!(y, expected[..rows * cols], "{rows} rows, {threads} threads");
                }
            });
        }
    }

    #[test]
    fn turned_panels_are_the_transpose() {
        for (depth, cols) in [(64, 96), (37, 21), (32, 32), (33, 65), (1, 1)] {
            let weight = values(cols * depth, 6);
            let panels = in_panels(&weight, depth);
            let mut buffer = PanelBuffer::default();
            let turned = buffer.turn(Panels::new(&panels, depth, cols, Precision::F32));
            assert_eq!((turned.depth, turned.cols), (cols, depth));
            let transposed: Vec<f32> =
                (0..depth * cols).map(|at| weight[at % cols * depth + at / cols]).collect();
            assert_eq!(from_panels(turned.data, depth, cols), transposed, "{depth} x {cols}");
        }
    }

    /// What the instruction's definition says: operands rounded, one chain, of each pair the odd one first.
    pub(in crate::cpu) fn chain_of_pairs(mut sum: f32, terms: impl Iterator<Item = (f32, f32)>) -> f32 {
        let round = |value: f32| {
            let mut pair = [Pair::default()];
            bf16::pair_neighbours(&[value], &mut pair);
            f32::from_bits(pair[0].0 << 16)
        };
        let terms: Vec<(f32, f32)> = terms.map(|(a, b)| (round(a), round(b))).collect();
        for pair in terms.chunks(2) {
            sum = pair.iter().rev().fold(sum, |sum, (a, b)| a.mul_add(*b, sum));
        }
        sum
    }

    #[test]
    fn products_in_bf16_are_chains_of_pairs_for_any_number_of_rows_and_threads() {
        if !multiplies_pairs() {
            return;
        }
        for (rows, depth, cols) in [(1, 1, 1), (37, 301, 45), (133, 1200, 70)] {
            let (x, weight) = (values(rows * depth, 1), values(cols * depth, 2));
            let right = in_panels(&weight, depth);
            let product = |threads: usize, rows: usize| {
                let mut y = vec![0.0; rows * cols];
                let right = Panels::new(&right, depth, cols, Precision::Bf16);
                with_threads(threads, || multiply(&x[..rows * depth], right, &mut y, false));
                y
            };
            let expected = (0..rows * cols).map(|at| {
                let (x, weight) = (&x[at / cols * depth..][..depth], &weight[at % cols * depth..]);
                chain_of_pairs(0.0, x.iter().copied().zip(weight.iter().copied()))
            });
            let y = product(1, rows);
            assert_eq!(y, expected.collect::<Vec<_>>());
            assert_eq!(product(4, rows), y);
            assert_eq!(product(2, rows.div_ceil(3)), y[..rows.div_ceil(3) * cols]);
        }
    }
}
