//! One run on a page of text: what it was given, who decided, what happened, how it went.

use std::collections::BTreeMap;

use crate::curve::curve;
use crate::recorded::RecordedRun;
use crate::text::{Side, percent, table};
use exgrpo_core::escape::foreign;
use exgrpo_core::journal::{BUILTIN, EventKind, Slot};
use exgrpo_core::types::Origin;
use exgrpo_log::{DecisionRow, EventRow, Metric, MetricsRow, metric, read};

/// Bars of a curve.
const WIDTH: usize = 60;

/// Events that are listed, the last ones.
const MOST_EVENTS: usize = 20;

/// Digits of a digest that people are shown.
const SHORT: usize = 12;

/// A page about the run.
///
/// # Errors
/// A part of the run can't be read.
pub fn page(run: &RecordedRun) -> anyhow::Result<String> {
    let metrics = run.metrics()?;
    let decisions: Vec<DecisionRow> = read::rows(&run.dir)?;
    let events: Vec<EventRow> = read::rows(&run.dir)?;
    let mut sections = vec![about(run)];
    sections.push(slots(run, &decisions));
    if let Some(curves) = curves(&metrics) {
        sections.push(curves);
    }
    sections.push(happened(&events));
    sections.push(costs(&metrics, &decisions));
    Ok(sections.join("\n\n"))
}

fn about(run: &RecordedRun) -> String {
    let config = run.config();
    let known = |key: &str| run.toml.run.get(key).and_then(toml::Value::as_str).unwrap_or("unknown");
    format!(
        "{}: {}, step {} of {}\nexgrpo {}, model {}, seed {}, {} questions x {} rollouts a step, engine {}",
        run.name(),
        run.state,
        run.last_step(),
        config.steps,
        foreign(known("exgrpo_version")),
        foreign(known("model")),
        config.seed,
        config.rollout.questions,
        config.rollout.group_size,
        format!("{:?}", config.model.engine).to_lowercase(),
    )
}

/// Who answered for each slot, in the order in which they came.
fn slots(run: &RecordedRun, decisions: &[DecisionRow]) -> String {
    let mut rows = vec![["slot", "answered by", "steps", "calls", "faults"].map(str::to_owned).to_vec()];
    for slot in Slot::ALL {
        // Stretches of calls with the same answerer.
        let mut stretches: Vec<(&str, u32, u32, usize, usize)> = Vec::new();
        for row in decisions.iter().filter(|row| row.slot == slot) {
            let faults = usize::from(row.fault.is_some());
            match stretches.last_mut() {
                Some((digest, _, last, calls, failed)) if *digest == row.digest => {
                    (*last, *calls, *failed) = (row.step, *calls + 1, *failed + faults);
                }
                _ => stretches.push((&row.digest, row.step, row.step, 1, faults)),
            }
        }
        for (digest, first, last, calls, faults) in stretches {
            rows.push(vec![
                slot.as_str().to_owned(),
                name_of(run, digest),
                format!("{first}-{last}"),
                calls.to_string(),
                faults.to_string(),
            ]);
        }
    }
    use Side::{Left, Right};
    table(&[Left, Left, Right, Right, Right], &rows)
}

fn name_of(run: &RecordedRun, digest: &str) -> String {
    let short: String = digest.chars().take(SHORT).collect();
    match run.policies.iter().find(|policy| policy.digest == digest) {
        Some(policy) => format!("{} {} ({short})", policy.name, policy.version),
        None if digest == BUILTIN => "built in".to_owned(),
        None => format!("{short}, swapped in"),
    }
}

fn curves(metrics: &[MetricsRow]) -> Option<String> {
    let fresh = Origin::Fresh;
    let shares: [(&str, Metric); 4] = [
        ("correct, fresh, %", metric::CORRECT_OF.of(fresh)),
        ("held-out, %", metric::HELDOUT_ACCURACY),
        ("finished, %", metric::FINISHED),
        ("replayed, %", metric::REPLAY_SHARE),
    ];
    let counts: [(&str, Metric); 5] = [
        ("entropy, fresh, nats", metric::ENTROPY_OF.of(fresh)),
        ("length, fresh, tokens", metric::LENGTH_OF.of(fresh)),
        ("pool, questions", metric::POOL_QUESTIONS),
        ("retired, questions", metric::POOL_RETIRED),
        ("gradient's norm", metric::GRAD_NORM),
    ];
    let scaled = shares.iter().map(|pair| (pair, 100.0)).chain(counts.iter().map(|pair| (pair, 1.0)));
    let mut rows = vec![["curve", "first", "last", "least", "most", ""].map(str::to_owned).to_vec()];
    for ((label, metric), scale) in scaled {
        // What was measured before the first step belongs to the same curve.
        let before = metrics.first().and_then(|row| row.values.get(metric::HELDOUT_BEFORE.key()));
        let before = before.filter(|_| *metric == metric::HELDOUT_ACCURACY);
        let values = before.into_iter().chain(metrics.iter().filter_map(|row| row.values.get(metric.key())));
        let values: Vec<f64> = values.map(|value| value * scale).collect();
        let Some((bars, _, _)) = curve(&values, WIDTH) else { continue };
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let figure =
            |value: f64| if value.abs() < 10.0 { format!("{value:.3}") } else { format!("{value:.1}") };
        let mut row = vec![(*label).to_owned()];
        row.extend([values[0], values[values.len() - 1], least, most].map(figure));
        row.push(bars);
        rows.push(row);
    }
    use Side::{Left, Right};
    (rows.len() > 1).then(|| table(&[Left, Right, Right, Right, Right, Left], &rows))
}

/// What happened, but for checkpoints.
fn happened(events: &[EventRow]) -> String {
    let told: Vec<&EventRow> = events.iter().filter(|event| event.kind != EventKind::Checkpoint).collect();
    if told.is_empty() {
        return "no events but checkpoints".to_owned();
    }
    let mut rows = vec![["step", "event", "what"].map(str::to_owned).to_vec()];
    for event in &told[told.len().saturating_sub(MOST_EVENTS)..] {
        rows.push(vec![event.step.to_string(), event.kind.as_str().to_owned(), event.detail.clone()]);
    }
    let mut text = table(&[Side::Right, Side::Left, Side::Left], &rows);
    if told.len() > MOST_EVENTS {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        told.iter().for_each(|event| *kinds.entry(event.kind.as_str()).or_default() += 1);
        let counts: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        text.push_str(&format!("\nthe last {MOST_EVENTS} of {}: {}", told.len(), counts.join(", ")));
    }
    text
}

fn costs(metrics: &[MetricsRow], decisions: &[DecisionRow]) -> String {
    let sum = |metric: Metric| metrics.iter().filter_map(|row| row.values.get(metric.key())).sum::<f64>();
    let (step_s, guest_s) = (sum(metric::STEP_S), sum(metric::GUEST_S));
    let share = (step_s > 0.0).then(|| guest_s / step_s);
    let faults = decisions.iter().filter(|row| row.fault.is_some()).count();
    format!(
        "{} steps in {step_s:.0} s: {:.0} s sampling, {:.0} s training, {} % in policies; {:.0} tokens sampled\n\
         {} policy calls, {faults} faults",
        metrics.len(),
        sum(metric::ROLLOUT_S),
        sum(metric::UPDATE_S),
        percent(share),
        sum(metric::SAMPLED_TOKENS),
        decisions.len(),
    )
}
