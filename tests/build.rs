//! Builds the shipped policies, as `cargo xtask policies` does, and the guests of the tests to Wasm, in a target
//! directory of their own so that the outer cargo's lock is not waited for, and hands their folder to the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = here.parent().expect("tests/ lies in the workspace");
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it"));
    for watched in ["policies", "guest-sdk", "tests/guests"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let policies: Vec<String> = std::fs::read_dir(root.join("policies"))
        .expect("the workspace has policies/")
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    build(root, &out.join("policies"), &policies);
    build(
        &root.join("tests/guests"),
        &out.join("guests"),
        &["chooser", "counter", "hostile", "talker"].map(str::to_owned),
    );
    println!("cargo::rustc-env=POLICIES_DIR={}", folder(&out.join("policies")).display());
    println!("cargo::rustc-env=GUESTS_DIR={}", folder(&out.join("guests")).display());
}

fn folder(target: &Path) -> PathBuf {
    target.join("wasm32-unknown-unknown/policy")
}

fn build(workspace: &Path, target: &Path, packages: &[String]) {
    let mut cargo = Command::new(std::env::var_os("CARGO").expect("cargo sets it"));
    cargo.current_dir(workspace).env("CARGO_TARGET_DIR", target);
    // Flags of the outer build are for another target.
    for variable in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
        cargo.env_remove(variable);
    }
    cargo.args(["build", "--profile", "policy", "--locked", "--target", "wasm32-unknown-unknown"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    let status = cargo.status().expect("cargo can be started");
    assert!(
        status.success(),
        "guests don't build; if the target is missing: rustup target add wasm32-unknown-unknown"
    );
}
