//! AdamW over the flat buffers, in place.

use rayon::prelude::*;

use super::kernel::vectorized;
use crate::AdamW;

/// Values of a work item; fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 1 << 14;

/// Moments of AdamW, laid out like the parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    /// Decaying mean of gradients.
    pub(super) first: Vec<f32>,
    /// Decaying mean of squared gradients.
    pub(super) second: Vec<f32>,
    /// Steps taken.
    pub(super) steps: u64,
}

/// Numbers of a step that are the same for all values.
#[derive(Clone, Copy)]
struct Factors {
    clip: f32,
    decay: f32,
    beta1: f32,
    beta2: f32,
    step: f32,
    root: f32,
    eps: f32,
}

vectorized! {
    fn square_sum(values: &[f32]) -> f64 {
        let mut lanes = [0.0f64; 16];
        let (chunks, rest) = values.as_chunks::<16>();
        for chunk in chunks {
            for l in 0..16 {
                let value = f64::from(chunk[l]);
                lanes[l] = value.mul_add(value, lanes[l]);
            }
        }
        for (lane, &value) in lanes.iter_mut().zip(rest) {
            *lane += f64::from(value) * f64::from(value);
        }
        lanes.iter().sum()
    }

    fn update(
        parameters: &mut [f32], gradient: &mut [f32], first: &mut [f32], second: &mut [f32], factors: Factors,
    ) {
        let Factors { clip, decay, beta1, beta2, step, root, eps } = factors;
        for (((p, gradient), m), v) in parameters.iter_mut().zip(gradient).zip(first).zip(second) {
            let g = *gradient * clip;
            *gradient = 0.0;
            *m = beta1.mul_add(*m, (1.0 - beta1) * g);
            *v = beta2.mul_add(*v, (1.0 - beta2) * g * g);
            *p = *p * decay - step * *m / (v.sqrt() * root + eps);
        }
    }
}

/// Global L2 norm.
pub(super) fn norm(gradient: &[f32]) -> f64 {
    let sums: Vec<f64> = gradient.par_chunks(CHUNK).map(square_sum).collect();
    sums.iter().sum::<f64>().sqrt()
}

impl Moments {
    /// All zero.
    pub(super) fn new(len: usize) -> Self {
        Self { first: vec![0.0; len], second: vec![0.0; len], steps: 0 }
    }

    /// One step; `clip` multiplies the gradient, the first `num_decayed` parameters decay. Leaves the gradient zero.
    pub(super) fn step(
        &mut self,
        optim: &AdamW,
        clip: f64,
        num_decayed: usize,
        parameters: &mut [f32],
        gradient: &mut [f32],
    ) {
        self.steps += 1;
        let correction = |beta: f64| 1.0 - libm::pow(beta, self.steps as f64);
        let factors = Factors {
            clip: clip as f32,
            decay: 1.0,
            beta1: optim.beta1 as f32,
            beta2: optim.beta2 as f32,
            step: (optim.lr / correction(optim.beta1)) as f32,
            root: (1.0 / correction(optim.beta2).sqrt()) as f32,
            eps: optim.eps as f32,
        };
        let decay = (1.0 - optim.lr * optim.weight_decay) as f32;
        let (first, second) = (self.first.split_at_mut(num_decayed), self.second.split_at_mut(num_decayed));
        let (parameters, gradient) =
            (parameters.split_at_mut(num_decayed), gradient.split_at_mut(num_decayed));
        for (parameters, gradient, first, second, decay) in [
            (parameters.0, gradient.0, first.0, second.0, decay),
            (parameters.1, gradient.1, first.1, second.1, 1.0),
        ] {
            let factors = Factors { decay, ..factors };
            parameters
                .par_chunks_mut(CHUNK)
                .zip(gradient.par_chunks_mut(CHUNK))
                .zip(first.par_chunks_mut(CHUNK))
                .zip(second.par_chunks_mut(CHUNK))
                .for_each(|(((p, g), m), v)| update(p, g, m, v, factors));
        }
    }
}
