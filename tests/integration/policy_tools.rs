//! `exgrpo-host policy`: a new policy builds, passes its own test, and is what `inspect` says.

use std::path::{Path, PathBuf};
use std::process::Command;

use exgrpo_policy::{GuestConfig, Loader, PolicySource, Probe};

use crate::process::{host, start_with};

const SLOTS: [&str; 6] = ["difficulty", "retirement", "sampling", "selection", "trajectories", "verifier"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn asked(arguments: &[&str]) -> (String, String, bool) {
    let output = host(arguments).stdout(std::process::Stdio::piped()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.success())
}

/// cargo in a new policy, with the dependencies that the workspace has locked.
fn cargo(folder: &Path, target: &Path, arguments: &[&str]) -> bool {
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", target).args(arguments).arg("--offline");
    for variable in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
        cargo.env_remove(variable);
    }
    cargo.status().unwrap().success()
}

#[test]
fn a_new_policy_builds_passes_its_test_and_decides_in_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let sdk = root().join("guest-sdk");
    let mut arguments = vec!["policy", "new", "vec", "--in", dir.path().to_str().unwrap()];
    arguments.extend(["--sdk", sdk.to_str().unwrap()]);
    arguments.extend(SLOTS.iter().flat_map(|slot| ["--slot", slot]));
    let (made, told, ok) = asked(&arguments);
    assert!(ok && Path::new(made.trim()).ends_with("vec"), "{told}");
    let (_, told, ok) = asked(&arguments);
    assert!(!ok && told.contains("is there already"), "{told}");

    let (folder, target) = (dir.path().join("vec"), dir.path().join("target"));
    assert!(cargo(&folder, &target, &["test", "--quiet"]));
    assert!(cargo(
        &folder,
        &target,
        &["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown"]
    ));
    let wasm = target.join("wasm32-unknown-unknown/release/vec.wasm");

    let (page, told, ok) = asked(&["policy", "inspect", wasm.to_str().unwrap(), "--json"]);
    assert!(ok, "{told}");
    let seen: serde_json::Value = serde_json::from_str(&page).unwrap();
    assert_eq!(seen["slots"], serde_json::json!(SLOTS));
    assert_eq!(seen["name"], "vec");
    assert_eq!(seen["digest"], exgrpo_core::sealed::sha256(&std::fs::read(&wasm).unwrap()));
    // Each function is asked once, and takes fuel.
    let calls = seen["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 9, "{page}");
    assert!(calls.iter().all(|call| call["fuel"].as_u64().unwrap() > 0), "{page}");

    let run = dir.path().join("run");
    assert!(start_with(&[wasm], &run, "3").status().unwrap().success());
    let (page, told, ok) = asked(&["show", run.to_str().unwrap()]);
    assert!(ok && page.contains("vec 0.1.0"), "{told}");
}

#[test]
fn inspect_says_what_a_policy_takes_and_what_is_none() {
    let file = exgrpo_tests::policy("gaussian_medium");
    let path = file.to_str().unwrap();
    let (page, told, ok) = asked(&["policy", "inspect", path, "--policy-param", "sigma=2"]);
    assert!(ok, "{told}");
    assert!(page.starts_with("gaussian_medium 0.1.0\n"), "{page}");
    assert!(page.contains("slots      difficulty, retirement, sampling, trajectories\n"), "{page}");
    assert!(page.contains("  sigma = 2.0  number above 0: Width of the Gaussian"), "{page}");
    // The figures are those of the library.
    let loader =
        Loader::new(&GuestConfig::default(), &[("sigma".to_owned(), "2.0".to_owned())].into()).unwrap();
    let source = PolicySource::read(&file, loader.most_file_bytes()).unwrap();
    let candidate = loader.prepare(source, &Probe::default()).unwrap();
    for cost in candidate.costs() {
        let line = page.lines().find(|line| line.contains(&cost.function)).unwrap();
        assert!(line.contains(&format!(" {} fuel", cost.fuel)), "{line}");
    }
    // A verifier has its fuel for each of the three responses.
    let verifier = exgrpo_tests::policy("exact_answer");
    let arguments =
        ["policy", "inspect", verifier.to_str().unwrap(), "--set", "guest.fuel_per_request=1000000"];
    let (page, told, ok) = asked(&arguments);
    assert!(ok, "{told}");
    let line = page.lines().find(|line| line.contains("verifier.verify")).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    let fuel: f64 = cells[3].parse().unwrap();
    assert_eq!(cells[5], format!("{:.4}", 100.0 * fuel / 3e6), "{line}");
    for (arguments, expected) in [
        (vec![path, "--policy-param", "sigma=-1"], "sigma"),
        (vec![path, "--policy-param", "nobody=1"], "nobody"),
        (vec!["Cargo.toml"], "it is no WebAssembly file"),
        (vec!["nobody_s.wasm"], "hint: `cargo xtask policies` builds"),
    ] {
        let (_, told, ok) = asked(&[vec!["policy", "inspect"], arguments].concat());
        assert!(!ok && told.starts_with("error: ") && told.contains(expected), "{told}");
    }
}

#[test]
fn a_name_that_can_be_no_crate_and_a_slot_that_is_none_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let parent = dir.path().to_str().unwrap();
    for name in ["Recent", "my-policy", "", "../up", "self", "match", "ünïcode", "1st"] {
        let (_, told, ok) = asked(&["policy", "new", name, "--slot", "sampling", "--in", parent]);
        assert!(!ok && told.contains("can't be the name of a policy"), "{name}: {told}");
    }
    let (_, told, ok) = asked(&["policy", "new", "recent", "--slot", "samplin", "--in", parent]);
    assert!(!ok && told.contains("the slots are difficulty, retirement"), "{told}");
    let (_, told, ok) =
        asked(&["policy", "new", "recent", "--slot", "sampling", "--in", parent, "--sdk", parent]);
    assert!(!ok && told.contains("is not exgrpo's folder guest-sdk"), "{told}");
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing is left behind");
}
