//! `cargo xtask policies`: builds every crate under policies/ and puts `<name>.wasm` beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{imports, say, workspace};

/// The one thing that a policy may ask its host for. (Its version is the interface's.)
const ALLOWED_IMPORT: &str = "exgrpo:policy/host-log@0.1.0 log";
/// What policies are built for: no system interface at all, so that nothing has to be taken away again.
const TARGET: &str = "wasm32-unknown-unknown";
/// The cargo profile of policies, in the workspace's Cargo.toml: release, but small.
const PROFILE: &str = "policy";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    workspace::no_arguments(arguments)?;
    for path in build()? {
        let size =
            std::fs::metadata(&path).with_context(|| format!("could not read {}", path.display()))?.len();
        say(&format!("{:>7} bytes  {}", size, path.display()));
    }
    Ok(())
}

/// Builds all policies and returns the paths of the .wasm files, in the order of their names.
///
/// # Errors
/// The target can't be added, a policy does not compile, or a file can't be copied.
pub(crate) fn build() -> Result<Vec<PathBuf>> {
    let folder = workspace::root().join("policies");
    let names = crate_names(&folder)?;
    add_target()?;

    let target_dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let target_dir = workspace::root().join(target_dir);
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--profile", PROFILE, "--target", TARGET, "--target-dir"]).arg(&target_dir);
    for name in &names {
        cargo.args(["--package", name]);
    }
    workspace::run(&mut cargo)?;

    let built_dir = target_dir.join(TARGET).join(PROFILE);
    let mut paths = Vec::new();
    for name in &names {
        let file_name = format!("{}.wasm", name.replace('-', "_"));
        let (built, path) = (built_dir.join(&file_name), folder.join(&file_name));
        check_imports(&built)?;
        copy(&built, &path)?;
        paths.push(path);
    }
    Ok(paths)
}

/// Names of the crates under `folder`, sorted. A crate is named as its folder is.
fn crate_names(folder: &Path) -> Result<Vec<String>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("could not list {}", folder.display()))?.path();
        if path.join("Cargo.toml").is_file()
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        bail!("there is no policy crate under {}", folder.display());
    }
    names.sort();
    Ok(names)
}

/// A policy that asks for more than the log would be refused by the host: say so at once, and what to look for.
fn check_imports(path: &Path) -> Result<()> {
    let module = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    let imports = imports::of(&module).with_context(|| format!("could not read {}", path.display()))?;
    let surplus: Vec<String> = imports.into_iter().filter(|import| import != ALLOWED_IMPORT).collect();
    if !surplus.is_empty() {
        bail!(
            "{} asks the host for {}, which no policy gets; a dependency wants a clock, randomness or JavaScript",
            path.display(),
            surplus.join(", ")
        );
    }
    Ok(())
}

/// Copies over a temporary name, so that a run that watches the policy never loads half a file.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let temporary = to.with_extension("wasm.part");
    std::fs::copy(from, &temporary)
        .and_then(|_| std::fs::rename(&temporary, to))
        .with_context(|| format!("could not copy {} to {}", from.display(), to.display()))
}

/// Makes sure that the toolchain can compile for [`TARGET`].
fn add_target() -> Result<()> {
    if target_is_installed()? {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.current_dir(workspace::root()).args(["target", "add", TARGET]);
    workspace::run(&mut rustup).with_context(|| {
        format!(
            "this Rust toolchain can't compile for {TARGET}; install rustup (https://rustup.rs) and run this again, or \
             add the target's standard library with the package manager that Rust came from"
        )
    })
}

/// Asks the compiler itself: toolchains that rustup does not manage have the target too, or not.
fn target_is_installed() -> Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.current_dir(workspace::root()).args(["--print", "target-libdir", "--target", TARGET]);
    let folder = PathBuf::from(workspace::output(&mut command)?.trim());
    // An uninstalled target has no folder, or one without the standard library.
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(false) };
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-")))
}
