//! The processor's attention.

use anyhow::Result;

use super::{Buffer, Place, Processor};
use crate::gpu::ops::{Attention, Caches, Decode, Heads, Pair, Softmax};

impl Processor {
    fn for_heads(
        &self,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<Pair<'_, Buffer>>,
        to: Place<'_>,
        split: bool,
    ) {
        self.count();
        let Heads { sequences, len, row, key_heads, repeat, width } = *shape;
        let half = width / 2;
        for sequence in 0..sequences {
            for position in 0..len {
                for head in 0..key_heads * repeat {
                    let (key_head, member) = (head / repeat, head % repeat);
                    let rows = (sequence * len + position) * row + head * width;
                    let heads =
                        (((sequence * key_heads + key_head) * len + position) * repeat + member) * width;
                    let (source, target) = if split { (rows, heads) } else { (heads, rows) };
                    for pair in 0..half {
                        let (first, second) = (from.get(source + pair), from.get(source + pair + half));
                        let (cos, sin) = rotation.map_or((1.0, 0.0), |(cos, sin)| {
                            (cos.get(position * half + pair), sin.get(position * half + pair))
                        });
                        let sin = if split { sin } else { -sin };
                        to.set(target + pair, first * cos - second * sin);
                        to.set(target + pair + half, first * sin + second * cos);
                    }
                }
            }
        }
    }
}

impl Attention for Processor {
    fn split_heads(
        &self,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<Pair<'_, Buffer>>,
        to: Place<'_>,
    ) -> Result<()> {
        self.for_heads(shape, from, rotation, to, true);
        Ok(())
    }

    fn merge_heads(
        &self,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<Pair<'_, Buffer>>,
        to: Place<'_>,
    ) -> Result<()> {
        self.for_heads(shape, from, rotation, to, false);
        Ok(())
    }

    fn softmax(
        &self,
        shape: &Softmax,
        scores: Place<'_>,
        log_sums: Place<'_>,
        probs: Place<'_>,
    ) -> Result<()> {
        self.count();
        for_rows(shape, |first, seen, stat| {
            let scaled: Vec<f32> = (0..seen).map(|key| scores.get(first + key) * shape.scale).collect();
            let max = scaled.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let log_sum = max + scaled.iter().map(|score| (score - max).exp()).sum::<f32>().ln();
            log_sums.set(stat, log_sum);
            for (key, score) in scaled.iter().enumerate() {
                probs.set(first + key, (score - log_sum).exp());
            }
            (seen..shape.keys).for_each(|key| probs.set(first + key, 0.0));
        });
        Ok(())
    }

    fn softmax_grad(
        &self,
        shape: &Softmax,
        scores: Place<'_>,
        dprobs: Place<'_>,
        log_sums: Place<'_>,
        deltas: Place<'_>,
        probs: Place<'_>,
        dscores: Place<'_>,
    ) -> Result<()> {
        self.count();
        for_rows(shape, |first, seen, stat| {
            for key in 0..shape.keys {
                let (mut prob, mut derivative) = (0.0, 0.0);
                if key < seen {
                    prob = (scores.get(first + key) * shape.scale - log_sums.get(stat)).exp();
                    derivative = shape.scale * prob * (dprobs.get(first + key) - deltas.get(stat));
                }
                probs.set(first + key, prob);
                dscores.set(first + key, derivative);
            }
        });
        Ok(())
    }

    fn row_products(
        &self,
        a: Place<'_>,
        b: Place<'_>,
        out: Place<'_>,
        num: usize,
        width: usize,
    ) -> Result<()> {
        self.count();
        for row in 0..num {
            let columns = row * width..(row + 1) * width;
            out.set(row, columns.map(|index| a.get(index) * b.get(index)).sum());
        }
        Ok(())
    }

    fn decode_heads(
        &self,
        shape: &Decode,
        qkv: Place<'_>,
        (cos, sin): Pair<'_, Buffer>,
        positions: Place<'_>,
        queries: Place<'_>,
        caches: &Caches<'_, Buffer>,
    ) -> Result<()> {
        self.count();
        let Decode { rows, key_heads, repeat, width, capacity, len, .. } = *shape;
        let (half, heads) = (width / 2, key_heads * repeat);
        let turn = |row: usize, source: usize, to: Place<'_>, target: usize| {
            for pair in 0..half {
                let (first, second) = (qkv.get(source + pair), qkv.get(source + pair + half));
                let angle = positions.id(row) * half + pair;
                let (cos, sin) = (cos.get(angle), sin.get(angle));
                to.set(target + pair, first * cos - second * sin);
                to.set(target + pair + half, first * sin + second * cos);
            }
        };
        for row in 0..rows {
            let start = row * (heads + 2 * key_heads) * width;
            for head in 0..heads {
                turn(row, start + head * width, queries, (row * heads + head) * width);
            }
            for head in 0..key_heads {
                let target = ((caches.slots.id(row) * key_heads + head) * capacity + len - 1) * width;
                turn(row, start + (heads + head) * width, caches.keys, target);
                let source = start + (heads + key_heads + head) * width;
                for index in 0..width {
                    caches.values.set(target + index, qkv.get(source + index));
                }
            }
        }
        Ok(())
    }

    fn decode_attention(
        &self,
        shape: &Decode,
        queries: Place<'_>,
        caches: &Caches<'_, Buffer>,
        out: Place<'_>,
    ) -> Result<()> {
        self.count();
        let Decode { rows, key_heads, repeat, width, prompt_capacity, capacity, len, scale } = *shape;
        for row in 0..rows {
            let (group, slot) = (caches.groups.id(row), caches.slots.id(row));
            for head in 0..key_heads * repeat {
                let key_head = head / repeat;
                let prompt = (group * key_heads + key_head) * prompt_capacity;
                let own = (slot * key_heads + key_head) * capacity;
                let of_prompt = (0..caches.prompt_lens.id(group))
                    .map(|key| (caches.prompt_keys, caches.prompt_values, (prompt + key) * width));
                let of_own = (0..len).map(|key| (caches.keys, caches.values, (own + key) * width));
                let seen: Vec<(Place<'_>, Place<'_>, usize)> = of_prompt.chain(of_own).collect();
                let query = (row * key_heads * repeat + head) * width;
                let scores: Vec<f32> = seen
                    .iter()
                    .map(|(keys, _, key)| {
                        scale * (0..width).map(|i| queries.get(query + i) * keys.get(key + i)).sum::<f32>()
                    })
                    .collect();
                let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let weights: Vec<f32> = scores.iter().map(|score| (score - max).exp()).collect();
                let sum: f32 = weights.iter().sum();
                for index in 0..width {
                    let gathered: f32 = seen
                        .iter()
                        .zip(&weights)
                        .map(|((_, values, key), weight)| weight * values.get(key + index))
                        .sum();
                    out.set(query + index, gathered / sum);
                }
            }
        }
        Ok(())
    }
}

/// Start, number of keys seen and place of the statistics of each row.
fn for_rows(shape: &Softmax, mut visit: impl FnMut(usize, usize, usize)) {
    for member in 0..shape.batch {
        for row in 0..shape.rows {
            let seen = (shape.first_query + row / shape.repeat + 1).min(shape.keys);
            visit((member * shape.rows + row) * shape.keys, seen, member * shape.stat_step + row);
        }
    }
}
