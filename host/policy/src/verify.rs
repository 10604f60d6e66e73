//! Verification of many requests on all cores, exact a row.
//!
//! What a row's verdict is: the answer of a fresh instance to this one request under `fuel_per_request`. To be fast,
//! requests are cut into chunks of [`CHUNK`] by position and each chunk has one instance, which is asked one request at
//! a time with that request's own fuel. The shortcut is left whenever it could show: a request that faults in an
//! instance that answered others before, or that used more than a quarter of its budget there, is asked again in a fresh
//! instance, and that answer counts. So one bad row costs one row, and a verdict depends neither on the threads, since
//! chunks are cut by position, nor on the company that a request came in.

use rayon::prelude::*;

use super::bindings::slots::verifier::{Outcome as GuestOutcome, Request, Verdict as GuestVerdict};
use super::calls::{exported, refused};
use super::component::GuestPolicy;
use super::error::{Fault, FaultKind, clip};
use super::store::{LiveInstance, LogLine};
use super::{VerifyRequest, VerifyResult, validate};
use exgrpo_core::types::Verdict;

/// Requests that share an instance.
const CHUNK: usize = 64;
/// Bytes that are kept of an extracted answer, which goes into the log.
const MAX_ANSWER_BYTES: usize = 4_096;
/// A reused instance's answer counts when it took at most this part of the budget.
const SAFE_SHARE: u64 = 4;

/// What became of a batch.
pub(super) struct Verified {
    /// One a request, in order.
    pub(super) results: Vec<VerifyResult>,
    /// Rows that faulted, in order.
    pub(super) faults: Vec<(usize, Fault)>,
    pub(super) log: Vec<LogLine>,
}

impl Verified {
    /// A fault of the policy as a whole: not one of several requests was answered.
    pub(super) fn failure(&self) -> Option<&Fault> {
        let several = self.results.len() > 1;
        (several && self.faults.len() == self.results.len()).then(|| &self.faults[0].1)
    }
}

/// Verifies `requests`; `threads` is `None` for rayon's own pool.
pub(super) fn verify(
    policy: &GuestPolicy,
    state: Option<&[u8]>,
    requests: &[VerifyRequest],
    threads: Option<&rayon::ThreadPool>,
) -> Verified {
    let chunk = |requests: &[VerifyRequest]| verify_chunk(policy, state, requests);
    let chunks: Vec<Verified> = if requests.len() <= CHUNK {
        requests.chunks(CHUNK).map(chunk).collect()
    } else {
        let on_all = || requests.par_chunks(CHUNK).map(chunk).collect();
        threads.map_or_else(on_all, |threads| threads.install(on_all))
    };
    let mut all =
        Verified { results: Vec::with_capacity(requests.len()), faults: Vec::new(), log: Vec::new() };
    for chunk in chunks {
        let first = all.results.len();
        all.results.extend(chunk.results);
        all.faults.extend(chunk.faults.into_iter().map(|(row, fault)| (first + row, fault)));
        all.log.extend(chunk.log);
    }
    all
}

fn verify_chunk(policy: &GuestPolicy, state: Option<&[u8]>, requests: &[VerifyRequest]) -> Verified {
    let mut chunk = Verified { results: Vec::new(), faults: Vec::new(), log: Vec::new() };
    let mut live = None;
    for (row, request) in requests.iter().enumerate() {
        let judged = verify_row(policy, state, request, &mut live, &mut chunk.log);
        if let Some(fault) = judged.fault {
            chunk.faults.push((row, fault));
        }
        chunk.results.push(judged.result);
    }
    if let Some(mut live) = live {
        chunk.log.extend(live.store.take_log());
    }
    chunk
}

struct Judged {
    result: VerifyResult,
    fault: Option<Fault>,
}

impl Judged {
    fn fault(fault: Fault, fuel: u64) -> Self {
        let verdict = if fault.kind.is_budget() { Verdict::OutOfBudget } else { Verdict::Unscorable };
        let result = VerifyResult { verdict, reward: f32::NAN, answer: None, fuel };
        Self { result, fault: Some(fault) }
    }
}

/// One row; `live` is the chunk's instance, left `None` when the next row needs a fresh one.
fn verify_row(
    policy: &GuestPolicy,
    state: Option<&[u8]>,
    request: &VerifyRequest,
    live: &mut Option<LiveInstance>,
    log: &mut Vec<LogLine>,
) -> Judged {
    let budget = policy.config.fuel_per_request;
    loop {
        let (mut instance, fresh) = match live.take() {
            Some(instance) => (instance, false),
            None => match policy.instantiate(state, log) {
                Ok(instance) => (instance, true),
                Err(fault) => return Judged::fault(fault, 0),
            },
        };
        let called = instance.store.call(budget, |store| {
            let guest = exported(&policy.indices.verifier)?.load(&mut *store, &instance.instance)?;
            let request = Request {
                prompt: &request.prompt,
                reference: &request.reference,
                response: &request.response,
                finished: request.finished,
            };
            guest.call_verify(&mut *store, &[request])
        });
        let answer = refused(called.answer).and_then(only).and_then(|answer| refused(Ok(answer)));
        let within = called.fuel <= budget / SAFE_SHARE;
        // The policy's own error is an answer; after any other fault the instance is dead or not to be trusted.
        let usable = answer.as_ref().err().is_none_or(|fault| fault.kind == FaultKind::Refused);
        if !(fresh || within && usable) {
            continue;
        }
        let judged = match answer.and_then(|verdict| scored(verdict, called.fuel)) {
            Ok(result) => Judged { result, fault: None },
            Err(fault) => Judged::fault(fault, called.fuel),
        };
        if usable {
            *live = Some(instance);
        } else {
            log.extend(instance.store.take_log());
        }
        return judged;
    }
}

/// The one entry of an answer to one request.
fn only<T>(mut answers: Vec<T>) -> Result<T, Fault> {
    validate::length(answers.len(), 1)?;
    answers.pop().ok_or_else(|| Fault::new(FaultKind::WrongLength, "no entry"))
}

fn scored(verdict: GuestVerdict, fuel: u64) -> Result<VerifyResult, Fault> {
    let (outcome, reward) = match verdict.outcome {
        GuestOutcome::Unscorable => (Verdict::Unscorable, f32::NAN),
        GuestOutcome::Correct => (Verdict::Correct, verdict.reward),
        GuestOutcome::Incorrect => (Verdict::Incorrect, verdict.reward),
    };
    if outcome.is_scored() {
        validate::reward(reward)?;
    }
    let answer = verdict.answer.map(|answer| clip(answer, MAX_ANSWER_BYTES));
    Ok(VerifyResult { verdict: outcome, reward, answer, fuel })
}
