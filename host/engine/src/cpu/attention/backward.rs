//! Gradients of queries, keys and values.

use std::ops::Range;

use rayon::prelude::*;

use super::tasks::{HeadColumns, gather, split_by_task, tasks};
use super::{QUERY_BLOCK, Reach};
use crate::cpu::buffers::fit;
use crate::cpu::elementwise::{add, attention_weights_again, attention_weights_backward, dot};
use crate::cpu::kernel::{Left, Out, PANEL};
use crate::cpu::network::Shape;
use crate::cpu::packed::Group;
use crate::cpu::panels::{Rows, multiply_panels};

/// Buffers of one backward task.
#[derive(Default)]
struct Scratch {
    prompt: Segment,
    own: Segment,
    queries: Vec<f32>,
    dout: Vec<f32>,
    weights: Vec<f32>,
    dscores: Vec<f32>,
    /// Gradients of keys and values: prompt's keys, prompt's values, own keys, own values.
    gradients: [Vec<f32>; 4],
}

/// Keys and values of a segment in every form that backward needs.
#[derive(Default)]
struct Segment {
    keys_transposed: Vec<f32>,
    keys: Vec<f32>,
    values_transposed: Vec<f32>,
    len: usize,
}

impl Segment {
    fn pack(&mut self, qkv: &[f32], stride: usize, rows: &Range<usize>, columns: &HeadColumns, dim: usize) {
        let keys = Rows::new(qkv, stride, rows, columns.key, dim);
        keys.pack_transposed(&mut self.keys_transposed);
        keys.pack_plain(&mut self.keys);
        Rows::new(qkv, stride, rows, columns.value, dim).pack_transposed(&mut self.values_transposed);
        self.len = rows.len();
    }
}

/// What backward reads besides shape and groups.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Saved<'a> {
    /// Queries, keys and values of the forward pass, rotated. `[M, qkv]`
    pub(in crate::cpu) qkv: &'a [f32],
    /// The forward pass's result. `[M, query]`
    pub(in crate::cpu) out: &'a [f32],
    /// Its log-sums, in the order of tasks. `[M, heads]`
    pub(in crate::cpu) log_sums: &'a [f32],
}

/// Backward of [`super::forward`]: from `dout` `[M, query]` to `dqkv` `[M, qkv]`. `region` is scratch for
/// `[M, query + 2 key]`.
pub(in crate::cpu) fn backward(
    shape: &Shape,
    reach: Reach,
    groups: &[Group],
    saved: Saved<'_>,
    dout: &[f32],
    region: &mut [f32],
    dqkv: &mut [f32],
) {
    let (heads, dim) = (shape.heads_per_key(), shape.head_dim);
    let width = (heads + 2) * dim;
    // Completions add to the gradient of their prompt's keys and values one after the other.
    let tasks = tasks(groups, shape.key_heads, 1);
    let parts = split_by_task(&tasks, region, width);
    tasks.into_par_iter().zip(parts).with_max_len(1).for_each_init(
        Scratch::default,
        |scratch, (task, part)| {
            backward_task(shape, reach, task.group, task.key_head, saved, dout, part, scratch);
        },
    );
    gather(shape, groups, region, width, dqkv, shape.qkv(), |row, key_head, part| {
        let columns = HeadColumns::new(shape, key_head);
        let (query, key_value) = part.split_at(heads * dim);
        row[columns.query..][..heads * dim].copy_from_slice(query);
        row[columns.key..][..dim].copy_from_slice(&key_value[..dim]);
        row[columns.value..][..dim].copy_from_slice(&key_value[dim..]);
    });
}

#[expect(clippy::too_many_arguments, reason = "operands and results of one operation")]
fn backward_task(
    shape: &Shape,
    reach: Reach,
    group: &Group,
    key_head: usize,
    saved: Saved<'_>,
    dout: &[f32],
    part: &mut [f32],
    scratch: &mut Scratch,
) {
    let (heads, dim, stride) = (shape.heads_per_key(), shape.head_dim, shape.qkv());
    let width = (heads + 2) * dim;
    let columns = HeadColumns::new(shape, key_head);
    let all = group.rows();
    let log_sums = &saved.log_sums[(all.start * shape.key_heads + key_head * all.len()) * heads..];
    let Scratch { prompt, own, queries, dout: packed_dout, weights, dscores, gradients } = scratch;
    prompt.pack(saved.qkv, stride, &group.prompt, &columns, dim);
    for gradient in &mut gradients[..2] {
        gradient.clear();
        gradient.resize(group.prompt.len() * dim, 0.0);
    }
    // The prompt attends to itself: it is the own segment of an empty prompt. It comes last because every
    // completion adds to its keys and values.
    let empty = Segment::default();
    let completions = group.completions.iter().filter(|rows| !rows.is_empty());
    for (rows, is_prompt) in completions.map(|rows| (rows, false)).chain([(&group.prompt, true)]) {
        if !is_prompt {
            own.pack(saved.qkv, stride, rows, &columns, dim);
        }
        let segments: [&Segment; 2] = if is_prompt { [&empty, prompt] } else { [prompt, own] };
        for gradient in &mut gradients[2..] {
            gradient.clear();
            gradient.resize(rows.len() * dim, 0.0);
        }
        for head in 0..heads {
            let column = columns.query + head * dim;
            for begin in (0..rows.len()).step_by(QUERY_BLOCK) {
                let count = (rows.len() - begin).min(QUERY_BLOCK);
                let block = rows.start + begin..rows.start + begin + count;
                let offset = block.start - all.start;
                let query_rows = Rows::new(saved.qkv, stride, &block, column, dim);
                let dout_rows = Rows::new(dout, shape.query(), &block, column, dim);
                let out_rows = Rows::new(saved.out, shape.query(), &block, column, dim);
                let split = segments[0].len.next_multiple_of(PANEL);
                let row_width = split + (begin + count).next_multiple_of(PANEL);
                let parts = [(segments[0], segments[0].len, 0), (segments[1], begin + count, split)];
                let weights = fit(weights, count * row_width);
                let dscores = fit(dscores, count * row_width);
                for (segment, len, begin) in parts {
                    for (left, panels, out) in [
                        (query_rows, &segment.keys_transposed, &mut *weights),
                        (dout_rows, &segment.values_transposed, &mut *dscores),
                    ] {
                        let out = Out { data: &mut out[begin..], row_stride: row_width, accumulate: false };
                        multiply_panels([count, dim, len], left.left(0), panels, dim, out);
                    }
                }
                for (i, (weights, dscores)) in
                    weights.chunks_exact_mut(row_width).zip(dscores.chunks_exact_mut(row_width)).enumerate()
                {
                    let log_sum = log_sums[(offset + i) * heads + head];
                    let visible = reach.visible(segments[0].len, begin + i + 1);
                    attention_weights_again(weights, visible, split, reach.factor, log_sum);
                    let delta = dot(dout_rows.row(i), out_rows.row(i));
                    attention_weights_backward(weights, dscores, delta, reach.factor);
                }
                query_rows.pack_plain(queries);
                dout_rows.pack_plain(packed_dout);
                for (s, (segment, len, first)) in parts.into_iter().enumerate() {
                    if len == 0 {
                        continue;
                    }
                    let out = Out {
                        data: &mut part[offset * width + head * dim..],
                        row_stride: width,
                        accumulate: first > 0,
                    };
                    let left = Left { data: &dscores[first..], row_stride: row_width, depth_stride: 1 };
                    multiply_panels([count, len, dim], left, &segment.keys, segment.len, out);
                    let transposed = |data| Left { data, row_stride: 1, depth_stride: row_width };
                    for (left, panels, gradient) in [
                        (transposed(&dscores[first..]), &*queries, 2 * s),
                        (transposed(&weights[first..]), &*packed_dout, 2 * s + 1),
                    ] {
                        let out = Out { data: &mut gradients[gradient], row_stride: dim, accumulate: true };
                        multiply_panels([len, count, dim], left, panels, count, out);
                    }
                }
            }
        }
        let offset = rows.start - all.start;
        for i in 0..rows.len() {
            let row = &mut part[(offset + i) * width + heads * dim..][..2 * dim];
            let (key, value) = row.split_at_mut(dim);
            key.copy_from_slice(&gradients[2][i * dim..][..dim]);
            value.copy_from_slice(&gradients[3][i * dim..][..dim]);
            if is_prompt {
                add(key, &gradients[0][i * dim..][..dim]);
                add(value, &gradients[1][i * dim..][..dim]);
            }
        }
    }
}
