//! Chat templates: the Jinja text that ships with a model, rendered as transformers renders it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use chrono::NaiveDate;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde::{Deserialize, Serialize};

use super::python_json;
use crate::bounded::TEMPLATE_BYTES;
use crate::contain::{self, Budget};
use crate::escape::foreign;

/// Work that one rendering may do, 64 bytes of text made a unit: templates come from strangers. A long conversation takes a
/// hundredth of it.
const FUEL: u64 = 5_000_000;
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
        let text = without_generation_tags(source);
        let compiled = contain::run(BUDGET, move || environment(text, date).map(Arc::new));
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

/// An environment with one template, set up as transformers sets its own up.
fn environment(text: String, date: NaiveDate) -> anyhow::Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.context("the chat templates' syntax is refused")?);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_filter("tojson", python_json::to_json);
    environment.add_function("raise_exception", refuse);
    environment.add_function("strftime_now", move |format: String| format_date(date, &format));
    environment.add_template_owned(NAME, text)?;
    Ok(environment)
}

/// `{% generation %}` marks what the assistant said for transformers' training masks and writes nothing. It becomes a
/// block that always runs, whitespace control included.
fn without_generation_tags(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        text.push_str(before);
        // `{%}` opens a tag and closes none.
        let Some(end) = tag[2..].find("%}").map(|end| end + 4) else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end);
        match tag[2..end - 2].trim_matches(['-', '+', ' ', '\n', '\t']) {
            "generation" => text.push_str(&tag.replacen("generation", "if true", 1)),
            "endgeneration" => text.push_str(&tag.replacen("endgeneration", "endif", 1)),
            _ => text.push_str(tag),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

fn refuse(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// What `datetime.strftime` gives for midnight of `date`.
fn format_date(date: NaiveDate, format: &str) -> Result<String, Error> {
    use std::fmt::Write;
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    let mut text = String::new();
    // chrono reports a directive that it doesn't know as a formatting error.
    write!(text, "{}", midnight.format(format)).map_err(|_| {
        Error::new(ErrorKind::InvalidOperation, format!("{format:?} is not a format of dates"))
    })?;
    Ok(text)
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
