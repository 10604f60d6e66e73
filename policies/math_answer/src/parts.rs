//! Gold answers in parts with names, `(a) 3, (b) 5`, and the parts of a response by their names.

use exgrpo_guest_sdk::response::Boxed;

use crate::expr::Expr;
use crate::{commands, compare, parser, plain};

/// Bytes of an answer in parts.
const MAX_LENGTH: usize = 600;
/// Bytes of one whose parts are worked out, each up to its box.
const MAX_WORKED: usize = 4_000;
/// Parts of one answer.
const MAX_PARTS: usize = 8;
/// Bytes before a box in which its name is looked for.
const MAX_BEFORE: usize = 600;
/// Names of parts in words.
const WORDS: [&str; 14] = [
    "maximum",
    "minimum",
    "mean",
    "median",
    "mode",
    "range",
    "area",
    "perimeter",
    "volume",
    "radius",
    "width",
    "height",
    "length",
    "circumference",
];
/// Other ways to write a name.
const SHORT: [(&str, &str); 6] = [
    ("max", "maximum"),
    ("min", "minimum"),
    ("maximal", "maximum"),
    ("minimal", "minimum"),
    ("largest", "maximum"),
    ("smallest", "minimum"),
];

/// A name and its value.
pub(crate) type Part = (String, String);

/// The boxes of a text by the names before them, `x = \boxed{3}`, where each has one, and each another one.
pub(crate) fn assigned(text: &str, boxes: &[Boxed<'_>]) -> Option<Vec<Part>> {
    if !(2..=MAX_PARTS).contains(&boxes.len()) {
        return None;
    }
    names_before(text, boxes)
}

/// The same of any number of boxes.
pub(crate) fn names_before(text: &str, boxes: &[Boxed<'_>]) -> Option<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    for boxed in boxes {
        let before = text.get(..boxed.range.start)?.trim_end_matches([' ', '$', '{', '&']);
        let before = before.strip_suffix('=')?.trim_end_matches([' ', '$', '&']);
        let rest = before.trim_end_matches(|char: char| char.is_ascii_alphanumeric() || char == '_');
        let greek = rest.chars().next_back().and_then(|letter| Some((letter, commands::greek(letter)?)));
        let (rest, name) = match greek {
            Some((letter, name)) if rest.len() == before.len() => (rest.trim_end_matches(letter), name),
            _ => (rest, &before[rest.len()..]),
        };
        let is_new = parts.iter().all(|(other, _)| other != name);
        // A number before `=` is a term of an equation, as is what an operator joins.
        let before = rest.trim_end();
        let is_term = before.ends_with(['+', '-', '*', '/', '^', '=', '\\', '}', ')']);
        let is_name = name.starts_with(|char: char| char.is_ascii_alphabetic()) && name.len() <= 8;
        if !is_new || is_term && !before.ends_with('\\') || !is_name {
            return None;
        }
        parts.push((name.to_owned(), boxed.content.to_owned()));
    }
    Some(parts)
}

/// The values of a list by the names that a response has for its parts, in their order; `None` where it names none.
pub(crate) fn in_order(list: &str, count: usize, response: &str) -> Option<Vec<Part>> {
    if !(2..=MAX_PARTS).contains(&count) {
        return None;
    }
    let families: [[&str; MAX_PARTS]; 3] = [
        ["a", "b", "c", "d", "e", "f", "g", "h"],
        ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii"],
        ["1", "2", "3", "4", "5", "6", "7", "8"],
    ];
    let has = |name: &&str| response.contains(&format!("({name})"));
    let names = families.iter().find(|names| names[..count].iter().all(has))?;
    let list = list.replace("\\text{ and }", " and ").replace("\\text{and}", " and ");
    let values: Vec<&str> =
        list.trim_matches(['$', ' ']).split([',', ';']).flat_map(|part| part.split(" and ")).collect();
    (values.len() == count).then(|| {
        let part = |(name, value): (&&str, &&str)| ((*name).to_owned(), value.trim().to_owned());
        names.iter().zip(&values).map(part).collect()
    })
}

/// The values that sentences give behind the names of the gold answer's parts, each at the beginning of its clause: "Part (a):
/// 3. Part (b): 5."
pub(crate) fn in_prose(gold: &[Part], text: &str) -> Option<Vec<String>> {
    if text.len() > MAX_WORKED {
        return None;
    }
    let bare = without_commands(text);
    let begins = |start: usize| {
        let before = bare[..start].trim_end_matches([' ', '*', '#', '$']);
        let words = before.rsplit(['.', '\n', ';', ',', ':']).next().unwrap_or_default().to_lowercase();
        let is_lead =
            |word: &str| matches!(word, "part" | "for" | "question" | "answer" | "problem" | "and" | "in");
        // "(a) 3 (b) 5"
        words
            .split_whitespace()
            .all(|word| is_lead(word) || word.starts_with('(') || !word.contains(char::is_alphabetic))
    };
    let headings: Vec<_> = names(&bare).into_iter().filter(|(start, ..)| begins(*start)).collect();
    let mut found: Vec<Option<String>> = vec![None; gold.len()];
    for (index, (_, end, name)) in headings.iter().enumerate() {
        let Some(place) = gold.iter().position(|(other, _)| other == name) else { continue };
        let next = headings.get(index + 1).map_or(text.len(), |(start, ..)| *start);
        let part = text.get(*end..next)?.trim_matches(|char: char| is_around(char));
        let part = without_lead(part);
        let part = ["is ", "are ", "= "].iter().find_map(|verb| part.strip_prefix(verb)).unwrap_or(part);
        *found.get_mut(place)? = crate::extract::candidates(part, true).answers.into_iter().next();
    }
    found.into_iter().collect()
}

/// The parts of an answer that names at least two, each by another name.
pub(crate) fn named(text: &str) -> Option<Vec<Part>> {
    let is_worked = text.contains('\\') && text.matches("\\boxed").count() >= 2;
    if text.len() > if is_worked { MAX_WORKED } else { MAX_LENGTH } {
        return None;
    }
    let text = without_commands(without_frame(text));
    let names = names(&text);
    let (first, ..) = names.first()?;
    let before = without_lead(text[..*first].trim_matches(is_around));
    if !(2..=MAX_PARTS).contains(&names.len()) || !before.is_empty() {
        return None;
    }
    let mut parts: Vec<Part> = Vec::new();
    for (index, (_, end, name)) in names.iter().enumerate() {
        let next = names.get(index + 1).map_or(text.len(), |(start, ..)| *start);
        let value =
            text.get(*end..next)?.trim_matches(is_around).trim_end_matches(" and").trim_matches(is_around);
        let value = without_lead(value);
        let value = ["is ", "are ", "= ", "the answer is ", "the result is "]
            .iter()
            .find_map(|verb| value.strip_prefix(verb))
            .unwrap_or(value);
        let value = unboxed(value.trim_matches(is_around));
        let has_value = value.contains(|char: char| char.is_ascii_digit() || "\\π∞√∅".contains(char));
        if !has_value || parts.iter().any(|(other, _)| other == name) {
            return None;
        }
        parts.push((name.clone(), value.to_owned()));
    }
    Some(parts)
}

/// The last box of each name of the gold answer's, in the gold answer's order; `None` where a name has none, or where other
/// boxes follow that have no name.
pub(crate) fn boxed(gold: &[Part], text: &str, boxes: &[Boxed<'_>]) -> Option<Vec<String>> {
    let mut found: Vec<Option<String>> = vec![None; gold.len()];
    let mut from = 0;
    let mut is_last_named = false;
    for boxed in boxes {
        let mut start = from.max(boxed.range.start.saturating_sub(MAX_BEFORE));
        while !text.is_char_boundary(start) {
            start += 1;
        }
        let before = text.get(start..boxed.range.start)?;
        from = boxed.range.end;
        let before = without_commands(before);
        let mut names = names(&before);
        // What "(b) By (a), it is" speaks of doesn't begin its line.
        let heading = names.iter().rposition(|(start, ..)| begins_line(&before[..*start]));
        let name = heading.map(|at| names.swap_remove(at)).or_else(|| names.pop()).map(|(.., name)| name);
        let place = name.and_then(|name| gold.iter().position(|(other, _)| *other == name));
        is_last_named = place.is_some();
        if let Some(place) = place {
            *found.get_mut(place)? = Some(boxed.content.to_owned());
        }
    }
    if is_last_named { found.into_iter().collect() } else { None }
}

/// Whether nothing but marks and "part" stands before a name in its line.
fn begins_line(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default().to_lowercase();
    let is_word = |word: &str| matches!(word, "part" | "for" | "question" | "answer");
    let mut words = line.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
    before.contains('\n') && words.all(is_word)
}

/// Whether values are those of the gold answer's parts, one by one.
pub(crate) fn are_same(gold: &[Part], values: &[String]) -> bool {
    let read = |text: &str| parser::parse(&plain::priced(&plain::plain(text))).ok();
    let is_same = |gold: &str, value: &str| {
        let pair: Option<(Expr, Expr)> = read(gold).zip(read(value));
        pair.is_some_and(|(gold, value)| compare::equivalent(&gold, &value) == Some(true))
    };
    gold.len() == values.len() && gold.iter().zip(values).all(|((_, gold), value)| is_same(gold, value))
}

/// The values of an answer by the names of the gold answer's parts, or in order where it has none: `3, 5`.
pub(crate) fn values(gold: &[Part], answer: &str) -> Option<Vec<String>> {
    if let Some(parts) = named(answer) {
        let value =
            |name: &String| parts.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
        return (parts.len() == gold.len())
            .then(|| gold.iter().map(|(name, _)| value(name)).collect())
            .flatten();
    }
    let listed: Vec<String> = answer
        .trim_matches(|char: char| is_around(char) || "()".contains(char))
        .split([',', ';'])
        .map(|value| value.trim().trim_start_matches("and ").to_owned())
        .collect();
    (listed.len() == gold.len()).then_some(listed)
}

/// A text without the words at its end that lead to the name of a part.
fn without_lead(text: &str) -> &str {
    const LEADS: [&str; 8] =
        ["and For part", "and for part", "For part", "for part", "and Part", "and part", "Part", "part"];
    let rest = LEADS.iter().find_map(|lead| text.strip_suffix(lead)).unwrap_or(text);
    let rest = rest.trim_end_matches(is_around);
    rest.strip_suffix("and").or_else(|| rest.strip_suffix("For")).unwrap_or(rest).trim_matches(is_around)
}

/// What is in a box that is all of a text.
fn without_frame(text: &str) -> &str {
    let bare = text.trim().trim_matches('$').trim();
    match exgrpo_guest_sdk::response::boxes(bare).as_slice() {
        [one] if one.range.start == 0 && one.range.end == bare.len() => one.content,
        _ => text,
    }
}

/// What is in the only box of a value, perhaps behind its working.
fn unboxed(value: &str) -> &str {
    let boxes = exgrpo_guest_sdk::response::boxes(value);
    match boxes.as_slice() {
        [boxed] => boxed.content,
        _ => value,
    }
}

fn is_around(char: char) -> bool {
    char.is_whitespace() || "$*_:;,.#-–—".contains(char) && char != '-' || char == '~'
}

/// A text with spaces in place of commands for spacing and around words, byte for byte.
fn without_commands(text: &str) -> String {
    let mut bare = text.to_owned();
    if !text.contains('\\') {
        return bare;
    }
    for command in
        ["\\textbf", "\\textit", "\\text", "\\mathrm", "\\mbox", "\\qquad", "\\quad", "\\,", "\\;", "\\ "]
    {
        if !bare.contains(command) {
            continue;
        }
        if command.starts_with("\\t") || command.starts_with("\\m") {
            bare = without_braces(&bare, command);
        } else {
            bare = bare.replace(command, &" ".repeat(command.len()));
        }
    }
    bare
}

/// A text with spaces in place of a command and its braces.
fn without_braces(text: &str, command: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, _) in text.match_indices(command) {
        let open = at + command.len();
        if bytes.get(open) != Some(&b'{') {
            continue;
        }
        let Some(close) = text[open..].find('}').map(|offset| open + offset) else { continue };
        bytes[at..=open].fill(b' ');
        bytes[close] = b' ';
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// The names of parts in a text, in order: where each begins and ends, and the name.
fn names(text: &str) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('(') {
        let Some(close) = text[at..].bytes().take(6).position(|byte| byte == b')') else { continue };
        let name = text[at + 1..at + close].trim().to_lowercase();
        let is_roman = !name.is_empty() && name.chars().all(|char| "ivx".contains(char));
        let is_letter = name.len() == 1 && name.starts_with(|char: char| ('a'..='h').contains(&char));
        let is_digit = name.len() == 1 && name.starts_with(|char: char| ('1'..='8').contains(&char));
        // `f(a)` is a value.
        let is_free = !text[..at].ends_with(|char: char| char.is_alphanumeric() || "\\^_})".contains(char));
        if is_free && (is_roman || is_letter || is_digit) {
            found.push((at, at + close + 1, name));
        }
    }
    if found.is_empty() {
        found = labels(text);
    }
    if !found.is_empty() {
        return found;
    }
    let mut start = None;
    for (at, char) in text.char_indices().chain([(text.len(), ' ')]) {
        match (char.is_alphabetic(), start) {
            (true, None) => start = Some(at),
            (false, Some(begin)) => {
                start = None;
                let word = &text[begin..at];
                let short = SHORT.iter().find(|(short, _)| short.eq_ignore_ascii_case(word));
                let name = short.map_or(word, |(_, name)| name);
                if let Some(name) = WORDS.iter().find(|other| other.eq_ignore_ascii_case(name)) {
                    found.push((begin, at, (*name).to_owned()));
                }
            }
            _ => {}
        }
    }
    found
}

/// Names of parts at the beginning of lines, without a bracket before them: `a)`, `b.`, `2.`.
fn labels(text: &str) -> Vec<(usize, usize, String)> {
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let label = |start: usize| {
        let line = &text[start..];
        let bare = line.trim_start_matches(['*', '#', ' ', '-', '_']);
        let name = bare.chars().next().filter(|char| matches!(char, 'a'..='h' | '1'..='8'))?;
        let behind = bare[1..].trim_start_matches('*').strip_prefix([')', '.', ':'])?;
        let at = start + line.len() - bare.len();
        let end = text.len() - behind.len();
        behind.starts_with([' ', '*', '\n']).then(|| (at, end, name.to_string()))
    };
    starts.filter_map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_have_the_names_before_them() {
        let shown = |text: &str| assigned(text, &exgrpo_guest_sdk::response::boxes(text));
        let pair = |first: &str, second: &str| (first.to_owned(), second.to_owned());
        assert_eq!(
            shown("$\\ell = \\boxed{8}$\n\nWidth: $w=\\boxed{29}$"),
            Some(vec![pair("ell", "8"), pair("w", "29")])
        );
        assert_eq!(
            shown("α=\\boxed{1}, $\\beta = \\boxed{2}$"),
            Some(vec![pair("alpha", "1"), pair("beta", "2")])
        );
        for text in ["x=\\boxed{1}, x=\\boxed{2}", "\\boxed{1}, y=\\boxed{2}", "x+y=\\boxed{1}, y=\\boxed{2}"]
        {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn parts_have_names_and_values() {
        let shown = |text: &str| {
            let parts = named(text)?;
            Some(
                parts
                    .into_iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        for (text, parts) in [
            ("(a) 297; (b) 83", "a=297 b=83"),
            ("\\text{(a) } 163 \\quad \\text{(b) } 78", "a=163 b=78"),
            ("(i) $\\frac{1}{2}$ (ii) $-3$", "i=\\frac{1}{2} ii=-3"),
            ("(a) \\boxed{375} (b) \\boxed{21}", "a=375 b=21"),
            ("(a) Half of 8 is \\boxed{4}.\n\n(b) So $x = \\boxed{9}$.", "a=4 b=9"),
            ("\\text{maximum } 34, \\text{ minimum } -13", "maximum=34 minimum=-13"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(parts), "{text}");
        }
        for text in
            ["(a, b) = (1, 2)", "f(a) = 3, f(b) = 4", "3, 5", "(a) 3", "(a) 3 (a) 4", "x(a)+(b)", "(a)(b)"]
        {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
