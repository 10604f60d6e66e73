//! Commands on one model: what it answers, what it thinks of given answers, and writing it for other programs.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::output::say_reading;
use super::restart::without_spinning_pool;
use super::{print, say};
use exgrpo_core::bounded;
use exgrpo_core::escape;
use exgrpo_core::rng::Streams;
use exgrpo_core::types::TokenId;
use exgrpo_engine::{
    Actor, SampleRequest, Sampler, SamplingParams, ScoreGrads, Scorer, Sequence, Trainer, WEIGHTS_FILE,
    Weights,
};
use exgrpo_models::prompt::Prompts;
use exgrpo_models::{Message, ModelSource};
use exgrpo_train::config::{Config, Engine};

/// Which model, and how it is asked.
#[derive(Debug, Args)]
struct ModelArgs {
    /// A directory, a GGUF file, a run or one of its checkpoints, owner/name on the hub, or embedded:arithmetic.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Configuration that [model] and [prompt] are taken from.
    #[arg(long, value_name = "TOML")]
    config: Option<PathBuf>,
    /// One key of the configuration, as table.key=value; give it again for more.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

impl ModelArgs {
    fn open(&self) -> anyhow::Result<(Config, ModelSource)> {
        let mut config = Config::resolve(self.config.as_deref(), &self.overrides)?;
        if let Some(model) = &self.model {
            config.model.path = model.clone();
        }
        if config.model.engine == Engine::Candle {
            without_spinning_pool();
        }
        say_reading(Path::new(&config.model.path));
        let source = exgrpo_train::trained::read(&config.model.path)?;
        super::tell_notes(&source);
        Ok((config, source))
    }
}

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// A question; give it again for more.
    #[arg(long, value_name = "TEXT")]
    prompt: Vec<String>,
    /// JSONL rows with a `question`, or with `messages` of {role, content}.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Longest answer in tokens; 0 only renders the prompts. By default 256, or what the model's positions leave.
    #[arg(long)]
    max_new_tokens: Option<usize>,
    /// Sampling temperature; 0 takes the likeliest token.
    #[arg(long, default_value_t = 0.0)]
    temperature: f32,
    /// Nucleus sampling.
    #[arg(long, default_value_t = 1.0)]
    top_p: f32,
    /// Answers a question.
    #[arg(long, default_value_t = 1)]
    samples: u64,
    /// Seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print a JSON object a question: prompt, token ids, answers with log-probs.
    #[arg(long)]
    json: bool,
    /// Also print the logits of the first token of an answer. `[V]`
    #[arg(long, requires = "json")]
    logits: bool,
}

/// Longest answer in tokens where nothing is said.
const MAX_NEW_TOKENS: usize = 256;

#[derive(Deserialize)]
struct PromptRow {
    question: Option<String>,
    messages: Option<Vec<Message>>,
}

pub(super) fn generate(args: &GenerateArgs) -> anyhow::Result<()> {
    let mut conversations: Vec<Vec<Message>> =
        args.prompt.iter().map(|text| vec![Message::new("user", text)]).collect();
    if let Some(path) = &args.prompts {
        for (number, row) in read_rows::<PromptRow>(path)?.into_iter().enumerate() {
            conversations.push(match (row.messages, row.question) {
                (Some(messages), _) => messages,
                (None, Some(question)) => vec![Message::new("user", &question)],
                (None, None) => bail!(
                    "{}, line {}: neither question nor messages\nhint: write {{\"question\": \"…\"}}",
                    path.display(),
                    number + 1
                ),
            });
        }
    }
    if conversations.is_empty() {
        bail!("nothing is asked\nhint: give --prompt TEXT or --prompts FILE");
    }
    let (config, source) = args.model.open()?;
    let prompts = Prompts::new(&config.prompt, &source)?;
    let ids: Vec<Vec<TokenId>> =
        conversations.iter().map(|messages| prompts.encode_chat(messages)).collect::<anyhow::Result<_>>()?;
    let actor = source.actor(&config.model)?;
    let longest = ids.iter().map(Vec::len).max().unwrap_or(0);
    let room = source.config.max_position_embeddings.saturating_sub(longest).max(1);
    let answers = match args.max_new_tokens.unwrap_or(MAX_NEW_TOKENS.min(room)) {
        0 => vec![Vec::new(); ids.len()],
        max_new_tokens => {
            let streams = Streams::new(args.seed);
            let requests = ids.iter().enumerate().map(|(index, prompt)| {
                let stream = |sample| streams.stream("generate", index as u64, sample);
                SampleRequest { prompt, streams: (0..args.samples).map(stream).collect() }
            });
            let sampling = SamplingParams {
                temperature: args.temperature,
                score_temperature: 1.0,
                top_p: args.top_p,
                max_new_tokens,
                stop_ids: source.stop_ids.clone(),
            };
            actor.sample(requests.collect(), &sampling)?
        }
    };
    for ((messages, ids), answers) in conversations.iter().zip(&ids).zip(&answers) {
        let texts: Vec<String> = answers
            .iter()
            .map(|answer| source.tokenizer.decode(&answer.ids))
            .collect::<anyhow::Result<_>>()?;
        let rendered = prompts.render(messages)?;
        if !args.json {
            match texts.is_empty() {
                true => print(&rendered)?,
                false => texts.iter().try_for_each(|text| print(text))?,
            }
            continue;
        }
        let answers: Vec<_> = answers
            .iter()
            .zip(&texts)
            .map(|(answer, text)| {
                json!({
                    "text": text, "ids": answer.ids, "logprobs": answer.logprobs,
                    "entropies": answer.entropies, "finished": answer.finished,
                })
            })
            .collect();
        let mut row = json!({"prompt": rendered, "prompt_ids": ids, "answers": answers});
        if args.logits {
            row["logits"] = actor.next_logits(ids)?.into();
        }
        print(&escape::json(&row.to_string()))?;
    }
    Ok(())
}

/// Arguments of `score`.
#[derive(Debug, Args)]
pub(super) struct ScoreArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// JSONL rows with a `question` and an `answer`, or with token ids, `prompt_ids` and `completion_ids`.
    #[arg(long, value_name = "FILE")]
    rows: PathBuf,
    /// Write the gradient of the mean negative log-likelihood of all tokens of the answers, as safetensors.
    #[arg(long, value_name = "FILE")]
    gradient: Option<PathBuf>,
}

#[derive(Deserialize)]
struct ScoreRow {
    question: Option<String>,
    answer: Option<String>,
    prompt_ids: Option<Vec<TokenId>>,
    completion_ids: Option<Vec<TokenId>>,
}

#[derive(Serialize)]
struct Scored<'a> {
    completion_ids: &'a [TokenId],
    logprobs: &'a [f32],
    entropies: &'a [f32],
}

pub(super) fn score(args: &ScoreArgs) -> anyhow::Result<()> {
    let rows = read_rows::<ScoreRow>(&args.rows)?;
    let (config, source) = args.model.open()?;
    let prompts = Prompts::new(&config.prompt, &source)?;
    let mut sequences: Vec<(Vec<TokenId>, Vec<TokenId>)> = Vec::new();
    for (number, row) in rows.into_iter().enumerate() {
        sequences.push(match row {
            ScoreRow { prompt_ids: Some(prompt), completion_ids: Some(completion), .. } => {
                (prompt, completion)
            }
            ScoreRow { question: Some(question), answer: Some(answer), .. } => {
                (prompts.encode(&question, None)?, prompts.encode_answer(&answer)?)
            }
            _ => bail!(
                "{}, line {}: neither question and answer nor token ids\n\
                 hint: write {{\"question\": \"…\", \"answer\": \"…\"}}",
                args.rows.display(),
                number + 1
            ),
        });
    }
    let batch: Vec<Sequence<'_>> =
        sequences.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
    let mut actor = source.actor(&config.model)?;
    let scores = actor.score(&batch)?;
    let mut begin = 0;
    for (_, completion_ids) in &sequences {
        let span = begin..begin + completion_ids.len();
        begin = span.end;
        let (logprobs, entropies) = (&scores.logprobs[span.clone()], &scores.entropies[span]);
        print(&serde_json::to_string(&Scored { completion_ids, logprobs, entropies })?)?;
    }
    if let Some(path) = &args.gradient {
        write_gradient(&mut actor, &batch, config.objective.tokens_per_micro_batch as usize, path)?;
        say(&format!("the gradient is in {}", path.display()));
    }
    Ok(())
}

fn write_gradient(
    actor: &mut Actor,
    batch: &[Sequence<'_>],
    token_budget: usize,
    path: &Path,
) -> anyhow::Result<()> {
    let num_tokens: usize = batch.iter().map(|sequence| sequence.completion.len()).sum();
    for indices in actor.micro_batches(batch, token_budget) {
        let part: Vec<Sequence<'_>> = indices.iter().map(|&index| batch[index]).collect();
        actor.accumulate(&part, &mut |scores| ScoreGrads {
            logprobs: vec![-1.0 / num_tokens as f32; scores.logprobs.len()],
            entropies: vec![0.0; scores.entropies.len()],
        })?;
    }
    Weights::save_like(actor.gradients()?, actor.config(), path)?;
    Ok(())
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// A run (its latest checkpoint), one of its checkpoints, or any other model.
    model: String,
    /// Directory to make.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn export(args: &ExportArgs) -> anyhow::Result<()> {
    if args.out.exists() {
        bail!("{} is there already\nhint: name a directory that is not", args.out.display());
    }
    say_reading(Path::new(&args.model));
    let source = exgrpo_train::trained::read(&args.model)?;
    super::tell_notes(&source);
    let config = Config::default();
    let prompts = Prompts::new(&config.prompt, &source)?;
    exgrpo_core::atomic::write_dir(&args.out, |folder| {
        source.write_files(folder, prompts.template())?;
        Ok(source.weights.export(&source.config, &folder.join(WEIGHTS_FILE))?)
    })
    .with_context(|| format!("can't write {}", args.out.display()))?;
    say(&format!(
        "{} as a {} with {} parameters in {}",
        source.path,
        source.config.architecture.class_name(),
        source.config.num_parameters(),
        args.out.display()
    ));
    Ok(())
}

fn read_rows<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<Vec<T>> {
    let text = bounded::read_text(path, bounded::ROWS_BYTES)
        .map_err(|error| anyhow!("can't read {}: {error}\nhint: give a JSONL file", path.display()))?;
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| {
                anyhow!("{}, line {}: {error}\nhint: a row is one JSON object", path.display(), index + 1)
            })
        })
        .collect()
}
