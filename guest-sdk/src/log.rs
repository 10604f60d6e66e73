//! Lines for the run's log: through the host in Wasm, on standard error natively.
//!
//! The host limits how many lines a policy may write and cuts long ones.
//!
//! ```
//! exgrpo_guest_sdk::log::info("starting with 128 questions");
//! ```

/// For the author of the policy alone.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Worth a line in every run.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something odd that the policy could work around.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Something that went wrong.
pub fn error(message: &str) {
    write(Level::Error, message);
}

#[derive(Debug, Clone, Copy)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

#[cfg(target_family = "wasm")]
fn write(level: Level, message: &str) {
    use crate::bindings::metadata::exgrpo::policy::host_log;
    let level = match level {
        Level::Debug => host_log::Level::Debug,
        Level::Info => host_log::Level::Info,
        Level::Warn => host_log::Level::Warn,
        Level::Error => host_log::Level::Error,
    };
    host_log::log(level, message);
}

#[cfg(not(target_family = "wasm"))]
#[expect(clippy::print_stderr, reason = "there is no host in a native test")]
fn write(level: Level, message: &str) {
    eprintln!("{}: {message}", format!("{level:?}").to_lowercase());
}
