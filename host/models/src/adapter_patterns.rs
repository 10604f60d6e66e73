//! Names of modules as an `adapter_config.json` writes them: whole ends of names, or regular expressions.

use std::collections::BTreeSet;

use anyhow::{anyhow, bail};
use fancy_regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::adapter_modules::{MERGE, wrong};
use exgrpo_core::escape::{foreign, quoted};
use exgrpo_engine::lora::Parameter;

/// Longest regular expression, and most of them in one table: those that are published have a few hundred letters.
const MAX_REGEX: usize = 16 << 10;
const MAX_REGEXES: usize = 256;
/// Steps that one name may take to be compared.
const MAX_STEPS: usize = 100_000;
/// What PEFT takes for all linear modules but the head.
const ALL_LINEAR: &str = "all-linear";

/// Modules that are meant.
#[derive(Debug)]
pub(super) enum Targets {
    AllLinear,
    /// Names, or their last parts.
    Names(BTreeSet<String>),
    /// What a whole name is like.
    Like(Box<Like>),
}

/// A regular expression with the key that it comes from.
#[derive(Debug)]
pub(super) struct Like {
    key: String,
    regex: Regex,
}

impl Like {
    /// Takes whole names.
    fn new(key: &str, text: &str) -> anyhow::Result<Self> {
        Self::after(key, "", text)
    }

    /// Takes names that are what `before` takes and then what `text` takes.
    fn after(key: &str, before: &str, text: &str) -> anyhow::Result<Self> {
        let unusable = |why: String| anyhow!("{key} has {}, {why}\n{MERGE}", quoted(text));
        if text.len() > MAX_REGEX {
            return Err(unusable(format!("which is longer than {MAX_REGEX} bytes")));
        }
        let build = |text: &str| RegexBuilder::new(text).backtrack_limit(MAX_STEPS).build();
        // Alone first: what is no expression could become one between the brackets.
        let built = build(text).and_then(|_| build(&format!(r"\A{before}(?:{text})\z")));
        let regex = built.map_err(|error| {
            unusable(format!("which is no usable pattern: {}", foreign(&error.to_string())))
        })?;
        Ok(Self { key: key.to_owned(), regex })
    }

    fn fits(&self, module: &str) -> anyhow::Result<bool> {
        self.regex.is_match(module).map_err(|_| {
            anyhow!("the pattern in {} takes too long to compare with `{module}`\n{MERGE}", self.key)
        })
    }
}

impl Targets {
    pub(super) fn of_text(key: &str, text: &str) -> anyhow::Result<Self> {
        match key == "target_modules" && text.eq_ignore_ascii_case(ALL_LINEAR) {
            true => Ok(Self::AllLinear),
            false => Ok(Self::Like(Box::new(Like::new(key, text)?))),
        }
    }

    pub(super) fn are_none(&self) -> bool {
        matches!(self, Self::Names(names) if names.is_empty())
    }

    pub(super) fn fit(&self, parameter: &Parameter) -> anyhow::Result<bool> {
        let module = &parameter.module;
        match self {
            Self::AllLinear => Ok(!parameter.is_head() && !parameter.is_embedding()),
            Self::Names(names) => Ok(ends(module).any(|end| names.contains(end))),
            Self::Like(like) => like.fits(module),
        }
    }
}

/// A name, and what is left of it after each of its dots.
fn ends(module: &str) -> impl Iterator<Item = &str> {
    std::iter::once(module).chain(module.match_indices('.').map(|(index, _)| &module[index + 1..]))
}

/// True where `name` is the module's, or that of one which holds it, or the whole last parts of such a name.
pub(super) fn is_within(module: &str, name: &str) -> bool {
    let borders = module.match_indices('.').map(|(index, _)| index).chain([module.len()]);
    borders.map(|border| &module[..border]).any(|holder| ends(holder).any(|end| end == name))
}

/// A value, and others for modules whose names end in a way.
#[derive(Debug)]
pub(super) struct ByPattern<T> {
    key: &'static str,
    default: T,
    /// Whole ends of names, where a dot stands for any letter.
    plain: Vec<(String, T)>,
    like: Vec<(Like, T)>,
}

impl<T: Copy + PartialEq> ByPattern<T> {
    /// Reads the table `key`, whose values `parse` understands and `wanted` describes.
    ///
    /// # Errors
    /// It is no table, or a key or a value of it can't be understood.
    pub(super) fn of(
        config: &Map<String, Value>,
        key: &'static str,
        default: T,
        parse: impl Fn(&Value) -> Option<T>,
        wanted: &str,
    ) -> anyhow::Result<Self> {
        let mut all = Self { key, default, plain: Vec::new(), like: Vec::new() };
        let table = match config.get(key) {
            None | Some(Value::Null) => return Ok(all),
            Some(Value::Object(table)) => table,
            Some(other) => bail!("{}", wrong(key, other, "an object")),
        };
        for (name, value) in table {
            let Some(parsed) = parse(value) else {
                bail!("{}", wrong(&format!("{key}.{name}"), value, wanted));
            };
            if is_plain(name) {
                all.plain.push((name.clone(), parsed));
            } else if all.like.len() < MAX_REGEXES {
                all.like.push((Like::after(key, r"(?:.*\.)?", name)?, parsed));
            } else {
                bail!("{key} has more than {MAX_REGEXES} names that are no plain ones\n{MERGE}");
            }
        }
        Ok(all)
    }

    /// The value for a module.
    ///
    /// # Errors
    /// Two patterns fit and differ: the first counts for PEFT, and the order of names is not kept here.
    pub(super) fn of_module(&self, module: &str) -> anyhow::Result<T> {
        let mut found: Option<T> = None;
        let mut take = |value: T| match found.replace(value).is_none_or(|other| other == value) {
            true => Ok(()),
            false => Err(anyhow!("{} says two things of `{module}`\n{MERGE}", self.key)),
        };
        for (name, value) in &self.plain {
            if ends_like(module, name) {
                take(*value)?;
            }
        }
        for (like, value) in &self.like {
            if like.fits(module)? {
                take(*value)?;
            }
        }
        Ok(found.unwrap_or(self.default))
    }
}

/// True for a name that means nothing else as a regular expression, but for its dots.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

/// True where the last parts of a module's name are those of `pattern`, whose dots stand for any letter.
fn ends_like(module: &str, pattern: &str) -> bool {
    let Some(start) = module.len().checked_sub(pattern.len()) else { return false };
    let (before, end) = module.as_bytes().split_at(start);
    let is_whole = matches!(before.last(), None | Some(b'.'));
    is_whole && end.iter().zip(pattern.as_bytes()).all(|(letter, wanted)| letter == wanted || *wanted == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules_fit_by_their_last_parts() {
        for (pattern, fits) in [
            ("o_proj", true),
            ("self_attn.o_proj", true),
            ("self.attn.o_proj", true),
            ("a.self_attn.o_proj", true),
            ("proj", false),
            ("b.self_attn.o_proj", false),
            ("x.a.self_attn.o_proj", false),
        ] {
            assert_eq!(ends_like("a.self_attn.o_proj", pattern), fits, "{pattern}");
        }
        assert!(is_within("model.layers.0.mlp.up_proj", "mlp") && is_within("lm_head", "lm_head"));
        assert!(!is_within("model.layers.0.input_layernorm", "norm"));
    }

    #[test]
    fn patterns_of_others_are_bounded() {
        let deep = "(".repeat(2_000);
        let long = "a".repeat(MAX_REGEX + 1);
        for text in ["(", deep.as_str(), "(a{1000}){1000}", "a)|(b", long.as_str()] {
            assert!(Targets::of_text("target_modules", text).is_err(), "{text:.20}");
        }
        let slow = Like::new("target_modules", r"(a|a)*(?=b)c").unwrap();
        let error = slow.fits(&"a".repeat(40)).unwrap_err().to_string();
        assert!(error.contains("takes too long") && error.contains("hint: "), "{error}");
    }
}
