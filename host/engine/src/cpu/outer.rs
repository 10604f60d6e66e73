//! Gradients of weights: products over tokens, added to what is there.

use std::ops::Range;

use rayon::prelude::*;

use super::bf16;
use super::buffers::fit;
use super::kernel::{Element, Left, Out, PANEL, Pair, multiply_panel};
use super::product::{LeftRows, TILE, copy_panel, even_block, shares, split};
use crate::Precision;

/// Panels of a gradient that a task works on.
const TASK_PANELS: usize = 4;

/// An input for the gradients of weights: rows of tokens, a tile of [`TILE`] columns after the other, the last tile filled up
/// with arbitrary values.
#[derive(Debug, Default)]
pub(super) struct Tiles {
    /// `[k / TILE][tokens][TILE]`
    values: Vec<f32>,
    /// The same as pairs of tokens, for bf16. `[k / TILE][tokens / 2][TILE]`
    pairs: Vec<Pair>,
    tokens: usize,
    k: usize,
    precision: Precision,
}

impl Tiles {
    /// Of `x` `[tokens, k]`, for a gradient in `precision`.
    pub(super) fn pack(&mut self, x: &[f32], k: usize, precision: Precision) {
        (self.tokens, self.k, self.precision) = (x.len() / k, k, precision);
        let tile_len = self.tokens * TILE;
        let values = fit(&mut self.values, k.div_ceil(TILE) * tile_len);
        values.par_chunks_exact_mut(tile_len).enumerate().with_min_len(4).for_each(|(t, tile)| {
            let width = (k - t * TILE).min(TILE);
            for (line, row) in tile.chunks_exact_mut(TILE).zip(x.chunks_exact(k)) {
                // Of a length known beforehand, which is no call.
                match width {
                    TILE => line.copy_from_slice(&row[t * TILE..][..TILE]),
                    _ => line[..width].copy_from_slice(&row[t * TILE..][..width]),
                }
            }
        });
        if precision == Precision::Bf16 {
            let pairs_len = self.tokens.div_ceil(2) * TILE;
            let pairs = fit(&mut self.pairs, k.div_ceil(TILE) * pairs_len);
            pairs
                .par_chunks_exact_mut(pairs_len)
                .zip(values.par_chunks_exact(tile_len))
                .with_min_len(4)
                .for_each(|(pairs, tile)| bf16::pair_rows(tile, TILE, TILE, pairs, TILE));
        }
    }
}

/// `gradient[n, k] += Σ_m dy[m, n] · x[m, k]`: the gradient of a weight `[n, k]`, m over tokens; `gradient` is laid out
/// as panels of k x n.
pub(super) fn accumulate_outer(dy: LeftRows<'_>, n: usize, x: &Tiles, gradient: &mut [f32]) {
    let size = [x.tokens, n, x.k];
    match x.precision {
        Precision::F32 => {
            let pack =
                |rows: &[f32], width: usize, panel: &mut [f32]| copy_panel(rows, dy.stride, width, panel);
            accumulate(dy, size, &x.values, 1, pack, gradient);
        }
        Precision::Bf16 => {
            let pack = |rows: &[f32], width: usize, panel: &mut [Pair]| {
                bf16::pair_rows(rows, dy.stride, width, panel, PANEL);
            };
            accumulate(dy, size, &x.pairs, 2, pack, gradient);
        }
    }
}

/// [`accumulate_outer`] with `tiles` of elements that each hold `per_element` tokens; `pack(rows, width, panel)` makes a panel
/// of `width` columns of some rows of `dy`.
fn accumulate<E: Element>(
    dy: LeftRows<'_>,
    [tokens, n, k]: [usize; 3],
    tiles: &[E],
    per_element: usize,
    pack: impl Fn(&[f32], usize, &mut [E]) + Sync,
    gradient: &mut [f32],
) {
    let depth = tokens.div_ceil(per_element);
    let depth_block = even_block(depth);
    let threads = rayon::current_num_threads();
    let panels = n.div_ceil(PANEL);
    let tasks = panels.div_ceil(TASK_PANELS).next_multiple_of(threads).max(2 * threads);
    let mut first = 0;
    let tasks: Vec<Range<usize>> = shares(panels, tasks)
        .map(|panels| {
            first += panels;
            (first - panels) * PANEL..n.min(first * PANEL)
        })
        .collect();
    let gradients = split(gradient, shares(panels, tasks.len()).map(|panels| panels * k * PANEL));
    gradients.into_par_iter().zip(tasks).with_max_len(1).for_each_init(
        Vec::new,
        |packed: &mut Vec<E>, (gradient, columns)| {
            let size = depth_block * PANEL;
            let packed = fit(packed, columns.len().div_ceil(PANEL) * size);
            for begin in (0..depth).step_by(depth_block) {
                let block = (depth - begin).min(depth_block);
                let rows = &dy.data[begin * per_element * dy.stride..];
                for (panel, column) in packed.chunks_exact_mut(size).zip(columns.clone().step_by(PANEL)) {
                    let width = (columns.end - column).min(PANEL);
                    pack(&rows[column..], width, &mut panel[..block * PANEL]);
                }
                for t in 0..k.div_ceil(TILE) {
                    let data = &tiles[(t * depth + begin) * TILE..];
                    let left = Left { data, row_stride: 1, depth_stride: TILE };
                    for (panel, gradient) in
                        packed.chunks_exact(size).zip(gradient.chunks_exact_mut(k * PANEL))
                    {
                        let data = &mut gradient[t * TILE * PANEL..];
                        let out = Out { data, row_stride: PANEL, accumulate: true };
                        multiply_panel((k - t * TILE).min(TILE), block, PANEL, left, panel, out);
                    }
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::kernel::multiplies_pairs;
    use crate::cpu::product::tests::{chain_of_pairs, from_panels, in_panels, values, with_threads};

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
        let mut tiles = Tiles::default();
        tiles.pack(&x, k, Precision::F32);
        for threads in [1, 2, 4] {
            let mut gradient = in_panels(&values(n * k, 5), k);
            let dy = LeftRows::columns(&dy, n, 0);
            with_threads(threads, || accumulate_outer(dy, n, &tiles, &mut gradient));
            assert_eq!(from_panels(&gradient, n, k), expected);
        }
    }

    #[test]
    fn outer_products_in_bf16_are_chains_of_pairs_over_tokens() {
        if !multiplies_pairs() {
            return;
        }
        let (tokens, n, k) = (1041, 77, 37);
        let (dy, x, begin) = (values(tokens * n, 3), values(tokens * k, 4), values(n * k, 5));
        let mut tiles = Tiles::default();
        tiles.pack(&x, k, Precision::Bf16);
        let expected: Vec<f32> = (0..n * k)
            .map(|at| {
                let terms = (0..tokens).map(|m| (dy[m * n + at / k], x[m * k + at % k]));
                chain_of_pairs(begin[at], terms)
            })
            .collect();
        for threads in [1, 3] {
            let mut gradient = in_panels(&begin, k);
            let dy = LeftRows::columns(&dy, n, 0);
            with_threads(threads, || accumulate_outer(dy, n, &tiles, &mut gradient));
            assert_eq!(from_panels(&gradient, n, k), expected);
        }
    }
}
