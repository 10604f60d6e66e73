//! A `config.json` that asks for quantized weights: they are not read, and only a checkpoint that turns out to have none is
//! taken all the same.

use anyhow::anyhow;
use serde_json::{Map, Value};

use exgrpo_core::escape::foreign;
use exgrpo_engine::shown;

/// Where the file says it; the second name is an older one.
pub(super) const KEYS: [&str; 2] = ["quantization_config", "compression_config"];

/// Ways that are in the stored weights alone: whole numbers in tensors of other names and types. Where all tensors are
/// plain ones the key is a leftover. Others change what is computed from plain weights, too.
const STORED: [&str; 3] = ["awq", "bitsandbytes", "gptq"];

const HINT: &str = "hint: take the model's checkpoint that is not quantized, or a GGUF file of it";

/// A way of quantizing that a file names.
#[derive(Debug)]
pub(super) struct Named {
    key: &'static str,
    method: String,
}

/// What the file of `path` says; none where it says nothing.
///
/// # Errors
/// It names a way that may change what is computed from plain weights.
pub(super) fn named(config: &Map<String, Value>, path: &str) -> anyhow::Result<Option<Named>> {
    let said = |key: &&str| config.get(*key).is_some_and(|value| !value.is_null());
    let Some(key) = KEYS.into_iter().find(said) else { return Ok(None) };
    let refused = |what: String| {
        anyhow!(
            "can't use the config.json of {path}: its {key} is {what}, and quantized weights are not read\n{HINT}"
        )
    };
    let Some(Value::Object(asked)) = config.get(key) else {
        return Err(refused(config.get(key).map(shown).unwrap_or_default()));
    };
    let is_set = |key: &str| asked.get(key) == Some(&Value::Bool(true));
    let method = match asked.get("quant_method") {
        Some(Value::String(method)) => method.as_str(),
        // Files of before that key was there.
        None if is_set("load_in_4bit") || is_set("load_in_8bit") => "bitsandbytes",
        None if asked.is_empty() => return Ok(Some(Named { key, method: "empty".to_owned() })),
        None => return Err(refused("an object without quant_method".to_owned())),
        Some(other) => return Err(refused(format!("of the method {}", shown(other)))),
    };
    match STORED.contains(&method) {
        true => Ok(Some(Named { key, method: method.to_owned() })),
        false => Err(refused(format!("of the method {}", shown(&Value::from(method))))),
    }
}

impl Named {
    /// What is told of a checkpoint whose tensors turned out to be plain: names, shapes and types are the network's.
    pub(super) fn note(&self, path: &str) -> String {
        format!(
            "the {} ({}) in the config.json of {path} is not used: its weights are stored plainly, and are taken as they are",
            self.key, self.method
        )
    }

    /// What is told of one whose tensors are not.
    pub(super) fn explain(&self, error: &anyhow::Error, path: &str) -> anyhow::Error {
        let text = format!("{error:#}");
        // What can be done about other weights can't be done about these.
        let said = text.split("\nhint: ").next().unwrap_or_default();
        anyhow!(
            "{path} has quantized weights ({} in its config.json: {}), which are not read: {}\n{HINT}",
            self.key,
            self.method,
            foreign(said)
        )
    }
}
