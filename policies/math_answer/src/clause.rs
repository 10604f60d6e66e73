//! What of a sentence says the answer, and what are conditions and remarks beside it.

use exgrpo_guest_sdk::response::Phrases;

use crate::figures::numbers;
use crate::main_number::{is_beside, is_label};
use crate::remarks::{is_aside, is_demotion};
use crate::spans::Span;

/// Where a condition or a remark begins that goes on to the end of its sentence.
static SIDE: Phrases = Phrases::new(&[
    "attained",
    "achieved",
    "reached",
    "occurring",
    ", and it occurs",
    ", and occurs",
    ", which occurs",
    ", which happens",
    ", obtained",
    " when ",
    ", when",
    ", where",
    " where ",
    ", if ",
    " if ",
    " if and only if ",
    ", since",
    " since ",
    ", because",
    " because ",
    ", as ",
    " for all ",
    ", for all ",
    " for every ",
    " for any ",
    " for each ",
    " for some ",
    ", for ",
    " for $",
    " for \\(",
    " at $",
    " at \\(",
    " whenever ",
    " while ",
    " whereas ",
    " after ",
    ", after ",
    " provided",
    " assuming ",
    ", with ",
    " with $",
    " with \\(",
    " in $",
    " in \\(",
    " rather than ",
    ", rather than ",
    " instead of ",
    " as opposed to ",
    ", not ",
    " and not ",
    ", but not ",
    ", unless ",
    ", i.e.",
    " i.e.",
    ", that is",
    ", or about ",
    ", or approximately ",
    ", or roughly ",
    " or about ",
    " or approximately ",
    ", or $\\approx",
    ", which is approximately",
    ", which is about",
    ", atteint",
    ", erreicht",
    " und wird ",
    ", wenn ",
    " bei $",
    ", que se ",
    " que se alcanza",
    ", alcanzad",
    ", atingid",
    ", raggiunt",
    " и достигается",
    ", достига",
    " при $",
    ", đạt ",
    " khi $",
    " pour $",
    " para $",
    " per $",
    " en $",
    " em $",
    "そのとき",
    "このとき",
    "이때",
    "此时",
    "其中",
]);
/// Words behind the comma of a condition that go on with the sentence.
const RESUMING: [&str; 12] =
    ["we ", "so ", "then ", "it ", "the ", "this ", "hence ", "thus ", "therefore ", "$", "\\(", "our "];
/// Places of a sentence that each opening of a remark is looked for at.
const MAX_PLACES: usize = 16;
/// Words behind a round bracket that begin a condition or a remark.
const REMARKS: [&str; 41] = [
    "versus ",
    "vs",
    "unlike ",
    "while ",
    "whereas ",
    "compared ",
    "here ",
    "for ",
    "when ",
    "if ",
    "where ",
    "since ",
    "as ",
    "because ",
    "with ",
    "at ",
    "the other",
    "she ",
    "he ",
    "it ",
    "they ",
    "note",
    "this ",
    "i.e.",
    "that is",
    "or ",
    "approx",
    "about ",
    "≈",
    "$\\approx",
    "after ",
    "rounded",
    "attained",
    "achieved",
    "reached",
    "using ",
    "from ",
    "see ",
    "not ",
    "instead",
    "which ",
];
/// Words that begin a condition before the comma of a sentence.
const LEADING: [&str; 21] = [
    "when ",
    "if ",
    "for ",
    "since ",
    "as ",
    "because ",
    "with ",
    "after ",
    "at ",
    "given ",
    "while ",
    "although ",
    "assuming ",
    "setting ",
    "substituting ",
    "in ",
    "discarding ",
    "rejecting ",
    "excluding ",
    "ignoring ",
    "当",
];

/// The text with conditions and remarks blanked, byte for byte, and the formulas that are left. A condition is blanked only where
/// another part of the sentence has a value.
pub(crate) fn main_clause<'a>(sentence: &str, spans: &[Span<'a>]) -> (String, Vec<Span<'a>>) {
    let outside = |at: usize| is_outside(spans, at);
    let mut values: Vec<usize> =
        spans.iter().filter(|span| !is_name(span.content)).map(|span| span.start).collect();
    let said = numbers(sentence).into_iter().filter(|number| {
        outside(number.start) && !is_label(sentence, number) && !is_beside(sentence, number)
    });
    values.extend(said.map(|number| number.start));
    values.sort_unstable();
    let mut parts = Parts { values, blanks: Vec::new() };
    let start = sentence.len() - without_conclusion(sentence).len();
    let beginning: String = sentence[start..].chars().take(16).collect::<String>().to_lowercase();
    if LEADING.iter().any(|word| beginning.starts_with(word))
        && let Some(end) = end_of_leading(sentence, start, spans)
        && sentence[start..end].contains(|char: char| char.is_ascii_digit() || "$\\".contains(char))
        && parts.has_value_behind(end)
    {
        parts.blank(start, end);
    }
    for (at, _) in sentence.match_indices('(').filter(|(at, _)| outside(*at)).take(MAX_PLACES) {
        let inner: String = sentence[at + 1..].chars().take(24).collect::<String>().to_lowercase();
        let begins_remark = REMARKS.iter().any(|word| inner.starts_with(word));
        let mut closings = sentence[at..].match_indices(')').map(|(offset, _)| at + offset + 1);
        if let Some(close) = closings.find(|end| outside(end - 1))
            && (begins_remark || is_aside(&sentence[at + 1..close - 1]))
            && (parts.has_value_before(at) || parts.has_value_behind(close))
        {
            parts.blank(at, close);
        }
    }
    let has_demotion = is_demotion(sentence);
    for sign in [';', '—', '–', ','].into_iter().filter(|_| has_demotion) {
        let signs = sentence.match_indices(sign).filter(|(at, _)| outside(*at)).take(MAX_PLACES);
        for (at, _) in signs {
            if parts.has_value_before(at) && is_demotion(&sentence[at..]) && !is_demotion(&sentence[..at]) {
                parts.blank(at, sentence.len());
                break;
            }
        }
    }
    let begin = parts.values.first().map_or(sentence.len(), |first| first + 1);
    let starts = (begin..sentence.len()).find(|&at| {
        // "we are left with $3$"
        let is_verb = |opener: &str| {
            opener.starts_with(" with ")
                && ["left", "up", "us", "ing"].iter().any(|verb| sentence[..at].ends_with(verb))
        };
        SIDE.at(sentence, at).any(|opener| !is_verb(opener)) && outside(at)
    });
    let gerund = sentence.match_indices(" for ").map(|(at, _)| at).take(MAX_PLACES).find(|&at| {
        let word = sentence[at + 5..].split(' ').next().unwrap_or_default();
        word.len() > 4 && word.ends_with("ing") && outside(at) && parts.has_value_before(at)
    });
    if let Some(at) = starts.into_iter().chain(gerund).min() {
        // "but since $x > 0$, we have $x = 3$" goes on with what it says.
        let resumes = |comma: usize| {
            let rest = sentence[comma + 1..].trim_start();
            RESUMING.iter().any(|word| rest.starts_with(word)) && parts.has_value_behind(comma)
        };
        let mut commas =
            sentence[at..].match_indices(',').map(|(offset, _)| at + offset).filter(|comma| *comma > at);
        let end = commas.by_ref().take(MAX_PLACES).find(|&comma| outside(comma) && resumes(comma));
        // What it goes on with is said last, and takes the place of what came before.
        let (start, end) = end.map_or((at, sentence.len()), |comma| (0, comma + 1));
        parts.blank(start, end);
    }
    if parts.blanks.is_empty() {
        return (sentence.to_owned(), spans.to_vec());
    }
    let mut text = String::with_capacity(sentence.len());
    for (at, char) in sentence.char_indices() {
        if parts.is_blank(at) {
            text.extend(std::iter::repeat_n(' ', char.len_utf8()));
        } else {
            text.push(char);
        }
    }
    (text, spans.iter().filter(|span| !parts.is_blank(span.start)).copied().collect())
}

/// A sentence as it is taken apart.
struct Parts {
    /// Where the values begin that are left.
    values: Vec<usize>,
    /// Parts that say nothing of the answer: where they begin and end.
    blanks: Vec<(usize, usize)>,
}

impl Parts {
    fn blank(&mut self, start: usize, end: usize) {
        self.values.retain(|at| !(start..end).contains(at));
        self.blanks.push((start, end));
    }

    fn is_blank(&self, at: usize) -> bool {
        self.blanks.iter().any(|(start, end)| (*start..*end).contains(&at))
    }

    fn has_value_before(&self, at: usize) -> bool {
        self.values.first().is_some_and(|first| *first < at)
    }

    fn has_value_behind(&self, at: usize) -> bool {
        self.values.last().is_some_and(|last| *last >= at)
    }
}

/// Whether a place is in no formula.
fn is_outside(spans: &[Span<'_>], at: usize) -> bool {
    let next = spans.partition_point(|span| span.end <= at);
    spans.get(next).is_none_or(|span| at <= span.start)
}

/// Behind the comma that a condition at the beginning of a sentence ends at, or its last word in Chinese.
fn end_of_leading(sentence: &str, start: usize, spans: &[Span<'_>]) -> Option<usize> {
    let mut ends =
        sentence.match_indices([',', '时']).filter(|(at, _)| *at > start && is_outside(spans, *at));
    let (at, sign) = ends.next()?;
    let rest = &sentence[at + sign.len()..];
    Some(sentence.len() - rest.trim_start_matches([',', ' ']).len())
}

/// The sentence behind a word that concludes: "So ", "Therefore, ".
fn without_conclusion(sentence: &str) -> &str {
    let trimmed = sentence.trim_start_matches([' ', '\n', '*', '#']);
    let word: &str = trimmed.split([' ', ',']).next().unwrap_or_default();
    let is_conclusion = matches!(
        word.to_lowercase().as_str(),
        "so" | "therefore" | "thus" | "hence" | "then" | "finally" | "consequently" | "and"
    );
    if is_conclusion {
        return trimmed[word.len()..].trim_start_matches([',', ' ']);
    }
    ["所以", "因此", "故"].iter().find_map(|word| trimmed.strip_prefix(word)).unwrap_or(trimmed)
}

/// A formula that only names something: `x`, `(a,b)`, `n`.
pub(crate) fn is_name(formula: &str) -> bool {
    if matches!(formula, "\\therefore" | "\\implies" | "\\Rightarrow" | "\\Longrightarrow") {
        return true;
    }
    let letters = formula.chars().filter(|char| char.is_alphabetic()).count();
    (1..=3).contains(&letters) && formula.chars().all(|char| char.is_alphabetic() || "(), ".contains(char))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::main_number::main_number;
    use crate::spans::spans;

    fn said(sentence: &str) -> String {
        let spans = spans(sentence);
        let (text, left) = main_clause(sentence, &spans);
        left.last()
            .map(|span| span.content.to_owned())
            .or_else(|| main_number(&text, false).map(|number| number.text))
            .unwrap_or_default()
    }

    #[test]
    fn conditions_and_remarks_are_no_part_of_what_is_said() {
        assert_eq!(said("The maximum is $40$, attained when $x=7$."), "40");
        assert_eq!(said("The least value is $9$ (for $k = 2$)."), "9");
        assert_eq!(said("So $n=6$ works (the other root, $n=-5$, doesn't)."), "n=6");
        assert_eq!(said("When $x = 4$, the sum is $11$."), "11");
        assert_eq!(said("The sum is largest when $x=4$."), "x=4");
    }
}
