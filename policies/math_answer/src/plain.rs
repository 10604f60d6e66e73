//! Texts as they were meant: full-width signs narrowed, and LaTeX whose backslashes were escaped once too often.

use std::borrow::Cow;

use exgrpo_guest_sdk::response::half_width;

use crate::commands::{self, Command};
use crate::lexer::Token;

/// A gold answer, a response or a part of one, ready to be read.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let halved = match half_width(text) {
        Cow::Borrowed(text) => unescaped(text),
        Cow::Owned(text) => match unescaped(&text) {
            Cow::Owned(unescaped) => Cow::Owned(unescaped),
            Cow::Borrowed(_) => Cow::Owned(text),
        },
    };
    if halved.contains("{,}") { Cow::Owned(with_points(&halved)) } else { halved }
}

/// `2{,}54` as `2.54`: such a comma is part of a number, and decimal unless three digits follow it.
fn with_points(text: &str) -> String {
    let mut parts = text.split("{,}");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let is_decimal = out.ends_with(|char: char| char.is_ascii_digit()) && digits > 0 && digits != 3;
        out.push_str(if is_decimal { "." } else { "{,}" });
        out.push_str(part);
    }
    out
}

/// A price with its sign of currency escaped, so that it doesn't open a formula: `$15`.
pub(crate) fn priced(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    match trimmed.strip_prefix('$') {
        Some(rest) if rest.starts_with(|char: char| char.is_ascii_digit()) && !rest.contains('$') => {
            Cow::Owned(format!("\\{trimmed}"))
        }
        _ => Cow::Borrowed(text),
    }
}

/// `\\frac{1}{2}` as `\frac{1}{2}`, where every command of a text has two backslashes and one of them is known.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains("\\\\") || !is_escaped_twice(text) {
        return Cow::Borrowed(text);
    }
    let mut halved = String::with_capacity(text.len());
    let mut is_second = false;
    for char in text.chars() {
        is_second = char == '\\' && !is_second;
        if char != '\\' || is_second {
            halved.push(char);
        }
    }
    Cow::Owned(halved)
}

fn is_escaped_twice(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut is_known) = (0, false);
    let mut opens = false;
    while let Some(start) = text[at..].find('\\').map(|offset| at + offset) {
        let count = bytes[start..].iter().take_while(|byte| **byte == b'\\').count();
        at = start + count;
        let rest = &text[at..];
        let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let is_sign = rest.starts_with(|char| "()[]{}%,;!:".contains(char));
        if (length > 0 || is_sign) && count % 2 == 1 {
            return false;
        }
        // No row begins with one of these signs, nor ends in a bracket that the end of one before it opened.
        is_known |= rest.starts_with(['%', '!', ',', ';', ':']) || opens && rest.starts_with([')', ']', '}']);
        opens |= rest.starts_with(['(', '[', '{']);
        // The end of a row has two backslashes of its own, and the names of variables may follow it.
        is_known |=
            length > 1 && !matches!(commands::named(&rest[..length]), Command::Token(Token::Symbol(_)));
    }
    is_known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_are_halved_where_all_commands_have_two() {
        assert_eq!(plain("\\\\left(\\\\frac{1}{2}\\\\right)"), "\\left(\\frac{1}{2}\\right)");
        assert_eq!(plain("is \\\\(-8\\\\)."), "is \\(-8\\).");
        assert_eq!(plain("$\\\\{1, 2\\\\}$, $110\\\\%$"), "$\\{1, 2\\}$, $110\\%$");
        assert_eq!(plain("-2 \\\\le x \\\\\\\\ \\\\pi"), "-2 \\le x \\\\ \\pi");
        for text in [
            "\\begin{cases} x=1 \\\\y=2 \\end{cases}",
            "x=1\\\\y=2",
            "1\\\\2",
            "\\frac12",
            "x=1\\\\(y)",
            "1\\\\[4pt] 2",
        ] {
            assert_eq!(plain(text), text);
        }
        assert_eq!(plain("$2{,}54$, $1{,}234$, $12{,}5$"), "$2.54$, $1{,}234$, $12.5$");
    }
}
