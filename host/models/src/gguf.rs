//! GGUF files, llama.cpp's format: the configuration from the metadata, the weights dequantized to f32.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};

use super::parts::{Parts, WeightsFrom};
use super::{gguf_header, gguf_tokenizer};
use exgrpo_core::bounded;
use exgrpo_engine::{
    Architecture, Llama3Rope, ModelConfig, NamedTensor, ParameterShape, RopeScaling, Variations, Weights,
};

/// Divisors of the rotary frequencies, which llama.cpp stores in place of Llama 3's rule.
const ROPE_DIVISORS: &str = "rope_freqs.weight";
/// Largest relative error at which those divisors count as Llama 3's.
const ROPE_TOLERANCE: f64 = 1e-4;

/// An opened file whose header has been read.
pub(super) struct GgufFile {
    path: PathBuf,
    content: Content,
    reader: BufReader<File>,
}

impl std::fmt::Debug for GgufFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GgufFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The configuration, the tokenizer and the chat template in `path`; the weights stay in the file for now.
///
/// # Errors
/// The file can't be read, is cut short, or holds a model or a tokenizer of a kind that isn't supported.
pub(super) fn open(path: &Path) -> anyhow::Result<Parts> {
    let (file, _) = bounded::open(path).map_err(|error| {
        anyhow!("can't read {}: {error}\nhint: a GGUF file is given by its path", path.display())
    })?;
    let mut reader = BufReader::new(file);
    gguf_header::check(&mut reader).map_err(|reason| damaged(path, &reason))?;
    let content = Content::read(&mut reader).map_err(|error| damaged(path, &error))?;
    let metadata = Metadata { path, values: &content.metadata };
    if metadata.number("split.count")?.is_some_and(|count| count > 1) {
        bail!(
            "{} is one of several parts\nhint: join them with llama.cpp's llama-gguf-split --merge",
            path.display()
        );
    }
    let config = config(&metadata, &content)?;
    let tokenizer = gguf_tokenizer::read(&metadata)?;
    let mut config_json = match serde_json::to_value(&config) {
        Ok(serde_json::Value::Object(object)) => object,
        _ => bail!("the configuration of {} can't be written as JSON", path.display()),
    };
    config_json.insert("eos_token_id".to_owned(), tokenizer.stop_ids.clone().into());
    for (key, id) in [("bos_token_id", tokenizer.bos_id), ("pad_token_id", tokenizer.pad_id)] {
        if let Some(id) = id {
            config_json.insert(key.to_owned(), id.into());
        }
    }
    Ok(Parts {
        config: config_json,
        tokenizer_text: tokenizer.text,
        tokenizer_config: tokenizer.config,
        special_tokens_map: serde_json::Map::new(),
        generation: None,
        chat_template: metadata.text("tokenizer.chat_template")?.map(str::to_owned),
        weights: WeightsFrom::Gguf(Box::new(GgufFile { path: path.to_owned(), content, reader })),
    })
}

impl GgufFile {
    /// All weights, dequantized, under their Hugging Face names and in their order.
    pub(super) fn weights(mut self, config: &ModelConfig) -> anyhow::Result<Weights> {
        let mut tensors = Vec::new();
        for parameter in config.parameter_shapes() {
            let name = gguf_name(&parameter.name)
                .ok_or_else(|| anyhow!("no GGUF tensor is known for {}", parameter.name))?;
            let data = self.tensor(&name, &parameter)?;
            self.content.tensor_infos.remove(&name);
            let data = match interleaved_heads(config, &parameter.name) {
                Some(heads) => halves(&data, heads, config.head_dim),
                None => data,
            };
            tensors.push(NamedTensor { name: parameter.name, shape: parameter.shape, data });
        }
        self.content.tensor_infos.remove(ROPE_DIVISORS);
        if let Some(name) = self.content.tensor_infos.keys().min() {
            bail!(
                "{} has a tensor {name:?} that a {} model doesn't have\n\
                 hint: mixtures of experts and multimodal models are not supported",
                self.path.display(),
                config.architecture.model_type()
            );
        }
        Ok(Weights::from_tensors(tensors, &self.path.display().to_string(), config)?)
    }

    fn tensor(&mut self, name: &str, parameter: &ParameterShape) -> anyhow::Result<Vec<f32>> {
        let Some(info) = self.content.tensor_infos.get(name) else {
            bail!("{} has no tensor {name:?}\nhint: is the file complete?", self.path.display());
        };
        if info.shape.dims() != parameter.shape {
            bail!(
                "tensor {name:?} of {} has shape {:?}, its metadata asks for {:?}\nhint: the file is damaged",
                self.path.display(),
                info.shape.dims(),
                parameter.shape
            );
        }
        let read = |reader: &mut BufReader<File>| -> candle_core::Result<Vec<f32>> {
            let tensor = info.read(reader, self.content.tensor_data_offset, &Device::Cpu)?;
            tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()
        };
        read(&mut self.reader).map_err(|error| damaged(&self.path, &format!("tensor {name:?}: {error}")))
    }
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> anyhow::Error {
    // candle appends a backtrace behind the first line when one is asked for.
    let text = error.to_string();
    let reason = text.lines().next().unwrap_or_default();
    anyhow!(
        "{} is not a usable GGUF file: {reason}\n\
         hint: a download that was cut short reads like this; supported are F32, F16, BF16, Q4_0 to Q8_1 and Q2_K to Q8_K",
        path.display()
    )
}

/// Metadata of a file, by key.
pub(super) struct Metadata<'a> {
    path: &'a Path,
    values: &'a HashMap<String, Value>,
}

impl<'a> Metadata<'a> {
    /// The file, for errors.
    pub(super) fn path(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    fn wrong(&self, key: &str, expected: &str) -> anyhow::Error {
        anyhow!("{key} of {} is not {expected}\nhint: the file is damaged or of a newer kind", self.path())
    }

    /// A whole number, if the key is there.
    pub(super) fn number(&self, key: &str) -> anyhow::Result<Option<u64>> {
        let number = |value: &Value| match *value {
            Value::I8(v) => u64::try_from(v).ok(),
            Value::I16(v) => u64::try_from(v).ok(),
            Value::I32(v) => u64::try_from(v).ok(),
            Value::I64(v) => u64::try_from(v).ok(),
            Value::Bool(_) => None,
            ref value => value.to_u64().ok(),
        };
        self.get(key, "a whole number", number)
    }

    /// A real number, if the key is there.
    pub(super) fn real(&self, key: &str) -> anyhow::Result<Option<f64>> {
        self.get(key, "a number", |value| match *value {
            // The shortest decimal that reads back as the f32 is what was meant: 1e-5, not 9.99999974e-6.
            Value::F32(v) => v.to_string().parse().ok(),
            Value::F64(v) => Some(v),
            _ => None,
        })
    }

    /// A truth value, if the key is there.
    pub(super) fn flag(&self, key: &str) -> anyhow::Result<Option<bool>> {
        self.get(key, "true or false", |value| value.to_bool().ok())
    }

    /// A text, if the key is there.
    pub(super) fn text(&self, key: &str) -> anyhow::Result<Option<&'a str>> {
        self.get(key, "a text", |value| value.to_string().ok().map(String::as_str))
    }

    /// A list, if the key is there.
    pub(super) fn list(&self, key: &str) -> anyhow::Result<Option<&'a [Value]>> {
        self.get(key, "a list", |value| value.to_vec().ok().map(Vec::as_slice))
    }

    fn get<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> anyhow::Result<Option<T>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.wrong(key, expected)),
        }
    }

    /// Turns an absent value into an error that names its key.
    pub(super) fn required<T>(&self, key: &str, value: Option<T>) -> anyhow::Result<T> {
        value.ok_or_else(|| anyhow!("{} has no {key}\nhint: is it a language model's file?", self.path()))
    }
}

fn config(metadata: &Metadata<'_>, content: &Content) -> anyhow::Result<ModelConfig> {
    let name = metadata.required("general.architecture", metadata.text("general.architecture")?)?;
    let known = [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3];
    let Some(architecture) = known.into_iter().find(|known| known.model_type() == name) else {
        bail!(
            "{} holds a model of architecture {name:?}\n\
             hint: supported are llama (Llama 3, SmolLM2), qwen2 (Qwen2.5) and qwen3",
            metadata.path()
        );
    };
    let number = |key: &str| metadata.number(&format!("{name}.{key}")).map(|v| v.map(|v| v as usize));
    let required = |key: &str| metadata.required(&format!("{name}.{key}"), number(key)?);
    let real = |key: &str| {
        let key = format!("{name}.{key}");
        metadata.required(&key, metadata.real(&key)?)
    };
    let scaling = metadata.text(&format!("{name}.rope.scaling.type"))?;
    if let Some(scaling) = scaling.filter(|kind| *kind != "none") {
        bail!(
            "{} stretches its rotary embedding by {scaling:?}\nhint: only Llama 3's rule is supported",
            metadata.path()
        );
    }
    let num_hidden_layers = required("block_count")?;
    if num_hidden_layers > content.tensor_infos.len() {
        bail!(
            "{} announces {num_hidden_layers} layers and has {} tensors\nhint: the file is damaged",
            metadata.path(),
            content.tensor_infos.len()
        );
    }
    let hidden_size = required("embedding_length")?;
    let num_attention_heads = required("attention.head_count")?;
    let head_dim = match number("attention.key_length")? {
        Some(head_dim) => head_dim,
        None => hidden_size.checked_div(num_attention_heads).unwrap_or(0),
    };
    if let Some(rotated) = number("rope.dimension_count")?.filter(|&rotated| rotated != head_dim) {
        bail!(
            "{} rotates {rotated} of {head_dim} dimensions of a head\nhint: only rotating all is supported",
            metadata.path()
        );
    }
    let has = |tensor: &str| content.tensor_infos.contains_key(tensor);
    let rows =
        content.tensor_infos.get("token_embd.weight").and_then(|info| info.shape.dims().first().copied());
    let mut config = ModelConfig {
        architecture,
        vocab_size: metadata.required("tensor token_embd.weight", rows)?,
        hidden_size,
        intermediate_size: required("feed_forward_length")?,
        num_hidden_layers,
        num_attention_heads,
        num_key_value_heads: number("attention.head_count_kv")?.unwrap_or(num_attention_heads),
        head_dim,
        rms_norm_eps: real("attention.layer_norm_rms_epsilon")?,
        rope_theta: metadata.real(&format!("{name}.rope.freq_base"))?.unwrap_or(10_000.0),
        rope_scaling: None,
        max_position_embeddings: required("context_length")?,
        tie_word_embeddings: !has("output.weight"),
        attention_bias: architecture != Architecture::Qwen2 && has("blk.0.attn_q.bias"),
        variations: Variations::default(),
    };
    config.validate().map_err(|error| anyhow!("{}: {error}\nhint: the file is damaged", metadata.path()))?;
    if has(ROPE_DIVISORS) {
        let divisors = rope_divisors(metadata.path, content)?;
        let rope = llama3_rope(&config, &divisors).ok_or_else(|| {
            anyhow!(
                "{} stretches its rotary embedding by a rule of its own\nhint: only Llama 3's rule is supported",
                metadata.path()
            )
        })?;
        config.rope_scaling = Some(RopeScaling::Llama3(rope));
    }
    Ok(config)
}

fn rope_divisors(path: &Path, content: &Content) -> anyhow::Result<Vec<f32>> {
    let read = || -> candle_core::Result<Vec<f32>> {
        let mut reader = BufReader::new(bounded::open(path)?.0);
        content.tensor(&mut reader, ROPE_DIVISORS, &Device::Cpu)?.dequantize(&Device::Cpu)?.to_vec1()
    };
    read().map_err(|error| damaged(path, &error))
}

/// The numbers of Llama 3's rule that give these divisors: all published models share three of the four.
fn llama3_rope(config: &ModelConfig, divisors: &[f32]) -> Option<Llama3Rope> {
    let rope = Llama3Rope {
        factor: f64::from(divisors.iter().copied().fold(1.0, f32::max)),
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    let plain = config.rope_frequencies();
    let stretched =
        ModelConfig { rope_scaling: Some(RopeScaling::Llama3(rope)), ..config.clone() }.rope_frequencies();
    let agrees = plain.len() == divisors.len()
        && plain.iter().zip(&stretched).zip(divisors).all(|((plain, stretched), &divisor)| {
            (plain / stretched / f64::from(divisor) - 1.0).abs() < ROPE_TOLERANCE
        });
    agrees.then_some(rope)
}

/// llama.cpp's name of a parameter.
fn gguf_name(parameter: &str) -> Option<String> {
    let whole = match parameter {
        "model.embed_tokens.weight" => Some("token_embd.weight"),
        "model.norm.weight" => Some("output_norm.weight"),
        "lm_head.weight" => Some("output.weight"),
        _ => None,
    };
    if let Some(name) = whole {
        return Some(name.to_owned());
    }
    let (layer, part) = parameter.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = part.rsplit_once('.')?;
    let part = match part {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        _ => return None,
    };
    Some(format!("blk.{layer}.{part}.{kind}"))
}

/// Heads of a parameter whose rows are in llama.cpp's order: it rotates neighbouring dimensions of Llama models, and
/// has the rows of their queries and keys interleaved for that.
fn interleaved_heads(config: &ModelConfig, parameter: &str) -> Option<usize> {
    if config.architecture != Architecture::Llama {
        return None;
    }
    if parameter.contains(".q_proj.") {
        return Some(config.num_attention_heads);
    }
    parameter.contains(".k_proj.").then_some(config.num_key_value_heads)
}

/// Rows 0, 1, 2, 3, … of every head become 0, 2, 4, …, 1, 3, 5, …: dimension i then pairs with i + head_dim / 2.
fn halves(data: &[f32], heads: usize, head_dim: usize) -> Vec<f32> {
    let width = data.len() / (heads * head_dim);
    let mut out = Vec::with_capacity(data.len());
    for head in data.chunks_exact(head_dim * width) {
        for parity in [0, 1] {
            for row in (parity..head_dim).step_by(2) {
                out.extend_from_slice(&head[row * width..(row + 1) * width]);
            }
        }
    }
    out
}

#[cfg(test)]
#[path = "gguf_tests.rs"]
mod tests;
