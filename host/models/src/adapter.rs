//! A LoRA adapter's folder as PEFT writes it: a small file of weights, and the model that it is for.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::adapter_modules::{MERGE, Named, wrong};
use super::directory;
use super::parts::{Parts, WeightsFrom};
use exgrpo_core::escape::foreign;
use exgrpo_engine::shown;

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
    let named = refuse_what_is_not_merged(&config).and_then(|()| Named::of(&config));
    let named = named.with_context(|| format!("can't use the adapter {}", folder.display()))?;
    let name = match config.get("base_model_name_or_path") {
        None | Some(Value::Null) => "",
        Some(Value::String(name)) => name.as_str(),
        Some(other) => {
            bail!("{}: {}", path.display(), wrong("base_model_name_or_path", other, "the name of a model"))
        }
    };
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
        weights: WeightsFrom::Adapter {
            base: Box::new(base.weights),
            file: folder.join(WEIGHTS),
            named: Box::new(named),
        },
        ..base
    })
}

/// Ways of adapting, and things that are done to other weights than those of modules, that are not computed here.
const NOT_MERGED: [&str; 13] = [
    "use_dora",
    "fan_in_fan_out",
    "alora_invocation_tokens",
    "lora_bias",
    "megatron_config",
    "layer_replication",
    "use_qalora",
    "use_bdlora",
    "trainable_token_indices",
    "target_parameters",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
];

fn refuse_what_is_not_merged(config: &Map<String, Value>) -> anyhow::Result<()> {
    match config.get("peft_type") {
        None | Some(Value::Null) => {}
        Some(Value::String(kind)) if kind == "LORA" => {}
        Some(kind) => bail!("its peft_type is {}, only LORA is merged\n{MERGE}", shown(kind)),
    }
    match config.get("task_type") {
        None | Some(Value::Null) => {}
        Some(Value::String(task)) if task == "CAUSAL_LM" => {}
        Some(task) => bail!(
            "its task_type is {}, and only that of CAUSAL_LM is a language model\n\
             hint: an adapter of another task has a head of its own, which does not write text",
            shown(task)
        ),
    }
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Object(object) => !object.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    // A switch that a later version of PEFT has is none that could be passed over.
    let is_switch = |key: &str, value: &Value| {
        key.starts_with("use_") && key != "use_rslora" && *value == Value::Bool(true)
    };
    let set = config
        .iter()
        .find(|&(key, value)| (NOT_MERGED.contains(&key.as_str()) && is_set(value)) || is_switch(key, value));
    if let Some((key, _)) = set {
        bail!("it sets {}, which is not merged\n{MERGE}", foreign(key));
    }
    // The others take what they begin with off the model's own weights, which its files do not have.
    let only_begin = ["gaussian", "orthogonal", "eva"];
    match config.get("init_lora_weights") {
        None | Some(Value::Null | Value::Bool(_)) => Ok(()),
        Some(Value::String(start)) if only_begin.contains(&start.as_str()) => Ok(()),
        Some(start) => bail!(
            "its init_lora_weights is {}, which changes the weights that it adapts\n{MERGE}",
            shown(start)
        ),
    }
}
