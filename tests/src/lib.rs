//! What the integration tests share: paths of built guests and the host's binary.

use std::path::{Path, PathBuf};

/// A shipped policy, built by this crate's build script.
pub fn policy(name: &str) -> PathBuf {
    Path::new(env!("POLICIES_DIR")).join(format!("{name}.wasm"))
}

/// A guest of the tests by its name, see `tests/guests`.
pub fn guest(name: &str) -> PathBuf {
    Path::new(env!("GUESTS_DIR")).join(format!("{name}.wasm"))
}
