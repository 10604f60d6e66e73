//! Remarks on a value, which are no part of it.

use exgrpo_guest_sdk::response::Phrases;

use crate::spans::Span;

/// Where a remark on a value begins.
static CLAUSES: Phrases = Phrases::new(&[
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
]);
/// What a remark behind ", and" is about: "5, and I am sure of it".
const SUBJECTS: [&str; 14] = [
    "I ", "I'm ", "we ", "this ", "it ", "that ", "these ", "there ", "ich ", "das ", "je ", "c'est ",
    "estoy ", "isso ",
];
static JOINTS: Phrases = Phrases::new(&[", and ", ", und ", ", et ", ", y ", ", e "]);
/// What ends a sentence in Korean and Japanese: "is".
const COPULAS: [&str; 9] =
    ["입니다", "이다", "이에요", "예요", "となります", "になります", "である", "です", "だ"];

/// What says of a value before it that it is only on the way, in small letters.
static DEMOTING: Phrases = Phrases::new(&[
    " is only ",
    " is just ",
    " is merely ",
    " is simply ",
    " was only ",
    " was just ",
    " was merely ",
    " are only ",
    " are just ",
    " were only ",
    " were just ",
    " only serve",
    " serves only",
    " serve only",
    "auxiliary",
    "intermediate",
    "helper",
    " side result",
    " partial result",
    " by-product",
    " byproduct",
    " came from ",
    " comes from ",
    " is used only",
    " is not what",
    " is not the answer",
    " is not asked",
    " ist nur ",
    " war nur ",
    " n'est qu",
    " es solo ",
    " es sólo ",
    " è solo ",
    " é apenas ",
]);

/// Whether a sentence or a part of one only says that the value before its verb is not what is asked for.
pub(crate) fn is_demotion(part: &str) -> bool {
    // "The answer is just the number $5$" tells one: nothing of a value may follow.
    let Some(last) = part.rfind(is_of_value) else { return false };
    let behind = &part[last + 1..];
    if behind.len() < 8 {
        return false;
    }
    DEMOTING.are_in(&behind.to_lowercase())
}

/// Whether a sentence is only such a remark, and doesn't end in one: its first part tells no other value.
pub(crate) fn is_only_demotion(sentence: &str) -> bool {
    let bare = sentence.trim_start_matches(['(', ' ', '*']);
    let ends = [" (", "; ", ", ", " —", " –"].iter().filter_map(|sign| bare.find(sign));
    let first = &bare[..ends.min().unwrap_or(bare.len())];
    is_demotion(first) || !first.contains(is_of_value) && is_demotion(bare)
}

fn is_of_value(char: char) -> bool {
    char.is_ascii_digit() || char == '$' || char == '\\'
}

/// Whether what stands in brackets is a sentence of its own, and doesn't correct the one around it.
pub(crate) fn is_aside(inner: &str) -> bool {
    const VERBS: [&str; 14] = [
        "is", "was", "are", "were", "has", "had", "have", "gives", "comes", "came", "ist", "war", "est", "es",
    ];
    const CORRECTIONS: [&str; 12] = [
        "wait",
        "wrong",
        "actually",
        "should",
        "correct",
        "correction",
        "mistake",
        "error",
        "sorry",
        "instead",
        "rather",
        "no",
    ];
    let lower = inner.to_lowercase();
    let has =
        |list: &[&str]| lower.split(|char: char| !char.is_alphanumeric()).any(|word| list.contains(&word));
    has(&VERBS) && !has(&CORRECTIONS)
}

/// The text up to a remark on what it says. It begins `at` bytes into the text of the formulas.
pub(crate) fn without_clause<'a>(text: &'a str, spans: &[Span<'_>], at: usize) -> &'a str {
    let outside =
        |offset: usize| !spans.iter().any(|span| span.start <= at + offset && at + offset < span.end);
    let begins_remark = |offset: usize| {
        let is_of = |behind: &str| SUBJECTS.iter().any(|subject| behind.starts_with(subject));
        CLAUSES.at(text, offset).next().is_some()
            || JOINTS.at(text, offset).any(|joint| is_of(&text[offset + joint.len()..]))
    };
    let end = (1..text.len()).find(|&offset| begins_remark(offset) && outside(offset));
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

/// Whether a sentence says that there is no solution, without a doubt or an exception.
pub(crate) fn says_no_solution(sentence: &str) -> bool {
    // What such a sentence leaves out is a solution, and what it only thinks is none.
    const EXCEPTIONS: [&str; 12] = [
        " other than",
        " except",
        " besides",
        " beside ",
        " apart from",
        " aside from",
        " but ",
        " beyond ",
        "er than ",
        " less than",
        " outside",
        " anders als",
    ];
    const DOUBTS: [&str; 13] = [
        "if ",
        "not ",
        "n't ",
        "think",
        "thought",
        "seem",
        "suppose",
        "claim",
        "wrong",
        "false that",
        "assume",
        "looks like",
        "appear",
    ];
    let lower = sentence.to_lowercase();
    let phrases = ["no solution", "no real solution", "no integer solution", "无解", "無解"];
    let Some(at) = phrases.iter().find_map(|words| lower.find(words)) else { return false };
    !DOUBTS.iter().any(|word| lower[..at].contains(word))
        && !EXCEPTIONS.iter().any(|word| lower[at..].contains(word))
        && !["if ", "not "].iter().any(|word| lower[at..].contains(word))
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
