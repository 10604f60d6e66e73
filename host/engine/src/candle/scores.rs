//! Log-probs and entropies of tokens from logits, differentiable.

use candle_core::{D, Result, Tensor};

/// Log-probability of `targets`, `[N]`, and entropy in nats of the softmax of `logits`, `[N, V]`; both `[N]`.
///
/// With z = logits - max and s = Σ exp z: log p(i) = z_i - ln s, entropy = ln s - Σ z exp z / s.
pub(super) fn token_scores(logits: &Tensor, targets: &Tensor) -> Result<(Tensor, Tensor)> {
    let max = logits.detach().max_keepdim(D::Minus1)?;
    let shifted = logits.broadcast_sub(&max)?;
    let exponentials = shifted.exp()?;
    let sum = exponentials.sum(D::Minus1)?;
    let log_sum = sum.log()?;
    let chosen = shifted.gather(&targets.unsqueeze(1)?, D::Minus1)?.squeeze(1)?;
    let weighted = (exponentials * shifted)?.sum(D::Minus1)?;
    let logprobs = (chosen - &log_sum)?;
    let entropies = (log_sum - (weighted * sum.recip()?)?)?;
    Ok((logprobs, entropies))
}
