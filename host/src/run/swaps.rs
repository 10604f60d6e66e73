//! Between two steps: candidates take over, and the questions are assigned anew.

use super::Run;
use crate::changes::Changes;
use crate::control::Proposal;
use crate::curriculum::Outcome;

impl Run {
    /// Puts accepted candidates in force, the only place where a policy changes.
    pub(super) fn take_swaps(&mut self, step: u32) -> anyhow::Result<Changes> {
        let mut is_changed = false;
        for Proposal { bytes, candidate, log, requester } in self.control.ready() {
            let digest = self.dir.store_policy(&bytes)?;
            let taken = match candidate {
                Ok(candidate) => self.policies.swap(candidate),
                Err(reject) => {
                    self.policies.record_refusal(Some(&digest), &reject, log);
                    Err(reject)
                }
            };
            is_changed |= taken.is_ok();
            match taken {
                Ok(()) => requester.reply(true, format!("in force from step {step} on: policy {digest}"))?,
                Err(reject) => requester.reply(false, reject.to_string())?,
            }
        }
        if is_changed {
            self.policies.note_slots();
        }
        if !is_changed && !self.buckets.is_empty() {
            return Ok(Changes::default());
        }
        let outcome = Outcome {
            config: &self.config,
            dataset: &self.dataset,
            step,
            weights_version: self.progress.weights_version,
            is_mixed: false,
        };
        let (buckets, changes) = outcome.reindex(&mut self.pool, &mut self.policies)?;
        self.buckets = buckets;
        Ok(changes)
    }
}
