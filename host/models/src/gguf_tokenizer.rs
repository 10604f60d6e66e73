//! The tokenizer of a GGUF file, written as the `tokenizer.json` that the model was published with.

use anyhow::{anyhow, bail};
use candle_core::quantized::gguf_file::Value;
use serde_json::{Map, Value as Json, json};

use super::gguf::Metadata;
use exgrpo_core::types::TokenId;

/// `tokenizer.ggml.token_type` of a token that steers the model, such as the end of a turn.
const CONTROL: u64 = 3;
/// Of a token that is found whole in any text, without being left out of what the model says.
const USER_DEFINED: u64 = 4;
/// Of a row of the embedding that no token has.
const UNUSED: u64 = 5;

/// Splits text into words as Llama 3 does: up to three digits together.
const LLAMA3_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// As Qwen2 and Qwen3 do: every digit alone.
const QWEN2_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// What the metadata says of the tokenizer.
#[derive(Debug)]
pub(super) struct GgufTokenizer {
    /// `tokenizer.json`.
    pub(super) text: Vec<u8>,
    /// `tokenizer_config.json`.
    pub(super) config: Map<String, Json>,
    /// Tokens that end a completion.
    pub(super) stop_ids: Vec<TokenId>,
    /// Token that begins a text.
    pub(super) bos_id: Option<TokenId>,
    /// Padding.
    pub(super) pad_id: Option<TokenId>,
}

/// How a family cuts text before its merges apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// GPT-2's words.
    Gpt2,
    /// Every digit alone, then GPT-2's words.
    Smollm,
    /// [`LLAMA3_WORDS`]; a word that is a token stays one, whatever the merges say.
    Llama3,
    /// [`QWEN2_WORDS`] of composed characters.
    Qwen2,
}

impl Family {
    fn of(pre: &str) -> Option<Self> {
        match pre {
            "gpt-2" => Some(Self::Gpt2),
            "smollm" => Some(Self::Smollm),
            "llama-bpe" | "llama3" | "llama-v3" => Some(Self::Llama3),
            "qwen2" | "deepseek-r1-qwen" => Some(Self::Qwen2),
            _ => None,
        }
    }

    fn pre_tokenizer(self) -> Json {
        let byte_level = |use_regex: bool| {
            json!({
                "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex,
            })
        };
        let split = |regex: &str| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
        let steps = match self {
            Self::Gpt2 => return byte_level(true),
            Self::Smollm => vec![json!({"type": "Digits", "individual_digits": true}), byte_level(true)],
            Self::Llama3 => vec![split(LLAMA3_WORDS), byte_level(false)],
            Self::Qwen2 => vec![split(QWEN2_WORDS), byte_level(false)],
        };
        json!({"type": "Sequence", "pretokenizers": steps})
    }

    fn normalizer(self) -> Json {
        match self {
            Self::Qwen2 => json!({"type": "NFC"}),
            _ => Json::Null,
        }
    }
}

/// Reads `tokenizer.ggml.*`.
///
/// # Errors
/// A key is absent or of the wrong kind, or the tokenizer isn't one of byte-level merges that is known here.
pub(super) fn read(metadata: &Metadata<'_>) -> anyhow::Result<GgufTokenizer> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let model = metadata.text(&key("model"))?.unwrap_or("none");
    let pre = metadata.text(&key("pre"))?.unwrap_or("default");
    let Some(family) = Family::of(pre).filter(|_| model == "gpt2") else {
        bail!(
            "{} has a tokenizer of kind {model:?} with pre-tokenizer {pre:?}\n\
             hint: supported are gpt2 with smollm, llama-bpe, qwen2 or gpt-2; a directory with tokenizer.json \
             can have any",
            metadata.path()
        );
    };
    let tokens = texts(metadata, &key("tokens"))?;
    let merges = texts(metadata, &key("merges"))?;
    let kinds = match metadata.list(&key("token_type"))? {
        Some(kinds) => kinds.iter().map(|kind| kind.to_i32().map_or(0, |kind| kind as u64)).collect(),
        None => vec![1; tokens.len()],
    };
    if kinds.len() != tokens.len() {
        bail!(
            "{} has {} tokens and {} token types\nhint: the file is damaged",
            metadata.path(),
            tokens.len(),
            kinds.len()
        );
    }
    let id = |name: &str| -> anyhow::Result<Option<TokenId>> {
        let key = key(name);
        match metadata.number(&key)? {
            Some(id) if id >= tokens.len() as u64 => {
                bail!(
                    "{key} of {} is {id}, outside the vocabulary\nhint: the file is damaged",
                    metadata.path()
                )
            }
            id => Ok(id.map(|id| id as TokenId)),
        }
    };
    let bos_id = id("bos_token_id")?;
    let mut stop_ids = Vec::new();
    for name in ["eos_token_id", "eot_token_id", "eom_token_id"] {
        stop_ids.extend(id(name)?.filter(|id| !stop_ids.contains(id)));
    }
    // Files of Llama 3 may leave the flag out; llama.cpp then begins with the token as well.
    let adds_bos = metadata.flag(&key("add_bos_token"))?.unwrap_or(family == Family::Llama3);
    let bos = bos_id.filter(|_| adds_bos).map(|id| (tokens[id as usize], id));

    let pairs: Vec<Json> = merges
        .iter()
        .map(|merge| {
            let (left, right) = merge
                .split_once(' ')
                .ok_or_else(|| anyhow!("{merge:?} of {} is not a merge", metadata.path()))?;
            Ok(json!([left, right]))
        })
        .collect::<anyhow::Result<_>>()?;
    let vocabulary: Map<String, Json> = tokens
        .iter()
        .zip(&kinds)
        .enumerate()
        .filter(|(_, (_, kind))| **kind != UNUSED)
        .map(|(id, (token, _))| ((*token).to_owned(), id.into()))
        .collect();
    let added: Vec<Json> = tokens
        .iter()
        .zip(&kinds)
        .enumerate()
        .filter(|(_, (_, kind))| matches!(**kind, CONTROL | USER_DEFINED))
        .map(|(id, (token, kind))| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": *kind == CONTROL,
            })
        })
        .collect();
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let file = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": family.normalizer(),
        "pre_tokenizer": family.pre_tokenizer(),
        "post_processor": bos.map_or(byte_level.clone(), |(token, id)| begin_with(token, id)),
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": family == Family::Llama3, "vocab": vocabulary, "merges": pairs,
        },
    });

    let mut config = Map::new();
    config.insert("tokenizer_class".to_owned(), "PreTrainedTokenizerFast".into());
    config.insert("clean_up_tokenization_spaces".to_owned(), false.into());
    let named = [
        ("bos_token", bos_id),
        ("eos_token", id("eos_token_id")?),
        ("unk_token", id("unknown_token_id")?),
        ("pad_token", id("padding_token_id")?),
    ];
    for (name, id) in named {
        let token = id.map(|id| tokens[id as usize]);
        config.insert(name.to_owned(), token.map_or(Json::Null, Json::from));
    }
    Ok(GgufTokenizer {
        text: serde_json::to_vec(&file)?,
        config,
        stop_ids,
        bos_id,
        pad_id: id("padding_token_id")?,
    })
}

/// A post-processor that puts a token before every text.
fn begin_with(token: &str, id: TokenId) -> Json {
    let begin = json!({"SpecialToken": {"id": token, "type_id": 0}});
    let sequence = |name: &str, type_id: u32| json!({"Sequence": {"id": name, "type_id": type_id}});
    json!({
        "type": "TemplateProcessing",
        "single": [begin, sequence("A", 0)],
        "pair": [begin, sequence("A", 0), {"SpecialToken": {"id": token, "type_id": 1}}, sequence("B", 1)],
        "special_tokens": {(token): {"id": token, "ids": [id], "tokens": [token]}},
    })
}

fn texts<'a>(metadata: &Metadata<'a>, key: &str) -> anyhow::Result<Vec<&'a str>> {
    let list = metadata.required(key, metadata.list(key)?)?;
    let text = |value: &'a Value| match value {
        Value::String(text) => Ok(text.as_str()),
        _ => Err(anyhow!("{key} of {} is not a list of texts\nhint: the file is damaged", metadata.path())),
    };
    list.iter().map(text).collect()
}
