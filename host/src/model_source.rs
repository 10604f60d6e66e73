//! Where a model comes from: the embedded default or a directory in the Hugging Face layout.

use std::path::Path;

use anyhow::{Context, bail};

use crate::dataset::EMBEDDED;
use crate::model::{ModelConfig, Weights};
use crate::tokenizer::Tokenizer;
use crate::types::TokenId;

/// Configuration of the embedded model.
pub const EMBEDDED_CONFIG: &[u8] = include_bytes!("../assets/arithmetic/config.json");
/// Tokenizer of the embedded model.
pub const EMBEDDED_TOKENIZER: &[u8] = include_bytes!("../assets/arithmetic/tokenizer.json");
/// Weights of the embedded model, made by `exgrpo-host pretrain`.
const EMBEDDED_WEIGHTS: &[u8] = include_bytes!("../assets/arithmetic/model.safetensors");

/// A model before it becomes an Actor.
#[derive(Debug)]
pub struct ModelSource {
    /// Shape of the network.
    pub config: ModelConfig,
    /// Weights.
    pub weights: Weights,
    /// Tokenizer.
    pub tokenizer: Tokenizer,
    /// Tokens that end a completion.
    pub stop_ids: Vec<TokenId>,
    /// `config.json` as it was found.
    pub config_text: Vec<u8>,
    /// `tokenizer.json` as it was found.
    pub tokenizer_text: Vec<u8>,
}

impl ModelSource {
    /// Reads the model named `path`: `embedded:arithmetic` or a directory with config.json, tokenizer.json and
    /// safetensors. A tokenizer that knows more tokens than the network is an error.
    pub fn read(path: &str) -> anyhow::Result<Self> {
        let (config_text, tokenizer_text) = match path.strip_prefix(EMBEDDED) {
            Some("arithmetic") => (EMBEDDED_CONFIG.to_vec(), EMBEDDED_TOKENIZER.to_vec()),
            Some(name) => bail!("no embedded model {name:?}\nhint: there is embedded:arithmetic"),
            None => {
                let read = |name: &str| {
                    let file = Path::new(path).join(name);
                    std::fs::read(&file).with_context(|| {
                        format!(
                            "can't read {}\nhint: a model is a directory with config.json, tokenizer.json and \
                             safetensors",
                            file.display()
                        )
                    })
                };
                (read("config.json")?, read("tokenizer.json")?)
            }
        };
        let config: ModelConfig = serde_json::from_slice(&config_text)
            .with_context(|| format!("can't use the config.json of {path}"))?;
        let weights = match path.strip_prefix(EMBEDDED) {
            Some(_) => Weights::from_bytes(EMBEDDED_WEIGHTS, path, &config)?,
            None => Weights::load(Path::new(path), &config)?,
        };
        let tokenizer = Tokenizer::from_bytes(&tokenizer_text, &format!("tokenizer.json of {path}"))?;
        if tokenizer.vocab_size() > config.vocab_size {
            bail!(
                "the tokenizer of {path} has {} tokens, its network knows {}: they don't belong together",
                tokenizer.vocab_size(),
                config.vocab_size
            );
        }
        let stop_ids = stop_ids(&config_text, &config, path)?;
        Ok(Self { config, weights, tokenizer, stop_ids, config_text, tokenizer_text })
    }
}

/// `eos_token_id` of a config.json: a number or a list of them.
fn stop_ids(config_text: &[u8], config: &ModelConfig, path: &str) -> anyhow::Result<Vec<TokenId>> {
    let value: serde_json::Value = serde_json::from_slice(config_text)?;
    let ids: Vec<u64> = match &value["eos_token_id"] {
        serde_json::Value::Array(ids) => ids.iter().filter_map(serde_json::Value::as_u64).collect(),
        id => id.as_u64().into_iter().collect(),
    };
    if ids.is_empty() {
        bail!("config.json of {path} has no eos_token_id: a completion could never end");
    }
    match ids.iter().find(|&&id| id >= config.vocab_size as u64) {
        Some(id) => bail!("eos_token_id {id} of {path} is outside the vocabulary of {}", config.vocab_size),
        None => Ok(ids.into_iter().map(|id| id as TokenId).collect()),
    }
}
