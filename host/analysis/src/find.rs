//! Which runs somebody means.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use exgrpo_core::rundir::RunDir;

/// Runs that `items` name, in their order, each once: an item is a run's directory, a folder of such directories, or a
/// pattern such as `runs/*uniform*`. Runs of a folder or a pattern are in the order of their names.
///
/// # Errors
/// An item names no run, a pattern can't be read.
pub fn runs(items: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for item in items {
        let mut named = named_by(item)?;
        if named.is_empty() {
            bail!(
                "{item} names no run\nhint: give a run's directory, a folder of runs, or a pattern in quotes"
            );
        }
        named.retain(|run| !found.contains(run));
        found.extend(named);
    }
    Ok(found)
}

fn named_by(item: &str) -> anyhow::Result<Vec<PathBuf>> {
    let path = Path::new(item);
    if is_run(path) {
        return Ok(vec![path.to_owned()]);
    }
    if path.is_dir() {
        let entries = path.read_dir().with_context(|| format!("can't list {item}"))?;
        let mut runs: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_run(path)).collect();
        runs.sort();
        return Ok(runs);
    }
    let paths = glob::glob(item).with_context(|| format!("{item} is no pattern"))?;
    Ok(paths.flatten().filter(|path| is_run(path)).collect())
}

fn is_run(path: &Path) -> bool {
    RunDir::at(path).config().is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_by_name_folder_and_pattern_and_each_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b-uniform", "a-paper", "c-uniform"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("run.toml"), "").unwrap();
        }
        std::fs::create_dir(dir.path().join("eval-x")).unwrap();
        let root = dir.path().display().to_string();
        let names = |items: &[String]| -> Vec<String> {
            let runs = runs(items).unwrap();
            runs.iter().map(|run| run.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(std::slice::from_ref(&root)), ["a-paper", "b-uniform", "c-uniform"]);
        assert_eq!(names(&[format!("{root}/*uniform"), root.clone()]), ["b-uniform", "c-uniform", "a-paper"]);
        assert_eq!(names(&[format!("{root}/c-uniform")]), ["c-uniform"]);
        for nothing in [format!("{root}/eval-x"), format!("{root}/d*"), format!("{root}/d")] {
            let error = runs(std::slice::from_ref(&nothing)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{nothing} names no run")), "{error}");
        }
        assert!(runs(&["a***".to_owned()]).is_err());
    }
}
