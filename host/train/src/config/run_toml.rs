//! run.toml: what a run was begun with. It is written once and carries its own digest, so that a damaged or edited one is
//! refused and never filled up with defaults.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

use anyhow::{Context, bail};

use super::Config;
use exgrpo_core::sealed::{self, Format};

/// Table that is about the run rather than its configuration.
pub(super) const RUN_TABLE: &str = "run";

/// Version of the file; another one is refused.
const FORMAT: i64 = 2;

/// The most bytes of a run.toml that are read.
pub const MAX_RUN_TOML: u64 = 64 << 20;

/// A run.toml.
#[derive(Debug, Clone, PartialEq)]
pub struct RunToml {
    /// The whole file.
    pub text: String,
    /// The resolved configuration.
    pub config: Config,
    /// Tells the run from all others: parts and checkpoints name it. 32 hexadecimal digits.
    pub id: String,
    /// What is known of the run besides.
    pub run: toml::Table,
    /// Keys that the program that wrote the file did not have, as `table.key = value`: they have their defaults.
    pub defaulted: Vec<String>,
}

impl RunToml {
    /// The file of a new run. `run`: what is known of it besides its configuration.
    ///
    /// # Errors
    /// Something can't be written as TOML.
    pub fn new(config: Config, mut run: toml::Table) -> anyhow::Result<Self> {
        let id = new_id();
        run.insert("format".to_owned(), FORMAT.into());
        run.insert("id".to_owned(), id.clone().into());
        let mut file = toml::Table::new();
        file.insert(RUN_TABLE.to_owned(), run.clone().into());
        let body = format!("{}\n{}", config.to_toml()?, toml::to_string(&file)?);
        Ok(Self { text: sealed::seal(&body, Format::Toml), config, id, run, defaulted: Vec::new() })
    }

    /// Reads a run.toml.
    ///
    /// # Errors
    /// It is absent, damaged, edited, or of another program.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = sealed::read_limited(path, MAX_RUN_TOML)?;
        Self::parse(&bytes, path).map_err(|error| match without_digest(&bytes) {
            Some(_) => anyhow::anyhow!(
                "{} was written by exgrpo {UNSEALED}, whose runs can be looked at (show, eval, generate, export), not gone on with",
                path.display()
            ),
            None => error,
        })
    }

    /// The same to look at the run rather than to go on with it: a run.toml of before such files had a digest is read, too.
    /// Such a run has no id.
    ///
    /// # Errors
    /// As [`Self::read`]; one that has a digest is checked as always.
    pub fn read_to_look_at(path: &Path) -> anyhow::Result<Self> {
        let bytes = sealed::read_limited(path, MAX_RUN_TOML)?;
        Self::parse(&bytes, path).or_else(|error| without_digest(&bytes).ok_or(error))
    }

    /// True for the run.toml of a run of before such files had a digest: nothing can tell whether it is as it was written.
    pub fn is_unsealed(&self) -> bool {
        self.id.is_empty()
    }

    /// The same of bytes; `path` is for errors.
    ///
    /// # Errors
    /// They are not what was written, or of another program.
    pub fn parse(bytes: &[u8], path: &Path) -> anyhow::Result<Self> {
        let text = std::str::from_utf8(bytes)
            .with_context(|| format!("{} is damaged: it is not text", path.display()))?;
        let body = sealed::unseal(text, Format::Toml, path)?;
        let (config, id, run, defaulted) =
            parse_body(body).with_context(|| format!("{} can't be used", path.display()))?;
        Ok(Self { text: text.to_owned(), config, id, run, defaulted })
    }
}

/// What people are told of such a file.
pub fn unsealed(path: &Path) -> String {
    format!(
        "{} was written before such files had a digest: nothing tells whether it is as it was",
        path.display()
    )
}

/// The version of the programs whose run.toml has no digest.
const UNSEALED: &str = "0.0.0";

/// The run.toml of a program of before it had a digest, which says so by its version and has no format. Anything else is
/// none: a newer one that was cut short says another version, or no more has the table that does.
fn without_digest(bytes: &[u8]) -> Option<RunToml> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut table: toml::Table = text.parse().ok()?;
    let run = table.remove(RUN_TABLE)?.as_table()?.clone();
    let is_old = run.get("exgrpo_version").and_then(toml::Value::as_str) == Some(UNSEALED);
    if !is_old || run.contains_key("format") || !run.contains_key("name") {
        return None;
    }
    let config: Config = toml::Value::Table(table).try_into().ok()?;
    config.validate().ok()?;
    Some(RunToml { text: text.to_owned(), config, id: String::new(), run, defaulted: Vec::new() })
}

fn parse_body(body: &str) -> anyhow::Result<(Config, String, toml::Table, Vec<String>)> {
    let mut table: toml::Table = body.parse()?;
    let Some(toml::Value::Table(run)) = table.remove(RUN_TABLE) else {
        bail!("it has no table [{RUN_TABLE}]")
    };
    match run.get("format").and_then(toml::Value::as_integer) {
        Some(FORMAT) => {}
        format => bail!("it has format {format:?}, this program reads {FORMAT}"),
    }
    let id = run.get("id").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("its run.id {id:?} is not 32 hexadecimal digits");
    }
    let config: Config = toml::Value::Table(table.clone()).try_into()?;
    config.validate()?;
    let mut defaulted = Vec::new();
    add_missing("", &config.to_toml()?.parse()?, &table, &mut defaulted);
    Ok((config, id, run, defaulted))
}

/// Names the keys of `resolved` that `recorded` lacks.
fn add_missing(prefix: &str, resolved: &toml::Table, recorded: &toml::Table, missing: &mut Vec<String>) {
    for (key, value) in resolved {
        let name = format!("{prefix}{key}");
        match (value, recorded.get(key)) {
            (toml::Value::Table(inner), Some(toml::Value::Table(there))) => {
                add_missing(&format!("{name}."), inner, there, missing);
            }
            (toml::Value::Table(inner), None) => {
                add_missing(&format!("{name}."), inner, &toml::Table::new(), missing);
            }
            (_, Some(_)) => {}
            (value, None) => missing.push(format!("{name} = {value}")),
        }
    }
}

/// 128 bits from the operating system, by way of what seeds the standard library's hash maps.
fn new_id() -> String {
    let bits = || RandomState::new().build_hasher().finish();
    let seed = format!("{:x} {:x} {} {:?}", bits(), bits(), std::process::id(), std::time::SystemTime::now());
    sealed::sha256(seed.as_bytes())[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> RunToml {
        let run: toml::Table = "name = \"a\"\nmodel = \"embedded:arithmetic\"".parse().unwrap();
        let mut config = Config { steps: 9, seed: 8, ..Config::default() };
        config.rollout.questions = 8;
        RunToml::new(config, run).unwrap()
    }

    #[test]
    fn what_was_written_comes_back_and_nothing_else_is_taken_for_it() {
        let written = example();
        let path = Path::new("run.toml");
        let parse = |text: &str| RunToml::parse(text.as_bytes(), path);
        assert_eq!(parse(&written.text).unwrap(), written);
        assert_ne!(example().id, written.id);
        let changed = written.text.replace("questions = 8", "questions = 9");
        let without = written.text.replace("questions = 8\n", "");
        assert!(changed != written.text && without != written.text);
        for text in ["", "seed = 1\n", &written.text[..written.text.len() / 2], &changed, &without] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.starts_with("run.toml "), "{error}");
        }
    }

    #[test]
    fn a_file_of_before_there_was_a_digest_can_be_looked_at_and_no_other_without_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.toml");
        let look = |text: &str| {
            std::fs::write(&path, text).unwrap();
            RunToml::read_to_look_at(&path)
        };
        let old = "steps = 4\nseed = 7\n[rollout]\nquestions = 8\n[run]\nexgrpo_version = \"0.0.0\"\nname = \"a\"\n";
        let read = look(old).unwrap();
        assert!(read.is_unsealed() && read.config.seed == 7 && read.config.rollout.questions == 8);
        assert!(RunToml::read(&path).is_err(), "nothing goes on with it");
        let now = example().text;
        assert!(!look(&now).unwrap().is_unsealed());
        let unsealed =
            now.lines().filter(|line| !line.starts_with("# sha256")).collect::<Vec<_>>().join("\n");
        let cut = &now[..now.find("[run]").unwrap()];
        let no_name = old.replace("name = \"a\"\n", "");
        let unknown = old.replace("seed = 7", "sead = 7");
        for text in [&*unsealed, cut, &no_name, &unknown, "", &now.replace("questions = 8", "questions = 9")]
        {
            assert!(look(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_that_the_writer_did_not_have_is_told() {
        let body = example().text.replace("questions = 8\n", "").replace("keep = 2\n", "");
        let body = body.lines().filter(|line| !line.starts_with("# sha256")).collect::<Vec<_>>().join("\n");
        let sealed = sealed::seal(&body, Format::Toml);
        let read = RunToml::parse(sealed.as_bytes(), Path::new("run.toml")).unwrap();
        assert_eq!(read.defaulted, ["checkpoint.keep = 2", "rollout.questions = 64"]);
        let other = sealed::seal(&body.replace("format = 2", "format = 3"), Format::Toml);
        let error = RunToml::parse(other.as_bytes(), Path::new("run.toml")).unwrap_err();
        assert!(format!("{error:#}").contains("format Some(3)"), "{error:#}");
    }
}
