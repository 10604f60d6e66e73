//! Divergence of the trained model from a frozen reference, estimated from sampled tokens.

/// Largest difference of log-probs that the estimate takes.
const MAX_DIFFERENCE: f64 = 20.0;

/// The k3 estimate of KL(π || π_ref) at one token and its derivative with respect to `logprob`: exp(d) - d - 1 with
/// d = reference - logprob, which is never negative and has the divergence as its mean over π (J. Schulman, "Approximating
/// KL Divergence", 2020; GRPO, arXiv 2402.03300, equation 4).
pub(super) fn estimate(logprob: f32, reference: f32) -> (f64, f64) {
    let difference = (f64::from(reference) - f64::from(logprob)).clamp(-MAX_DIFFERENCE, MAX_DIFFERENCE);
    let ratio = difference.exp();
    (ratio - difference - 1.0, 1.0 - ratio)
}

#[cfg(test)]
mod tests {
    use super::estimate;

    #[test]
    fn the_estimate_is_nothing_at_the_reference_and_grows_away_from_it() {
        assert_eq!(estimate(-1.5, -1.5), (0.0, 0.0));
        // By hand: d = ln 2: 2 - ln 2 - 1, slope 1 - 2.
        let (value, slope) = estimate(-1.0 - std::f32::consts::LN_2, -1.0);
        assert!((value - (1.0 - std::f64::consts::LN_2)).abs() < 1e-6 && (slope + 1.0).abs() < 1e-6);
        assert!(estimate(-0.5, -3.0).0 > 0.0 && estimate(-200.0, -0.1).0.is_finite());
    }
}
