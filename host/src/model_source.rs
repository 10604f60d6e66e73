//! Where a model comes from: the embedded default or a directory in the Hugging Face layout.

/// Configuration of the embedded model.
pub const EMBEDDED_CONFIG: &[u8] = include_bytes!("../assets/arithmetic/config.json");
/// Tokenizer of the embedded model.
pub const EMBEDDED_TOKENIZER: &[u8] = include_bytes!("../assets/arithmetic/tokenizer.json");
