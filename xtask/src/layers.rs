//! `cargo xtask layers`: the arrows between the host's crates. Cargo forbids circles; what each may know is checked here.

use anyhow::{Result, bail};

use crate::workspace;

/// What is kept to a few of the crates.
const KEPT: [&str; 7] = ["arrow", "candle", "clap", "minijinja", "parquet", "tokenizers", "wasmtime"];

/// A crate, what it may name of ours and of what is kept, and which of what is kept it may be built from at all.
struct Layer {
    package: &'static str,
    ours: &'static [&'static str],
    names: &'static [&'static str],
    reaches: &'static [&'static str],
}

const LAYERS: [Layer; 11] = [
    Layer { package: "exgrpo-guest-sdk", ours: &[], names: &[], reaches: &[] },
    Layer { package: "exgrpo-core", ours: &["exgrpo-guest-sdk"], names: &[], reaches: &[] },
    Layer { package: "exgrpo-pool", ours: &["exgrpo-core"], names: &[], reaches: &[] },
    Layer {
        package: "exgrpo-log",
        ours: &["exgrpo-core"],
        names: &["arrow", "parquet"],
        reaches: &["arrow", "parquet"],
    },
    Layer {
        package: "exgrpo-policy",
        ours: &["exgrpo-core", "exgrpo-guest-sdk"],
        names: &["wasmtime"],
        reaches: &["wasmtime"],
    },
    // candle-core itself brings tokenizers along.
    Layer {
        package: "exgrpo-engine",
        ours: &["exgrpo-core"],
        names: &["candle"],
        reaches: &["candle", "tokenizers"],
    },
    Layer {
        package: "exgrpo-models",
        ours: &["exgrpo-core", "exgrpo-engine"],
        names: &["candle", "minijinja", "tokenizers"],
        reaches: &["candle", "minijinja", "tokenizers"],
    },
    // Its reader of datasets knows arrow and parquet; nothing below the command line knows clap.
    Layer {
        package: "exgrpo-train",
        ours: &[
            "exgrpo-core",
            "exgrpo-engine",
            "exgrpo-log",
            "exgrpo-models",
            "exgrpo-policy",
            "exgrpo-pool",
        ],
        names: &["arrow", "parquet"],
        reaches: &["arrow", "candle", "minijinja", "parquet", "tokenizers", "wasmtime"],
    },
    Layer {
        package: "exgrpo-analysis",
        ours: &["exgrpo-core", "exgrpo-log", "exgrpo-train"],
        names: &[],
        reaches: &["arrow", "candle", "minijinja", "parquet", "tokenizers", "wasmtime"],
    },
    Layer {
        package: "exgrpo-host",
        ours: &[
            "exgrpo-analysis",
            "exgrpo-core",
            "exgrpo-engine",
            "exgrpo-log",
            "exgrpo-models",
            "exgrpo-policy",
            "exgrpo-train",
        ],
        names: &["clap"],
        reaches: &KEPT,
    },
    // A trainer of somebody else's is built without an engine.
    Layer {
        package: "exgrpo-examples",
        ours: &["exgrpo-core", "exgrpo-log", "exgrpo-policy", "exgrpo-pool"],
        names: &[],
        reaches: &["arrow", "parquet", "wasmtime"],
    },
];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    workspace::no_arguments(arguments)?;
    for Layer { package, ours, names, reaches } in LAYERS {
        if let Some(found) = unwanted(&workspace::tree(package, Some(1))?, package, ours, names) {
            bail!("{package} names {found}, which it is not meant to know");
        }
        // Whatever is ours was checked above, crate by crate.
        let tree = workspace::tree(package, None)?;
        let all: Vec<&str> = LAYERS.iter().map(|layer| layer.package).collect();
        if let Some(found) = unwanted(&tree, package, &all, reaches) {
            bail!("{package} is built from {found}, which it is meant to do without");
        }
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
