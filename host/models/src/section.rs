//! The tables of the configuration that say which model a run has and how questions are put to it.

use anyhow::{anyhow, bail};
use exgrpo_engine::{Capabilities, Precision};
use serde::{Deserialize, Serialize};

/// Which implementation of the network runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// exgrpo's own engine, on the processor.
    Cpu,
    /// candle's differentiable operations on the processor: the reference.
    Candle,
    /// exgrpo's own engine on the first NVIDIA GPU, by a binary built with the feature `cuda`.
    Cuda,
}

impl Engine {
    /// What it can do.
    pub fn capabilities(self) -> Capabilities {
        match self {
            Self::Cpu | Self::Candle | Self::Cuda => Capabilities::ALL,
        }
    }
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSection {
    /// `embedded:arithmetic`, a directory with config.json, safetensors and tokenizer.json, a GGUF file, a run or one
    /// of its checkpoints, or `owner/name` on the Hugging Face hub.
    pub path: String,
    /// Which implementation of the network runs.
    pub engine: Engine,
    /// `f32`, or `bf16`: for products in half the time on the `cpu` engine, where the processor has AVX512_BF16; for
    /// weights and activations on the `cuda` engine, with master weights and sums in f32.
    pub precision: Precision,
    /// Threads of the `cpu` engine; 0 uses all cores. Results don't depend on it.
    pub threads: usize,
}

impl Default for ModelSection {
    fn default() -> Self {
        Self {
            path: "embedded:arithmetic".to_owned(),
            engine: Engine::Cpu,
            precision: Precision::F32,
            threads: 0,
        }
    }
}

impl ModelSection {
    /// First contradiction found, as an error that names the keys.
    pub fn validate(&self) -> anyhow::Result<()> {
        if self.threads > 0 && self.engine != Engine::Cpu {
            bail!("model.threads is for model.engine = \"cpu\"; candle takes a thread a core, a GPU none");
        }
        if self.threads > MAX_THREADS {
            bail!("model.threads = {}, at most {MAX_THREADS} are started", self.threads);
        }
        if self.precision != Precision::F32 && self.engine == Engine::Candle {
            bail!("model.precision is for model.engine = \"cpu\" or \"cuda\"; candle computes in f32");
        }
        Ok(())
    }
}

/// Most threads of an engine on the processor.
const MAX_THREADS: usize = 1_024;

/// What turns a question into a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptTemplate {
    /// The model's chat template if it comes with one, the plain question otherwise.
    Auto,
    /// The question as it is, behind the token that begins a text if the tokenizer has one.
    Plain,
    /// The model's chat template.
    Chat,
    /// ExGRPO's for Qwen: the chat template, told to think in tags first, the opening tag written already.
    PaperQwen,
    /// ExGRPO's for Llama base models: the question and a cue to answer step by step.
    PaperLlama,
    /// `prompt.text`.
    Own,
}

/// `[prompt]`: how a question is put to the model. The log keeps the question as the dataset has it, and the ids of the
/// prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptSection {
    /// `auto`, `plain`, `chat`, `paper-qwen`, `paper-llama` or `own`.
    pub template: PromptTemplate,
    /// A chat template of one's own, in Jinja, with `messages`, `add_generation_prompt` and `bos_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// System message of conversations that bring none along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Written behind the prompt, for an answer that begins in the middle: `"<think>\n"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub append: Option<String>,
    /// Today's date for templates that ask for it, so that a prompt doesn't depend on the day of the run.
    pub date: String,
}

impl Default for PromptSection {
    fn default() -> Self {
        // The date that Llama 3.1's template falls back on.
        Self {
            template: PromptTemplate::Auto,
            text: None,
            system: None,
            append: None,
            date: "2024-07-26".to_owned(),
        }
    }
}

impl PromptSection {
    /// First contradiction found, as an error that names the keys.
    pub fn validate(&self) -> anyhow::Result<()> {
        if (self.template == PromptTemplate::Own) != self.text.is_some() {
            bail!("prompt.text and prompt.template = \"own\" go together");
        }
        if self.template == PromptTemplate::Plain && self.system.is_some() {
            bail!("prompt.system has no place in a plain prompt\nhint: set prompt.template = \"chat\"");
        }
        self.day().map(|_| ())
    }

    /// `date`.
    ///
    /// # Errors
    /// It is not a date.
    pub fn day(&self) -> anyhow::Result<chrono::NaiveDate> {
        self.date.parse().map_err(|_| anyhow!("prompt.date is {:?}, write it as 2024-07-26", self.date))
    }
}
