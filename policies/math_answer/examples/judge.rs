//! Judges pairs: a JSON object with `gold` and `response` a line on standard input, the verdict a line on standard output.
//! `--repeat N` judges all of them N times over, and the time that took goes to standard error as JSON.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool's output")]

use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

use exgrpo_guest_sdk::{Outcome, Verifier, testing};
use math_answer::MathAnswer;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut repeat = 1_usize;
    let mut parameters = "{}".to_owned();
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or("an option has no value")?;
        match argument.as_str() {
            "--repeat" => repeat = value.parse()?,
            "--parameters" => parameters = value,
            _ => return Err(format!("there is no option {argument}").into()),
        }
    }
    let policy = testing::policy::<MathAnswer>(&parameters).map_err(|error| format!("{error:?}"))?;
    let mut requests = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let pair: serde_json::Value = serde_json::from_str(&line?)?;
        let text = |name: &str| pair.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        requests.push(testing::request("", text("gold"), text("response")));
    }

    let started = Instant::now();
    let mut verdicts = Vec::new();
    for _ in 0..repeat {
        verdicts = policy.verify_batch(&requests).map_err(|error| format!("{error:?}"))?;
    }
    let seconds = started.elapsed().as_secs_f64();
    for verdict in &verdicts {
        println!(
            "{}",
            match verdict.as_ref().map(|verdict| verdict.outcome) {
                Ok(Outcome::Correct) => "correct",
                Ok(Outcome::Incorrect) => "incorrect",
                Ok(Outcome::Unscorable) => "unscorable",
                Err(_) => "error",
            }
        );
    }
    eprintln!("{{\"judged\": {}, \"seconds\": {seconds}}}", repeat * requests.len());
    Ok(())
}
