//! Causal attention over packed sequences with shared prompts, forward and backward.
//!
//! A completion's keys are two segments, its group's prompt and its own tokens; scores of a query lie side by side,
//! each segment beginning at a multiple of [`PANEL`]. The decoder uses the same segments and the same operations, so
//! that sampling and training agree to the bit.

use std::ops::Range;

use rayon::prelude::*;

use super::elementwise::{
    add, attention_weights, attention_weights_again, attention_weights_backward, dot, scale,
};
use super::kernel::{Left, Out, PANEL};
use super::network::Shape;
use super::panels::{Rows, multiply_panels};
use super::plan::Group;

/// Queries that are worked on at a time.
pub(super) const QUERY_BLOCK: usize = 48;

/// Keys and values of a segment, ready for attention.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyValues<'a> {
    /// Keys as columns: panels `[_][head_dim][PANEL]`.
    pub(super) keys: &'a [f32],
    /// Values as depth: panels `[head_dim / PANEL][capacity][PANEL]`.
    pub(super) values: &'a [f32],
    /// Rows a panel of `values` has.
    pub(super) capacity: usize,
    /// Keys that are attended to.
    pub(super) len: usize,
}

/// Attends with `count` queries to a prompt and their own segment; `own_len(i)` keys of the own segment are visible
/// to query i, ascending. Writes `out[i * out_stride..][..head_dim]` and calls `record(i, max + ln(sum))`.
#[expect(clippy::too_many_arguments, reason = "operands and results of one operation")]
pub(super) fn attend(
    queries: Left<'_>,
    count: usize,
    head_dim: usize,
    [prompt, own]: [KeyValues<'_>; 2],
    own_len: impl Fn(usize) -> usize,
    scores: &mut Vec<f32>,
    out: &mut [f32],
    out_stride: usize,
    mut record: impl FnMut(usize, f32),
) {
    let split = prompt.len.next_multiple_of(PANEL);
    let visible = own_len(count - 1);
    let width = split + visible.next_multiple_of(PANEL);
    let factor = 1.0 / (head_dim as f32).sqrt();
    if scores.len() < count * width {
        scores.resize(count * width, 0.0);
    }
    let scores = &mut scores[..count * width];
    for (segment, len, begin) in [(prompt, prompt.len, 0), (own, visible, split)] {
        if len > 0 {
            let out = Out { data: &mut scores[begin..], row_stride: width, accumulate: false };
            multiply_panels([count, head_dim, len], queries, segment.keys, head_dim, out);
        }
    }
    let mut sums = [0.0f32; QUERY_BLOCK];
    for (i, row) in scores.chunks_exact_mut(width).enumerate() {
        let (max, sum) = attention_weights(row, prompt.len, split, own_len(i), factor);
        sums[i] = sum;
        record(i, max + libm::logf(sum));
    }
    for (segment, len, begin) in [(prompt, prompt.len, 0), (own, visible, split)] {
        if len > 0 {
            let weights = Left { data: &scores[begin..], row_stride: width, depth_stride: 1 };
            let out = Out { data: out, row_stride: out_stride, accumulate: begin > 0 };
            multiply_panels([count, len, head_dim], weights, segment.values, segment.capacity, out);
        }
    }
    for (i, &sum) in sums.iter().enumerate().take(count) {
        scale(&mut out[i * out_stride..][..head_dim], 1.0 / sum);
    }
}

/// Splits `buffer` into one part a task, `size(group)` values each, groups by key heads.
fn split_tasks<'a, 'g>(
    groups: &'g [Group],
    key_heads: usize,
    mut buffer: &'a mut [f32],
    width: usize,
) -> Vec<(&'g Group, usize, &'a mut [f32])> {
    let mut tasks = Vec::with_capacity(groups.len() * key_heads);
    for group in groups {
        for key_head in 0..key_heads {
            let (part, rest) = buffer.split_at_mut(group.rows().len() * width);
            tasks.push((group, key_head, part));
            buffer = rest;
        }
    }
    tasks
}

/// Attention of all groups. `qkv` `[M, qkv]` (rotated) gives `out` `[M, query]` and `log_sums`, `[M, heads]` in the
/// order of tasks. `region` is scratch for `[M, query]`.
pub(super) fn forward(
    shape: &Shape,
    groups: &[Group],
    qkv: &[f32],
    region: &mut [f32],
    log_sums: &mut [f32],
    out: &mut [f32],
) {
    let (heads, dim) = (shape.heads_per_key(), shape.head_dim);
    let tasks = split_tasks(groups, shape.key_heads, region, heads * dim);
    let sums = split_tasks(groups, shape.key_heads, log_sums, heads);
    tasks.into_par_iter().zip(sums).with_max_len(1).for_each_init(
        || [const { Vec::new() }; 5],
        |[keys, values, own_keys, own_values, scores], ((group, key_head, part), (_, _, log_sums))| {
            let columns = Columns::new(shape, key_head);
            let first = group.rows().start;
            let mut segment = |rows: &Range<usize>, prompt: KeyValues<'_>, own: KeyValues<'_>| {
                for head in 0..heads {
                    let queries = Rows::new(qkv, shape.qkv(), rows, columns.query + head * dim, dim);
                    for begin in (0..rows.len()).step_by(QUERY_BLOCK) {
                        let count = (rows.len() - begin).min(QUERY_BLOCK);
                        let offset = rows.start - first + begin;
                        attend(
                            queries.left(begin),
                            count,
                            dim,
                            [prompt, own],
                            |i| begin + i + 1,
                            scores,
                            &mut part[offset * heads * dim + head * dim..],
                            heads * dim,
                            |i, log_sum| log_sums[(offset + i) * heads + head] = log_sum,
                        );
                    }
                }
            };
            let pack = |rows: &Range<usize>, keys: &mut Vec<f32>, values: &mut Vec<f32>| {
                Rows::new(qkv, shape.qkv(), rows, columns.key, dim).pack_transposed(keys);
                Rows::new(qkv, shape.qkv(), rows, columns.value, dim).pack_plain(values);
            };
            let none = KeyValues { keys: &[], values: &[], capacity: 0, len: 0 };
            pack(&group.prompt, keys, values);
            let len = group.prompt.len();
            let prompt = KeyValues { keys, values, capacity: len, len };
            segment(&group.prompt, none, prompt);
            for rows in group.completions.iter().filter(|rows| !rows.is_empty()) {
                pack(rows, own_keys, own_values);
                let own =
                    KeyValues { keys: own_keys, values: own_values, capacity: rows.len(), len: rows.len() };
                segment(rows, prompt, own);
            }
        },
    );
    gather(shape, groups, region, heads * dim, out, shape.query(), |row, key_head, part| {
        row[key_head * heads * dim..][..heads * dim].copy_from_slice(part);
    });
}

/// Columns of a key head in a row of `qkv`.
struct Columns {
    query: usize,
    key: usize,
    value: usize,
}

impl Columns {
    fn new(shape: &Shape, key_head: usize) -> Self {
        let dim = shape.head_dim;
        let key = shape.query() + key_head * dim;
        Self { query: key_head * shape.heads_per_key() * dim, key, value: key + shape.key() }
    }
}

/// Brings the tasks' results into rows: `place(row, key_head, part)` with `part` of `width` values.
fn gather(
    shape: &Shape,
    groups: &[Group],
    region: &[f32],
    width: usize,
    mut out: &mut [f32],
    out_width: usize,
    place: impl Fn(&mut [f32], usize, &[f32]) + Sync,
) {
    let mut pieces = Vec::with_capacity(groups.len());
    for group in groups {
        let (rows, rest) = out.split_at_mut(group.rows().len() * out_width);
        pieces.push((group, rows));
        out = rest;
    }
    pieces.into_par_iter().for_each(|(group, out)| {
        let rows = group.rows();
        let base = rows.start * width * shape.key_heads;
        for (i, row) in out.chunks_exact_mut(out_width).enumerate() {
            for key_head in 0..shape.key_heads {
                place(row, key_head, &region[base + (key_head * rows.len() + i) * width..][..width]);
            }
        }
    });
}

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
    fn pack(&mut self, qkv: &[f32], stride: usize, rows: &Range<usize>, columns: &Columns, dim: usize) {
        let keys = Rows::new(qkv, stride, rows, columns.key, dim);
        keys.pack_transposed(&mut self.keys_transposed);
        keys.pack_plain(&mut self.keys);
        Rows::new(qkv, stride, rows, columns.value, dim).pack_transposed(&mut self.values_transposed);
        self.len = rows.len();
    }
}

/// What backward reads besides shape and groups.
#[derive(Clone, Copy)]
pub(super) struct Saved<'a> {
    /// Queries, keys and values of the forward pass, rotated. `[M, qkv]`
    pub(super) qkv: &'a [f32],
    /// The forward pass's result. `[M, query]`
    pub(super) out: &'a [f32],
    /// Its log-sums, in the order of tasks. `[M, heads]`
    pub(super) log_sums: &'a [f32],
}

/// Backward of [`forward`]: from `dout` `[M, query]` to `dqkv` `[M, qkv]`. `region` is scratch for
/// `[M, query + 2 key]`.
pub(super) fn backward(
    shape: &Shape,
    groups: &[Group],
    saved: Saved<'_>,
    dout: &[f32],
    region: &mut [f32],
    dqkv: &mut [f32],
) {
    let (heads, dim) = (shape.heads_per_key(), shape.head_dim);
    let width = (heads + 2) * dim;
    split_tasks(groups, shape.key_heads, region, width).into_par_iter().with_max_len(1).for_each_init(
        Scratch::default,
        |scratch, (group, key_head, part)| {
            backward_task(shape, group, key_head, saved, dout, part, scratch);
        },
    );
    gather(shape, groups, region, width, dqkv, shape.qkv(), |row, key_head, part| {
        let columns = Columns::new(shape, key_head);
        let (query, key_value) = part.split_at(heads * dim);
        row[columns.query..][..heads * dim].copy_from_slice(query);
        row[columns.key..][..dim].copy_from_slice(&key_value[..dim]);
        row[columns.value..][..dim].copy_from_slice(&key_value[dim..]);
    });
}

fn backward_task(
    shape: &Shape,
    group: &Group,
    key_head: usize,
    saved: Saved<'_>,
    dout: &[f32],
    part: &mut [f32],
    scratch: &mut Scratch,
) {
    let (heads, dim, stride) = (shape.heads_per_key(), shape.head_dim, shape.qkv());
    let width = (heads + 2) * dim;
    let columns = Columns::new(shape, key_head);
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
                let factor = 1.0 / (dim as f32).sqrt();
                for buffer in [&mut *weights, &mut *dscores] {
                    if buffer.len() < count * row_width {
                        buffer.resize(count * row_width, 0.0);
                    }
                }
                for (segment, len, begin) in parts {
                    for (left, panels, out) in [
                        (query_rows, &segment.keys_transposed, &mut *weights),
                        (dout_rows, &segment.values_transposed, &mut *dscores),
                    ] {
                        let out = Out { data: &mut out[begin..], row_stride: row_width, accumulate: false };
                        multiply_panels([count, dim, len], left.left(0), panels, dim, out);
                    }
                }
                for (i, (weights, dscores)) in weights
                    .chunks_exact_mut(row_width)
                    .zip(dscores.chunks_exact_mut(row_width))
                    .take(count)
                    .enumerate()
                {
                    let log_sum = log_sums[(offset + i) * heads + head];
                    let visible = begin + i + 1;
                    attention_weights_again(weights, segments[0].len, split, visible, factor, log_sum);
                    let delta = dot(dout_rows.row(i), out_rows.row(i));
                    attention_weights_backward(weights, dscores, delta, factor);
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
