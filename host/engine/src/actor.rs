//! The Actor as the rest of the host sees it, whatever engine computes it.

use std::path::Path;

#[cfg(feature = "candle")]
use candle_core::Device;

use super::batch::check_temperature;
#[cfg(feature = "candle")]
use super::candle::CandleActor;
use super::cpu::CpuActor;
use super::gpu::GpuActor;
use super::optim::Update;
use super::traits::{Sampler, Scorer, Trainer};
use super::{
    AdamW, DeviceMemory, ModelConfig, Precision, SampleRequest, SamplingParams, ScoreGrads, Scores, Sequence,
    TensorFileError, Weights,
};
use exgrpo_core::types::{Completion, TokenId};

/// What an engine of the three on this machine does beside the traits that stages use.
pub(super) trait Engine: Sampler + Scorer + Trainer + Send {
    fn config(&self) -> &ModelConfig;
    fn next_logits(&self, tokens: &[TokenId]) -> anyhow::Result<Vec<f32>>;
    fn weights(&self) -> anyhow::Result<Weights>;
    fn save_optimizer(&self, path: &Path) -> anyhow::Result<()>;
    fn load_optimizer(&mut self, path: &Path) -> anyhow::Result<()>;
    fn gradients(&self) -> anyhow::Result<Vec<(String, Vec<f32>)>>;
    fn device_memory(&self) -> Option<DeviceMemory> {
        None
    }
}

/// The network being trained, with its gradient and its optimizer's state, on some engine.
pub struct Actor(Box<dyn Engine>);

impl Actor {
    /// An Actor on candle with the given weights and a fresh optimizer.
    ///
    /// # Errors
    /// The device has no room.
    #[cfg(feature = "candle")]
    pub fn candle(config: ModelConfig, weights: Weights, device: Device) -> anyhow::Result<Self> {
        Ok(Self(Box::new(CandleActor::new(config, weights, device)?)))
    }

    /// An Actor on the engine of our own with the given weights and a fresh optimizer, computed by `threads` threads;
    /// 0 uses a thread a core. Results don't depend on the number.
    ///
    /// # Errors
    /// The configuration is not valid, the weights are not those of `config`, the processor can't multiply in
    /// `precision`, or the system has no more threads.
    pub fn cpu(
        config: ModelConfig,
        weights: &Weights,
        precision: Precision,
        threads: usize,
    ) -> anyhow::Result<Self> {
        Ok(Self(Box::new(CpuActor::new(config, weights, precision, threads)?)))
    }

    /// An Actor on the NVIDIA GPU that the process computes on (see `model::gpu`), with the given weights and a fresh
    /// optimizer.
    ///
    /// # Errors
    /// The binary was built without the feature `cuda`, the family is not one of its engine, no GPU can be used, or it has no room.
    #[cfg_attr(not(feature = "cuda"), expect(unused_variables, reason = "there is no GPU to place them on"))]
    pub fn gpu(config: ModelConfig, weights: &Weights, precision: Precision) -> anyhow::Result<Self> {
        #[cfg(feature = "cuda")]
        return Ok(Self(Box::new(GpuActor::on_gpu(config, weights, precision)?)));
        #[cfg(not(feature = "cuda"))]
        Err(without_cuda())
    }

    /// The passes of [`Actor::gpu`] on the processor: slow, exact about every buffer and rounding, for tests.
    ///
    /// # Errors
    /// The family is not one of the GPU's engine.
    pub fn gpu_on_processor(
        config: ModelConfig,
        weights: &Weights,
        precision: Precision,
    ) -> anyhow::Result<Self> {
        Ok(Self(Box::new(GpuActor::on_processor(config, weights, precision)?)))
    }

    /// Shape of the network.
    pub fn config(&self) -> &ModelConfig {
        self.0.config()
    }

    /// Number of trained values.
    pub fn num_parameters(&self) -> usize {
        self.config().num_parameters()
    }

    /// Logits of the token that follows `tokens`. `[V]`
    ///
    /// # Errors
    /// No or too many tokens, an unknown one, no room on the device.
    pub fn next_logits(&self, tokens: &[TokenId]) -> anyhow::Result<Vec<f32>> {
        self.0.next_logits(tokens)
    }

    /// A copy of the weights on the host.
    ///
    /// # Errors
    /// The device fails.
    pub fn weights(&self) -> anyhow::Result<Weights> {
        self.0.weights()
    }

    /// Writes the weights as one safetensors file in one rename.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_weights(&self, path: &Path) -> anyhow::Result<()> {
        self.weights()?.save(path).map_err(|error: TensorFileError| error.into())
    }

    /// Writes AdamW's state as one safetensors file in one rename.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_optimizer(&self, path: &Path) -> anyhow::Result<()> {
        self.0.save_optimizer(path)
    }

    /// Replaces AdamW's state by a saved one; an error leaves it as it was.
    ///
    /// # Errors
    /// The file can't be read or belongs to a network of another shape.
    pub fn load_optimizer(&mut self, path: &Path) -> anyhow::Result<()> {
        self.0.load_optimizer(path)
    }

    /// Memory of the device, where the engine has one of its own.
    pub fn device_memory(&self) -> Option<DeviceMemory> {
        self.0.device_memory()
    }

    /// A copy of the accumulated gradient by parameter, in the order of [`ModelConfig::parameter_shapes`]; all zero
    /// where nothing was accumulated. Meant for tests.
    ///
    /// # Errors
    /// The device fails.
    pub fn gradients(&self) -> anyhow::Result<Vec<(String, Vec<f32>)>> {
        self.0.gradients()
    }
}

impl Sampler for Actor {
    fn sample(
        &self,
        requests: Vec<SampleRequest<'_>>,
        sampling: &SamplingParams,
    ) -> anyhow::Result<Vec<Vec<Completion>>> {
        self.0.sample(requests, sampling)
    }
}

impl Scorer for Actor {
    fn score(&self, batch: &[Sequence<'_>]) -> anyhow::Result<Scores> {
        self.0.score(batch)
    }
}

impl Trainer for Actor {
    fn accumulate_at(
        &mut self,
        temperature: f32,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Scores) -> ScoreGrads,
    ) -> anyhow::Result<()> {
        check_temperature(temperature)?;
        self.0.accumulate_at(temperature, batch, loss)
    }

    fn micro_batches(&self, batch: &[Sequence<'_>], token_budget: usize) -> Vec<Vec<usize>> {
        self.0.micro_batches(batch, token_budget)
    }

    fn grad_norm(&self) -> anyhow::Result<f64> {
        self.0.grad_norm()
    }

    fn apply(&mut self, optim: &AdamW, max_norm: f64) -> anyhow::Result<Update> {
        self.0.apply(optim, max_norm)
    }

    fn zero_grad(&mut self) -> anyhow::Result<()> {
        self.0.zero_grad()
    }
}

/// Checks that a GPU can be used, before anything is made for it.
///
/// # Errors
/// The binary was built without the feature `cuda`, or the driver finds no GPU that can be used.
pub fn check_gpu() -> anyhow::Result<()> {
    #[cfg(feature = "cuda")]
    return super::candle::cuda().map(|_| ());
    #[cfg(not(feature = "cuda"))]
    Err(without_cuda())
}

#[cfg(not(feature = "cuda"))]
fn without_cuda() -> anyhow::Error {
    anyhow::anyhow!(
        "model.engine = \"cuda\", and this binary was built without CUDA\n\
         hint: build it with `--features cuda` where CUDA's compiler is; tests/cuda.sh says how"
    )
}

#[cfg(test)]
#[path = "actor_tests/mod.rs"]
pub(crate) mod tests;
