//! Where a model comes from: the embedded default, a directory in the Hugging Face layout, the hub or a GGUF file; its
//! tokenizer, its chat template, and the prompt that a question becomes.

mod adapter;
mod adapter_modules;
mod adapter_patterns;
mod chat;
mod directory;
#[cfg(feature = "candle")]
mod gguf;
#[cfg(feature = "candle")]
mod gguf_header;
#[cfg(feature = "candle")]
mod gguf_tokenizer;
#[cfg(feature = "hub")]
mod hub;
mod jinja;
mod parts;
pub mod prompt;
mod quantized;
mod section;
pub mod tokenizer;

use std::path::Path;

use anyhow::{anyhow, bail};
use serde_json::{Map, Value};

use crate::tokenizer::{Beyond, Tokenizer};
use exgrpo_core::atomic;
use exgrpo_core::escape::quoted;
use exgrpo_core::types::TokenId;
use exgrpo_engine::{Actor, ModelConfig, ModelConfigError, RopeScaling, Weights};
#[cfg(feature = "hub")]
use hub::HubId;
use parts::{Parts, WeightsFrom};

pub use chat::{ChatTemplate, Message, SpecialTokens};
pub use section::{Engine, ModelSection, PromptSection, PromptTemplate};

/// Prefix of the names of models and datasets that ship inside the binary.
pub const EMBEDDED: &str = "embedded:";

/// Configuration of the embedded model.
pub const EMBEDDED_CONFIG: &[u8] = include_bytes!("../assets/arithmetic/config.json");
/// Tokenizer of the embedded model.
pub const EMBEDDED_TOKENIZER: &[u8] = include_bytes!("../assets/arithmetic/tokenizer.json");
/// Weights of the embedded model, made by `exgrpo-host pretrain`.
const EMBEDDED_WEIGHTS: &[u8] = include_bytes!("../assets/arithmetic/model.safetensors");

/// A model before it becomes an Actor.
#[derive(Debug)]
pub struct ModelSource {
    /// What [`ModelSource::read`] was given; a name on the hub with the commit that was taken.
    pub path: String,
    /// Shape of the network.
    pub config: ModelConfig,
    /// Weights.
    pub weights: Weights,
    /// Tokenizer.
    pub tokenizer: Tokenizer,
    /// Tokens that end a completion.
    pub stop_ids: Vec<TokenId>,
    /// Special tokens as text.
    pub special_tokens: SpecialTokens,
    /// Text of the chat template that comes with the model.
    pub chat_template: Option<String>,
    /// What was left aside or looks wrong, a line for people each, perhaps with a hint.
    pub notes: Vec<String>,
    /// How the run asked that trained the model; none for a model that no run of ours has trained.
    pub trained_prompt: Option<PromptSection>,
    /// `config.json` as it was found.
    pub config_json: Map<String, Value>,
    /// `tokenizer.json` as it was found.
    pub tokenizer_text: Vec<u8>,
    /// `tokenizer_config.json` as it was found; empty where there is none.
    pub tokenizer_config: Map<String, Value>,
}

impl ModelSource {
    /// Reads the model named `path`: `embedded:arithmetic`; a directory with config.json, tokenizer.json and
    /// safetensors; a GGUF file; else `owner/name` or `owner/name@revision` on the hub.
    ///
    /// # Errors
    /// There is no such model, a file of it is absent or damaged, its architecture isn't supported, or its tokenizer
    /// doesn't belong to its network.
    pub fn read(path: &str) -> anyhow::Result<Self> {
        let (path, parts) = parts_of(path)?;
        Self::assemble(path, parts)
    }

    /// The model named `path` with other weights, those in the directory `weights`, whose path it then has.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_with_weights(path: &str, weights: &Path) -> anyhow::Result<Self> {
        let (_, parts) = parts_of(path)?;
        let parts = Parts { weights: WeightsFrom::Directory(weights.to_owned()), ..parts };
        Self::assemble(weights.display().to_string(), parts)
    }

    /// An Actor with these weights, on the engine that `section` names.
    ///
    /// # Errors
    /// The engine's device can't be used or has no room, or the system has no more threads.
    pub fn actor(&self, section: &ModelSection) -> anyhow::Result<Actor> {
        let (config, weights) = (self.config.clone(), &self.weights);
        match section.engine {
            #[cfg(feature = "candle")]
            Engine::Candle => Actor::candle(config, weights.clone(), candle_core::Device::Cpu),
            #[cfg(not(feature = "candle"))]
            Engine::Candle => bail!("model.engine = \"candle\": {WITHOUT_CANDLE}"),
            Engine::Cuda => Actor::gpu(config, weights, section.precision),
            Engine::Cpu => Actor::cpu(config, weights, section.precision, section.threads),
        }
    }

    /// Writes everything but the weights into `folder` as a Hugging Face directory has it, with `chat_template` in
    /// place of the model's own.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn write_files(&self, folder: &Path, chat_template: Option<&str>) -> anyhow::Result<()> {
        let mut config = self.config_json.clone();
        // What is written is not quantized, whatever the file said that was read.
        quantized::KEYS.iter().for_each(|&key| {
            config.remove(key);
        });
        let architecture = self.config.architecture;
        config.insert("architectures".to_owned(), vec![architecture.class_name()].into());
        config.insert("model_type".to_owned(), architecture.model_type().into());
        // Both names of the type that the weights are written in: older and newer readers each know one.
        config.insert("torch_dtype".to_owned(), "float32".into());
        config.insert("dtype".to_owned(), "float32".into());
        let mut generation = Map::new();
        for key in ["bos_token_id", "pad_token_id"] {
            if let Some(id) = self.config_json.get(key).filter(|id| !id.is_null()) {
                generation.insert(key.to_owned(), id.clone());
            }
        }
        generation.insert("eos_token_id".to_owned(), self.stop_ids.clone().into());
        generation.insert("do_sample".to_owned(), false.into());
        let mut tokenizer = self.tokenizer_config.clone();
        if tokenizer.is_empty() {
            tokenizer.insert("tokenizer_class".to_owned(), "PreTrainedTokenizerFast".into());
            let eos = self.stop_ids.first().and_then(|&id| self.tokenizer.token(id));
            tokenizer.insert("eos_token".to_owned(), eos.into());
        }
        match chat_template {
            Some(text) => tokenizer.insert("chat_template".to_owned(), text.into()),
            None => tokenizer.remove("chat_template"),
        };
        for (name, object) in [
            (directory::CONFIG, config),
            (directory::GENERATION, generation),
            (directory::TOKENIZER_CONFIG, tokenizer),
        ] {
            atomic::write_file(&folder.join(name), &serde_json::to_vec_pretty(&object)?)?;
        }
        atomic::write_file(&folder.join(directory::TOKENIZER), &self.tokenizer_text)?;
        Ok(())
    }

    /// Checks what is cheap to check, then reads the weights.
    fn assemble(path: String, parts: Parts) -> anyhow::Result<Self> {
        let config = ModelConfig::from_json(&parts.config).map_err(|error| {
            let hint = match &error {
                ModelConfigError::Unsupported(_) => FAMILIES,
                _ => "is config.json as it was published?",
            };
            anyhow!("can't use the config.json of {path}: {error}\nhint: {hint}")
        })?;
        let quantized = quantized::named(&parts.config, &path)?;
        let tokenizer = Tokenizer::from_bytes(&parts.tokenizer_text, &format!("tokenizer.json of {path}"))?;
        let mut notes = Vec::new();
        let (tokenizer, beyond) = tokenizer.within(config.vocab_size);
        match beyond {
            Beyond::Nothing => {}
            // Padding for training elsewhere, most often.
            Beyond::Added(tokens) => notes.push(format!(
                "the tokenizer of {path} has tokens that its network of {} doesn't know: {}; texts with them are refused",
                config.vocab_size,
                tokens.join(", ")
            )),
            Beyond::Vocabulary(largest) => bail!(
                "the tokenizer of {path} has a token {largest}, its network knows {}\n\
                 hint: take tokenizer.json from the model that config.json belongs to",
                config.vocab_size
            ),
        }
        let (mut stop_ids, mut unknown) = (Vec::new(), Vec::new());
        for id in parts.stop_ids(|token| tokenizer.id(token).ok()) {
            let known = TokenId::try_from(id).ok().filter(|&token| tokenizer.token(token).is_some());
            match known.filter(|&token| (token as usize) < config.vocab_size) {
                Some(token) => stop_ids.push(token),
                None => unknown.push(id),
            }
        }
        if let Some(id) = unknown.first() {
            if stop_ids.is_empty() {
                bail!(
                    "eos_token_id {id} of {path} is no token of its tokenizer\n\
                     hint: take tokenizer.json from the model that config.json belongs to"
                );
            }
            notes.push(format!("eos_token_id {id} of {path} is no token of its tokenizer and ends nothing"));
        }
        if stop_ids.is_empty() {
            bail!(
                "{path} names no token that ends a text: a completion could never end\n\
                 hint: set eos_token_id in generation_config.json or config.json"
            );
        }
        let special_tokens = parts.special_tokens();
        // One file keeps them all: what is written for later reads as what was read.
        let mut tokenizer_config = parts.tokenizer_config.clone();
        for (name, token) in &parts.special_tokens_map {
            if tokenizer_config.get(name).is_none_or(Value::is_null) {
                tokenizer_config.insert(name.clone(), token.clone());
            }
        }
        if let Some(template) = &parts.chat_template
            && let Some((token, id)) = chat::end_of_turn(template, &special_tokens, &tokenizer)
            && !stop_ids.contains(&id)
        {
            notes.push(format!(
                "the chat template of {path} ends an answer with {}, which is not among the tokens that end a completion: \
                 answers may run on\nhint: add {id} to eos_token_id in generation_config.json",
                quoted(&token)
            ));
        }
        if let Some(RopeScaling::Long(rope)) = &config.rope_scaling
            && rope.positions > config.max_position_embeddings
        {
            notes.push(format!(
                "{path} takes texts of up to {} tokens, here up to {}: longer ones have other rotary factors from their \
                 first token on",
                rope.positions, config.max_position_embeddings
            ));
        }
        let weights = parts.weights.read(&path, &config).map_err(|error| match &quantized {
            Some(quantized) => quantized.explain(&error, &path),
            None => error,
        })?;
        notes.extend(quantized.map(|quantized| quantized.note(&path)));
        notes.extend_from_slice(weights.notes());
        Ok(Self {
            notes,
            path,
            config,
            weights,
            tokenizer,
            stop_ids,
            special_tokens,
            chat_template: parts.chat_template,
            trained_prompt: None,
            config_json: parts.config,
            tokenizer_text: parts.tokenizer_text,
            tokenizer_config,
        })
    }
}

#[cfg(not(feature = "candle"))]
const WITHOUT_CANDLE: &str = "this binary was built without candle\nhint: build it with `--features candle`";
#[cfg(feature = "hub")]
const KINDS: &str = "a model is embedded:arithmetic, a directory with config.json, tokenizer.json and safetensors, \
                     a GGUF file, a run's directory, or owner/name on the hub";
#[cfg(not(feature = "hub"))]
const KINDS: &str = "a model is embedded:arithmetic, a directory with config.json, tokenizer.json and safetensors, \
                     a GGUF file or a run's directory; this binary was built without the hub: build it with \
                     `--features hub` for owner/name";
const FAMILIES: &str = "supported are Llama 3, SmolLM2, SmolLM3, Mistral, Qwen2, Qwen2.5, Qwen2.5-Math, Qwen3, Phi-3, \
                        Phi-4-mini and Gemma 3 (text)";

/// The files of a model that no run of ours has trained, and its path or pinned name.
fn parts_of(path: &str) -> anyhow::Result<(String, Parts)> {
    if let Some(name) = path.strip_prefix(EMBEDDED) {
        if name != "arithmetic" {
            bail!("no embedded model {}\nhint: there is embedded:arithmetic", quoted(name));
        }
        return Ok((path.to_owned(), embedded()?));
    }
    let local = Path::new(path);
    if local.is_dir() {
        if adapter::is_adapter(local) {
            return Ok((path.to_owned(), adapter::open(local, parts_of)?));
        }
        return Ok((path.to_owned(), directory::open(local)?));
    }
    if local.exists() {
        if !is_gguf(local) {
            bail!("{path} is not a GGUF file\nhint: {KINDS}");
        }
        #[cfg(feature = "candle")]
        return Ok((path.to_owned(), gguf::open(local)?));
        #[cfg(not(feature = "candle"))]
        bail!("{path} is a GGUF file: {WITHOUT_CANDLE}");
    }
    #[cfg(feature = "hub")]
    if let Some(id) = HubId::parse(path) {
        let snapshot = hub::fetch(&id)?;
        let parts = match adapter::is_adapter(&snapshot) {
            true => adapter::open(&snapshot, parts_of)?,
            false => directory::open(&snapshot)?,
        };
        return Ok((id.pinned(&snapshot), parts));
    }
    bail!("there is no {path}\nhint: {KINDS}")
}

fn embedded() -> anyhow::Result<Parts> {
    Ok(Parts {
        config: serde_json::from_slice(EMBEDDED_CONFIG)?,
        tokenizer_text: EMBEDDED_TOKENIZER.to_vec(),
        tokenizer_config: Map::new(),
        special_tokens_map: Map::new(),
        generation: None,
        chat_template: None,
        weights: WeightsFrom::Binary(EMBEDDED_WEIGHTS),
    })
}

/// True for a file that begins as GGUF files do, or is named like one.
fn is_gguf(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    let begins = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok();
    (begins && magic == *b"GGUF") || path.extension().is_some_and(|extension| extension == "gguf")
}

// Tests of budgets need the account that a program's allocator keeps.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: exgrpo_core::allocator::Accounting = exgrpo_core::allocator::Accounting;

#[cfg(test)]
mod chat_templates_witness;
#[cfg(test)]
mod tests;
