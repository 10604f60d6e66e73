//! docs/src/reference/configuration.md says what the program says of every key: type and documentation as in the sources
//! of the sections, defaults as in the configuration that nobody has changed.

use std::collections::BTreeMap;
use std::fmt::Write;

use exgrpo_core::blessed;

use super::Config;

/// Where the sections and their words are declared.
const SOURCES: [&str; 7] = [
    include_str!("mod.rs"),
    include_str!("sections.rs"),
    include_str!("../dataset/layout/mod.rs"),
    include_str!("../../../models/src/section.rs"),
    include_str!("../../../engine/src/lib.rs"),
    include_str!("../../../engine/src/objective/section.rs"),
    include_str!("../../../policy/src/config.rs"),
];

const HEAD: &str = "\
# Configuration: every key

This page is generated from the program; a test compares them. `exgrpo-host config` prints what a run would have, and \
[Configuration](../configuration.md) says how a configuration comes about.

A default of *none* means that the key is optional. Where data or a model of your own are given, or an objective other \
than `exgrpo`, some defaults are others: the text of the key says which.
";

/// A struct or an enum of the sources.
struct Item {
    name: String,
    doc: String,
    members: Vec<Member>,
}

/// A field or a variant.
struct Member {
    name: String,
    /// Of a field.
    kind: String,
    doc: String,
}

#[test]
fn every_key_is_documented_in_the_reference() {
    let items: BTreeMap<String, Item> =
        SOURCES.iter().flat_map(|source| items(source)).map(|item| (item.name.clone(), item)).collect();
    let mut defaults = defaults(&Config::default().to_toml().unwrap());
    let mut page = HEAD.to_owned();
    let config = &items["Config"];
    let (keys, sections): (Vec<&Member>, Vec<&Member>) = config
        .members
        .iter()
        .partition(|member| !member.kind.ends_with("Section") && member.kind != "GuestConfig");
    page.push_str("\n## Without a section\n\n");
    section(&mut page, "", &keys, &items, &mut defaults);
    for member in sections {
        let item = &items[&member.kind];
        // Most sections say no more of themselves than their name.
        let own = item.doc.trim_start_matches(&format!("`[{}]`", member.name)).trim_start_matches(':').trim();
        let said = if own.is_empty() { member.doc.clone() } else { capitalized(own) };
        let _ = write!(page, "\n## `[{}]`\n\n{said}\n\n", member.name);
        let prefix = format!("{}.", member.name);
        section(&mut page, &prefix, &item.members.iter().collect::<Vec<_>>(), &items, &mut defaults);
    }
    assert!(defaults.is_empty(), "keys without documentation: {:?}", defaults.keys());
    blessed::compare("docs/src/reference/configuration.md", &page)
        .unwrap_or_else(|problem| panic!("{problem}"));
}

/// The table of a section's keys, and the words of those that take one of a few.
fn section(
    page: &mut String,
    prefix: &str,
    keys: &[&Member],
    items: &BTreeMap<String, Item>,
    defaults: &mut BTreeMap<String, String>,
) {
    page.push_str("| key | type | default | what it is |\n|---|---|---|---|\n");
    let mut words = String::new();
    for key in keys {
        let name = format!("{prefix}{}", key.name);
        assert!(!key.doc.is_empty(), "{name} has no documentation");
        let optional = key.kind.strip_prefix("Option<").and_then(|kind| kind.strip_suffix('>'));
        let kind = match items.get(optional.unwrap_or(&key.kind)) {
            Some(item) => {
                explain(&mut words, &name, item);
                "word"
            }
            None => type_of(optional.unwrap_or(&key.kind)),
        };
        let default = match defaults.remove(&name) {
            Some(value) => format!("`{value}`"),
            None => {
                assert!(optional.is_some(), "{name} has no default");
                "*none*".to_owned()
            }
        };
        let _ = writeln!(page, "| `{name}` | {kind} | {default} | {} |", key.doc.replace('|', "\\|"));
    }
    page.push_str(&words);
}

/// What each word of a key means; the program must take all of them.
fn explain(page: &mut String, key: &str, item: &Item) {
    let _ = write!(page, "\n`{key}` is one of:\n\n");
    for member in &item.members {
        let word = kebab(&member.name);
        assert!(!member.doc.is_empty(), "{key} = {word} has no documentation");
        // Contradictions aside: not every word goes with the other defaults.
        if let Err(error) = Config::resolve(None, &[format!("{key}={word}")]) {
            let error = format!("{error:#}");
            assert!(!error.contains("unknown variant"), "{key} = {word}: {error}");
        }
        let _ = writeln!(page, "* `{word}`: {}", member.doc);
    }
}

fn type_of(kind: &str) -> &'static str {
    match kind {
        "u32" | "u64" | "usize" => "integer",
        "f32" | "f64" => "number",
        "bool" => "boolean",
        "String" => "string",
        "Vec<PathBuf>" => "list of paths",
        "BTreeMap<String, toml::Value>" => "table",
        other => panic!("the reference has no word for {other}"),
    }
}

/// Values by dotted key, as TOML has them.
fn defaults(text: &str) -> BTreeMap<String, String> {
    let mut defaults = BTreeMap::new();
    let mut prefix = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            // A table within a section is a key's value.
            if name.contains('.') {
                defaults.insert(name.to_owned(), "{}".to_owned());
            }
            prefix = format!("{name}.");
        } else if let Some((key, value)) = line.split_once(" = ") {
            defaults.insert(format!("{prefix}{key}"), value.to_owned());
        }
    }
    defaults
}

/// The public structs and enums of a source, as rustfmt lays them out.
fn items(source: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut is_within = false;
    let mut doc = String::new();
    for line in source.lines() {
        let text = line.trim();
        if let Some(more) = text.strip_prefix("///") {
            doc = format!("{doc}{more}");
            continue;
        }
        if text.starts_with("#[") {
            continue;
        }
        let said = std::mem::take(&mut doc).trim().replace("[`", "`").replace("`]", "`");
        let begins = ["pub struct ", "pub enum "].iter().find_map(|begin| line.strip_prefix(begin));
        if let Some(name) = begins.and_then(|name| name.strip_suffix(" {")) {
            items.push(Item { name: name.to_owned(), doc: said, members: Vec::new() });
            is_within = true;
        } else if line == "}" {
            is_within = false;
        } else if let Some(item) = items.last_mut().filter(|_| is_within)
            && let Some(member) = text.strip_suffix(',')
        {
            let member = member.strip_prefix("pub ").unwrap_or(member);
            let (name, kind) = member.split_once(": ").unwrap_or((member, ""));
            item.members.push(Member { name: name.to_owned(), kind: kind.to_owned(), doc: said });
        }
    }
    items
}

fn kebab(variant: &str) -> String {
    let mut word = String::new();
    for (index, letter) in variant.chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            word.push('-');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[test]
fn declarations_are_read_with_their_documentation() {
    let found = items(
        "/// `[a]`: what\n/// it is.\n#[derive(Debug)]\npub struct A {\n    /// See [`B`].\n    \
         pub key: Option<u32>,\n}\nfn f() {}\npub enum B {\n    /// One.\n    OneWord,\n}\n",
    );
    assert_eq!((found[0].doc.as_str(), found[0].members[0].doc.as_str()), ("`[a]`: what it is.", "See `B`."));
    assert_eq!(
        (found[0].members[0].name.as_str(), found[0].members[0].kind.as_str()),
        ("key", "Option<u32>")
    );
    assert_eq!(kebab(&found[1].members[0].name), "one-word");
    let values = defaults("a = 1\n[b]\nc = \"d = e\"\n[b.f]\n");
    assert_eq!(
        (values["a"].as_str(), values["b.c"].as_str(), values["b.f"].as_str()),
        ("1", "\"d = e\"", "{}")
    );
}
