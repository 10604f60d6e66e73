//! What a response strikes out: `~~5~~`, `<del>5</del>`, `\sout{5}`.

use std::borrow::Cow;

use super::braced;

/// Commands that strike out or hide what follows them in braces.
const COMMANDS: [&str; 7] =
    ["\\sout", "\\st", "\\cancel", "\\xcancel", "\\bcancel", "\\phantom", "\\hcancel"];
const TAGS: [(&str, &str); 3] = [("<s>", "</s>"), ("<del>", "</del>"), ("<strike>", "</strike>")];
/// Bytes between two marks that strike out.
const MAX_LENGTH: usize = 400;
/// Places that are looked at, from the beginning on.
const MAX_PLACES: usize = 256;

/// The text without what is struck out in it.
///
/// ```
/// use exgrpo_guest_sdk::response::without_struck;
///
/// assert_eq!(without_struck("~~The answer is 5~~ The answer is 6"), " The answer is 6");
/// assert_eq!(without_struck("\\sout{\\boxed{5}} \\boxed{6}"), " \\boxed{6}");
/// assert_eq!(without_struck("x = 3 ~~ y = 5 ~~ z"), "x = 3 ~~ y = 5 ~~ z");
/// ```
pub fn without_struck(text: &str) -> Cow<'_, str> {
    if !["~~", "</", "\\s", "cancel{", "cancel {", "\\phantom"].iter().any(|sign| text.contains(sign)) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut copied = 0;
    let places = text.match_indices(['~', '<', '\\']).filter(|(at, sign)| match *sign {
        "~" => text[*at..].starts_with("~~"),
        "<" => TAGS.iter().any(|(open, _)| text[*at..].starts_with(open)),
        _ => COMMANDS.iter().any(|command| text[*at..].starts_with(command)),
    });
    for (at, _) in places.take(MAX_PLACES) {
        if at < copied {
            continue;
        }
        if let Some(length) = struck(&text[at..], &text[..at]) {
            kept.push_str(&text[copied..at]);
            copied = at + length;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    kept.push_str(&text[copied..]);
    Cow::Owned(kept)
}

/// The length of what is struck out at the beginning of a text.
fn struck(text: &str, before: &str) -> Option<usize> {
    if let Some(inner) = text.strip_prefix("~~") {
        let length = near(inner).find("~~").filter(|length| *length > 0)?;
        let inner = &inner[..length];
        // In a formula `~` is a space: `3 ~~\text{or}~~ 5`.
        let is_space = inner.starts_with(char::is_whitespace)
            || inner.ends_with(char::is_whitespace)
            || inner.starts_with("\\text")
            || inner.starts_with('~')
            || inner.contains('\n')
            || before.ends_with(['$', '~'])
            || is_in_formula(before);
        return (!is_space).then_some(length + 4);
    }
    if let Some((open, close)) = TAGS.iter().find(|(open, _)| text.starts_with(open)) {
        return near(&text[open.len()..]).find(close).map(|length| open.len() + length + close.len());
    }
    let command = COMMANDS.iter().find(|command| {
        text.strip_prefix(**command).is_some_and(|rest| rest.trim_start_matches(' ').starts_with('{'))
    })?;
    let open = text.find('{').filter(|open| *open <= command.len() + 2)?;
    braced(near(text), open).map(|inner| inner.end + 1)
}

/// Whether an odd number of dollar signs stands before a place in its line.
fn is_in_formula(before: &str) -> bool {
    let mut from = before.len().saturating_sub(MAX_LENGTH);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let line = before[from..].rsplit('\n').next().unwrap_or_default();
    line.matches('$').count() % 2 == 1
}

fn near(text: &str) -> &str {
    let mut end = text.len().min(MAX_LENGTH);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_struck_out_is_left_out() {
        for (text, left) in [
            ("~~3~~ 4", " 4"),
            ("The answer is ~~3~~ 4.", "The answer is  4."),
            ("<s>3</s><del>4</del>5", "5"),
            ("$\\cancel{3} 4$", "$ 4$"),
            ("\\boxed{\\xcancel{\\frac{1}{2}} 6}", "\\boxed{ 6}"),
            ("\\st{3} 4", " 4"),
            ("\\phantom{\\boxed{5}}", ""),
        ] {
            assert_eq!(without_struck(text), left);
        }
        for text in
            ["3~~\\text{or}~~5", "$x~~y~~z$", "~~", "~~3", "\\star{3}", "\\cancel", "a < b </s", "$3~~4~~5$"]
        {
            assert_eq!(without_struck(text), text);
        }
    }

    #[test]
    fn many_marks_cost_little() {
        for piece in ["~~", "~~a", "\\sout{", "<s>", "\\cancel{\\boxed{"] {
            let hostile = piece.repeat(200_000);
            let started = std::time::Instant::now();
            let _ = without_struck(&hostile);
            assert!(started.elapsed().as_secs_f64() < 1.0, "{piece}");
        }
    }
}
