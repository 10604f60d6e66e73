//! Stage 4: what a step's outcomes change in the pool. Policies decide on buckets, retirement and weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, Mode};
use crate::dataset::Dataset;
use crate::stages::changes::{Changes, Deciders};
use exgrpo_core::columns::{BucketInfo, Column, ProblemColumns, Retirement};
use exgrpo_core::types::RolloutGroup;
use exgrpo_log::{ProblemChange, ProblemRow};
use exgrpo_policy::{Answered, PolicySet, Stop};
use exgrpo_pool::ExperiencePool;

/// Columns of `rows` for a policy, the dataset's own columns included.
pub fn columns(pool: &ExperiencePool, dataset: &Dataset, rows: &[u32]) -> ProblemColumns {
    let extra = dataset.extra_names.iter().zip(&dataset.extra).map(|(name, values)| Column {
        name: name.clone(),
        values: rows.iter().map(|&row| values[row as usize]).collect(),
    });
    ProblemColumns { extra: extra.collect(), ..pool.problem_columns(rows) }
}

/// What the pool's stage needs to know of a step.
#[derive(Debug)]
pub struct CurriculumStage<'a> {
    /// Configuration.
    pub config: &'a Config,
    /// Questions.
    pub dataset: &'a Dataset,
    /// Step.
    pub step: u32,
    /// Version of the weights that sampled fresh rollouts.
    pub weights_version: u32,
    /// True when the step learned from experience.
    pub is_mixed: bool,
}

/// What a question looked like before a step.
struct Before {
    row: u32,
    bucket: Option<u32>,
    weight: f32,
    retired: bool,
    stored: usize,
}

impl CurriculumStage<'_> {
    /// Records the groups' outcomes, stores new successes, and asks difficulty, retirement and sampling about the
    /// questions concerned.
    pub fn absorb(
        &self,
        groups: &[RolloutGroup],
        pool: &mut ExperiencePool,
        policies: &mut PolicySet,
    ) -> Result<Changes, Stop> {
        let mut rows: Vec<u32> = groups.iter().map(|group| group.row).collect();
        rows.sort_unstable();
        rows.dedup();
        let before: Vec<Before> = rows.iter().map(|&row| Before::of(pool, row)).collect();
        let mut changed: Vec<u32> =
            groups.iter().filter(|group| self.record(group, pool)).map(|group| group.row).collect();
        changed.sort_unstable();
        changed.dedup();
        let deciders = self.ask(&changed, pool, policies)?;
        Ok(Changes { problems: self.problems(&before, pool), deciders })
    }

    /// Starts over with the buckets of the difficulty slot and assigns every question whose accuracy is known:
    /// at the start, and whenever a policy was swapped. Answers the buckets and what changed.
    pub fn reindex(
        &self,
        pool: &mut ExperiencePool,
        policies: &mut PolicySet,
    ) -> Result<(Vec<BucketInfo>, Changes), Stop> {
        let buckets = policies.buckets(self.step, self.config.rollout.group_size)?;
        let rows = pool.scored_rows();
        let before: Vec<Before> = rows.iter().map(|&row| Before::of(pool, row)).collect();
        pool.reset_buckets(buckets.len());
        let deciders = self.ask(&rows, pool, policies)?;
        Ok((buckets, Changes { problems: self.problems(&before, pool), deciders }))
    }

    fn problems(&self, before: &[Before], pool: &ExperiencePool) -> BTreeMap<u32, ProblemRow> {
        before.iter().filter_map(|before| Some((before.row, before.row(pool, self.step)?))).collect()
    }

    /// Records a group's outcome and stores its solutions. False when policies have nothing to be asked about the
    /// question: no group's accuracy is known yet, or the published code would ignore this one.
    ///
    /// An accuracy is one of all members. A group with members that were not scored leaves what is known of the question
    /// as it is, and its solutions are stored when it is partly solved whatever the unscored members were.
    fn record(&self, group: &RolloutGroup, pool: &mut ExperiencePool) -> bool {
        let replay = &self.config.replay;
        let (num_success, num_unscored) = (group.num_success(), group.num_unscored());
        if self.config.mode == Mode::Reference && num_success == 0 {
            return false;
        }
        let group_size = group.rollouts.len() as u32;
        if num_unscored == 0 {
            pool.record(group.row, num_success, group_size, self.step);
        } else {
            let is_failed = num_success + num_unscored < group_size;
            pool.record_unknown(group.row, group_size, is_failed, self.step);
        }
        let collects = replay.enabled && (self.config.mode == Mode::Paper || self.is_mixed);
        let is_admitted =
            num_success >= replay.min_success && num_success + num_unscored <= self.config.max_success();
        if collects && is_admitted {
            for rollout in group.rollouts.iter().filter(|rollout| replay.stores(rollout)) {
                pool.store(group.row, &rollout.completion, rollout.reward, self.step, self.weights_version);
            }
        }
        pool.problem(group.row).group_size > 0
    }

    fn ask(
        &self,
        rows: &[u32],
        pool: &mut ExperiencePool,
        policies: &mut PolicySet,
    ) -> Result<BTreeMap<u32, Arc<Deciders>>, Stop> {
        if rows.is_empty() {
            return Ok(BTreeMap::new());
        }
        let columns = columns(pool, self.dataset, rows);
        let Answered { answer: buckets, by: difficulty } =
            policies.assign(self.step, &columns, pool.counts().len())?;
        for (&row, &bucket) in rows.iter().zip(&buckets) {
            pool.assign(row, bucket);
        }
        let Answered { answer: decisions, by: retirement } = policies.decide(self.step, &columns)?;
        for (&row, decision) in rows.iter().zip(decisions) {
            match decision {
                Retirement::Keep => {}
                Retirement::Retire => pool.retire(row),
                Retirement::Revive => pool.revive(row),
            }
        }
        let weights = policies.row_weights(self.step, &columns, &buckets)?;
        for (index, &row) in rows.iter().enumerate() {
            pool.set_weight(row, weights.as_ref().map_or(1.0, |weights| weights[index]));
        }
        let deciders = Arc::new(Deciders { difficulty, retirement });
        Ok(rows.iter().map(|&row| (row, Arc::clone(&deciders))).collect())
    }
}

impl Before {
    fn of(pool: &ExperiencePool, row: u32) -> Self {
        let problem = pool.problem(row);
        Self {
            row,
            bucket: problem.bucket(),
            weight: problem.weight,
            retired: problem.retired,
            stored: pool.experiences(row).len(),
        }
    }

    /// The table's row, when something changed.
    fn row(&self, pool: &ExperiencePool, step: u32) -> Option<ProblemRow> {
        let problem = pool.problem(self.row);
        let stored = pool.experiences(self.row).len();
        let change = if problem.retired != self.retired {
            if problem.retired { ProblemChange::Retired } else { ProblemChange::Revived }
        } else if problem.bucket() != self.bucket {
            ProblemChange::Bucket
        } else if stored != self.stored {
            ProblemChange::Stored
        } else if problem.weight != self.weight {
            ProblemChange::Weight
        } else {
            return None;
        };
        Some(ProblemRow {
            step,
            question_id: problem.id,
            question_row: self.row,
            num_success: problem.num_success,
            group_size: problem.group_size,
            attempts: problem.attempts,
            solved_streak: problem.solved_streak,
            last_step: problem.last_step,
            stored: stored as u32,
            bucket_before: self.bucket,
            bucket: problem.bucket(),
            weight: Some(problem.weight),
            retired: problem.retired,
            change,
        })
    }
}

#[cfg(test)]
#[path = "curriculum_tests.rs"]
mod tests;
