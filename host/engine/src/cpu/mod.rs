//! Engine of our own for processors: hand-written forward and backward passes in f32 over preallocated buffers.
//!
//! Sequences are packed without padding, and a prompt that consecutive sequences share is computed once. Sampling,
//! scoring and training do the same operations in the same order for every row, so that they agree bit for bit, with
//! each other, for any number of threads and any batch, and on any processor with fused multiply-adds.

mod attention;
mod bf16;
mod buffers;
mod decoder;
mod elementwise;
mod head;
mod kernel;
mod layer;
mod network;
mod norms;
mod optim;
mod outer;
mod packed;
mod panels;
mod pass;
mod product;
mod threads;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use network::{Network, flatten, unflatten};
use optim::Moments;
use packed::{PackedBatch, Ropes, even_micro_batches, micro_batches};
use pass::Workspace;
use threads::Threads;

use super::actor::Engine;
use super::batch::{check_grads, check_requests, check_sequences};
use super::optim::{OptimState, Update, clip_factor};
use super::traits::{Sampler, Scorer, Trainer};
use super::{
    AdamW, ModelConfig, Precision, SampleRequest, SamplingParams, ScoreGrads, Scores, Sequence, Weights,
};
use exgrpo_core::types::{Completion, TokenId};

pub(super) use elementwise::{finite_max, softmax_weights, sum_f64};
pub use product::repeat_product;

/// Bytes that a training pass may keep for its backward pass, unless the parameters take more: then as many as those.
const SAVED_BYTES: usize = 512 << 20;
/// Rows of one forward pass without gradient.
const SCORE_TOKENS: usize = 2048;

/// An Actor on the processor.
#[derive(Debug)]
pub struct CpuActor {
    network: Network,
    /// Laid out like the parameters.
    gradient: Vec<f32>,
    moments: Moments,
    ropes: Ropes,
    threads: Threads,
    workspace: Mutex<Workspace>,
}

impl CpuActor {
    /// An Actor with the given weights and a fresh optimizer, computed by `threads` threads of its own; 0 shares the
    /// process's pool, a thread a core. Results don't depend on it.
    ///
    /// # Errors
    /// The configuration is not valid, the weights are not those of `config`, the processor can't multiply in
    /// `precision`, or the system has no more threads.
    pub fn new(
        config: ModelConfig,
        weights: &Weights,
        precision: Precision,
        threads: usize,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(
            precision != Precision::Bf16 || kernel::multiplies_pairs(),
            "this processor has no bf16 products (AVX512_BF16)\nhint: leave model.precision at f32"
        );
        let threads = Threads::new(threads)?;
        let network = Network::new(config, weights, precision)?;
        let len = network.layout.num_values;
        Ok(Self {
            gradient: vec![0.0; len],
            moments: Moments::new(len),
            ropes: Ropes::new(&network.config),
            network,
            threads,
            workspace: Mutex::default(),
        })
    }

    /// Runs `work` on the Actor's threads with a workspace: the Actor's own, or another when a second caller has those.
    fn with_workspace<T: Send>(&self, work: impl FnOnce(&mut Workspace) -> T + Send) -> T {
        let mut others = Workspace::default();
        let mut guard = self.workspace.try_lock();
        let workspace = guard.as_deref_mut().unwrap_or(&mut others);
        self.threads.run(|| work(workspace))
    }
}

/// See [`crate::Actor`], method by method.
impl Sampler for CpuActor {
    fn sample(
        &self,
        requests: Vec<SampleRequest<'_>>,
        sampling: &SamplingParams,
    ) -> anyhow::Result<Vec<Vec<Completion>>> {
        check_requests(&self.network.config, &requests, sampling)?;
        self.with_workspace(|workspace| decoder::sample(&self.network, workspace, requests, sampling))
    }
}

impl Scorer for CpuActor {
    fn score(&self, batch: &[Sequence<'_>]) -> anyhow::Result<Scores> {
        check_sequences(&self.network.config, batch)?;
        let mut starts = vec![0];
        for sequence in batch {
            starts.push(starts[starts.len() - 1] + sequence.completion.len());
        }
        let total = starts[batch.len()];
        let mut scores = Scores { logprobs: vec![0.0; total], entropies: vec![0.0; total] };
        let mut ropes = Ropes::new(&self.network.config);
        for indices in micro_batches(batch, SCORE_TOKENS) {
            let sequences: Vec<Sequence<'_>> = indices.iter().map(|&index| batch[index]).collect();
            let packed = PackedBatch::new(&sequences)?;
            ropes.extend(packed.num_positions());
            let part =
                self.with_workspace(|workspace| workspace.inference.score(&self.network, &packed, &ropes));
            let mut begin = 0;
            for index in indices {
                let span = starts[index]..starts[index + 1];
                let end = begin + span.len();
                scores.logprobs[span.clone()].copy_from_slice(&part.logprobs[begin..end]);
                scores.entropies[span].copy_from_slice(&part.entropies[begin..end]);
                begin = end;
            }
        }
        Ok(scores)
    }
}

impl Trainer for CpuActor {
    fn accumulate_at(
        &mut self,
        temperature: f32,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Scores) -> ScoreGrads,
    ) -> anyhow::Result<()> {
        check_sequences(&self.network.config, batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        let packed = PackedBatch::new(batch)?;
        self.ropes.extend(packed.num_positions());
        let Self { network, gradient, ropes, threads, workspace, .. } = self;
        let workspace = workspace.get_mut().unwrap_or_else(PoisonError::into_inner);
        let scores = threads.run(|| workspace.forward(network, &packed, ropes, temperature));
        let grads = loss(&scores);
        check_grads(&scores, &grads)?;
        if grads.logprobs.iter().chain(&grads.entropies).any(|grad| *grad != 0.0) {
            threads.run(|| workspace.backward(network, &packed, ropes, &grads, gradient));
        }
        Ok(())
    }

    fn micro_batches(&self, batch: &[Sequence<'_>], token_budget: usize) -> Vec<Vec<usize>> {
        let bytes_per_row = size_of::<f32>() * Workspace::kept_per_row(&self.network);
        let affordable = (SAVED_BYTES.max(size_of_val(&*self.gradient)) / bytes_per_row).max(1);
        match affordable < token_budget {
            true => even_micro_batches(batch, affordable),
            false => micro_batches(batch, token_budget),
        }
    }

    fn grad_norm(&self) -> anyhow::Result<f64> {
        Ok(self.threads.run(|| optim::norm(&self.gradient)))
    }

    fn apply(&mut self, optim: &AdamW, max_norm: f64) -> anyhow::Result<Update> {
        let grad_norm = self.grad_norm()?;
        let applied = grad_norm.is_finite();
        if applied {
            let Self { network, gradient, moments, threads, .. } = self;
            let clip = clip_factor(grad_norm, max_norm);
            let num_decayed = network.layout.num_matrix_values;
            threads.run(|| moments.step(optim, clip, num_decayed, &mut network.parameters, gradient));
        } else {
            self.zero_grad()?;
        }
        Ok(Update { grad_norm, applied })
    }

    fn zero_grad(&mut self) -> anyhow::Result<()> {
        self.gradient.fill(0.0);
        Ok(())
    }
}

impl Engine for CpuActor {
    fn config(&self) -> &ModelConfig {
        &self.network.config
    }

    fn next_logits(&self, tokens: &[TokenId]) -> anyhow::Result<Vec<f32>> {
        check_sequences(&self.network.config, &[Sequence { prompt: tokens, completion: &[0] }])?;
        let packed = PackedBatch::of_prompts(&[tokens]);
        let mut ropes = Ropes::new(&self.network.config);
        ropes.extend(packed.num_positions());
        Ok(self.with_workspace(|workspace| {
            workspace.inference.last_logits(&self.network, &packed, &ropes).to_vec()
        }))
    }

    fn weights(&self) -> anyhow::Result<Weights> {
        let tensors = unflatten(&self.network.layout, &self.network.parameters);
        Ok(Weights::from_tensors(tensors, "the actor", &self.network.config)?)
    }

    fn save_optimizer(&self, path: &Path) -> anyhow::Result<()> {
        let named = |flat: &[f32]| unflatten(&self.network.layout, flat);
        let Moments { first, second, steps } = &self.moments;
        Ok(OptimState { step: *steps, first: named(first), second: named(second) }.save(path)?)
    }

    fn load_optimizer(&mut self, path: &Path) -> anyhow::Result<()> {
        let OptimState { step, first, second } = OptimState::load(path, &self.network.config)?;
        let mut moments = Moments { steps: step, ..Moments::new(self.gradient.len()) };
        flatten(&self.network.layout, &first, &mut moments.first)?;
        flatten(&self.network.layout, &second, &mut moments.second)?;
        self.moments = moments;
        Ok(())
    }

    fn gradients(&self) -> anyhow::Result<Vec<(String, Vec<f32>)>> {
        let tensors = unflatten(&self.network.layout, &self.gradient);
        Ok(tensors.into_iter().map(|tensor| (tensor.name, tensor.data)).collect())
    }
}

#[cfg(test)]
mod tests;
