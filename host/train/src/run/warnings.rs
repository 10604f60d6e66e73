//! What looks wrong about a step: each is an event of it. A step alone decides, so that a resumed run has the same.

use crate::config::Config;
use crate::metrics::Metrics;
use exgrpo_core::journal::{Event, EventKind, Slot};
use exgrpo_log::metric::{self, Metric};

/// Share of a step's fresh completions from which on it is worth telling that they were cut.
const NOTABLE_CUT: f64 = 0.1;

/// Share of a step's fresh completions that the length limit cut, where that is notable.
pub(super) fn notable_cut(metrics: &Metrics) -> Option<f64> {
    metrics.get(metric::FINISHED).map(|finished| 1.0 - finished).filter(|cut| *cut >= NOTABLE_CUT)
}

/// What went wrong in a step of `config`.
pub(super) fn of(step: u32, metrics: &Metrics, config: &Config) -> Vec<Event> {
    let num_rollouts = config.rollout.questions as usize * config.rollout.group_size as usize;
    let updates = config.objective.updates;
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
    if let Some(cut) = notable_cut(metrics) {
        let detail = format!(
            "{:.0} % of the step's fresh completions were cut at {} tokens before they ended, and what they would have \
             answered is not judged: raise rollout.max_new_tokens",
            100.0 * cut,
            config.rollout.max_new_tokens
        );
        warnings.push(warning(None, "cut", detail));
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
        let reasons = |metrics: &Metrics, num_rollouts: u32, updates: u32| {
            let mut config = Config::default();
            (config.rollout.questions, config.rollout.group_size) = (num_rollouts, 1);
            config.objective.updates = updates;
            of(3, metrics, &config).iter().map(|event| event.reason).collect::<Vec<_>>()
        };
        assert_eq!(reasons(&metrics, 8, 2), [Some("unscorable")]);
        assert_eq!(reasons(&metrics, 9, 2), []);
        assert_eq!(reasons(&metrics, 8, 1), [Some("unscorable"), Some("skipped")]);
        assert_eq!(reasons(&Metrics::default(), 0, 0), []);
    }

    #[test]
    fn completions_that_were_cut_are_told_of_with_what_to_raise() {
        let mut config = Config::default();
        config.rollout.max_new_tokens = 48;
        let said = |finished: f64| {
            let mut metrics = Metrics::default();
            metrics.set(metric::FINISHED, finished);
            of(3, &metrics, &config).into_iter().map(|event| event.detail).next()
        };
        let told = said(0.75).unwrap();
        assert!(told.starts_with("25 % of the step's fresh completions were cut at 48 tokens"), "{told}");
        assert!(told.ends_with("raise rollout.max_new_tokens"), "{told}");
        assert_eq!((said(0.95), said(f64::NAN)), (None, None));
    }
}
