//! The host's own answer for every slot that no policy fills, by guest-sdk's code run natively.

use crate::{VerifyRequest, VerifyResult};
use exgrpo_core::columns::{BucketInfo, ProblemColumns, Retirement, TrajectoryColumns};
use exgrpo_core::types::Verdict;
use exgrpo_guest_sdk::{Outcome, baseline, paper};

/// One bucket a number of successes.
pub fn buckets(group_size: u32) -> Vec<BucketInfo> {
    paper::success_count_buckets(group_size)
}

/// The number of successes, at most the last of `num_buckets` buckets.
pub fn assign(problems: &ProblemColumns, num_buckets: usize) -> Vec<u32> {
    baseline::assign(problems, num_buckets)
}

/// Nothing is ever retired.
pub fn decide(problems: &ProblemColumns) -> Vec<Retirement> {
    baseline::keep(problems)
}

/// All buckets alike.
pub fn bucket_weights(counts: &[u32]) -> Vec<f32> {
    baseline::equal_weights(counts)
}

/// Share of the batch for replay: nothing, or the `configured` share when a policy `chooses` what is replayed, because
/// one that fills `selection` or `trajectories` alone would never be asked otherwise.
pub fn replay_ratio(configured: f32, chooses: bool) -> f32 {
    if chooses { configured } else { 0.0 }
}

/// The trajectory with the lowest entropy.
pub fn choose(trajectories: &TrajectoryColumns) -> Vec<Option<u32>> {
    paper::lowest_entropy(trajectories)
}

/// The integer after the response's last `;`.
pub fn verify(request: &VerifyRequest) -> VerifyResult {
    let verdict = baseline::exact_integer(request);
    let (outcome, reward) = match verdict.outcome {
        Outcome::Correct => (Verdict::Correct, verdict.reward),
        Outcome::Incorrect => (Verdict::Incorrect, verdict.reward),
        Outcome::Unscorable => (Verdict::Unscorable, f32::NAN),
    };
    VerifyResult { verdict: outcome, reward, answer: verdict.answer, fuel: 0 }
}
