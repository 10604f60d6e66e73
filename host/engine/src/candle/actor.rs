//! Parameters, gradient and optimizer state of an Actor on candle.

use std::path::Path;

use anyhow::Context as _;
use candle_core::{Device, Result, Tensor, Var};

use super::decoder;
use super::layers::{Kernels, Network};
use super::optim::{Moments, norm};
use super::rotation::Rotations;
use super::scores::token_scores;
use crate::actor::Engine;
use crate::batch::{check_grads, check_requests, check_sequences, micro_batches};
use crate::optim::{OptimState, Update, clip_factor};
use crate::traits::{Sampler, Scorer, Trainer};
use crate::{
    AdamW, ModelConfig, NamedTensor, SampleRequest, SamplingParams, ScoreGrads, Scores, Sequence, Weights,
};
use exgrpo_core::types::{Completion, TokenId};

/// Padded tokens of one forward pass without gradient.
const SCORE_TOKENS: usize = 8192;
/// Logits that exist at once in a forward pass without gradient: 64 MiB.
const SCORE_LOGITS: usize = 1 << 24;

/// An Actor whose tensors live on a candle device.
pub struct CandleActor {
    config: ModelConfig,
    device: Device,
    /// In the order of [`ModelConfig::parameter_shapes`], as are the next two.
    parameters: Vec<Var>,
    gradients: Vec<Option<Tensor>>,
    moments: Moments,
    /// Two views of `parameters`; a step writes in place, so that both see it.
    trained: Network,
    frozen: Network,
}

/// A batch padded on the right. The last token of a sequence is only ever a target.
struct Padded {
    /// `[B, T]`
    tokens: Tensor,
    /// Row of the residual stream that predicts each completion token. `[ΣT]`
    scored: Tensor,
    /// The completion tokens. `[ΣT]`
    targets: Tensor,
}

impl CandleActor {
    /// An Actor with the given weights and a fresh optimizer.
    ///
    /// # Errors
    /// The device has no room.
    pub fn new(config: ModelConfig, weights: Weights, device: Device) -> anyhow::Result<Self> {
        let parameters = weights
            .into_tensors()
            .into_iter()
            .map(|tensor| Var::from_vec(tensor.data, tensor.shape, &device))
            .collect::<Result<Vec<Var>>>()
            .context("can't place the weights on the device")?;
        let tracked: Vec<Tensor> = parameters.iter().map(|var| var.as_tensor().clone()).collect();
        let detached: Vec<Tensor> = parameters.iter().map(Var::as_detached_tensor).collect();
        Ok(Self {
            gradients: vec![None; parameters.len()],
            moments: Moments::zeros(&parameters)?,
            trained: Network::new(&config, &tracked, Kernels::Differentiable)?,
            frozen: Network::new(&config, &detached, Kernels::Fused)?,
            parameters,
            device,
            config,
        })
    }

    fn score_padded(&self, batch: &[Sequence<'_>]) -> anyhow::Result<Scores> {
        let padded = Padded::new(batch, &self.device)?;
        let stream = self.stream(&self.frozen, &padded)?;
        let num_tokens = stream.dim(0)?;
        let chunk = (SCORE_LOGITS / self.config.vocab_size).max(1);
        let mut scores = Scores::default();
        for start in (0..num_tokens).step_by(chunk) {
            let len = chunk.min(num_tokens - start);
            let logits = self.frozen.logits(&stream.narrow(0, start, len)?)?;
            let (logprobs, entropies) = token_scores(&logits, &padded.targets.narrow(0, start, len)?)?;
            scores.logprobs.extend(logprobs.to_vec1::<f32>()?);
            scores.entropies.extend(entropies.to_vec1::<f32>()?);
        }
        Ok(scores)
    }

    /// Rows of the residual stream that predict completion tokens: the head is computed for no others.
    fn stream(&self, network: &Network, padded: &Padded) -> Result<Tensor> {
        let rotation = Rotations::new(&self.config, padded.tokens.dim(1)?, &self.device)?;
        network.forward(&padded.tokens, &rotation)?.index_select(&padded.scored, 0)
    }

    fn named(&self, tensors: &[Tensor]) -> Result<Vec<NamedTensor>> {
        let shapes = self.config.parameter_shapes();
        let named = shapes.into_iter().zip(tensors).map(|(parameter, tensor)| {
            let data = tensor.flatten_all()?.to_vec1()?;
            Ok(NamedTensor { name: parameter.name, shape: parameter.shape, data })
        });
        named.collect()
    }

    #[cfg(test)]
    pub(super) fn logits(&self, kernels: Kernels, tokens: &[u32]) -> Result<Tensor> {
        let network = if kernels == Kernels::Fused { &self.frozen } else { &self.trained };
        let rotation = Rotations::new(&self.config, tokens.len(), &self.device)?;
        let tokens = Tensor::new(tokens, &self.device)?.unsqueeze(0)?;
        network.logits(&network.forward(&tokens, &rotation)?)
    }
}

/// See [`crate::Actor`], method by method.
impl Sampler for CandleActor {
    fn sample(
        &self,
        requests: Vec<SampleRequest<'_>>,
        sampling: &SamplingParams,
    ) -> anyhow::Result<Vec<Vec<Completion>>> {
        check_requests(&self.config, &requests, sampling)?;
        decoder::sample(&self.frozen, &self.config, &self.device, requests, sampling)
    }
}

impl Scorer for CandleActor {
    fn score(&self, batch: &[Sequence<'_>]) -> anyhow::Result<Scores> {
        check_sequences(&self.config, batch)?;
        let lengths: Vec<usize> = batch.iter().map(|s| s.prompt.len() + s.completion.len()).collect();
        let mut by_sequence: Vec<(Vec<f32>, Vec<f32>)> = vec![Default::default(); batch.len()];
        for indices in micro_batches(&lengths, SCORE_TOKENS) {
            let sequences: Vec<Sequence<'_>> = indices.iter().map(|&index| batch[index]).collect();
            let Scores { logprobs, entropies } = self.score_padded(&sequences)?;
            let mut start = 0;
            for index in indices {
                let end = start + batch[index].completion.len();
                by_sequence[index] = (logprobs[start..end].to_vec(), entropies[start..end].to_vec());
                start = end;
            }
        }
        let mut scores = Scores::default();
        for (logprobs, entropies) in by_sequence {
            scores.logprobs.extend(logprobs);
            scores.entropies.extend(entropies);
        }
        Ok(scores)
    }
}

impl Trainer for CandleActor {
    fn accumulate_at(
        &mut self,
        temperature: f32,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Scores) -> ScoreGrads,
    ) -> anyhow::Result<()> {
        check_sequences(&self.config, batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        let padded = Padded::new(batch, &self.device)?;
        let stream = self.stream(&self.trained, &padded)?;
        let mut logits = self.trained.logits(&stream)?;
        if temperature != 1.0 {
            logits = (logits * f64::from(1.0 / temperature))?;
        }
        let (logprobs, entropies) = token_scores(&logits, &padded.targets)?;
        let scores = Scores { logprobs: logprobs.to_vec1()?, entropies: entropies.to_vec1()? };
        let grads = loss(&scores);
        check_grads(&scores, &grads)?;
        if grads.logprobs.iter().chain(&grads.entropies).all(|grad| *grad == 0.0) {
            return Ok(());
        }
        let product = |scores: Tensor, grads: Vec<f32>| -> Result<Tensor> {
            (scores * Tensor::new(grads, &self.device)?)?.sum_all()
        };
        let objective = (product(logprobs, grads.logprobs)? + product(entropies, grads.entropies)?)?;
        let mut store = objective.backward()?;
        for (parameter, gradient) in self.parameters.iter().zip(&mut self.gradients) {
            *gradient = match (gradient.take(), store.remove(parameter.as_tensor())) {
                (Some(sum), Some(new)) => Some((sum + new)?),
                (sum, new) => sum.or(new),
            };
        }
        Ok(())
    }

    fn micro_batches(&self, batch: &[Sequence<'_>], token_budget: usize) -> Vec<Vec<usize>> {
        let lengths: Vec<usize> = batch.iter().map(|s| s.prompt.len() + s.completion.len()).collect();
        micro_batches(&lengths, token_budget)
    }

    fn grad_norm(&self) -> anyhow::Result<f64> {
        Ok(norm(&self.gradients)?)
    }

    fn apply(&mut self, optim: &AdamW, max_norm: f64) -> anyhow::Result<Update> {
        let grad_norm = self.grad_norm()?;
        let applied = grad_norm.is_finite();
        if applied {
            let scale = clip_factor(grad_norm, max_norm);
            self.moments.apply(optim, &self.parameters, &self.gradients, scale)?;
        }
        self.zero_grad()?;
        Ok(Update { grad_norm, applied })
    }

    fn zero_grad(&mut self) -> anyhow::Result<()> {
        self.gradients.fill(None);
        Ok(())
    }
}

impl Engine for CandleActor {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn next_logits(&self, tokens: &[TokenId]) -> anyhow::Result<Vec<f32>> {
        let sequence = [Sequence { prompt: tokens, completion: &[0] }];
        check_sequences(&self.config, &sequence)?;
        let stream = self.stream(&self.frozen, &Padded::new(&sequence, &self.device)?)?;
        Ok(self.frozen.logits(&stream)?.flatten_all()?.to_vec1()?)
    }

    fn weights(&self) -> anyhow::Result<Weights> {
        let tensors: Vec<Tensor> = self.parameters.iter().map(Var::as_detached_tensor).collect();
        Ok(Weights::from_tensors(self.named(&tensors)?, "the actor", &self.config)?)
    }

    fn save_optimizer(&self, path: &Path) -> anyhow::Result<()> {
        let Moments { step, first, second } = &self.moments;
        let state = OptimState { step: *step, first: self.named(first)?, second: self.named(second)? };
        Ok(state.save(path)?)
    }

    fn load_optimizer(&mut self, path: &Path) -> anyhow::Result<()> {
        let OptimState { step, first, second } = OptimState::load(path, &self.config)?;
        let place = |tensors: Vec<NamedTensor>| -> Result<Vec<Tensor>> {
            tensors.into_iter().map(|t| Tensor::from_vec(t.data, t.shape, &self.device)).collect()
        };
        self.moments = Moments { step, first: place(first)?, second: place(second)? };
        Ok(())
    }

    fn gradients(&self) -> anyhow::Result<Vec<(String, Vec<f32>)>> {
        let mut named = Vec::with_capacity(self.gradients.len());
        for (parameter, gradient) in self.config.parameter_shapes().into_iter().zip(&self.gradients) {
            let values = match gradient {
                Some(gradient) => gradient.flatten_all()?.to_vec1()?,
                None => vec![0.0; parameter.num_values()],
            };
            named.push((parameter.name, values));
        }
        Ok(named)
    }
}

impl Padded {
    fn new(batch: &[Sequence<'_>], device: &Device) -> Result<Self> {
        let input_len = |s: &Sequence<'_>| s.prompt.len() + s.completion.len() - 1;
        let len = batch.iter().map(input_len).max().unwrap_or(0);
        let mut tokens = vec![0u32; batch.len() * len];
        let mut scored: Vec<u32> = Vec::new();
        let mut targets: Vec<u32> = Vec::new();
        for (row, sequence) in batch.iter().enumerate() {
            let inputs = sequence.prompt.iter().chain(sequence.completion);
            let padded = &mut tokens[row * len..][..input_len(sequence)];
            for (slot, &id) in padded.iter_mut().zip(inputs) {
                *slot = id;
            }
            let first = (row * len + sequence.prompt.len() - 1) as u32;
            scored.extend(first..first + sequence.completion.len() as u32);
            targets.extend(sequence.completion);
        }
        Ok(Self {
            tokens: Tensor::from_vec(tokens, (batch.len(), len), device)?,
            scored: Tensor::new(scored, device)?,
            targets: Tensor::new(targets, device)?,
        })
    }
}
