//! What every kind of model boils down to before it is checked and its weights are read.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde_json::{Map, Value};

use super::SpecialTokens;
use super::adapter_modules::Named;
#[cfg(feature = "candle")]
use super::gguf::GgufFile;
use exgrpo_engine::{ModelConfig, TensorFileError, Weights, lora};

/// A model's files, its weights not yet read.
#[derive(Debug)]
pub(super) struct Parts {
    /// `config.json`.
    pub(super) config: Map<String, Value>,
    /// `tokenizer.json`.
    pub(super) tokenizer_text: Vec<u8>,
    /// `tokenizer_config.json`; empty where there is none.
    pub(super) tokenizer_config: Map<String, Value>,
    /// `special_tokens_map.json`; empty where there is none.
    pub(super) special_tokens_map: Map<String, Value>,
    /// `generation_config.json`.
    pub(super) generation: Option<Map<String, Value>>,
    /// Text of the chat template.
    pub(super) chat_template: Option<String>,
    /// Where the weights are.
    pub(super) weights: WeightsFrom,
}

/// Where weights are.
#[derive(Debug)]
pub(super) enum WeightsFrom {
    /// In the binary.
    Binary(&'static [u8]),
    /// In a directory with one safetensors file or an index of several.
    Directory(PathBuf),
    /// In a GGUF file.
    #[cfg(feature = "candle")]
    Gguf(Box<GgufFile>),
    /// In a model with a LoRA adapter on top.
    Adapter {
        /// The model's.
        base: Box<WeightsFrom>,
        /// The adapter's.
        file: PathBuf,
        /// What its configuration names.
        named: Box<Named>,
    },
}

impl WeightsFrom {
    /// Reads them.
    pub(super) fn read(self, path: &str, config: &ModelConfig) -> anyhow::Result<Weights> {
        match self {
            Self::Binary(bytes) => Ok(Weights::from_bytes(bytes, path, config)?),
            Self::Directory(directory) => {
                Weights::load(&directory, config).map_err(|error| explain(error, path))
            }
            #[cfg(feature = "candle")]
            Self::Gguf(file) => file.weights(config),
            Self::Adapter { base, file, named } => {
                // What can be refused is refused before the model's weights are read.
                let plan = named.plan(&lora::parameters(config));
                let plan = plan.with_context(|| format!("can't use the adapter {path}"))?;
                let mut weights = base.read(path, config)?;
                lora::merge(&mut weights, config, &file, &plan)
                    .map_err(|error| explain_adapter(error, path))?;
                Ok(weights)
            }
        }
    }
}

fn explain_adapter(error: TensorFileError, path: &str) -> anyhow::Error {
    match &error {
        TensorFileError::Tensor { .. } => anyhow!(
            "can't use the adapter {path}: {error}\n\
             hint: do adapter_config.json, adapter_model.safetensors and the model belong together?"
        ),
        _ => explain(error, path),
    }
}

/// An error of the weights with what to do about it.
pub(super) fn explain(error: TensorFileError, path: &str) -> anyhow::Error {
    let hint = match &error {
        TensorFileError::Io { .. } => {
            "the weights are model.safetensors, or the shards that model.safetensors.index.json names; \
             pytorch_model.bin is not read"
        }
        TensorFileError::Format { .. } => {
            "a download that was cut short reads like this: fetch the file again"
        }
        TensorFileError::Index { .. } => "fetch model.safetensors.index.json again",
        TensorFileError::Tensor { .. } => "do config.json and the weights belong to the same model?",
    };
    anyhow!("can't use the weights of {path}: {:#}\nhint: {hint}", anyhow::Error::from(error))
}

impl Parts {
    /// Ids that end a completion, from the first place that names any, as transformers looks for them; `id_of` knows
    /// the tokenizer's tokens.
    pub(super) fn stop_ids(&self, id_of: impl Fn(&str) -> Option<u32>) -> Vec<u64> {
        let listed = |object: &Map<String, Value>| -> Vec<u64> {
            match object.get("eos_token_id") {
                Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_u64).collect(),
                Some(id) => id.as_u64().into_iter().collect(),
                None => Vec::new(),
            }
        };
        let places = [self.generation.as_ref().map(listed), Some(listed(&self.config))];
        let ids = places.into_iter().flatten().find(|ids| !ids.is_empty());
        ids.unwrap_or_else(|| {
            self.special_tokens().eos.and_then(|eos| id_of(&eos)).map(u64::from).into_iter().collect()
        })
    }

    /// Special tokens that `tokenizer_config.json` names, or else `special_tokens_map.json`: as texts, or as objects with a
    /// `content`.
    pub(super) fn special_tokens(&self) -> SpecialTokens {
        let named = |object: &Map<String, Value>, name: &str| match object.get(name)? {
            Value::String(text) => Some(text.clone()),
            object => Some(object.get("content")?.as_str()?.to_owned()),
        };
        // A token that is set to null is none.
        let token = |name: &str| match self.tokenizer_config.contains_key(name) {
            true => named(&self.tokenizer_config, name),
            false => named(&self.special_tokens_map, name),
        };
        SpecialTokens {
            bos: token("bos_token"),
            eos: token("eos_token"),
            unk: token("unk_token"),
            pad: token("pad_token"),
        }
    }
}
