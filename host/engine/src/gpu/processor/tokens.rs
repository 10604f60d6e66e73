//! The processor's log-probs, entropies and draws.

use anyhow::Result;

use super::{Buffer, Place, Processor};
use crate::gpu::ops::{Draw, Drawn, Tokens};
use crate::sampler::pick_at;

impl Tokens for Processor {
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
