//! Scalings of the rotary embedding (RoPE) for contexts longer than the one that a model was trained with first.

use super::config::ModelConfigError;

/// How frequencies are changed, `rope_type` in a `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// `linear`: every frequency is divided by this much (arXiv 2306.15595).
    Linear(f64),
    /// `dynamic`: sequences of up to `max_position_embeddings`, all that are taken here, are as without a scaling; longer
    /// ones would raise the base by this factor.
    Dynamic(f64),
    /// `llama3`: low frequencies are stretched.
    Llama3(Llama3Rope),
    /// `yarn`: low frequencies are stretched, and queries and keys grow (arXiv 2309.00071).
    Yarn(YarnRope),
    /// `longrope`: every frequency has a factor of its own (arXiv 2402.13753).
    Long(LongRope),
}

/// Stretching of the rotary embedding's low frequencies, `rope_type: "llama3"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Llama3Rope {
    /// Low frequencies are divided by this much, at least 1.
    pub factor: f64,
    /// Wavelengths above `original_max_position_embeddings / low_freq_factor` are stretched fully.
    pub low_freq_factor: f64,
    /// Wavelengths below `original_max_position_embeddings / high_freq_factor` stay.
    pub high_freq_factor: f64,
    /// Context length that the base model was trained with.
    pub original_max_position_embeddings: usize,
}

/// YaRN's interpolation by parts, `rope_type: "yarn"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct YarnRope {
    /// Low frequencies are divided by this much, at least 1.
    pub factor: f64,
    /// Pairs that turn more often than this within the original context stay.
    pub beta_fast: f64,
    /// Pairs that turn less often than this are stretched fully.
    pub beta_slow: f64,
    /// Cosines and sines are multiplied by this.
    pub attention_factor: f64,
    /// Context length that the base model was trained with.
    pub original_max_position_embeddings: usize,
    /// True where the two borders are moved outwards to whole pairs.
    pub truncate: bool,
}

/// LongRoPE's factors, `rope_type: "longrope"`. Longer sequences than the original context have other factors from their first
/// token on, so that only sequences within that context are taken here.
#[derive(Debug, Clone, PartialEq)]
pub struct LongRope {
    /// What each frequency is divided by within the original context. `[rotary_dim / 2]`
    pub short_factor: Vec<f64>,
    /// The same beyond it: kept for the file alone. `[rotary_dim / 2]`
    pub long_factor: Vec<f64>,
    /// Cosines and sines are multiplied by this.
    pub attention_factor: f64,
    /// The file's `max_position_embeddings`, those beyond the original context included.
    pub positions: usize,
}

impl RopeScaling {
    /// The frequencies of a head, `[rotary_dim / 2]`, from those without a scaling and their base.
    pub(super) fn stretch(&self, plain: &[f64], base: f64) -> Vec<f64> {
        match self {
            Self::Linear(factor) => plain.iter().map(|frequency| frequency / factor).collect(),
            Self::Dynamic(_) => plain.to_vec(),
            Self::Llama3(rope) => plain.iter().map(|&frequency| rope.stretch(frequency)).collect(),
            Self::Yarn(rope) => {
                let (low, high) = rope.borders(2 * plain.len(), base);
                let blend = |(pair, &frequency): (usize, &f64)| {
                    let stretched = ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    stretched * frequency / rope.factor + (1.0 - stretched) * frequency
                };
                plain.iter().enumerate().map(blend).collect()
            }
            Self::Long(rope) => {
                plain.iter().zip(&rope.short_factor).map(|(frequency, factor)| frequency / factor).collect()
            }
        }
    }

    /// What cosines and sines are multiplied by.
    pub(super) fn magnitude(&self) -> f64 {
        match self {
            Self::Yarn(rope) => rope.attention_factor,
            Self::Long(rope) => rope.attention_factor,
            Self::Linear(_) | Self::Dynamic(_) | Self::Llama3(_) => 1.0,
        }
    }

    /// Checks that the numbers fit together, for `pairs` of dimensions.
    pub(super) fn validate(&self, pairs: usize) -> Result<(), ModelConfigError> {
        let is_factor = |factor: f64| factor.is_finite() && factor >= 1.0;
        let problem = match self {
            Self::Linear(factor) | Self::Dynamic(factor) if is_factor(*factor) => return Ok(()),
            Self::Linear(factor) | Self::Dynamic(factor) => format!("factor >= 1, not {factor}"),
            Self::Llama3(rope) => return rope.validate(),
            Self::Long(rope) => {
                let are_factors = |factors: &[f64]| {
                    factors.len() == pairs && factors.iter().all(|factor| factor.is_finite() && *factor > 0.0)
                };
                let fits = are_factors(&rope.short_factor)
                    && are_factors(&rope.long_factor)
                    && rope.attention_factor > 0.0
                    && rope.attention_factor.is_finite();
                if fits {
                    return Ok(());
                }
                format!(
                    "{pairs} positive numbers each in short_factor and long_factor and a positive attention_factor; the first \
                     has {}, the second {}, the third is {}",
                    rope.short_factor.len(),
                    rope.long_factor.len(),
                    rope.attention_factor
                )
            }
            Self::Yarn(rope) => {
                let fits = is_factor(rope.factor)
                    && rope.beta_slow > 0.0
                    && rope.beta_fast >= rope.beta_slow
                    && rope.beta_fast.is_finite()
                    && rope.attention_factor > 0.0
                    && rope.attention_factor.is_finite()
                    && rope.original_max_position_embeddings > 0;
                if fits {
                    return Ok(());
                }
                format!(
                    "factor >= 1, 0 < beta_slow <= beta_fast, attention_factor > 0 and original_max_position_embeddings > 0; \
                     factor is {}, beta_slow {}, beta_fast {}, attention_factor {}, original_max_position_embeddings {}",
                    rope.factor,
                    rope.beta_slow,
                    rope.beta_fast,
                    rope.attention_factor,
                    rope.original_max_position_embeddings
                )
            }
        };
        Err(ModelConfigError::Invalid(format!("`rope_scaling` needs {problem}")))
    }
}

impl LongRope {
    /// What `attention_factor` is where nothing is said: √(1 + ln factor / ln original) (arXiv 2402.13753, section 3.2).
    pub(super) fn default_attention_factor(factor: f64, original: usize) -> f64 {
        if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / (original as f64).ln()).sqrt() }
    }
}

impl YarnRope {
    /// What `attention_factor` is where nothing is said: 0.1 ln(factor) + 1 (arXiv 2309.00071, equation 22); with `mscale`
    /// and `mscale_all_dim` the quotient of two such.
    pub(super) fn default_attention_factor(factor: f64, mscales: Option<(f64, f64)>) -> f64 {
        let grown = |mscale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 };
        match mscales {
            Some((above, below)) => grown(above) / grown(below),
            None => grown(1.0),
        }
    }

    /// Pairs between which frequencies go over from staying to being stretched, by how often they turn within the original
    /// context.
    fn borders(self, dim: usize, base: f64) -> (f64, f64) {
        let context = self.original_max_position_embeddings as f64;
        let pair_of = |turns: f64| {
            dim as f64 * (context / (turns * 2.0 * std::f64::consts::PI)).ln() / (2.0 * base.ln())
        };
        let (mut low, mut high) = (pair_of(self.beta_fast), pair_of(self.beta_slow));
        if self.truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        let (low, high) = (low.max(0.0), high.min(dim as f64 - 1.0));
        (low, if low == high { high + 0.001 } else { high })
    }
}

impl Llama3Rope {
    fn validate(self) -> Result<(), ModelConfigError> {
        let fits = self.factor >= 1.0
            && self.factor.is_finite()
            && self.low_freq_factor > 0.0
            && self.high_freq_factor > self.low_freq_factor
            && self.high_freq_factor.is_finite()
            && self.original_max_position_embeddings > 0;
        if fits {
            return Ok(());
        }
        Err(ModelConfigError::Invalid(format!(
            "`rope_scaling` needs factor >= 1 and 0 < low_freq_factor < high_freq_factor and \
             original_max_position_embeddings > 0; factor is {}, low_freq_factor {}, high_freq_factor {}, \
             original_max_position_embeddings {}",
            self.factor, self.low_freq_factor, self.high_freq_factor, self.original_max_position_embeddings
        )))
    }

    /// Long wavelengths are divided by `factor`, short ones stay, those between are blended linearly in
    /// original_max_position_embeddings / wavelength.
    fn stretch(self, frequency: f64) -> f64 {
        let wavelength = 2.0 * std::f64::consts::PI / frequency;
        let turns = self.original_max_position_embeddings as f64 / wavelength;
        let kept = (turns - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor);
        let kept = kept.clamp(0.0, 1.0);
        (1.0 - kept) * frequency / self.factor + kept * frequency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(have: &[f64], expected: &[f64]) {
        assert_eq!(have.len(), expected.len());
        for (have, expected) in have.iter().zip(expected) {
            // The witness computes in f32.
            assert!((have / expected - 1.0).abs() < 1e-6, "{have}, {expected}");
        }
    }

    fn plain(base: f64, half: i32) -> Vec<f64> {
        (0..half).map(|pair| base.powf(-f64::from(pair) / f64::from(half))).collect()
    }

    /// Witness: what transformers 5.23 computes from the same keys of a configuration, `ROPE_INIT_FUNCTIONS`.
    #[test]
    fn frequencies_and_magnitudes_are_those_of_transformers() {
        let yarn = |factor: f64, betas: (f64, f64), mscales, original, truncate| YarnRope {
            factor,
            beta_fast: betas.0,
            beta_slow: betas.1,
            attention_factor: YarnRope::default_attention_factor(factor, mscales),
            original_max_position_embeddings: original,
            truncate,
        };
        for (rope, base, frequencies, magnitude) in [
            (
                yarn(4.0, (32.0, 1.0), None, 32, true),
                1e4,
                [1.0, 0.197642356, 0.025, 0.00790569466, 0.0025, 7.90569466e-4, 2.5e-4, 7.90569466e-5],
                1.138629436111989,
            ),
            (
                yarn(4.0, (32.0, 1.0), None, 32_768, false),
                1e6,
                [
                    1.0,
                    0.177827939,
                    0.0316227786,
                    0.00551727042,
                    6.07408001e-4,
                    4.44569851e-5,
                    7.90569356e-6,
                    1.40585337e-6,
                ],
                1.138629436111989,
            ),
            (
                yarn(8.0, (16.0, 2.0), Some((1.0, 0.5)), 64, true),
                1e4,
                [1.0, 0.177878112, 0.0125, 0.00395284733, 0.00125, 3.95284733e-4, 1.25e-4, 3.95284733e-5],
                1.094179988101349,
            ),
        ] {
            let scaling = RopeScaling::Yarn(rope);
            scaling.validate(8).unwrap();
            assert_close(&scaling.stretch(&plain(base, 8), base), &frequencies);
            assert!((scaling.magnitude() - magnitude).abs() < 1e-12);
        }
        let linear = RopeScaling::Linear(4.0);
        assert_close(&linear.stretch(&plain(1e4, 4), 1e4), &[0.25, 0.025, 0.0025, 0.00025]);
        let dynamic = RopeScaling::Dynamic(4.0);
        assert_close(&dynamic.stretch(&plain(1e4, 4), 1e4), &[1.0, 0.1, 0.01, 0.001]);
        assert!(RopeScaling::Linear(0.5).validate(8).is_err());
        let fast = YarnRope { beta_slow: 64.0, ..yarn(4.0, (32.0, 1.0), None, 32, true) };
        assert!(RopeScaling::Yarn(fast).validate(8).is_err());
    }
}
