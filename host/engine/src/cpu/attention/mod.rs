//! Causal attention over packed sequences with shared prompts, forward and backward.
//!
//! A completion's keys are two segments, its group's prompt and its own tokens; scores of a query lie side by side,
//! each segment beginning at a multiple of [`PANEL`]. The decoder uses the same segments and the same operations, so
//! that sampling and training agree to the bit.

mod backward;
mod forward;
mod tasks;

use std::ops::Range;

use super::buffers::fit;
use super::elementwise::{attention_weights, scale};
use super::kernel::{Left, Out, PANEL};
use super::panels::multiply_panels;

pub(super) use backward::{Saved, backward};
pub(super) use forward::forward;

/// Queries that are worked on at a time.
pub(super) const QUERY_BLOCK: usize = 48;

/// What a layer's attention sees, and how its scores are scaled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// What scores are multiplied by.
    pub(super) factor: f32,
    /// Keys that a query sees, the latest ones, its own included.
    pub(super) window: usize,
}

impl Reach {
    /// Keys that a query sees of a prompt of `prompt` tokens, and of the `own` ones that follow it up to the query itself.
    pub(super) fn visible(self, prompt: usize, own: usize) -> [Range<usize>; 2] {
        let first = (prompt + own).saturating_sub(self.window);
        [first.min(prompt)..prompt, first.saturating_sub(prompt)..own]
    }
}

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
/// to query i, ascending, as far as `reach` goes. Writes `out[i * out_stride..][..head_dim]` and calls `record(i, max + ln(sum))`.
#[expect(clippy::too_many_arguments, reason = "operands and results of one operation")]
pub(super) fn attend(
    queries: Left<'_>,
    count: usize,
    head_dim: usize,
    [prompt, own]: [KeyValues<'_>; 2],
    reach: Reach,
    own_len: impl Fn(usize) -> usize,
    scores: &mut Vec<f32>,
    out: &mut [f32],
    out_stride: usize,
    mut record: impl FnMut(usize, f32),
) {
    let split = prompt.len.next_multiple_of(PANEL);
    let visible = own_len(count - 1);
    let width = split + visible.next_multiple_of(PANEL);
    let scores = fit(scores, count * width);
    for (segment, len, begin) in [(prompt, prompt.len, 0), (own, visible, split)] {
        if len > 0 {
            let out = Out { data: &mut scores[begin..], row_stride: width, accumulate: false };
            multiply_panels([count, head_dim, len], queries, segment.keys, head_dim, out);
        }
    }
    let mut sums = [0.0f32; QUERY_BLOCK];
    for (i, row) in scores.chunks_exact_mut(width).enumerate() {
        let (max, sum) = attention_weights(row, reach.visible(prompt.len, own_len(i)), split, reach.factor);
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
