//! Text to token ids and back: the only place that calls `tokenizers`, and that contains what a stranger's
//! tokenizer.json can make of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokenizers::models::ModelWrapper;

use crate::EMBEDDED_TOKENIZER;
use exgrpo_core::contain::{self, Breach, Budget};
use exgrpo_core::escape::{foreign, quoted};
use exgrpo_core::types::TokenId;

/// A text that every tokenizer can express.
const PROBE: &str = "1";

/// What reading a file may take: this for every byte of it, and this besides.
const READING_PER_BYTE: usize = 100;
const READING: Budget = Budget { memory: 64 << 20, time: Duration::from_secs(120) };
/// What a text may take: about 200 bytes a byte of it, so that megabytes fit.
const ENCODING: Budget = Budget { memory: 400 << 20, time: Duration::from_secs(60) };
/// What an answer may take.
const DECODING: Budget = Budget { memory: 256 << 20, time: Duration::from_secs(10) };

/// Bytes up to which our own tokenizer needs no budget.
const SHORT_TEXT: usize = 64 << 10;

/// Bytes of text that a token stands for at most, unless the vocabulary has a longer one: where a tokenizer shortens the
/// text first, by joining spaces say, that is the room it gets.
const TEXT_BYTES: usize = 256;

/// A `tokenizers` file, with the ids that sampling needs.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Arc<tokenizers::Tokenizer>,
    unknown: Option<TokenId>,
    /// Bytes of the longest token as the vocabulary spells it.
    longest_token: usize,
    /// Ids from this one on are no tokens of the network.
    num_ids: usize,
    trust: Trust,
}

/// Tokens of a tokenizer that its network doesn't know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beyond {
    /// None.
    Nothing,
    /// Some that were added to the vocabulary; their texts, quoted.
    Added(Vec<String>),
    /// Some of the vocabulary itself, this the largest.
    Vocabulary(TokenId),
}

/// What a tokenizer file can do to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The file that ships: nothing.
    Ours,
    /// Decoding makes no more of tokens than they are.
    PlainDecoder,
    /// Decoding replaces text by other text.
    None,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`; `origin` names it in errors. Padding, truncation and dropout are for training batches
    /// elsewhere: what the file remembers of them is left aside, as transformers leaves it for prompts.
    pub fn from_bytes(bytes: &[u8], origin: &str) -> anyhow::Result<Self> {
        let is_ours = bytes == EMBEDDED_TOKENIZER;
        let owned = bytes.to_vec();
        let memory = (READING.memory + READING_PER_BYTE * bytes.len()).min(2 << 30);
        let read = contain::run(Budget { memory, ..READING }, move || read(&owned)).map_err(|breach| {
            anyhow!("{} can't be read as a tokenizer file: {breach}\nhint: fetch it again from where it was published", foreign(origin))
        })?;
        let (inner, longest_token) = read.map_err(|error| {
            anyhow!(
                "{} is not a tokenizer file: {}\n\
                     hint: a download that was cut short reads like this: fetch it again",
                foreign(origin),
                foreign(&error)
            )
        })?;
        let unknown = inner.token_to_id("<unk>");
        let decoder = serde_json::to_string(&inner.get_decoder()).unwrap_or_default();
        let trust = match is_ours {
            true => Trust::Ours,
            false if decoder.contains("Replace") => Trust::None,
            false => Trust::PlainDecoder,
        };
        Ok(Self { inner: Arc::new(inner), unknown, longest_token, num_ids: usize::MAX, trust })
    }

    /// This tokenizer for a network of `num_ids` tokens, and what it has beyond them. Texts with such tokens can't be
    /// encoded.
    pub fn within(self, num_ids: usize) -> (Self, Beyond) {
        let is_beyond = |id: TokenId| id as usize >= num_ids;
        let added: Vec<String> = self
            .inner
            .get_added_tokens_decoder()
            .into_iter()
            .filter(|(id, _)| is_beyond(*id))
            .map(|(_, token)| quoted(&token.content).to_string())
            .collect();
        let own = self.inner.get_vocab(false).into_values().filter(|&id| is_beyond(id));
        let beyond = match own.filter(|&id| !self.is_added(id)).max() {
            Some(largest) => Beyond::Vocabulary(largest),
            None if added.is_empty() => Beyond::Nothing,
            None => Beyond::Added(added),
        };
        (Self { num_ids, ..self }, beyond)
    }

    fn is_added(&self, id: TokenId) -> bool {
        self.inner.get_added_vocabulary().get_added_tokens_decoder().contains_key(&id)
    }

    /// Id of `token` where it is one that was added to the vocabulary, as markers of turns are.
    pub fn added_id(&self, token: &str) -> Option<TokenId> {
        self.inner.token_to_id(token).filter(|&id| self.is_added(id))
    }

    /// Texts of the tokens that were added to the vocabulary.
    pub fn added_tokens(&self) -> Vec<String> {
        self.inner.get_added_tokens_decoder().into_values().map(|token| token.content).collect()
    }

    /// Token ids of `text`, without special tokens. An error names text that the vocabulary can't express.
    pub fn encode(&self, text: &str) -> anyhow::Result<Vec<TokenId>> {
        let Encoded { ids, unknown } = self.encode_with(text, false)?;
        if let Some((start, end)) = unknown {
            bail!(
                "{} in {} is not in the tokenizer's vocabulary",
                quoted(text.get(start..end).unwrap_or("?")),
                quoted(text)
            );
        }
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= self.num_ids) {
            bail!(
                "{} in {} is a token that the network doesn't know",
                quoted(&self.token(id).unwrap_or_default()),
                quoted(text)
            );
        }
        Ok(ids)
    }

    fn encode_with(&self, text: &str, special: bool) -> anyhow::Result<Encoded> {
        let unknown = self.unknown;
        let encoded = match self.trust {
            Trust::Ours if text.len() <= SHORT_TEXT => Ok(encode(&self.inner, text, special, unknown)),
            _ => {
                let (inner, text) = (Arc::clone(&self.inner), text.to_owned());
                contain::run(ENCODING, move || encode(&inner, &text, special, unknown))
            }
        };
        flat(encoded).map_err(|error| anyhow!("can't tokenize {}: {}", quoted(text), foreign(&error)))
    }

    /// Text of `ids`, special tokens left out.
    pub fn decode(&self, ids: &[TokenId]) -> anyhow::Result<String> {
        self.decode_with(ids, true)
    }

    fn decode_with(&self, ids: &[TokenId], skip_special: bool) -> anyhow::Result<String> {
        let decode = move |inner: &tokenizers::Tokenizer, ids: &[TokenId]| {
            inner.decode(ids, skip_special).map_err(|error| error.to_string())
        };
        let text = match self.trust {
            Trust::Ours => Ok(decode(&self.inner, ids)),
            Trust::PlainDecoder => contain::catch_panic(|| decode(&self.inner, ids)),
            Trust::None => {
                let (inner, ids) = (Arc::clone(&self.inner), ids.to_vec());
                contain::run(DECODING, move || decode(&inner, &ids))
            }
        };
        flat(text).map_err(|error| anyhow!("can't decode {} token ids: {}", ids.len(), foreign(&error)))
    }

    /// Most bytes that a text of `tokens` tokens can have. A longer one needs no tokenizing to be told too long.
    pub fn most_bytes(&self, tokens: usize) -> usize {
        tokens.saturating_mul(self.longest_token.max(TEXT_BYTES))
    }

    /// Id of a token that must exist.
    pub fn id(&self, token: &str) -> anyhow::Result<TokenId> {
        self.inner.token_to_id(token).with_context(|| format!("the tokenizer has no token {}", quoted(token)))
    }

    /// Token with the id `id`.
    pub fn token(&self, id: TokenId) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Largest id of all tokens, added ones included.
    #[cfg(test)]
    pub fn largest_id(&self) -> Option<TokenId> {
        self.inner.get_vocab(true).into_values().max()
    }

    /// Tokens that the tokenizer's author wants before every text that no chat template has rendered: Llama 3's
    /// `<|begin_of_text|>`, nothing for most.
    ///
    /// # Errors
    /// The tokenizer can't encode a letter.
    pub fn prefix(&self) -> anyhow::Result<Vec<TokenId>> {
        let (with, without) = (self.encode_with(PROBE, true)?.ids, self.encode_with(PROBE, false)?.ids);
        let begin = with.windows(without.len().max(1)).position(|window| window == without.as_slice());
        Ok(with[..begin.unwrap_or(0)].to_vec())
    }

    /// Text of `ids`, special tokens written out.
    ///
    /// # Errors
    /// An id can't be decoded.
    pub fn decode_all(&self, ids: &[TokenId]) -> anyhow::Result<String> {
        self.decode_with(ids, false)
    }
}

/// A tokenizer, and the bytes of its longest token.
fn read(bytes: &[u8]) -> Result<(tokenizers::Tokenizer, usize), String> {
    let text = |error: tokenizers::Error| error.to_string();
    let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(text)?;
    inner.with_padding(None);
    inner.with_truncation(None).map_err(text)?;
    let with_dropout = match inner.get_model() {
        ModelWrapper::BPE(bpe) if bpe.dropout.is_some() => Some(bpe.clone()),
        _ => None,
    };
    if let Some(mut bpe) = with_dropout {
        bpe.dropout = None;
        inner.with_model(bpe);
    }
    let longest_token = inner.get_vocab(true).keys().map(String::len).max().unwrap_or(0);
    Ok((inner, longest_token))
}

struct Encoded {
    ids: Vec<TokenId>,
    /// Where the text has the first piece that the vocabulary lacks, in bytes.
    unknown: Option<(usize, usize)>,
}

fn encode(
    inner: &tokenizers::Tokenizer,
    text: &str,
    special: bool,
    unknown: Option<TokenId>,
) -> Result<Encoded, String> {
    let encoding = inner.encode(text, special).map_err(|error| error.to_string())?;
    let ids = encoding.get_ids().to_vec();
    let position = unknown.and_then(|unknown| ids.iter().position(|&id| id == unknown));
    let unknown = position.and_then(|position| encoding.get_offsets().get(position).copied());
    Ok(Encoded { ids, unknown })
}

fn flat<T>(outcome: Result<Result<T, String>, Breach>) -> Result<T, String> {
    outcome.map_err(|breach| breach.to_string()).flatten()
}

#[cfg(test)]
#[path = "tokenizer_tests.rs"]
mod tests;
