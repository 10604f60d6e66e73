//! `cargo xtask layers`: the arrows between the host's crates. Cargo forbids circles; what each may know is checked here.

use anyhow::{Result, bail};

use crate::workspace;

/// What is kept to a few of the crates.
const KEPT: [&str; 7] = ["arrow", "candle", "clap", "minijinja", "parquet", "tokenizers", "wasmtime"];

/// A crate, the crates of ours that it may use, and what it may use of what is kept.
const LAYERS: [(&str, &[&str], &[&str]); 7] = [
    ("exgrpo-core", &[], &[]),
    ("exgrpo-pool", &["exgrpo-core"], &[]),
    ("exgrpo-log", &["exgrpo-core"], &["arrow", "parquet"]),
    ("exgrpo-policy", &["exgrpo-core"], &["wasmtime"]),
    // candle-core itself brings tokenizers along.
    ("exgrpo-engine", &["exgrpo-core"], &["candle", "tokenizers"]),
    (
        "exgrpo-examples",
        &["exgrpo-core", "exgrpo-log", "exgrpo-policy", "exgrpo-pool"],
        &["arrow", "parquet", "wasmtime"],
    ),
    // Anything but running policies, which is for exgrpo-policy alone to name.
    ("exgrpo-host", &["exgrpo-core", "exgrpo-engine", "exgrpo-log", "exgrpo-policy", "exgrpo-pool"], &KEPT),
];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    workspace::no_arguments(arguments)?;
    for (package, ours, kept) in LAYERS {
        if let Some(found) = unwanted(&workspace::tree(package, None)?, package, ours, kept) {
            bail!("{package} depends on {found}, which it is not meant to know");
        }
    }
    if workspace::tree("exgrpo-host", Some(1))?.lines().any(|line| line.starts_with("wasmtime")) {
        bail!("exgrpo-host names wasmtime; what needs it belongs into exgrpo-policy");
    }
    Ok(())
}

/// The first crate of a dependency tree that `package` may not depend on.
fn unwanted<'a>(tree: &'a str, package: &str, ours: &[&str], kept: &[&str]) -> Option<&'a str> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).find(|name| {
        let is_ours = name.starts_with("exgrpo-");
        let family = KEPT.iter().find(|family| *name == **family || name.starts_with(&format!("{family}-")));
        *name != package && is_ours && !ours.contains(name)
            || family.is_some_and(|family| !kept.contains(family))
    })
}

#[cfg(test)]
mod tests {
    use super::unwanted;

    #[test]
    fn a_crate_that_is_not_meant_to_be_known_is_named() {
        let tree = "exgrpo-pool v0.0.0 (/x)\nexgrpo-core v0.0.0 (/y)\nrand v0.9.5\ncandle-core v0.11.1\n";
        assert_eq!(unwanted(tree, "exgrpo-pool", &["exgrpo-core"], &[]), Some("candle-core"));
        assert_eq!(unwanted(tree, "exgrpo-pool", &["exgrpo-core"], &["candle"]), None);
        assert_eq!(unwanted(tree, "exgrpo-pool", &[], &["candle"]), Some("exgrpo-core"));
        assert_eq!(unwanted("clap v4.6.0\nclapper v1.0.0\n", "x", &[], &["clap"]), None);
    }
}
