//! The device's operations on the processor, each written as its definition says. The reference that a GPU's kernels
//! are compared with, and what the engine's passes are tested on where there is no GPU. bf16 is f32 that is rounded
//! whenever it is stored.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use anyhow::{Result, bail, ensure};
use rayon::prelude::*;

use super::ops::{
    AdamStep, At, Caches, Decode, Device, Draw, Drawn, Element, Heads, Norm, OutOfMemory, Product, Softmax,
};
use crate::model::sampler::pick_at;

/// The processor as a [`Device`].
#[derive(Debug)]
pub(in crate::model) struct Processor {
    memory: usize,
    launches: AtomicU64,
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct Account {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Elements of 32 bits, f32 or u32; a bf16 is an f32 whose lower half is 0.
#[derive(Debug)]
pub(in crate::model) struct Buffer {
    element: Element,
    words: Vec<Cell<u32>>,
    account: Arc<Account>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.account.now.fetch_sub(self.words.len() * self.element.size(), Relaxed);
    }
}

type Place<'a> = At<'a, Buffer>;

impl Place<'_> {
    fn get(self, index: usize) -> f32 {
        f32::from_bits(self.buffer.words[self.offset + index].get())
    }

    fn set(self, index: usize, value: f32) {
        let value = if self.buffer.element == Element::Bf16 { to_bf16(value) } else { value };
        self.buffer.words[self.offset + index].set(value.to_bits());
    }

    fn add(self, index: usize, value: f32) {
        self.set(index, self.get(index) + value);
    }

    fn id(self, index: usize) -> usize {
        self.buffer.words[self.offset + index].get() as usize
    }

    fn set_id(self, index: usize, id: u32) {
        self.buffer.words[self.offset + index].set(id);
    }

    fn values(self, len: usize) -> Vec<f32> {
        self.buffer.words[self.offset..][..len].iter().map(|word| f32::from_bits(word.get())).collect()
    }
}

/// Rounded to the nearest bf16, ties to even.
pub(super) fn to_bf16(value: f32) -> f32 {
    if value.is_nan() {
        return value;
    }
    let bits = value.to_bits();
    f32::from_bits((bits.wrapping_add(0x7fff + ((bits >> 16) & 1))) & 0xffff_0000)
}

/// A matrix `[rows, columns]` without gaps, from one stored with a row's distance and perhaps transposed.
fn dense(place: Place<'_>, rows: usize, columns: usize, row: usize, transposed: bool) -> Vec<f32> {
    let mut values = Vec::with_capacity(rows * columns);
    for at in 0..rows {
        values.extend(
            (0..columns).map(|column| place.get(if transposed { column * row + at } else { at * row + column })),
        );
    }
    values
}

impl Default for Processor {
    /// With as much memory as a small GPU has.
    fn default() -> Self {
        Self::with_memory(8 << 30)
    }
}

impl Processor {
    /// A device that claims to have `memory` bytes.
    pub(super) fn with_memory(memory: usize) -> Self {
        Self { memory, launches: AtomicU64::new(0), account: Arc::default() }
    }

    fn count(&self) {
        self.launches.fetch_add(1, Relaxed);
    }

    fn for_heads(
        &self,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<(Place<'_>, Place<'_>)>,
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

impl Device for Processor {
    type Buffer = Buffer;

    fn alloc(&self, element: Element, len: usize) -> Result<Buffer> {
        let bytes = len * element.size();
        let free = self.memory.saturating_sub(self.account.now.load(Relaxed));
        if bytes > free {
            bail!(OutOfMemory { asked: bytes, free, total: self.memory });
        }
        let now = self.account.now.fetch_add(bytes, Relaxed) + bytes;
        self.account.most.fetch_max(now, Relaxed);
        Ok(Buffer { element, words: vec![Cell::new(0); len], account: self.account.clone() })
    }

    fn total_memory(&self) -> usize {
        self.memory
    }

    fn allocated(&self) -> (usize, usize) {
        (self.account.now.load(Relaxed), self.account.most.load(Relaxed))
    }

    fn launches(&self) -> u64 {
        self.launches.load(Relaxed)
    }

    fn wait(&self) -> Result<()> {
        Ok(())
    }

    fn write(&self, values: &[f32], to: Place<'_>) -> Result<()> {
        self.count();
        values.iter().enumerate().for_each(|(index, value)| to.set(index, *value));
        Ok(())
    }

    fn write_ids(&self, values: &[u32], to: Place<'_>) -> Result<()> {
        self.count();
        values.iter().enumerate().for_each(|(index, id)| to.set_id(index, *id));
        Ok(())
    }

    fn read(&self, from: Place<'_>, len: usize) -> Result<Vec<f32>> {
        self.count();
        Ok(from.values(len))
    }

    fn read_ids(&self, from: Place<'_>, len: usize) -> Result<Vec<u32>> {
        self.count();
        Ok(from.buffer.words[from.offset..][..len].iter().map(Cell::get).collect())
    }

    fn zero(&self, place: Place<'_>, len: usize) -> Result<()> {
        self.count();
        place.buffer.words[place.offset..][..len].iter().for_each(|word| word.set(0));
        Ok(())
    }

    fn copy(&self, from: Place<'_>, to: Place<'_>, len: usize) -> Result<()> {
        self.round(from, to, len)
    }

    fn round(&self, from: Place<'_>, to: Place<'_>, len: usize) -> Result<()> {
        self.count();
        (0..len).for_each(|index| to.set(index, from.get(index)));
        Ok(())
    }

    fn product(&self, shape: &Product, a: Place<'_>, b: Place<'_>, c: Place<'_>) -> Result<()> {
        self.count();
        ensure!(a.buffer.element == b.buffer.element, "the operands of a product have different types");
        let Product { m, n, k, batch, alpha, beta, .. } = *shape;
        for member in 0..batch {
            let left = dense(a.plus(member * shape.a_step), m, k, shape.a_row, shape.a_transposed);
            let right = dense(b.plus(member * shape.b_step), k, n, shape.b_row, shape.b_transposed);
            let mut sums = vec![0f32; m * n];
            if n > 0 {
                sums.par_chunks_mut(n).enumerate().for_each(|(row, sums)| {
                    for (left, right) in left[row * k..][..k].iter().zip(right.chunks(n)) {
                        sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * right);
                    }
                });
            }
            let c = c.plus(member * shape.c_step);
            for row in 0..m {
                for column in 0..n {
                    let place = row * shape.c_row + column;
                    let kept = if beta == 0.0 { 0.0 } else { beta * c.get(place) };
                    c.set(place, alpha * sums[row * n + column] + kept);
                }
            }
        }
        Ok(())
    }

    fn gather(&self, from: Place<'_>, rows: Place<'_>, to: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        for row in 0..num {
            let source = rows.id(row) * width;
            (0..width).for_each(|column| to.set(row * width + column, from.get(source + column)));
        }
        Ok(())
    }

    fn scatter(&self, from: Place<'_>, rows: Place<'_>, to: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        for row in 0..num {
            let target = rows.id(row) * width;
            (0..width).for_each(|column| to.set(target + column, from.get(row * width + column)));
        }
        Ok(())
    }

    fn scatter_sums(
        &self,
        from: Place<'_>,
        ids: Place<'_>,
        starts: Place<'_>,
        rows: Place<'_>,
        to: Place<'_>,
        num: usize,
        width: usize,
    ) -> Result<()> {
        self.count();
        for unique in 0..num {
            for column in 0..width {
                let members = starts.id(unique)..starts.id(unique + 1);
                let sum: f32 = members.map(|member| from.get(rows.id(member) * width + column)).sum();
                to.add(ids.id(unique) * width + column, sum);
            }
        }
        Ok(())
    }

    fn norm(&self, shape: &Norm, x: Place<'_>, weight: Place<'_>, y: Place<'_>) -> Result<()> {
        self.count();
        for_vectors(shape, |source, target| {
            let values = x.plus(source).values(shape.width);
            let scale = inverse_root(&values, shape.eps);
            for (index, value) in values.iter().enumerate() {
                y.set(target + index, value * scale * weight.get(index));
            }
        });
        Ok(())
    }

    fn norm_grad(
        &self,
        shape: &Norm,
        x: Place<'_>,
        weight: Place<'_>,
        dy: Place<'_>,
        dx: Place<'_>,
        add: bool,
        weight_grad: Place<'_>,
    ) -> Result<()> {
        self.count();
        let mut sums = vec![0f32; shape.width];
        for_vectors(shape, |source, target| {
            let values = x.plus(source).values(shape.width);
            let scale = inverse_root(&values, shape.eps);
            let derivative = dy.plus(target).values(shape.width);
            let pulled = (0..shape.width).map(|i| derivative[i] * weight.get(i) * values[i] * scale).sum::<f32>()
                / shape.width as f32;
            for index in 0..shape.width {
                let normed = values[index] * scale;
                sums[index] += derivative[index] * normed;
                let share = scale * (derivative[index] * weight.get(index) - normed * pulled);
                let before = if add { dx.get(source + index) } else { 0.0 };
                dx.set(source + index, before + share);
            }
        });
        sums.iter().enumerate().for_each(|(index, sum)| weight_grad.add(index, *sum));
        Ok(())
    }

    fn add_bias(&self, x: Place<'_>, bias: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        (0..num * width).for_each(|index| x.add(index, bias.get(index % width)));
        Ok(())
    }

    fn add_column_sums(&self, dy: Place<'_>, grad: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        for column in 0..width {
            grad.add(column, (0..num).map(|row| dy.get(row * width + column)).sum());
        }
        Ok(())
    }

    fn split_heads(
        &self,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<(Place<'_>, Place<'_>)>,
        to: Place<'_>,
    ) -> Result<()> {
        self.for_heads(shape, from, rotation, to, true);
        Ok(())
    }

    fn merge_heads(
        &self,
        shape: &Heads,
        from: Place<'_>,
        rotation: Option<(Place<'_>, Place<'_>)>,
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
            for key in 0..shape.keys {
                probs.set(first + key, if key < seen { (scaled[key] - log_sum).exp() } else { 0.0 });
            }
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

    fn gated(&self, gate_up: Place<'_>, out: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        for index in 0..num * width {
            let gate = gate_up.get(index / width * 2 * width + index % width);
            let up = gate_up.get(index / width * 2 * width + width + index % width);
            out.set(index, gate / (1.0 + (-gate).exp()) * up);
        }
        Ok(())
    }

    fn gated_grad(&self, gate_up: Place<'_>, dout: Place<'_>, num: usize, width: usize) -> Result<()> {
        self.count();
        for index in 0..num * width {
            let place = index / width * 2 * width + index % width;
            let (gate, up, derivative) = (gate_up.get(place), gate_up.get(place + width), dout.get(index));
            let sigmoid = 1.0 / (1.0 + (-gate).exp());
            gate_up.set(place, derivative * up * sigmoid * (1.0 + gate * (1.0 - sigmoid)));
            gate_up.set(place + width, derivative * gate * sigmoid);
        }
        Ok(())
    }

    fn token_scores(
        &self,
        logits: Place<'_>,
        targets: Place<'_>,
        logprobs: Place<'_>,
        entropies: Place<'_>,
        log_sums: Place<'_>,
        num: usize,
        vocab: usize,
        sharpness: f32,
    ) -> Result<()> {
        self.count();
        for row in 0..num {
            let z: Vec<f32> =
                logits.plus(row * vocab).values(vocab).iter().map(|logit| logit * sharpness).collect();
            let (log_sum, entropy) = log_sum_and_entropy(&z);
            log_sums.set(row, log_sum);
            logprobs.set(row, z[targets.id(row)] - log_sum);
            entropies.set(row, entropy);
        }
        Ok(())
    }

    fn token_scores_grad(
        &self,
        logits: Place<'_>,
        targets: Place<'_>,
        entropies: Place<'_>,
        log_sums: Place<'_>,
        dlogprobs: Place<'_>,
        dentropies: Place<'_>,
        dlogits: Place<'_>,
        num: usize,
        vocab: usize,
        sharpness: f32,
    ) -> Result<()> {
        self.count();
        for row in 0..num {
            for token in 0..vocab {
                let log_prob = logits.get(row * vocab + token) * sharpness - log_sums.get(row);
                let prob = log_prob.exp();
                let is_target = f32::from(u8::from(targets.id(row) == token));
                let of_logprob = dlogprobs.get(row) * (is_target - prob);
                let of_entropy = -dentropies.get(row) * prob * (log_prob + entropies.get(row));
                dlogits.set(row * vocab + token, sharpness * (of_logprob + of_entropy));
            }
        }
        Ok(())
    }

    fn sum_of_squares(&self, x: Place<'_>, len: usize) -> Result<f64> {
        self.count();
        Ok((0..len).map(|index| f64::from(x.get(index)).powi(2)).sum())
    }

    fn adam(
        &self,
        step: &AdamStep,
        weights: Place<'_>,
        grads: Place<'_>,
        first: Place<'_>,
        second: Place<'_>,
        rounded: Place<'_>,
        len: usize,
    ) -> Result<()> {
        self.count();
        for index in 0..len {
            let gradient = grads.get(index) * step.scale;
            first.set(index, step.beta1 * first.get(index) + (1.0 - step.beta1) * gradient);
            second.set(index, step.beta2 * second.get(index) + (1.0 - step.beta2) * gradient * gradient);
            let (first, second) =
                (first.get(index) * step.first_correction, second.get(index) * step.second_correction);
            let weight = weights.get(index) * (1.0 - step.decay) - step.lr * first / (second.sqrt() + step.eps);
            weights.set(index, weight);
            rounded.set(index, weight);
        }
        Ok(())
    }

    fn decode_heads(
        &self,
        shape: &Decode,
        qkv: Place<'_>,
        (cos, sin): (Place<'_>, Place<'_>),
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

    fn draw(&self, shape: &Draw, logits: Place<'_>, drawn: &Drawn<'_, Buffer>) -> Result<()> {
        self.count();
        for row in 0..shape.rows {
            let slot = drawn.slots.id(row);
            let logits = logits.plus(drawn.logit_rows.id(row) * shape.vocab_size).values(shape.vocab_size);
            let word = |half: usize| drawn.uniforms.id(2 * slot + half) as u64;
            let uniform = ((word(1) << 32 | word(0)) >> 11) as f64 / (1u64 << 53) as f64;
            let sharpness = 1.0 / shape.score_temperature;
            let z: Vec<f32> = logits.iter().map(|logit| logit * sharpness).collect();
            let (log_sum, entropy) = log_sum_and_entropy(&z);
            let picked = pick_at(&logits, shape.temperature, shape.top_p, || uniform, &mut Vec::new());
            let id = picked.map_or(u32::MAX, |id| id as u32);
            drawn.latest.set_id(row, id);
            drawn.ids.set_id(slot, id);
            drawn.logprobs.set(slot, z.get(id as usize).map_or(f32::NAN, |z| z - log_sum));
            drawn.entropies.set(slot, entropy);
        }
        Ok(())
    }
}

/// Starts of each vector in the input and in the output.
fn for_vectors(shape: &Norm, mut visit: impl FnMut(usize, usize)) {
    for row in 0..shape.rows {
        for group in 0..shape.groups {
            visit(row * shape.in_row + group * shape.width, row * shape.out_row + group * shape.width);
        }
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

fn inverse_root(values: &[f32], eps: f32) -> f32 {
    let mean = values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32;
    1.0 / (mean + eps).sqrt()
}

/// ln Σ exp z and the entropy of the softmax of z.
fn log_sum_and_entropy(z: &[f32]) -> (f32, f32) {
    let max = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut weighted) = (0f64, 0f64);
    for z in z {
        let weight = f64::from((z - max).exp());
        sum += weight;
        weighted += weight * f64::from(z - max);
    }
    ((f64::from(max) + sum.ln()) as f32, (sum.ln() - weighted / sum) as f32)
}
