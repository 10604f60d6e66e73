//! The Actor on a GPU: forward, backward, optimizer and decoding written once over a device's operations
//! ([`ops::Device`]), with preallocated buffers and nothing computed by a framework's graph. The same passes run on the
//! processor, slowly, where tests hold them against the other engines.
//!
//! To read on: [`forward`], [`backward`], [`decode`]; [`sizes`] has every buffer, [`layout`] the order of parameters.

mod backward;
mod decode;
mod forward;
mod layout;
mod network;
#[cfg(feature = "cuda")]
mod nvidia;
mod ops;
mod padded;
mod processor;
mod sizes;
mod waves;

use std::path::Path;

use self::network::Network;
use self::ops::{Device, OutOfMemory};
use self::processor::Processor;
use super::actor::Engine;
use super::batch::{check_grads, check_requests, check_sequences};
use super::optim::{OptimState, Update, clip_factor};
use super::traits::{Sampler, Scorer, Trainer};
use super::{
    AdamW, ModelConfig, Precision, SampleRequest, SamplingParams, ScoreGrads, Scores, Sequence, Weights,
};
use exgrpo_core::types::{Completion, TokenId};

/// An Actor on a device.
pub(super) struct GpuActor<D: Device>(Network<D>);

impl GpuActor<Processor> {
    /// The passes of the GPU's engine on the processor.
    ///
    /// # Errors
    /// The family is not one of the GPU's engine.
    pub(super) fn on_processor(
        config: ModelConfig,
        weights: &Weights,
        precision: Precision,
    ) -> anyhow::Result<Self> {
        check_family(&config)?;
        Ok(Self(Network::new(config, weights, precision, Processor::default())?))
    }
}

#[cfg(feature = "cuda")]
impl GpuActor<nvidia::NvidiaGpu> {
    /// On the GPU that the process computes on.
    ///
    /// # Errors
    /// The family is not one of the GPU's engine, no GPU can be used, or it has no room.
    pub(super) fn on_gpu(
        config: ModelConfig,
        weights: &Weights,
        precision: Precision,
    ) -> anyhow::Result<Self> {
        check_family(&config)?;
        Ok(Self(Network::new(config, weights, precision, nvidia::NvidiaGpu::open()?)?))
    }
}

/// The kernels know Llama's way alone, with biases and norms on heads.
fn check_family(config: &ModelConfig) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.variations.are_none_within(config.max_position_embeddings),
        "the engine for GPUs does not compute this {} yet, only what llama, qwen2 and qwen3 share\n\
         hint: model.engine = \"cpu\" computes it on the processor",
        config.architecture.model_type()
    );
    Ok(())
}

/// Says what to lower where a device has no room.
fn roomier<T>(result: anyhow::Result<T>, what: &str, lower: &str) -> anyhow::Result<T> {
    result.map_err(|error| match error.downcast_ref::<OutOfMemory>() {
        Some(_) => {
            error.context(format!("can't {what}\nhint: lower {lower}, or stop what else is on the GPU"))
        }
        None => error,
    })
}

/// What every Actor does; see [`super::Actor`], method by method.
impl<D: Device> Sampler for GpuActor<D> {
    fn sample(
        &self,
        requests: Vec<SampleRequest<'_>>,
        sampling: &SamplingParams,
    ) -> anyhow::Result<Vec<Vec<Completion>>> {
        check_requests(&self.0.config, &requests, sampling)?;
        roomier(self.0.sample(&requests, sampling), "sample", "rollout.questions or rollout.max_new_tokens")
    }
}

impl<D: Device> Scorer for GpuActor<D> {
    fn score(&self, batch: &[Sequence<'_>]) -> anyhow::Result<Scores> {
        check_sequences(&self.0.config, batch)?;
        roomier(self.0.score(batch), "score sequences", "rollout.max_new_tokens")
    }
}

impl<D: Device> Trainer for GpuActor<D> {
    fn accumulate_at(
        &mut self,
        temperature: f32,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Scores) -> ScoreGrads,
    ) -> anyhow::Result<()> {
        check_sequences(&self.0.config, batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        let accumulated = self.0.accumulate(temperature, batch, &mut |scores| {
            let grads = loss(scores);
            check_grads(scores, &grads)?;
            let is_zero = grads.logprobs.iter().chain(&grads.entropies).all(|grad| *grad == 0.0);
            Ok((!is_zero).then_some(grads))
        });
        roomier(accumulated, "train on a micro-batch", "objective.tokens_per_micro_batch")
    }

    fn micro_batches(&self, batch: &[Sequence<'_>], token_budget: usize) -> Vec<Vec<usize>> {
        self.0.micro_batches(batch, token_budget, sizes::Batch::training_bytes)
    }

    fn grad_norm(&self) -> anyhow::Result<f64> {
        self.0.grad_norm()
    }

    fn apply(&mut self, optim: &AdamW, max_norm: f64) -> anyhow::Result<Update> {
        let grad_norm = self.0.grad_norm()?;
        let applied = grad_norm.is_finite();
        if applied {
            self.0.adam(optim, clip_factor(grad_norm, max_norm))?;
        }
        self.0.zero_grad()?;
        Ok(Update { grad_norm, applied })
    }

    fn zero_grad(&mut self) -> anyhow::Result<()> {
        self.0.zero_grad()
    }
}

impl<D: Device> Engine for GpuActor<D> {
    fn config(&self) -> &ModelConfig {
        &self.0.config
    }

    fn next_logits(&self, tokens: &[TokenId]) -> anyhow::Result<Vec<f32>> {
        check_sequences(&self.0.config, &[Sequence { prompt: tokens, completion: &[0] }])?;
        self.0.next_logits(tokens)
    }

    fn weights(&self) -> anyhow::Result<Weights> {
        Ok(Weights::from_tensors(self.0.weights()?, "the actor", &self.0.config)?)
    }

    fn save_optimizer(&self, path: &Path) -> anyhow::Result<()> {
        let [first, second] = self.0.moments()?;
        Ok(OptimState { step: self.0.step, first, second }.save(path)?)
    }

    fn load_optimizer(&mut self, path: &Path) -> anyhow::Result<()> {
        let OptimState { step, first, second } = OptimState::load(path, &self.0.config)?;
        self.0.set_moments(step, &first, &second)
    }

    fn gradients(&self) -> anyhow::Result<Vec<(String, Vec<f32>)>> {
        Ok(self.0.gradients()?.into_iter().map(|tensor| (tensor.name, tensor.data)).collect())
    }

    fn device_memory(&self) -> Option<super::DeviceMemory> {
        let (now, most) = self.0.device.allocated();
        Some(super::DeviceMemory { now, most, total: self.0.device.total_memory() })
    }
}

#[cfg(test)]
mod tests;
