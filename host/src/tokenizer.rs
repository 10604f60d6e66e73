//! Text to token ids and back.

use anyhow::{Context, anyhow, bail};

use crate::types::TokenId;

/// A text that every tokenizer can express.
const PROBE: &str = "1";

/// A `tokenizers` file, with the ids that sampling needs.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    unknown: Option<TokenId>,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`; `origin` names it in errors.
    pub fn from_bytes(bytes: &[u8], origin: &str) -> anyhow::Result<Self> {
        let inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| {
            anyhow!(
                "{origin} is not a tokenizer file: {error}\n\
                     hint: a download that was cut short reads like this: fetch it again"
            )
        })?;
        let unknown = inner.token_to_id("<unk>");
        Ok(Self { inner, unknown })
    }

    /// Token ids of `text`, without special tokens. An error names text that the vocabulary can't express.
    pub fn encode(&self, text: &str) -> anyhow::Result<Vec<TokenId>> {
        let encoding =
            self.inner.encode(text, false).map_err(|error| anyhow!("can't tokenize {text:?}: {error}"))?;
        let ids = encoding.get_ids().to_vec();
        if let Some(position) = self.unknown.and_then(|unknown| ids.iter().position(|&id| id == unknown)) {
            let (start, end) = encoding.get_offsets()[position];
            bail!(
                "{:?} in {text:?} is not in the tokenizer's vocabulary",
                &text.get(start..end).unwrap_or("?")
            );
        }
        Ok(ids)
    }

    /// Text of `ids`, special tokens left out.
    pub fn decode(&self, ids: &[TokenId]) -> anyhow::Result<String> {
        self.inner.decode(ids, true).map_err(|error| anyhow!("can't decode {} token ids: {error}", ids.len()))
    }

    /// Id of a token that must exist.
    pub fn id(&self, token: &str) -> anyhow::Result<TokenId> {
        self.inner.token_to_id(token).with_context(|| format!("the tokenizer has no token {token:?}"))
    }

    /// Token with the id `id`.
    pub fn token(&self, id: TokenId) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Largest id of all tokens, added ones included.
    pub fn largest_id(&self) -> Option<TokenId> {
        self.inner.get_vocab(true).into_values().max()
    }

    /// Tokens that the tokenizer's author wants before every text that no chat template has rendered: Llama 3's
    /// `<|begin_of_text|>`, nothing for most.
    ///
    /// # Errors
    /// The tokenizer can't encode a letter.
    pub fn prefix(&self) -> anyhow::Result<Vec<TokenId>> {
        let ids = |special: bool| {
            let encoding = self.inner.encode(PROBE, special);
            encoding
                .map(|encoding| encoding.get_ids().to_vec())
                .map_err(|error| anyhow!("can't tokenize {PROBE:?}: {error}"))
        };
        let (with, without) = (ids(true)?, ids(false)?);
        let begin = with.windows(without.len().max(1)).position(|window| window == without.as_slice());
        Ok(with[..begin.unwrap_or(0)].to_vec())
    }

    /// Text of `ids`, special tokens written out.
    ///
    /// # Errors
    /// An id can't be decoded.
    pub fn decode_all(&self, ids: &[TokenId]) -> anyhow::Result<String> {
        self.inner
            .decode(ids, false)
            .map_err(|error| anyhow!("can't decode {} token ids: {error}", ids.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_source::EMBEDDED_TOKENIZER;

    #[test]
    fn text_survives_and_unknown_text_is_named() {
        let tokenizer = Tokenizer::from_bytes(EMBEDDED_TOKENIZER, "embedded").unwrap();
        let ids = tokenizer.encode("38+47=85;66").unwrap();
        assert_eq!(ids.len(), 11);
        assert_eq!(tokenizer.decode(&ids).unwrap(), "38+47=85;66");
        let error = tokenizer.encode("3x").unwrap_err().to_string();
        assert!(error.contains("\"x\" in \"3x\""), "{error}");
    }
}
