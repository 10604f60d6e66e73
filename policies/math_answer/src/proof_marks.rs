//! Signs that end a proof: they stand behind an answer and say nothing.

use std::borrow::Cow;

/// Such signs, without the delimiters of formulas around them.
const MARKS: [&str; 15] = [
    "\\blacksquare",
    "\\square",
    "\\Box",
    "\\qedsymbol",
    "\\qedhere",
    "\\qed",
    "\\qquad",
    "\\quad",
    "\\hfill",
    "∎",
    "■",
    "□",
    "◻",
    "Q.E.D.",
    "QED",
];

/// The text without signs that end a proof at the ends of its lines.
pub(crate) fn without_proof_marks(text: &str) -> Cow<'_, str> {
    let ends_in_mark = |line: &str| bare(line).len() < line.trim_end().len();
    if !text.lines().any(ends_in_mark) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        kept.push_str(bare(line));
        if line.ends_with('\n') {
            kept.push('\n');
        }
    }
    Cow::Owned(kept)
}

/// A line without the signs at its end, and as it is where it has none.
fn bare(line: &str) -> &str {
    let line = line.trim_end();
    let mut rest = line;
    while let Some(before) = without_mark(rest) {
        rest = before.trim_end();
    }
    rest
}

fn without_mark(line: &str) -> Option<&str> {
    // Most lines end in something else.
    let last = line.chars().next_back()?;
    if !matches!(last, '$' | ')' | ']' | '}' | '.' | 'e' | 'x' | 'd' | 'l' | 'D' | '∎' | '■' | '□' | '◻')
    {
        return None;
    }
    let line = line.strip_suffix("{}").unwrap_or(line);
    let line = line.strip_suffix('.').filter(|line| !line.ends_with('D')).unwrap_or(line);
    for (open, close) in [("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("(", ")"), ("", "")] {
        let Some(inner) = line.strip_suffix(close) else { continue };
        let inner = inner.trim_end();
        let Some(before) = MARKS.iter().find_map(|mark| inner.strip_suffix(mark)) else { continue };
        let before = before.trim_end().strip_suffix("\\hfill").unwrap_or(before).trim_end();
        // A sign without delimiters of its own may belong to the formula before it; "QED" is no end of a word.
        let is_apart = open.is_empty()
            && (before.is_empty() || !before.ends_with(|char: char| char.is_alphanumeric()))
            || line.len() > before.len() && open.is_empty() && line[before.len()..].starts_with([' ', '\t'])
            || !open.is_empty();
        if let Some(before) = before.strip_suffix(open).filter(|_| is_apart) {
            return Some(before);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_a_proof_are_dropped_at_the_ends_of_lines() {
        for (text, expected) in [
            ("The answer is 5. $\\blacksquare$", "The answer is 5."),
            ("It is $5$. \\(\\square\\)\n\nDone.", "It is $5$.\n\nDone."),
            ("## Answer\n\n5 $\\blacksquare$.", "## Answer\n\n5"),
            ("So $x = 5$. ∎", "So $x = 5$."),
            ("So $x = 5$. \\hfill $\\Box$", "So $x = 5$."),
            ("So $x = 5$. \\qed", "So $x = 5$."),
            ("So x = 5. Q.E.D.", "So x = 5."),
            ("So x = 5. QED", "So x = 5."),
        ] {
            assert_eq!(without_proof_marks(text), expected, "{text}");
        }
        for text in ["So $5$.", "The area of $ABCD$ is a square", "aQED", "(a) \\boxed{5}", "x \\in [1, 2)"] {
            assert_eq!(without_proof_marks(text), text);
        }
    }
}
