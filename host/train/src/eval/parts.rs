//! What an evaluation's directory holds already, checked against what is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::anyhow;

use super::{Benchmark, Settings};
use exgrpo_core::types::Question;
use exgrpo_log::{EvaluationRow, Row, read};

/// A benchmark and a question of it.
type Key = (String, u64);

/// Rows that are judged already, in the order of their parts.
///
/// # Errors
/// A part is damaged, or holds what this evaluation didn't ask.
pub(super) fn read(
    out: &Path,
    benchmarks: &[Benchmark],
    settings: &Settings,
) -> anyhow::Result<Vec<EvaluationRow>> {
    let mut asked: BTreeMap<Key, &Question> = BTreeMap::new();
    for benchmark in benchmarks {
        asked.extend(
            benchmark.questions.iter().map(|question| ((benchmark.name.clone(), question.id), question)),
        );
    }
    let (mut rows, mut judged) = (Vec::new(), BTreeSet::new());
    for part in read::parts(out, EvaluationRow::TABLE)? {
        let refuse = |reason: String| {
            anyhow!(
                "{} can't be part of this evaluation: {reason}\n\
                 hint: move that file away, and what it holds is judged again; or choose another --out",
                part.path.display()
            )
        };
        let of_part: Vec<EvaluationRow> =
            read::part_rows(&part).map_err(|error| refuse(error.to_string()))?;
        if part.first != part.last || of_part.is_empty() {
            return Err(refuse("its name or its rows are not those of one part".to_owned()));
        }
        if read::evaluation_of(&part)?.as_deref() != Some(settings.sha256()?.as_str()) {
            return Err(refuse("it was written by another evaluation, or by an earlier version".to_owned()));
        }
        check(part.first, &of_part, &asked, settings, &mut judged).map_err(refuse)?;
        rows.extend(of_part);
    }
    Ok(rows)
}

/// Checks that a part holds all completions of questions that are asked, each question once.
fn check(
    number: u32,
    rows: &[EvaluationRow],
    asked: &BTreeMap<Key, &Question>,
    settings: &Settings,
    judged: &mut BTreeSet<Key>,
) -> Result<(), String> {
    let mut samples: BTreeMap<Key, BTreeSet<u32>> = BTreeMap::new();
    for row in rows {
        let (name, id) = (&row.benchmark, row.question_id);
        if row.step != number {
            return Err(format!("a row says that it belongs to part {}", row.step));
        }
        let key = (name.clone(), id);
        let Some(question) = asked.get(&key) else {
            return Err(format!("question {id} of {name:?} was not asked"));
        };
        if question.prompt != row.prompt || question.answer != row.reference {
            return Err(format!("question {id} of {name:?} has another text or gold answer there"));
        }
        if !samples.entry(key).or_default().insert(row.sample) {
            return Err(format!("completion {} of question {id} of {name:?} is there twice", row.sample));
        }
    }
    for (key, samples) in samples {
        let (name, id) = &key;
        if !samples.into_iter().eq(0..settings.samples_of(name)) {
            return Err(format!("it does not hold all completions of question {id} of {name:?}"));
        }
        if !judged.insert(key.clone()) {
            return Err(format!("question {id} of {name:?} is in an earlier part too"));
        }
    }
    Ok(())
}
