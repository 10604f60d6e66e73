//! Formulas between their delimiters.

use crate::words;

/// What may stand between two formulas that together are one answer.
const CONNECTORS: [&str; 20] = [
    ",", "and", "or", ", and", ", or", ";", "&", "und", "oder", "et", "ou", "y", "o", "e", "и", "или", "和",
    "或", "と", "또는",
];
/// A formula longer than this is no answer.
pub(crate) const MAX_ANSWER: usize = 6000;

/// A formula of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span<'a> {
    pub(crate) content: &'a str,
    /// Where it begins and ends, delimiters included.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What `$..$`, `$$..$$`, `\(..\)` and `\[..\]` hold, in order. Reads a text once, whatever is left open in it.
pub(crate) fn spans(text: &str) -> Vec<Span<'_>> {
    let mut found = Vec::new();
    let mut closings = [Closing::new("$$"), Closing::new("$"), Closing::new("\\)"), Closing::new("\\]")];
    let mut at = 0;
    while let Some(start) = text[at..].find(['$', '\\']).map(|offset| at + offset) {
        let rest = &text[start..];
        let kind = ["$$", "$", "\\(", "\\["].iter().position(|open| rest.starts_with(open));
        let Some(closing) = kind.and_then(|kind| closings.get_mut(kind)) else {
            // Another command; an escaped sign goes with its backslash.
            at = start + 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            continue;
        };
        let begin = start + closing.sign.len();
        let Some(close) = closing.from(text, begin) else {
            at = begin;
            continue;
        };
        let content = text[begin..close].trim();
        at = close + closing.sign.len();
        if !content.is_empty() {
            found.push(Span { content, start, end: at });
        }
    }
    found
}

/// A closing delimiter and where it stands next: looked for once, however often it is asked for.
struct Closing {
    sign: &'static str,
    next: Option<usize>,
    is_known: bool,
}

impl Closing {
    fn new(sign: &'static str) -> Self {
        Self { sign, next: None, is_known: false }
    }

    /// Where it stands unescaped at `begin` or behind it.
    fn from(&mut self, text: &str, begin: usize) -> Option<usize> {
        if !self.is_known || self.next.is_some_and(|next| next < begin) {
            self.next = self.search(text, begin);
            self.is_known = true;
        }
        self.next
    }

    fn search(&self, text: &str, begin: usize) -> Option<usize> {
        let mut from = begin;
        while let Some(offset) = text.get(from..)?.find(self.sign) {
            let at = from + offset;
            let is_escaped = self.sign.starts_with('$') && text[..at].ends_with('\\');
            // "$5 and $10" are prices.
            let is_price = self.sign == "$" && text[at + 1..].starts_with(|char: char| char.is_ascii_digit());
            if !is_escaped && !is_price {
                return Some(at);
            }
            from = at + self.sign.len();
        }
        None
    }
}

/// Formulas that are one answer.
pub(crate) struct Run {
    pub(crate) answer: String,
    /// Where the first begins and the last ends.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The first formula (or the last) with those that commas or words join to it, as one list.
pub(crate) fn run_of_formulas(text: &str, spans: &[Span<'_>], first: bool) -> Option<Run> {
    let last = spans.len().checked_sub(1)?;
    let (mut low, mut high) = if first { (0, 0) } else { (last, last) };
    let joined =
        |left: usize, right: usize| CONNECTORS.contains(&text[spans[left].end..spans[right].start].trim());
    while first && high < last && joined(high, high + 1) {
        high += 1;
    }
    while !first && low > 0 && joined(low - 1, low) {
        low -= 1;
    }
    let run = spans.get(low..=high)?;
    if run.iter().map(|span| span.content.len()).sum::<usize>() > MAX_ANSWER {
        return None;
    }
    let mut answer = run.iter().map(|span| concluded(span.content)).collect::<Vec<_>>().join(", ");
    let (start, end) = (run.first()?.start, run.last()?.end);
    if let Some(percent) = percent_behind(&text[end..]) {
        answer.push_str(percent);
    } else if let Some(scale) = scale_behind(&text[end..]) {
        answer = format!("{answer} \\text{{ {scale}}}");
    }
    Some(Run { answer, start, end })
}

/// What a formula leads to: `x = 4` of `2x = 8 \Rightarrow x = 4`.
fn concluded(formula: &str) -> &str {
    const ARROWS: [&str; 5] = ["\\Longrightarrow", "\\Rightarrow", "\\implies", "⇒", "⟹"];
    let behind = ARROWS.iter().filter_map(|arrow| Some(formula.rfind(arrow)? + arrow.len())).max();
    behind.map(|at| formula[at..].trim()).filter(|rest| !rest.is_empty()).unwrap_or(formula)
}

/// A word behind a formula that multiplies it: "$3$ million".
fn scale_behind(text: &str) -> Option<&str> {
    let word = text.trim_start_matches([' ', '*', '-']).split(|char: char| !char.is_alphabetic()).next()?;
    words::scale(word).map(|_| word)
}

/// A percent sign behind a formula or a box.
pub(crate) fn percent_behind(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches(['$', ' ']);
    (text.starts_with("\\%") || text.starts_with('%') || text.starts_with("percent")).then_some("\\%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_no_formulas_and_what_is_left_open_costs_nothing() {
        let contents = |text| spans(text).into_iter().map(|span| span.content).collect::<Vec<_>>();
        assert_eq!(contents("$x$, \\(y\\), \\[ z \\] and $$ w $$"), ["x", "y", "z", "w"]);
        assert_eq!(contents("He pays $5 and then $10."), Vec::<&str>::new());
        for piece in ["$1", "\\( ", "$$ \\$", "\\[ \\) ", "$"] {
            let hostile = piece.repeat(300_000);
            let started = std::time::Instant::now();
            let _ = spans(&hostile);
            assert!(started.elapsed().as_secs_f64() < 2.0, "{piece}");
        }
    }
}
