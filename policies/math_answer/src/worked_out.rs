//! Calculations that a text writes out, `9 x 3 = 27`: they stand for their result, whatever sentence they are part of.

use std::borrow::Cow;

/// Longest calculation that is looked at, in bytes.
const MAX_LENGTH: usize = 200;

/// `text` with the result in place of each calculation with plain numbers. What a name or another operation is part of is an
/// equation, and stays.
pub(crate) fn results(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for (at, _) in text.match_indices('=') {
        if at < copied {
            continue;
        }
        let Some(start) = beginning(text, copied, at) else { continue };
        let Some(result) = result(text, at + 1) else { continue };
        out.push_str(&text[copied..start]);
        // The signs around a formula stay both, one that is of money goes.
        if text[start..].starts_with('$') && text[result.end..].starts_with('$') {
            out.push('$');
        }
        out.push_str(&text[result.clone()]);
        copied = result.end;
    }
    match copied {
        0 => Cow::Borrowed(text),
        _ => {
            out.push_str(&text[copied..]);
            Cow::Owned(out)
        }
    }
}

/// Where the operations before the `=` at `end` begin: numbers with signs between them, two numbers at least.
fn beginning(text: &str, from: usize, end: usize) -> Option<usize> {
    let lowest = text.floor_char_boundary(from.max(end.saturating_sub(MAX_LENGTH)));
    let mut rest = text[lowest..end].trim_end_matches(' ');
    let mut count = 0;
    loop {
        rest = before_number(rest)?;
        count += 1;
        let outer = rest.trim_end_matches(' ');
        match before_operation(outer, rest.len() > outer.len()) {
            Some(inner) if before_number(inner.trim_end_matches(' ')).is_some() => {
                rest = inner.trim_end_matches(' ');
            }
            _ => break,
        }
    }
    let outer = rest.trim_end_matches(' ');
    let is_apart = match outer.chars().next_back() {
        None => lowest == 0 || lowest == from,
        // A list's mark, or the end of a line.
        Some('-' | '*' | '•') => {
            outer[..outer.len() - 1].trim_end_matches(' ').ends_with('\n') || outer.len() == 1
        }
        Some(char) if rest.len() == outer.len() => matches!(char, '$' | '\n' | '*' | ':' | '='),
        Some(char) => !is_operation(char) && !matches!(char, '(' | '<' | '>' | '^' | '\\'),
    };
    (count > 1 && is_apart).then_some(lowest + rest.len())
}

/// What is before the number that `text` ends with.
fn before_number(text: &str) -> Option<&str> {
    let text = text.strip_suffix('%').unwrap_or(text);
    let rest = text.trim_end_matches(|char: char| char.is_ascii_digit() || matches!(char, '.' | ','));
    let number = &text[rest.len()..];
    let is_number = number.starts_with(|char: char| char.is_ascii_digit())
        && number.ends_with(|char: char| char.is_ascii_digit());
    is_number.then_some(rest.strip_suffix('$').filter(|rest| !rest.ends_with('\\')).unwrap_or(rest))
}

/// What is before the sign of an operation that `text` ends with; a letter is one only between spaces.
fn before_operation(text: &str, is_spaced: bool) -> Option<&str> {
    let sign = text.chars().next_back()?;
    let rest = &text[..text.len() - sign.len_utf8()];
    match sign {
        'x' | 'X' => Some(rest).filter(|rest| is_spaced && rest.ends_with(' ')),
        _ if is_operation(sign) => Some(rest),
        _ => None,
    }
}

fn is_operation(char: char) -> bool {
    matches!(char, '+' | '-' | '−' | '*' | '×' | '·' | '⋅' | '÷' | '/')
}

/// The number behind a `=`, where nothing goes on with it.
fn result(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let start = from + text[from..].len() - text[from..].trim_start_matches(' ').len();
    let signed = text[start..].trim_start_matches(['-', '−', '$']);
    let number = signed.trim_start_matches(|char: char| char.is_ascii_digit() || matches!(char, '.' | ','));
    let written = &signed[..signed.len() - number.len()];
    if !written.starts_with(|char: char| char.is_ascii_digit()) {
        return None;
    }
    let end = text.len() - number.len() - (written.len() - written.trim_end_matches(['.', ',']).len());
    let rest = &text[end..];
    let mut behind = rest.trim_start_matches(' ').chars();
    let goes_on = match behind.next() {
        Some(char) if is_operation(char) || matches!(char, '=' | '^' | '\\') => {
            let next = behind.as_str().trim_start_matches(' ').chars().next();
            char == '='
                || char == '^'
                || char == '\\'
                || next.is_some_and(|next| next.is_alphanumeric() || next == '(')
        }
        Some('x' | 'X') => !rest.starts_with(' ') || behind.next() == Some(' '),
        _ => false,
    };
    (!goes_on).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calculation_stands_for_its_result() {
        for (text, expected) in [
            ("There are 9 x 3 = 27 pens in total.", "There are 27 pens in total."),
            ("9 x 3 = 27", "27"),
            ("So 4+4 = 8 apples, and 8 - 2.5 = 5.5.", "So 8 apples, and 5.5."),
            ("He has $5 + $1,000 = $1,005 left", "He has $1,005 left"),
            ("y = 4 × 4 = 16.", "y = 16."),
            ("a:\n- 2 * 3 * 4 = 24\n", "a:\n- 24\n"),
            ("5 - 9 = -4", "-4"),
        ] {
            assert_eq!(results(text), expected, "{text}");
        }
        for text in [
            "3x + 2 = 5",
            "x + 2 + 3 = 5",
            "2 + 3x = 5",
            "(1 + 2) + 3 = 6",
            "2^3 + 1 = 9",
            "1 + 2 = 3x",
            "1 + 2 = 3 + y",
            "1 + 2 <= 3",
            "1 + 2 = x = 3",
            "x 3 = 27",
            "7 = 7",
            "= 3",
            "1 + = 3",
            "1 + 2 =",
        ] {
            assert_eq!(results(text), text, "{text}");
        }
        let long = "1 + 2 = 3 ".repeat(20_000);
        assert_eq!(results(&long), "3 ".repeat(20_000));
    }
}
