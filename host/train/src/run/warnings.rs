//! What looks wrong about a step: each is an event of it. A step alone decides, so that a resumed run has the same.

use crate::metrics::Metrics;
use exgrpo_core::journal::{Event, EventKind, Slot};
use exgrpo_log::metric::{self, Metric};

/// What went wrong in `step`, whose mini-batches are `updates`.
pub(super) fn of(step: u32, metrics: &Metrics, num_rollouts: usize, updates: u32) -> Vec<Event> {
    let get = |metric: Metric| metrics.get(metric).unwrap_or_default();
    let warning = |slot, reason, detail| Event {
        step,
        kind: EventKind::Warning,
        slot,
        digest: None,
        reason: Some(reason),
        detail,
    };
    let mut warnings = Vec::new();
    let unscored = get(metric::DROPPED_UNSCORABLE) + get(metric::DROPPED_OUT_OF_BUDGET);
    if num_rollouts > 0 && unscored == num_rollouts as f64 {
        let detail = format!(
            "the verifier could score none of the step's {num_rollouts} completions, so that nothing is learned: \
             does it read such gold answers? `exgrpo-host verify` shows what it makes of them"
        );
        warnings.push(warning(Some(Slot::Verifier), "unscorable", detail));
    }
    if updates > 0 && get(metric::SKIPPED) == f64::from(updates) {
        let detail = "every update of the step was skipped for a gradient that was too large or not finite, so that nothing is \
                      learned: lower optim.lr or objective.entropy_coefficient";
        warnings.push(warning(None, "skipped", detail.to_owned()));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_teaches_nothing_says_why() {
        let mut metrics = Metrics::default();
        metrics.set(metric::DROPPED_UNSCORABLE, 7.0);
        metrics.set(metric::DROPPED_OUT_OF_BUDGET, 1.0);
        metrics.set(metric::SKIPPED, 1.0);
        let reasons = |warnings: Vec<Event>| warnings.iter().map(|event| event.reason).collect::<Vec<_>>();
        assert_eq!(reasons(of(3, &metrics, 8, 2)), [Some("unscorable")]);
        assert_eq!(reasons(of(3, &metrics, 9, 2)), []);
        assert_eq!(reasons(of(3, &metrics, 8, 1)), [Some("unscorable"), Some("skipped")]);
        assert_eq!(reasons(of(3, &Metrics::default(), 0, 0)), []);
    }
}
