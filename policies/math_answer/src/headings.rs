//! Boxes that frame a heading or a formula to be used, and no answer: `\boxed{\text{Direct computation}}`, `\boxed{A = \pi r^2}`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use exgrpo_guest_sdk::response;

use crate::expr::Expr;
use crate::{compare, number_words, parser};

/// Bytes of such a box.
const MAX_LENGTH: usize = 120;
/// Words that may be an answer beside a constant.
const ANSWERS: [&str; 24] = [
    "cannot",
    "determined",
    "unknown",
    "insufficient",
    "none",
    "undefined",
    "infinity",
    "infinite",
    "infinitely",
    "solution",
    "solutions",
    "empty",
    "exist",
    "dne",
    "yes",
    "no",
    "true",
    "false",
    "impossible",
    "indeterminate",
    "diverges",
    "divergent",
    "real",
    "unbounded",
];

/// A response without the frames of such boxes, where the gold answer is a constant, which neither could be.
pub(crate) fn without_headings<'a>(text: &'a str, gold: Option<&Expr>) -> Cow<'a, str> {
    let Some(gold) = gold.filter(|gold| is_constant(gold)) else { return Cow::Borrowed(text) };
    let boxes = response::filled_boxes(text);
    let headings: Vec<_> = boxes.iter().filter(|boxed| is_heading(boxed.content, gold)).collect();
    if headings.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut bare = text.to_owned();
    for boxed in headings.into_iter().rev() {
        // Words say nothing that counts; a formula may be read on with.
        let kept = if is_words(boxed.content) { "" } else { boxed.content };
        bare.replace_range(boxed.range.clone(), kept);
    }
    Cow::Owned(bare)
}

fn is_constant(gold: &Expr) -> bool {
    !gold.any(&|part| matches!(part, Expr::Symbol(_) | Expr::Text(_) | Expr::Relation(..) | Expr::Reals))
}

fn is_heading(content: &str, gold: &Expr) -> bool {
    content.len() <= MAX_LENGTH && (is_words(content) || is_formula(content, gold))
}

fn is_words(content: &str) -> bool {
    let Some(inner) = content.trim().strip_prefix("\\text") else { return false };
    if inner.contains(|char: char| char.is_numeric() || "\\$^=<>/%".contains(char)) {
        return false;
    }
    let inner = inner.trim_start_matches(|char: char| char.is_ascii_lowercase()).replace("Q.E.D", "QED");
    let words: Vec<String> = inner
        .split(|char: char| !char.is_alphabetic())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let is_answer = |word: &String| ANSWERS.contains(&word.as_str()) || number_words::number(word).is_some();
    words.iter().any(|word| word.chars().nth(3).is_some() || word == "qed") && !words.iter().any(is_answer)
}

/// An equation of several variables on one of its sides.
fn is_formula(content: &str, gold: &Expr) -> bool {
    if !(content.contains('=') || content.contains("\\equiv")) {
        return false;
    }
    let letters = content.chars().filter(|char| char.is_ascii_alphabetic()).count();
    let Ok(formula) = parser::parse(content) else { return letters > 2 };
    let Expr::Relation(first, rest) = &formula else { return false };
    let several = |side: &Expr| variables(side).len() > 1;
    let last = rest.last().map(|(_, side)| side);
    let is_open = last.is_some_and(|side| several(side) || several(first) && !variables(side).is_empty());
    is_open && compare::equivalent(gold, &formula) != Some(true)
}

fn variables(side: &Expr) -> BTreeSet<String> {
    let found = std::cell::RefCell::new(BTreeSet::new());
    side.any(&|part| {
        if let Expr::Symbol(name) = part {
            found.borrow_mut().insert(name.clone());
        }
        false
    });
    found.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_headings_and_formulas_fall() {
        let gold = parser::parse("12").unwrap();
        let bare = |text: &'static str| without_headings(text, Some(&gold)).into_owned();
        assert_eq!(bare("\\boxed{\\text{Direct computation}} so 12"), " so 12");
        assert_eq!(bare("\\boxed{\\textbf{Definition:}} so 12"), " so 12");
        assert_eq!(bare("\\boxed{A=\\frac12 bh}"), "A=\\frac12 bh");
        for text in [
            "\\boxed{12}",
            "\\boxed{x = 12}",
            "\\boxed{12 \\text{ apples}}",
            "\\boxed{\\text{twelve}}",
            "\\boxed{\\text{no solution}}",
            "\\boxed{2x+3}",
            "\\boxed{y = 2x}",
        ] {
            assert_eq!(bare(text), text);
        }
        let words = parser::parse("hyperbola").unwrap();
        assert_eq!(
            without_headings("\\boxed{\\text{Direct computation}}", Some(&words)),
            "\\boxed{\\text{Direct computation}}"
        );
    }
}
