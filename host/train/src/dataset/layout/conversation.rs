//! Prompts that are conversations: messages of a role and a content, as verl and chat datasets keep them.

use crate::dataset::table::{Cell, Row};
use exgrpo_core::escape::quoted;
use exgrpo_models::Message;

/// Keys of a message that say nothing to the model.
const SILENT_KEYS: [&str; 4] = ["role", "content", "id", "weight"];

/// The messages that `cell` holds, all of them: a text is one message of the user's.
///
/// # Errors
/// It holds no messages, one that can't be said in text, or none of the user's at the end. The text names no row.
pub(super) fn messages(cell: &Cell) -> Result<Vec<Message>, String> {
    let turns = match cell {
        Cell::List(turns) => turns,
        other => match other.text() {
            Some(text) => return Ok(vec![Message::new("user", &text)]),
            None => return Err(format!("the prompt is {}, not a list of messages", other.kind())),
        },
    };
    let messages: Vec<Message> = turns.iter().map(message).collect::<Result<_, _>>()?;
    match messages.last() {
        None => Err("the prompt has no message".to_owned()),
        Some(last) if last.role == "user" => Ok(messages),
        Some(last) => {
            Err(format!("the prompt ends with a message of role {}, not of the user", quoted(&last.role)))
        }
    }
}

/// True for a list whose first item looks like a message.
pub(super) fn is_conversation(cell: &Cell) -> bool {
    let is_message = |cell: &Cell| matches!(cell, Cell::Struct(parts) if parts.contains_key("role"));
    matches!(cell, Cell::List(turns) if turns.first().is_some_and(is_message))
}

fn message(cell: &Cell) -> Result<Message, String> {
    let Cell::Struct(parts) = cell else {
        return Err(format!("a message of the prompt is {}, not an object", cell.kind()));
    };
    let Some(Cell::Text(role)) = parts.get("role") else {
        return Err("a message of the prompt has no role".to_owned());
    };
    let extra = parts.iter().find(|(key, value)| !SILENT_KEYS.contains(&key.as_str()) && !value.is_empty());
    if let Some((key, _)) = extra {
        return Err(format!("a message of the prompt has {}, which is not asked", quoted(key)));
    }
    let content = match parts.get("content") {
        Some(Cell::List(pieces)) => pieces.iter().map(piece).collect::<Result<String, String>>()?,
        Some(Cell::Null) | None => return Err("a message of the prompt has no content".to_owned()),
        Some(other) => match other.text() {
            Some(text) => text.into_owned(),
            None => return Err(format!("the content of a message is {}, not a text", other.kind())),
        },
    };
    Ok(Message { role: role.clone(), content })
}

/// A piece of a content that is a list: `{"type": "text", "text": ..}`, or a text.
fn piece(cell: &Cell) -> Result<String, String> {
    match cell {
        Cell::Text(text) => Ok(text.clone()),
        Cell::Struct(parts)
            if parts.get("type").is_none_or(|kind| *kind == Cell::Text("text".to_owned())) =>
        {
            let text = parts.get("text").and_then(Cell::text);
            text.map(std::borrow::Cow::into_owned)
                .ok_or_else(|| "a piece of a message has no text".to_owned())
        }
        Cell::Struct(parts) => {
            let kind = parts.get("type").and_then(Cell::text).unwrap_or_default();
            Err(format!("a message holds {}, which is not text", quoted(&kind)))
        }
        other => Err(format!("a piece of a message is {}, not a text", other.kind())),
    }
}

/// What a prompt is called in logs: the one question behind a system message, or all turns with their roles.
pub(super) fn title(messages: &[Message]) -> String {
    let turns = match messages {
        [first, rest @ ..] if first.role == "system" => rest,
        all => all,
    };
    match turns {
        [only] => only.content.clone(),
        turns => turns
            .iter()
            .map(|Message { role, content }| format!("{role}: {content}"))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

/// The message of the system that a prompt begins with.
pub(super) fn system(messages: &[Message]) -> Option<&str> {
    messages.first().filter(|first| first.role == "system").map(|first| first.content.as_str())
}

/// Columns beside a prompt that belong to what is asked and that no layout reads.
pub(super) fn left_out(row: &Row, used: &[&str]) -> Vec<String> {
    const ASKED: [&str; 26] = [
        "article",
        "audio",
        "audios",
        "background",
        "context",
        "conversation",
        "ctx",
        "dialog",
        "dialogue",
        "documents",
        "history",
        "hypothesis",
        "image",
        "images",
        "input",
        "paragraph",
        "passage",
        "premise",
        "problem",
        "question",
        "scenario",
        "sentence",
        "story",
        "tools",
        "utterance",
        "videos",
    ];
    let mut names: Vec<String> = row
        .iter()
        .filter(|(name, cell)| !cell.is_empty() && !used.contains(&name.as_str()))
        .map(|(name, _)| name.clone())
        .filter(|name| ASKED.contains(&name.to_lowercase().as_str()))
        .collect();
    names.sort_unstable();
    names
}
