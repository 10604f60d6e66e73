//! How a question becomes the prompt that the model continues.

use anyhow::{Context, bail};

use crate::tokenizer::Tokenizer;
use crate::{ChatTemplate, Message, ModelSource, PromptSection, PromptTemplate};
use exgrpo_core::types::TokenId;

/// What ExGRPO asks of Qwen models, in our words: thoughts in tags, then a solution with a boxed answer. Rows of the
/// paper's own data bring its wording along.
const THINK_FIRST: &str = "Work the problem out before you answer. Write your reasoning between <think> and \
                           </think>: explore, check and correct yourself there for as long as it takes. Behind \
                           </think> write the solution alone, with its final answer in \\boxed{}.";
const THINK_TAG: &str = "<think>\n";

/// The plain prompt of Llama base models: there is no chat to be had from them.
const STEP_BY_STEP: &str = "{{ bos_token }}{% for message in messages %}{% if message.role != 'system' %}\
                            {{ message.content }}\n{% endif %}{% endfor %}\
                            {% if add_generation_prompt %}Answer: Let's think step by step.{% endif %}";

/// Renders questions and tokenizes what comes out.
#[derive(Debug)]
pub struct Prompts<'a> {
    tokenizer: &'a Tokenizer,
    /// Ends an answer.
    stop_id: TokenId,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// The question between these; a row's system message has no place.
    Plain { prefix: Vec<TokenId>, append: String },
    /// A conversation.
    Chat(Box<ChatTemplate>),
}

impl<'a> Prompts<'a> {
    /// What `section` says for the model in `source`; see [`effective`].
    ///
    /// # Errors
    /// A chat template is wanted and the model has none, or one can't be compiled.
    pub fn new(section: &PromptSection, source: &'a ModelSource) -> anyhow::Result<Self> {
        let section = effective(section, source);
        let (tokenizer, stop_id) = (&source.tokenizer, source.stop_ids[0]);
        let Some(template) = template(section, source.chat_template.as_deref()).with_context(|| {
            format!("prompt.template = {:?} doesn't suit {}", section.template, source.path)
        })?
        else {
            let append = section.append.clone().unwrap_or_default();
            return Ok(Self {
                tokenizer,
                stop_id,
                form: Form::Plain { prefix: tokenizer.prefix()?, append },
            });
        };
        let template = ChatTemplate::new(&template, source.special_tokens.clone(), section.day()?)?;
        Ok(Self { tokenizer, stop_id, form: Form::Chat(Box::new(template)) })
    }

    /// Questions as they are, whatever the tokenizer would put before them, and answers that end with `stop_id`.
    pub fn plain(tokenizer: &'a Tokenizer, stop_id: TokenId) -> Self {
        Self { tokenizer, stop_id, form: Form::Plain { prefix: Vec::new(), append: String::new() } }
    }

    /// The chat template in force, everything that the configuration adds included: it alone gives the same prompts.
    pub fn template(&self) -> Option<&str> {
        match &self.form {
            Form::Plain { .. } => None,
            Form::Chat(template) => Some(template.source()),
        }
    }

    /// Most bytes that a text of `tokens` tokens can have.
    pub fn most_bytes(&self, tokens: usize) -> usize {
        self.tokenizer.most_bytes(tokens)
    }

    /// Token ids of the prompt for `question`; `system` is the row's own system message.
    ///
    /// # Errors
    /// The template fails, or the vocabulary can't express the prompt.
    pub fn encode(&self, question: &str, system: Option<&str>) -> anyhow::Result<Vec<TokenId>> {
        let system = system.map(|text| Message::new("system", text));
        let messages: Vec<Message> = system.into_iter().chain([Message::new("user", question)]).collect();
        self.encode_chat(&messages)
    }

    /// Token ids of an answer that somebody else wrote, ended as the model ends its own.
    ///
    /// # Errors
    /// The vocabulary can't express it.
    pub fn encode_answer(&self, answer: &str) -> anyhow::Result<Vec<TokenId>> {
        let mut ids = self.tokenizer.encode(answer)?;
        ids.push(self.stop_id);
        Ok(ids)
    }

    /// Token ids of the prompt for a conversation.
    ///
    /// # Errors
    /// The template fails, or the vocabulary can't express the prompt.
    pub fn encode_chat(&self, messages: &[Message]) -> anyhow::Result<Vec<TokenId>> {
        let text = self.render(messages)?;
        match &self.form {
            // A template writes the token that begins a text itself.
            Form::Chat(_) => self.tokenizer.encode(&text),
            Form::Plain { prefix, .. } => {
                let mut ids = prefix.clone();
                ids.extend(self.tokenizer.encode(&text)?);
                Ok(ids)
            }
        }
    }

    /// The prompt for a conversation, up to where the answer begins.
    ///
    /// # Errors
    /// The template fails; a plain prompt has room for one question only.
    pub fn render(&self, messages: &[Message]) -> anyhow::Result<String> {
        match (&self.form, messages) {
            (Form::Chat(template), _) => template.render(messages, true),
            (Form::Plain { append, .. }, [.., last]) => {
                if messages.iter().filter(|message| message.role != "system").count() > 1 {
                    bail!(
                        "a plain prompt has no room for a conversation\nhint: set prompt.template = \"chat\""
                    );
                }
                Ok(format!("{}{append}", last.content))
            }
            (Form::Plain { .. }, []) => bail!("a conversation without a message"),
        }
    }
}

/// `section`; but one that says nothing means, for a model that a run of ours has trained, what that run did.
pub fn effective<'a>(section: &'a PromptSection, source: &'a ModelSource) -> &'a PromptSection {
    match &source.trained_prompt {
        Some(trained) if *section == PromptSection::default() => trained,
        _ => section,
    }
}

/// The whole template that `section` makes of the model's own, none for plain prompts.
fn template(section: &PromptSection, own: Option<&str>) -> anyhow::Result<Option<String>> {
    let base = match section.template {
        PromptTemplate::Plain => return Ok(None),
        PromptTemplate::Auto => match own {
            Some(own) => own,
            None if section.system.is_none() => return Ok(None),
            None => bail!("prompt.system needs a chat template, the model has none\nhint: set prompt.text"),
        },
        PromptTemplate::Chat | PromptTemplate::PaperQwen => own
            .context("the model has no chat template\nhint: set prompt.template = \"own\" and prompt.text")?,
        PromptTemplate::PaperLlama => STEP_BY_STEP,
        PromptTemplate::Own => section.text.as_deref().unwrap_or_default(),
    };
    let is_qwen = section.template == PromptTemplate::PaperQwen;
    let system = section.system.as_deref().or(is_qwen.then_some(THINK_FIRST));
    let append = section.append.as_deref().or(is_qwen.then_some(THINK_TAG));
    let mut text = String::new();
    if let Some(system) = system {
        text.push_str("{%- if not messages or messages[0]['role'] != 'system' -%}{%- set messages = [{'role': 'system', 'content': ");
        text.push_str(&quoted(system));
        text.push_str("}] + messages -%}{%- endif -%}");
    }
    match append {
        None => text.push_str(base),
        Some(append) => {
            // The line break that ends a template is not part of it, unless something follows.
            text.push_str(base.strip_suffix('\n').unwrap_or(base));
            text.push_str("{{ ");
            text.push_str(&quoted(append));
            text.push_str(" if add_generation_prompt else '' }}");
        }
    }
    Ok(Some(text))
}

/// A text as a literal of Jinja.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\r', "\\r");
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>\n{% endfor %}\
                        {% if add_generation_prompt %}<assistant>\n{% endif %}";

    fn render(section: &PromptSection, own: Option<&str>, messages: &[Message]) -> String {
        let text = template(section, own).unwrap().unwrap();
        ChatTemplate::new(&text, Default::default(), section.day().unwrap())
            .unwrap()
            .render(messages, true)
            .unwrap()
    }

    #[test]
    fn a_section_adds_to_the_template_what_it_says() {
        let question = [Message::new("user", "1+1?")];
        let with_system = [Message::new("system", "row's"), question[0].clone()];
        let section = PromptSection {
            system: Some("It's\n\"so\" \\boxed{}".to_owned()),
            append: Some("<think>\n".to_owned()),
            ..PromptSection::default()
        };
        let expected = "<system>It's\n\"so\" \\boxed{}</>\n<user>1+1?</>\n<assistant>\n<think>\n";
        assert_eq!(render(&section, Some(CHAT), &question), expected);
        let expected = "<system>row's</>\n<user>1+1?</>\n<assistant>\n<think>\n";
        assert_eq!(render(&section, Some(CHAT), &with_system), expected);
        let paper = PromptSection { template: PromptTemplate::PaperQwen, ..PromptSection::default() };
        let text = render(&paper, Some(CHAT), &question);
        assert!(text.contains("\\boxed{}") && text.ends_with("<assistant>\n<think>\n"), "{text}");
        let llama = PromptSection { template: PromptTemplate::PaperLlama, ..PromptSection::default() };
        assert_eq!(render(&llama, None, &with_system), "1+1?\nAnswer: Let's think step by step.");
    }

    #[test]
    fn a_model_without_a_template_is_asked_plainly_unless_one_is_wanted() {
        assert!(template(&PromptSection::default(), None).unwrap().is_none());
        let chat = PromptSection { template: PromptTemplate::Chat, ..PromptSection::default() };
        assert!(template(&chat, None).unwrap_err().to_string().contains("hint: "));
    }
}
