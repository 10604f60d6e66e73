//! What a step is measured by: the key, unit and definition of every metric, each in this place only.

use std::borrow::Cow;
use std::fmt;

use exgrpo_core::types::Origin;

/// A metric: a column of the `metrics` table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric(Cow<'static, str>);

impl Metric {
    /// Its key, `stage/what[/origin]`.
    pub fn key(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A metric for each origin of rollouts.
#[derive(Debug, Clone, Copy)]
pub struct PerOrigin(&'static str);

impl PerOrigin {
    /// The one of `origin`.
    pub fn of(self, origin: Origin) -> Metric {
        Metric(format!("{}/{}", self.0, origin.as_str()).into())
    }
}

/// A metric for each number of successes.
#[derive(Debug, Clone, Copy)]
pub struct PerBucket(&'static str);

impl PerBucket {
    /// The one of `bucket`.
    pub fn of(self, bucket: u32) -> Metric {
        Metric(format!("{}_{bucket}", self.0).into())
    }
}

/// How often a key is there.
#[derive(Clone, Copy)]
enum Kind {
    Metric,
    PerOrigin,
    PerBucket,
}

struct Definition {
    stem: &'static str,
    kind: Kind,
    unit: Option<&'static str>,
    doc: &'static [&'static str],
}

/// Constants of the metrics, and the list of their definitions: a metric's doc comment is what the log says of it.
macro_rules! metrics {
    ($($(#[doc = $doc:literal])* $name:ident: $kind:ident = $stem:literal $(in $unit:literal)?;)*) => {
        $($(#[doc = $doc])* pub const $name: $kind = metrics!(@new $kind $stem);)*

        const DEFINITIONS: &[Definition] = &[$(Definition {
            stem: $stem,
            kind: Kind::$kind,
            unit: metrics!(@unit $($unit)?),
            doc: &[$($doc),*],
        }),*];
    };
    (@new Metric $stem:literal) => { Metric(Cow::Borrowed($stem)) };
    (@new $kind:ident $stem:literal) => { $kind($stem) };
    (@unit) => { None };
    (@unit $unit:literal) => { Some($unit) };
}

metrics! {
    /// Mean of `advantage` over the step's scored rollouts; null when there is none.
    ADVANTAGE_MEAN: Metric = "advantage/mean";
    /// Rollouts of the step that are not in the loss because the verifier's budget ran out.
    DROPPED_OUT_OF_BUDGET: Metric = "batch/dropped/out-of-budget" in "rollouts";
    /// Rollouts of the step that are not in the loss because the verifier could not tell.
    DROPPED_UNSCORABLE: Metric = "batch/dropped/unscorable" in "rollouts";
    /// Rollouts of the step that are not in the loss because all members of their group have advantage 0.
    DROPPED_ZERO_ADVANTAGE: Metric = "batch/dropped/zero-advantage" in "rollouts";
    /// Groups with a member that was not scored; they leave what is known of their question's accuracy as it is.
    NOT_WHOLLY_SCORED: Metric = "batch/not_wholly_scored" in "groups";
    /// Groups whose members are all scored and correct, replayed ones included.
    SOLVE_ALL: Metric = "batch/solve_all" in "groups";
    /// Groups whose members are all scored and incorrect.
    SOLVE_NONE: Metric = "batch/solve_none" in "groups";
    /// Epoch of the queue of fresh questions, from 1.
    DATASET_EPOCH: Metric = "dataset/epoch";
    /// Policy calls whose own answer was not used.
    GUEST_FAULTS: Metric = "guest/faults";
    /// Fuel of all policy calls of the step.
    GUEST_FUEL: Metric = "guest/fuel";
    /// Mean over held-out questions of the share correct among their scored completions, after the step; null at
    /// steps without an evaluation.
    HELDOUT_ACCURACY: Metric = "heldout/accuracy";
    /// The same before the first step.
    HELDOUT_BEFORE: Metric = "heldout/before";
    /// Mean of old_logprobs - logprobs over completion tokens in the loss.
    APPROXIMATE_KL: PerOrigin = "objective/approximate_kl" in "nats";
    /// Share of completion tokens of scored rollouts whose ratio was clipped; those without an advantage never are.
    CLIP_FRACTION_FRESH: Metric = "objective/clip_fraction/fresh";
    /// Tokens left out because their old log-prob is not finite.
    DROPPED_TOKENS: Metric = "objective/dropped_tokens" in "tokens";
    /// Mean token entropy over completion tokens in the loss.
    ENTROPY: Metric = "objective/entropy" in "nats";
    /// Loss summed over the step's mini-batches, entropy bonus and divergence in it.
    LOSS: Metric = "objective/loss";
    /// Loss of this origin's tokens, summed over the step's mini-batches, without the entropy bonus.
    LOSS_OF: PerOrigin = "objective/loss";
    /// Largest exp(logprobs - old_logprobs) of completion tokens in the loss.
    RATIO_MAX: PerOrigin = "objective/ratio_max";
    /// Mean of exp(logprobs - old_logprobs) over completion tokens in the loss.
    RATIO_MEAN: PerOrigin = "objective/ratio_mean";
    /// Variance of exp(logprobs - old_logprobs) over completion tokens in the loss.
    RATIO_VARIANCE: PerOrigin = "objective/ratio_variance";
    /// Mean over completion tokens in the loss of the estimated divergence from the model that the run began with, exp(d) -
    /// d - 1 with d = reference - logprob; null without `objective.kl_coefficient`.
    REFERENCE_KL: Metric = "objective/reference_kl" in "nats";
    /// Completion tokens of scored rollouts, which a token mean is over: those in the loss, and those dropped for an
    /// advantage of 0.
    TOKENS: Metric = "objective/tokens" in "tokens";
    /// Mean over updates of the gradient's global norm before clipping.
    GRAD_NORM: Metric = "optim/grad_norm";
    /// Learning rate of the step.
    LR: Metric = "optim/lr";
    /// Updates skipped for a gradient that was too large or not finite.
    SKIPPED: Metric = "optim/skipped";
    /// Questions in the pool in buckets beyond those of the group size.
    POOL_BUCKET_OTHER: Metric = "pool/bucket_other" in "questions";
    /// Questions in this bucket after the step that are in the pool: not retired and with a stored trajectory.
    POOL_BUCKET: PerBucket = "pool/bucket" in "questions";
    /// Stored trajectories after the step.
    POOL_EXPERIENCES: Metric = "pool/experiences" in "trajectories";
    /// Questions in the pool after the step: not retired, with a stored trajectory.
    POOL_QUESTIONS: Metric = "pool/questions" in "questions";
    /// Questions that are retired after the step.
    POOL_RETIRED: Metric = "pool/retired" in "questions";
    /// Mean of step - sampled_step over replayed rollouts.
    REPLAY_AGE_MEAN: Metric = "replay/age_mean" in "steps";
    /// Correct fresh rollouts that are not stored because their reward is below replay.min_reward.
    BELOW_MIN_REWARD: Metric = "replay/below_min_reward" in "rollouts";
    /// Groups whose question was drawn from the pool.
    REPLAY_GROUPS: Metric = "replay/groups" in "groups";
    /// 1 when the step learned from experience, else 0.
    REPLAY_IS_MIXED: Metric = "replay/is_mixed";
    /// Share of questions asked for replay.
    REPLAY_RATIO: Metric = "replay/ratio";
    /// Replayed rollouts / all rollouts of the step, whether scored or dropped.
    REPLAY_SHARE: Metric = "replay/share";
    /// Mean of `reward` over the step's scored rollouts of all origins; null when there is none.
    REWARD_MEAN: Metric = "reward/mean";
    /// Mean of `reward` over the step's scored rollouts of this origin; null when there is none.
    REWARD_MEAN_OF: PerOrigin = "reward/mean";
    /// Correct rollouts / all rollouts of the step, of all origins, scored or not.
    CORRECT: Metric = "rollout/correct";
    /// Correct rollouts / all rollouts of the step of this origin, scored or not; null without such rollouts; that of
    /// fresh ones starts replay.
    CORRECT_OF: PerOrigin = "rollout/correct";
    /// Mean over rollouts of the mean token entropy when sampled; null for demonstrations.
    ENTROPY_OF: PerOrigin = "rollout/entropy" in "nats";
    /// Share of fresh rollouts that ended with a stop token.
    FINISHED: Metric = "rollout/finished";
    /// Mean number of completion tokens.
    LENGTH_OF: PerOrigin = "rollout/length" in "tokens";
    /// Tokens sampled in the step.
    SAMPLED_TOKENS: Metric = "rollout/tokens" in "tokens";
    /// Wall time of writing the checkpoint after this step, its last rename aside; null when none was due; not equal
    /// in two runs.
    CHECKPOINT_S: Metric = "time/checkpoint_s" in "seconds";
    /// Wall time of policies; not equal in two runs.
    GUEST_S: Metric = "time/guest_s" in "seconds";
    /// Wall time of sampling; not equal in two runs.
    ROLLOUT_S: Metric = "time/rollout_s" in "seconds";
    /// Wall time of planning; not equal in two runs.
    SELECT_S: Metric = "time/select_s" in "seconds";
    /// Wall time of the step, evaluation and checkpoint left out; not equal in two runs.
    STEP_S: Metric = "time/step_s" in "seconds";
    /// Wall time of updates; not equal in two runs.
    UPDATE_S: Metric = "time/update_s" in "seconds";
    /// Wall time of verification; not equal in two runs.
    VERIFY_S: Metric = "time/verify_s" in "seconds";
    /// Sampled tokens / wall time of the step; not equal in two runs.
    TOKENS_PER_S: Metric = "time/tokens_per_s" in "tokens a second";
}

/// Keys of all metrics of a run whose groups have `group_size` members.
pub fn keys(group_size: u32) -> Vec<String> {
    let of = |definition: &Definition| match definition.kind {
        Kind::Metric => vec![definition.stem.to_owned()],
        Kind::PerOrigin => {
            let key = |origin| PerOrigin(definition.stem).of(origin).to_string();
            Origin::ALL.map(key).to_vec()
        }
        Kind::PerBucket => {
            (0..=group_size).map(|bucket| PerBucket(definition.stem).of(bucket).to_string()).collect()
        }
    };
    DEFINITIONS.iter().flat_map(of).collect()
}

/// Unit and definition of a metric, when it has one; the definition is in pieces, a line each.
pub fn definition(key: &str) -> Option<(Option<&'static str>, &'static [&'static str])> {
    let fits = |definition: &&Definition| {
        let Some(part) = key.strip_prefix(definition.stem) else { return false };
        match definition.kind {
            Kind::Metric => part.is_empty(),
            Kind::PerOrigin => {
                Origin::ALL.iter().any(|origin| part.strip_prefix('/') == Some(origin.as_str()))
            }
            Kind::PerBucket => part.strip_prefix('_').is_some_and(|bucket| bucket.parse::<u32>().is_ok()),
        }
    };
    DEFINITIONS.iter().find(fits).map(|definition| (definition.unit, definition.doc))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_is_there_once_and_defined() {
        let keys = keys(8);
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        for key in &keys {
            let (_, doc) = definition(key).unwrap();
            assert!(!doc.is_empty(), "{key}");
        }
        for key in
            ["pool/bucket_8", "pool/bucket_other", "rollout/correct/fresh", "objective/clip_fraction/fresh"]
        {
            assert!(keys.iter().any(|known| known == key), "{key}");
        }
        assert_eq!(definition("pool/bucket_other").unwrap().0, Some("questions"));
        assert!(definition("objective/clip_fraction/replayed").is_none());
        assert!(definition("rollout/correct/freshly").is_none() && definition("pool/bucket_x").is_none());
        assert_eq!(CORRECT_OF.of(Origin::Fresh).key(), "rollout/correct/fresh");
    }
}
