//! The configuration as TOML with a comment on every key: what it is, its words and its default. What is said stands in
//! docs/src/reference/configuration.md, which a test holds against the sources.

use std::collections::BTreeMap;

const REFERENCE: &str = include_str!("../../../../docs/src/reference/configuration.md");
/// Characters of a comment's line.
const WIDTH: usize = 110;

/// What the reference says of a key.
#[derive(Debug, Default)]
struct Key {
    kind: String,
    /// `None` where the key is optional.
    default: Option<String>,
    doc: String,
    /// The words that it may be, and what each means.
    words: Vec<(String, String)>,
}

/// Keys by their dotted names, in the order of the reference, and what it says of each section.
#[derive(Debug, Default)]
struct Reference {
    names: Vec<String>,
    keys: BTreeMap<String, Key>,
    sections: BTreeMap<String, String>,
}

impl Reference {
    fn read() -> Self {
        let mut read = Self::default();
        let (mut section, mut one_of) = (String::new(), String::new());
        for line in REFERENCE.lines() {
            if let Some(name) = line.strip_prefix("## ") {
                let name = name.strip_prefix("`[").and_then(|name| name.strip_suffix("]`"));
                section = name.unwrap_or_default().to_owned();
            } else if let Some(row) = line.strip_prefix("| `") {
                let cells: Vec<&str> = row.trim_end_matches(" |").splitn(4, " | ").collect();
                let [name, kind, default, doc] = cells[..] else { continue };
                let name = name.trim_end_matches('`').to_owned();
                let default = default.strip_prefix('`').and_then(|value| value.strip_suffix('`'));
                let key = Key {
                    kind: kind.to_owned(),
                    default: default.map(str::to_owned),
                    doc: doc.replace("\\|", "|"),
                    words: Vec::new(),
                };
                read.names.push(name.clone());
                read.keys.insert(name, key);
            } else if let Some(name) = line.strip_suffix("` is one of:") {
                one_of = name.trim_start_matches('`').to_owned();
            } else if let Some((word, doc)) = line.strip_prefix("* `").and_then(|line| line.split_once("`: "))
            {
                if let Some(key) = read.keys.get_mut(&one_of) {
                    key.words.push((word.to_owned(), doc.to_owned()));
                }
            } else if !line.is_empty() && !line.starts_with('|') && !section.is_empty() {
                read.sections.entry(section.clone()).or_insert_with(|| line.to_owned());
            }
        }
        read
    }
}

/// `toml`, a whole configuration as it is written, with comments. Keys that it leaves out are shown as comments.
pub(super) fn described(toml: &str) -> String {
    let reference = Reference::read();
    let mut lines = Vec::new();
    let mut section = String::new();
    let mut shown: Vec<String> = Vec::new();
    for line in toml.lines() {
        let header = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
        if let Some(name) = header {
            close(&mut lines, &reference, &section, &mut shown);
            lines.push(String::new());
            if let Some(said) = reference.sections.get(name) {
                comment(&mut lines, said);
            }
            // A table within a section is a key's value.
            if let Some(key) = reference.keys.get(name) {
                comment(&mut lines, &key.doc);
                shown.push(name.to_owned());
            }
            lines.push(line.to_owned());
            section = name.to_owned();
            continue;
        }
        if let Some((name, value)) = line.split_once(" = ") {
            let name = dotted(&section, name);
            if let Some(key) = reference.keys.get(&name) {
                explain(&mut lines, key, Some(value));
                shown.push(name);
            }
        }
        if !line.is_empty() {
            lines.push(line.to_owned());
        }
    }
    close(&mut lines, &reference, &section, &mut shown);
    lines.join("\n").trim().to_owned()
}

fn dotted(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The keys of a section that it does not give, as comments.
fn close(lines: &mut Vec<String>, reference: &Reference, section: &str, shown: &mut Vec<String>) {
    let own = |name: &str| name.rsplit_once('.').map_or("", |(section, _)| section) == section;
    for name in reference.names.iter().filter(|name| own(name)) {
        let Some(key) = reference.keys.get(name).filter(|key| key.default.is_none()) else { continue };
        if shown.contains(name) {
            continue;
        }
        explain(lines, key, None);
        lines.push(format!("# {} = ({}, not given)", name.rsplit('.').next().unwrap_or_default(), key.kind));
        shown.push(name.clone());
    }
}

/// The comment of a key that has this value.
fn explain(lines: &mut Vec<String>, key: &Key, value: Option<&str>) {
    lines.push(String::new());
    comment(lines, &key.doc);
    for (word, said) in &key.words {
        comment(lines, &format!("  \"{word}\": {said}"));
    }
    if let (Some(default), Some(value)) = (&key.default, value)
        && default != value
    {
        comment(lines, &format!("Default, with neither data nor a model of your own: {default}"));
    }
}

/// A text as comments, its words never parted.
fn comment(lines: &mut Vec<String>, text: &str) {
    let indent = " ".repeat(text.len() - text.trim_start().len());
    let mut line = format!("# {indent}");
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, format!("# {indent}  ")));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn comments_change_nothing_and_leave_no_key_out() {
        for overrides in [vec![], vec!["optim.lr=0.5".to_owned(), "policy.params.mu=0.25".to_owned()]] {
            let config = Config::resolve(None, &overrides).unwrap();
            let page = config.described().unwrap();
            let table: toml::Table = page.parse().unwrap();
            assert_eq!(table, config.to_toml().unwrap().parse().unwrap());
            let reference = Reference::read();
            assert!(reference.names.len() > 70, "{}", reference.names.len());
            for (name, key) in &reference.keys {
                let own = name.rsplit('.').next().unwrap();
                let is_there = page.lines().any(|line| {
                    let line = line.trim_start_matches("# ");
                    line.starts_with(&format!("{own} = ")) || line == format!("[{name}]")
                });
                // An empty table of a section is not written.
                assert!(is_there || key.default.as_deref() == Some("{}"), "{name}");
                let first = key.doc.split_whitespace().next().unwrap();
                assert!(page.contains(&format!("# {first}")), "{name}");
                for (word, _) in &key.words {
                    assert!(page.contains(&format!("#   \"{word}\": ")), "{name} {word}");
                }
            }
            assert!(page.lines().filter(|line| line.starts_with('#')).all(|line| line.len() < 200));
        }
        let page = Config::resolve(None, &["optim.lr=0.5".to_owned()]).unwrap().described().unwrap();
        assert!(
            page.contains("# Default, with neither data nor a model of your own: 0.0001\nlr = 0.5\n"),
            "{page}"
        );
    }
}
