//! The loss of ExGRPO and its derivative with respect to every log-prob and entropy, as plain arithmetic over columns.
//!
//! With w = exp(logprob - old_logprob) for each completion token (arXiv 2510.02245, equation 4 and section 4.2):
//! * fresh: -A·w, or max(-A·w, -A·clip(w, 1 - ε, 1 + ε)) while clipping is on;
//! * replayed: -A·w / (w + β), whose derivative -A·w·β / (w + β)² fades for tokens that are likely already;
//! * demonstrated: the same with an old log-prob of 0, so that w is the token's probability: nobody knows what its writer
//!   would have given it (LUFFY, arXiv 2504.14945, section 3).
//!
//! Whose probabilities those are, `objective.ratio_of` says: the model's at temperature 1, or the sampler's.
//!
//! Token losses are added and divided by one constant of the mini-batch, so gradients of micro-batches add up to the
//! mini-batch's own. From that, `entropy_coefficient` times the mean token entropy is subtracted.

mod advantage;
mod section;
mod stats;

use crate::{ScoreGrads, Scores};
pub use advantage::{advantages, assign_advantages};
use exgrpo_core::types::Origin;
pub use section::{Advantage, Aggregation, Clip, ObjectiveSection, RatioOf};
pub use stats::{LossStats, OriginStats, RolloutStats};

/// Log-ratios are held within ± this before `exp`, so that one stale token can't overflow a sum.
const MAX_LOG_RATIO: f64 = 20.0;

/// One sequence's part in the loss.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Advantage of every token.
    pub advantage: f32,
    /// Decides between clipping and shaping.
    pub origin: Origin,
    /// Log-probs recorded when the tokens were sampled. `[T]`
    pub old_logprobs: &'a [f32],
}

/// The loss of one mini-batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// ε of clipping, while it is on.
    pub clip_epsilon: Option<f32>,
    /// β of shaping; 0 leaves the ratio as it is.
    pub shaping_beta: f32,
    /// False compares replayed tokens with themselves: ratio 1.
    pub importance_correction: bool,
    /// Weight of the mean token entropy.
    pub entropy_coefficient: f32,
    /// What the sum of token losses is divided by.
    pub denominator: f32,
    /// Completion tokens of the mini-batch's scored rollouts, over all its micro-batches and those that are left out.
    pub num_tokens: usize,
}

impl Objective {
    /// The objective of a mini-batch whose scored rollouts have `num_tokens` completion tokens, computed or not; `clip` says whether clipping is on now.
    pub fn new(section: &ObjectiveSection, clip: bool, max_new_tokens: u32, num_tokens: usize) -> Self {
        Self {
            clip_epsilon: clip.then_some(section.clip_epsilon),
            shaping_beta: section.shaping_beta,
            importance_correction: section.importance_correction,
            entropy_coefficient: section.entropy_coefficient,
            denominator: match section.aggregation {
                Aggregation::SumOverMaxLength => max_new_tokens as f32,
                Aggregation::TokenMean => num_tokens.max(1) as f32,
            },
            num_tokens,
        }
    }

    /// Loss and derivative for a micro-batch: `members` in the order of `scores`. A token whose old log-prob is not
    /// finite is left out and counted.
    pub fn evaluate(&self, members: &[Member<'_>], scores: &Scores) -> (ScoreGrads, LossStats) {
        let mut grads = ScoreGrads {
            logprobs: Vec::with_capacity(scores.logprobs.len()),
            entropies: Vec::with_capacity(scores.entropies.len()),
        };
        let mut stats = LossStats::default();
        let entropy_weight = f64::from(self.entropy_coefficient) / self.num_tokens.max(1) as f64;
        let mut at = 0;
        for member in members {
            let end = at + member.old_logprobs.len();
            let of_origin = stats.of_mut(member.origin);
            let before = of_origin.mark();
            for (&old, &logprob) in member.old_logprobs.iter().zip(&scores.logprobs[at..end]) {
                let (loss, slope) = match self.token(member, f64::from(old), f64::from(logprob)) {
                    Some(token) => {
                        of_origin.add(&token);
                        (token.loss, token.slope)
                    }
                    None => {
                        of_origin.num_dropped += 1;
                        (0.0, 0.0)
                    }
                };
                of_origin.loss += loss / f64::from(self.denominator);
                grads.logprobs.push((slope / f64::from(self.denominator)) as f32);
            }
            let rollout = of_origin.since(before);
            stats.rollouts.push(rollout);
            for &entropy in &scores.entropies[at..end] {
                stats.entropy_sum += f64::from(entropy);
                stats.entropy_loss -= entropy_weight * f64::from(entropy);
                grads.entropies.push(-entropy_weight as f32);
            }
            at = end;
        }
        (grads, stats)
    }

    fn token(&self, member: &Member<'_>, old: f64, logprob: f64) -> Option<Token> {
        let is_compared_with_itself = member.origin == Origin::Replayed && !self.importance_correction;
        let old = if is_compared_with_itself { logprob } else { old };
        if !old.is_finite() {
            return None;
        }
        let log_ratio = (logprob - old).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO);
        let ratio = log_ratio.exp();
        let advantage = f64::from(member.advantage);
        let mut token =
            Token { ratio, log_ratio, loss: -advantage * ratio, slope: -advantage * ratio, clipped: false };
        if member.origin != Origin::Fresh {
            let beta = f64::from(self.shaping_beta);
            if beta > 0.0 {
                token.loss = -advantage * shape_ratio(ratio, beta);
                token.slope = -advantage * ratio * beta / (ratio + beta).powi(2);
            }
        } else if let Some(epsilon) = self.clip_epsilon.map(f64::from) {
            let clipped = -advantage * ratio.clamp(1.0 - epsilon, 1.0 + epsilon);
            if clipped > token.loss {
                token = Token { loss: clipped, slope: 0.0, clipped: true, ..token };
            }
        }
        Some(token)
    }
}

/// Policy shaping: r / (r + β).
pub fn shape_ratio(ratio: f64, beta: f64) -> f64 {
    ratio / (ratio + beta)
}

/// What one token adds.
struct Token {
    ratio: f64,
    log_ratio: f64,
    loss: f64,
    slope: f64,
    clipped: bool,
}

#[cfg(test)]
mod tests;
