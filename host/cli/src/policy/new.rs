//! `exgrpo-host policy new`: the crate of a policy to begin with.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::Args;

use super::template;
use crate::output::{print, say};
use exgrpo_core::escape;
use exgrpo_core::journal::Slot;

const EXAMPLES: &str = "\
Examples:
  exgrpo-host policy new recent --slot sampling --slot trajectories
  exgrpo-host policy new lenient --slot verifier --in ~/ideas --sdk ~/exgrpo/guest-sdk";

/// The folder of exgrpo that policies are built with.
const SDK: &str = "guest-sdk";

/// Arguments of `policy new`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct NewArgs {
    /// Name of the policy, its crate and its folder: small letters, digits and `_`.
    #[arg(value_name = "NAME")]
    name: String,
    /// A slot that it fills; give it again for more.
    #[arg(long = "slot", value_name = "SLOT", required = true, value_parser = slot)]
    slots: Vec<Slot>,
    /// Folder in which its own is made.
    #[arg(long = "in", value_name = "DIR", default_value = ".")]
    parent: PathBuf,
    /// exgrpo's folder guest-sdk [default: the one of the clone that DIR or this program lies in].
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

fn slot(text: &str) -> Result<Slot, String> {
    let known = Slot::ALL.map(Slot::as_str);
    Slot::ALL
        .into_iter()
        .find(|slot| slot.as_str() == text)
        .ok_or_else(|| format!("the slots are {}", known.join(", ")))
}

pub(super) fn new(args: &NewArgs) -> anyhow::Result<()> {
    check_name(&args.name)?;
    let slots: Vec<Slot> = Slot::ALL.into_iter().filter(|slot| args.slots.contains(slot)).collect();
    let parent = args
        .parent
        .canonicalize()
        .with_context(|| format!("can't use the folder {}", args.parent.display()))?;
    let sdk = match &args.sdk {
        Some(sdk) if is_sdk(sdk) => sdk.canonicalize()?,
        Some(sdk) => bail!("{} is not exgrpo's folder {SDK}", sdk.display()),
        None => find_sdk(&parent).with_context(|| {
            format!("no clone of exgrpo is around {}\nhint: --sdk FOLDER/{SDK}", parent.display())
        })?,
    };
    let folder = parent.join(&args.name);
    if folder.symlink_metadata().is_ok() {
        bail!("{} is there already\nhint: take another name, or remove it", folder.display());
    }
    let is_member = sdk.parent().is_some_and(|root| parent == root.join("policies"));
    let manifest = match is_member {
        true => template::member_manifest(&args.name),
        false => template::manifest(&args.name, &sdk)?,
    };
    write(&folder.join("Cargo.toml"), &manifest)?;
    let library = folder.join("src/lib.rs");
    write(&library, &template::library(&args.name, &slots))?;
    // In the form of the folder that it lies in, where there is rustfmt.
    let formatted =
        Command::new("rustfmt").args(["--edition", "2024"]).arg(&library).stdin(Stdio::null()).output();
    drop(formatted);
    let name = &args.name;
    let filled: Vec<&str> = slots.iter().map(|slot| slot.as_str()).collect();
    say(&format!("{name} fills {}; next:", filled.join(", ")));
    let built = match is_member {
        true => {
            say(&format!("  cargo test --release -p {name}"));
            say("  cargo xtask policies");
            format!("policies/{name}.wasm")
        }
        false => {
            say(&format!("  cd {}", folder.display()));
            say("  cargo test");
            say("  cargo build --release --target wasm32-unknown-unknown");
            format!("target/wasm32-unknown-unknown/release/{name}.wasm")
        }
    };
    say(&format!("  exgrpo-host policy inspect {built}"));
    print(&folder.display().to_string())
}

/// Whether a name may be that of a crate, a folder and a module.
fn check_name(name: &str) -> anyhow::Result<()> {
    // Rust's, and crates of its own.
    const KEYWORDS: [&str; 58] = [
        "exgrpo_guest_sdk",
        "wit_bindgen",
        "abstract",
        "alloc",
        "as",
        "async",
        "await",
        "become",
        "box",
        "break",
        "const",
        "continue",
        "core",
        "crate",
        "do",
        "dyn",
        "else",
        "enum",
        "extern",
        "false",
        "final",
        "fn",
        "for",
        "gen",
        "if",
        "impl",
        "in",
        "let",
        "loop",
        "macro",
        "match",
        "mod",
        "move",
        "mut",
        "override",
        "priv",
        "proc_macro",
        "pub",
        "ref",
        "return",
        "self",
        "static",
        "std",
        "struct",
        "super",
        "test",
        "trait",
        "true",
        "try",
        "type",
        "typeof",
        "unsafe",
        "unsized",
        "use",
        "virtual",
        "where",
        "while",
        "yield",
    ];
    let is_word = name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
        && name.starts_with(|char: char| char.is_ascii_lowercase())
        && name.len() <= 60;
    if !is_word || KEYWORDS.contains(&name) {
        bail!(
            "{} can't be the name of a policy\nhint: small letters, digits and `_`, a letter first",
            escape::quoted(name)
        );
    }
    Ok(())
}

/// The SDK of the clone that a folder lies in, or that this program was built in.
fn find_sdk(parent: &Path) -> Option<PathBuf> {
    let program = std::env::current_exe().ok();
    let around = |path: &Path| path.ancestors().map(|folder| folder.join(SDK)).find(|sdk| is_sdk(sdk));
    around(parent).or_else(|| around(program.as_deref()?))
}

fn is_sdk(folder: &Path) -> bool {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    manifest.contains("name = \"exgrpo-guest-sdk\"")
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}
