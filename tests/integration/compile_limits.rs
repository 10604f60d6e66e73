//! Policies that take too much to compile.

use std::collections::BTreeMap;
use std::path::Path;

use exgrpo_policy::{GuestConfig, Loader, PolicySource, Probe, Reject};

use crate::modules;
use crate::process::start_with;

fn shipped() -> Vec<u8> {
    std::fs::read(exgrpo_tests::policy("gaussian_medium")).unwrap()
}

/// Why the policy is refused in this process, if it is.
fn refusal(wasm: Vec<u8>, config: &GuestConfig) -> Option<String> {
    let loader = Loader::new(config, &BTreeMap::new()).unwrap();
    let source = PolicySource { path: None, bytes: wasm.into() };
    match loader.prepare(source, &Probe::default()) {
        Ok(_) => None,
        Err(Reject::Load { detail, .. }) => Some(detail),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_policy_over_a_limit_of_size_is_refused_and_one_at_it_is_not() {
    let default = GuestConfig::default;
    let locals = || modules::with_function(&shipped(), &modules::huge(10_000), false);
    let large = || modules::with_function(&shipped(), &modules::huge(100_000), false);
    for (wasm, config, key) in [
        (large(), GuestConfig { function_kib: 97, ..default() }, "guest.function_kib allows 99328"),
        (locals(), GuestConfig { function_locals: 1_999, ..default() }, "guest.function_locals allows 1999"),
        (shipped(), GuestConfig { functions: 5, ..default() }, "guest.functions allows 5"),
    ] {
        let reason = refusal(wasm, &config).unwrap();
        assert!(reason.ends_with(key), "{reason}");
    }
    assert_eq!(refusal(large(), &GuestConfig { function_kib: 98, ..default() }), None);
    assert_eq!(refusal(locals(), &GuestConfig { function_locals: 2_000, ..default() }), None);

    // Many functions, each of them small.
    let part = modules::huge(100_000);
    let many = modules::with_functions(&shipped(), &vec![part; 11], false);
    let reason = refusal(many, &GuestConfig { code_mib: 1, ..default() }).unwrap();
    assert!(reason.ends_with("guest.code_mib allows 1048576"), "{reason}");
}

/// What a run says that is begun with the policy at `path`.
fn refused_run(path: &Path, settings: &[&str]) -> String {
    let out = path.with_extension("run");
    let mut command = start_with(&[path.to_owned(), exgrpo_tests::policy("exact_answer")], &out, "1");
    for setting in settings {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!out.exists(), "nothing is made before the policies are fine");
    said
}

#[test]
fn a_policy_that_takes_long_or_much_memory_to_compile_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.wasm");
    let wasm = modules::with_function(&shipped(), &modules::huge(2_000_000), false);
    std::fs::write(&path, wasm).unwrap();
    let said = refused_run(&path, &[]);
    assert!(said.contains("guest.function_kib allows 524288"), "{said}");
    let said = refused_run(&path, &["guest.function_kib=4096", "guest.compile_s=1"]);
    assert!(said.contains("guest.compile_s"), "{said}");
    if cfg!(target_os = "linux") {
        let settings = ["guest.function_kib=4096", "guest.compile_mib=64", "guest.compile_s=600"];
        let said = refused_run(&path, &settings);
        assert!(said.contains("guest.compile_mib = 64 MiB"), "{said}");
    }
}
