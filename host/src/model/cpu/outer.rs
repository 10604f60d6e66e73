//! Gradients of weights: products over tokens, added to what is there.

use std::ops::Range;

use rayon::prelude::*;

use super::bf16;
use super::kernel::{Left, Out, PANEL, multiply_panel};
use super::layer::fit;
use super::product::{LeftRows, TILE, copy_panel, even_block, shares, split};
use crate::model::Precision;

/// Panels of a gradient that a task works on.
const TASK_PANELS: usize = 4;

/// The right operand of the gradients of weights: rows of tokens, a tile of [`TILE`] columns after the other.
#[derive(Debug, Default)]
pub(super) struct Tiles {
    /// `[k / TILE][tokens][TILE]`, the last tile filled up with arbitrary values.
    data: Vec<f32>,
    /// The same as pairs of tokens, in bf16. `[k / TILE][tokens / 2][TILE]`
    pairs: Vec<u32>,
    tokens: usize,
    k: usize,
    precision: Precision,
}

impl Tiles {
    /// Of `x` `[tokens, k]`, for a gradient in `precision`.
    pub(super) fn pack(&mut self, x: &[f32], k: usize, precision: Precision) {
        (self.tokens, self.k, self.precision) = (x.len() / k, k, precision);
        let tile_len = self.tokens * TILE;
        let data = fit(&mut self.data, k.div_ceil(TILE) * tile_len);
        data.par_chunks_exact_mut(tile_len).enumerate().with_min_len(4).for_each(|(t, tile)| {
            let width = (k - t * TILE).min(TILE);
            for (line, row) in tile.chunks_exact_mut(TILE).zip(x.chunks_exact(k)) {
                line[..width].copy_from_slice(&row[t * TILE..][..width]);
            }
        });
        if precision == Precision::Bf16 {
            let pairs_len = self.tokens.div_ceil(2) * TILE;
            let pairs = fit(&mut self.pairs, k.div_ceil(TILE) * pairs_len);
            pairs
                .par_chunks_exact_mut(pairs_len)
                .zip(data.par_chunks_exact(tile_len))
                .with_min_len(4)
                .for_each(|(pairs, tile)| bf16::pair_rows(tile, TILE, pairs));
        }
    }

    /// `out[rows, PANEL] += ` the tokens `depth` of a tile, transposed, times `panel`.
    fn multiply(&self, index: usize, depth: &Range<usize>, panel: Panel<'_>, out: &mut [f32]) {
        let rows = (self.k - index * TILE).min(TILE);
        let out = Out { data: out, row_stride: PANEL, accumulate: true };
        match panel {
            Panel::F32(panel) => {
                let data = &self.data[(index * self.tokens + depth.start) * TILE..];
                let left = Left { data, row_stride: 1, depth_stride: TILE };
                multiply_panel(rows, depth.len(), PANEL, left, panel, out);
            }
            Panel::Bf16(panel) => {
                let data = &self.pairs[(index * self.tokens.div_ceil(2) + depth.start / 2) * TILE..];
                let left = bf16::LeftPairs { data, row_stride: 1, depth_stride: TILE };
                bf16::multiply_panel(rows, depth.len().div_ceil(2), PANEL, left, panel, out);
            }
        }
    }
}

/// `gradient[n, k] += Σ_m dy[m, n] · x[m, k]`: the gradient of a weight `[n, k]`, m over tokens; `gradient` is laid out
/// as panels of k x n.
pub(super) fn accumulate_outer(dy: LeftRows<'_>, n: usize, x: &Tiles, gradient: &mut [f32]) {
    let Tiles { tokens, k, .. } = *x;
    // Even, because bf16 takes tokens in pairs.
    let depth_block = even_block(tokens).next_multiple_of(2);
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
        || (Vec::new(), Vec::new()),
        |(packed, pairs): &mut (Vec<f32>, Vec<u32>), (gradient, columns)| {
            let (first, height) = (columns.start, columns.len());
            let panels = gradient.len() / (k * PANEL);
            let size = depth_block * PANEL;
            let packed = fit(packed, panels * size);
            let pairs = fit(pairs, if x.precision == Precision::Bf16 { panels * size / 2 } else { 0 });
            for begin in (0..tokens).step_by(depth_block) {
                let depth = begin..tokens.min(begin + depth_block);
                for (p, panel) in packed.chunks_exact_mut(size).enumerate() {
                    let source = &dy.data[begin * dy.stride + first + p * PANEL..];
                    let panel = &mut panel[..depth.len() * PANEL];
                    copy_panel(source, dy.stride, (height - p * PANEL).min(PANEL), panel);
                    if let Some(pairs) = pairs.chunks_exact_mut(size / 2).nth(p) {
                        bf16::pair_rows(panel, PANEL, pairs);
                    }
                }
                for t in 0..k.div_ceil(TILE) {
                    for (p, gradient) in gradient.chunks_exact_mut(k * PANEL).enumerate() {
                        let panel = match x.precision {
                            Precision::F32 => Panel::F32(&packed[p * size..]),
                            Precision::Bf16 => Panel::Bf16(&pairs[p * size / 2..]),
                        };
                        x.multiply(t, &depth, panel, &mut gradient[t * TILE * PANEL..]);
                    }
                }
            }
        },
    );
}

/// A panel of the right operand.
#[derive(Clone, Copy)]
enum Panel<'a> {
    F32(&'a [f32]),
    Bf16(&'a [u32]),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cpu::product::tests::{chain_of_pairs, from_panels, in_panels, values, with_threads};

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
        if !bf16::is_supported() {
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
