//! What stages ask of an engine, in small traits: one that can only sample, over a network say, implements only that.

use super::optim::Update;
use super::{AdamW, SampleRequest, SamplingParams, ScoreGrads, Scores, Sequence};
use exgrpo_core::types::Completion;

/// Samples completions.
pub trait Sampler {
    /// One completion a stream of every request, in the requests' order.
    ///
    /// # Errors
    /// An empty prompt, an unknown token id, a prompt that leaves no room for `max_new_tokens`, options out of range,
    /// logits that are not finite, no room on the device.
    fn sample(
        &self,
        requests: Vec<SampleRequest<'_>>,
        sampling: &SamplingParams,
    ) -> anyhow::Result<Vec<Vec<Completion>>>;
}

/// Says how likely given completions are.
pub trait Scorer {
    /// Scores of any number of sequences without a gradient, at temperature 1, in the order of `batch`.
    ///
    /// # Errors
    /// An empty or too long sequence, an unknown token id, no room on the device.
    fn score(&self, batch: &[Sequence<'_>]) -> anyhow::Result<Scores>;
}

/// Changes the weights.
pub trait Trainer {
    /// Splits a mini-batch into micro-batches for [`Self::accumulate_at`]: indices into `batch`, in an order that suits
    /// the engine, at most `token_budget` tokens each (a longer sequence is alone); the engines of our own take fewer
    /// when what they have to keep of them would exceed 512 MiB and the size of the parameters.
    fn micro_batches(&self, batch: &[Sequence<'_>], token_budget: usize) -> Vec<Vec<usize>>;

    /// Forward over `batch`, one micro-batch, with log-probs and entropies of the softmax at `temperature`; `loss` is asked
    /// for the derivative with respect to its scores, which are in the order of `batch`; backward adds to the gradient.
    /// There is no backward when every derivative is 0.
    ///
    /// # Errors
    /// An empty or too long sequence, an unknown token id, a temperature that is not above 0, derivatives of another
    /// length than the scores, no room on the device.
    fn accumulate_at(
        &mut self,
        temperature: f32,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Scores) -> ScoreGrads,
    ) -> anyhow::Result<()>;

    /// [`Self::accumulate_at`] temperature 1.
    ///
    /// # Errors
    /// The same.
    fn accumulate(
        &mut self,
        batch: &[Sequence<'_>],
        loss: &mut dyn FnMut(&Scores) -> ScoreGrads,
    ) -> anyhow::Result<()> {
        self.accumulate_at(1.0, batch, loss)
    }

    /// Global L2 norm of the accumulated gradient.
    ///
    /// # Errors
    /// The device fails.
    fn grad_norm(&self) -> anyhow::Result<f64>;

    /// Clips the accumulated gradient to a global L2 norm of `max_norm`, takes one step of AdamW and zeroes the
    /// gradient. A gradient that is not finite is zeroed without a step, and the report says so.
    ///
    /// # Errors
    /// The device fails.
    fn apply(&mut self, optim: &AdamW, max_norm: f64) -> anyhow::Result<Update>;

    /// Forgets the accumulated gradient.
    ///
    /// # Errors
    /// The device fails.
    fn zero_grad(&mut self) -> anyhow::Result<()>;
}

/// What an engine can do, known before it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It changes weights.
    pub trains: bool,
    /// It gives log-probs to completions that it did not sample.
    pub scores: bool,
    /// It gives entropies beside log-probs.
    pub entropies: bool,
    /// It tells the gradient's norm before an update, so that one can be skipped or clipped.
    pub grad_norm: bool,
    /// The same seed gives the same completions.
    pub repeats: bool,
}

impl Capabilities {
    /// All of it.
    pub const ALL: Self =
        Self { trains: true, scores: true, entropies: true, grad_norm: true, repeats: true };
}
