//! The pool as a safetensors file: columns that any reader of the format can open.

use std::collections::HashMap;

use anyhow::{Context, bail};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{Bucket, Experience, ExperiencePool, NO_BUCKET, Problem};

/// Version of the layout below, kept in the file's metadata.
const VERSION: &str = "1";

/// More rollouts of one question than any run samples; below it counting on can't overflow.
const MAX_ATTEMPTS: u32 = u32::MAX / 2;

impl ExperiencePool {
    /// All of the pool, the order within buckets included.
    pub fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        let mut columns = PoolColumns::default();
        let problem = |read: fn(&Problem) -> u32| self.problems.iter().map(read).collect::<Vec<u32>>();
        columns.u64("problem/id", self.problems.iter().map(|p| p.id));
        columns.u32("problem/num_success", problem(|p| p.num_success));
        columns.u32("problem/group_size", problem(|p| p.group_size));
        columns.u32("problem/attempts", problem(|p| p.attempts));
        columns.u32("problem/solved_streak", problem(|p| p.solved_streak));
        columns.u32("problem/last_step", problem(|p| p.last_step));
        columns.u32("problem/bucket", problem(|p| p.bucket));
        columns.f32("problem/weight", self.problems.iter().map(|p| p.weight));
        columns.u32("problem/retired", problem(|p| u32::from(p.retired)));
        columns.u32("bucket/size", self.buckets.iter().map(|b| b.len() as u32).collect());
        columns.u32("bucket/row", self.buckets.iter().flat_map(|b| b.rows.iter().copied()).collect());
        let all = || self.experiences.iter().flatten();
        columns.u32("problem/stored", self.experiences.iter().map(|e| e.len() as u32).collect());
        columns.u64("experience/id", all().map(|e| e.id));
        columns.u32("experience/step", all().map(|e| e.step).collect());
        columns.u32("experience/weights_version", all().map(|e| e.weights_version).collect());
        columns.f32("experience/reward", all().map(|e| e.reward));
        columns.f32("experience/mean_logprob", all().map(|e| e.mean_logprob));
        columns.u32("experience/finished", all().map(|e| u32::from(e.finished)).collect());
        columns.u32("experience/length", all().map(|e| e.completion_ids.len() as u32).collect());
        columns.u32("token/id", all().flat_map(|e| e.completion_ids.iter().copied()).collect());
        columns.f32("token/old_logprob", all().flat_map(|e| e.old_logprobs.iter().copied()));
        columns.f32("token/old_entropy", all().flat_map(|e| e.old_entropies.iter().copied()));
        columns.u64("next_experience_id", [self.next_experience_id].into_iter());
        columns.f32("score_temperature", [self.score_temperature].into_iter());
        columns.write()
    }

    /// The inverse of [`Self::to_bytes`]. Every inconsistency is an error, and no allocation is larger than `bytes`.
    ///
    /// # Errors
    /// Names what is missing, out of range or contradicts the rest.
    pub fn from_bytes(bytes: &[u8]) -> anyhow::Result<Self> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).context("not a safetensors file")?;
        let version = metadata.metadata().as_ref().and_then(|m| m.get("pool_version"));
        if version.map(String::as_str) != Some(VERSION) {
            bail!("pool layout version {version:?} can't be read, only {VERSION:?}");
        }
        let file = Reader(SafeTensors::deserialize(bytes).context("not a safetensors file")?);
        let mut problems: Vec<Problem> = file.u64_any("problem/id")?.into_iter().map(Problem::new).collect();
        let num_problems = problems.len();
        let column = |name: &str| -> anyhow::Result<Vec<u32>> { file.u32(name, num_problems) };
        let (num_success, group_size) = (column("problem/num_success")?, column("problem/group_size")?);
        let (attempts, solved_streak) = (column("problem/attempts")?, column("problem/solved_streak")?);
        let (last_step, bucket) = (column("problem/last_step")?, column("problem/bucket")?);
        let weight = file.f32("problem/weight", num_problems)?;
        let retired = flags("problem/retired", column("problem/retired")?)?;
        for (row, problem) in problems.iter_mut().enumerate() {
            problem.num_success = num_success[row];
            problem.group_size = group_size[row];
            problem.attempts = attempts[row];
            problem.solved_streak = solved_streak[row];
            problem.last_step = last_step[row];
            problem.bucket = bucket[row];
            problem.weight = weight[row];
            problem.retired = retired[row];
            check_problem(problem).with_context(|| format!("row {row}"))?;
        }
        let next_experience_id = file.u64("next_experience_id", 1)?[0];
        let experiences = read_experiences(&file, &column("problem/stored")?, next_experience_id)?;
        let buckets = read_buckets(&file, &mut problems)?;
        for (row, (problem, stored)) in problems.iter().zip(&experiences).enumerate() {
            if problem.bucket != NO_BUCKET && problem.bucket as usize >= buckets.len() {
                bail!("row {row} is in a bucket that does not exist");
            }
            let qualifies = problem.bucket != NO_BUCKET && !problem.retired && !stored.is_empty();
            if qualifies != (problem.position != NO_BUCKET) {
                bail!("row {row} can be drawn, or can't, against what is known of it");
            }
        }
        Ok(Self {
            num_experiences: experiences.iter().map(Vec::len).sum(),
            num_retired: problems.iter().filter(|p| p.retired).count(),
            next_experience_id,
            problems,
            experiences,
            buckets,
            // Files without it are of a time when there was no other.
            score_temperature: match file.0.tensor("score_temperature") {
                Ok(_) => file.f32("score_temperature", 1)?[0],
                Err(_) => 1.0,
            },
        })
    }

    /// Checks that nothing in it is of a later step or of later weights.
    ///
    /// # Errors
    /// Names the row.
    pub fn check_as_of(&self, step: u32, weights_version: u32) -> anyhow::Result<()> {
        for (row, (problem, stored)) in self.problems.iter().zip(&self.experiences).enumerate() {
            let is_later = |experience: &Experience| {
                experience.step > step || experience.weights_version > weights_version
            };
            if problem.last_step > step || stored.iter().any(is_later) {
                bail!("row {row} is of a later step than {step}");
            }
        }
        Ok(())
    }
}

fn check_problem(problem: &Problem) -> anyhow::Result<()> {
    if !(problem.weight >= 0.0 && problem.weight.is_finite()) {
        bail!("its weight is {}", problem.weight);
    }
    if problem.num_success > problem.group_size
        || problem.group_size > problem.attempts
        || problem.solved_streak > problem.attempts
        || problem.attempts > MAX_ATTEMPTS
    {
        bail!("its counts contradict each other");
    }
    if (problem.attempts == 0) != (problem.last_step == 0) {
        bail!("it was tried without a step, or has a step without having been tried");
    }
    Ok(())
}

fn read_experiences(
    file: &Reader<'_>,
    stored: &[u32],
    next_experience_id: u64,
) -> anyhow::Result<Vec<Vec<Experience>>> {
    let count = sum(stored)?;
    let id = file.u64("experience/id", count)?;
    let (step, version) =
        (file.u32("experience/step", count)?, file.u32("experience/weights_version", count)?);
    let (reward, mean) = (file.f32("experience/reward", count)?, file.f32("experience/mean_logprob", count)?);
    let finished = flags("experience/finished", file.u32("experience/finished", count)?)?;
    let length = file.u32("experience/length", count)?;
    let num_tokens = sum(&length)?;
    let token = file.u32("token/id", num_tokens)?;
    let logprob = file.f32("token/old_logprob", num_tokens)?;
    let entropy = file.f32("token/old_entropy", num_tokens)?;
    let mut ids = id.clone();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1])
        || ids.last().is_some_and(|&last| last >= next_experience_id)
    {
        bail!("experience/id names one twice, or one that is not given out yet");
    }
    if reward.iter().any(|reward| !reward.is_finite()) {
        bail!("experience/reward holds a number that is not finite");
    }
    // A log-prob may be -inf, which the loss leaves out and counts.
    if logprob.iter().chain(&mean).any(|logprob| logprob.is_nan())
        || entropy.iter().any(|nats| !nats.is_finite())
    {
        bail!("a stored log-prob or entropy is no number");
    }
    let (mut index, mut at) = (0, 0);
    let mut experiences = Vec::with_capacity(stored.len());
    for &num_stored in stored {
        // The columns above have as many entries: no number of the file alone decides on memory.
        let mut of_question = Vec::with_capacity(num_stored as usize);
        for _ in 0..num_stored {
            let end = at + length[index] as usize;
            if length[index] == 0 || step[index] == 0 {
                bail!("experience {} has no tokens or no step", id[index]);
            }
            if of_question.last().is_some_and(|before: &Experience| before.id > id[index]) {
                bail!("experience {} stands after a later one of its question", id[index]);
            }
            of_question.push(Experience {
                id: id[index],
                step: step[index],
                weights_version: version[index],
                reward: reward[index],
                mean_logprob: mean[index],
                finished: finished[index],
                completion_ids: token[at..end].into(),
                old_logprobs: logprob[at..end].into(),
                old_entropies: entropy[at..end].into(),
            });
            (index, at) = (index + 1, end);
        }
        experiences.push(of_question);
    }
    Ok(experiences)
}

/// Rebuilds the buckets and writes each member's position into `problems`.
fn read_buckets(file: &Reader<'_>, problems: &mut [Problem]) -> anyhow::Result<Vec<Bucket>> {
    let sizes = file.u32_any("bucket/size")?;
    let mut rows = file.u32("bucket/row", sum(&sizes)?)?.into_iter();
    let mut buckets = Vec::with_capacity(sizes.len());
    for (index, &size) in sizes.iter().enumerate() {
        let mut bucket = Bucket::default();
        for row in rows.by_ref().take(size as usize) {
            let problem =
                problems.get_mut(row as usize).with_context(|| format!("bucket {index} names row {row}"))?;
            if problem.bucket as usize != index || problem.position != NO_BUCKET {
                bail!("row {row} stands in bucket {index} without belonging there");
            }
            problem.position = bucket.push(row, problem.weight);
        }
        buckets.push(bucket);
    }
    Ok(buckets)
}

/// Sum of counts that a file gives.
fn sum(counts: &[u32]) -> anyhow::Result<usize> {
    usize::try_from(counts.iter().map(|&count| u64::from(count)).sum::<u64>())
        .context("it counts more than memory holds")
}

fn flags(name: &str, values: Vec<u32>) -> anyhow::Result<Vec<bool>> {
    if let Some(value) = values.iter().find(|&&value| value > 1) {
        bail!("column {name} holds {value}, neither 0 nor 1");
    }
    Ok(values.into_iter().map(|value| value == 1).collect())
}

#[derive(Default)]
struct PoolColumns {
    columns: Vec<(&'static str, Dtype, Vec<u8>)>,
}

impl PoolColumns {
    fn u32(&mut self, name: &'static str, values: Vec<u32>) {
        self.columns.push((name, Dtype::U32, values.iter().flat_map(|v| v.to_le_bytes()).collect()));
    }

    fn u64(&mut self, name: &'static str, values: impl Iterator<Item = u64>) {
        self.columns.push((name, Dtype::U64, values.flat_map(u64::to_le_bytes).collect()));
    }

    fn f32(&mut self, name: &'static str, values: impl Iterator<Item = f32>) {
        self.columns.push((name, Dtype::F32, values.flat_map(f32::to_le_bytes).collect()));
    }

    fn write(&self) -> anyhow::Result<Vec<u8>> {
        let views = self.columns.iter().map(|(name, dtype, bytes)| {
            let len = bytes.len() / if *dtype == Dtype::U64 { 8 } else { 4 };
            Ok((*name, TensorView::new(*dtype, vec![len], bytes)?))
        });
        let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        let metadata = HashMap::from([("pool_version".to_owned(), VERSION.to_owned())]);
        Ok(safetensors::serialize(views, Some(metadata))?)
    }
}

struct Reader<'a>(SafeTensors<'a>);

impl Reader<'_> {
    fn raw(&self, name: &str, dtype: Dtype) -> anyhow::Result<&[u8]> {
        let view = self.0.tensor(name).with_context(|| format!("no column {name}"))?;
        if view.dtype() != dtype {
            bail!("column {name} has type {:?}, {dtype:?} expected", view.dtype());
        }
        Ok(view.data())
    }

    fn u32_any(&self, name: &str) -> anyhow::Result<Vec<u32>> {
        let bytes = self.raw(name, Dtype::U32)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|&chunk| u32::from_le_bytes(chunk)).collect())
    }

    fn u32(&self, name: &str, len: usize) -> anyhow::Result<Vec<u32>> {
        expect_len(name, self.u32_any(name)?, len)
    }

    fn u64_any(&self, name: &str) -> anyhow::Result<Vec<u64>> {
        let bytes = self.raw(name, Dtype::U64)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|&chunk| u64::from_le_bytes(chunk)).collect())
    }

    fn u64(&self, name: &str, len: usize) -> anyhow::Result<Vec<u64>> {
        expect_len(name, self.u64_any(name)?, len)
    }

    fn f32(&self, name: &str, len: usize) -> anyhow::Result<Vec<f32>> {
        let bytes = self.raw(name, Dtype::F32)?;
        let values = bytes.as_chunks::<4>().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect();
        expect_len(name, values, len)
    }
}

fn expect_len<T>(name: &str, values: Vec<T>, len: usize) -> anyhow::Result<Vec<T>> {
    if values.len() != len {
        bail!("column {name} has {} entries, {len} expected", values.len());
    }
    Ok(values)
}

#[cfg(test)]
#[path = "persist_tests.rs"]
mod tests;
