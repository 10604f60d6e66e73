//! Attention of all rows of a packed.

use std::ops::Range;

use rayon::prelude::*;

use super::tasks::{HeadColumns, gather, split_by_task, tasks};
use super::{KeyValues, QUERY_BLOCK, Reach, attend};
use crate::cpu::network::Shape;
use crate::cpu::packed::Group;
use crate::cpu::panels::Rows;

/// Attention of all groups. `qkv` `[M, qkv]` (rotated) gives `out` `[M, query]` and `log_sums`, `[M, heads]` in the
/// order of groups, key heads and rows. `region` is scratch for `[M, query]`.
pub(in crate::cpu) fn forward(
    shape: &Shape,
    reach: Reach,
    groups: &[Group],
    qkv: &[f32],
    region: &mut [f32],
    log_sums: &mut [f32],
    out: &mut [f32],
) {
    let (heads, dim) = (shape.heads_per_key(), shape.head_dim);
    let tasks = tasks(groups, shape.key_heads, 2 * rayon::current_num_threads());
    let parts = split_by_task(&tasks, region, heads * dim);
    let sums = split_by_task(&tasks, log_sums, heads);
    tasks.into_par_iter().zip(parts).zip(sums).with_max_len(1).for_each_init(
        || [const { Vec::new() }; 5],
        |[keys, values, own_keys, own_values, scores], ((task, part), log_sums)| {
            let columns = HeadColumns::new(shape, task.key_head);
            let first = task.rows().start;
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
                            reach,
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
            let Group { prompt: prompt_rows, completions } = task.group;
            let none = KeyValues { keys: &[], values: &[], capacity: 0, len: 0 };
            pack(prompt_rows, keys, values);
            let len = prompt_rows.len();
            let prompt = KeyValues { keys, values, capacity: len, len };
            if task.has_prompt() {
                segment(prompt_rows, none, prompt);
            }
            for rows in completions[task.completions.clone()].iter().filter(|rows| !rows.is_empty()) {
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
