//! Calls of a policy's functions: a fresh instance, the call under its budget, the answer checked.
//!
//! Every call gets an instance of its own. That costs tens of microseconds and makes a policy what it is said to be: a
//! function of its arguments and its saved state, so that answers and fuel are the same in a resumed run, on any thread
//! and after any fault. A policy with `state` is handed its state before the call and asked for it afterwards; only a
//! call that ended well changes it.

use wasmtime::Store;

use super::bindings::{
    self, PolicyError, error_text, extra_columns, problem_columns, slots, trajectory_columns,
};
use super::component::{GuestPolicy, MAX_NAME_BYTES};
use super::error::{Fault, FaultKind, clip};
use super::store::{HostState, LiveInstance, LogLine};
use super::validate;
use exgrpo_core::columns::{BucketInfo, Level, ProblemColumns, Retirement, TrajectoryColumns};

/// A call that ended well or in a fault.
pub(super) struct Outcome<T> {
    pub(super) answer: Result<T, Fault>,
    /// Fuel of the function itself.
    pub(super) fuel: u64,
    /// State after the call, when the policy keeps one and the call ended well.
    pub(super) state: Option<Vec<u8>>,
    pub(super) log: Vec<LogLine>,
}

/// A call of a component, given its state.
pub(super) type Call<'a, T> = &'a dyn Fn(&GuestPolicy, Option<&[u8]>) -> Outcome<T>;

/// What a function of the interface returns when it can refuse.
type Answer<T> = Result<T, PolicyError>;

impl GuestPolicy {
    /// State of an instance that was never called; `None` when the policy keeps none.
    pub(super) fn initial_state(&self, log: &mut Vec<LogLine>) -> Result<Option<Vec<u8>>, Fault> {
        let mut live = self.instantiate(None, log)?;
        let state = self.snapshot(&mut live);
        log.extend(live.store.take_log());
        state
    }

    fn snapshot(&self, live: &mut LiveInstance) -> Result<Option<Vec<u8>>, Fault> {
        let Some(indices) = &self.indices.state else { return Ok(None) };
        let called = live.store.call(self.config.fuel_per_call, |store| {
            indices.load(&mut *store, &live.instance)?.call_snapshot(&mut *store)
        });
        let state = refused(called.answer)?;
        Ok(Some(state))
    }

    /// Instance, call, check, state.
    fn run<R, T>(
        &self,
        state: Option<&[u8]>,
        call: impl FnOnce(&mut Store<HostState>, &wasmtime::component::Instance) -> wasmtime::Result<Answer<R>>,
        check: impl FnOnce(R) -> Result<T, Fault>,
    ) -> Outcome<T> {
        let mut log = Vec::new();
        let mut live = match self.instantiate(state, &mut log) {
            Ok(live) => live,
            Err(fault) => return Outcome { answer: Err(fault), fuel: 0, state: None, log },
        };
        let called = live.store.call(self.config.fuel_per_call, |store| call(store, &live.instance));
        let checked = refused(called.answer).and_then(check);
        let answer = checked.and_then(|answer| Ok((answer, self.snapshot(&mut live)?)));
        log.extend(live.store.take_log());
        match answer {
            Ok((answer, state)) => Outcome { answer: Ok(answer), fuel: called.fuel, state, log },
            Err(fault) => Outcome { answer: Err(fault), fuel: called.fuel, state: None, log },
        }
    }

    pub(super) fn buckets(&self, state: Option<&[u8]>, group_size: u32) -> Outcome<Vec<BucketInfo>> {
        self.run(
            state,
            |store, instance| {
                let guest = exported(&self.indices.difficulty)?.load(&mut *store, instance)?;
                guest.call_buckets(&mut *store, group_size).map(Ok)
            },
            |buckets| {
                let buckets: Vec<BucketInfo> = buckets
                    .into_iter()
                    .map(|bucket| BucketInfo {
                        name: clip(bucket.name, MAX_NAME_BYTES),
                        level: level(bucket.level),
                    })
                    .collect();
                validate::buckets(&buckets)?;
                Ok(buckets)
            },
        )
    }

    pub(super) fn assign(
        &self,
        state: Option<&[u8]>,
        problems: &ProblemColumns,
        num_buckets: usize,
    ) -> Outcome<Vec<u32>> {
        let extra = extra_columns(&problems.extra);
        self.run(
            state,
            |store, instance| {
                let guest = exported(&self.indices.difficulty)?.load(&mut *store, instance)?;
                guest.call_assign(&mut *store, problem_columns(problems, &extra))
            },
            |assigned| {
                validate::assignment(&assigned, problems.len(), num_buckets)?;
                Ok(assigned)
            },
        )
    }

    pub(super) fn decide(
        &self,
        state: Option<&[u8]>,
        problems: &ProblemColumns,
        step: u32,
    ) -> Outcome<Vec<Retirement>> {
        let extra = extra_columns(&problems.extra);
        self.run(
            state,
            |store, instance| {
                let guest = exported(&self.indices.retirement)?.load(&mut *store, instance)?;
                guest.call_decide(&mut *store, problem_columns(problems, &extra), step)
            },
            |decisions| {
                validate::length(decisions.len(), problems.len())?;
                Ok(decisions.into_iter().map(retirement).collect())
            },
        )
    }

    pub(super) fn bucket_weights(
        &self,
        state: Option<&[u8]>,
        counts: &[u32],
        group_size: u32,
        step: u32,
    ) -> Outcome<Vec<f32>> {
        self.run(
            state,
            |store, instance| {
                let guest = exported(&self.indices.sampling)?.load(&mut *store, instance)?;
                guest.call_bucket_weights(&mut *store, counts, group_size, step)
            },
            |weights| {
                validate::weights(&weights, counts.len())?;
                Ok(weights)
            },
        )
    }

    /// `None` stands for the empty answer: uniform.
    pub(super) fn row_weights(
        &self,
        state: Option<&[u8]>,
        problems: &ProblemColumns,
        buckets: &[u32],
        step: u32,
    ) -> Outcome<Option<Vec<f32>>> {
        let extra = extra_columns(&problems.extra);
        self.run(
            state,
            |store, instance| {
                let guest = exported(&self.indices.sampling)?.load(&mut *store, instance)?;
                guest.call_row_weights(&mut *store, problem_columns(problems, &extra), buckets, step)
            },
            |weights| {
                if weights.is_empty() {
                    return Ok(None);
                }
                validate::weights(&weights, problems.len())?;
                Ok(Some(weights))
            },
        )
    }

    pub(super) fn replay_ratio(
        &self,
        state: Option<&[u8]>,
        step: u32,
        batch: u32,
        pass_rate: f32,
        configured: f32,
    ) -> Outcome<f32> {
        self.run(
            state,
            |store, instance| {
                let guest = exported(&self.indices.sampling)?.load(&mut *store, instance)?;
                guest.call_replay_ratio(&mut *store, step, batch, pass_rate, configured)
            },
            |share| {
                validate::share(share)?;
                Ok(share)
            },
        )
    }

    pub(super) fn select(
        &self,
        state: Option<&[u8]>,
        problems: &ProblemColumns,
        k: u32,
        step: u32,
        seed: u64,
    ) -> Outcome<Option<Vec<u32>>> {
        let extra = extra_columns(&problems.extra);
        self.run(
            state,
            |store, instance| {
                let guest = exported(&self.indices.selection)?.load(&mut *store, instance)?;
                guest.call_select(&mut *store, problem_columns(problems, &extra), k, step, seed)
            },
            |rows| {
                validate::selection(&rows, problems.len(), k)?;
                Ok(Some(rows))
            },
        )
    }

    pub(super) fn choose(
        &self,
        state: Option<&[u8]>,
        trajectories: &TrajectoryColumns,
        step: u32,
        seed: u64,
    ) -> Outcome<Vec<Option<u32>>> {
        let extra = extra_columns(&trajectories.extra);
        self.run(
            state,
            |store, instance| {
                let guest = exported(&self.indices.trajectories)?.load(&mut *store, instance)?;
                guest.call_choose(&mut *store, trajectory_columns(trajectories, &extra), step, seed)
            },
            |choices| {
                validate::choices(&choices, &trajectories.offsets)?;
                Ok(choices)
            },
        )
    }
}

/// The interface, which the caller knows to be there.
pub(super) fn exported<T>(indices: &Option<T>) -> wasmtime::Result<&T> {
    indices.as_ref().ok_or_else(|| wasmtime::format_err!("the policy does not export this interface"))
}

/// Makes a policy's own error a fault.
pub(super) fn refused<T>(answer: Result<Answer<T>, Fault>) -> Result<T, Fault> {
    answer?.map_err(|error: bindings::PolicyError| Fault::new(FaultKind::Refused, error_text(error)))
}

fn level(level: slots::difficulty::Level) -> Level {
    match level {
        slots::difficulty::Level::Easy => Level::Easy,
        slots::difficulty::Level::Medium => Level::Medium,
        slots::difficulty::Level::Hard => Level::Hard,
    }
}

fn retirement(decision: slots::retirement::Decision) -> Retirement {
    match decision {
        slots::retirement::Decision::Keep => Retirement::Keep,
        slots::retirement::Decision::Retire => Retirement::Retire,
        slots::retirement::Decision::Revive => Retirement::Revive,
    }
}
