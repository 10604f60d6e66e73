//! Whether a run goes on with what it began with.

use std::fmt;

use anyhow::bail;

use crate::config::Config;
use crate::dataset::Dataset;
use crate::identity::{Identity, settings_of};
use exgrpo_core::rundir::RunDir;
use exgrpo_pool::ExperiencePool;

/// Most characters of a question that a message shows.
const SHOWN_CHARS: usize = 80;

/// Compares what a run is given now with what it began with.
///
/// # Errors
/// Something differs; the error names it.
pub(super) fn check(dir: &RunDir, recorded: &Identity, now: &Identity) -> anyhow::Result<()> {
    match recorded.differences(now, &settings_of(&Config::default())?) {
        None => Ok(()),
        Some(differences) => refuse(dir, &differences),
    }
}

/// The same for a run with a checkpoint, whose pool knows the questions by their ids.
///
/// # Errors
/// As [`check`]; a training row that differs is named. Checkpoints without a recorded identity are compared by the ids.
pub(super) fn check_resumed(
    dir: &RunDir,
    recorded: Option<&Identity>,
    now: &Identity,
    pool: &ExperiencePool,
    train: &Dataset,
) -> anyhow::Result<()> {
    if let Some(rows) = OtherRows::find(pool, train) {
        return refuse(dir, &rows);
    }
    recorded.map_or(Ok(()), |recorded| check(dir, recorded, now))
}

fn refuse(dir: &RunDir, what: &dyn fmt::Display) -> anyhow::Result<()> {
    bail!(
        "{} can't go on, it began with something else: {what}\n\
         hint: put back what the run began with ({} names it), or begin a run of its own with --out",
        dir.root().display(),
        dir.config().display()
    )
}

/// Training rows whose question or answer is not the one that the pool knows.
struct OtherRows {
    num_before: usize,
    num_now: usize,
    num_other: usize,
    /// Number of the first, from 1, and its question now; none when rows are missing at the end.
    first: Option<(usize, String)>,
}

impl OtherRows {
    fn find(pool: &ExperiencePool, train: &Dataset) -> Option<Self> {
        let (num_before, num_now) = (pool.num_questions(), train.len());
        let is_other = |&(row, question): &(usize, &exgrpo_core::types::Question)| {
            row >= num_before || pool.problem(row as u32).id != question.id
        };
        let mut other = train.questions.iter().enumerate().filter(is_other);
        let first = other
            .next()
            .map(|(row, question)| (row + 1, question.prompt.chars().take(SHOWN_CHARS).collect()));
        let num_other = usize::from(first.is_some()) + other.count();
        (num_before != num_now || num_other > 0).then_some(Self { num_before, num_now, num_other, first })
    }
}

impl fmt::Display for OtherRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { num_before, num_now, num_other, first } = self;
        if num_before != num_now {
            write!(f, "the training rows are {num_now}, were {num_before}")?;
        } else {
            write!(f, "{num_other} of {num_now} training rows have another question or answer")?;
        }
        match first {
            Some((number, question)) => write!(f, ", question {number} first: {question:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exgrpo_models::ModelSource;
    use exgrpo_models::prompt::Prompts;

    #[test]
    fn a_checkpoint_without_an_identity_is_compared_by_the_ids_of_its_questions() {
        let config = Config::default();
        let source = ModelSource::read(&config.model.path).unwrap();
        let prompts = Prompts::plain(&source.tokenizer, 0);
        let train = Dataset::read(&config.dataset.train, &config.mapping(), &prompts).unwrap();
        let parent = tempfile::tempdir().unwrap();
        let (dir, _lock) = RunDir::create(parent.path().join("run")).unwrap();
        let refusal = |ids: &[u64]| {
            let pool = ExperiencePool::new(ids.iter().copied());
            check_resumed(&dir, None, &Identity::default(), &pool, &train)
                .err()
                .map(|error| error.to_string())
        };
        let ids: Vec<u64> = train.questions.iter().map(|question| question.id).collect();
        let now = ids.len();
        assert_eq!(refusal(&ids), None);
        let longer = [&ids[..], &[7]].concat();
        let mut other = ids.clone();
        other.swap(1, 2);
        for (ids, expected) in [
            (&ids[..now - 1], format!("are {now}, were {}, question {now} first", now - 1)),
            (&longer[..], format!("are {now}, were {}", now + 1)),
            (
                &other[..],
                format!("2 of {now} training rows have another question or answer, question 2 first"),
            ),
        ] {
            let said = refusal(ids).unwrap_or_default();
            assert!(said.contains(&expected), "{said:?} instead of {expected}");
        }
    }
}
