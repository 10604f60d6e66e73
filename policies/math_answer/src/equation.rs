//! Equations as they are written: what a sum or a limit equals, and the letter that runs through the integers.

use crate::expr::Expr;

/// What stands on a left side that no expression here can be: its value stands on the right.
const UNREADABLE: [&str; 10] =
    ["\\sum", "\\prod", "\\lim", "\\int", "\\iint", "\\max", "\\min", "\\cup", "\\cap", "\\Big|"];

/// The right side of the last equation sign outside of brackets, where the left side is worked out by it and can't be read.
pub(crate) fn right_side(text: &str) -> Option<&str> {
    let mut depth = 0_i32;
    let (mut place, mut is_list) = (None, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth -= 1,
            b'=' if depth == 0 => place = Some(at),
            // `\,` is a space.
            b',' | b'<' | b'>' if depth == 0 => is_list |= !text[..at].ends_with('\\'),
            _ => {}
        }
    }
    let (left, right) = text.split_at(place?);
    let is_meant = UNREADABLE.iter().any(|sign| left.contains(sign))
        && !UNREADABLE.iter().any(|sign| right.contains(sign));
    (is_meant && !is_list).then(|| &right[1..])
}

/// The answer with the gold answer's letter for the one that runs through the integers, where both name theirs:
/// `k\pi, k\in\mathbb{Z}` for `n\pi, n\in\mathbb{Z}`.
pub(crate) fn renamed(gold_text: &str, gold: &Expr, answer_text: &str, answer: &Expr) -> Option<Expr> {
    let (name, other) = (running(gold_text)?, running(answer_text)?);
    let is_free = |expr: &Expr, name: &str| !expr.symbols().iter().any(|symbol| symbol == name);
    (name != other && is_free(answer, &name) && is_free(gold, &other)).then(|| {
        answer.clone().map(&|part| match part {
            Expr::Symbol(symbol) if symbol == other => Expr::Symbol(name.clone()),
            part => part,
        })
    })
}

/// The letter of `n \in \mathbb{Z}`.
fn running(text: &str) -> Option<String> {
    let sets = ["\\mathbb{Z}", "\\mathbb Z", "\\mathbb{N}", "\\mathbb N", "\\Z", "ℤ"];
    let at = text.rfind("\\in").or_else(|| text.rfind('∈'))?;
    let behind = text[at..].trim_start_matches("\\in").trim_start_matches('∈').trim_start();
    let name = text[..at].trim_end().chars().next_back().filter(char::is_ascii_lowercase)?;
    sets.iter().any(|set| behind.starts_with(set)).then(|| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_sum_is_its_right_side() {
        assert_eq!(right_side("\\sum_{k=1}^{6} a_k = 66"), Some(" 66"));
        assert_eq!(right_side("\\lim_{x \\to 0} f(x) = \\frac{1}{2}"), Some(" \\frac{1}{2}"));
        for text in ["x + 1 = 3", "\\sum_{k=1}^n k", "S = \\sum_{k=1}^n k", "a < \\sum k = 3"] {
            assert_eq!(right_side(text), None, "{text}");
        }
    }

    #[test]
    fn a_letter_that_runs_through_the_integers_may_have_another_name() {
        assert_eq!(running("x = k\\pi, \\quad k \\in \\mathbb{Z}").as_deref(), Some("k"));
        assert_eq!(running("x \\in \\mathbb{R}"), None);
        assert_eq!(running("x = k\\pi"), None);
    }
}
