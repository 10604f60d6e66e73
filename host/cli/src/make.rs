//! `exgrpo-host dataset` and `exgrpo-host pretrain`: how the embedded default came to be.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use exgrpo_core::bounded;
use exgrpo_core::rng::Streams;
use exgrpo_engine::{Actor, ModelConfig, Precision, Weights};
use exgrpo_models::tokenizer::Tokenizer;
use exgrpo_models::{EMBEDDED_CONFIG, EMBEDDED_TOKENIZER};
use exgrpo_train::default_task::arithmetic::{self, Habits, Row};
use exgrpo_train::default_task::pretrain::{Pretraining, random_weights, successes};

/// Arguments of `dataset`.
#[derive(Debug, Args)]
pub(super) struct DatasetArgs {
    /// Folder that train.jsonl and test.jsonl are written into.
    #[arg(long, default_value = "datasets/arithmetic")]
    out: PathBuf,
    /// Training questions.
    #[arg(long, default_value_t = 6000)]
    train: usize,
    /// Held-out questions, none of them a training question.
    #[arg(long, default_value_t = 500)]
    test: usize,
    /// Seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn dataset(args: &DatasetArgs) -> anyhow::Result<()> {
    let mut rng = Streams::new(args.seed).stream("questions", 0, 0);
    let (train, test) = arithmetic::split(args.train, args.test, &mut rng);
    std::fs::create_dir_all(&args.out).with_context(|| format!("can't create {}", args.out.display()))?;
    for (name, rows) in [("train.jsonl", &train), ("test.jsonl", &test)] {
        let mut text = String::new();
        for row in rows {
            text.push_str(&serde_json::to_string(row)?);
            text.push('\n');
        }
        exgrpo_core::atomic::write_file(&args.out.join(name), text.as_bytes())?;
    }
    super::say(&format!("{} + {} questions in {}", train.len(), test.len(), args.out.display()));
    Ok(())
}

/// Arguments of `pretrain`.
#[derive(Debug, Args)]
pub(super) struct PretrainArgs {
    /// Folder that the model is written into.
    #[arg(long)]
    out: PathBuf,
    /// Questions that the corpus must not contain: the held-out split.
    #[arg(long, default_value = "datasets/arithmetic/test.jsonl")]
    exclude: PathBuf,
    /// Weights to begin with, in place of random ones: a folder that an earlier call wrote.
    #[arg(long, value_name = "DIR")]
    init: Option<PathBuf>,
    /// Optimizer steps.
    #[arg(long, default_value_t = Pretraining::default().steps)]
    steps: u32,
    /// Workings a step.
    #[arg(long, default_value_t = Pretraining::default().batch)]
    batch: u32,
    /// Peak learning rate.
    #[arg(long, default_value_t = Pretraining::default().lr)]
    lr: f64,
    /// Seed of weights and corpus.
    #[arg(long, default_value_t = Pretraining::default().seed)]
    seed: u64,
    /// Share of the corpus's writers that take one operation a step.
    #[arg(long, default_value_t = Habits::default().careful)]
    careful: f64,
    /// Share of writers that merge operations; the rest guesses.
    #[arg(long, default_value_t = Habits::default().hasty)]
    hasty: f64,
    /// Probability that a step's result is a near miss.
    #[arg(long, default_value_t = Habits::default().slip)]
    slip: f64,
}

pub(super) fn pretrain(args: &PretrainArgs) -> anyhow::Result<()> {
    let habits = Habits { careful: args.careful, hasty: args.hasty, slip: args.slip };
    if !(0.0..=1.0).contains(&habits.slip)
        || habits.careful < 0.0
        || habits.hasty < 0.0
        || habits.careful + habits.hasty > 1.0
    {
        bail!("--careful, --hasty and --slip are shares: between 0 and 1, the first two at most 1 together");
    }
    let excluded = read_rows(&args.exclude)?;
    let questions: HashSet<String> = excluded.iter().map(|row| row.question.clone()).collect();
    let config: ModelConfig = serde_json::from_slice(EMBEDDED_CONFIG)?;
    let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "the embedded tokenizer")?;
    let streams = Streams::new(args.seed);
    let weights = match &args.init {
        Some(init) => Weights::load(init, &config)?,
        None => random_weights(&config, args.seed),
    };
    let mut actor = Actor::cpu(config, &weights, Precision::F32, 0)?;
    super::say(&format!("{} parameters", actor.num_parameters()));
    let pretraining =
        Pretraining { steps: args.steps, batch: args.batch, lr: args.lr, habits, seed: args.seed };
    let begin = std::time::Instant::now();
    exgrpo_train::default_task::pretrain::run(&mut actor, &tokenizer, &pretraining, &questions, |report| {
        if report.step.is_multiple_of(50) || report.step == args.steps {
            let seconds = begin.elapsed().as_secs_f64();
            super::say(&format!("step {:5}  loss {:.4}  {seconds:.0} s", report.step, report.loss));
        }
    })?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("can't create {}", args.out.display()))?;
    actor.save_weights(&args.out.join(exgrpo_engine::WEIGHTS_FILE))?;
    std::fs::write(args.out.join("config.json"), EMBEDDED_CONFIG)?;
    std::fs::write(args.out.join("tokenizer.json"), EMBEDDED_TOKENIZER)?;
    report(&actor, &tokenizer, &excluded, &streams)
}

/// How often eight tries at temperature 1 succeed, by grade and by level of difficulty.
fn report(actor: &Actor, tokenizer: &Tokenizer, rows: &[Row], streams: &Streams) -> anyhow::Result<()> {
    let counts = successes(actor, tokenizer, rows, 8, streams)?;
    for grade in 1..=arithmetic::MAX_GRADE {
        let of_grade: Vec<u32> =
            rows.iter().zip(&counts).filter(|(row, _)| row.grade == grade).map(|(_, &count)| count).collect();
        let correct = of_grade.iter().sum::<u32>() as f64 / (8 * of_grade.len()) as f64;
        super::say(&format!("grade {grade}: {:.1} % correct", 100.0 * correct));
    }
    let level = |range: std::ops::RangeInclusive<u32>| {
        100.0 * counts.iter().filter(|count| range.contains(count)).count() as f64 / counts.len() as f64
    };
    super::say(&format!(
        "all: {:.1} % correct; questions with 0-1 of 8: {:.0} %, 2-6: {:.0} %, 7-8: {:.0} %",
        100.0 * counts.iter().sum::<u32>() as f64 / (8 * counts.len()) as f64,
        level(0..=1),
        level(2..=6),
        level(7..=8)
    ));
    Ok(())
}

fn read_rows(path: &Path) -> anyhow::Result<Vec<Row>> {
    let text = bounded::read_text(path, bounded::ROWS_BYTES)
        .with_context(|| format!("can't read {}", path.display()))?;
    text.lines()
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_str(line).with_context(|| format!("{}, line {}", path.display(), index + 1))
        })
        .collect()
}
