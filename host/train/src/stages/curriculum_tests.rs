//! What a group's outcome changes in the pool, by hand.

use super::*;
use exgrpo_core::types::{Origin, Verdict, group_of, rollout_of};
use exgrpo_models::ModelSource;
use exgrpo_models::prompt::Prompts;
use exgrpo_policy::{GuestConfig, Loader};

const K: usize = 8;

/// A pool over the default task with the built-in policies.
struct Bench {
    config: Config,
    dataset: Dataset,
    pool: ExperiencePool,
    policies: PolicySet,
    step: u32,
    is_mixed: bool,
}

impl Bench {
    fn new() -> Self {
        let config = Config::default();
        let source = ModelSource::read(&config.model.path).unwrap();
        let prompts = Prompts::plain(&source.tokenizer, 0);
        let dataset = Dataset::read(&config.dataset.train, &config.mapping(), &prompts).unwrap();
        let loader = Loader::new(&GuestConfig::default(), &Default::default()).unwrap();
        let policies = PolicySet::new(&loader, Vec::new()).unwrap();
        let pool = ExperiencePool::new(0..0);
        let mut bench = Self { config, dataset, pool, policies, step: 0, is_mixed: true };
        bench.restart();
        bench
    }

    fn restart(&mut self) {
        self.pool = ExperiencePool::new(self.dataset.questions.iter().map(|question| question.id));
        self.pool.reset_buckets(K + 1);
        self.step = 0;
    }

    /// A step whose only group has these members, with tokens of their own.
    fn absorb(&mut self, members: &[(Verdict, f32)]) {
        self.absorb_all(&[members.to_vec()]);
    }

    /// A step with these groups of the same question, with tokens of their own.
    fn absorb_all(&mut self, groups: &[Vec<(Verdict, f32)>]) {
        self.step += 1;
        let first_token = 100 * self.step;
        let group = |(group, members): (usize, &Vec<(Verdict, f32)>)| {
            let rollouts = members.iter().enumerate().map(|(index, &(verdict, reward))| {
                let mut rollout = rollout_of(Origin::Fresh, verdict, reward);
                rollout.completion.ids[0] = first_token + (10 * group + index) as u32;
                rollout
            });
            group_of(rollouts.collect())
        };
        let groups: Vec<_> = groups.iter().enumerate().map(group).collect();
        let outcome = CurriculumStage {
            config: &self.config,
            dataset: &self.dataset,
            step: self.step,
            weights_version: 0,
            is_mixed: self.is_mixed,
        };
        outcome.absorb(&groups, &mut self.pool, &mut self.policies).unwrap();
    }

    fn problem(&self) -> &exgrpo_pool::Problem {
        self.pool.problem(0)
    }

    fn num_stored(&self) -> usize {
        self.pool.experiences(0).len()
    }
}

/// So many correct, incorrect and out of budget.
fn members(correct: usize, incorrect: usize, unknown: usize) -> Vec<(Verdict, f32)> {
    let mut members = vec![(Verdict::Correct, 1.0); correct];
    members.extend(vec![(Verdict::Incorrect, 0.0); incorrect]);
    members.extend(vec![(Verdict::OutOfBudget, f32::NAN); unknown]);
    members
}

#[test]
fn one_correct_of_one_scored_is_no_solved_group() {
    let mut bench = Bench::new();
    bench.absorb(&members(1, 0, 7));
    let problem = bench.problem();
    assert_eq!((problem.num_success, problem.group_size, problem.solved_streak), (0, 0, 0));
    assert_eq!((problem.bucket(), problem.retired), (None, false));
    assert_eq!((problem.attempts, problem.last_step), (8, 1), "it was tried all the same");
    assert_eq!(bench.num_stored(), 0, "it may have been solved by all");
}

#[test]
fn a_group_that_was_not_wholly_scored_leaves_the_accuracy_as_it_is() {
    let mut bench = Bench::new();
    bench.absorb(&members(2, 6, 0));
    bench.absorb(&members(4, 0, 4));
    let problem = bench.problem();
    assert_eq!((problem.num_success, problem.group_size, problem.bucket()), (2, 8, Some(2)));
    assert_eq!((problem.attempts, problem.last_step), (16, 2));
    bench.absorb(&members(0, 0, 8));
    assert_eq!(bench.problem().bucket(), Some(2));
    assert_eq!(bench.num_stored(), 2);
}

#[test]
fn a_partly_solved_group_is_stored_when_it_is_so_whatever_the_unscored_were() {
    let mut bench = Bench::new();
    bench.absorb(&members(3, 4, 1));
    assert_eq!((bench.num_stored(), bench.problem().bucket()), (3, None));
    assert_eq!(bench.pool.num_drawable(), 0, "nobody knows its bucket");
    bench.absorb(&members(5, 3, 0));
    assert_eq!((bench.num_stored(), bench.problem().bucket()), (8, Some(5)));
    assert_eq!(bench.pool.num_drawable(), 1);
    bench.absorb(&members(0, 4, 4));
    assert_eq!(bench.num_stored(), 8, "0 to 4 of 8 may be none");
}

#[test]
fn only_groups_that_all_members_solved_make_a_streak() {
    let mut bench = Bench::new();
    let mut streaks = Vec::new();
    for (correct, incorrect, unknown) in
        [(8, 0, 0), (7, 0, 1), (8, 0, 0), (0, 0, 8), (6, 1, 1), (8, 0, 0), (7, 1, 0)]
    {
        bench.absorb(&members(correct, incorrect, unknown));
        streaks.push(bench.problem().solved_streak);
    }
    assert_eq!(streaks, [1, 1, 2, 2, 0, 1, 0]);
}

#[test]
fn groups_are_stored_from_the_least_to_the_most_successes() {
    let mut bench = Bench::new();
    for (min, max, stored) in [(1, None, 1..=7), (2, Some(3), 2..=3), (3, Some(3), 3..=3)] {
        for num_success in 0..=K {
            bench.restart();
            bench.config.replay.min_success = min;
            bench.config.replay.max_success = max;
            bench.absorb(&members(num_success, K - num_success, 0));
            let expected = if stored.contains(&num_success) { num_success } else { 0 };
            assert_eq!(bench.num_stored(), expected, "{num_success} of {K} within {stored:?}");
            assert_eq!(
                bench.problem().bucket(),
                Some(num_success as u32),
                "its bucket is known all the same"
            );
        }
    }
}

#[test]
fn a_correct_rollout_counts_as_solved_and_is_stored_for_its_reward() {
    use Verdict::{Correct, Incorrect};
    let group = [(Correct, 1.0), (Correct, 0.5), (Correct, 0.7), (Incorrect, 0.9)];
    for (min_reward, expected) in [(None, 1), (Some(0.7), 2), (Some(0.0), 3)] {
        let mut bench = Bench::new();
        if let Some(min_reward) = min_reward {
            bench.config.replay.min_reward = min_reward;
        }
        bench.absorb(&group);
        assert_eq!(bench.num_stored(), expected, "{min_reward:?}");
        assert_eq!((bench.problem().num_success, bench.problem().group_size), (3, 4), "outcomes decide");
        let rewards = bench.pool.experiences(0).iter().map(|experience| experience.reward);
        assert!(rewards.into_iter().all(|reward| reward >= min_reward.unwrap_or(1.0)));
    }
}

#[test]
fn a_weight_does_not_outlive_the_policy_that_gave_it() {
    let mut bench = Bench::new();
    bench.absorb(&members(2, 6, 0));
    bench.pool.set_weight(0, 5.0);
    bench.absorb(&members(3, 5, 0));
    assert_eq!(bench.problem().weight, 1.0, "the built-in gives none");
}

#[test]
fn solutions_are_stored_when_replay_is_on_and_in_reference_mode_once_it_has_begun() {
    for (mode, enabled, is_mixed, expected) in [
        (Mode::Paper, true, false, 3),
        (Mode::Paper, true, true, 3),
        (Mode::Paper, false, true, 0),
        (Mode::Reference, true, false, 0),
        (Mode::Reference, true, true, 3),
        (Mode::Reference, false, true, 0),
    ] {
        let mut bench = Bench::new();
        (bench.config.mode, bench.config.replay.enabled, bench.is_mixed) = (mode, enabled, is_mixed);
        bench.absorb(&members(3, 5, 0));
        assert_eq!(bench.num_stored(), expected, "{mode:?}, {enabled}, {is_mixed}");
        assert_eq!(bench.problem().bucket(), Some(3), "its bucket is known all the same");
    }
}

#[test]
fn a_question_that_was_tried_twice_in_a_step_is_asked_about_once() {
    let mut bench = Bench::new();
    bench.absorb_all(&[members(2, 6, 0), members(5, 3, 0)]);
    let (decisions, _) = bench.policies.drain(1);
    let asked: Vec<(&str, u32)> = decisions.iter().map(|row| (row.function, row.num_rows)).collect();
    assert!(asked.contains(&("assign", 1)) && asked.contains(&("decide", 1)), "{asked:?}");
    assert_eq!(asked.iter().filter(|(function, _)| *function == "assign").count(), 1);
    assert_eq!((bench.problem().num_success, bench.problem().attempts), (5, 16), "the latest counts");
}
