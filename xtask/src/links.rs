//! Links of Markdown files: which files and headings they name, and whether those are there. Paths that are named as code
//! must be there too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// Folders of the repository: code that begins with one of them is a path from the root.
const FOLDERS: [&str; 10] =
    ["bench", "datasets", "docs", "examples", "guest-sdk", "host", "notebooks", "policies", "tests", "xtask"];

/// A Markdown file as far as links go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Targets of links and pictures, with the number of their line.
    links: Vec<(usize, String)>,
    /// Files of the repository that are named as code, with the number of their line.
    paths: Vec<(usize, String)>,
    /// Anchors of headings.
    anchors: BTreeSet<String>,
}

/// Checks links from file to file under one root.
#[derive(Debug)]
pub(crate) struct Links {
    root: PathBuf,
    pages: BTreeMap<PathBuf, Page>,
    /// What is wrong, a line each.
    pub(crate) problems: Vec<String>,
    /// Links that were looked at.
    pub(crate) count: usize,
}

impl Links {
    /// Of files under `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), pages: BTreeMap::new(), problems: Vec::new(), count: 0 }
    }

    /// Checks the links of `file`, a path from the root; with `within`, they must stay inside that folder.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn check(&mut self, file: &Path, within: Option<&Path>) -> Result<()> {
        self.load(file)?;
        for (line, link) in self.pages[file].links.clone() {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            self.count += 1;
            if let Some(problem) = self.problem(file, &link, within)? {
                self.problems.push(format!("{}:{line}: {link}: {problem}", file.display()));
            }
        }
        for (line, path) in &self.pages[file].paths {
            self.count += 1;
            if !self.root.join(path).exists() {
                self.problems.push(format!("{}:{line}: {path}: there is no such file", file.display()));
            }
        }
        Ok(())
    }

    /// What is wrong with one link of `file`.
    fn problem(&mut self, file: &Path, link: &str, within: Option<&Path>) -> Result<Option<String>> {
        let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
        let target = match path {
            "" => file.to_owned(),
            path => match resolve(file, path) {
                Some(target) => target,
                None => return Ok(Some("leaves the repository".to_owned())),
            },
        };
        if within.is_some_and(|folder| !target.starts_with(folder)) {
            return Ok(Some("leaves the book, which has only its own pages".to_owned()));
        }
        if !self.root.join(&target).exists() {
            return Ok(Some("there is no such file".to_owned()));
        }
        let Some(anchor) = anchor else { return Ok(None) };
        if target.extension().is_none_or(|extension| extension != "md") {
            return Ok(Some("an anchor of a file that is no Markdown".to_owned()));
        }
        self.load(&target)?;
        let is_there = self.pages[&target].anchors.contains(anchor);
        Ok((!is_there).then(|| format!("{} has no heading with that anchor", target.display())))
    }

    fn load(&mut self, file: &Path) -> Result<()> {
        if !self.pages.contains_key(file) {
            let text = self.text(file)?;
            self.pages.insert(file.to_owned(), page(&text));
        }
        Ok(())
    }

    /// The file with what it includes, as mdBook's `{{#include PATH}}` or `{{#include PATH:ANCHOR}}` on a line of its own.
    fn text(&self, file: &Path) -> Result<String> {
        let path = self.root.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("could not read {}", file.display()))?;
        let mut whole = String::new();
        for line in text.lines() {
            let included = line.trim().strip_prefix("{{#include ").and_then(|line| line.strip_suffix("}}"));
            let (name, anchor) = included.map_or(("", None), |name| match name.split_once(':') {
                Some((name, anchor)) => (name, Some(anchor)),
                None => (name, None),
            });
            match resolve(file, name).filter(|_| included.is_some()) {
                Some(included) => whole += &part(&self.text(&included)?, anchor),
                None => whole += line,
            }
            whole.push('\n');
        }
        Ok(whole)
    }
}

/// What is between the comments `ANCHOR: name` and `ANCHOR_END: name`; all of the text without a name.
fn part(text: &str, anchor: Option<&str>) -> String {
    let Some(anchor) = anchor else { return text.to_owned() };
    let (begin, end) = (format!("ANCHOR: {anchor} "), format!("ANCHOR_END: {anchor} "));
    let lines = text.lines().skip_while(|line| !line.contains(&begin)).skip(1);
    lines.take_while(|line| !line.contains(&end)).map(|line| format!("{line}\n")).collect()
}

/// The path that `link` names from `file`, without `.` and `..`; none when it leaves the root.
fn resolve(file: &Path, link: &str) -> Option<PathBuf> {
    let mut path = file.parent()?.to_owned();
    for component in Path::new(link).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Links and anchors of a text; code is passed over.
fn page(text: &str) -> Page {
    let mut page = Page::default();
    let mut fence: Option<&str> = None;
    let mut was_blank = true;
    let mut is_code = false;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, Some(mark)) => fence = Some(mark),
            (None, None) => {
                // Four columns of room behind a blank line begin a block of code, unless a list goes on.
                is_code =
                    line.starts_with("    ") && (was_blank || is_code) && !trimmed.starts_with(['*', '-']);
                if !is_code {
                    read_line(&mut page, index + 1, line);
                }
            }
        }
        was_blank = trimmed.is_empty();
    }
    page
}

fn read_line(page: &mut Page, number: usize, line: &str) {
    let level = line.chars().take_while(|&letter| letter == '#').count();
    if (1..=6).contains(&level) && line[level..].starts_with(' ') {
        let anchor = slug(&visible(&line[level..]));
        // A second heading of one name gets a number.
        let free = (1..).map(|count| format!("{anchor}-{count}")).find(|name| !page.anchors.contains(name));
        let name = if page.anchors.contains(&anchor) { free.unwrap_or_default() } else { anchor };
        page.anchors.insert(name);
    }
    let paths = line.split('`').skip(1).step_by(2).filter(|code| is_path(code));
    page.paths.extend(paths.map(|path| (number, path.to_owned())));
    let text = without_code(line);
    let mut rest = text.as_str();
    while let Some(at) = rest.find("](") {
        rest = &rest[at + 2..];
        if let Some(end) = rest.find(')') {
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            page.links.push((number, target.to_owned()));
        }
    }
}

/// True for code that names one file or folder, which is not made by a build.
fn is_path(code: &str) -> bool {
    let is_plain = code.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
    let is_below = code.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder));
    is_plain && is_below && !code.ends_with(".wasm")
}

/// The line without what is between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// What a reader sees of a heading: links as their text, without signs of emphasis and code.
fn visible(heading: &str) -> String {
    let mut seen = String::new();
    let mut rest = heading;
    while let Some(at) = rest.find("](") {
        seen += &rest[..at];
        rest = rest[at..].split_once(')').map_or("", |(_, rest)| rest);
    }
    seen += rest;
    seen.replace(['`', '*', '[', ']'], "")
}

/// The anchor that mdBook 0.5 makes of a heading's text.
fn slug(text: &str) -> String {
    let letter = |letter: char| match letter {
        '_' | '-' => Some(letter),
        letter if letter.is_alphanumeric() => Some(letter),
        letter if letter.is_whitespace() => Some('-'),
        _ => None,
    };
    text.trim().to_lowercase().chars().filter_map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_those_of_mdbook() {
        for (heading, anchor) in [
            (" Your own data", "your-own-data"),
            (" `[rollout]`", "rollout"),
            (" I want to add …", "i-want-to-add-"),
            (" Who decides? `clip`, *entropy*", "who-decides-clip-entropy"),
            (" See [the log](log.md#x)", "see-the-log"),
            (" kl_coefficient", "kl_coefficient"),
        ] {
            assert_eq!(slug(&visible(heading)), anchor, "{heading}");
        }
    }

    #[test]
    fn code_is_passed_over() {
        let page = page(
            "# A\n\n[a](a.md) and `[b](b.md)` and ![c](c.png \"title\")\n\n```sh\n[d](d.md)\n# no heading\n```\n\n    \
             [e](e.md)\n\n* f\n    [f](f.md#f)\n\n# A\n",
        );
        let links: Vec<&str> = page.links.iter().map(|(_, link)| link.as_str()).collect();
        assert_eq!(links, ["a.md", "c.png", "f.md#f"]);
        assert_eq!(page.links[0].0, 3);
        let named =
            super::page("`host/core`, `tests/a b`, `policies/*.wasm` and\n`docs/x.md`, `src/lib.rs`\n");
        assert_eq!(named.paths, [(1, "host/core".to_owned()), (2, "docs/x.md".to_owned())]);
        assert_eq!(page.anchors.iter().collect::<Vec<_>>(), ["a", "a-1"]);
    }

    #[test]
    fn parts_are_found_by_their_comments() {
        let text = "a\n<!-- ANCHOR: one -->\nb\nc\n<!-- ANCHOR_END: one -->\nd\n";
        assert_eq!(part(text, Some("one")), "b\nc\n");
        assert_eq!(part(text, Some("on")), "");
        assert_eq!(part(text, None), text);
    }

    #[test]
    fn what_is_missing_is_named() {
        let root = std::env::temp_dir().join(format!("exgrpo-links-{}", std::process::id()));
        fs::create_dir_all(root.join("book")).unwrap();
        fs::write(root.join("notes.md"), "# Notes\n\n[in](book/one.md#two)\n").unwrap();
        fs::write(
            root.join("book/one.md"),
            "# One\n\n## Two\n\n[a](#two) [b](#three) [c](none.md) [d](../notes.md) [e](../../x) [f](https://x.y)\n\n`docs/no`\n",
        )
        .unwrap();
        fs::write(root.join("book/two.md"), "{{#include ../notes.md}}\n").unwrap();
        let mut links = Links::new(&root);
        links.check(Path::new("notes.md"), None).unwrap();
        assert_eq!((links.problems.len(), links.count), (0, 1));
        links.check(Path::new("book/one.md"), Some(Path::new("book"))).unwrap();
        // From the book, what the included file links to is another path.
        links.check(Path::new("book/two.md"), Some(Path::new("book"))).unwrap();
        fs::remove_dir_all(&root).unwrap();
        let expected = [
            "book/one.md:5: #three: book/one.md has no heading with that anchor",
            "book/one.md:5: none.md: there is no such file",
            "book/one.md:5: ../notes.md: leaves the book, which has only its own pages",
            "book/one.md:5: ../../x: leaves the repository",
            "book/one.md:7: docs/no: there is no such file",
            "book/two.md:3: book/one.md#two: there is no such file",
        ];
        assert_eq!(links.problems, expected);
    }
}
