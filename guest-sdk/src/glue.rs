//! Between the generated bindings and the traits that authors implement: moves columns, checks them, and keeps the
//! instance. Compiled for Wasm only.

use crate::bindings::metadata::exgrpo::policy::types;
use crate::bindings::{
    difficulty::exports::exgrpo::policy::difficulty, metadata::exports::exgrpo::policy::metadata,
    retirement::exports::exgrpo::policy::retirement, sampling::exports::exgrpo::policy::sampling,
    selection::exports::exgrpo::policy::selection, state::exports::exgrpo::policy::state,
    trajectories::exports::exgrpo::policy::trajectories, verifier::exports::exgrpo::policy::verifier,
};
use crate::export::Exported;
use crate::{
    BucketInfo, Column, Decision, Difficulty, Level, Outcome, Parameters, PolicyError, ProblemColumns,
    Request, Result, Retirement, Sampling, Selection, State, Trajectories, TrajectoryColumns, Verdict,
    Verifier, log,
};

/// Asks the instance. One that was never configured has its default parameters.
fn ask<P: Exported, T>(question: impl FnOnce(&P) -> Result<T>) -> Result<T, types::PolicyError> {
    P::instance().with_borrow_mut(|instance| {
        let policy = match instance {
            Some(policy) => policy,
            None => instance.insert(P::new(P::Parameters::parse("")?)?),
        };
        Ok(question(policy)?)
    })
}

/// Sends a panic's message to the host's log before the trap, which carries no text.
fn forward_panics() {
    std::panic::set_hook(Box::new(|info| log::error(&info.to_string())));
}

impl<P: Exported> metadata::Guest for P {
    fn describe() -> metadata::Info {
        forward_panics();
        metadata::Info {
            name: P::NAME.into(),
            version: P::VERSION.into(),
            params_schema: P::Parameters::schema(),
            stateless: P::STATELESS,
        }
    }

    fn configure(params: String) -> Result<(), types::PolicyError> {
        forward_panics();
        let policy = P::new(P::Parameters::parse(&params)?)?;
        P::instance().set(Some(policy));
        Ok(())
    }
}

impl<P: Exported + Difficulty> difficulty::Guest for P {
    fn buckets(group_size: u32) -> Vec<difficulty::BucketInfo> {
        let answer = ask(|policy: &P| Ok(policy.buckets(group_size)));
        // The interface has no error here; without a bucket the host refuses the policy, and the log says why.
        let buckets = answer.unwrap_or_else(|error| {
            log::error(&format!("the default parameters do not work: {error}"));
            Vec::new()
        });
        buckets.into_iter().map(Into::into).collect()
    }

    fn assign(problems: types::ProblemColumns) -> Result<Vec<u32>, types::PolicyError> {
        let problems = checked_problems(problems)?;
        ask(|policy: &P| policy.assign(&problems))
    }
}

impl<P: Exported + Retirement> retirement::Guest for P {
    fn decide(
        problems: types::ProblemColumns,
        step: u32,
    ) -> Result<Vec<retirement::Decision>, types::PolicyError> {
        let problems = checked_problems(problems)?;
        let decisions = ask(|policy: &P| policy.decide(&problems, step))?;
        Ok(decisions.into_iter().map(Into::into).collect())
    }
}

impl<P: Exported + Sampling> sampling::Guest for P {
    fn bucket_weights(counts: Vec<u32>, group_size: u32, step: u32) -> Result<Vec<f32>, types::PolicyError> {
        ask(|policy: &P| policy.bucket_weights(&counts, group_size, step))
    }

    fn row_weights(
        problems: types::ProblemColumns,
        buckets: Vec<u32>,
        step: u32,
    ) -> Result<Vec<f32>, types::PolicyError> {
        let problems = checked_problems(problems)?;
        if buckets.len() != problems.len() {
            let message = format!("{} buckets for {} questions", buckets.len(), problems.len());
            return Err(PolicyError::invalid_input(message).into());
        }
        ask(|policy: &P| policy.row_weights(&problems, &buckets, step))
    }

    fn replay_ratio(
        step: u32,
        batch: u32,
        pass_rate: f32,
        configured: f32,
    ) -> Result<f32, types::PolicyError> {
        ask(|policy: &P| policy.replay_ratio(step, batch, pass_rate, configured))
    }
}

impl<P: Exported + Selection> selection::Guest for P {
    fn select(
        problems: types::ProblemColumns,
        k: u32,
        step: u32,
        seed: u64,
    ) -> Result<Vec<u32>, types::PolicyError> {
        let problems = checked_problems(problems)?;
        ask(|policy: &P| policy.select(&problems, k, step, seed))
    }
}

impl<P: Exported + Trajectories> trajectories::Guest for P {
    fn choose(
        trajectories: types::TrajectoryColumns,
        step: u32,
        seed: u64,
    ) -> Result<Vec<Option<u32>>, types::PolicyError> {
        let trajectories = TrajectoryColumns::from(trajectories);
        trajectories.check()?;
        ask(|policy: &P| policy.choose(&trajectories, step, seed))
    }
}

impl<P: Exported + Verifier> verifier::Guest for P {
    fn verify(
        requests: Vec<verifier::Request>,
    ) -> Result<Vec<Result<verifier::Verdict, types::PolicyError>>, types::PolicyError> {
        let requests: Vec<Request> = requests.into_iter().map(Into::into).collect();
        let verdicts = ask(|policy: &P| policy.verify_batch(&requests))?;
        Ok(verdicts.into_iter().map(|verdict| verdict.map(Into::into).map_err(Into::into)).collect())
    }
}

impl<P: Exported + State> state::Guest for P {
    fn snapshot() -> Result<Vec<u8>, types::PolicyError> {
        ask(|policy: &P| policy.snapshot())
    }

    fn restore(data: Vec<u8>) -> Result<(), types::PolicyError> {
        ask(|policy: &P| policy.restore(&data))
    }
}

fn checked_problems(problems: types::ProblemColumns) -> Result<ProblemColumns> {
    let problems = ProblemColumns::from(problems);
    problems.check()?;
    Ok(problems)
}

impl From<PolicyError> for types::PolicyError {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::InvalidInput(message) => Self::InvalidInput(message),
            PolicyError::InvalidConfig(message) => Self::InvalidConfig(message),
            PolicyError::Failed(message) => Self::Failed(message),
        }
    }
}

impl From<types::Column> for Column {
    fn from(column: types::Column) -> Self {
        Self { name: column.name, values: column.values }
    }
}

impl From<types::ProblemColumns> for ProblemColumns {
    fn from(problems: types::ProblemColumns) -> Self {
        Self {
            id: problems.id,
            num_success: problems.num_success,
            group_size: problems.group_size,
            attempts: problems.attempts,
            solved_streak: problems.solved_streak,
            last_step: problems.last_step,
            stored: problems.stored,
            extra: problems.extra.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<types::TrajectoryColumns> for TrajectoryColumns {
    fn from(trajectories: types::TrajectoryColumns) -> Self {
        Self {
            offsets: trajectories.offsets,
            id: trajectories.id,
            entropy: trajectories.entropy,
            logprob: trajectories.logprob,
            reward: trajectories.reward,
            length: trajectories.length,
            step: trajectories.step,
            extra: trajectories.extra.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<BucketInfo> for difficulty::BucketInfo {
    fn from(bucket: BucketInfo) -> Self {
        let level = match bucket.level {
            Level::Easy => difficulty::Level::Easy,
            Level::Medium => difficulty::Level::Medium,
            Level::Hard => difficulty::Level::Hard,
        };
        Self { name: bucket.name, level }
    }
}

impl From<Decision> for retirement::Decision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Keep => Self::Keep,
            Decision::Retire => Self::Retire,
            Decision::Revive => Self::Revive,
        }
    }
}

impl From<verifier::Request> for Request {
    fn from(request: verifier::Request) -> Self {
        Self {
            prompt: request.prompt,
            reference: request.reference,
            response: request.response,
            finished: request.finished,
        }
    }
}

impl From<Verdict> for verifier::Verdict {
    fn from(verdict: Verdict) -> Self {
        let outcome = match verdict.outcome {
            Outcome::Correct => verifier::Outcome::Correct,
            Outcome::Incorrect => verifier::Outcome::Incorrect,
            Outcome::Unscorable => verifier::Outcome::Unscorable,
        };
        Self { outcome, reward: verdict.reward, answer: verdict.answer }
    }
}
