//! Fractions as LaTeX and Unicode write them.

use std::borrow::Cow;

const COMMANDS: [&str; 4] = ["\\frac", "\\dfrac", "\\tfrac", "\\cfrac"];
/// Digits of one side of a fraction.
const MAX_DIGITS: usize = 15;

/// The text with `\frac{1}{2}`, `\frac12` and `½` as `1/2`, and a space before what makes a mixed number.
pub(crate) fn plain_fractions(text: &str) -> Cow<'_, str> {
    if !text.contains("frac") && text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(char) = text[at..].chars().next() {
        let latex = if char == '\\' { latex(&text[at..]) } else { None };
        let found = latex.or_else(|| Some((vulgar(char)?.to_owned(), char.len_utf8())));
        match found {
            Some((fraction, length)) => {
                if plain.ends_with(|char: char| char.is_ascii_digit()) {
                    plain.push(' ');
                }
                plain.push_str(&fraction);
                at += length;
            }
            None => {
                plain.push(if char == '⁄' { '/' } else { char });
                at += char.len_utf8();
            }
        }
    }
    Cow::Owned(plain)
}

/// The fraction of two whole numbers that a text begins with, and its length.
fn latex(text: &str) -> Option<(String, usize)> {
    let mut rest = COMMANDS.iter().find_map(|command| text.strip_prefix(command))?;
    let mut sides = ["", ""];
    for side in &mut sides {
        rest = rest.trim_start_matches(' ');
        (*side, rest) = match rest.strip_prefix('{') {
            Some(inner) => {
                inner.split_at_checked(inner.bytes().take(MAX_DIGITS + 1).position(|byte| byte == b'}')?)?
            }
            None => rest.split_at_checked(1)?,
        };
        rest = rest.strip_prefix('}').unwrap_or(rest);
        if side.is_empty() || !side.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
    }
    Some((sides.join("/"), text.len() - rest.len()))
}

fn vulgar(char: char) -> Option<&'static str> {
    Some(match char {
        '½' => "1/2",
        '⅓' => "1/3",
        '⅔' => "2/3",
        '¼' => "1/4",
        '¾' => "3/4",
        '⅕' => "1/5",
        '⅖' => "2/5",
        '⅗' => "3/5",
        '⅘' => "4/5",
        '⅙' => "1/6",
        '⅚' => "5/6",
        '⅛' => "1/8",
        '⅜' => "3/8",
        '⅝' => "5/8",
        '⅞' => "7/8",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_written_with_a_slash() {
        for (text, expected) in [
            ("\\frac{1}{2}", "1/2"),
            ("5\\tfrac12.", "5 1/2."),
            ("5½ or ¾", "5 1/2 or 3/4"),
            ("\\frac{x}{2}", "\\frac{x}{2}"),
            ("\\frac{1}{", "\\frac{1}{"),
            ("\\frac", "\\frac"),
            ("\\frac1é", "\\frac1é"),
        ] {
            assert_eq!(plain_fractions(text), expected);
        }
    }
}
