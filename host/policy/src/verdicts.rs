//! Verdicts: the verifier slot's answers. A fault of single rows costs these rows alone.

use std::time::Instant;

use super::answers::{Answered, num_rows};
use super::config::FailureRule;
use super::error::{Fault, Stop};
use super::inputs::InputsDigest;
use super::policy_set::{MemberId, PolicySet};
use super::verify::{self, Verified};
use super::{VerifyRequest, VerifyResult};
use crate::builtin;
use exgrpo_core::journal::{BUILTIN, Decision, Slot};
use exgrpo_core::types::Verdict;

/// Rows of one `verify` call whose faults are journalled one by one.
const MAX_ROW_FAULTS: usize = 8;

impl PolicySet {
    /// One result a request, in order. A verdict depends on its request alone.
    ///
    /// # Errors
    /// See [`PolicySet::buckets`]; a fault of single rows is none.
    pub fn verify(
        &mut self,
        step: u32,
        requests: &[VerifyRequest],
    ) -> Result<Answered<Vec<VerifyResult>>, Stop> {
        let started = Instant::now();
        let slot = Slot::Verifier;
        let mut next = self.holder(slot).now;
        let mut answered: Option<(Vec<VerifyResult>, String)> = None;
        let mut fault_text = None;
        while let Some(id) = next {
            let Some(verified) = self.verify_with(id, requests) else { break };
            let digest = self.digest_of(Some(id)).to_owned();
            match verified.failure() {
                None => {
                    let rows = self.journal_rows(id, &verified);
                    fault_text = fault_text.or(rows);
                    if verified.faults.len() < requests.len() {
                        self.answered_well(slot, "verify");
                    }
                    answered = Some((verified.results, digest));
                    next = None;
                }
                Some(fault) => {
                    fault_text.get_or_insert_with(|| fault.to_string());
                    next = self.fault(step, slot, "verify", id, fault)?;
                    // Rows that no verifier answered stay without a reward unless the run asked for the built-in's.
                    if self.loader.config().failure == FailureRule::KeepLastGood {
                        answered = Some((verified.results, digest));
                    }
                }
            }
        }
        if answered.is_some() || fault_text.is_some() {
            self.journal.time += started.elapsed();
        }
        let (answer, by) =
            answered.unwrap_or_else(|| (requests.iter().map(builtin::verify).collect(), BUILTIN.to_owned()));
        self.journal.decide(Decision {
            step,
            slot,
            function: "verify",
            digest: by.clone(),
            inputs_digest: InputsDigest::new().requests(requests).finish(),
            seed: None,
            num_rows: num_rows(requests.len()),
            output: verdict_counts(&answer),
            fuel: answer.iter().map(|result| result.fuel).sum(),
            duration_us: started.elapsed().as_secs_f32() * 1e6,
            fault: fault_text,
        });
        Ok(Answered { answer, by })
    }

    fn verify_with(&mut self, id: MemberId, requests: &[VerifyRequest]) -> Option<Verified> {
        let member = self.members.get(&id)?;
        let state = member.state.as_deref();
        let mut verified = verify::verify(&member.policy, state, requests, self.loader.threads());
        let log = std::mem::take(&mut verified.log);
        self.journal.log(Some(Slot::Verifier), Some(&member.policy.info.digest), log);
        Some(verified)
    }

    /// Journals rows that faulted; the failure rule does not apply to them. A summary when there are any.
    fn journal_rows(&mut self, id: MemberId, verified: &Verified) -> Option<String> {
        let faults = &verified.faults;
        let (_, first) = faults.first()?;
        for (row, fault) in faults.iter().take(MAX_ROW_FAULTS) {
            self.push_fault(Slot::Verifier, id, &format!("verify, row {row}"), fault);
        }
        if faults.len() > MAX_ROW_FAULTS {
            let detail = format!("{} further rows", faults.len() - MAX_ROW_FAULTS);
            let rest = Fault { kind: first.kind, detail, backtrace: None };
            self.push_fault(Slot::Verifier, id, "verify", &rest);
        }
        Some(format!("{} of {} rows, first {first}", faults.len(), verified.results.len()))
    }
}

fn verdict_counts(results: &[VerifyResult]) -> String {
    let count = |verdict| results.iter().filter(|result| result.verdict == verdict).count();
    let counts: Vec<String> =
        [Verdict::Correct, Verdict::Incorrect, Verdict::Unscorable, Verdict::OutOfBudget]
            .into_iter()
            .map(|verdict| format!("\"{}\":{}", verdict.as_str(), count(verdict)))
            .collect();
    format!("{{{}}}", counts.join(","))
}
