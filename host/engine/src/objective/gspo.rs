//! GSPO's loss of a fresh sequence (arXiv 2507.18071, equations 5 to 7): max(-A·s, -A·clip(s, 1 - ε_low, 1 + ε_high)), where s
//! is the geometric mean of the tokens' ratios. Each token carries the whole sequence's loss, of which aggregation makes a
//! mean; and each has an equal part in its gradient.

use super::{ClipRange, Sample, Token};

pub(super) fn tokens(sample: &Sample<'_>, range: Option<ClipRange>) -> Vec<Option<Token>> {
    let (sum, count) =
        sample.log_ratios.iter().flatten().fold((0.0, 0u32), |(sum, count), ratio| (sum + ratio, count + 1));
    let of_sequence = Token::clipped(sample.advantage, sum / f64::from(count.max(1)), range);
    // Ratios are reported token by token, as everywhere.
    sample.each(|log_ratio, _| Token { ratio: log_ratio.exp(), log_ratio, ..of_sequence })
}
