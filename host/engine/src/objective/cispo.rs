//! CISPO's loss of a fresh token (arXiv 2506.13585, equations 4 and 5): -A·sg(clip(w, 1 - ε_low, 1 + ε_high))·logprob. The
//! weight is clipped and has no gradient (sg), so that no token loses its own.

use super::{ClipRange, Sample, Token};

pub(super) fn tokens(sample: &Sample<'_>, range: Option<ClipRange>) -> Vec<Option<Token>> {
    sample.each(|log_ratio, logprob| {
        let token = Token::plain(sample.advantage, log_ratio);
        let weight = range.map_or(token.ratio, |range| range.clip(token.ratio));
        let slope = -sample.advantage * weight;
        // Held at the range's end, which matters only where there is an advantage.
        let clipped = weight != token.ratio && sample.advantage != 0.0;
        Token { loss: slope * logprob, slope, clipped, ..token }
    })
}
