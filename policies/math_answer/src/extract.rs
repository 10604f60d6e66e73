//! Where the answer stands in a response.

use exgrpo_guest_sdk::response;

use crate::words;

/// What may stand between two boxes or formulas that together are one answer.
const CONNECTORS: [&str; 7] = [",", "and", "or", ", and", ", or", ";", "&"];
/// A formula longer than this is no answer.
const MAX_ANSWER: usize = 6000;

/// Candidates for the answer, the likeliest first; the first that can be read is the answer.
///
/// Boxes decide if there are any, and the last one counts, with those before it that commas or words join to it. Without a
/// box, it is what follows the last "answer is" and the like, else the last formula, else the last number. A response that
/// was cut has an answer only in a box.
pub(crate) fn candidates(text: &str, finished: bool) -> Vec<String> {
    if let Some(answer) = boxed(text) {
        return vec![answer];
    }
    if !finished || text.contains("\\boxed") {
        return Vec::new();
    }
    if let Some(rest) = answer_behind(text) {
        if rest.starts_with("not ") {
            return Vec::new();
        }
        // A formula that can't be read is not made up for by a number that happens to stand in it.
        return match formulas(rest, true) {
            Some(formula) => vec![formula],
            None => {
                let sentence = sentence(rest);
                // "at least 100" is not made up for by its number.
                let number = first_number(rest).filter(|_| !words::is_bound(&sentence.to_lowercase()));
                std::iter::once(sentence.to_owned()).chain(number).collect()
            }
        };
    }
    let trimmed = text.trim().trim_matches('*');
    let bare = is_bare(trimmed).then(|| trimmed.trim_end_matches('.').to_owned());
    let rest = match formulas(text, false).or_else(|| last_number(text)) {
        None if trimmed.len() <= 300 => Some(trimmed.to_owned()),
        found => found,
    };
    bare.into_iter().chain(rest).collect()
}

/// What a phrase announces, or `####` as in GSM8K's solutions.
fn answer_behind(text: &str) -> Option<&str> {
    let marked = text.rsplit_once("####").map(|(_, rest)| rest.trim().lines().next().unwrap_or_default());
    marked.or_else(|| response::after_answer_phrase(text))
}

/// The gold answer: a dataset may give it in a solution with a box, or behind `####`.
pub(crate) fn gold(reference: &str) -> String {
    if let Some(answer) = boxed(reference) {
        return answer;
    }
    reference.rsplit("####").next().unwrap_or_default().trim().to_owned()
}

/// The content of the last box, joined with the boxes that belong to it.
fn boxed(text: &str) -> Option<String> {
    let mut boxes = response::boxes(text);
    let last = boxes.pop()?;
    let mut answer = last.content.to_owned();
    if let Some(percent) = percent_behind(&text[last.range.end..]) {
        answer.push_str(percent);
    }
    let mut start = last.range.start;
    while let Some(before) = boxes.pop() {
        let between: String = text[before.range.end..start]
            .replace("\\text", "")
            .chars()
            .filter(|char| !char.is_whitespace() && !"$\\()[]{}".contains(*char))
            .collect();
        let is_joined = CONNECTORS.iter().any(|connector| {
            let rest = between.strip_prefix(&connector.replace(' ', ""));
            rest.is_some_and(|rest| rest.is_empty() || is_naming(rest))
        });
        if !is_joined || answer.len() > MAX_ANSWER {
            break;
        }
        answer = format!("{}, {answer}", before.content);
        start = before.range.start;
    }
    Some(answer)
}

/// `y=`, as in "x = \boxed{1} and y = \boxed{2}".
fn is_naming(text: &str) -> bool {
    let name = text.strip_suffix('=').unwrap_or_default();
    (1..=3).contains(&name.len()) && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

fn percent_behind(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches(['$', ' ']);
    (text.starts_with("\\%") || text.starts_with('%') || text.starts_with("percent")).then_some("\\%")
}

/// The first sentence, without the marks of bold type.
fn sentence(text: &str) -> &str {
    let text = text.trim().trim_matches('*').trim();
    let end = text.find(". ").map_or(text.len(), |at| at);
    text[..end].trim_end_matches(['.', '*', ' '])
}

/// The first formula (or the last) with those that commas or words join to it, as one list.
fn formulas(text: &str, first: bool) -> Option<String> {
    let spans = spans(text);
    let (mut low, mut high) = if first { (0, 0) } else { (spans.len().checked_sub(1)?, spans.len() - 1) };
    spans.get(high)?;
    let joined = |left: usize, right: usize| {
        let between = text[spans[left].1.1..spans[right].1.0].trim();
        CONNECTORS.contains(&between)
    };
    while first && high + 1 < spans.len() && joined(high, high + 1) {
        high += 1;
    }
    while !first && low > 0 && joined(low - 1, low) {
        low -= 1;
    }
    let mut answer = spans[low..=high].iter().map(|(content, _)| *content).collect::<Vec<_>>().join(", ");
    if let Some(percent) = percent_behind(&text[spans[high].1.1..]) {
        answer.push_str(percent);
    }
    (answer.len() <= MAX_ANSWER).then_some(answer)
}

/// Contents of `$..$`, `$$..$$`, `\(..\)` and `\[..\]`, with where each begins and ends.
fn spans(text: &str) -> Vec<(&str, (usize, usize))> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(['$', '\\']).map(|offset| at + offset) {
        let rest = &text[start..];
        let (open, close) = if rest.starts_with("$$") {
            ("$$", "$$")
        } else if rest.starts_with('$') {
            ("$", "$")
        } else if rest.starts_with("\\(") {
            ("\\(", "\\)")
        } else if rest.starts_with("\\[") {
            ("\\[", "\\]")
        } else {
            // Another command; an escaped sign goes with its backslash.
            at = start + 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            continue;
        };
        let begin = start + open.len();
        let Some(length) = closing(&text[begin..], close) else {
            at = begin;
            continue;
        };
        let content = text[begin..begin + length].trim();
        at = begin + length + close.len();
        if !content.is_empty() {
            found.push((content, (start, at)));
        }
    }
    found
}

/// Where `close` stands unescaped.
fn closing(text: &str, close: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(offset) = text.get(from..)?.find(close) {
        let at = from + offset;
        let is_dollar = close.starts_with('$');
        let is_escaped = is_dollar && text[..at].ends_with('\\');
        // "$5 and $10" are prices.
        let is_price = close == "$" && text[at + 1..].starts_with(|char: char| char.is_ascii_digit());
        if !is_escaped && !is_price {
            return Some(at);
        }
        from = at + close.len();
    }
    None
}

/// Whether a response is an answer and nothing else: one short line without words, or a word.
fn is_bare(text: &str) -> bool {
    let is_word = |token: &str| {
        let token = token.trim_matches(['*', ':', ',', '.', '_']);
        token.len() > 1
            && token.chars().all(char::is_alphabetic)
            && crate::expr::Function::named(token).is_none()
    };
    let has_words = text.contains(' ') && text.split(' ').any(is_word);
    !text.is_empty()
        && text.len() <= 300
        && !text.contains(['\n', '$'])
        && !text.contains("\\(")
        && !has_words
}

fn first_number(text: &str) -> Option<String> {
    numbers(text).into_iter().next()
}

fn last_number(text: &str) -> Option<String> {
    numbers(text).pop()
}

/// Numbers with their signs, separators and percent signs, and plain fractions.
fn numbers(text: &str) -> Vec<String> {
    let is_part = |char: char| char.is_ascii_digit() || ".,/%".contains(char);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(is_part).map(|offset| from + offset) {
        let end = text[start..].find(|char| !is_part(char)).map_or(text.len(), |offset| start + offset);
        from = end;
        let number = text[start..end].trim_matches(['.', ',', '/']);
        if !number.contains(|char: char| char.is_ascii_digit()) {
            continue;
        }
        // A minus sign between two operands is none.
        let before = text[..start].trim_end_matches(['$', '\\']);
        let rest = before.strip_suffix(['-', '−']);
        let is_negative =
            rest.is_some_and(|rest| !rest.ends_with(|char: char| char.is_alphanumeric() || char == ')'));
        found.push(if is_negative { format!("-{number}") } else { number.to_owned() });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(response: &str) -> String {
        candidates(response, true).into_iter().next().unwrap_or_default()
    }

    #[test]
    fn the_last_box_counts_with_those_it_is_joined_to() {
        assert_eq!(first("so \\boxed{1}, no: \\boxed{\\frac{1}{2}}."), "\\frac{1}{2}");
        assert_eq!(first("$\\boxed{2}$ and $\\boxed{3}$"), "2, 3");
        assert_eq!(first("$\\boxed{\\{1, 2\\}}$"), "\\{1, 2\\}");
        assert_eq!(first("\\boxed{50}\\%"), "50\\%");
        assert_eq!(first("\\boxed 7 is it"), "7");
        assert!(candidates("The answer is 5. \\boxed{5", true).is_empty());
        assert_eq!(candidates("\\boxed{5} and then", false), ["5"]);
        assert!(candidates("the answer is 5", false).is_empty());
    }

    #[test]
    fn without_a_box_phrases_come_first_then_formulas_then_numbers() {
        assert_eq!(first("Answer: 12. We had 13."), "12");
        assert_eq!(first("The final answer is $x=1$ or $x=2$. I hope"), "x=1, x=2");
        assert_eq!(first("we get \\(3\\) then \\[\\sqrt{2}\\]"), "\\sqrt{2}");
        assert_eq!(first("**Answer:**\n\n$$\\frac{3}{4}$$"), "\\frac{3}{4}");
        assert_eq!(first("She has 3 apples and then 1,250."), "1,250");
        assert_eq!(first("3/4"), "3/4");
        assert_eq!(first("He pays $5 and then $10, in total $15."), "15");
        assert_eq!(first("From 3-5 we get to\n-$7."), "-7");
    }
}
