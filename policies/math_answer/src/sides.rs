//! The sides of a box in its formula: what before it and behind it belongs to its value.

/// Commands that only dress what follows them in braces; the value in them is that of the box.
const DRESSING: [&str; 22] = [
    "text",
    "textbf",
    "textit",
    "mathbf",
    "mathrm",
    "mathit",
    "mathsf",
    "mbox",
    "bf",
    "bm",
    "boldsymbol",
    "underline",
    "underbrace",
    "color",
    "textcolor",
    "colorbox",
    "fcolorbox",
    "displaystyle",
    "large",
    "Large",
    "huge",
    "ensuremath",
];
/// Commands behind which a formula says something anew.
const PARTING: [&str; 40] = [
    "equiv",
    "approx",
    "sim",
    "simeq",
    "cong",
    "doteq",
    "coloneqq",
    "to",
    "rightarrow",
    "longrightarrow",
    "implies",
    "Rightarrow",
    "Longrightarrow",
    "iff",
    "Leftrightarrow",
    "Longleftrightarrow",
    "therefore",
    "because",
    "quad",
    "qquad",
    "in",
    "pmod",
    "bmod",
    "mod",
    "tag",
    "label",
    "checkmark",
    "blacksquare",
    "square",
    "Box",
    "qed",
    "hfill",
    "hspace",
    "clubsuit",
    "text",
    "textbf",
    "textit",
    "mathrm",
    "mbox",
    "operatorname",
];
/// Commands that say nothing.
const SILENT: [&str; 18] = [
    "left",
    "right",
    "big",
    "Big",
    "bigl",
    "bigr",
    "Bigl",
    "Bigr",
    "displaystyle",
    "textstyle",
    "large",
    "Large",
    "huge",
    "Huge",
    "limits",
    "bf",
    "boldsymbol",
    "%",
];
const BOUNDS: [&str; 6] = ["le", "leq", "leqslant", "ge", "geq", "geqslant"];
/// Signs and commands that work on the value beside them, or compare it.
pub(crate) const OPERATORS: [&str; 26] = [
    "+", "-", "−", "*", "/", "^", "<", ">", "≠", "≤", "≥", "{", "×", "÷", "·", "±", "√", "\\cdot", "\\times",
    "\\div", "\\pm", "\\mp", "\\ne", "\\neq", "\\neg", "\\lnot",
];

/// A sign of a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign<'a> {
    Command(&'a str),
    Word(&'a str),
    Char(char),
}

/// The sign that a text begins with, and its length.
pub(crate) fn next(text: &str) -> Option<(Sign<'_>, usize)> {
    let first = text.chars().next()?;
    if first == '\\' {
        let length = text[1..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let length = if length > 0 { length } else { text[1..].chars().next().map_or(0, char::len_utf8) };
        return Some((Sign::Command(&text[1..=length]), length + 1));
    }
    if first.is_alphabetic() {
        let length = text.find(|char: char| !char.is_alphabetic()).unwrap_or(text.len());
        return Some((Sign::Word(&text[..length]), length));
    }
    Some((Sign::Char(first), first.len_utf8()))
}

/// The end of a formula before a box that belongs to its value, and how many braces of it are open.
pub(crate) fn tail(text: &str, is_formula: bool) -> (&str, usize) {
    // Where the current part of each level begins, and whether its brace only dresses.
    let mut levels = vec![(0, false)];
    let mut clause = 0;
    let (mut at, mut before, mut closed) = (0, Sign::Char(' '), false);
    while let Some((sign, length)) = next(&text[at..]) {
        let end = at + length;
        let start = levels.last().map_or(0, |(start, _)| *start);
        let since = text.get(start..at).unwrap_or_default();
        let parts = match sign {
            Sign::Char('{') => {
                let dresses = match before {
                    Sign::Command(name) => DRESSING.contains(&name),
                    Sign::Char('}') => closed,
                    Sign::Char(char) => !matches!(char, '^' | '_' | ']'),
                    Sign::Word(_) => false,
                };
                levels.push((end, dresses));
                false
            }
            Sign::Char('}') => {
                if levels.len() > 1 {
                    closed = levels.pop().is_some_and(|(_, dresses)| dresses);
                }
                // Behind `\text{so}`, or the color of `\textcolor{red}{..}`.
                false
            }
            Sign::Char('=') => !since.ends_with(['!', '<', '>']) && !since.ends_with("\\not"),
            Sign::Char('&' | ':' | ';' | '≈' | '→' | '⇒' | '∴') => true,
            Sign::Char('.' | '!' | '?') => text[end..].starts_with([' ', '\n']),
            Sign::Char(',') => {
                let said = text.get(clause.max(start)..at).unwrap_or_default();
                let is_value = is_formula
                    && said
                        .trim_start_matches(['-', '(', '\\', '$', ' '])
                        .starts_with(|char: char| char.is_ascii_alphanumeric())
                    && !text.get(clause..at).unwrap_or_default().contains('=');
                clause = end;
                !is_value || levels.len() > 1
            }
            Sign::Char(')' | '|' | '"') => !is_formula,
            Sign::Char('≤' | '≥') => !is_name(since),
            Sign::Command(name) if BOUNDS.contains(&name) => !is_name(since),
            Sign::Command("boxed") => true,
            Sign::Command(name) => PARTING.contains(&name),
            // "find 3" and in a formula "or"; a single letter is a variable there.
            Sign::Word(word) => {
                !is_formula && (word.len() > 1 || word == "a") || word.len() > 2 && !text[..at].ends_with('{')
            }
            Sign::Char(_) => false,
        };
        if parts {
            if let Some(level) = levels.last_mut() {
                level.0 = end;
            }
            // What is in the braces of words and rooms is no part either.
            if let (Sign::Command(_), true) = (sign, text[end..].starts_with('{'))
                && let Some(close) = text[end..].find('}')
            {
                if let Some(level) = levels.last_mut() {
                    level.0 = end + close + 1;
                }
                at = end + close + 1;
                before = Sign::Char('}');
                continue;
            }
        }
        if sign != Sign::Char(' ') {
            before = sign;
        }
        at = end;
    }
    let open = levels.len() - 1;
    let kept = (0..=open).rev().find(|level| *level == 0 || levels[*level].1).unwrap_or(0);
    (&text[levels[kept].0..], open - kept)
}

/// The beginning of a formula behind a box that belongs to its value, where so many braces close.
pub(crate) fn head(text: &str, closing: usize, is_formula: bool) -> &str {
    let mut depth = 0_usize;
    let mut left = closing;
    let mut at = 0;
    let mut kept = 0;
    while let Some((sign, length)) = next(&text[at..]) {
        let end = at + length;
        let rest = &text[end..];
        let is_inside = depth > 0 || left > 0;
        let begins = text[kept..at].trim().is_empty() && kept == at - text[kept..at].len();
        match sign {
            Sign::Char('{') => depth += 1,
            Sign::Char('}') if depth > 0 => depth -= 1,
            Sign::Char('}') if left > 0 => left -= 1,
            Sign::Char('}' | '&' | ':' | ';' | '=' | '≈' | '→' | '⇒' | '"' | '?' | '∎' | '■')
                if !is_inside =>
            {
                break;
            }
            Sign::Char('}') => break,
            Sign::Char('.') if rest.is_empty() || rest.starts_with(char::is_whitespace) => break,
            Sign::Char('°' | '%' | '€' | '£' | '_' | '`') if kept == 0 && begins => {}
            Sign::Char('^')
                if begins && ["\\circ", "{\\circ}", "\\degree"].iter().any(|sign| rest.starts_with(sign)) =>
            {
                at = end
                    + rest.find("\\circ").map_or(7, |place| place + 5)
                    + usize::from(rest.starts_with('{'));
                continue;
            }
            Sign::Char(',') if !is_inside && !lists(rest, is_formula) => break,
            Sign::Char('<')
                if !rest.starts_with([' ', '\\', '='])
                    && !rest.starts_with(|char: char| char.is_ascii_digit()) =>
            {
                break;
            }
            Sign::Char('*') if !is_formula && !rest.starts_with(|char: char| char.is_ascii_digit()) => {
                at = end;
                continue;
            }
            Sign::Char('-' | '–' | '—' | '(' | ')' | '[' | ']' | '|' | '!' | '/' | '\'')
                if !is_formula && !is_inside =>
            {
                let is_joined = at == 0
                    && rest.starts_with(|char: char| char.is_ascii_digit())
                    && matches!(sign, Sign::Char('-' | '/'));
                if !is_joined {
                    break;
                }
            }
            Sign::Char(char) if char.is_ascii_digit() && !is_formula && !is_inside && kept == 0 && at > 0 => {
                break;
            }
            Sign::Char(')' | ']') if !is_inside && !text[..at].contains(['(', '[']) && closing == 0 => {
                // The bracket that opened before the box closes.
            }
            Sign::Command("circ" | "degree" | "%" | "$" | "," | ";" | "!" | ":" | " ") => {
                at = end;
                if kept == 0 || text[kept..at].trim().is_empty() {
                    kept = 0;
                }
                continue;
            }
            Sign::Command("text" | "textbf" | "mathrm" | "mbox") if !is_inside => {
                let word = rest.trim_start_matches(['{', ' ']);
                let joint = ["or", "and"].iter().find_map(|word_| word.strip_prefix(word_));
                let listed = joint.and_then(|rest| rest.trim_start_matches([' ', '}']).into());
                match listed {
                    Some(listed) if lists(listed, is_formula) => {
                        return text.get(..text.len()).unwrap_or_default();
                    }
                    _ => break,
                }
            }
            Sign::Command("boxed") if !is_inside => return "",
            Sign::Command(name) if !is_inside && PARTING.contains(&name) => break,
            Sign::Word("or" | "and") if !is_inside && lists(rest, is_formula) => {}
            Sign::Word(word)
                if !is_inside && (!is_formula && !is_constant(word, at, text) || word.len() > 2) =>
            {
                break;
            }
            _ => {}
        }
        at = end;
        kept = end;
    }
    text[..kept].trim_start_matches(['°', '%', '_', '`', ' ', '~']).trim_end_matches([' ', '~'])
}

/// The constant of an integral behind a box: "+ C".
fn is_constant(word: &str, at: usize, text: &str) -> bool {
    matches!(word, "C" | "c") && text[..at].trim_end().ends_with('+')
}

/// Whether a value follows a comma that is no equation of its own, and ends there.
fn lists(rest: &str, is_formula: bool) -> bool {
    let item = rest.trim_start_matches([' ', '$', '\\', ',', ';', '~']);
    let bare = item.trim_start_matches('-');
    let length =
        bare.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.' || *byte == b'/').count();
    let behind = bare[length..].trim_start();
    let ends = behind.is_empty() || behind.starts_with(['.', ',', '$', ')', '!']);
    let is_number = length > 0 && bare.starts_with(|char: char| char.is_ascii_digit());
    is_number && ends
        || is_formula && item.len() + 1 < rest.len() && rest.contains("\\frac") && !rest.contains('=')
}

/// Whether a name stands before a comparison: `x \ge`, and not `x + \frac1x \ge`, which gives a least value.
fn is_name(text: &str) -> bool {
    let bare = text.trim_matches([' ', '$']);
    bare.chars().count() <= 1 || bare.contains('_') && bare.len() < 6
}

/// Whether what stands before a value ends in a sign that works on it.
pub(crate) fn works_on(left: &str) -> bool {
    let bare = left.trim_end();
    let touches = left.len() == bare.len();
    if bare.ends_with(|char: char| char.is_ascii_digit()) {
        return touches;
    }
    // An arrow, a quote or a tag: "=>", "> 3", "<answer>3".
    if let Some(rest) = bare.strip_suffix('>') {
        let is_tag = rest.rfind('<').is_some_and(|at| !rest[at..].contains(' '));
        return !(is_tag || rest.trim().is_empty() || rest.ends_with(['=', '-', '–', '>', '|']));
    }
    // A dash or a list's mark, and a mark of bold type.
    if bare.ends_with(['-', '−', '*']) {
        let rest = bare.trim_end_matches(['-', '−', '*']);
        let is_single = bare.chars().count() - rest.chars().count() == 1;
        let is_operand = rest.trim_end().ends_with(|char: char| char.is_ascii_digit() || char == ')');
        return is_single
            && (is_operand || touches && !bare.ends_with('*') && !rest.ends_with(char::is_alphabetic));
    }
    OPERATORS
        .iter()
        .chain(&["\\le", "\\leq", "\\ge", "\\geq", "\\lt", "\\gt", "\\sqrt", "!="])
        .any(|sign| bare.ends_with(sign))
}

/// Without signs of currency, marks and commands that say nothing.
pub(crate) fn without_marks(left: &str) -> &str {
    let mut left = left.trim();
    loop {
        let before = left;
        left = left.trim_start_matches(['~', '€', '£', '*', '_', ' ', ',', '`']);
        left = left.trim_end_matches(['~', '€', '£', ' ', '`']);
        for (sign, length) in [next(left)].into_iter().flatten() {
            if let Sign::Command(name) = sign
                && (SILENT.contains(&name) && !["left", "bigl", "Bigl", "big", "Big"].contains(&name)
                    || matches!(name, "," | ";" | "!" | ":" | " " | "$"))
            {
                left = left[length..].trim_start();
            }
        }
        for end in
            ["\\,", "\\;", "\\!", "\\:", "\\ ", "\\$", "\\displaystyle", "\\Large", "\\large", "\\huge"]
        {
            left = left.strip_suffix(end).unwrap_or(left).trim_end();
        }
        if left == before {
            return left;
        }
    }
}
