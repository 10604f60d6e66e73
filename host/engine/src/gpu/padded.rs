//! A batch on the host, padded on the right, and its token ids on the device.

use anyhow::Result;

use super::network::{Network, alloc};
use super::ops::{Device, at};
use super::sizes::{Batch, padded};
use crate::Sequence;
use exgrpo_core::types::TokenId;

/// Token ids on the device, and what is found of each completion token.
pub(super) struct Inputs<B> {
    pub(super) tokens: B,
    /// Row that predicts each completion token. `[S]`
    pub(super) scored: B,
    pub(super) targets: B,
    pub(super) logprobs: B,
    pub(super) entropies: B,
    pub(super) log_sums: B,
}

/// A batch on the host.
pub(super) struct Padded {
    pub(super) shape: Batch,
    pub(super) tokens: Vec<TokenId>,
    pub(super) scored: Vec<u32>,
    pub(super) targets: Vec<TokenId>,
    /// Tokens of each sequence that are not padding.
    pub(super) lens: Vec<usize>,
}

impl Padded {
    /// The last token of a sequence is only ever a target.
    pub(super) fn new(batch: &[Sequence<'_>]) -> Self {
        let input_len = |sequence: &Sequence<'_>| sequence.prompt.len() + sequence.completion.len() - 1;
        let len = padded(batch.iter().map(input_len).max().unwrap_or(0));
        let mut tokens = vec![0; batch.len() * len];
        let (mut scored, mut targets) = (Vec::new(), Vec::new());
        for (row, sequence) in batch.iter().enumerate() {
            let inputs = sequence.prompt.iter().chain(sequence.completion);
            let padded = &mut tokens[row * len..][..input_len(sequence)];
            padded.iter_mut().zip(inputs).for_each(|(place, id)| *place = *id);
            let first = (row * len + sequence.prompt.len() - 1) as u32;
            scored.extend(first..first + sequence.completion.len() as u32);
            targets.extend(sequence.completion);
        }
        let lens = batch.iter().map(input_len).collect();
        Self {
            shape: Batch { sequences: batch.len(), len, scored: scored.len() },
            tokens,
            scored,
            targets,
            lens,
        }
    }

    /// Prompts of any lengths, padded to `len`; their last tokens are scored rows without a target.
    pub(super) fn prompts(prompts: &[&[TokenId]], len: usize) -> Self {
        let mut tokens = vec![0; prompts.len() * len];
        for (padded, prompt) in tokens.chunks_mut(len).zip(prompts) {
            padded[..prompt.len()].copy_from_slice(prompt);
        }
        let scored: Vec<u32> =
            prompts.iter().enumerate().map(|(row, prompt)| (row * len + prompt.len() - 1) as u32).collect();
        let shape = Batch { sequences: prompts.len(), len, scored: scored.len() };
        let lens = prompts.iter().map(|prompt| prompt.len()).collect();
        Self { shape, tokens, targets: vec![0; scored.len()], scored, lens }
    }
}

impl<D: Device> Network<D> {
    pub(super) fn inputs(&self, padded: &Padded) -> Result<Inputs<D::Buffer>> {
        let [tokens, scored, targets, logprobs, entropies, log_sums] =
            alloc(&self.device, padded.shape.inputs())?;
        self.device.write_ids(&padded.tokens, at(&tokens))?;
        self.device.write_ids(&padded.scored, at(&scored))?;
        self.device.write_ids(&padded.targets, at(&targets))?;
        Ok(Inputs { tokens, scored, targets, logprobs, entropies, log_sums })
    }
}
