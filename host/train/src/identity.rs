//! What a run or an evaluation was given, by content: digests of its rows and of its model, and the settings that decide
//! its outcome. Whatever is resumed or added to is compared with it first, so that two things of one name, or of as many
//! rows, are never taken for each other.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{Config, RunToml};
use crate::dataset::Dataset;
use exgrpo_core::sealed;
use exgrpo_core::types::Question;
use exgrpo_engine::Weights;
use exgrpo_models::ModelSource;
use exgrpo_models::prompt::Prompts;

/// Name of a run's training rows.
pub const TRAINING: &str = "training";
/// Name of a run's held-out rows.
pub const HELD_OUT: &str = "held-out";

/// Key of the weights that a model began with.
const WEIGHTS: &str = "weights";

/// Keys of a run's configuration that decide nothing about its rows: how long it runs, where things lie (their content is
/// compared), how fast it computes, and what is written when. A key that ends with a dot stands for its table.
const FREE_KEYS: &[&str] =
    &["steps", "model.path", "model.threads", "dataset.", "policy.files", "policy.watch", "checkpoint."];

/// Limits of policies that decide whether one is loaded, and how fast it works, but nothing of what it answers.
const FREE_LIMITS: &[&str] = &[
    "guest.threads",
    "guest.file_mib",
    "guest.function_kib",
    "guest.function_locals",
    "guest.functions",
    "guest.code_mib",
    "guest.compile_s",
    "guest.compile_mib",
];

/// What something was given. Keys are names for people; values are digests or, for settings, the values themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Rows by name: [`TRAINING`] and [`HELD_OUT`] of a run, benchmarks of an evaluation.
    #[serde(default)]
    pub rows: BTreeMap<String, RowsIdentity>,
    /// SHA-256 of each part of the model.
    #[serde(default)]
    pub model: BTreeMap<String, String>,
    /// Settings as TOML, by dotted key.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

/// Questions in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowsIdentity {
    /// How many.
    pub count: u64,
    /// SHA-256 of each of their fields, over all rows.
    pub fields: BTreeMap<String, String>,
}

/// What differs, a short clause each; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differences(Vec<String>);

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl Identity {
    /// What a run is given.
    ///
    /// # Errors
    /// The prompt's template can't be made, or the configuration not be written as TOML.
    pub fn of_run(
        config: &Config,
        train: &Dataset,
        heldout: &Dataset,
        source: &ModelSource,
    ) -> anyhow::Result<Self> {
        let mut training = RowsIdentity::of(&train.questions);
        training.add_columns(train);
        let rows = [(TRAINING, training), (HELD_OUT, RowsIdentity::of(&heldout.questions))];
        let prompts = Prompts::new(&config.prompt, source)?;
        Ok(Self {
            rows: rows.map(|(name, rows)| (name.to_owned(), rows)).into(),
            model: model(source, &prompts),
            settings: settings_of(config)?,
        })
    }

    /// Notes the weights that a model begins with.
    pub fn add_weights(&mut self, weights: &Weights) {
        self.model.insert(WEIGHTS.to_owned(), digest_of_weights(weights));
    }

    /// True unless a model began with other weights.
    pub fn may_have_begun_with(&self, weights: &Weights) -> bool {
        self.model.get(WEIGHTS).is_none_or(|recorded| *recorded == digest_of_weights(weights))
    }

    /// Takes over which weights `recorded` began with: a run that goes on has others by now, which its checkpoint knows.
    pub fn keep_weights_of(&mut self, recorded: &Self) {
        match recorded.model.get(WEIGHTS) {
            Some(digest) => self.model.insert(WEIGHTS.to_owned(), digest.clone()),
            None => self.model.remove(WEIGHTS),
        };
    }

    /// The parts that are digests, for people: run.toml holds the settings in another form.
    pub fn without_settings(&self) -> Self {
        Self { settings: BTreeMap::new(), ..self.clone() }
    }

    /// What `now` has otherwise than `self`, which was recorded; none when they are the same. A setting that was not
    /// recorded because there was none then must have its value in `defaults`.
    pub fn differences(&self, now: &Self, defaults: &BTreeMap<String, String>) -> Option<Differences> {
        let mut found = Vec::new();
        let none = RowsIdentity::default();
        for name in keys(&self.rows, &now.rows) {
            let of = |identity: &'_ Self| identity.rows.get(name).cloned();
            let (there, here) =
                (of(self).unwrap_or_else(|| none.clone()), of(now).unwrap_or_else(|| none.clone()));
            found.extend(there.differences(&here).map(|what| format!("the {name} rows {what}")));
        }
        for part in keys(&self.model, &now.model).filter(|part| self.model.get(*part) != now.model.get(*part))
        {
            found.push(format!("the model has other {}", part.replace('_', " ")));
        }
        for key in keys(&self.settings, &now.settings) {
            let there = self.settings.get(key).or_else(|| defaults.get(key));
            let here = now.settings.get(key);
            if there != here {
                let text = |value: Option<&String>| value.map_or("not set".to_owned(), String::clone);
                found.push(format!("{key} is {}, was {}", text(here), text(there)));
            }
        }
        (!found.is_empty()).then_some(Differences(found))
    }
}

impl RowsIdentity {
    /// Digests of what is asked, and how.
    pub fn of<'a>(questions: impl IntoIterator<Item = &'a Question> + Clone) -> Self {
        let mut fields = BTreeMap::new();
        let mut digest = |name: &str, add: &dyn Fn(&mut FieldDigest, &Question)| {
            let mut field = FieldDigest::default();
            questions.clone().into_iter().for_each(|question| add(&mut field, question));
            fields.insert(name.to_owned(), field.finish());
        };
        digest("questions", &|field, question| field.text(Some(&question.prompt)));
        digest("answers", &|field, question| field.text(Some(&question.answer)));
        digest("system_messages", &|field, question| field.text(question.system.as_deref()));
        digest("benchmarks", &|field, question| field.text(question.benchmark.as_deref()));
        digest("prompt_tokens", &|field, question| field.numbers(Some(&question.prompt_ids)));
        digest("solutions", &|field, question| field.numbers(question.demonstration_ids.as_deref()));
        Self { count: questions.into_iter().count() as u64, fields }
    }

    /// Adds the numeric columns that policies see.
    fn add_columns(&mut self, dataset: &Dataset) {
        let mut field = FieldDigest::default();
        for (name, values) in dataset.extra_names.iter().zip(&dataset.extra) {
            field.text(Some(name));
            let bits: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
            field.numbers(Some(&bits));
        }
        self.fields.insert("numeric_columns".to_owned(), field.finish());
    }

    fn differences(&self, now: &Self) -> Option<String> {
        if self.count != now.count {
            return Some(format!("are {}, were {}", now.count, self.count));
        }
        let other: Vec<String> = keys(&self.fields, &now.fields)
            .filter(|field| self.fields.get(*field) != now.fields.get(*field))
            .map(|field| field.replace('_', " "))
            .collect();
        (!other.is_empty()).then(|| format!("have other {}", other.join(", ")))
    }
}

/// Settings of a run that decide about its rows, as TOML by dotted key.
///
/// # Errors
/// The configuration can't be written as TOML.
pub fn settings_of(config: &Config) -> anyhow::Result<BTreeMap<String, String>> {
    // By way of the text, in which a float of 32 bits is as short as it was written.
    let mut settings = flatten(&config.to_toml()?.parse()?);
    settings.retain(|key, _| {
        let is_free = |free: &&str| key == free || (free.ends_with('.') && key.starts_with(*free));
        !FREE_KEYS.iter().any(is_free) && !is_free_limit(key)
    });
    Ok(settings)
}

/// True for the key of a limit that no answer of a policy depends on.
pub fn is_free_limit(key: &str) -> bool {
    FREE_LIMITS.contains(&key)
}

/// The values of a table by dotted key.
pub fn flatten(table: &toml::Table) -> BTreeMap<String, String> {
    fn add(prefix: &str, table: &toml::Table, found: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            match value {
                toml::Value::Table(table) => add(&format!("{prefix}{key}."), table, found),
                value => {
                    found.insert(format!("{prefix}{key}"), value.to_string());
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    add("", table, &mut found);
    found
}

/// Digests of all of a model but its weights: what decides how text becomes tokens, and tokens numbers.
pub fn model(source: &ModelSource, prompts: &Prompts<'_>) -> BTreeMap<String, String> {
    let mut digests = model_files(source);
    let template = prompts.template().unwrap_or_default();
    digests.insert("prompt_template".to_owned(), sealed::sha256(template.as_bytes()));
    digests
}

/// The same without the template, which depends on how a run asks.
pub fn model_files(source: &ModelSource) -> BTreeMap<String, String> {
    let network = serde_json::to_vec(&source.config).unwrap_or_default();
    let stop_ids: Vec<u8> = source.stop_ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    let parts: [(&str, &[u8]); 3] = [
        ("network_configuration", &network),
        ("stop_tokens", &stop_ids),
        ("tokenizer", &source.tokenizer_text),
    ];
    parts.map(|(name, bytes)| (name.to_owned(), sealed::sha256(bytes))).into()
}

/// What `run.toml` says that a run began with, its settings left out; none in runs of before it was recorded.
///
/// # Errors
/// Its table is damaged.
pub fn of_run_toml(run_toml: &RunToml) -> anyhow::Result<Option<Identity>> {
    let recorded = run_toml.run.get("identity").cloned();
    recorded.map(toml::Value::try_into).transpose().context("run.toml can't be used: run.identity")
}

/// SHA-256 of the values of all parameters with their names and shapes.
fn digest_of_weights(weights: &Weights) -> String {
    let mut hash = Sha256::new();
    let mut bytes = Vec::with_capacity(4 * 16_384);
    for tensor in weights.tensors() {
        hash.update((tensor.name.len() as u64).to_le_bytes());
        hash.update(&tensor.name);
        hash.update((tensor.shape.len() as u64).to_le_bytes());
        tensor.shape.iter().for_each(|&size| hash.update((size as u64).to_le_bytes()));
        for values in tensor.data.chunks(16_384) {
            bytes.clear();
            values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
            hash.update(&bytes);
        }
    }
    sealed::hex(&hash.finalize())
}

/// Keys of two maps, each once, in order.
fn keys<'a, V>(a: &'a BTreeMap<String, V>, b: &'a BTreeMap<String, V>) -> impl Iterator<Item = &'a str> {
    let all: std::collections::BTreeSet<&str> = a.keys().chain(b.keys()).map(String::as_str).collect();
    all.into_iter()
}

/// Digest of one field of all rows. Every value comes behind its length, so that no two lists of values look alike.
#[derive(Default)]
struct FieldDigest(Sha256);

impl FieldDigest {
    fn text(&mut self, text: Option<&str>) {
        self.length(text.map(str::len));
        self.0.update(text.unwrap_or_default());
    }

    fn numbers(&mut self, numbers: Option<&[u32]>) {
        self.length(numbers.map(<[u32]>::len));
        numbers.unwrap_or_default().iter().for_each(|number| self.0.update(number.to_le_bytes()));
    }

    /// A value that is absent differs from one that is empty.
    fn length(&mut self, length: Option<usize>) {
        self.0.update(length.map_or(u64::MAX, |length| length as u64).to_le_bytes());
    }

    fn finish(self) -> String {
        sealed::hex(&self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(prompt: &str, answer: &str) -> Question {
        Question {
            id: 1,
            benchmark: None,
            prompt: prompt.to_owned(),
            system: None,
            answer: answer.to_owned(),
            prompt_ids: vec![1, 2],
            demonstration_ids: None,
        }
    }

    fn difference(change: impl Fn(&mut Vec<Question>)) -> Option<String> {
        let rows = vec![question("1+1=", "2"), question("2+2=", "4"), question("3+3=", "6")];
        let mut changed = rows.clone();
        change(&mut changed);
        RowsIdentity::of(&rows).differences(&RowsIdentity::of(&changed))
    }

    #[test]
    fn every_field_and_the_order_of_rows_are_their_identity() {
        let said = |change: &dyn Fn(&mut Vec<Question>)| difference(change).unwrap();
        assert_eq!(difference(|_| {}), None);
        assert_eq!(said(&|rows| rows.reverse()), "have other answers, questions");
        assert_eq!(said(&|rows| rows[1].answer = "5".to_owned()), "have other answers");
        assert_eq!(said(&|rows| rows[2].system = Some(String::new())), "have other system messages");
        assert_eq!(said(&|rows| rows[2].demonstration_ids = Some(vec![])), "have other solutions");
        assert_eq!(said(&|rows| rows[0].prompt_ids.push(3)), "have other prompt tokens");
        assert_eq!(said(&|rows| rows[0].benchmark = Some("a".to_owned())), "have other benchmarks");
        assert_eq!(said(&|rows| rows.truncate(2)), "are 2, were 3");
        // What one row loses another gains: the same text in all, other rows.
        let moved = |rows: &mut Vec<Question>| {
            rows[0].prompt = "1+1=2".to_owned();
            rows[1].prompt = "+2=".to_owned();
        };
        assert_eq!(said(&moved), "have other questions");
    }

    #[test]
    fn settings_that_decide_are_compared_and_those_that_do_not_are_free() {
        let of = |change: &dyn Fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            Identity { settings: settings_of(&config).unwrap(), ..Identity::default() }
        };
        let defaults = settings_of(&Config::default()).unwrap();
        let recorded = of(&|_| {});
        let said = |change: &dyn Fn(&mut Config)| {
            recorded.differences(&of(change), &defaults).map(|differences| differences.to_string())
        };
        let free = |config: &mut Config| {
            config.steps = 7;
            config.model.threads = 3;
            config.model.path = "elsewhere".to_owned();
            config.dataset.train = "elsewhere.jsonl".to_owned();
            config.checkpoint.keep = 9;
            config.policy.watch = false;
        };
        assert_eq!(said(&free), None);
        assert_eq!(said(&|config| config.optim.lr = 0.5).unwrap(), "optim.lr is 0.5, was 0.0001");
        assert_eq!(
            said(&|config| config.replay.max_success = Some(3)).unwrap(),
            "replay.max_success is 3, was not set"
        );
        assert_eq!(said(&|config| config.seed = 2).unwrap(), "seed is 2, was 1");
        // A setting that the program did not have when the run began counts as its default.
        let mut older = recorded.clone();
        older.settings.remove("optim.lr");
        assert_eq!(older.differences(&recorded, &defaults), None);
        assert!(older.differences(&of(&|config| config.optim.lr = 0.5), &defaults).is_some());
    }

    #[test]
    fn one_changed_weight_is_another_model() {
        let source = ModelSource::read(&Config::default().model.path).unwrap();
        let digest = |weights: &Weights| digest_of_weights(weights);
        let mut tensors = source.weights.tensors().to_vec();
        let before = digest(&source.weights);
        let last = tensors.last_mut().unwrap();
        *last.data.last_mut().unwrap() += 1e-3;
        let changed = Weights::from_tensors(tensors, "test", &source.config).unwrap();
        assert_ne!(before, digest(&changed));
    }
}
