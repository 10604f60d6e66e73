//! What the integration tests share: paths of built guests and the host's binary.

use std::path::{Path, PathBuf};

/// A shipped policy, built by this crate's build script.
pub fn policy(name: &str) -> PathBuf {
    Path::new(env!("POLICIES_DIR")).join(format!("{name}.wasm"))
}

/// The guest that remembers how often it was asked.
pub fn counter() -> PathBuf {
    Path::new(env!("GUESTS_DIR")).join("counter.wasm")
}

/// The guest that misbehaves as its parameters say.
pub fn hostile() -> PathBuf {
    Path::new(env!("GUESTS_DIR")).join("hostile.wasm")
}
