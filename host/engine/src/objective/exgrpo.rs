//! ExGRPO's loss of a fresh token (arXiv 2510.02245, equation 4): -A·w, or max(-A·w, -A·clip(w, 1 - ε, 1 + ε)) while
//! clipping is on. One ε, on both sides.

use super::{ClipRange, Sample, Token};

pub(super) fn tokens(sample: &Sample<'_>, range: Option<ClipRange>) -> Vec<Option<Token>> {
    let range = range.map(|range| ClipRange { high: range.low, ..range });
    sample.each(|log_ratio, _| Token::clipped(sample.advantage, log_ratio, range))
}
