//! `cargo xtask book`: builds the documentation's site and checks its links and those of the files beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::links::Links;
use crate::{say, workspace};

/// The book's pages.
const PAGES: &str = "docs/src";
/// Files beside the book whose links are checked too.
const BESIDE: [&str; 5] =
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "datasets/README.md", "policies/README.md"];
/// Where a built mdBook is put, from the repository's root.
const TOOLS: &str = "target/tools";
/// What `mdbook --version` says of the versions that will do.
const VERSION: &str = "v0.5.";
const INSTALL: [&str; 8] = [
    "install",
    "mdbook",
    "--version",
    "0.5.4",
    "--locked",
    "--no-default-features",
    "--features=search",
    "--root",
];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    workspace::no_arguments(arguments)?;
    let root = workspace::root();
    check_links(&root)?;
    let mut mdbook = Command::new(mdbook(&root)?);
    workspace::run(mdbook.current_dir(&root).args(["build", "docs"]))?;
    say("target/book/index.html");
    Ok(())
}

/// Checks every link of the book and of the files beside it.
///
/// # Errors
/// A link names what is not there; a page is in no table of contents.
fn check_links(root: &Path) -> Result<()> {
    let mut links = Links::new(root);
    let pages = pages(root, Path::new(PAGES))?;
    for page in &pages {
        links.check(page, Some(Path::new(PAGES)))?;
    }
    for file in BESIDE {
        links.check(Path::new(file), None)?;
    }
    let summary = fs::read_to_string(root.join(PAGES).join("SUMMARY.md"))
        .with_context(|| format!("could not read {PAGES}/SUMMARY.md"))?;
    let mut problems = links.problems;
    problems.extend(unlisted(&pages, &summary));
    if !problems.is_empty() {
        bail!("{} links are broken:\n{}", problems.len(), problems.join("\n"));
    }
    say(&format!("{} links of {} pages are sound", links.count, pages.len() + BESIDE.len()));
    Ok(())
}

/// Pages that the table of contents doesn't name: mdBook would leave them out without a word.
fn unlisted(pages: &[PathBuf], summary: &str) -> Vec<String> {
    let in_book = |page: &PathBuf| page.strip_prefix(PAGES).map(|page| page.display().to_string()).ok();
    pages
        .iter()
        .filter_map(in_book)
        .filter(|page| page != "SUMMARY.md" && !summary.contains(&format!("({page})")))
        .map(|page| format!("{PAGES}/SUMMARY.md does not name {page}"))
        .collect()
}

/// Markdown files under `folder`, as paths from `root`, sorted.
fn pages(root: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("could not list {}", folder.display());
    let mut pages = Vec::new();
    for entry in fs::read_dir(root.join(folder)).with_context(context)? {
        let path = folder.join(entry.with_context(context)?.file_name());
        if root.join(&path).is_dir() {
            pages.extend(self::pages(root, &path)?);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}

/// The mdBook to run: one on the PATH, one that was built earlier, or one that is built now.
fn mdbook(root: &Path) -> Result<PathBuf> {
    let built = root.join(TOOLS).join("bin").join(format!("mdbook{}", std::env::consts::EXE_SUFFIX));
    for found in [PathBuf::from("mdbook"), built.clone()] {
        // Another version may not read this book's table of contents and settings.
        let version = Command::new(&found).arg("--version").output();
        if version.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(VERSION)) {
            return Ok(found);
        }
    }
    say("mdbook is not there: it is built once, which takes a few minutes");
    workspace::run(workspace::cargo().args(INSTALL).arg(TOOLS))?;
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_of_this_repository_are_sound() {
        check_links(&workspace::root()).unwrap();
    }

    #[test]
    fn a_page_without_a_chapter_is_named() {
        let pages = ["SUMMARY.md", "a.md", "reference/b.md"].map(|page| Path::new(PAGES).join(page));
        assert_eq!(unlisted(&pages, "* [B](reference/b.md)\n"), ["docs/src/SUMMARY.md does not name a.md"]);
    }
}
