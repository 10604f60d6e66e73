//! The default task on other engines: the first step's experience token for token, then the curve within noise.
//!
//! Rows can't be equal bit for bit, as every engine sums in an order of its own. Before the first update a token
//! differs only where a draw falls within the rounding of a boundary between two tokens. AdamW then makes much of
//! little: its first updates have the gradient's sign whatever its size, so that weights whose gradient is rounding go
//! either way, and rollouts part within a few steps. What must agree from there on is how often they are right.
//!
//! Candle on the processor against our engine, 512 rollouts a step, seeds 1 and 2: at the first step 1 and 0 rollouts
//! differ, log-probs by 4e-5 at most, gradient norms by 1e-4; 78 and 1 rollouts differ at the fourth step, half of them
//! at the eighth. Accuracies of a step are up to 2.7 standard errors apart, those of ten steps 0.6. Where nothing is
//! learnt (lr = 1e-9), ten steps are 10 standard errors away.

use exgrpo_core::types::Origin;
use exgrpo_log::ExperienceRow;
use exgrpo_train::config::{Config, Engine};

use crate::compare::Leavings;
use crate::runs::finish;

/// Share of the first step's rollouts that may differ in a token.
const PARTED: f64 = 0.01;
/// Largest difference between log-probs of equal tokens before the first update.
const LOGPROB_ROOM: f32 = 2e-4;
/// Largest relative difference between gradient norms at the first step: a rollout that differs moves it.
const NORM_ROOM: f64 = 5e-3;
/// Standard errors that two accuracies may lie apart.
const SIGMAS: f64 = 4.0;

#[test]
fn candle_follows_the_processors_engine() {
    follows(Engine::Candle, 8, 4);
}

#[test]
#[cfg(feature = "cuda")]
fn a_gpu_follows_the_processors_engine() {
    follows(Engine::Cuda, 64, 10);
}

fn follows(engine: Engine, questions: u32, steps: u32) {
    let dir = tempfile::tempdir().unwrap();
    let [expected, got] = [Engine::Cpu, engine].map(|engine| {
        let mut config = Config { steps, ..Config::default() };
        config.rollout.questions = questions;
        config.eval.enabled = false;
        config.policy.files = ["gaussian_medium", "exact_answer"].map(exgrpo_tests::policy).to_vec();
        config.model.engine = engine;
        finish(config, &dir.path().join(format!("{engine:?}")))
    });
    same_experience(&first_step(&got), &first_step(&expected));
    let norm = |run: &Leavings| run.metrics[0].values["optim/grad_norm"];
    let difference = (norm(&got) / norm(&expected) - 1.0).abs();
    assert!(difference < NORM_ROOM, "gradient norms differ by {difference}");
    same_curve(&got.experiences, &expected.experiences, steps);
}

fn first_step(run: &Leavings) -> Vec<&ExperienceRow> {
    run.experiences.iter().filter(|row| row.step == 1).collect()
}

fn same_experience(got: &[&ExperienceRow], expected: &[&ExperienceRow]) {
    assert_eq!(got.len(), expected.len());
    let mut parted = 0;
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!(got.prompt_ids, expected.prompt_ids);
        if got.completion_ids != expected.completion_ids {
            parted += 1;
            continue;
        }
        for (got, expected) in got.old_logprobs.iter().zip(&expected.old_logprobs) {
            assert!((got - expected).abs() < LOGPROB_ROOM, "{got} but expected {expected}");
        }
    }
    assert!(parted as f64 <= PARTED * got.len() as f64, "{parted} of {} rollouts differ", got.len());
}

/// Accuracies of fresh rollouts, step by step and over all steps. Both runs ask much the same questions, so that a
/// difference has at most the variance of two independent shares.
fn same_curve(got: &[ExperienceRow], expected: &[ExperienceRow], steps: u32) {
    let mut all = [Share::default(), Share::default()];
    for step in 1..=steps {
        let shares = [got, expected].map(|rows| Share::of(rows, step));
        assert!(shares[0].agrees_with(shares[1]), "step {step}: {shares:?}");
        for (all, share) in all.iter_mut().zip(shares) {
            all.correct += share.correct;
            all.rollouts += share.rollouts;
        }
    }
    assert!(all[0].agrees_with(all[1]), "all steps: {all:?}");
}

/// How many of how many rollouts are correct.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    correct: f64,
    rollouts: f64,
}

impl Share {
    fn of(rows: &[ExperienceRow], step: u32) -> Self {
        let fresh = rows.iter().filter(|row| row.step == step && row.origin == Origin::Fresh);
        fresh.fold(Self::default(), |share, row| Self {
            correct: share.correct + f64::from(row.reward.unwrap_or_default()),
            rollouts: share.rollouts + 1.0,
        })
    }

    fn agrees_with(self, other: Self) -> bool {
        let share = (self.correct + other.correct) / (self.rollouts + other.rollouts);
        let variance = share * (1.0 - share) * (1.0 / self.rollouts + 1.0 / other.rollouts);
        let difference = self.correct / self.rollouts - other.correct / other.rollouts;
        difference.abs() <= SIGMAS * variance.sqrt()
    }
}
