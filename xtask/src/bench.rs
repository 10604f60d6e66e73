//! `cargo xtask bench`: the engine beside PyTorch, transformers and TRL on the same work, in turn on the same machine.
//!
//! Both sides are programs that do their work once for every line they are sent and answer with the seconds it took, so
//! that every round measures ours and each peer right after another, warm, and a ratio compares neighbours in time.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{say, workspace};

const HELP: &str = "usage: cargo xtask bench [--python PATH] [--rounds N] [NAME...]

  --python PATH  interpreter that has bench/peers/requirements.txt installed (default: python3)
  --rounds N     rounds that count, after one that warms up (default: 5)
  NAME           only comparisons whose name contains it

  python3 -m venv target/peers && target/peers/bin/pip install -r bench/peers/requirements.txt
  cargo xtask bench --python target/peers/bin/python";

/// Name, our arguments, and the peers: label and arguments.
type Comparison = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const COMPARISONS: &[Comparison] = &[
    ("step-small", "step small", &[("TRL f32", "step small"), ("TRL bf16", "step small bf16")]),
    ("step-smollm", "step smollm", &[("TRL f32", "step smollm"), ("TRL bf16", "step smollm bf16")]),
    ("step-small-bf16", "step small bf16", &[("TRL bf16", "step small bf16")]),
    ("step-smollm-bf16", "step smollm bf16", &[("TRL bf16", "step smollm bf16")]),
    ("train-smollm-bf16", "train smollm bf16", &[("PyTorch bf16", "train smollm bf16")]),
    ("train-smollm", "train smollm", &[("PyTorch f32", "train smollm")]),
    ("train-shared-smollm", "train-shared smollm", &[("PyTorch f32", "train-shared smollm")]),
    ("sample-64-small", "sample small", &[("generate f32", "sample small")]),
    ("sample-1-small", "sample-1 small", &[("generate f32", "sample-1 small")]),
    ("sample-64-smollm", "sample smollm", &[("generate f32", "sample smollm")]),
    ("sample-1-smollm", "sample-1 smollm", &[("generate f32", "sample-1 smollm")]),
];

struct Options {
    python: PathBuf,
    rounds: usize,
    names: Vec<String>,
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let Some(options) = parse(arguments)? else {
        say(HELP);
        return Ok(());
    };
    let mut python = Command::new(&options.python);
    let versions = "import torch, transformers, trl; print(f'torch {torch.__version__}, transformers \
                    {transformers.__version__}, TRL {trl.__version__}')";
    let versions = workspace::output(python.args(["-c", versions])).with_context(|| {
        format!("{} can't import the peers; see cargo xtask bench --help", options.python.display())
    })?;
    workspace::run(workspace::cargo().args([
        "bench",
        "--locked",
        "-p",
        "exgrpo-engine",
        "--bench",
        "turns",
        "--no-run",
    ]))?;
    print(&format!(
        "{}; medians of {} rounds, ratios as median [least, most]\n",
        versions.trim(),
        options.rounds
    ));
    print("| work | ours | peer | peer / ours | memory ours | memory peer |");
    print("|---|---|---|---|---|---|");
    for comparison in COMPARISONS {
        let is_wanted =
            options.names.is_empty() || options.names.iter().any(|name| comparison.0.contains(name.as_str()));
        if is_wanted {
            compare(comparison, &options)?;
        }
    }
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Option<Options>> {
    let mut options = Options { python: PathBuf::from("python3"), rounds: 5, names: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--python" => options.python = value()?.into(),
            "--rounds" => options.rounds = value()?.parse().context("--rounds is a number")?,
            name if !name.starts_with('-') => options.names.push(name.to_owned()),
            other => bail!("unexpected argument `{other}`; see cargo xtask bench --help"),
        }
    }
    if options.rounds == 0 {
        bail!("--rounds must be at least 1");
    }
    Ok(Some(options))
}

/// Ours against each peer: two processes at a time, because several may not fit into memory together.
fn compare((name, our_arguments, peers): &Comparison, options: &Options) -> Result<()> {
    for (label, arguments) in *peers {
        say(&format!("{name}: starting both sides"));
        let mut ours = workspace::cargo();
        ours.args(["bench", "--quiet", "--locked", "-p", "exgrpo-engine", "--bench", "turns", "--"]);
        let mut ours = Side::start(ours.args(our_arguments.split(' ')))?;
        let mut theirs = Command::new(&options.python);
        theirs.current_dir(workspace::root()).arg("bench/peers/peer.py").args(arguments.split(' '));
        let mut theirs = Side::start(&mut theirs)?;
        let mut pairs = Vec::new();
        for round in 0..=options.rounds {
            let pair = (ours.turn()?, theirs.turn()?);
            say(&format!("{name}: round {round}: {:.3} s, {label} {:.3} s", pair.0, pair.1));
            if round > 0 {
                pairs.push(pair);
            }
        }
        let middle = |of: fn(&(f64, f64)) -> f64| sorted(pairs.iter().map(of))[pairs.len() / 2];
        let ratios = sorted(pairs.iter().map(|(ours, theirs)| theirs / ours));
        print(&format!(
            "| {name} | {}{} | {label} {} | {:.2} [{:.2}, {:.2}] | {:.2} GB | {:.2} GB |",
            duration(middle(|pair| pair.0)),
            ours.limit(),
            duration(middle(|pair| pair.1)),
            ratios[ratios.len() / 2],
            ratios[0],
            ratios[ratios.len() - 1],
            ours.peak_gb,
            theirs.peak_gb
        ));
    }
    Ok(())
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn duration(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// A program that works when it is told to. It is killed when the comparison ends.
struct Side {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    peak_gb: f64,
    /// What the turns reached, the warming one included.
    limits: Vec<Limit>,
}

#[derive(Deserialize)]
struct Answer {
    seconds: f64,
    peak_gb: f64,
    limit: Option<Limit>,
}

/// A limit of the machine, and which share of it was reached.
#[derive(Deserialize)]
struct Limit {
    of: String,
    share: f64,
}

impl Side {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("could not start {}", command.get_program().to_string_lossy()))?;
        let input = child.stdin.take().context("a side has no standard input")?;
        let output = BufReader::new(child.stdout.take().context("a side has no standard output")?);
        Ok(Self { child, input, output, peak_gb: 0.0, limits: Vec::new() })
    }

    /// Seconds that the work took this time.
    fn turn(&mut self) -> Result<f64> {
        self.input.write_all(b"\n").and_then(|()| self.input.flush()).context("a side has ended")?;
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                bail!("a side ended without an answer; start it by hand to see why (bench/peers/README.md)");
            }
            // Libraries print lines of their own.
            if let Ok(answer) = serde_json::from_str::<Answer>(&line) {
                self.peak_gb = answer.peak_gb;
                self.limits.extend(answer.limit);
                return Ok(answer.seconds);
            }
        }
    }
}

impl Side {
    /// The median share of the limit after the turn that warms up, in words; nothing when there is none.
    fn limit(&self) -> String {
        let shares = sorted(self.limits.iter().skip(1).map(|limit| limit.share));
        match (self.limits.first(), shares.get(shares.len() / 2)) {
            (Some(Limit { of, .. }), Some(share)) => format!(", {:.0} % {of}", 100.0 * share),
            _ => String::new(),
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn print(line: &str) {
    println!("{line}");
}
