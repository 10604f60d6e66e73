//! A decoder layer, forward and backward, over rows of tokens.

use std::ops::Range;

use rayon::prelude::*;

use super::attention::{self, Saved};
use super::buffers::{Saves, fit};
use super::elementwise::{add, add_rows, geglu, geglu_backward, rotate, swiglu, swiglu_backward};
use super::network::{Matrix, Network, Shape};
use super::norms::{norm_heads, norm_heads_backward, norm_rows, norm_rows_again, norm_rows_backward};
use super::outer::{Tiles, accumulate_outer};
use super::packed::{PackedBatch, Ropes};
use super::product::{LeftRows, PanelBuffer, multiply};
use crate::Activation;

/// Rows that are worked on at a time outside products; fixed, because partial sums of gradients depend on it.
pub(super) const ROW_BLOCK: usize = 128;

/// Buffers that live within a layer.
#[derive(Debug, Default)]
pub(super) struct LayerScratch {
    /// Normed rows. `[M, hidden]`
    pub(super) normed: Vec<f32>,
    /// The gated activation, or its gradient. `[M, intermediate]`
    pub(super) gated: Vec<f32>,
    /// Attention's results by task. `[M, query + 2 key]`
    pub(super) region: Vec<f32>,
    /// Gradient of a norm's output. `[M, hidden]`
    dnormed: Vec<f32>,
    /// Gradient of what a branch adds to the residual stream, before its norm. `[M, hidden]`
    dbranch: Vec<f32>,
    /// Gradient of `attended`. `[M, query]`
    dattended: Vec<f32>,
    /// Gradient of `qkv`. `[M, qkv]`
    dqkv: Vec<f32>,
    /// A weight for the backward product.
    weight: PanelBuffer,
    /// A layer's input for the gradient of its weight.
    input: Tiles,
}

/// `sums += Σ rows`, block after block.
fn bias_gradient(rows: &[f32], sums: &mut [f32]) {
    let parts: Vec<Vec<f32>> = rows
        .par_chunks(ROW_BLOCK * sums.len())
        .map(|rows| {
            let mut part = vec![0.0; sums.len()];
            add_rows(rows, &mut part);
            part
        })
        .collect();
    parts.iter().for_each(|part| add(sums, part));
}

/// Fills the rows of `out` with `bias`; false without a bias: nothing to continue from.
fn begin_with_bias(bias: Option<&[f32]>, out: &mut [f32]) -> bool {
    if let Some(bias) = bias {
        out.par_chunks_mut(bias.len()).for_each(|row| row.copy_from_slice(bias));
    }
    bias.is_some()
}

fn copy_rows(from: &[f32], to: &mut [f32]) {
    const CHUNK: usize = 1 << 16;
    to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK)).for_each(|(to, from)| to.copy_from_slice(from));
}

/// Rotates queries and keys as `layer` has it.
fn rotate_rows(
    shape: &Shape,
    rows: &mut [f32],
    positions: &[u32],
    ropes: &Ropes,
    layer: usize,
    backward: bool,
) {
    let Some(rope) = ropes.of(layer) else { return };
    let (stride, heads, dim) = (shape.qkv(), shape.heads + shape.key_heads, shape.head_dim);
    rows.par_chunks_mut(ROW_BLOCK * stride).zip(positions.par_chunks(ROW_BLOCK)).for_each(
        |(rows, positions)| {
            rotate(rows, stride, heads, dim, positions, &rope.cos, &rope.sin, rope.half(), backward);
        },
    );
}

fn add_to_rows(rows: &mut [f32], more: &[f32]) {
    const CHUNK: usize = 1 << 16;
    rows.par_chunks_mut(CHUNK).zip(more.par_chunks(CHUNK)).for_each(|(rows, more)| add(rows, more));
}

impl Network {
    /// Backward of the norm on what a branch adds to the residual stream: the gradient of `branch`, in `dbranch`, given
    /// that of the stream. Adds to the gain's gradient.
    fn branch_backward<'a>(
        &self,
        norm: &Range<usize>,
        dx: &[f32],
        branch: &[f32],
        inverse: &[f32],
        dbranch: &'a mut Vec<f32>,
        gradient: &mut [f32],
    ) -> &'a [f32] {
        let dbranch = fit(dbranch, branch.len());
        dbranch.fill(0.0);
        norm_rows_backward(dx, branch, &self.gain(norm), inverse, dbranch, &mut gradient[norm.clone()]);
        dbranch
    }

    /// Adds the gradient of a weight, given that of its output and its input.
    fn outer(&self, dy: &[f32], x: &[f32], weight: &Matrix, input: &mut Tiles, gradient: &mut [f32]) {
        input.pack(x, weight.depth, self.precision);
        let dy = LeftRows::columns(dy, weight.cols, 0);
        accumulate_outer(dy, weight.cols, input, &mut gradient[weight.range.clone()]);
    }

    /// Norm, projections, norms of queries and keys, rotation: fills `saves.qkv`.
    pub(super) fn project(
        &self,
        layer: usize,
        x: &[f32],
        positions: &[u32],
        ropes: &Ropes,
        saves: &mut Saves<'_>,
        scratch: &mut LayerScratch,
    ) {
        let (shape, ranges, rows) = (&self.shape, &self.layout.layers[layer], positions.len());
        let normed = fit(&mut scratch.normed, rows * shape.hidden);
        norm_rows(x, &self.gain(&ranges.input_norm), shape.eps, normed, saves.input_inverse);
        let qkv = &mut *saves.qkv;
        let biased = begin_with_bias(ranges.qkv_bias.as_ref().map(|range| self.part(range)), qkv);
        multiply(normed, self.panels(&ranges.qkv), qkv, biased);
        if let (Some(query), Some(key)) = (&ranges.query_norm, &ranges.key_norm) {
            let gains = [&*self.gain(query), &*self.gain(key)];
            norm_heads(shape, gains, qkv, saves.raw, saves.raw_inverse);
        }
        rotate_rows(shape, qkv, positions, ropes, layer, false);
    }

    /// Attention's output projection and the gated layer, both added to the residual stream: from `x` and
    /// `saves.attended` to `saves.middle` and `out`.
    pub(super) fn mix(&self, layer: usize, x: &[f32], saves: &mut Saves<'_>, scratch: &mut LayerScratch) {
        let (shape, ranges, rows) = (&self.shape, &self.layout.layers[layer], x.len() / self.shape.hidden);
        let normed = fit(&mut scratch.normed, rows * shape.hidden);
        let middle = &mut *saves.middle;
        copy_rows(x, middle);
        match &ranges.attention_branch_norm {
            None => {
                if let Some(bias) = &ranges.out_bias {
                    middle.par_chunks_mut(shape.hidden).for_each(|row| add(row, self.part(bias)));
                }
                multiply(saves.attended, self.panels(&ranges.out), middle, true);
            }
            Some(norm) => {
                let (branch, inverse) = (&mut *saves.attention_branch, &mut *saves.attention_branch_inverse);
                let biased = begin_with_bias(ranges.out_bias.as_ref().map(|range| self.part(range)), branch);
                multiply(saves.attended, self.panels(&ranges.out), branch, biased);
                norm_rows(branch, &self.gain(norm), shape.eps, normed, inverse);
                add_to_rows(middle, normed);
            }
        }
        norm_rows(middle, &self.gain(&ranges.post_norm), shape.eps, normed, saves.middle_inverse);
        let gate_up = &mut *saves.gate_up;
        let biased = begin_with_bias(ranges.gate_up_bias.as_ref().map(|range| self.part(range)), gate_up);
        multiply(normed, self.panels(&ranges.gate_up), gate_up, biased);
        let gated = fit(&mut scratch.gated, rows * shape.intermediate);
        let width = shape.intermediate;
        gate_up.par_chunks(ROW_BLOCK * 2 * width).zip(gated.par_chunks_mut(ROW_BLOCK * width)).for_each(
            |(gate_up, gated)| match self.config.variations.activation {
                Activation::Silu => swiglu(gate_up, gated, width),
                Activation::GeluTanh => geglu(gate_up, gated, width),
            },
        );
    }

    /// The end of a layer: `out = middle + down(gated)`.
    pub(super) fn finish(
        &self,
        layer: usize,
        saves: &mut Saves<'_>,
        scratch: &mut LayerScratch,
        out: &mut [f32],
    ) {
        let (shape, ranges) = (&self.shape, &self.layout.layers[layer]);
        let (down, bias) = (&ranges.down, ranges.down_bias.as_ref().map(|range| self.part(range)));
        let rows = out.len() / down.cols;
        let gated = &scratch.gated[..rows * down.depth];
        copy_rows(saves.middle, out);
        match &ranges.feed_forward_branch_norm {
            None => {
                if let Some(bias) = bias {
                    out.par_chunks_mut(shape.hidden).for_each(|row| add(row, bias));
                }
                multiply(gated, self.panels(down), out, true);
            }
            Some(norm) => {
                let branch = &mut *saves.feed_forward_branch;
                let biased = begin_with_bias(bias, branch);
                multiply(gated, self.panels(down), branch, biased);
                let normed = fit(&mut scratch.normed, rows * shape.hidden);
                norm_rows(branch, &self.gain(norm), shape.eps, normed, saves.feed_forward_branch_inverse);
                add_to_rows(out, normed);
            }
        }
    }

    /// Attention over the rows of `packed`: fills `saves.attended`.
    pub(super) fn attend(
        &self,
        layer: usize,
        packed: &PackedBatch,
        saves: &mut Saves<'_>,
        scratch: &mut LayerScratch,
    ) {
        let (shape, rows) = (&self.shape, packed.num_rows());
        let region = fit(&mut scratch.region, rows * shape.query());
        attention::forward(
            shape,
            self.reach(layer),
            &packed.groups,
            saves.qkv,
            region,
            saves.log_sums,
            saves.attended,
        );
    }

    /// Backward of a layer: turns `dx`, the gradient of the layer's output, into that of its input `x`, and adds
    /// to `gradient`. Overwrites `saves`.
    #[expect(clippy::too_many_arguments, reason = "operands and results of one operation")]
    pub(super) fn layer_backward(
        &self,
        layer: usize,
        packed: &PackedBatch,
        ropes: &Ropes,
        x: &[f32],
        saves: &mut Saves<'_>,
        scratch: &mut LayerScratch,
        dx: &mut [f32],
        gradient: &mut [f32],
    ) {
        let (shape, ranges, rows) = (&self.shape, &self.layout.layers[layer], packed.num_rows());
        let Shape { hidden, intermediate, .. } = *shape;
        let LayerScratch { normed, gated, region, dnormed, dbranch, dattended, dqkv, weight, input } =
            scratch;
        let normed = fit(normed, rows * hidden);
        let dnormed = fit(dnormed, rows * hidden);

        // The gated layer.
        let gated = fit(gated, rows * intermediate);
        let dadded: &[f32] = match &ranges.feed_forward_branch_norm {
            None => dx,
            Some(norm) => {
                let (branch, inverse) = (&*saves.feed_forward_branch, &*saves.feed_forward_branch_inverse);
                self.branch_backward(norm, dx, branch, inverse, dbranch, gradient)
            }
        };
        multiply(dadded, weight.turn(self.panels(&ranges.down)), gated, false);
        let gate_up = &mut *saves.gate_up;
        gate_up
            .par_chunks_mut(ROW_BLOCK * 2 * intermediate)
            .zip(gated.par_chunks_mut(ROW_BLOCK * intermediate))
            .for_each(|(gate_up, gated)| match self.config.variations.activation {
                Activation::Silu => swiglu_backward(gate_up, gated, intermediate),
                Activation::GeluTanh => geglu_backward(gate_up, gated, intermediate),
            });
        self.outer(dadded, gated, &ranges.down, input, gradient);
        if let Some(bias) = &ranges.down_bias {
            bias_gradient(dadded, &mut gradient[bias.clone()]);
        }
        if let Some(bias) = &ranges.gate_up_bias {
            bias_gradient(gate_up, &mut gradient[bias.clone()]);
        }
        let (middle, middle_inverse) = (&*saves.middle, &*saves.middle_inverse);
        let post_norm = &*self.gain(&ranges.post_norm);
        norm_rows_again(middle, post_norm, middle_inverse, normed);
        self.outer(gate_up, normed, &ranges.gate_up, input, gradient);
        multiply(gate_up, weight.turn(self.panels(&ranges.gate_up)), dnormed, false);
        let dgain = &mut gradient[ranges.post_norm.clone()];
        norm_rows_backward(dnormed, middle, post_norm, middle_inverse, dx, dgain);

        // Attention.
        let attended = &*saves.attended;
        let dadded: &[f32] = match &ranges.attention_branch_norm {
            None => dx,
            Some(norm) => {
                let (branch, inverse) = (&*saves.attention_branch, &*saves.attention_branch_inverse);
                self.branch_backward(norm, dx, branch, inverse, dbranch, gradient)
            }
        };
        self.outer(dadded, attended, &ranges.out, input, gradient);
        if let Some(bias) = &ranges.out_bias {
            bias_gradient(dadded, &mut gradient[bias.clone()]);
        }
        let dattended = fit(dattended, rows * shape.query());
        multiply(dadded, weight.turn(self.panels(&ranges.out)), dattended, false);
        let dqkv = fit(dqkv, rows * shape.qkv());
        let region = fit(region, rows * shape.qkv());
        let saved = Saved { qkv: saves.qkv, out: attended, log_sums: saves.log_sums };
        attention::backward(shape, self.reach(layer), &packed.groups, saved, dattended, region, dqkv);

        // The projections.
        rotate_rows(shape, dqkv, &packed.positions, ropes, layer, true);
        if let (Some(query), Some(key)) = (&ranges.query_norm, &ranges.key_norm) {
            let gains = [&*self.gain(query), &*self.gain(key)];
            let dgains = norm_heads_backward(shape, gains, saves.raw, saves.raw_inverse, dqkv);
            add(&mut gradient[query.clone()], &dgains[0]);
            add(&mut gradient[key.clone()], &dgains[1]);
        }
        if let Some(bias) = &ranges.qkv_bias {
            bias_gradient(dqkv, &mut gradient[bias.clone()]);
        }
        let (input_norm, input_inverse) = (&*self.gain(&ranges.input_norm), &*saves.input_inverse);
        norm_rows_again(x, input_norm, input_inverse, normed);
        self.outer(dqkv, normed, &ranges.qkv, input, gradient);
        multiply(dqkv, weight.turn(self.panels(&ranges.qkv)), dnormed, false);
        let dgain = &mut gradient[ranges.input_norm.clone()];
        norm_rows_backward(dnormed, x, input_norm, input_inverse, dx, dgain);
    }
}
