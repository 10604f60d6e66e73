//! A LoRA adapter's folder as PEFT writes it: a small file of weights, and the model that it is for.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::directory;
use super::parts::{Parts, WeightsFrom};
use exgrpo_core::escape::quoted;
use exgrpo_engine::lora::{Scale, ends_with};

/// What the adapter is and what it adapts.
pub(super) const CONFIG: &str = "adapter_config.json";
/// Its weights.
pub(super) const WEIGHTS: &str = "adapter_model.safetensors";

/// True for the folder of an adapter.
pub(super) fn is_adapter(folder: &Path) -> bool {
    folder.join(CONFIG).is_file() && !folder.join(directory::CONFIG).is_file()
}

/// Reads everything but the weights: those of the adapted model, with what the adapter's folder has of its own.
/// `parts_of` reads a model by its name.
///
/// # Errors
/// The adapter can't be understood or does what can't be merged, or its model can't be read.
pub(super) fn open(
    folder: &Path,
    parts_of: impl Fn(&str) -> anyhow::Result<(String, Parts)>,
) -> anyhow::Result<Parts> {
    let path = folder.join(CONFIG);
    let config =
        directory::object(folder, CONFIG)?.with_context(|| format!("there is no {}", path.display()))?;
    refuse_what_is_not_merged(&config)
        .with_context(|| format!("can't use the adapter {}", folder.display()))?;
    let alpha = config.get("lora_alpha").and_then(Value::as_f64).filter(|alpha| alpha.is_finite());
    let alpha = alpha.with_context(|| format!("{} has no lora_alpha", path.display()))?;
    let scale = Scale {
        alpha,
        alphas: alpha_pattern(&config).with_context(|| format!("can't use {}", path.display()))?,
        // What a pattern changes is in the tensors.
        rank: match config.get("rank_pattern") {
            Some(Value::Object(pattern)) if !pattern.is_empty() => None,
            _ => config.get("r").and_then(Value::as_u64).and_then(|rank| usize::try_from(rank).ok()),
        },
        is_rank_stabilized: config.get("use_rslora") == Some(&Value::Bool(true)),
    };
    let name = config.get("base_model_name_or_path").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        bail!(
            "{} names no model\nhint: set base_model_name_or_path to the model that it adapts",
            path.display()
        );
    }
    let beside = folder.join(name);
    // Beside the adapter first: from elsewhere, the same path may lead to another model.
    let name = match (beside.is_dir(), config.get("revision").and_then(Value::as_str)) {
        (true, _) => beside.display().to_string(),
        // Of a name on the hub: that commit or branch is what was adapted.
        (false, Some(revision)) if !Path::new(name).exists() && !name.contains('@') => {
            format!("{name}@{revision}")
        }
        (false, _) => name.to_owned(),
    };
    if Path::new(&name).is_dir() && is_adapter(Path::new(&name)) {
        bail!("{} adapts another adapter\nhint: merge one of them first", path.display());
    }
    let (_, base) =
        parts_of(&name).with_context(|| format!("the adapter {} is for {name}", folder.display()))?;
    let own = directory::tokenizer_files(folder)?;
    Ok(Parts {
        tokenizer_text: own.tokenizer_text.unwrap_or(base.tokenizer_text),
        tokenizer_config: own.tokenizer_config.unwrap_or(base.tokenizer_config),
        chat_template: own.chat_template.or(base.chat_template),
        weights: WeightsFrom::Adapter { base: Box::new(base.weights), file: folder.join(WEIGHTS), scale },
        ..base
    })
}

fn refuse_what_is_not_merged(config: &Map<String, Value>) -> anyhow::Result<()> {
    let kind = config.get("peft_type").and_then(Value::as_str).unwrap_or("LORA");
    if kind != "LORA" {
        bail!("it is of type {kind:?}, only LORA is merged\nhint: merge it with PEFT's merge_and_unload");
    }
    let is_set = |key: &str| match config.get(key) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Object(object)) => !object.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    };
    let unknown = [
        "use_dora",
        "fan_in_fan_out",
        "alora_invocation_tokens",
        "lora_bias",
        "megatron_config",
        "layer_replication",
        "use_qalora",
        "trainable_token_indices",
    ];
    if let Some(key) = unknown.into_iter().find(|key| is_set(key)) {
        bail!("it sets {key}, which is not merged\nhint: merge it with PEFT's merge_and_unload");
    }
    for (key, is_known) in [
        ("use_rslora", matches!(config.get("use_rslora"), None | Some(Value::Null | Value::Bool(_)))),
        ("alpha_pattern", matches!(config.get("alpha_pattern"), None | Some(Value::Null | Value::Object(_)))),
    ] {
        if !is_known {
            bail!("its {key} is of a kind that is not known");
        }
    }
    // The others take what they begin with off the model's own weights, which its files do not have.
    let only_begin = ["gaussian", "orthogonal", "eva"];
    match config.get("init_lora_weights").and_then(Value::as_str) {
        Some(start) if !only_begin.contains(&start) => bail!(
            "its init_lora_weights is {}, which changes the weights that it adapts\n\
             hint: merge it with PEFT's merge_and_unload",
            quoted(start)
        ),
        _ => Ok(()),
    }
}

/// Alphas of some modules, by the ends of their names.
fn alpha_pattern(config: &Map<String, Value>) -> anyhow::Result<Vec<(String, f64)>> {
    let Some(Value::Object(pattern)) = config.get("alpha_pattern") else { return Ok(Vec::new()) };
    let alpha = |(name, value): (&String, &Value)| {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')) {
            bail!(
                "alpha_pattern has {}, which is no plain name\nhint: merge it with PEFT's merge_and_unload",
                quoted(name)
            );
        }
        let alpha = value.as_f64().filter(|alpha| alpha.is_finite());
        Ok((name.clone(), alpha.with_context(|| format!("alpha_pattern of {name} is no number"))?))
    };
    let alphas: Vec<(String, f64)> = pattern.iter().map(alpha).collect::<anyhow::Result<_>>()?;
    // The first that fits counts for PEFT, and the order of names is not kept here.
    for (one, alpha) in &alphas {
        let other = alphas.iter().find(|(name, other)| name != one && other != alpha && ends_with(one, name));
        if let Some((other, _)) = other {
            bail!(
                "alpha_pattern has two alphas for {}: {other} fits as well\nhint: merge it with PEFT's merge_and_unload",
                quoted(one)
            );
        }
    }
    Ok(alphas)
}
