//! The experience pool: what crosses from one step to the next. It knows of every question how its latest group
//! went, keeps the successful trajectories, and draws questions for replay.

mod bucket;
mod persist;
mod sum_tree;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub use bucket::Bucket;
use exgrpo_core::columns::{ProblemColumns, TrajectoryColumns};
use exgrpo_core::types::{Completion, TokenId};

/// Marks a question that has no bucket yet.
const NO_BUCKET: u32 = u32::MAX;

/// A stored successful rollout. Tokens and log-probs are as sampled and never change.
#[derive(Debug, Clone, PartialEq)]
pub struct Experience {
    /// Unique within the run, in the order of storing.
    pub id: u64,
    /// Step at which it was sampled.
    pub step: u32,
    /// Version of the weights that sampled it.
    pub weights_version: u32,
    /// Reward when stored.
    pub reward: f32,
    /// Mean of `old_logprobs`.
    pub mean_logprob: f32,
    /// True when it ends with a stop token.
    pub finished: bool,
    /// Token ids of the completion. `[T]`
    pub completion_ids: Box<[TokenId]>,
    /// Log-probs recorded when sampled. `[T]`
    pub old_logprobs: Box<[f32]>,
    /// Entropies recorded when sampled. `[T]`
    pub old_entropies: Box<[f32]>,
}

impl Experience {
    /// The stored tokens as a completion.
    pub fn completion(&self) -> Completion {
        Completion {
            ids: self.completion_ids.to_vec(),
            logprobs: self.old_logprobs.to_vec(),
            entropies: self.old_entropies.to_vec(),
            finished: self.finished,
        }
    }
}

/// What is known of one question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Problem {
    /// Stable question id.
    pub id: u64,
    /// Correct members of the latest group whose members were all scored, a replayed one included.
    pub num_success: u32,
    /// Members of that group; 0 while there was none.
    pub group_size: u32,
    /// Rollouts so far, scored or not.
    pub attempts: u32,
    /// Such groups in a row whose members were all correct. Another group ends the row when one of its members is
    /// incorrect, and leaves it as it is otherwise.
    pub solved_streak: u32,
    /// Step of the latest group; 0 when never tried.
    pub last_step: u32,
    /// Bucket that the difficulty slot assigned.
    bucket: u32,
    /// Position within the bucket's rows while the question can be drawn.
    position: u32,
    /// Weight within the bucket.
    pub weight: f32,
    /// Taken out of the pool by the retirement slot.
    pub retired: bool,
}

impl Problem {
    fn new(id: u64) -> Self {
        Self {
            id,
            num_success: 0,
            group_size: 0,
            attempts: 0,
            solved_streak: 0,
            last_step: 0,
            bucket: NO_BUCKET,
            position: NO_BUCKET,
            weight: 1.0,
            retired: false,
        }
    }

    /// Bucket, once one was assigned.
    pub fn bucket(&self) -> Option<u32> {
        (self.bucket != NO_BUCKET).then_some(self.bucket)
    }
}

/// A question drawn for replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Dataset row.
    pub row: u32,
    /// Bucket that it was drawn from.
    pub bucket: u32,
}

/// The pool. A question can be drawn while it has a bucket and a stored trajectory and is not retired.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperiencePool {
    problems: Vec<Problem>,
    experiences: Vec<Vec<Experience>>,
    buckets: Vec<Bucket>,
    next_experience_id: u64,
    num_experiences: usize,
    num_retired: usize,
    /// Temperature of the distribution that all stored log-probs are of.
    score_temperature: f32,
}

impl ExperiencePool {
    /// An empty pool over the dataset's questions, in row order.
    pub fn new(question_ids: impl Iterator<Item = u64>) -> Self {
        let problems: Vec<Problem> = question_ids.map(Problem::new).collect();
        Self {
            experiences: vec![Vec::new(); problems.len()],
            problems,
            buckets: Vec::new(),
            next_experience_id: 0,
            num_experiences: 0,
            num_retired: 0,
            score_temperature: 1.0,
        }
    }

    /// The same for log-probs at another temperature than 1: what is stored is never compared with log-probs at another.
    pub fn recorded_at(self, score_temperature: f32) -> Self {
        Self { score_temperature, ..self }
    }

    /// Temperature of the distribution that stored log-probs are of.
    pub fn score_temperature(&self) -> f32 {
        self.score_temperature
    }

    /// Forgets all bucket assignments and starts over with `num_buckets` empty buckets.
    pub fn reset_buckets(&mut self, num_buckets: usize) {
        self.buckets = vec![Bucket::default(); num_buckets];
        for problem in &mut self.problems {
            problem.bucket = NO_BUCKET;
            problem.position = NO_BUCKET;
        }
    }

    /// What is known of the question in `row`.
    pub fn problem(&self, row: u32) -> &Problem {
        &self.problems[row as usize]
    }

    /// Stored trajectories of the question in `row`, oldest first.
    pub fn experiences(&self, row: u32) -> &[Experience] {
        &self.experiences[row as usize]
    }

    /// The trajectory `id` of the question in `row`, if it is stored.
    pub fn experience(&self, row: u32, id: u64) -> Option<&Experience> {
        // Ids rise in the order of storing.
        let stored = self.experiences(row);
        stored.binary_search_by_key(&id, |experience| experience.id).ok().map(|index| &stored[index])
    }

    /// Number of questions known, in the pool or not.
    pub fn num_questions(&self) -> usize {
        self.problems.len()
    }

    /// Questions with a trajectory that can be drawn now.
    pub fn num_drawable(&self) -> usize {
        self.buckets.iter().map(Bucket::len).sum()
    }

    /// Stored trajectories, those of retired questions included.
    pub fn num_experiences(&self) -> usize {
        self.num_experiences
    }

    /// Retired questions.
    pub fn num_retired(&self) -> usize {
        self.num_retired
    }

    /// Rows whose accuracy is known: those with a group whose members were all scored.
    pub fn scored_rows(&self) -> Vec<u32> {
        (0..self.problems.len() as u32).filter(|&row| self.problem(row).group_size > 0).collect()
    }

    /// Rows that can be drawn now, by bucket and position.
    pub fn drawable_rows(&self) -> Vec<u32> {
        self.buckets.iter().flat_map(|bucket| bucket.rows.iter().copied()).collect()
    }

    /// Questions of each bucket that can be drawn now.
    pub fn counts(&self) -> Vec<u32> {
        self.buckets.iter().map(|bucket| bucket.len() as u32).collect()
    }

    /// Notes the outcome of a group of `group_size` rollouts, all of them scored, of which `num_success` were correct.
    pub fn record(&mut self, row: u32, num_success: u32, group_size: u32, step: u32) {
        let problem = &mut self.problems[row as usize];
        problem.num_success = num_success;
        problem.group_size = group_size;
        problem.attempts += group_size;
        problem.solved_streak = if num_success == group_size { problem.solved_streak + 1 } else { 0 };
        problem.last_step = step;
    }

    /// Notes a group of which some rollouts were not scored: the question's accuracy stays what it was, because nobody
    /// knows what the others were. `is_failed`: one of them was incorrect.
    pub fn record_unknown(&mut self, row: u32, num_rollouts: u32, is_failed: bool, step: u32) {
        let problem = &mut self.problems[row as usize];
        problem.attempts += num_rollouts;
        problem.last_step = step;
        if is_failed {
            problem.solved_streak = 0;
        }
    }

    /// Stores a successful completion of the question in `row`; `None` when the very same tokens are stored already.
    pub fn store(
        &mut self,
        row: u32,
        completion: &Completion,
        reward: f32,
        step: u32,
        weights_version: u32,
    ) -> Option<u64> {
        let stored = &mut self.experiences[row as usize];
        if stored.iter().any(|known| *known.completion_ids == *completion.ids) {
            return None;
        }
        let id = self.next_experience_id;
        stored.push(Experience {
            id,
            step,
            weights_version,
            reward,
            mean_logprob: completion.logprobs.iter().sum::<f32>() / completion.logprobs.len() as f32,
            finished: completion.finished,
            completion_ids: completion.ids.as_slice().into(),
            old_logprobs: completion.logprobs.as_slice().into(),
            old_entropies: completion.entropies.as_slice().into(),
        });
        self.next_experience_id += 1;
        self.num_experiences += 1;
        self.place(row);
        Some(id)
    }

    /// Puts the question in `row` into `bucket`, which must exist.
    pub fn assign(&mut self, row: u32, bucket: u32) {
        if self.problem(row).bucket != bucket {
            self.unplace(row);
            self.problems[row as usize].bucket = bucket;
            self.place(row);
        }
    }

    /// Sets the weight of the question in `row` within its bucket, finite and non-negative.
    pub fn set_weight(&mut self, row: u32, weight: f32) {
        let problem = &mut self.problems[row as usize];
        problem.weight = weight;
        let (bucket, position) = (problem.bucket, problem.position);
        if position != NO_BUCKET {
            self.buckets[bucket as usize].weights.set(position as usize, f64::from(weight));
        }
    }

    /// Takes the question in `row` out of the pool, its trajectories kept in case it is revived.
    pub fn retire(&mut self, row: u32) {
        if !self.problem(row).retired {
            self.unplace(row);
            self.problems[row as usize].retired = true;
            self.num_retired += 1;
        }
    }

    /// Takes a retired question back.
    pub fn revive(&mut self, row: u32) {
        if self.problem(row).retired {
            self.problems[row as usize].retired = false;
            self.num_retired -= 1;
            self.place(row);
        }
    }

    /// Draws up to `count` different questions: a bucket with probability proportional to its weight among those that
    /// still have a question, whatever their size, then a question within it by row weight. Fewer come back when no
    /// bucket with weight has questions left.
    pub fn draw(&mut self, bucket_weights: &[f32], count: usize, rng: &mut ChaCha8Rng) -> Vec<Draw> {
        let mut weights: Vec<f64> = self
            .buckets
            .iter()
            .zip(bucket_weights)
            .map(|(bucket, &weight)| if bucket.weights.total() > 0.0 { f64::from(weight) } else { 0.0 })
            .collect();
        let mut draws = Vec::with_capacity(count);
        let mut taken = Vec::with_capacity(count);
        while draws.len() < count {
            let Some(bucket_idx) = pick(&weights, rng.random()) else { break };
            let bucket = &mut self.buckets[bucket_idx];
            let position = bucket.weights.find(rng.random::<f64>() * bucket.weights.total());
            draws.push(Draw { row: bucket.rows[position], bucket: bucket_idx as u32 });
            taken.push((bucket_idx, position, bucket.weights.get(position)));
            bucket.weights.set(position, 0.0);
            if bucket.weights.total() <= 0.0 {
                weights[bucket_idx] = 0.0;
            }
        }
        for (bucket_idx, position, weight) in taken {
            self.buckets[bucket_idx].weights.set(position, weight);
        }
        draws
    }

    /// Columns of `rows` for a policy.
    pub fn problem_columns(&self, rows: &[u32]) -> ProblemColumns {
        let column = |read: fn(&Problem) -> u32| rows.iter().map(|&row| read(self.problem(row))).collect();
        ProblemColumns {
            id: rows.iter().map(|&row| self.problem(row).id).collect(),
            num_success: column(|p| p.num_success),
            group_size: column(|p| p.group_size),
            attempts: column(|p| p.attempts),
            solved_streak: column(|p| p.solved_streak),
            last_step: column(|p| p.last_step),
            stored: rows.iter().map(|&row| self.experiences(row).len() as u32).collect(),
            extra: Vec::new(),
        }
    }

    /// Columns of all trajectories stored for `rows`, with their mean entropies under the current weights in the same
    /// order.
    pub fn trajectory_columns(&self, rows: &[u32], entropy: Vec<f32>) -> TrajectoryColumns {
        let mut columns = TrajectoryColumns { offsets: vec![0], entropy, ..TrajectoryColumns::default() };
        for &row in rows {
            for experience in self.experiences(row) {
                columns.id.push(experience.id);
                columns.logprob.push(experience.mean_logprob);
                columns.reward.push(experience.reward);
                columns.length.push(experience.completion_ids.len() as u32);
                columns.step.push(experience.step);
            }
            columns.offsets.push(columns.id.len() as u32);
        }
        columns
    }

    /// Makes a question drawable that qualifies and is not.
    fn place(&mut self, row: u32) {
        let problem = self.problems[row as usize];
        let qualifies =
            problem.bucket != NO_BUCKET && !problem.retired && !self.experiences[row as usize].is_empty();
        if qualifies && problem.position == NO_BUCKET {
            let position = self.buckets[problem.bucket as usize].push(row, problem.weight);
            self.problems[row as usize].position = position;
        }
    }

    fn unplace(&mut self, row: u32) {
        let problem = self.problems[row as usize];
        if problem.position != NO_BUCKET {
            if let Some(moved) = self.buckets[problem.bucket as usize].remove(problem.position) {
                self.problems[moved as usize].position = problem.position;
            }
            self.problems[row as usize].position = NO_BUCKET;
        }
    }
}

/// Index drawn with probability proportional to `weights` by `uniform` in 0..1; `None` when all are zero.
fn pick(weights: &[f64], uniform: f64) -> Option<usize> {
    let total: f64 = weights.iter().sum();
    let mut point = uniform * total;
    let mut last = None;
    for (index, &weight) in weights.iter().enumerate().filter(|&(_, &weight)| weight > 0.0) {
        last = Some(index);
        if point < weight {
            break;
        }
        point -= weight;
    }
    last
}

#[cfg(test)]
mod tests;
