//! What is reported of a loss.

use exgrpo_core::types::Origin;

use super::Token;

/// Sums over the tokens of one origin.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OriginStats {
    /// Part of the loss.
    pub loss: f64,
    /// Tokens that took part.
    pub num_tokens: u64,
    /// Tokens left out because their old log-prob is not finite.
    pub num_dropped: u64,
    /// Tokens held back by clipping.
    pub num_clipped: u64,
    /// Tokens with an advantage of 0 that were not computed, as they would add nothing.
    pub num_idle: u64,
    /// Sum of ratios, before shaping.
    pub ratio_sum: f64,
    /// Sum of squared ratios.
    pub ratio_square_sum: f64,
    /// Largest ratio.
    pub ratio_max: f64,
    /// Sum of log-ratios; minus its mean is the usual estimate of the divergence from the old weights.
    pub log_ratio_sum: f64,
}

impl OriginStats {
    pub(super) fn add(&mut self, token: &Token) {
        self.num_tokens += 1;
        self.num_clipped += u64::from(token.clipped);
        self.ratio_sum += token.ratio;
        self.ratio_square_sum += token.ratio * token.ratio;
        self.ratio_max = self.ratio_max.max(token.ratio);
        self.log_ratio_sum += token.log_ratio;
    }

    /// Begins a rollout: its own largest ratio is found from here on.
    pub(super) fn mark(&mut self) -> Self {
        let before = *self;
        self.ratio_max = 0.0;
        before
    }

    /// Ends a rollout: what was added since `before`.
    pub(super) fn since(&mut self, before: Self) -> RolloutStats {
        let num_tokens = self.num_tokens - before.num_tokens;
        let share = |sum: f64| if num_tokens == 0 { f32::NAN } else { (sum / num_tokens as f64) as f32 };
        let rollout = RolloutStats {
            ratio_mean: share(self.ratio_sum - before.ratio_sum),
            ratio_max: if num_tokens == 0 { f32::NAN } else { self.ratio_max as f32 },
            clip_fraction: share((self.num_clipped - before.num_clipped) as f64),
        };
        self.ratio_max = self.ratio_max.max(before.ratio_max);
        rollout
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.loss += other.loss;
        self.num_tokens += other.num_tokens;
        self.num_dropped += other.num_dropped;
        self.num_clipped += other.num_clipped;
        self.num_idle += other.num_idle;
        self.ratio_sum += other.ratio_sum;
        self.ratio_square_sum += other.ratio_square_sum;
        self.ratio_max = self.ratio_max.max(other.ratio_max);
        self.log_ratio_sum += other.log_ratio_sum;
    }

    /// Mean ratio; NaN without tokens, as are the other means.
    pub fn ratio_mean(&self) -> f64 {
        self.mean(self.ratio_sum)
    }

    /// Variance of the ratio.
    pub fn ratio_variance(&self) -> f64 {
        let variance = self.mean(self.ratio_square_sum) - self.ratio_mean().powi(2);
        // Rounding can leave less than nothing. Not `max`, which would make 0 of what there are no tokens of.
        if variance < 0.0 { 0.0 } else { variance }
    }

    /// Share of clipped tokens. Those without an advantage never are, whether or not they were computed.
    pub fn clip_fraction(&self) -> f64 {
        self.num_clipped as f64 / (self.num_tokens + self.num_idle) as f64
    }

    /// Mean of old minus current log-prob.
    pub fn approximate_kl(&self) -> f64 {
        -self.mean(self.log_ratio_sum)
    }

    fn mean(&self, sum: f64) -> f64 {
        if self.num_tokens == 0 { f64::NAN } else { sum / self.num_tokens as f64 }
    }
}

/// Ratios within one rollout; NaN without tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RolloutStats {
    /// Mean ratio, before shaping.
    pub ratio_mean: f32,
    /// Largest ratio.
    pub ratio_max: f32,
    /// Share of clipped tokens.
    pub clip_fraction: f32,
}

/// What is known of a micro-batch's, or merged a mini-batch's or a step's, loss.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LossStats {
    /// Fresh tokens.
    pub fresh: OriginStats,
    /// Replayed tokens.
    pub replayed: OriginStats,
    /// Tokens of demonstrations.
    pub demonstrated: OriginStats,
    /// Sum of token entropies.
    pub entropy_sum: f64,
    /// Part of the loss that is the entropy bonus.
    pub entropy_loss: f64,
    /// Sum over tokens of the estimated divergence from the reference; 0 without one.
    pub kl_sum: f64,
    /// Part of the loss that is the divergence.
    pub kl_loss: f64,
    /// Each rollout's own ratios, in the order of the members; not merged.
    pub rollouts: Vec<RolloutStats>,
}

impl LossStats {
    /// Tokens of one origin.
    pub fn of(&self, origin: Origin) -> &OriginStats {
        match origin {
            Origin::Fresh => &self.fresh,
            Origin::Replayed => &self.replayed,
            Origin::Demonstrated => &self.demonstrated,
        }
    }

    pub(super) fn of_mut(&mut self, origin: Origin) -> &mut OriginStats {
        match origin {
            Origin::Fresh => &mut self.fresh,
            Origin::Replayed => &mut self.replayed,
            Origin::Demonstrated => &mut self.demonstrated,
        }
    }

    /// Notes tokens of a scored rollout that is not computed because its gradient is 0.
    pub fn add_idle(&mut self, origin: Origin, num_tokens: u64) {
        self.of_mut(origin).num_idle += num_tokens;
    }

    /// Adds another micro-batch's sums.
    pub fn merge(&mut self, other: &Self) {
        self.fresh.merge(&other.fresh);
        self.replayed.merge(&other.replayed);
        self.demonstrated.merge(&other.demonstrated);
        self.entropy_sum += other.entropy_sum;
        self.entropy_loss += other.entropy_loss;
        self.kl_sum += other.kl_sum;
        self.kl_loss += other.kl_loss;
    }

    /// Policy-gradient loss, entropy bonus and divergence together.
    pub fn loss(&self) -> f64 {
        self.fresh.loss + self.replayed.loss + self.demonstrated.loss + self.entropy_loss + self.kl_loss
    }

    /// All origins' tokens together.
    pub fn all(&self) -> OriginStats {
        let mut all = self.fresh;
        all.merge(&self.replayed);
        all.merge(&self.demonstrated);
        all
    }
}
