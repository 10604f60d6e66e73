//! A model in a directory as Hugging Face lays it out.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use serde_json::{Map, Value};

use super::parts::{Parts, WeightsFrom};
use exgrpo_core::bounded;

/// The shape of the network.
pub(super) const CONFIG: &str = "config.json";
/// The tokenizer.
pub(super) const TOKENIZER: &str = "tokenizer.json";
/// Its special tokens, and in most models the chat template.
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// The older place of the special tokens.
pub(super) const SPECIAL_TOKENS: &str = "special_tokens_map.json";
/// How transformers generates, above all which tokens end a text.
pub(super) const GENERATION: &str = "generation_config.json";
/// The newer place of the chat template.
pub(super) const CHAT_TEMPLATE: &str = "chat_template.jinja";

/// Reads everything but the weights.
///
/// # Errors
/// A file that must be there isn't, or one can't be understood.
pub(super) fn open(directory: &Path) -> anyhow::Result<Parts> {
    let config = object(directory, CONFIG)?.with_context(|| missing(directory, CONFIG))?;
    let own = tokenizer_files(directory)?;
    Ok(Parts {
        config,
        tokenizer_text: own.tokenizer_text.with_context(|| missing(directory, TOKENIZER))?,
        tokenizer_config: own.tokenizer_config.unwrap_or_default(),
        special_tokens_map: object(directory, SPECIAL_TOKENS)?.unwrap_or_default(),
        generation: object(directory, GENERATION)?,
        chat_template: own.chat_template,
        weights: WeightsFrom::Directory(directory.to_owned()),
    })
}

/// What a directory has of a tokenizer.
pub(super) struct TokenizerFiles {
    pub(super) tokenizer_text: Option<Vec<u8>>,
    pub(super) tokenizer_config: Option<Map<String, Value>>,
    pub(super) chat_template: Option<String>,
}

/// Reads the files of a tokenizer that are there.
///
/// # Errors
/// One of them can't be read or understood.
pub(super) fn tokenizer_files(directory: &Path) -> anyhow::Result<TokenizerFiles> {
    let tokenizer_config = object(directory, TOKENIZER_CONFIG)?;
    let chat_template = match read(directory, CHAT_TEMPLATE)? {
        Some(text) => Some(
            String::from_utf8(text)
                .map_err(|_| anyhow!("{} is not text", directory.join(CHAT_TEMPLATE).display()))?,
        ),
        None => tokenizer_config.as_ref().and_then(chat_template).map(str::to_owned),
    };
    Ok(TokenizerFiles { tokenizer_text: read(directory, TOKENIZER)?, tokenizer_config, chat_template })
}

/// The template in a `tokenizer_config.json`: a text, or a list of named ones of which `default` counts.
fn chat_template(config: &Map<String, Value>) -> Option<&str> {
    match config.get("chat_template")? {
        Value::String(text) => Some(text),
        Value::Array(templates) => {
            let default = templates.iter().find(|template| template["name"] == "default");
            default?["template"].as_str()
        }
        _ => None,
    }
}

fn missing(directory: &Path, name: &str) -> String {
    let hint = match name {
        TOKENIZER => {
            "only tokenizer.json is read; transformers writes one for older tokenizers with save_pretrained"
        }
        _ => {
            "a model is a directory with config.json, tokenizer.json and safetensors, a GGUF file, or owner/name on the hub"
        }
    };
    format!("{} has no {name}\nhint: {hint}", directory.display())
}

/// The bytes of a file, none where there is no such file.
fn read(directory: &Path, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let path = directory.join(name);
    let most = match name {
        TOKENIZER => bounded::TOKENIZER_BYTES,
        CHAT_TEMPLATE => bounded::TEMPLATE_BYTES,
        _ => bounded::CONFIG_BYTES,
    };
    match bounded::read(&path, most) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => bail!(
            "can't read {}: {error}\nhint: is it the file that was published, and may this user read it?",
            path.display()
        ),
    }
}

/// The JSON object in a file, none where there is no such file.
pub(super) fn object(directory: &Path, name: &str) -> anyhow::Result<Option<Map<String, Value>>> {
    let Some(bytes) = read(directory, name)? else { return Ok(None) };
    let object = serde_json::from_slice(&bytes).map_err(|error| {
        anyhow!(
            "{} is not usable: {error}\nhint: a download that was cut short reads like this: fetch it again",
            directory.join(name).display()
        )
    })?;
    Ok(Some(object))
}
