//! Files of the documentation that the program's own text makes, for the tests that keep them true.

use std::fs;
use std::path::Path;

/// Set to 1, this variable of the environment writes the files anew instead of comparing with them.
const BLESS: &str = "EXGRPO_BLESS";

/// Holds `text` against the file at `path`, from the repository's root; writes the file where that is asked for.
///
/// # Errors
/// The file is another one, or can't be read or written; the message says what to do.
pub fn compare(path: &str, text: &str) -> Result<(), String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var(BLESS).is_ok_and(|value| value == "1") {
        return fs::write(&file, text).map_err(|error| format!("can't write {path}: {error}"));
    }
    let have = fs::read_to_string(&file).map_err(|error| format!("can't read {path}: {error}"))?;
    if have == text {
        return Ok(());
    }
    let differs = have.lines().zip(text.lines()).position(|(have, want)| have != want);
    let line = differs.unwrap_or_else(|| have.lines().count().min(text.lines().count()));
    Err(format!(
        "{path} is not what the program says, from line {} on:\n  there  {}\n  here   {}\n\
         {BLESS}=1 in the environment of this test writes it anew",
        line + 1,
        have.lines().nth(line).unwrap_or("(its end)"),
        text.lines().nth(line).unwrap_or("(its end)"),
    ))
}
