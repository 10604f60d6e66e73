//! What the log must show of the pool's rules, on a dataset so small that questions come back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use exgrpo_core::types::Origin;
use exgrpo_log::{ExperienceRow, ProblemChange, ProblemRow};
use exgrpo_train::config::{Config, Mode};

use crate::compare::Leavings;
use crate::runs::{finish, small};

/// A run of twelve steps over ten questions.
fn run(policies: &[PathBuf], mode: Mode, dir: &Path) -> (Config, Leavings) {
    let questions = dir.join("questions.jsonl");
    let rows: Vec<String> = (1..=10)
        .map(|number| format!("{{\"question\": \"{number}+2-1=\", \"answer\": \"{}\"}}\n", number + 1))
        .collect();
    std::fs::write(&questions, rows.concat()).unwrap();
    let mut config = small(policies, 12);
    config.mode = mode;
    config.dataset.train = questions.to_string_lossy().into_owned();
    let leavings = finish(config.clone(), &dir.join("run"));
    for step in 1..=config.steps {
        let rows = leavings.experiences.iter().filter(|row| row.step == step).count();
        assert_eq!(rows, 4 * 4, "step {step}: four questions, however many of them are replayed");
    }
    (config, leavings)
}

/// The questions tried at `step`, with the bucket that they were drawn from; one can be there in both ways.
fn tried(leavings: &Leavings, step: u32) -> BTreeSet<(u64, Option<u32>)> {
    let rows = leavings.experiences.iter().filter(|row| row.step == step);
    rows.map(|row| (row.question_id, row.drawn_from_bucket)).collect()
}

/// The latest row of every question before `step`.
fn before(leavings: &Leavings, step: u32) -> BTreeMap<u64, &ProblemRow> {
    let rows = leavings.problems.iter().filter(|row| row.step < step);
    rows.map(|row| (row.question_id, row)).collect()
}

#[test]
fn a_policy_chooses_from_all_that_can_be_drawn_and_questions_rest_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let policies = [exgrpo_tests::guest("chooser"), exgrpo_tests::policy("exact_answer")];
    let (config, leavings) = run(&policies, Mode::Paper, dir.path());
    let changes = |change| leavings.problems.iter().filter(|row| row.change == change).count();
    assert!(changes(ProblemChange::Retired) > 0 && changes(ProblemChange::Revived) > 0);
    for row in leavings.problems.iter().filter(|row| row.last_step == row.step) {
        assert_eq!(row.retired, 2 * row.num_success > row.group_size, "{row:?}");
    }
    let mut num_drawn = 0;
    for step in 2..=config.steps {
        let ids = before(&leavings, step).into_iter().filter(|(_, row)| !row.retired && row.stored > 0);
        let lowest: BTreeSet<u64> = ids.map(|(id, _)| id).take(2).collect();
        let drawn: BTreeSet<u64> =
            tried(&leavings, step).into_iter().filter_map(|(id, from)| from.map(|_| id)).collect();
        assert_eq!(drawn, lowest, "step {step}");
        num_drawn += drawn.len();
    }
    assert!(num_drawn >= 4, "only {num_drawn} questions were drawn");
    let selections = leavings.decisions.iter().filter(|row| row.function == "select");
    let seeds: Vec<u64> = selections.filter_map(|row| row.seed).collect();
    let different: BTreeSet<u64> = seeds.iter().copied().collect();
    // At most two questions are drawn a step.
    assert!(seeds.len() >= 2 && different.len() == seeds.len(), "a seed of its own a step: {seeds:?}");
}

#[test]
fn in_reference_mode_solved_questions_leave_the_dataset_and_failures_say_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let policies = [exgrpo_tests::policy("gaussian_medium"), exgrpo_tests::policy("exact_answer")];
    let (config, leavings) = run(&policies, Mode::Reference, dir.path());
    // Four questions a step are taken from the dataset; solved ones are left out when an epoch begins, unless fewer
    // than four would be left.
    let (mut remaining, mut left_out, mut num_left_out) = (0, BTreeSet::new(), 0);
    for step in 1..=config.steps {
        let is_new_epoch = remaining < 4;
        if is_new_epoch {
            left_out = before(&leavings, step)
                .into_iter()
                .filter(|(_, row)| row.retired)
                .map(|(id, _)| id)
                .collect();
            let later = 10 - left_out.len();
            if later < 4 {
                break;
            }
            num_left_out += left_out.len();
            remaining += later;
        }
        remaining -= 4;
        if !is_new_epoch {
            let fresh =
                tried(&leavings, step).into_iter().filter_map(|(id, from)| from.is_none().then_some(id));
            assert!(fresh.into_iter().all(|id| !left_out.contains(&id)), "step {step}");
        }
    }
    assert!(num_left_out > 0);
    let replayed = |row: &&ExperienceRow| row.origin == Origin::Replayed;
    assert!(leavings.experiences.iter().filter(replayed).count() > 0);
    assert!(
        leavings.problems.iter().all(|row| row.num_success > 0),
        "a group without a success changes nothing"
    );
}
