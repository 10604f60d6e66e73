//! What a step and a run tell people.

use super::warnings;
use crate::metrics::Metrics;
use exgrpo_log::metric;

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Step, from 1.
    pub step: u32,
    /// All its metrics.
    pub metrics: Metrics,
    /// Events as lines for people: swaps, refusals, faults.
    pub events: Vec<String>,
}

impl StepReport {
    /// Share of the fresh completions that the length limit cut, where that is worth telling.
    pub fn notable_cut(&self) -> Option<f64> {
        warnings::notable_cut(&self.metrics)
    }
}

/// What a run adds up to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Steps of this process.
    pub steps: u32,
    /// Seconds in steps, held-out evaluation left out.
    pub step_s: f64,
    /// Seconds in policies.
    pub guest_s: f64,
    /// Tokens sampled.
    pub tokens: f64,
    /// Policy faults.
    pub faults: f64,
    /// Latest held-out accuracy.
    pub heldout: Option<f64>,
    /// Metrics of the latest step.
    pub last: Option<Metrics>,
}

impl Summary {
    /// Adds a step.
    pub fn add(&mut self, report: &StepReport) {
        let get = |metric| report.metrics.get(metric).unwrap_or_default();
        self.steps += 1;
        self.step_s += get(metric::STEP_S);
        self.guest_s += get(metric::GUEST_S);
        self.tokens += get(metric::SAMPLED_TOKENS);
        self.faults += get(metric::GUEST_FAULTS);
        self.heldout = report.metrics.get(metric::HELDOUT_ACCURACY).or(self.heldout);
        self.last = Some(report.metrics.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exgrpo_log::Metric;

    #[test]
    fn a_summary_adds_steps_up_and_keeps_the_latest() {
        let report = |step: u32, values: &[(Metric, f64)]| {
            let mut metrics = Metrics::default();
            values.iter().for_each(|(metric, value)| metrics.set(metric.clone(), *value));
            StepReport { step, metrics, events: Vec::new() }
        };
        let reports = [
            report(
                1,
                &[
                    (metric::STEP_S, 2.0),
                    (metric::GUEST_S, 0.5),
                    (metric::SAMPLED_TOKENS, 100.0),
                    (metric::GUEST_FAULTS, 1.0),
                    (metric::HELDOUT_ACCURACY, 0.25),
                ],
            ),
            report(
                2,
                &[
                    (metric::STEP_S, 3.0),
                    (metric::GUEST_S, 0.25),
                    (metric::SAMPLED_TOKENS, 50.0),
                    (metric::GUEST_FAULTS, 2.0),
                ],
            ),
        ];
        let mut summary = Summary::default();
        reports.iter().for_each(|report| summary.add(report));
        let expected = Summary {
            steps: 2,
            step_s: 5.0,
            guest_s: 0.75,
            tokens: 150.0,
            faults: 3.0,
            heldout: Some(0.25),
            last: Some(reports[1].metrics.clone()),
        };
        assert_eq!(summary, expected);
    }
}
