//! Stage 1: which questions a step trains on, and which stored trajectory joins a replayed question's group.

use rand::Rng;
use rand::seq::SliceRandom;

use crate::config::{Config, Mode};
use crate::dataset::{Dataset, QuestionQueue};
use crate::stages::curriculum;
use exgrpo_core::rng::Streams;
use exgrpo_core::share::whole_part;
use exgrpo_engine::{Scorer, Sequence};
use exgrpo_policy::{Answered, PolicySet, Stop};
use exgrpo_pool::{Draw, ExperiencePool};

/// What selection reads and draws from.
#[derive(Debug)]
pub struct SelectStage<'a> {
    /// Configuration.
    pub config: &'a Config,
    /// Questions.
    pub dataset: &'a Dataset,
    /// Random streams.
    pub streams: &'a Streams,
    /// Step being planned.
    pub step: u32,
    /// True once replay has started.
    pub replay_open: bool,
    /// Share of correct rollouts among the latest step's fresh ones; NaN before the first.
    pub pass_rate: f32,
}

/// One group to be rolled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedGroup {
    /// Row of the question.
    pub row: u32,
    /// Bucket that it was drawn from, when it was drawn for replay.
    pub drawn_from: Option<u32>,
    /// Id of the stored trajectory that joins the group.
    pub experience_id: Option<u64>,
    /// True when the dataset's solution joins the group.
    pub is_demonstrated: bool,
}

/// A step's groups, mini-batch by mini-batch, each mini-batch with its share of replayed and fresh questions.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// `[P]`
    pub groups: Vec<PlannedGroup>,
    /// True when this step learns from experience: replay has started and its ratio is not 0.
    pub is_mixed: bool,
    /// Share of questions asked for replay.
    pub replay_ratio: f32,
    /// Who drew the replayed questions, when any were: SHA-256 of the policy, or
    /// [`BUILTIN`](exgrpo_core::journal::BUILTIN).
    pub drawn_by: Option<String>,
    /// Who chose the stored trajectories, when any were.
    pub chosen_by: Option<String>,
}

impl SelectStage<'_> {
    /// Plans a step: up to ⌊ρ·P⌋ questions from the pool, the rest fresh from the queue.
    pub fn plan(
        &self,
        queue: &mut QuestionQueue,
        pool: &mut ExperiencePool,
        policies: &mut PolicySet,
        scorer: &dyn Scorer,
    ) -> anyhow::Result<Plan> {
        let num_questions = self.config.rollout.questions;
        let replay_ratio = self.replay_ratio(policies)?;
        let wanted = whole_part(replay_ratio, num_questions) as usize;
        let drawn = if wanted > 0 { self.draw(wanted, pool, policies)? } else { None };
        let (draws, drawn_by) = parts(drawn);
        let (mut replayed, chosen_by) = parts(self.choose(&draws, pool, policies, scorer)?);
        let mut fresh = self.fresh(num_questions as usize - replayed.len(), queue, pool);
        let mut rng = self.streams.stream("batch", u64::from(self.step), 0);
        replayed.shuffle(&mut rng);
        fresh.shuffle(&mut rng);
        let groups = deal(replayed, fresh, self.config.objective.updates as usize);
        Ok(Plan { groups, is_mixed: replay_ratio > 0.0, replay_ratio, drawn_by, chosen_by })
    }

    fn replay_ratio(&self, policies: &mut PolicySet) -> Result<f32, Stop> {
        let replay = &self.config.replay;
        if !replay.enabled || !self.replay_open {
            return Ok(0.0);
        }
        policies.replay_ratio(
            self.step,
            self.config.rollout.questions,
            self.pass_rate,
            replay.experience_ratio,
        )
    }

    /// Up to `wanted` different questions of the pool; `None` when there are none.
    fn draw(
        &self,
        wanted: usize,
        pool: &mut ExperiencePool,
        policies: &mut PolicySet,
    ) -> Result<Option<Answered<Vec<Draw>>>, Stop> {
        let wanted = wanted.min(pool.num_drawable());
        if wanted == 0 {
            return Ok(None);
        }
        if policies.fills_selection() {
            let rows = pool.drawable_rows();
            let columns = curriculum::columns(pool, self.dataset, &rows);
            let seed = self.streams.stream("selection", u64::from(self.step), 0).random();
            if let Some(chosen) = policies.select(self.step, &columns, wanted as u32, seed)? {
                let draw = |position: u32| {
                    let row = rows[position as usize];
                    Draw { row, bucket: pool.problem(row).bucket().unwrap_or_default() }
                };
                return Ok(Some(chosen.map(|rows| rows.into_iter().map(draw).collect())));
            }
        }
        let counts = pool.counts();
        let weights = policies.bucket_weights(self.step, &counts, self.config.rollout.group_size)?;
        let mut rng = self.streams.stream("sampling", u64::from(self.step), 0);
        Ok(Some(weights.map(|weights| pool.draw(&weights, wanted, &mut rng))))
    }

    /// Asks for one stored trajectory a question, all of them scored under the current weights; `None` without draws.
    fn choose(
        &self,
        draws: &[Draw],
        pool: &ExperiencePool,
        policies: &mut PolicySet,
        scorer: &dyn Scorer,
    ) -> anyhow::Result<Option<Answered<Vec<PlannedGroup>>>> {
        if draws.is_empty() {
            return Ok(None);
        }
        let rows: Vec<u32> = draws.iter().map(|draw| draw.row).collect();
        let columns = pool.trajectory_columns(&rows, mean_entropies(&rows, pool, self.dataset, scorer)?);
        let seed = self.streams.stream("trajectories", u64::from(self.step), 0).random();
        let chosen = policies.choose(self.step, &columns, seed)?;
        let plan = |(draw, chosen): (&Draw, Option<u32>)| PlannedGroup {
            row: draw.row,
            drawn_from: Some(draw.bucket),
            experience_id: chosen.map(|row| columns.id[row as usize]),
            is_demonstrated: false,
        };
        Ok(Some(chosen.map(|chosen| draws.iter().zip(chosen).map(plan).collect())))
    }

    fn fresh(&self, count: usize, queue: &mut QuestionQueue, pool: &ExperiencePool) -> Vec<PlannedGroup> {
        let rows = match self.config.mode {
            Mode::Paper => queue.take(count, self.streams, |_| false),
            Mode::Reference => {
                let skip = |row| pool.problem(row).retired;
                let mut rows = queue.take(self.config.rollout.questions as usize, self.streams, skip);
                rows.truncate(count);
                rows
            }
        };
        let demonstrations = &self.config.demonstrations;
        let is_on = demonstrations.enabled
            && (demonstrations.until_step == 0 || self.step <= demonstrations.until_step);
        let plan = |row: u32| PlannedGroup {
            row,
            drawn_from: None,
            experience_id: None,
            is_demonstrated: is_on && self.dataset.questions[row as usize].demonstration_ids.is_some(),
        };
        rows.into_iter().map(plan).collect()
    }
}

/// Mean token entropy under the current weights of every trajectory stored for `rows`, question by question.
pub fn mean_entropies(
    rows: &[u32],
    pool: &ExperiencePool,
    dataset: &Dataset,
    scorer: &dyn Scorer,
) -> anyhow::Result<Vec<f32>> {
    let sequences: Vec<Sequence<'_>> = rows
        .iter()
        .flat_map(|&row| {
            let prompt = dataset.questions[row as usize].prompt_ids.as_slice();
            let stored = pool.experiences(row).iter();
            stored.map(move |experience| Sequence { prompt, completion: &experience.completion_ids })
        })
        .collect();
    let scores = scorer.score(&sequences)?;
    let mut at = 0;
    let means = sequences.iter().map(|sequence| {
        let end = at + sequence.completion.len();
        let mean = scores.entropies[at..end].iter().sum::<f32>() / sequence.completion.len() as f32;
        at = end;
        mean
    });
    Ok(means.collect())
}

/// An answer's list and who gave it; no list without an answer.
fn parts<T>(answered: Option<Answered<Vec<T>>>) -> (Vec<T>, Option<String>) {
    answered.map_or_else(Default::default, |Answered { answer, by }| (answer, Some(by)))
}

/// Lays groups out so that each of `num_parts` equal parts has its share of both kinds.
fn deal(replayed: Vec<PlannedGroup>, fresh: Vec<PlannedGroup>, num_parts: usize) -> Vec<PlannedGroup> {
    let mut parts: Vec<Vec<PlannedGroup>> = vec![Vec::new(); num_parts];
    for (index, group) in replayed.into_iter().chain(fresh).enumerate() {
        parts[index % num_parts].push(group);
    }
    parts.concat()
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod entropy_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mini_batch_gets_its_share_of_both_kinds() {
        let group = |row, experience_id| PlannedGroup {
            row,
            drawn_from: None,
            experience_id,
            is_demonstrated: false,
        };
        let replayed = (0..5).map(|row| group(row, Some(0))).collect();
        let fresh = (5..12).map(|row| group(row, None)).collect();
        let groups = deal(replayed, fresh, 3);
        assert_eq!(groups.len(), 12);
        for part in groups.chunks(4) {
            let num_replayed = part.iter().filter(|group| group.experience_id.is_some()).count();
            assert!((1..=2).contains(&num_replayed), "{part:?}");
        }
    }
}
