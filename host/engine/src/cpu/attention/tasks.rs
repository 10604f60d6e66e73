//! How attention is shared out, and how its results come back into rows.

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::network::Shape;
use crate::cpu::packed::Group;
use crate::cpu::product::{shares, split};

/// Rows that are worth a thread's while to copy.
const GATHERED_ROWS: usize = 64;

/// Some consecutive segments of a group, for one key head.
#[derive(Debug, Clone)]
pub(super) struct Task<'g> {
    pub(super) group: &'g Group,
    pub(super) key_head: usize,
    /// Completions of the group.
    pub(super) completions: Range<usize>,
}

impl Task<'_> {
    /// True for the task that has the prompt, too.
    pub(super) fn has_prompt(&self) -> bool {
        self.completions.start == 0
    }

    /// Rows of its segments.
    pub(super) fn rows(&self) -> Range<usize> {
        let Self { group, completions, .. } = self;
        let first = if self.has_prompt() { &group.prompt } else { &group.completions[completions.start] };
        first.start..group.completions[completions.clone()].last().map_or(group.prompt.end, |rows| rows.end)
    }
}

/// One task for every group and key head, or several of at most as many completions when those are fewer than
/// `wanted`. Tasks come in the order of what they write: groups by key heads by rows.
pub(super) fn tasks(groups: &[Group], key_heads: usize, wanted: usize) -> Vec<Task<'_>> {
    let parts = wanted.div_ceil((groups.len() * key_heads).max(1));
    let mut tasks = Vec::with_capacity(groups.len() * key_heads * parts);
    for group in groups {
        for key_head in 0..key_heads {
            let mut first = 0;
            for count in shares(group.completions.len(), parts) {
                tasks.push(Task { group, key_head, completions: first..first + count });
                first += count;
            }
        }
    }
    tasks
}

/// Cuts `buffer` into what each task writes, `width` values a row.
pub(super) fn split_by_task<'a>(
    tasks: &[Task<'_>],
    buffer: &'a mut [f32],
    width: usize,
) -> Vec<&'a mut [f32]> {
    split(buffer, tasks.iter().map(|task| task.rows().len() * width))
}

/// Columns of a key head in a row of `qkv`.
pub(super) struct HeadColumns {
    pub(super) query: usize,
    pub(super) key: usize,
    pub(super) value: usize,
}

impl HeadColumns {
    pub(super) fn new(shape: &Shape, key_head: usize) -> Self {
        let dim = shape.head_dim;
        let key = shape.query() + key_head * dim;
        Self { query: key_head * shape.heads_per_key() * dim, key, value: key + shape.key() }
    }
}

/// Brings the tasks' results into rows: `place(row, key_head, part)` with `part` of `width` values.
pub(super) fn gather(
    shape: &Shape,
    groups: &[Group],
    region: &[f32],
    width: usize,
    out: &mut [f32],
    out_width: usize,
    place: impl Fn(&mut [f32], usize, &[f32]) + Sync,
) {
    let rows = out.par_chunks_mut(out_width).enumerate();
    rows.with_min_len(GATHERED_ROWS).for_each_init(
        || None::<Range<usize>>,
        |latest, (index, row)| {
            let rows = match latest {
                Some(rows) if rows.contains(&index) => rows,
                _ => {
                    let group = groups.partition_point(|group| group.rows().end <= index);
                    latest.insert(groups[group].rows())
                }
            };
            let base = rows.start * width * shape.key_heads;
            for key_head in 0..shape.key_heads {
                let at = key_head * rows.len() + index - rows.start;
                place(row, key_head, &region[base + at * width..][..width]);
            }
        },
    );
}
