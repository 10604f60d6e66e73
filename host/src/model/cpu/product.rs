//! Matrix products over row-major buffers, spread over the cores.
//!
//! Every element of a product is one chain of fused multiply-adds over ascending depth, whatever the blocking, so
//! a row's result depends neither on the rows beside it nor on the number of threads.

use std::cell::Cell;

use rayon::prelude::*;

use super::kernel::{Left, Out, PANEL, multiply_panel};

/// Depth that is worked on at a time: 64 KiB of a panel, which every row of a block reads again.
const DEPTH_BLOCK: usize = 512;
/// Values that stay in a core's second-level cache.
const SECOND_LEVEL: usize = 1 << 17;
/// Values that stay in the cache that cores share.
const THIRD_LEVEL: usize = 1 << 21;

/// The right operand of a product, `depth` x `cols`, stored as panels of [`PANEL`] columns, the last one filled
/// with zeros.
#[derive(Debug, Default, Clone)]
pub(super) struct Packed {
    data: Vec<f32>,
    depth: usize,
    cols: usize,
}

impl Packed {
    /// Depth of the operand.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the operand.
    pub(super) fn cols(&self) -> usize {
        self.cols
    }

    fn prepare(&mut self, depth: usize, cols: usize) {
        (self.depth, self.cols) = (depth, cols);
        let len = depth * cols.next_multiple_of(PANEL);
        if self.data.len() < len {
            self.data.resize(len, 0.0);
        }
    }

    fn panel(&self, index: usize) -> &[f32] {
        &self.data[index * self.depth * PANEL..][..self.depth * PANEL]
    }

    /// Packs the transpose of `weight` `[cols, depth]`, as a forward product with a weight wants it.
    pub(super) fn pack_transposed(&mut self, weight: &[f32], cols: usize, depth: usize) {
        self.prepare(depth, cols);
        let len = depth * cols.next_multiple_of(PANEL);
        self.data[..len].par_chunks_exact_mut(depth * PANEL).enumerate().for_each(|(p, panel)| {
            let width = (cols - p * PANEL).min(PANEL);
            let rows = &weight[p * PANEL * depth..][..width * depth];
            transpose_panel(rows, depth, panel);
        });
    }

    /// Packs `weight` `[depth, cols]` as it is, as the backward product with a weight wants it.
    pub(super) fn pack_plain(&mut self, weight: &[f32], depth: usize, cols: usize) {
        self.prepare(depth, cols);
        let len = depth * cols.next_multiple_of(PANEL);
        self.data[..len].par_chunks_exact_mut(depth * PANEL).enumerate().for_each(|(p, panel)| {
            copy_panel(&weight[p * PANEL..], cols, (cols - p * PANEL).min(PANEL), panel);
        });
    }
}

/// Writes `rows` (some rows of `depth` values, at most [`PANEL`]) as the columns of `panel` `[depth, PANEL]`.
pub(super) fn transpose_panel(rows: &[f32], depth: usize, panel: &mut [f32]) {
    let width = rows.len() / depth;
    if width < PANEL {
        panel.fill(0.0);
    }
    for (j, row) in rows.chunks_exact(depth).enumerate() {
        for (line, &value) in panel.chunks_exact_mut(PANEL).zip(row) {
            line[j] = value;
        }
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

/// `y[rows, cols] (+)= x[rows, depth] · right`, `rows` given by the length of `y`.
pub(super) fn multiply(x: &[f32], right: &Packed, y: &mut [f32], accumulate: bool) {
    let (depth, cols) = (right.depth, right.cols);
    let rows = y.len() / cols;
    let threads = rayon::current_num_threads();
    let size = depth * cols;
    if threads > 1 && (rows < 16 * threads || rows < 96 * threads && size > SECOND_LEVEL) {
        return multiply_by_columns(x, right, y, accumulate, threads);
    }
    // The right operand is read once a block: few blocks when it is large, several a core for balance otherwise.
    let pieces = if size > THIRD_LEVEL { 1 } else { 4 };
    let fitting = (SECOND_LEVEL / depth.max(1)).clamp(64, 256);
    let block = rows.div_ceil(pieces * threads).next_multiple_of(8).min(fitting);
    y.par_chunks_mut(block * cols)
        .zip(x.par_chunks(block * depth))
        .for_each(|(y, x)| multiply_panels(x, right, 0, y, cols, accumulate));
}

/// The panels of `right` from `first` on, as many as a row of `y` has room for; rows of `y` are `stride` apart.
fn multiply_panels(x: &[f32], right: &Packed, first: usize, y: &mut [f32], stride: usize, accumulate: bool) {
    let depth = right.depth;
    let rows = y.len() / stride;
    for p in 0..stride.div_ceil(PANEL) {
        let (panel, width) = (right.panel(first + p), (stride - p * PANEL).min(PANEL));
        for begin in (0..depth).step_by(DEPTH_BLOCK) {
            multiply_panel(
                rows,
                (depth - begin).min(DEPTH_BLOCK),
                width,
                Left { data: &x[begin..], row_stride: depth, depth_stride: 1 },
                &panel[begin * PANEL..],
                Out { data: &mut y[p * PANEL..], row_stride: stride, accumulate: accumulate || begin > 0 },
            );
        }
    }
}

/// With few rows the columns are shared out instead: every core reads its part of the right operand once.
fn multiply_by_columns(x: &[f32], right: &Packed, y: &mut [f32], accumulate: bool, threads: usize) {
    let cols = right.cols;
    let rows = y.len() / cols;
    let num_panels = cols.div_ceil(PANEL);
    // Columns of a share; the last share may have fewer.
    let share = num_panels.div_ceil(4 * threads).max(1) * PANEL;
    let mut parts = PARTS.take();
    if parts.len() < cols * rows {
        parts.resize(cols * rows, 0.0);
    }
    let source: &[f32] = y;
    parts[..cols * rows].par_chunks_mut(share * rows).enumerate().for_each(|(s, part)| {
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

/// Rows of the left operand that [`accumulate_outer`] packs together.
const LEFT_ROWS: usize = 8;
/// Rows of a gradient that are worked on at a time.
const GRADIENT_ROWS: usize = 128;

/// `gradient[n, k] += Σ_m dy[m, n] · x[m, k]`: the gradient of a weight `[n, k]`, m over tokens. `packed` is scratch
/// for `x`.
pub(super) fn accumulate_outer(
    dy: &[f32],
    x: &[f32],
    n: usize,
    k: usize,
    packed: &mut Packed,
    gradient: &mut [f32],
) {
    let tokens = dy.len() / n;
    packed.pack_plain(x, tokens, k);
    let packed = &*packed;
    let threads = rayon::current_num_threads();
    let block = n.div_ceil(2 * threads).next_multiple_of(LEFT_ROWS).min(GRADIENT_ROWS);
    gradient.par_chunks_mut(block * k).enumerate().for_each_init(Vec::new, |left, (b, gradient)| {
        let height = gradient.len() / k;
        let first = b * block;
        left.resize((height / LEFT_ROWS + 1) * LEFT_ROWS * DEPTH_BLOCK, 0.0f32);
        for begin in (0..tokens).step_by(DEPTH_BLOCK) {
            let depth = (tokens - begin).min(DEPTH_BLOCK);
            // Rows of `dy` are far apart; gathered in tiles they are read without cache conflicts.
            for (m, row) in dy[begin * n..].chunks_exact(n).take(depth).enumerate() {
                let (tiles, rest) = row[first..first + height].as_chunks::<LEFT_ROWS>();
                for (t, values) in tiles.iter().enumerate() {
                    left[(t * DEPTH_BLOCK + m) * LEFT_ROWS..][..LEFT_ROWS].copy_from_slice(values);
                }
                left[(tiles.len() * DEPTH_BLOCK + m) * LEFT_ROWS..][..rest.len()].copy_from_slice(rest);
            }
            for p in 0..k.div_ceil(PANEL) {
                let panel = &packed.panel(p)[begin * PANEL..];
                for (t, rows) in (0..height).step_by(LEFT_ROWS).enumerate() {
                    multiply_panel(
                        (height - rows).min(LEFT_ROWS),
                        depth,
                        (k - p * PANEL).min(PANEL),
                        Left {
                            data: &left[t * DEPTH_BLOCK * LEFT_ROWS..][..DEPTH_BLOCK * LEFT_ROWS],
                            row_stride: 1,
                            depth_stride: LEFT_ROWS,
                        },
                        panel,
                        Out { data: &mut gradient[rows * k + p * PANEL..], row_stride: k, accumulate: true },
                    );
                }
            }
        }
    });
}

/// Repeats this engine's product of `[rows, depth]` with `[depth, cols]`, for benches to compare with.
pub fn repeat_product([rows, depth, cols]: [usize; 3], repetitions: usize) {
    let x = vec![0.5; rows * depth];
    let mut right = Packed::default();
    right.pack_transposed(&vec![0.25; depth * cols], cols, depth);
    let mut y = vec![0.0; rows * cols];
    for _ in 0..repetitions {
        multiply(&x, &right, &mut y, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + seed * 31) % 2003) as f32 / 911.0 - 1.1).collect()
    }

    fn with_threads<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
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
        for threads in [1, 2, 4] {
            with_threads(threads, || {
                for rows in [1, 3, 8, 17, 40, 133] {
                    let mut right = Packed::default();
                    right.pack_transposed(&weight, cols, depth);
                    let mut y = vec![0.0; rows * cols];
                    multiply(&x[..rows * depth], &right, &mut y, false);
                    assert_eq!(y, expected[..rows * cols], "{rows} rows, {threads} threads");
                }
            });
        }
    }

    #[test]
    fn outer_products_are_sequential_chains_over_tokens() {
        let (tokens, n, k) = (520, 21, 37);
        let (dy, x) = (values(tokens * n, 3), values(tokens * k, 4));
        let mut expected = values(n * k, 5);
        for m in 0..tokens {
            for i in 0..n {
                for j in 0..k {
                    expected[i * k + j] = dy[m * n + i].mul_add(x[m * k + j], expected[i * k + j]);
                }
            }
        }
        for threads in [1, 2, 4] {
            let mut gradient = values(n * k, 5);
            let mut packed = Packed::default();
            with_threads(threads, || accumulate_outer(&dy, &x, n, k, &mut packed, &mut gradient));
            assert_eq!(gradient, expected);
        }
    }
}
