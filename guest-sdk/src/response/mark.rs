//! `####`, which announces an answer in the solutions of GSM8K and begins a heading in Markdown.

/// Marks that are looked at: more headings than that stand behind no answer.
const MAX_MARKS: usize = 64;
/// Characters of a line that tell whether it is an answer.
const MAX_HEAD: usize = 80;

/// The last line behind `####` whose beginning is an answer, and where it ends in the response; other lines are headings
/// ("#### Step 3", "#### Final Answer").
///
/// ```
/// use exgrpo_guest_sdk::response::marked;
///
/// let text = "#### Step 1\n6 * 7\n#### 42\n#### Check\nYes.";
/// let is_number = |head: &str| head.starts_with(|char: char| char.is_ascii_digit());
/// assert_eq!(marked(text, is_number), Some(("42", 25)));
/// ```
pub fn marked(response: &str, is_answer: impl Fn(&str) -> bool) -> Option<(&str, usize)> {
    response.rmatch_indices("####").take(MAX_MARKS).find_map(|(at, mark)| {
        let rest = response[at + mark.len()..].trim_start();
        let end = rest.char_indices().nth(MAX_HEAD).map_or(rest.len(), |(at, _)| at);
        let head = rest[..end].lines().next().unwrap_or_default();
        if !is_answer(head) {
            return None;
        }
        let line = rest.lines().next()?;
        Some((line, response.len() - rest.len() + line.len()))
    })
}
