//! The loss of ExGRPO and its derivative with respect to every log-prob and entropy, as plain arithmetic over columns.
//!
//! With w = exp(logprob - old_logprob) for each completion token (arXiv 2510.02245, equation 4 and section 4.2):
//! * fresh: by `objective.kind`, a file each: `exgrpo`, `dapo`, `gspo` or `cispo`;
//! * replayed: -A·w / (w + β), whose derivative -A·w·β / (w + β)² fades for tokens that are likely already;
//! * demonstrated: the same with an old log-prob of 0, so that w is the token's probability: nobody knows what its writer
//!   would have given it (LUFFY, arXiv 2504.14945, section 3).
//!
//! Whose probabilities those are, `objective.ratio_of` says: the model's at temperature 1, or the sampler's.
//!
//! Token losses are added and divided by a constant of the mini-batch (or of the sequence and the mini-batch), so gradients
//! of micro-batches add up to the mini-batch's own. To each token's loss `kl_coefficient` times its estimate of the
//! divergence from a frozen reference is added (`kl.rs`); from the whole, `entropy_coefficient` times the mean token
//! entropy is subtracted.

mod advantage;
mod cispo;
mod dapo;
mod exgrpo;
mod gspo;
mod kl;
mod section;
mod stats;

use crate::{ScoreGrads, Scores};
pub use advantage::{advantages, assign_advantages};
use exgrpo_core::types::Origin;
pub use section::{Advantage, Aggregation, Clip, Kind, ObjectiveSection, RatioOf};
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

/// Tokens of a mini-batch's scored rollouts, over all its micro-batches and those that are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MiniBatchSize {
    /// Scored rollouts.
    pub sequences: usize,
    /// Their completion tokens.
    pub tokens: usize,
}

/// Ratios from 1 - `low` to 1 + `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipRange {
    /// Half-width below 1.
    pub low: f64,
    /// Half-width above 1.
    pub high: f64,
}

impl ClipRange {
    fn clip(self, ratio: f64) -> f64 {
        ratio.clamp(1.0 - self.low, 1.0 + self.high)
    }
}

/// What the sum of a sequence's token losses is divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Divisor {
    /// The same for all.
    Constant(f64),
    /// This many sequences times the sequence's own tokens.
    Sequences(f64),
}

impl Divisor {
    fn of(self, num_tokens: usize) -> f64 {
        match self {
            Self::Constant(divisor) => divisor,
            Self::Sequences(count) => count * num_tokens as f64,
        }
    }
}

/// The loss of one mini-batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    kind: Kind,
    /// The range of ratios, while clipping is on.
    range: Option<ClipRange>,
    /// β of shaping; 0 leaves the ratio as it is.
    shaping_beta: f64,
    /// False compares replayed tokens with themselves: ratio 1.
    importance_correction: bool,
    entropy_coefficient: f64,
    kl_coefficient: f64,
    divisor: Divisor,
    size: MiniBatchSize,
}

impl Objective {
    /// The objective of a mini-batch of this size, computed or not; `clip` says whether clipping is on now.
    pub fn new(section: &ObjectiveSection, clip: bool, max_new_tokens: u32, size: MiniBatchSize) -> Self {
        let low = f64::from(section.clip_epsilon);
        let high = section.clip_epsilon_high.map_or(low, f64::from);
        Self {
            kind: section.kind,
            range: clip.then_some(ClipRange { low, high }),
            shaping_beta: f64::from(section.shaping_beta),
            importance_correction: section.importance_correction,
            entropy_coefficient: f64::from(section.entropy_coefficient),
            kl_coefficient: f64::from(section.kl_coefficient),
            divisor: match section.aggregation {
                Aggregation::SumOverMaxLength => Divisor::Constant(f64::from(max_new_tokens)),
                Aggregation::TokenMean => Divisor::Constant(size.tokens.max(1) as f64),
                Aggregation::SequenceMean => Divisor::Sequences(size.sequences.max(1) as f64),
            },
            size,
        }
    }

    /// Loss and derivative for a micro-batch: `members` in the order of `scores`, and the log-probs that a frozen reference
    /// gives to the same tokens where there is one. A token whose old log-prob is not finite is left out and counted.
    pub fn evaluate(
        &self,
        members: &[Member<'_>],
        scores: &Scores,
        reference: Option<&[f32]>,
    ) -> (ScoreGrads, LossStats) {
        let mut grads = ScoreGrads {
            logprobs: Vec::with_capacity(scores.logprobs.len()),
            entropies: Vec::with_capacity(scores.entropies.len()),
        };
        let mut stats = LossStats::default();
        let entropy_weight = self.entropy_coefficient / self.size.tokens.max(1) as f64;
        let mut at = 0;
        for member in members {
            let end = at + member.old_logprobs.len();
            let divisor = self.divisor.of(end - at);
            let logprobs = &scores.logprobs[at..end];
            let tokens = self.tokens(member, logprobs);
            let of_origin = stats.of_mut(member.origin);
            let before = of_origin.mark();
            for token in &tokens {
                let (loss, slope) = match token {
                    Some(token) => {
                        of_origin.add(token);
                        (token.loss, token.slope)
                    }
                    None => {
                        of_origin.num_dropped += 1;
                        (0.0, 0.0)
                    }
                };
                of_origin.loss += loss / divisor;
                grads.logprobs.push((slope / divisor) as f32);
            }
            let rollout = of_origin.since(before);
            stats.rollouts.push(rollout);
            if let Some(reference) = reference {
                let grads = &mut grads.logprobs[at..end];
                for (index, _) in tokens.iter().enumerate().filter(|(_, token)| token.is_some()) {
                    let (divergence, slope) = kl::estimate(logprobs[index], reference[at + index]);
                    stats.kl_sum += divergence;
                    stats.kl_loss += self.kl_coefficient * divergence / divisor;
                    grads[index] += (self.kl_coefficient * slope / divisor) as f32;
                }
            }
            for &entropy in &scores.entropies[at..end] {
                stats.entropy_sum += f64::from(entropy);
                stats.entropy_loss -= entropy_weight * f64::from(entropy);
                grads.entropies.push(-entropy_weight as f32);
            }
            at = end;
        }
        (grads, stats)
    }

    /// What each token of a sequence adds; none for one that is left out.
    fn tokens(&self, member: &Member<'_>, logprobs: &[f32]) -> Vec<Option<Token>> {
        let is_compared_with_itself = member.origin == Origin::Replayed && !self.importance_correction;
        let log_ratio = |(&old, &logprob): (&f32, &f32)| {
            let (old, logprob) = (f64::from(old), f64::from(logprob));
            let old = if is_compared_with_itself { logprob } else { old };
            old.is_finite().then(|| (logprob - old).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO))
        };
        let sample = Sample {
            advantage: f64::from(member.advantage),
            log_ratios: member.old_logprobs.iter().zip(logprobs).map(log_ratio).collect(),
            logprobs,
        };
        match (member.origin, self.kind) {
            (Origin::Replayed | Origin::Demonstrated, _) => {
                sample.each(|log_ratio, _| Token::shaped(sample.advantage, log_ratio, self.shaping_beta))
            }
            (Origin::Fresh, Kind::Exgrpo) => exgrpo::tokens(&sample, self.range),
            (Origin::Fresh, Kind::Dapo) => dapo::tokens(&sample, self.range),
            (Origin::Fresh, Kind::Gspo) => gspo::tokens(&sample, self.range),
            (Origin::Fresh, Kind::Cispo) => cispo::tokens(&sample, self.range),
        }
    }
}

/// A sequence as the variants see it.
struct Sample<'a> {
    advantage: f64,
    /// Of each token, held within ± [`MAX_LOG_RATIO`]; none for one that is left out. `[T]`
    log_ratios: Vec<Option<f64>>,
    /// Current log-probs. `[T]`
    logprobs: &'a [f32],
}

impl Sample<'_> {
    /// What `token` makes of the log-ratio and the log-prob of each token that takes part.
    fn each(&self, token: impl Fn(f64, f64) -> Token) -> Vec<Option<Token>> {
        let pairs = self.log_ratios.iter().zip(self.logprobs);
        pairs.map(|(log_ratio, &logprob)| Some(token((*log_ratio)?, f64::from(logprob)))).collect()
    }
}

/// Policy shaping: r / (r + β).
pub fn shape_ratio(ratio: f64, beta: f64) -> f64 {
    ratio / (ratio + beta)
}

/// What one token adds.
#[derive(Clone, Copy)]
struct Token {
    ratio: f64,
    log_ratio: f64,
    loss: f64,
    slope: f64,
    clipped: bool,
}

impl Token {
    /// -A·w, whose derivative by the log-prob is itself.
    fn plain(advantage: f64, log_ratio: f64) -> Self {
        let ratio = log_ratio.exp();
        Self { ratio, log_ratio, loss: -advantage * ratio, slope: -advantage * ratio, clipped: false }
    }

    /// PPO's surrogate: max(-A·w, -A·clip(w)), without a gradient where the range holds it (arXiv 1707.06347, equation 7).
    fn clipped(advantage: f64, log_ratio: f64, range: Option<ClipRange>) -> Self {
        let token = Self::plain(advantage, log_ratio);
        let clipped = range.map(|range| -advantage * range.clip(token.ratio));
        match clipped.filter(|clipped| *clipped > token.loss) {
            Some(clipped) => Self { loss: clipped, slope: 0.0, clipped: true, ..token },
            None => token,
        }
    }

    /// Policy shaping: -A·w / (w + β), the plain ratio when β is 0.
    fn shaped(advantage: f64, log_ratio: f64, beta: f64) -> Self {
        let token = Self::plain(advantage, log_ratio);
        if beta <= 0.0 {
            return token;
        }
        Self {
            loss: -advantage * shape_ratio(token.ratio, beta),
            slope: -advantage * token.ratio * beta / (token.ratio + beta).powi(2),
            ..token
        }
    }
}

#[cfg(test)]
mod tests;
