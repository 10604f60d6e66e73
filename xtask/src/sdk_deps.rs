//! `cargo xtask sdk-deps`: a policy author compiles guest-sdk alone, never the host's dependencies.

use anyhow::{Result, bail};

use crate::workspace;

/// Crates whose whole families must stay out of guest-sdk.
const BANNED: &[&str] = &["candle", "wasmtime", "tokio"];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    workspace::no_arguments(arguments)?;
    let tree = workspace::tree("exgrpo-guest-sdk", None)?;
    let banned = banned_in(&tree);
    if !banned.is_empty() {
        bail!("guest-sdk depends on {}; move what needs it to the host", banned.join(", "));
    }
    Ok(())
}

fn banned_in(tree: &str) -> Vec<&str> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| BANNED.iter().any(|banned| name.starts_with(banned))).collect()
}

#[cfg(test)]
mod tests {
    use super::banned_in;

    #[test]
    fn a_tree_with_a_banned_crate_is_noticed() {
        let tree = "exgrpo-guest-sdk v0.1.0 (/x)\ncandle-core v0.11.1\nanyhow v1.0.0\ntokio v1.0.0\n";
        assert_eq!(banned_in(tree), ["candle-core", "tokio"]);
        assert_eq!(banned_in("exgrpo-guest-sdk v0.1.0 (/x)\nwit-bindgen v0.61.1\n"), [""; 0]);
    }
}
