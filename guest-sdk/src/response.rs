//! Where networks put their answers: behind a think tag, in a `\boxed{}`, after "the answer is" in many languages.
//!
//! ```
//! use exgrpo_guest_sdk::response;
//!
//! let text = "<think>\\boxed{41}?</think> The answer is \\boxed{42}.";
//! let text = response::after_think_tag(text).unwrap_or_default();
//! assert_eq!(response::boxes(text).last().map(|last| last.content), Some("42"));
//! ```

mod announced;
mod bounds;
mod conclusions;
mod contrast;
mod correction;
mod denial;
mod disowned;
mod disowned_words;
mod mark;
mod nouns;
mod phrases;
mod placeholders;
mod retraction;
mod retraction_words;
mod scales;
mod struck;
mod surrender;
mod width;
mod withdrawal;
mod withdrawal_words;
mod work;

use std::ops::Range;

use placeholders::is_placeholder;

pub use announced::{Announced, after_answer_phrase, announced, settled};
pub use bounds::is_bound;
pub use conclusions::begins_conclusion;
pub use contrast::without_contrasts;
pub use correction::corrected;
pub use denial::{asserted, denies, is_denial};
pub use disowned::{is_asked, is_disowned, meant, without_disowned};
pub use mark::marked;
pub use phrases::Phrases;
pub use retraction::{reconsidered, taken_back};
pub use scales::{Scale, scale};
pub use struck::without_struck;
pub use surrender::gives_up;
pub use width::{half_width, is_unspaced};
pub use work::is_left_to_work_out;

/// What ends the thoughts of a response.
const CLOSING_THINK_TAG: &str = "</think>";
/// What begins a box, up to its brace or its space.
const BOXES: [&str; 3] = ["\\boxed{", "\\boxed ", "\\fbox{"];
/// A text with more boxes that don't end has no boxes: each is looked for to the end of the text.
const MAX_UNCLOSED: usize = 16;

/// What follows the first closing think tag, up to another one; `None` for a response that never stops thinking.
///
/// ```
/// use exgrpo_guest_sdk::response::after_think_tag;
///
/// assert_eq!(after_think_tag("<think>6*7</think>42"), Some("42"));
/// assert_eq!(after_think_tag("42"), None);
/// ```
pub fn after_think_tag(response: &str) -> Option<&str> {
    response.split(CLOSING_THINK_TAG).nth(1)
}

/// What a response says once its thoughts have ended: what follows the last closing think tag. All of a response that has
/// none, or that says nothing behind it.
///
/// ```
/// use exgrpo_guest_sdk::response::behind_thoughts;
///
/// assert_eq!(behind_thoughts("<think>41? No.</think>42"), "42");
/// assert_eq!(behind_thoughts("42</think> "), "42</think> ");
/// ```
pub fn behind_thoughts(response: &str) -> &str {
    let said = response.rsplit_once(CLOSING_THINK_TAG).map(|(_, rest)| rest);
    said.filter(|rest| !rest.trim().is_empty()).unwrap_or(response)
}

/// One `\boxed{..}` or `\fbox{..}` of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boxed<'a> {
    /// What is in it.
    pub content: &'a str,
    /// The bytes that it takes in the response, command and braces included.
    pub range: Range<usize>,
}

/// All boxes that end, in order. A box within a box belongs to the outer one. `\boxed 5` without braces counts too.
///
/// ```
/// use exgrpo_guest_sdk::response::boxes;
///
/// let text = "\\boxed{\\{1, 2\\}}, not \\boxed 3 and \\boxed {5} or \\boxed{4";
/// let contents: Vec<&str> = boxes(text).iter().map(|b| b.content).collect();
/// assert_eq!(contents, ["\\{1, 2\\}", "3", "5"]);
/// ```
pub fn boxes(response: &str) -> Vec<Boxed<'_>> {
    let mut found = Vec::new();
    let (mut at, mut unclosed) = (0, 0);
    while let Some((start, opening)) = next_box(response, at) {
        let open = start + opening.len() - 1;
        // A space may stand before the brace.
        let brace = open + response[open..].len() - response[open..].trim_start_matches(' ').len();
        let is_braced = response[brace..].starts_with('{');
        let content = if is_braced { braced(response, brace) } else { word(response, open) };
        at = match content {
            Some(content) => {
                let end = content.end + usize::from(is_braced);
                found.push(Boxed { content: &response[content], range: start..end });
                end
            }
            None => {
                unclosed += 1;
                if unclosed > MAX_UNCLOSED {
                    return Vec::new();
                }
                open + 1
            }
        };
    }
    found
}

/// All boxes that hold an answer, in order: not `\boxed{}` or `\boxed{\text{your answer}}`, which say where one goes.
///
/// ```
/// use exgrpo_guest_sdk::response::filled_boxes;
///
/// let text = "Put it in \\boxed{}: \\boxed{7}, in \\boxed as asked";
/// let contents: Vec<&str> = filled_boxes(text).iter().map(|b| b.content).collect();
/// assert_eq!(contents, ["7"]);
/// ```
pub fn filled_boxes(response: &str) -> Vec<Boxed<'_>> {
    let mut found = boxes(response);
    found.retain(|boxed| !is_placeholder(boxed.content));
    found
}

fn next_box(text: &str, at: usize) -> Option<(usize, &'static str)> {
    text.get(at..)?.match_indices('\\').find_map(|(offset, _)| {
        let start = at + offset;
        BOXES.into_iter().find(|opening| text[start..].starts_with(opening)).map(|opening| (start, opening))
    })
}

/// What the brace at `open` and its partner enclose.
fn braced(text: &str, open: usize) -> Option<Range<usize>> {
    let mut depth = 0_usize;
    let mut is_escaped = false;
    for (offset, byte) in text.as_bytes().get(open..)?.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            // An escaped brace is a sign of its own.
            b'\\' => is_escaped = true,
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(open + 1..open + offset),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The word behind the space at `space`.
fn word(text: &str, space: usize) -> Option<Range<usize>> {
    let rest = text.get(space..)?;
    let start = space + rest.find(|char: char| char != ' ')?;
    let length = text[start..].find(|char: char| char.is_whitespace() || "$\\{}".contains(char));
    let end = length.map_or(text.len(), |length| start + length);
    // "\boxed as asked" speaks of the command.
    let found = &text[start..end];
    let has_word = found.split(|char: char| !char.is_alphabetic()).any(|word| word.chars().nth(1).is_some());
    let is_speech = has_word && !found.contains(|char: char| char.is_ascii_digit());
    (end > start && !is_speech).then_some(start..end)
}
