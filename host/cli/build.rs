//! Notes version, commit and optional features, for `--version`.

use std::process::Command;

fn main() {
    for watched in ["../../host", "../../guest-sdk", "../../Cargo.lock"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    // Written at every commit and checkout. Absent in an archive of the sources, which has no commit.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    let commit = match git(&["rev-parse", "--short=12", "HEAD"]) {
        Some(commit) => {
            let is_changed =
                git(&["status", "--porcelain", "--", "../../host", "../../guest-sdk", "../../Cargo.lock"])
                    .is_none_or(|changes| !changes.is_empty());
            format!("commit {commit}{}", if is_changed { " with changes" } else { "" })
        }
        None => "no commit".to_owned(),
    };
    let has =
        |feature: &&str| std::env::var_os(format!("CARGO_FEATURE_{}", feature.to_uppercase())).is_some();
    let features: Vec<&str> = ["candle", "cuda", "hub"].into_iter().filter(has).collect();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rustc-env=EXGRPO_VERSION={version} ({commit}; features: {features})");
}

/// What git prints, if it is there and this is a checkout of exgrpo's own.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
