//! Which modules an `adapter_config.json` names, and with which ranks and scales: read as PEFT reads it, and turned into
//! a plan that the adapter's tensors are compared with.

use std::collections::BTreeSet;

use anyhow::bail;
use serde_json::{Map, Value};

use super::adapter_patterns::{ByPattern, Targets, is_within};
use exgrpo_core::escape::{foreign, quoted};
use exgrpo_engine::lora::{Adapted, AdapterPlan, MAX_RANK, Parameter};
use exgrpo_engine::shown;

/// What the configuration says of modules.
#[derive(Debug)]
pub(super) struct Named {
    targets: Targets,
    excluded: Option<Targets>,
    /// Numbers of the layers that are adapted, where not all are; and the parts of a name before the number.
    layers: Option<(Vec<i64>, Vec<String>)>,
    /// Ends of the names of modules that are in the file in full.
    saved: Vec<String>,
    bias: Bias,
    rank: ByPattern<usize>,
    alpha: ByPattern<f64>,
    is_rank_stabilized: bool,
    ties: bool,
}

/// Which biases are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bias {
    None,
    All,
    /// Those of adapted modules.
    Adapted,
}

impl Named {
    /// Reads the keys.
    ///
    /// # Errors
    /// Names the key that can't be understood.
    pub(super) fn of(config: &Map<String, Value>) -> anyhow::Result<Self> {
        let Some(targets) = targets(config, "target_modules")? else {
            bail!(
                "target_modules is not there or null, so that nobody can tell which modules are adapted\n{LIST}"
            );
        };
        let alpha = match number(config, "lora_alpha")? {
            Some(alpha) => alpha,
            None => bail!("it has no lora_alpha\nhint: set it to the one that the adapter was trained with"),
        };
        let rank = match config.get("r").map(rank) {
            Some(Some(rank)) => rank,
            Some(None) => bail!("{}", wrong("r", &config["r"], RANK)),
            None => bail!("it has no r\nhint: set it to the rank that the adapter was trained with"),
        };
        let layers = layers(config, &targets)?;
        Ok(Self {
            layers,
            excluded: self::targets(config, "exclude_modules")?.filter(|excluded| !excluded.are_none()),
            targets,
            saved: match config.get("modules_to_save") {
                None | Some(Value::Null) => Vec::new(),
                Some(value) => names("modules_to_save", value)?,
            },
            bias: match config.get("bias").map(Value::as_str) {
                None | Some(Some("none")) => Bias::None,
                Some(Some("all")) => Bias::All,
                Some(Some("lora_only")) => Bias::Adapted,
                Some(_) => bail!("{}", wrong("bias", &config["bias"], "none, all or lora_only")),
            },
            rank: ByPattern::of(config, "rank_pattern", rank, self::rank, RANK)?,
            alpha: ByPattern::of(config, "alpha_pattern", alpha, finite, "a number")?,
            is_rank_stabilized: flag(config, "use_rslora")?,
            ties: flag(config, "ensure_weight_tying")?,
        })
    }

    /// What the adapter's file of a network with these parameters holds.
    ///
    /// # Errors
    /// What is named does not exist, or two patterns say different things of one module.
    pub(super) fn plan(&self, parameters: &[Parameter]) -> anyhow::Result<AdapterPlan> {
        let mut plan = AdapterPlan { ties: self.ties, ..AdapterPlan::default() };
        for parameter in parameters.iter().filter(|parameter| parameter.is_matrix) {
            if self.is_adapted(parameter)? {
                let (module, rank) = (&parameter.module, self.rank.of_module(&parameter.module)?);
                let divisor = if self.is_rank_stabilized { (rank as f64).sqrt() } else { rank as f64 };
                let scale = self.alpha.of_module(module)? / divisor;
                plan.adapted.insert(module.clone(), Adapted { rank, scale });
            }
        }
        let mut unknown: BTreeSet<&str> = self.saved.iter().map(String::as_str).collect();
        for parameter in parameters {
            let holders: Vec<&str> = self
                .saved
                .iter()
                .map(String::as_str)
                .filter(|end| is_saved(&parameter.module, end))
                .collect();
            let is_bias = parameter.part == "bias"
                && match self.bias {
                    Bias::None => false,
                    Bias::All => true,
                    Bias::Adapted => plan.adapted.contains_key(&parameter.module),
                };
            if !holders.is_empty() || is_bias {
                plan.whole.insert(parameter.name());
            }
            holders.iter().for_each(|end| {
                unknown.remove(end);
            });
        }
        match unknown.first() {
            Some(end) => bail!(
                "modules_to_save has {}, and the network has no such module\n\
                 hint: is base_model_name_or_path the model that was adapted?",
                quoted(end)
            ),
            None => Ok(plan),
        }
    }

    fn is_adapted(&self, parameter: &Parameter) -> anyhow::Result<bool> {
        let module = &parameter.module;
        // What is saved in full is never adapted, too.
        if self.saved.iter().any(|name| is_within(module, name)) {
            return Ok(false);
        }
        if let Some(excluded) = &self.excluded
            && excluded.fit(parameter)?
        {
            return Ok(false);
        }
        let is_layer_wanted = self.layers.as_ref().is_none_or(|(numbers, before)| {
            layer_of(module, before).is_some_and(|layer| numbers.contains(&layer))
        });
        Ok(is_layer_wanted && self.targets.fit(parameter)?)
    }
}

const LIST: &str = "hint: write the names of the adapted modules as a list";
const RANK: &str = "a whole number between 1 and 4096";
const _: () = assert!(MAX_RANK == 4_096, "the text above says it");

/// What is said of a value that can't be used.
pub(super) fn wrong(key: &str, value: &Value, wanted: &str) -> String {
    format!(
        "{} is {}, it must be {wanted}\nhint: is adapter_config.json as PEFT wrote it?",
        foreign(key),
        shown(value)
    )
}

/// A key that is true or false; false where it is not there.
pub(super) fn flag(config: &Map<String, Value>, key: &str) -> anyhow::Result<bool> {
    match config.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(other) => bail!("{}", wrong(key, other, "true or false")),
    }
}

fn number(config: &Map<String, Value>, key: &str) -> anyhow::Result<Option<f64>> {
    match config.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match finite(value) {
            Some(number) => Ok(Some(number)),
            None => bail!("{}", wrong(key, value, "a number")),
        },
    }
}

fn finite(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

fn rank(value: &Value) -> Option<usize> {
    let rank = usize::try_from(value.as_u64()?).ok()?;
    (1..=MAX_RANK).contains(&rank).then_some(rank)
}

/// A list of texts.
fn names(key: &str, value: &Value) -> anyhow::Result<Vec<String>> {
    let Value::Array(list) = value else { bail!("{}", wrong(key, value, "a list of names")) };
    let name = |(index, entry): (usize, &Value)| match entry {
        Value::String(name) if !name.is_empty() => Ok(name.clone()),
        other => bail!("{}", wrong(&format!("{key}[{index}]"), other, "a name")),
    };
    list.iter().enumerate().map(name).collect()
}

/// A list of names, a pattern, or the word for all linear modules; none where nothing is said.
fn targets(config: &Map<String, Value>, key: &str) -> anyhow::Result<Option<Targets>> {
    match config.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Targets::of_text(key, text).map(Some),
        Some(Value::Array(_)) => Ok(Some(Targets::Names(names(key, &config[key])?.into_iter().collect()))),
        Some(other) => bail!("{}", wrong(key, other, "a list of names or a pattern")),
    }
}

/// Layers that are adapted, where the configuration names some, with the names that go before their numbers.
fn layers(config: &Map<String, Value>, targets: &Targets) -> anyhow::Result<Option<(Vec<i64>, Vec<String>)>> {
    let key = "layers_to_transform";
    let entry = |(index, entry): (usize, &Value)| match entry.as_i64() {
        Some(layer) => Ok(layer),
        None => bail!("{}", wrong(&format!("{key}[{index}]"), entry, "the number of a layer")),
    };
    let layers: Vec<i64> = match config.get(key) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.iter().enumerate().map(entry).collect::<anyhow::Result<_>>()?,
        Some(value) => match value.as_i64() {
            Some(layer) => vec![layer],
            None => bail!("{}", wrong(key, value, "numbers of layers")),
        },
    };
    let before: Vec<String> = match config.get("layers_pattern") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(text @ Value::String(_)) => names("layers_pattern", &Value::Array(vec![text.clone()]))?,
        Some(list) => names("layers_pattern", list)?,
    };
    for name in &before {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')) {
            bail!("layers_pattern has {}, which is no plain name\n{MERGE}", quoted(name));
        }
    }
    // PEFT refuses these itself, so that no adapter was made with them.
    if !layers.is_empty() && !matches!(targets, Targets::Names(_)) {
        bail!("layers_to_transform goes with a list of target_modules, not with a pattern\n{LIST}");
    }
    if layers.is_empty() && !before.is_empty() {
        bail!("layers_pattern is set and layers_to_transform is not\nhint: remove it, or name the layers");
    }
    Ok((!layers.is_empty()).then_some((layers, before)))
}

/// What to do with an adapter that is not understood.
pub(super) const MERGE: &str = "hint: merge it with PEFT's merge_and_unload";

/// The number in a module's name: the first that is a part of it after two others, or after one of `before`.
fn layer_of(module: &str, before: &[String]) -> Option<i64> {
    let parts: Vec<&str> = module.split('.').collect();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let at = |follows: &dyn Fn(usize) -> bool| {
        // The last part is the module's own.
        (1..parts.len() - 1).find(|&index| is_number(parts[index]) && follows(index))
    };
    let found = match before.is_empty() {
        true => at(&|index| index >= 2),
        false => before.iter().find_map(|name| {
            at(&|index| {
                let start = parts[..index].join(".");
                start == *name || start.ends_with(&format!(".{name}"))
            })
        }),
    };
    parts[found?].parse().ok()
}

/// True where the module, or one that holds it, has a name with this end: PEFT asks for no whole parts here.
fn is_saved(module: &str, end: &str) -> bool {
    let borders = module.match_indices('.').map(|(index, _)| index).chain([module.len()]);
    borders.map(|border| &module[..border]).any(|holder| holder.ends_with(end))
}

#[cfg(test)]
#[path = "adapter_tests.rs"]
mod tests;
