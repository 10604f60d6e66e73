//! The option that a response chooses, where the gold answer is the label of one.

/// Bytes at the end of a response in which the choice is looked for.
const MAX_TEXT: usize = 1200;
/// Labels of options.
const LABELS: std::ops::RangeInclusive<char> = 'A'..='H';
/// Words of a clause that chooses, in small letters.
const CHOOSING: [&str; 32] = [
    "correct",
    "answer",
    "ans",
    "choose",
    "pick",
    "go with",
    "going with",
    "select",
    "best",
    "better choice",
    "right",
    "it's",
    "it is",
    "left with",
    "remains",
    "holds",
    "closest",
    "match",
    "final",
    "✓",
    "✅",
    "true",
    "conclude",
    "we get",
    "sure",
    "satisfies",
    "选",
    "正确",
    "符合",
    "chọn",
    "respuesta",
    "réponse",
];
/// Words of a clause that says which option it is not.
const DENYING: [&str; 31] = [
    "not ",
    "n't",
    "cannot",
    "incorrect",
    "wrong",
    "false",
    "✗",
    "❌",
    "eliminat",
    "exclud",
    "rule out",
    "ruled out",
    "reject",
    "tempting",
    "partially",
    "plausible",
    "misconception",
    "too small",
    "too big",
    "too large",
    "violates",
    "negation",
    "why ",
    "unlike",
    "neither",
    "不对",
    "错误",
    "unrelated",
    "either",
    "would be",
    "only if",
];
/// What of a clause is about the option that was not chosen.
const AGAINST: [&str; 10] = [
    " rather than ",
    " over ",
    " and not ",
    " instead of ",
    ", not ",
    " (",
    " because ",
    " since ",
    " as ",
    "; ",
];

/// What a response chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    One(char),
    Several,
    /// Nothing that is seen here.
    Unknown,
}

/// The option that the last clause that chooses names; without such a clause, the only one that is named and not denied.
pub(crate) fn chosen(text: &str) -> Choice {
    let mut from = text.len().saturating_sub(MAX_TEXT);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let text = plain(&text[from..]).lines().map(joined).collect::<Vec<_>>().join("\n");
    let clauses = clauses(&text);
    let mut named: Vec<(char, bool)> = Vec::new();
    let mut choice = Choice::Unknown;
    for clause in &clauses {
        let lower = clause.to_lowercase();
        let is_denied = DENYING.iter().any(|word| lower.contains(word)) || lower.ends_with("not");
        let labels = labels(clause);
        named.extend(labels.iter().map(|label| (*label, is_denied)));
        let chooses = CHOOSING.iter().any(|word| lower.contains(word));
        match labels.as_slice() {
            [label] if chooses && !is_denied => choice = Choice::One(*label),
            // Two options at once are no choice.
            [_, _, ..] if chooses && !is_denied => choice = Choice::Several,
            [label] if is_denied && choice == Choice::One(*label) => choice = Choice::Unknown,
            _ => {}
        }
    }
    if choice != Choice::Unknown {
        return choice;
    }
    let mut standing = named.iter().filter(|(_, is_denied)| !is_denied).map(|(label, _)| *label);
    match standing.next() {
        Some(label) if standing.all(|other| other == label) && !named.contains(&(label, true)) => {
            Choice::One(label)
        }
        _ => Choice::Unknown,
    }
}

/// The option that a short answer is, as "B", "(B)", "B) 42", "B: 42" or "Answer: B".
pub(crate) fn labelled(answer: &str) -> Option<char> {
    // Most answers have no label in them.
    if !answer.bytes().any(|byte| LABELS.contains(&char::from(byte))) {
        return None;
    }
    let text = plain(answer);
    let mut bare = text.trim();
    for lead in
        ["the answer is", "answer is", "answer:", "answer", "the correct answer is", "option", "choice"]
    {
        if bare.get(..lead.len()).is_some_and(|start| start.eq_ignore_ascii_case(lead)) {
            bare = bare[lead.len()..].trim_start_matches([' ', ':']);
        }
    }
    let is_open = bare.starts_with('(');
    let mut chars = bare.trim_start_matches('(').chars();
    let label = chars.next().filter(|char| LABELS.contains(char))?;
    let rest = chars.as_str();
    let text = rest.trim_start_matches([')', '.', ':', ' ']);
    let joins = |text: &str| {
        [",", ";", "&", "and ", "or ", "+", "-", "*", "/", "=", "^"].iter().any(|sign| text.starts_with(sign))
    };
    match rest.chars().next() {
        None => Some(label),
        Some(')') if is_open => (!joins(text)).then_some(label),
        Some(')' | '.' | ':') => (!joins(text)).then_some(label),
        _ => None,
    }
}

/// The text without the marks of bold type and LaTeX.
fn plain(text: &str) -> String {
    let commands = [
        "\\textbf", "\\text", "\\mathrm", "\\mathbf", "\\quad", "\\,", "\\;", "\\ ", "\\(", "\\)", "\\boxed",
    ];
    let text = text.replace('’', "'");
    let text = match text.contains('\\') {
        true => commands.iter().fold(text, |text, command| text.replace(command, " ")),
        false => text,
    };
    text.chars().filter(|char| !"*_`${}\\~#\"👉".contains(*char)).collect()
}

/// Options that are named together with a stroke between them, so that no clause parts them: "A and B" as "A / B".
fn joined(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let label = |word: Option<&&str>| {
        let bare = word?.trim_matches(|char: char| "().,:;".contains(char));
        let mut chars = bare.chars();
        chars.next().filter(|label| LABELS.contains(label) && chars.next().is_none())
    };
    let mut text = String::with_capacity(line.len());
    for (at, word) in words.iter().enumerate() {
        let (before, this, next) =
            (at.checked_sub(1).and_then(|at| words.get(at)), words.get(at), words.get(at + 1));
        let differs = |a: Option<char>, b: Option<char>| a.is_some() && b.is_some() && a != b;
        let is_joint = matches!(*word, "and" | "or" | "&") && differs(label(before), label(next));
        let goes_on = matches!(words.get(at + 2), Some(&("is" | "was" | "would" | "seems")));
        if is_joint {
            text.push('/');
        } else if word.ends_with(',') && differs(label(this), label(next)) && !goes_on {
            text.push_str(word.trim_end_matches(','));
            text.push_str(" /");
        } else {
            text.push_str(word);
        }
        text.push(' ');
    }
    text
}

/// Clauses in order: what points, commas, dashes and some words part.
fn clauses(text: &str) -> Vec<&str> {
    const JOINTS: [&str; 12] = [
        ", but ",
        " but ",
        ", so ",
        " so ",
        ", while ",
        " while ",
        " whereas ",
        " and ",
        "nevertheless",
        "故",
        "所以",
        "hence ",
    ];
    let mut found = Vec::new();
    for line in text.split(['\n', ';', '?', '!', ',']) {
        let mut rest = line;
        // A point behind a label belongs to it: "B. 12".
        while let Some(at) =
            rest.match_indices(". ").map(|(at, _)| at).find(|at| !ends_in_label(&rest[..*at]))
        {
            found.push(&rest[..at]);
            rest = &rest[at + 2..];
        }
        found.push(rest);
    }
    let split = |clause: &&'_ str| JOINTS.iter().any(|joint| clause.contains(joint));
    let mut parts = Vec::new();
    for clause in found {
        let mut rest = clause;
        while split(&rest) {
            let first = JOINTS.iter().filter_map(|joint| Some((rest.find(joint)?, joint.len()))).min();
            let Some((at, length)) = first else { break };
            parts.push(&rest[..at]);
            rest = &rest[at + length..];
        }
        parts.push(rest);
    }
    let meant = |clause: &&'_ str| {
        let end = AGAINST
            .iter()
            .filter_map(|word| clause.find(word))
            .filter(|at| !labels(&clause[..*at]).is_empty())
            .min();
        end.unwrap_or(clause.len())
    };
    parts
        .into_iter()
        .map(|clause| clause[..meant(&clause)].trim())
        .filter(|clause| !clause.is_empty())
        .collect()
}

fn ends_in_label(text: &str) -> bool {
    let word = text.rsplit([' ', '(']).next().unwrap_or_default();
    word.len() == 1 && word.starts_with(|char| LABELS.contains(&char)) && text.len() < 4
}

/// The options that a clause names, each once. The article "A" is none.
fn labels(clause: &str) -> Vec<char> {
    const VERBS: [&str; 20] = [
        "is",
        "are",
        "were",
        "because",
        "over",
        "and",
        "or",
        "was",
        "seems",
        "as",
        "since",
        "holds",
        "satisfies",
        "would",
        "must",
        "has",
        "✓",
        "✗",
        "✅",
        "❌",
    ];
    let mut found = Vec::new();
    let mut words = clause.split([' ', '/', '，', '、']).peekable();
    let mut before = "";
    while let Some(word) = words.next() {
        let is_bracketed = word.starts_with('(') || word.contains(')');
        let bare = word.trim_matches(|char: char| "().:;[]'–-—✓✗✅❌".contains(char));
        // Writings without spaces set nothing between a label and their words.
        let bare = bare.trim_matches(exgrpo_guest_sdk::response::is_unspaced);
        let mut chars = bare.chars();
        let label = chars.next().filter(|label| LABELS.contains(label) && chars.next().is_none());
        let Some(label) = label else {
            before = word;
            continue;
        };
        let next = words.peek().copied().unwrap_or_default();
        let is_article = label == 'A'
            && !is_bracketed
            && bare == word
            && next.starts_with(|char: char| char.is_ascii_lowercase())
            && !VERBS.contains(&next);
        let is_name = matches!(
            before.to_lowercase().as_str(),
            "point" | "table" | "figure" | "vitamin" | "set" | "event" | "matrix"
        );
        if !is_article && !is_name && !found.contains(&label) {
            found.push(label);
        }
        before = word;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_clause_that_chooses_decides() {
        for text in [
            "Hence, option B is correct.",
            "I'd go with B.",
            "**B** is the right choice.",
            "I choose B over D, as it is more precise.",
            "It is B rather than D.",
            "The answer isn't D; it is B.",
            "D is tempting, but B is correct.",
            "Although D is partially true, B is the best answer.",
            "It can't be D, so it's B.",
            "Not D but B.",
            "A good approach: substitute. We get B.",
            "D is incorrect, B is correct.",
            "B is correct and D is incorrect.",
            "B",
            "选项D不对,所以选B.",
        ] {
            assert_eq!(chosen(text), Choice::One('B'), "{text}");
        }
        for text in [
            "The answer is not B.",
            "The answer is B and D.",
            "Answer: B, D",
            "A or B.",
            "B and D are correct",
            "A simple sum.",
            "",
            "B is wrong.",
        ] {
            assert!(!matches!(chosen(text), Choice::One(_)), "{text}");
        }
    }

    #[test]
    fn a_label_may_have_its_text_behind_it() {
        for text in [
            "B",
            "(B)",
            "B) 42",
            "B: 42",
            "\\textbf{(B)}\\ 42",
            "\\text{B. Paris}",
            "\\text{Answer: B}",
            "Option B",
        ] {
            assert_eq!(labelled(text), Some('B'), "{text}");
        }
        for text in ["B + 1", "(B) and (C)", "BC", "B, C", "x", "B = 3"] {
            assert_eq!(labelled(text), None, "{text}");
        }
    }
}
