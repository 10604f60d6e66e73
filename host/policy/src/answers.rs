//! The slot functions of a [`PolicySet`]: who is asked, what is journalled, and who answers after a fault.

use std::time::Instant;

use serde::Serialize;

use super::calls::Call;
use super::error::Stop;
use super::inputs::InputsDigest;
use super::lengths::{equal, problem_lengths, trajectory_lengths};
use super::policy_set::PolicySet;
use crate::builtin;
use exgrpo_core::columns::{BucketInfo, ProblemColumns, Retirement, TrajectoryColumns};
use exgrpo_core::journal::{BUILTIN, Decision, Slot};

/// An answer and who gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered<T> {
    /// The answer.
    pub answer: T,
    /// SHA-256 of the component that gave it, or [`BUILTIN`]: after a fault not the one that was asked first.
    pub by: String,
}

impl<T> Answered<T> {
    /// The same giver's answer, made into something else.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Answered<U> {
        Answered { answer: make(self.answer), by: self.by }
    }
}

/// What is journalled of a call before it is made.
struct PendingCall {
    step: u32,
    slot: Slot,
    function: &'static str,
    seed: Option<u64>,
    num_rows: usize,
    inputs: InputsDigest,
}

impl PolicySet {
    /// The buckets for groups of this size, at least one.
    ///
    /// # Errors
    /// [`Stop`] when a policy faulted and the failure rule is `stop`; so for every function below.
    pub fn buckets(&mut self, step: u32, group_size: u32) -> Result<Vec<BucketInfo>, Stop> {
        let inputs = InputsDigest::new().u32s(&[group_size]);
        let pending = PendingCall {
            step,
            slot: Slot::Difficulty,
            function: "buckets",
            seed: None,
            num_rows: 0,
            inputs,
        };
        let answered = self.ask(
            pending,
            &|policy, state| policy.buckets(state, group_size),
            || builtin::buckets(group_size),
            |buckets| {
                let pairs: Vec<_> = buckets.iter().map(|b| (b.name.as_str(), b.level.as_str())).collect();
                json(&pairs)
            },
        )?;
        Ok(answered.answer)
    }

    /// One bucket below `num_buckets` a question.
    ///
    /// # Errors
    /// See [`PolicySet::buckets`]; also when columns differ in length.
    pub fn assign(
        &mut self,
        step: u32,
        problems: &ProblemColumns,
        num_buckets: usize,
    ) -> Result<Answered<Vec<u32>>, Stop> {
        let inputs = InputsDigest::new().problems(problems);
        let num_rows = problems.len();
        let pending =
            PendingCall { step, slot: Slot::Difficulty, function: "assign", seed: None, num_rows, inputs };
        pending.check(problem_lengths(problems))?;
        self.ask(
            pending,
            &|policy, state| policy.assign(state, problems, num_buckets),
            || builtin::assign(problems, num_buckets),
            json,
        )
    }

    /// One decision a question.
    ///
    /// # Errors
    /// See [`PolicySet::assign`].
    pub fn decide(
        &mut self,
        step: u32,
        problems: &ProblemColumns,
    ) -> Result<Answered<Vec<Retirement>>, Stop> {
        let inputs = InputsDigest::new().problems(problems).u32s(&[step]);
        let num_rows = problems.len();
        let pending =
            PendingCall { step, slot: Slot::Retirement, function: "decide", seed: None, num_rows, inputs };
        pending.check(problem_lengths(problems))?;
        self.ask(
            pending,
            &|policy, state| policy.decide(state, problems, step),
            || builtin::decide(problems),
            |decisions| json(&decisions.iter().map(|decision| decision.as_str()).collect::<Vec<_>>()),
        )
    }

    /// One finite, non-negative weight a bucket. All of them, or those of all buckets that hold a question, may be 0.
    ///
    /// # Errors
    /// See [`PolicySet::buckets`].
    pub fn bucket_weights(
        &mut self,
        step: u32,
        counts: &[u32],
        group_size: u32,
    ) -> Result<Answered<Vec<f32>>, Stop> {
        let inputs = InputsDigest::new().u32s(counts).u32s(&[group_size, step]);
        let num_rows = counts.len();
        let pending = PendingCall {
            step,
            slot: Slot::Sampling,
            function: "bucket-weights",
            seed: None,
            num_rows,
            inputs,
        };
        self.ask(
            pending,
            &|policy, state| policy.bucket_weights(state, counts, group_size, step),
            || builtin::bucket_weights(counts),
            json,
        )
    }

    /// One finite, non-negative weight a question within its bucket; `None` means uniform.
    ///
    /// # Errors
    /// See [`PolicySet::assign`].
    pub fn row_weights(
        &mut self,
        step: u32,
        problems: &ProblemColumns,
        buckets: &[u32],
    ) -> Result<Option<Vec<f32>>, Stop> {
        let inputs = InputsDigest::new().problems(problems).u32s(buckets).u32s(&[step]);
        let num_rows = problems.len();
        let pending =
            PendingCall { step, slot: Slot::Sampling, function: "row-weights", seed: None, num_rows, inputs };
        pending.check(problem_lengths(problems))?;
        pending.check(equal("buckets", buckets.len(), num_rows))?;
        let answered = self.ask(
            pending,
            &|policy, state| policy.row_weights(state, problems, buckets, step),
            || None,
            |weights| json(&weights.as_deref().unwrap_or_default()),
        )?;
        Ok(answered.answer)
    }

    /// Share of the batch for replay, 0 to 1. `pass_rate` is the latest step's, `configured` the run's.
    ///
    /// # Errors
    /// See [`PolicySet::buckets`].
    pub fn replay_ratio(
        &mut self,
        step: u32,
        batch: u32,
        pass_rate: f32,
        configured: f32,
    ) -> Result<f32, Stop> {
        let inputs = InputsDigest::new().u32s(&[step, batch]).f32s(&[pass_rate, configured]);
        let pending = PendingCall {
            step,
            slot: Slot::Sampling,
            function: "replay-ratio",
            seed: None,
            num_rows: 0,
            inputs,
        };
        let chooses =
            [Slot::Selection, Slot::Trajectories].iter().any(|&slot| self.holder(slot).now.is_some());
        let answered = self.ask(
            pending,
            &|policy, state| policy.replay_ratio(state, step, batch, pass_rate, configured),
            || builtin::replay_ratio(configured, chooses),
            json,
        )?;
        Ok(answered.answer)
    }

    /// At most `k` different rows, or `None` when the weights decide: the slot is not filled, or its policy faulted.
    ///
    /// # Errors
    /// See [`PolicySet::assign`].
    pub fn select(
        &mut self,
        step: u32,
        problems: &ProblemColumns,
        k: u32,
        seed: u64,
    ) -> Result<Option<Answered<Vec<u32>>>, Stop> {
        if !self.fills_selection() {
            return Ok(None);
        }
        let inputs = InputsDigest::new().problems(problems).u32s(&[k, step]).u64s(&[seed]);
        let (seed_used, num_rows) = (Some(seed), problems.len());
        let pending = PendingCall {
            step,
            slot: Slot::Selection,
            function: "select",
            seed: seed_used,
            num_rows,
            inputs,
        };
        pending.check(problem_lengths(problems))?;
        let chosen =
            self.ask(pending, &|policy, state| policy.select(state, problems, k, step, seed), || None, json)?;
        let Answered { answer, by } = chosen;
        Ok(answer.map(|answer| Answered { answer, by }))
    }

    /// For each question a row of the columns inside its range of `offsets`, or `None` for no replay.
    ///
    /// # Errors
    /// See [`PolicySet::assign`].
    pub fn choose(
        &mut self,
        step: u32,
        trajectories: &TrajectoryColumns,
        seed: u64,
    ) -> Result<Answered<Vec<Option<u32>>>, Stop> {
        let inputs = InputsDigest::new().trajectories(trajectories).u32s(&[step]).u64s(&[seed]);
        let pending = PendingCall {
            step,
            slot: Slot::Trajectories,
            function: "choose",
            seed: Some(seed),
            num_rows: trajectories.num_questions(),
            inputs,
        };
        pending.check(trajectory_lengths(trajectories))?;
        self.ask(
            pending,
            &|policy, state| policy.choose(state, trajectories, step, seed),
            || builtin::choose(trajectories),
            json,
        )
    }

    /// Asks the slot's component, its predecessors after a fault, the built-in default last; journals the call.
    fn ask<T>(
        &mut self,
        pending: PendingCall,
        call: Call<'_, T>,
        built_in: impl FnOnce() -> T,
        output: impl FnOnce(&T) -> String,
    ) -> Result<Answered<T>, Stop> {
        let PendingCall { step, slot, function, seed, num_rows, inputs } = pending;
        let started = Instant::now();
        let mut next = self.holder(slot).now;
        let mut fuel = 0;
        let mut answered = None;
        let mut fault_text = None;
        while let Some(id) = next {
            let Some(outcome) = self.call(slot, id, call) else { break };
            fuel += outcome.fuel;
            match outcome.answer {
                Ok(answer) => {
                    self.answered_well(slot, function);
                    answered = Some((answer, self.digest_of(Some(id)).to_owned()));
                    next = None;
                }
                Err(fault) => {
                    fault_text.get_or_insert_with(|| fault.to_string());
                    next = self.fault(step, slot, function, id, &fault)?;
                }
            }
        }
        if answered.is_some() || fault_text.is_some() {
            self.journal.time += started.elapsed();
        }
        let (answer, by) = answered.unwrap_or_else(|| (built_in(), BUILTIN.to_owned()));
        self.journal.decide(Decision {
            step,
            slot,
            function,
            digest: by.clone(),
            inputs_digest: inputs.finish(),
            seed,
            num_rows: self::num_rows(num_rows),
            output: output(&answer),
            fuel,
            duration_us: started.elapsed().as_secs_f32() * 1e6,
            fault: fault_text,
        });
        Ok(Answered { answer, by })
    }
}

impl PendingCall {
    fn check(&self, consistent: Result<(), String>) -> Result<(), Stop> {
        let Self { step, slot, function, .. } = *self;
        consistent.map_err(|detail| Stop::Arguments { step, slot, function, detail })
    }
}

fn json<T: Serialize + ?Sized>(answer: &T) -> String {
    serde_json::to_string(answer).unwrap_or_else(|error| format!("\"{error}\""))
}

pub(super) fn num_rows(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
