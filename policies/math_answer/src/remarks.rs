//! Remarks on a value, which are no part of it.

use crate::spans::Span;

/// Where a remark on a value begins.
const CLAUSES: [&str; 27] = [
    ", which",
    ", since",
    ", because",
    " because ",
    " since ",
    ", so ",
    ", where ",
    ", as ",
    ", but ",
    ", not ",
    ", and the ",
    ", with ",
    ", thus ",
    ", weil ",
    ", see ",
    " as our ",
    " as my ",
    " as the final ",
    " as the answer",
    " as required",
    " as desired",
    " as claimed",
    " as wanted",
    " als Ergebnis",
    " comme réponse",
    " como respuesta",
    " como resposta",
];
/// What a remark behind ", and" is about: "5, and I am sure of it".
const SUBJECTS: [&str; 14] = [
    "I ", "I'm ", "we ", "this ", "it ", "that ", "these ", "there ", "ich ", "das ", "je ", "c'est ",
    "estoy ", "isso ",
];
const JOINTS: [&str; 5] = [", and ", ", und ", ", et ", ", y ", ", e "];
/// What ends a sentence in Korean and Japanese: "is".
const COPULAS: [&str; 9] =
    ["입니다", "이다", "이에요", "예요", "となります", "になります", "である", "です", "だ"];

/// The text up to a remark on what it says. It begins `at` bytes into the text of the formulas.
pub(crate) fn without_clause<'a>(text: &'a str, spans: &[Span<'_>], at: usize) -> &'a str {
    let outside =
        |offset: usize| !spans.iter().any(|span| span.start <= at + offset && at + offset < span.end);
    // One walk: a search for each of them would take longer.
    let begins_remark = |offset: usize| {
        let rest = &text[offset..];
        let is_of = |behind: &&str| SUBJECTS.iter().any(|subject| behind.starts_with(subject));
        CLAUSES.iter().any(|clause| rest.starts_with(clause))
            || JOINTS.iter().any(|joint| rest.strip_prefix(joint).filter(is_of).is_some())
    };
    let mut places = (1..text.len()).filter(|&offset| matches!(text.as_bytes()[offset], b' ' | b','));
    let end = places.find(|&offset| begins_remark(offset) && outside(offset));
    &text[..end.unwrap_or(text.len())]
}

/// A value without the verb that a language writes behind it: "12입니다".
pub(crate) fn without_copula(value: &str) -> &str {
    if value.is_ascii() {
        return value;
    }
    let bare = COPULAS.iter().find_map(|copula| value.strip_suffix(copula));
    bare.map(str::trim_end).filter(|bare| !bare.is_empty()).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_cut_off() {
        for (text, value) in [
            ("5, and I am confident in it", "5"),
            ("5i as our final answer", "5i"),
            ("(0,0), (1,1) and (2,4), and this is all", "(0,0), (1,1) and (2,4)"),
            ("x = 1, and y = 2", "x = 1, and y = 2"),
            ("red, and blue", "red, and blue"),
        ] {
            assert_eq!(without_clause(text, &[], 0), value);
        }
        assert_eq!(without_copula("x+1です"), "x+1");
        assert_eq!(without_copula("정답"), "정답");
    }
}
