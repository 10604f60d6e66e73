//! The Actor as the rest of the host sees it, whatever engine computes it.

use std::path::Path;

use candle_core::Device;

use super::batch::check_temperature;
use super::candle::CandleActor;
use super::cpu::CpuActor;
use super::gpu::GpuActor;
use super::optim::Update;
use super::{
    AdamW, DeviceMemory, ModelConfig, Precision, SampleRequest, SamplingParams, ScoreGrads, Scores, Sequence,
    TensorFileError, Weights,
};
use exgrpo_core::types::{Completion, TokenId};

/// What an engine does; see [`Actor`], method by method.
pub(super) trait Engine: Send {
    fn config(&self) -> &ModelConfig;
    fn accumulate(
        &mut self,
        temperature: f32,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Scores) -> ScoreGrads,
    ) -> anyhow::Result<()>;
    fn micro_batches(&self, batch: &[Sequence<'_>], token_budget: usize) -> Vec<Vec<usize>>;
    fn grad_norm(&self) -> anyhow::Result<f64>;
    fn apply(&mut self, optim: &AdamW, max_norm: f64) -> anyhow::Result<Update>;
    fn zero_grad(&mut self) -> anyhow::Result<()>;
    fn score(&self, batch: &[Sequence<'_>]) -> anyhow::Result<Scores>;
    fn sample(
        &self,
        requests: Vec<SampleRequest<'_>>,
        sampling: &SamplingParams,
    ) -> anyhow::Result<Vec<Vec<Completion>>>;
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
        super::candle::cuda().and_then(|_| anyhow::bail!("there is no GPU"))
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

    /// Forward over `batch`, one micro-batch (see [`super::micro_batches`]); `loss` is asked for the derivative with
    /// respect to its scores, which are in the order of `batch`; backward adds to the gradient. There is no backward
    /// when every derivative is 0.
    ///
    /// # Errors
    /// An empty or too long sequence, an unknown token id, derivatives of another length than the scores, no room on
    /// the device.
    pub fn accumulate(
        &mut self,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Scores) -> ScoreGrads,
    ) -> anyhow::Result<()> {
        self.accumulate_at(1.0, batch, loss)
    }

    /// [`Self::accumulate`] with log-probs and entropies of the softmax at `temperature`.
    ///
    /// # Errors
    /// The same; also a temperature that is not above 0.
    pub fn accumulate_at(
        &mut self,
        temperature: f32,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Scores) -> ScoreGrads,
    ) -> anyhow::Result<()> {
        check_temperature(temperature)?;
        self.0.accumulate(temperature, batch, loss)
    }

    /// Splits a mini-batch into micro-batches for [`Self::accumulate`]: indices into `batch`, in an order that suits
    /// the engine, at most `token_budget` tokens each (a longer sequence is alone); the engine of our own takes fewer
    /// when what it has to keep of them would exceed 512 MiB and the size of the parameters.
    pub fn micro_batches(&self, batch: &[Sequence<'_>], token_budget: usize) -> Vec<Vec<usize>> {
        self.0.micro_batches(batch, token_budget)
    }

    /// Global L2 norm of the accumulated gradient.
    ///
    /// # Errors
    /// The device fails.
    pub fn grad_norm(&self) -> anyhow::Result<f64> {
        self.0.grad_norm()
    }

    /// Clips the accumulated gradient to a global L2 norm of `max_norm`, takes one step of AdamW and zeroes the
    /// gradient. A gradient that is not finite is zeroed without a step, and the report says so.
    ///
    /// # Errors
    /// The device fails.
    pub fn apply(&mut self, optim: &AdamW, max_norm: f64) -> anyhow::Result<Update> {
        self.0.apply(optim, max_norm)
    }

    /// Forgets the accumulated gradient.
    ///
    /// # Errors
    /// The device fails.
    pub fn zero_grad(&mut self) -> anyhow::Result<()> {
        self.0.zero_grad()
    }

    /// Scores of any number of sequences without a gradient, in the order of `batch`.
    ///
    /// # Errors
    /// An empty or too long sequence, an unknown token id, no room on the device.
    pub fn score(&self, batch: &[Sequence<'_>]) -> anyhow::Result<Scores> {
        self.0.score(batch)
    }

    /// One completion a stream of every request, in the requests' order.
    ///
    /// # Errors
    /// An empty prompt, an unknown token id, a prompt that leaves no room for `max_new_tokens`, options out of range,
    /// logits that are not finite, no room on the device.
    pub fn sample(
        &self,
        requests: Vec<SampleRequest<'_>>,
        sampling: &SamplingParams,
    ) -> anyhow::Result<Vec<Vec<Completion>>> {
        self.0.sample(requests, sampling)
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

#[cfg(test)]
#[path = "actor_tests/mod.rs"]
pub(crate) mod tests;
