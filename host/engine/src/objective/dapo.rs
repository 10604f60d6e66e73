//! DAPO's loss of a fresh token (arXiv 2503.14476, section 3.1, "clip-higher"): PPO's with another ε above than below, so
//! that unlikely tokens have room to become likely: max(-A·w, -A·clip(w, 1 - ε_low, 1 + ε_high)).

use super::{ClipRange, Sample, Token};

pub(super) fn tokens(sample: &Sample<'_>, range: Option<ClipRange>) -> Vec<Option<Token>> {
    sample.each(|log_ratio, _| Token::clipped(sample.advantage, log_ratio, range))
}
