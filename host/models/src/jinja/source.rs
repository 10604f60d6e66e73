//! What is changed in a template's text before minijinja compiles it.

/// Function around what a `for` goes over.
pub(super) const LOOPED: &str = "__looped";
/// Function in place of the operator `%` behind a text.
pub(super) const FORMATTED: &str = "__formatted";

/// Function in place of `+` between texts of which one is safe.
pub(super) const ADDED: &str = "__added";

/// `text` for minijinja. Line breaks become single ones, as Jinja2 has them. `{% generation %}` marks what the assistant
/// said for transformers' training masks and writes nothing: it becomes a block that always runs. `for x in y` goes over
/// `__looped(y)`, `'..' % y` becomes `__formatted('..', y)`, `x|safe + y` becomes `__added(x|safe, y)`, and in `x ~ y` the
/// latter is written as Python writes it.
pub(super) fn for_minijinja(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text.as_str();
    while let Some(start) = rest.find("{%").into_iter().chain(rest.find("{{")).chain(rest.find("{#")).min() {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = end_of_tag(tag) else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end);
        rest = after;
        if tag.starts_with("{#") {
            out.push_str(tag);
            continue;
        }
        match tag[2..end - 2].trim_matches(['-', '+', ' ', '\n', '\t']) {
            "generation" => out.push_str(&tag.replacen("generation", "if true", 1)),
            "endgeneration" => out.push_str(&tag.replacen("endgeneration", "endif", 1)),
            // What follows is text up to the end of the block.
            "raw" => {
                out.push_str(tag);
                // Jinja2 keeps the line break behind this tag alone.
                if let (Some(behind), false) = (rest.strip_prefix('\n'), tag.ends_with("-%}")) {
                    out.push_str("{% endraw %}{{ '\\n' }}{% raw %}");
                    rest = behind;
                }
                let end = rest.find("endraw").unwrap_or(rest.len());
                out.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            _ => out.push_str(&expression(&tag[..2], &tag[2..end - 2], &tag[end - 2..])),
        }
    }
    out.push_str(rest);
    out
}

/// Where the tag that `text` begins with ends. Quoted texts may hold what ends tags.
fn end_of_tag(text: &str) -> Option<usize> {
    let close = match text.as_bytes().get(1)? {
        b'{' => "}}",
        b'%' => "%}",
        _ => return text.find("#}").map(|at| at + 2),
    };
    let bytes = text.as_bytes();
    let (mut at, mut open) = (2, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => at = end_of_text(bytes, at),
            b'{' | b'[' | b'(' => {
                open += 1;
                at += 1;
            }
            // `}}` closes two maps before it closes the tag.
            _ if open == 0 && bytes[at..].starts_with(close.as_bytes()) => return Some(at + 2),
            _ if close == "%}" && bytes[at..].starts_with(b"%}") => return Some(at + 2),
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                at += 1;
            }
            _ => at += 1,
        }
    }
    None
}

/// Position behind the quoted text that begins at `at`.
fn end_of_text(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != quote {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

fn expression(open: &str, inner: &str, close: &str) -> String {
    let inner = with_texts(&with_formatted(inner));
    let inner = if open == "{{" { with_added(&inner).unwrap_or(inner) } else { inner };
    let looped = if open == "{%" { with_looped(&inner) } else { None };
    format!("{open}{}{close}", looped.unwrap_or(inner))
}

/// A `for` tag whose iterable is wrapped; none for other tags.
fn with_looped(inner: &str) -> Option<String> {
    let begin = inner.len() - inner.trim_start_matches(['-', '+']).trim_start().len();
    let tail = inner[begin..].strip_prefix("for")?;
    if !tail.starts_with([' ', '\n', '\t', '(']) {
        return None;
    }
    let from = begin + 3 + word(tail, &["in"], 0)? + 2;
    let rest = &inner[from..];
    let end = word(rest, &["if", "recursive"], 0).unwrap_or_else(|| rest.trim_end_matches(['-', '+']).len());
    let (iterable, after) = rest.split_at(end);
    // A tuple without brackets stays one.
    Some(format!("{} {LOOPED}(({})) {after}", &inner[..from], iterable.trim()))
}

/// Where one of `words` stands outside of texts and brackets.
fn word(text: &str, words: &[&str], from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let (mut at, mut open) = (from, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => at = end_of_text(bytes, at),
            b'(' | b'[' | b'{' => {
                open += 1;
                at += 1;
            }
            b')' | b']' | b'}' => {
                open = open.saturating_sub(1);
                at += 1;
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let len = bytes[at..].iter().take_while(|byte| is_part(Some(*byte))).count();
                let is_attribute = at > 0 && bytes[at - 1] == b'.';
                if open == 0
                    && !is_attribute
                    && words.iter().any(|word| word.as_bytes() == &bytes[at..at + len])
                {
                    return Some(at);
                }
                at += len;
            }
            _ => at += 1,
        }
    }
    None
}

/// `'..' % operand` as a call. An operand is a text, a number, a name or something in brackets, with what is behind it:
/// attributes, items, calls, and filters, which bind closer than `%`.
fn with_formatted(inner: &str) -> String {
    let bytes = inner.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        if !matches!(bytes[at], b'\'' | b'"') {
            at += 1;
            continue;
        }
        let end = end_of_text(bytes, at);
        let behind = inner[end..].len() - inner[end..].trim_start().len() + end;
        if bytes.get(behind) != Some(&b'%') {
            at = end;
            continue;
        }
        let operand = inner[behind + 1..].len() - inner[behind + 1..].trim_start().len() + behind + 1;
        let stop = end_of_operand(bytes, operand);
        if stop == operand {
            at = end;
            continue;
        }
        out.push_str(&inner[copied..at]);
        out.push_str(&format!("{FORMATTED}({}, {})", &inner[at..end], with_formatted(&inner[operand..stop])));
        (copied, at) = (stop, stop);
    }
    out.push_str(&inner[copied..]);
    out
}

/// `x ~ y` with `y|string`: floats, truth values and none are written otherwise by minijinja. Of a chain the first operand,
/// a text as good as always, stays.
fn with_texts(inner: &str) -> String {
    let bytes = inner.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => at = end_of_text(bytes, at),
            b'~' => {
                let operand = at + 1 + spaces(bytes, at + 1);
                let stop = end_of_operand(bytes, operand);
                let behind = inner.get(stop + spaces(bytes, stop)..).unwrap_or_default();
                // These bind closer than `~`.
                let goes_on = behind.starts_with(['*', '/', '%', '|'])
                    || behind.strip_prefix("is").is_some_and(|rest| rest.starts_with(char::is_whitespace));
                at += 1;
                if stop > operand && !goes_on && &inner[operand..stop] != "not" {
                    out.push_str(&inner[copied..operand]);
                    out.push_str(&with_texts(&inner[operand..stop]));
                    out.push_str("|string");
                    (copied, at) = (stop, stop);
                }
            }
            _ => at += 1,
        }
    }
    out.push_str(&inner[copied..]);
    out
}

/// A sum of operands of which one is made safe, and nothing else, as a call; none for other expressions.
fn with_added(inner: &str) -> Option<String> {
    let bytes = inner.as_bytes();
    let (open, rest) = (inner.len() - inner.trim_start_matches('-').len(), inner.trim_end_matches('-').len());
    let (mut at, mut operands) = (open, Vec::new());
    loop {
        let from = at + spaces(bytes, at);
        let end = end_of_operand(&bytes[..rest], from);
        operands.push(inner.get(from..end).filter(|operand| !operand.is_empty())?);
        at = end + spaces(&bytes[..rest], end);
        match bytes.get(at) {
            Some(b'+') if at < rest => at += 1,
            _ if at >= rest => break,
            _ => return None,
        }
    }
    let is_safe = |operand: &&str| {
        let filter = operand.trim_end_matches(')').rsplit('|').next().unwrap_or_default().trim();
        operand.contains('|') && ["safe", "e", "escape"].contains(&filter)
    };
    if operands.len() < 2 || !operands.iter().any(is_safe) {
        return None;
    }
    Some(format!("{} {ADDED}({}) {}", &inner[..open], operands.join(", "), &inner[rest..]))
}

/// Number of white spaces from `from` on.
fn spaces(bytes: &[u8], from: usize) -> usize {
    bytes.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Position behind the operand that begins at `at`; `at` itself where none does.
fn end_of_operand(bytes: &[u8], at: usize) -> usize {
    let name = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
            .count()
    };
    // Position behind `|name`, which spaces may surround.
    let filter = |from: usize| {
        let bar = from + spaces(bytes, from);
        let first = bar + 1 + spaces(bytes, bar + 1);
        let is_filter = bytes.get(bar) == Some(&b'|') && first < bytes.len();
        Some(first).filter(|_| is_filter).map(|first| first + name(first)).filter(|behind| *behind > first)
    };
    let mut end = match bytes.get(at) {
        Some(b'\'' | b'"') => end_of_text(bytes, at),
        Some(b'(' | b'[' | b'{') => end_of_brackets(bytes, at),
        Some(byte) if byte.is_ascii_alphanumeric() || *byte == b'_' => at + name(at),
        _ => return at,
    };
    loop {
        end = match bytes.get(end) {
            Some(b'(' | b'[') => end_of_brackets(bytes, end),
            Some(b'.') => end + name(end),
            _ => match filter(end) {
                Some(behind) => behind,
                None => return end,
            },
        };
    }
}

/// Position behind the bracket that closes the one at `at`.
fn end_of_brackets(bytes: &[u8], mut at: usize) -> usize {
    let mut open = 0usize;
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => {
                at = end_of_text(bytes, at);
                continue;
            }
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if open == 0 {
            return at;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_python_does_otherwise_is_rewritten() {
        for (text, expected) in [
            ("a\r\nb\rc", "a\nb\nc"),
            ("{%- generation -%}x{% endgeneration %}", "{%- if true -%}x{% endif %}"),
            (
                "{% for a, b in x.items() if a in 'in' -%}",
                "{% for a, b in __looped((x.items())) if a in 'in' -%}",
            ),
            ("{%- for t in tools %}", "{%- for t in __looped((tools)) %}"),
            (
                "{% for t in (a if b else c) recursive %}",
                "{% for t in __looped(((a if b else c))) recursive %}",
            ),
            ("{% for x in 'a %} in b' %}", "{% for x in __looped(('a %} in b')) %}"),
            ("{% format in x %}{{ 'for a in b' }}", "{% format in x %}{{ 'for a in b' }}"),
            ("{{ '%s-%d' % (a, b) ~ 'x' }}", "{{ __formatted('%s-%d', (a, b)) ~ 'x'|string }}"),
            ("{{ a ~ b.c[0] | f ~ (d ~ e) }}", "{{ a ~ b.c[0] | f|string ~ (d ~ e|string)|string }}"),
            ("{{ a ~ b * 2 }}{{ a ~ b is none }}", "{{ a ~ b * 2 }}{{ a ~ b is none }}"),
            ("{{ a ~ not b }}{{ '~ x' }}{{ a ~", "{{ a ~ not b }}{{ '~ x' }}{{ a ~"),
            (
                "{% set x = \"%s\" % m['a'].b(1)[2]|trim %}",
                "{% set x = __formatted(\"%s\", m['a'].b(1)[2]|trim) %}",
            ),
            ("{{ '%s' % x | f(1)|g ~ y }}", "{{ __formatted('%s', x | f(1)|g) ~ y|string }}"),
            ("{{ 'a'|safe + b|tojson + (c + d) -}}", "{{ __added('a'|safe, b|tojson, (c + d)) -}}"),
            ("{{ a|e + b * 2 }}{{ a + b }}", "{{ a|e + b * 2 }}{{ a + b }}"),
            ("{{ 7 % 3 }}{{ x % 'a' }}{% set a = 'b' %}", "{{ 7 % 3 }}{{ x % 'a' }}{% set a = 'b' %}"),
            ("{# '%s' % a #}{{ {'a': {'b': 1}} }}", "{# '%s' % a #}{{ {'a': {'b': 1}} }}"),
            ("{% raw %}{{ '%s' % a }}{% endraw %}", "{% raw %}{{ '%s' % a }}{% endraw %}"),
            ("{% raw %}\nx{% endraw %}", "{% raw %}{% endraw %}{{ '\\n' }}{% raw %}x{% endraw %}"),
            ("{% raw -%}\nx{% endraw %}", "{% raw -%}\nx{% endraw %}"),
            ("{% for x in", "{% for x in"),
            ("é{{ 'é' % 'ü' }}ß", "é{{ __formatted('é', 'ü') }}ß"),
        ] {
            assert_eq!(for_minijinja(text).replace(") )", "))").replace("  ", " "), expected, "{text}");
        }
    }
}
