//! Chat templates: the Jinja text that ships with a model, rendered as transformers renders it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use chrono::NaiveDate;
use minijinja::{Environment, Value, context};
use serde::{Deserialize, Serialize};

use super::jinja;
use crate::tokenizer::Tokenizer;
use exgrpo_core::bounded::TEMPLATE_BYTES;
use exgrpo_core::contain::{self, Budget};
use exgrpo_core::escape::foreign;
use exgrpo_core::types::TokenId;

/// What compiling and rendering may take in all: what minijinja's fuel doesn't see, the filters and methods of other
/// crates and our own, included.
const BUDGET: Budget = Budget { memory: 384 << 20, time: Duration::from_secs(10) };
/// Name of the one template in an environment.
const NAME: &str = "chat template";

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

impl Message {
    /// A turn.
    pub fn new(role: &str, content: &str) -> Self {
        Self { role: role.to_owned(), content: content.to_owned() }
    }
}

/// The tokens that templates may write, as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpecialTokens {
    /// Beginning of a text.
    pub bos: Option<String>,
    /// End of a text.
    pub eos: Option<String>,
    /// A token that stands for unknown text.
    pub unk: Option<String>,
    /// Padding.
    pub pad: Option<String>,
}

/// A compiled chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    source: String,
    tokens: SpecialTokens,
}

impl ChatTemplate {
    /// Compiles `source`. `date` is what the template is told when it asks for today's, so that a prompt doesn't
    /// depend on the day on which it is rendered.
    ///
    /// # Errors
    /// The text is not a template; the line is named.
    pub fn new(source: &str, tokens: SpecialTokens, date: NaiveDate) -> anyhow::Result<Self> {
        if source.len() as u64 > TEMPLATE_BYTES {
            bail!("the chat template has {} bytes, at most {TEMPLATE_BYTES} are taken", source.len());
        }
        let text = source.to_owned();
        let compiled = contain::run(BUDGET, move || jinja::environment(NAME, &text, date).map(Arc::new));
        let environment =
            compiled.map_err(|breach| anyhow!("the chat template can't be compiled: {breach}"))?.map_err(
                |error| anyhow!("the chat template can't be compiled: {}", foreign(&format!("{error:#}"))),
            )?;
        Ok(Self { environment, source: source.to_owned(), tokens })
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The conversation as the model was taught to read it; with `add_generation_prompt`, up to where its answer
    /// begins.
    ///
    /// # Errors
    /// The template refuses the conversation, or fails.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> anyhow::Result<String> {
        let turns = messages.iter().map(|Message { role, content }| {
            context! { role => role.as_str(), content => content.as_str() }
        });
        let messages = Value::from(turns.collect::<Vec<Value>>());
        // transformers passes `tools` and `documents` even when there are none, and only those tokens that exist.
        let mut variables = context! { messages, add_generation_prompt, tools => (), documents => () };
        let SpecialTokens { bos, eos, unk, pad } = &self.tokens;
        if let Some(bos) = bos {
            variables = context! { bos_token => bos.as_str(), ..variables };
        }
        if let Some(eos) = eos {
            variables = context! { eos_token => eos.as_str(), ..variables };
        }
        if let Some(unk) = unk {
            variables = context! { unk_token => unk.as_str(), ..variables };
        }
        if let Some(pad) = pad {
            variables = context! { pad_token => pad.as_str(), ..variables };
        }
        let environment = Arc::clone(&self.environment);
        let rendered = contain::run(BUDGET, move || environment.get_template(NAME)?.render(variables));
        rendered
            .map_err(|breach| anyhow!("the chat template fails: {breach}"))?
            .map_err(|error| anyhow!("the chat template fails: {}", foreign(&format!("{error:#}"))))
    }
}

/// The added token that `template` writes behind an answer, with its id; none where there is none or the template fails.
pub(super) fn end_of_turn(
    template: &str,
    tokens: &SpecialTokens,
    tokenizer: &Tokenizer,
) -> Option<(String, TokenId)> {
    const ANSWER: &str = "Z9Q7X5";
    let template = ChatTemplate::new(template, tokens.clone(), NaiveDate::default()).ok()?;
    let text =
        template.render(&[Message::new("user", "A"), Message::new("assistant", ANSWER)], false).ok()?;
    let rest = text.rsplit_once(ANSWER)?.1.trim_start();
    let longest = tokenizer.added_tokens().into_iter().filter(|token| rest.starts_with(token.as_str()));
    let token = longest.max_by_key(String::len).filter(|token| !token.is_empty())?;
    let id = tokenizer.added_id(&token)?;
    Some((token, id))
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
