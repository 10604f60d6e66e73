//! `exgrpo-host verify`: what a verifier makes of answers, without a model and a run.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde_json::json;

use super::train::set_policy_params;
use super::{print, say};
use exgrpo_core::escape;
use exgrpo_core::types::Verdict;
use exgrpo_policy::{PolicySet, VerifyRequest, VerifyResult};
use exgrpo_train::config::Config;
use exgrpo_train::dataset;
use exgrpo_train::run;

const EXAMPLES: &str = "\
Examples:
  exgrpo-host verify --verifier policies/math_answer.wasm --gold '\\frac{1}{2}' --response 'So it is $0.5$.'
  exgrpo-host verify --verifier policies/gsm8k.wasm --pairs pairs.jsonl > verdicts.jsonl";

/// Pairs that are judged at a time.
const CHUNK: usize = 4_096;
/// Columns of a file of pairs, each with the names that it may have.
const GOLD: [&str; 4] = ["gold", "reference", "answer", "ground_truth"];
const RESPONSE: [&str; 3] = ["response", "completion", "solution"];
const PROMPT: [&str; 2] = ["prompt", "question"];

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct VerifyArgs {
    /// Policy that judges; the built-in compares with what follows the last `;`.
    #[arg(long, value_name = "FILE")]
    verifier: Option<PathBuf>,
    /// A parameter of the verifier, as name=value; give it again for more.
    #[arg(long, value_name = "NAME=VALUE")]
    policy_param: Vec<String>,
    /// Gold answer.
    #[arg(
        long,
        value_name = "TEXT",
        requires = "response",
        required_unless_present = "pairs",
        allow_hyphen_values = true
    )]
    gold: Option<String>,
    /// Response that is judged.
    #[arg(long, value_name = "TEXT", requires = "gold", allow_hyphen_values = true)]
    response: Option<String>,
    /// Question, for verifiers that look at it.
    #[arg(long, value_name = "TEXT", requires = "gold", default_value = "")]
    prompt: String,
    /// File of pairs with the columns gold and response, perhaps prompt and expected (a verdict): a JSON object a pair is
    /// printed, `row` the number of its line or row.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["gold", "response"])]
    pairs: Option<PathBuf>,
    /// Print a JSON object for a single pair, too.
    #[arg(long)]
    json: bool,
    /// Keys of the configuration that limit the verifier (guest.*), as table.key=value.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

struct Pair {
    row: usize,
    request: VerifyRequest,
    expected: Option<String>,
}

pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    super::check_keys(&args.overrides, "a verifier", &["guest."], &[])?;
    let mut config = Config::resolve(None, &args.overrides)?;
    config.policy.files = args.verifier.iter().cloned().collect();
    set_policy_params(&mut config, &args.policy_param)?;
    let mut policies = run::load_policies(&config)?;
    super::check_verifier(&policies, args.verifier.as_deref())?;
    match &args.pairs {
        Some(path) => verify_file(&mut policies, path),
        None => {
            let (gold, response) = (args.gold.clone(), args.response.clone());
            let request =
                request(args.prompt.clone(), gold.unwrap_or_default(), response.unwrap_or_default());
            let pair = Pair { row: 1, request, expected: None };
            verify_one(&mut policies, &pair, args.json)
        }
    }
}

fn request(prompt: String, reference: String, response: String) -> VerifyRequest {
    VerifyRequest { prompt, reference, response, finished: true }
}

fn verify_one(policies: &mut PolicySet, pair: &Pair, as_json: bool) -> anyhow::Result<()> {
    let answered = policies.verify(1, std::slice::from_ref(&pair.request))?.answer;
    let result = answered.first().context("the verifier gave no verdict")?;
    tell_faults(policies);
    if as_json {
        return print_json(pair, result);
    }
    let reward = match result.verdict.is_scored() {
        true => result.reward.to_string(),
        false => "none".to_owned(),
    };
    // What the verifier took for the answer; it need not say.
    let answer = match &result.answer {
        Some(answer) => escape::foreign(answer).to_string(),
        None => "none: the verifier found no answer in the response, or does not say which".to_owned(),
    };
    print(&format!(
        "verdict  {}\nreward   {reward}\nanswer   {answer}\nfuel     {}",
        result.verdict.as_str(),
        result.fuel
    ))
}

fn print_json(pair: &Pair, result: &VerifyResult) -> anyhow::Result<()> {
    let reward = result.verdict.is_scored().then_some(result.reward);
    let mut row = json!({
        "row": pair.row, "verdict": result.verdict.as_str(), "reward": reward, "answer": result.answer,
        "fuel": result.fuel,
    });
    if let Some(expected) = &pair.expected {
        row["expected"] = expected.as_str().into();
    }
    print(&escape::json(&row.to_string()))
}

/// What went wrong inside of the verifier, which a verdict alone doesn't say.
fn tell_faults(policies: &mut PolicySet) {
    let (_, events) = policies.drain(1);
    for event in events {
        say(&format!("warning: {}", event.detail));
    }
}

fn verify_file(policies: &mut PolicySet, path: &Path) -> anyhow::Result<()> {
    let (mut judged, mut known, mut agreed) = (0usize, 0usize, 0usize);
    let mut accepted = 0usize;
    let mut rows = dataset::read_table(path)?;
    loop {
        let pairs: Vec<Pair> =
            rows.by_ref().take(CHUNK).map(|row| pair(row?)).collect::<anyhow::Result<_>>()?;
        if pairs.is_empty() {
            break;
        }
        let requests: Vec<VerifyRequest> = pairs.iter().map(|pair| pair.request.clone()).collect();
        let results = policies.verify(1, &requests)?.answer;
        tell_faults(policies);
        for (pair, result) in pairs.iter().zip(&results) {
            print_json(pair, result)?;
            judged += 1;
            accepted += usize::from(result.verdict == Verdict::Correct);
            if let Some(expected) = &pair.expected {
                known += 1;
                agreed += usize::from(expected == result.verdict.as_str());
            }
        }
    }
    if judged == 0 {
        bail!("{} has no pairs", path.display());
    }
    let agreement = if known > 0 { format!(", {agreed} of {known} as expected") } else { String::new() };
    say(&format!("{accepted} of {judged} correct{agreement}"));
    Ok(())
}

fn pair((row, cells): dataset::TableRow) -> anyhow::Result<Pair> {
    let cells = cells.map_err(|reason| anyhow!("row {row}: {reason}"))?;
    let text = |names: &[&str]| names.iter().find_map(|name| Some(cells.get(*name)?.text()?.into_owned()));
    let needed = |names: &[&str]| {
        text(names).with_context(|| {
            format!("row {row} has no {}\nhint: its columns are {}", names[0], dataset::column_names(&cells))
        })
    };
    let request = request(text(&PROMPT).unwrap_or_default(), needed(&GOLD)?, needed(&RESPONSE)?);
    Ok(Pair { row, request, expected: text(&["expected"]) })
}
