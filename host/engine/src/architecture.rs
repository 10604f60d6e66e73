//! Families of decoders, as `config.json` names them.

/// Family of decoders. What they do otherwise than Llama is in [`super::Variations`], biases and norms on heads aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// No biases unless `attention_bias`, then on the query, key, value and output projections.
    Llama,
    /// Every layer may have a window.
    Mistral,
    /// Biases on the query, key and value projections.
    Qwen2,
    /// RMS norms over the head's dimension on queries and keys; biases as in Llama.
    Qwen3,
    /// Some layers are not rotated; biases as in Llama.
    SmolLm3,
    /// A part of each head may stay unrotated. Files hold its projections fused: `qkv_proj`, `gate_up_proj`.
    Phi3,
    /// Norms as in Qwen3, and on both branches of a layer; layers with a window have a rotary embedding of their own.
    Gemma3,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3, Self::SmolLm3, Self::Phi3, Self::Gemma3];

    /// The word in `model_type`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::SmolLm3 => "smollm3",
            Self::Phi3 => "phi3",
            Self::Gemma3 => "gemma3_text",
        }
    }

    /// The word in `architectures`.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
            Self::SmolLm3 => "SmolLM3ForCausalLM",
            Self::Phi3 => "Phi3ForCausalLM",
            Self::Gemma3 => "Gemma3ForCausalLM",
        }
    }
}
