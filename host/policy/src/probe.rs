//! Trying a candidate before it is taken: every function that it exports, once, on a sample of the live pool.

use super::VerifyRequest;
use super::calls::Outcome;
use super::component::GuestPolicy;
use super::error::{Fault, FaultKind, Reject};
use super::store::LogLine;
use super::verify;
use crate::builtin;
use exgrpo_core::columns::{ProblemColumns, TrajectoryColumns};

/// What one function took when a policy was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCost {
    /// The function, as `sampling.row-weights`.
    pub function: String,
    /// Rows that it was asked about.
    pub rows: usize,
    /// Fuel that the answer took, its own instance included.
    pub fuel: u64,
}

/// A sample of what a policy will see. Parts that are empty, at the start of a run say, are replaced by a small
/// made-up sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Probe {
    /// Questions.
    pub problems: ProblemColumns,
    /// Stored trajectories of some questions.
    pub trajectories: TrajectoryColumns,
    /// Responses to verify.
    pub requests: Vec<VerifyRequest>,
    /// Members of a group; 0 stands for 8.
    pub group_size: u32,
    /// The step that the policy would be used from.
    pub step: u32,
}

impl Probe {
    /// With every empty part filled.
    fn filled(&self) -> Self {
        let mut probe = self.clone();
        if probe.group_size == 0 {
            probe.group_size = 8;
        }
        if probe.problems.is_empty() {
            probe.problems = made_up_problems(probe.group_size);
        }
        if probe.trajectories.num_questions() == 0 {
            probe.trajectories = made_up_trajectories();
        }
        if probe.requests.is_empty() {
            let request = |response: &str, finished| VerifyRequest {
                prompt: "1+1=".to_owned(),
                reference: "2".to_owned(),
                response: response.to_owned(),
                finished,
            };
            probe.requests = vec![request("2", true), request("3", true), request("", false)];
        }
        probe
    }
}

/// One question a number of successes, and one that was never tried.
fn made_up_problems(group_size: u32) -> ProblemColumns {
    let mut problems = ProblemColumns::default();
    for num_success in 0..=group_size {
        problems.id.push(u64::from(num_success) + 1);
        problems.num_success.push(num_success);
        problems.group_size.push(group_size);
        problems.attempts.push(group_size);
        problems.solved_streak.push(u32::from(num_success == group_size));
        problems.last_step.push(1);
        problems.stored.push(num_success);
    }
    problems.id.push(u64::from(group_size) + 2);
    for column in [
        &mut problems.num_success,
        &mut problems.group_size,
        &mut problems.attempts,
        &mut problems.solved_streak,
        &mut problems.last_step,
        &mut problems.stored,
    ] {
        column.push(0);
    }
    problems
}

/// Two trajectories, one, and none.
fn made_up_trajectories() -> TrajectoryColumns {
    TrajectoryColumns {
        offsets: vec![0, 2, 3, 3],
        id: vec![1, 2, 3],
        entropy: vec![0.5, 0.25, 1.0],
        logprob: vec![-0.5, -0.25, -1.0],
        reward: vec![1.0; 3],
        length: vec![12, 8, 20],
        step: vec![1, 1, 1],
        extra: Vec::new(),
    }
}

/// Calls everything that `policy` exports and checks the answers; what each call took.
pub(super) fn run(
    policy: &GuestPolicy,
    initial_state: Option<&[u8]>,
    probe: &Probe,
    log: &mut Vec<LogLine>,
) -> Result<Vec<CallCost>, Reject> {
    let probe = probe.filled();
    let mut costs = Vec::new();
    let reject = |function: &str, fault: Fault| Reject::Probe {
        policy: policy.label(),
        function: function.to_owned(),
        fault,
    };
    // The state that one call leaves is what the next one is given, as in a run.
    let mut state: Option<Vec<u8>> = initial_state.map(<[u8]>::to_vec);
    let mut done = |state: &mut Option<Vec<u8>>, function: &str, rows: usize, outcome: Outcome<()>| {
        log.extend(outcome.log);
        costs.push(CallCost { function: function.to_owned(), rows, fuel: outcome.fuel });
        if outcome.state.is_some() {
            *state = outcome.state;
        }
        outcome.answer.map_err(|fault| reject(function, fault))
    };
    fn void<T>(outcome: Outcome<T>, keep: impl FnOnce(T)) -> Outcome<()> {
        let Outcome { answer, fuel, state, log } = outcome;
        Outcome { answer: answer.map(keep), fuel, state, log }
    }

    let Probe { problems, trajectories, requests, group_size, step } = &probe;
    let mut num_buckets = builtin::buckets(*group_size).len();
    let mut assigned = builtin::assign(problems, num_buckets);
    if policy.indices.difficulty.is_some() {
        let outcome = policy.buckets(state.as_deref(), *group_size);
        let outcome = void(outcome, |buckets| num_buckets = buckets.len());
        done(&mut state, "difficulty.buckets", 1, outcome)?;
        let outcome = policy.assign(state.as_deref(), problems, num_buckets);
        done(&mut state, "difficulty.assign", problems.len(), void(outcome, |answer| assigned = answer))?;
    }
    if policy.indices.retirement.is_some() {
        let outcome = policy.decide(state.as_deref(), problems, *step);
        done(&mut state, "retirement.decide", problems.len(), void(outcome, drop))?;
    }
    if policy.indices.sampling.is_some() {
        let mut counts = vec![0; num_buckets];
        for &bucket in &assigned {
            counts[bucket as usize] += 1;
        }
        let outcome = policy.bucket_weights(state.as_deref(), &counts, *group_size, *step);
        done(&mut state, "sampling.bucket-weights", num_buckets, void(outcome, drop))?;
        let outcome = policy.row_weights(state.as_deref(), problems, &assigned, *step);
        done(&mut state, "sampling.row-weights", problems.len(), void(outcome, drop))?;
        let outcome = policy.replay_ratio(state.as_deref(), *step, 128, 0.5, 0.5);
        done(&mut state, "sampling.replay-ratio", 1, void(outcome, drop))?;
    }
    if policy.indices.selection.is_some() {
        let k = problems.len().div_ceil(2) as u32;
        let outcome = policy.select(state.as_deref(), problems, k, *step, 1);
        done(&mut state, "selection.select", problems.len(), void(outcome, drop))?;
    }
    if policy.indices.trajectories.is_some() {
        let outcome = policy.choose(state.as_deref(), trajectories, *step, 1);
        done(&mut state, "trajectories.choose", trajectories.id.len(), void(outcome, drop))?;
    }
    if policy.indices.verifier.is_some() {
        let verified = verify::verify(policy, state.as_deref(), requests, None);
        log.extend(verified.log);
        let fuel = verified.results.iter().map(|result| result.fuel).sum();
        costs.push(CallCost { function: "verifier.verify".to_owned(), rows: requests.len(), fuel });
        // A verifier may refuse a made-up request, but nothing else may happen to it.
        if let Some((_, fault)) =
            verified.faults.into_iter().find(|(_, fault)| fault.kind != FaultKind::Refused)
        {
            return Err(reject("verifier.verify", fault));
        }
    }
    Ok(costs)
}
