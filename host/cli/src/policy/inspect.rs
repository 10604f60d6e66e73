//! `exgrpo-host policy inspect`: what a policy is, without a run.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::output::{print, say};
use crate::train::set_policy_params;
use exgrpo_core::escape;
use exgrpo_core::escape::foreign;
use exgrpo_policy::{CallCost, Candidate, GuestConfig, INTERFACE, PolicySource, Probe};
use exgrpo_train::config::Config;
use exgrpo_train::run;

const EXAMPLES: &str = "\
Examples:
  exgrpo-host policy inspect policies/gaussian_medium.wasm
  exgrpo-host policy inspect my.wasm --policy-param sigma=2 --json";

/// Arguments of `policy inspect`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InspectArgs {
    /// The policy's .wasm file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A parameter of the policy, as name=value; give it again for more.
    #[arg(long, value_name = "NAME=VALUE")]
    policy_param: Vec<String>,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
    /// Keys of the configuration that limit policies (guest.*), as table.key=value.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

pub(super) fn inspect(args: &InspectArgs) -> anyhow::Result<()> {
    crate::check_keys(&args.overrides, "a policy", &["guest."], &[])?;
    let mut config = Config::resolve(None, &args.overrides)?;
    set_policy_params(&mut config, &args.policy_param)?;
    let loader = run::loader(&config)?;
    let given: Vec<String> = config.policy.params.into_keys().collect();
    let source = PolicySource::read(&args.file, loader.most_file_bytes()).with_context(|| {
        format!("can't use policy {}\nhint: {}", args.file.display(), run::policy_hint(&args.file))
    })?;
    let bytes = source.bytes.len();
    let candidate = loader.prepare(source, &Probe::default())?;
    for line in candidate.log() {
        say(&format!("it logged: {}", foreign(&line.message)));
    }
    let seen = Seen { candidate, bytes, limits: config.guest };
    seen.check_given(&given)?;
    match args.json {
        true => print(&escape::json(&seen.object()?.to_string())),
        false => print(&seen.page()?),
    }
}

struct Seen {
    candidate: Candidate,
    bytes: usize,
    limits: GuestConfig,
}

impl Seen {
    fn slots(&self) -> Vec<&'static str> {
        self.candidate.info().slots.iter().map(|slot| slot.as_str()).collect()
    }

    fn imports(&self) -> Vec<&'static str> {
        if self.candidate.imports_log() { vec!["host-log"] } else { Vec::new() }
    }

    /// The declared parameters, by name.
    fn declared(&self) -> anyhow::Result<Map<String, Value>> {
        if self.candidate.schema().trim().is_empty() {
            return Ok(Map::new());
        }
        let schema: Value = serde_json::from_str(self.candidate.schema())
            .context("the policy's parameter schema is no JSON")?;
        Ok(schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default())
    }

    /// Refuses parameters that it does not take.
    fn check_given(&self, given: &[String]) -> anyhow::Result<()> {
        let (declared, name) = (self.declared()?, &self.candidate.info().name);
        for key in given {
            let own = key.strip_prefix(&format!("{name}.")).unwrap_or(key);
            if !declared.contains_key(own) {
                let known: Vec<String> = declared.keys().map(|key| foreign(key).to_string()).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                bail!(
                    "{} takes no parameter {}\nhint: its parameters: {known}",
                    foreign(name),
                    escape::quoted(key)
                );
            }
        }
        Ok(())
    }

    /// Fuel that a call may take: a verifier has some for each response.
    fn budget(&self, cost: &CallCost) -> u64 {
        match cost.function == "verifier.verify" {
            true => self.limits.fuel_per_request.saturating_mul(cost.rows as u64),
            false => self.limits.fuel_per_call,
        }
    }

    fn object(&self) -> anyhow::Result<Value> {
        let info = self.candidate.info();
        let calls: Vec<Value> = self
            .candidate
            .costs()
            .iter()
            .map(|cost| json!({"function": cost.function, "rows": cost.rows, "fuel": cost.fuel}))
            .collect();
        Ok(json!({
            "name": info.name, "version": info.version, "digest": info.digest, "bytes": self.bytes,
            "interface": INTERFACE, "slots": self.slots(), "state": self.candidate.has_state(),
            "imports": self.imports(), "parameters": self.declared()?, "in_force": info.params, "calls": calls,
        }))
    }

    fn page(&self) -> anyhow::Result<String> {
        let info = self.candidate.info();
        let or_none = |words: Vec<&str>| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
        let mut lines = vec![
            format!("{} {}", foreign(&info.name), foreign(&info.version)),
            format!("digest     {}", info.digest),
            format!("size       {} bytes", self.bytes),
            format!("interface  {INTERFACE}"),
            format!("slots      {}", or_none(self.slots())),
            format!("state      {}", if self.candidate.has_state() { "kept between calls" } else { "none" }),
            format!("imports    {}", or_none(self.imports())),
        ];
        let declared = self.declared()?;
        lines.push(match declared.is_empty() {
            true => "parameters none".to_owned(),
            false => "parameters, and the value in force:".to_owned(),
        });
        for (name, rules) in &declared {
            let value = info.params.get(name).map_or("none".to_owned(), Value::to_string);
            lines.push(format!("  {} = {}  {}", foreign(name), foreign(&value), foreign(&rule(rules))));
        }
        lines.push("tried on a made-up sample; in percent of what it may take:".to_owned());
        let width = self.candidate.costs().iter().map(|cost| cost.function.len()).max().unwrap_or(0);
        for cost in self.candidate.costs() {
            let share = 100.0 * cost.fuel as f64 / self.budget(cost) as f64;
            let (function, rows, fuel) = (&cost.function, cost.rows, cost.fuel);
            lines.push(format!("  {function:width$}  {rows:>3} rows  {fuel:>9} fuel  {share:.4} %"));
        }
        Ok(lines.join("\n"))
    }
}

/// Type, range and description of a parameter, from its schema.
fn rule(declared: &Value) -> String {
    let text = |key: &str| declared.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let bounds = [
        ("minimum", "from"),
        ("exclusiveMinimum", "above"),
        ("maximum", "up to"),
        ("exclusiveMaximum", "below"),
        ("enum", "one of"),
    ];
    let mut parts = vec![text("type")];
    parts.extend(bounds.iter().filter_map(|(key, word)| Some(format!("{word} {}", declared.get(key)?))));
    let description = text("description");
    format!("{}{}{description}", parts.join(" "), if description.is_empty() { "" } else { ": " })
}
