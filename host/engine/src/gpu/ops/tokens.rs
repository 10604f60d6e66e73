//! From logits to tokens, log-probs and entropies, and back.

use anyhow::Result;

use super::{At, Memory};

/// How tokens are drawn, as in [`super::super::Sampling`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw {
    pub(crate) rows: usize,
    pub(crate) vocab_size: usize,
    pub(crate) temperature: f32,
    pub(crate) score_temperature: f32,
    pub(crate) top_p: f32,
}

/// Where [`Device::draw`] finds and leaves things; row b has the slot `slots[b]`.
pub(crate) struct Drawn<'a, B> {
    /// Row of the logits that row b draws from. u32 `[rows]`
    pub(crate) logit_rows: At<'a, B>,
    /// u32 `[rows]`
    pub(crate) slots: At<'a, B>,
    /// Two words a slot, low first: a uniform number of 64 bits, of which the upper 53 count.
    pub(crate) uniforms: At<'a, B>,
    /// The token, by row. u32 `[rows]`
    pub(crate) latest: At<'a, B>,
    /// The token, its log-prob and the entropy in nats, by slot. u32, f32, f32
    pub(crate) ids: At<'a, B>,
    pub(crate) logprobs: At<'a, B>,
    pub(crate) entropies: At<'a, B>,
}

/// From logits to tokens, log-probs and entropies, and back. Shapes in brackets are of the places named; f32 unless `act` is said, an activation.
pub(crate) trait Tokens: Memory {
    /// With z = logits · sharpness, `[num, vocab]`: log_sums = ln Σ exp z, logprobs = z[target] - log_sum, entropies in
    /// nats of the softmax of z.
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn token_scores(
        &self,
        logits: At<'_, Self::Buffer>,
        targets: At<'_, Self::Buffer>,
        logprobs: At<'_, Self::Buffer>,
        entropies: At<'_, Self::Buffer>,
        log_sums: At<'_, Self::Buffer>,
        num: usize,
        vocab: usize,
        sharpness: f32,
    ) -> Result<()>;
    /// dlogits (act, `[num, vocab]`) from the derivatives of logprobs and entropies, given what
    /// [`Device::token_scores`] found: with p = exp(z - log_sum) and entropy H,
    /// sharpness · (dlogprob · (1[target] - p) - dentropy · p · (z - log_sum + H)).
    #[expect(clippy::too_many_arguments, reason = "the places of one operation")]
    fn token_scores_grad(
        &self,
        logits: At<'_, Self::Buffer>,
        targets: At<'_, Self::Buffer>,
        entropies: At<'_, Self::Buffer>,
        log_sums: At<'_, Self::Buffer>,
        dlogprobs: At<'_, Self::Buffer>,
        dentropies: At<'_, Self::Buffer>,
        dlogits: At<'_, Self::Buffer>,
        num: usize,
        vocab: usize,
        sharpness: f32,
    ) -> Result<()>;
    /// A token a row from the softmax of its logits over the temperature: the first, in the order of the vocabulary, at
    /// which the running sum exceeds the uniform number times the whole, never one of weight 0. With `top_p` below 1
    /// only the smallest set of likeliest tokens that holds that much of the weight counts, of equal ones those of lower
    /// id; with temperature 0 the likeliest token of lowest id. Log-prob and entropy are of the whole vocabulary at the
    /// temperature of scores. The token is u32::MAX where a row's logits are not finite.
    fn draw(&self, shape: &Draw, logits: At<'_, Self::Buffer>, drawn: &Drawn<'_, Self::Buffer>)
    -> Result<()>;
}
