//! Solutions of the dataset as members of groups (LUFFY), alone and followed by replay.

use std::path::Path;

use exgrpo_core::types::Origin;
use exgrpo_train::config::{Clip, Config};
use exgrpo_train::run::Run;

use crate::runs::{finish, small};

/// Eight questions; the last one's solution is longer than a completion may be.
fn config(dir: &Path) -> Config {
    let path = dir.join("questions.jsonl");
    let rows: Vec<String> = (1..=8)
        .map(|number| {
            let working = format!("{number}+2={};{}-1={};", number + 2, number + 2, number + 1);
            let working = if number == 8 { working.repeat(9) } else { working };
            format!(
                "{{\"question\": \"{number}+2-1=\", \"answer\": \"{0}\", \"worked\": \"{working}{0}\"}}\n",
                number + 1
            )
        })
        .collect();
    std::fs::write(&path, rows.concat()).unwrap();
    let mut config =
        small(&[exgrpo_tests::policy("gaussian_medium"), exgrpo_tests::policy("exact_answer")], 8);
    config.dataset.train = path.to_string_lossy().into_owned();
    config.dataset.solution = Some("worked".to_owned());
    config.objective.clip = Clip::Never;
    config.demonstrations.enabled = true;
    config
}

#[test]
fn a_demonstration_joins_every_fresh_group_until_its_last_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.demonstrations.until_step = 4;
    let leavings = finish(config, &dir.path().join("run"));
    for step in 1..=8 {
        let of_step = leavings.experiences.iter().filter(|row| row.step == step);
        let places: Vec<(u32, u32)> = of_step.map(|row| (row.group_index, row.member)).collect();
        let expected: Vec<(u32, u32)> =
            (0..4).flat_map(|group| (0..4).map(move |member| (group, member))).collect();
        assert_eq!(places, expected, "step {step}");
    }
    let mut num_replayed = 0;
    for row in &leavings.experiences {
        let is_first = row.member == 0;
        let can_be_shown = !row.prompt.starts_with("8+");
        match (row.drawn_from_bucket, row.origin) {
            (None, Origin::Demonstrated) => assert!(row.step <= 4 && is_first && can_be_shown, "{row:?}"),
            (None, _) => assert!(row.step > 4 || !is_first || !can_be_shown, "{row:?}"),
            (Some(_), origin) => assert_ne!(origin, Origin::Demonstrated),
        }
        if row.origin == Origin::Demonstrated {
            assert_eq!(row.reward, Some(1.0), "the verifier judges it like any other: {}", row.completion);
            assert!(row.old_logprobs.iter().all(|&logprob| logprob == 0.0));
            // Nothing is older than the weights: the ratio is the mean probability.
            assert!(row.in_loss && row.ratio_mean.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)));
        }
        num_replayed += u32::from(row.origin == Origin::Replayed && row.step > 4);
    }
    assert!(num_replayed > 0, "what comes after is learning from experience");
    let first = &leavings.metrics[0].values;
    let rows = leavings.experiences.iter().filter(|row| row.step == 1 && row.origin == Origin::Demonstrated);
    let lengths: Vec<f64> = rows.map(|row| row.completion_ids.len() as f64).collect();
    let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
    assert!((first["rollout/length/demonstrated"] - mean).abs() < 1e-9);
    assert!(!first.contains_key("rollout/entropy/demonstrated"), "nobody knows it");
}

#[test]
fn without_a_last_step_demonstrations_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.steps = 2;
    config.demonstrations.until_step = 0;
    let rows = finish(config, &dir.path().join("run")).experiences;
    for step in 1..=2 {
        let mut of_step = rows.iter().filter(|row| row.step == step);
        assert!(of_step.any(|row| row.origin == Origin::Demonstrated), "step {step}");
    }
}

#[test]
fn demonstrations_without_solutions_are_refused_before_the_run_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.dataset.solution = Some("wroked".to_owned());
    let out = dir.path().join("run");
    let error = Run::create(config, Some(&out)).err().map(|error| format!("{error:#}")).unwrap();
    assert!(error.contains("8 x no solution") && error.contains("dataset.solution"), "{error}");
    assert!(!out.exists());
}
