//! The author's guide in the crate's documentation, followed to the letter.

use std::path::Path;
use std::process::Command;

const LIBRARY: &str = include_str!("../src/lib.rs");

/// The first code block of the crate's documentation that opens with this line.
fn block(opening: &str) -> String {
    let lines = LIBRARY.lines().map(|line| line.strip_prefix("//!").unwrap_or(line));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let code = lines.skip_while(|line| *line != opening).skip(1).take_while(|line| *line != "```");
    code.fold(String::new(), |text, line| text + line + "\n")
}

/// The chapter of the book that shows the same policy.
const CHAPTER: &str = include_str!("../../docs/src/policies.md");

#[test]
fn the_book_shows_the_policy_of_the_guide() {
    for opening in ["```toml", "```rust"] {
        assert!(CHAPTER.contains(&format!("{opening}\n{}```\n", block(opening))), "{opening}");
    }
}

#[test]
fn the_guide_leads_to_a_tested_policy() {
    // Not below this repository, whose workspace would claim the crate.
    let folder = std::env::temp_dir().join(format!("exgrpo-guide-{}", std::process::id()));
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = block("```toml").replace("../exgrpo/guest-sdk", sdk.to_str().unwrap());
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("src/lib.rs"), block("```rust")).unwrap();
    // The versions that this repository knows, so that nothing is looked up.
    std::fs::copy(sdk.join("../Cargo.lock"), folder.join("Cargo.lock")).unwrap();

    let commands = block("```sh");
    assert_eq!(commands.lines().count(), 2);
    for command in commands.lines() {
        let mut words = command.split(' ');
        assert_eq!(words.next(), Some("cargo"));
        let mut cargo = Command::new(env!("CARGO"));
        // The toolchain of this repository, and none of the flags of the outer build.
        cargo.current_dir(&folder).env("CARGO_TARGET_DIR", folder.join("target"));
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        let output = cargo.args(words).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {message}");
        assert!(!message.contains("warning"), "{command}: {message}");
    }
    let built = std::fs::read(folder.join("target/wasm32-unknown-unknown/release/recent.wasm")).unwrap();
    for export in ["exgrpo:policy/metadata@0.1.0#describe", "exgrpo:policy/trajectories@0.1.0#choose"] {
        assert!(built.windows(export.len()).any(|bytes| bytes == export.as_bytes()), "{export}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
