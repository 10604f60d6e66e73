//! The last norm and the head: logits of the rows that need them, a chunk at a time, and what is said of them.

use rayon::prelude::*;

use super::buffers::fit;
use super::elementwise::{logit_gradient, logit_sums};
use super::network::Network;
use super::norms::{norm_rows, norm_rows_backward};
use super::outer::{Tiles, accumulate_outer};
use super::packed::PackedBatch;
use super::product::{LeftRows, PanelBuffer, multiply, multiply_rows};
use crate::{ScoreGrads, Scores};

/// Most logits that are held at a time.
const LOGIT_BUDGET: usize = 1 << 25;

/// Tokens of the vocabulary whose gradients are worked on together: few enough that they stay in the shared cache.
const SLICE: usize = 4096;

/// What is kept of a row of logits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RowSums {
    /// `ln Σ exp(z)`.
    pub(super) log_sum: f32,
    /// Entropy in nats.
    pub(super) entropy: f32,
}

impl RowSums {
    /// Of a row of logits.
    pub(super) fn of(logits: &[f32]) -> Self {
        let (max, sum, weighted) = logit_sums(logits);
        let log = libm::logf(sum);
        // H = ln Σ - Σ p (z - max); rounding must not make it negative.
        Self { log_sum: max + log, entropy: (log - weighted / sum).max(0.0) }
    }
}

/// Buffers of the head.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// A slice of the head's matrix for the backward product.
    weight: PanelBuffer,
    /// A chunk of `normed` for the gradient of the head's matrix.
    input: Tiles,
    /// Rows of the residual stream that need logits. `[H, hidden]`
    rows: Vec<f32>,
    /// Those rows, normed. `[H, hidden]`
    normed: Vec<f32>,
    /// 1/rms of the rows. `[H]`
    inverse: Vec<f32>,
    /// Logits of a chunk, divided by the temperature. `[chunk, V]`
    logits: Vec<f32>,
    /// 1/temperature of the latest [`Head::score`].
    sharpness: f32,
    sums: Vec<RowSums>,
    dnormed: Vec<f32>,
    drows: Vec<f32>,
}

impl Head {
    /// Logits `[H, V]` of the rows `head_rows` of the residual stream `x`, all at once.
    pub(super) fn logits(&mut self, network: &Network, head_rows: &[u32], x: &[f32]) -> &[f32] {
        self.norm(network, head_rows, x);
        let (count, hidden) = (head_rows.len(), network.shape.hidden);
        let logits = fit(&mut self.logits, count * network.shape.vocab);
        multiply(&self.normed[..count * hidden], network.panels(&network.layout.head), logits, false);
        logits
    }

    fn norm(&mut self, network: &Network, head_rows: &[u32], x: &[f32]) {
        let (count, hidden) = (head_rows.len(), network.shape.hidden);
        let rows = fit(&mut self.rows, count * hidden);
        rows.par_chunks_mut(hidden).zip(head_rows).for_each(|(out, &row)| {
            out.copy_from_slice(&x[row as usize * hidden..][..hidden]);
        });
        let gain = &network.gain(&network.layout.final_norm);
        let normed = fit(&mut self.normed, count * hidden);
        norm_rows(rows, gain, network.shape.eps, normed, fit(&mut self.inverse, count));
    }

    /// Rows of a chunk.
    fn chunk(network: &Network) -> usize {
        (LOGIT_BUDGET / network.shape.vocab).max(64)
    }

    /// Scores of the packed's targets at `temperature`, from the residual stream `x` after the last layer.
    pub(super) fn score(
        &mut self,
        network: &Network,
        packed: &PackedBatch,
        x: &[f32],
        temperature: f32,
    ) -> Scores {
        self.sharpness = 1.0 / temperature;
        self.norm(network, &packed.head_rows, x);
        let (count, vocab) = (packed.head_rows.len(), network.shape.vocab);
        self.sums.resize(count, RowSums::default());
        let mut scores =
            Scores { logprobs: vec![0.0; packed.targets.len()], entropies: vec![0.0; packed.targets.len()] };
        for begin in (0..count).step_by(Self::chunk(network)) {
            let end = (begin + Self::chunk(network)).min(count);
            self.chunk_logits(network, begin, end);
            let logits = &self.logits[..(end - begin) * vocab];
            let sums = &mut self.sums[begin..end];
            sums.par_iter_mut().zip(logits.par_chunks(vocab)).with_min_len(64).for_each(|(sums, row)| {
                *sums = RowSums::of(row);
            });
            for (row, (sums, logits)) in sums.iter().zip(logits.chunks_exact(vocab)).enumerate() {
                for &index in packed.targets_of(begin + row) {
                    let token = packed.targets[index as usize].token;
                    scores.logprobs[index as usize] = logits[token as usize] - sums.log_sum;
                    scores.entropies[index as usize] = sums.entropy;
                }
            }
        }
        scores
    }

    fn chunk_logits(&mut self, network: &Network, begin: usize, end: usize) {
        let hidden = network.shape.hidden;
        let logits = fit(&mut self.logits, (end - begin) * network.shape.vocab);
        let normed = &self.normed[begin * hidden..end * hidden];
        multiply(normed, network.panels(&network.layout.head), logits, false);
        sharpen(logits, self.sharpness);
    }

    /// Backward of the latest [`Head::score`]: adds to `gradient` and fills `dx` `[M, hidden]`.
    ///
    /// With z the logits over the temperature, p the softmax of z, a = ∂loss/∂ln p(token), h = ∂loss/∂entropy, summed over a row's targets:
    /// ∂loss/∂z_j = Σ a [j = token] - p_j (Σ a + Σ h (ln p_j + H)).
    pub(super) fn backward(
        &mut self,
        network: &Network,
        packed: &PackedBatch,
        grads: &ScoreGrads,
        dx: &mut [f32],
        gradient: &mut [f32],
    ) {
        let (count, vocab, hidden) = (packed.head_rows.len(), network.shape.vocab, network.shape.hidden);
        let (chunk, sharpness) = (Self::chunk(network), self.sharpness);
        let layout = &network.layout;
        fit(&mut self.dnormed, count * hidden);
        let head = network.panels(&layout.head);
        for begin in (0..count).step_by(chunk) {
            let end = (begin + chunk).min(count);
            if count > chunk {
                self.chunk_logits(network, begin, end);
            }
            let logits = &mut self.logits[..(end - begin) * vocab];
            logits.par_chunks_mut(vocab).zip(&self.sums[begin..end]).enumerate().with_min_len(64).for_each(
                |(row, (logits, sums))| {
                    let targets = packed.targets_of(begin + row);
                    let total = |column: &[f32]| targets.iter().map(|&index| column[index as usize]).sum();
                    let (dlogprob, dentropy) = (total(&grads.logprobs), total(&grads.entropies));
                    logit_gradient(logits, sums.log_sum, sums.entropy, dlogprob, dentropy);
                    for &index in targets {
                        logits[packed.targets[index as usize].token as usize] +=
                            grads.logprobs[index as usize];
                    }
                    if sharpness != 1.0 {
                        logits.iter_mut().for_each(|z| *z *= sharpness);
                    }
                },
            );
            self.input.pack(&self.normed[begin * hidden..end * hidden], hidden, network.precision);
            let dnormed = &mut self.dnormed[begin * hidden..end * hidden];
            let gradient = &mut gradient[layout.head.range.clone()];
            for first in (0..vocab).step_by(SLICE) {
                let width = (vocab - first).min(SLICE);
                let dlogits = LeftRows::columns(logits, vocab, first);
                accumulate_outer(dlogits, width, &self.input, &mut gradient[first * hidden..]);
                let weight = self.weight.turn(head.columns(first..first + width));
                multiply_rows(dlogits, weight, dnormed, first > 0);
            }
        }
        let drows = fit(&mut self.drows, count * hidden);
        drows.fill(0.0);
        norm_rows_backward(
            &self.dnormed[..count * hidden],
            &self.rows[..count * hidden],
            &network.gain(&layout.final_norm),
            &self.inverse[..count],
            drows,
            &mut gradient[layout.final_norm.clone()],
        );
        dx.fill(0.0);
        for (&row, drow) in packed.head_rows.iter().zip(drows.chunks_exact(hidden)) {
            dx[row as usize * hidden..][..hidden].copy_from_slice(drow);
        }
    }
}

/// Divides logits by a temperature of 1/`sharpness`.
fn sharpen(logits: &mut [f32], sharpness: f32) {
    if sharpness != 1.0 {
        logits.par_chunks_mut(SLICE).for_each(|logits| logits.iter_mut().for_each(|z| *z *= sharpness));
    }
}
