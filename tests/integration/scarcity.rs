//! Systems that give little: address space, open files.

use std::path::Path;
use std::process::{Command, Output};

use crate::compare::Leavings;
use crate::process::start;

/// `command` under limits of the shell.
fn under(limits: &str, command: &Command) -> Output {
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("{limits}; exec \"$@\"")).arg("sh").arg(command.get_program());
    limited.args(command.get_args()).output().unwrap()
}

fn run(out: &Path) -> Command {
    start(out, "3")
}

/// There is no room for a pool of instances, nor for 4 GiB a memory.
#[test]
#[cfg(target_os = "linux")]
fn a_run_in_little_address_space_equals_one_in_plenty() {
    let dir = tempfile::tempdir().unwrap();
    let (plenty, little) = (dir.path().join("plenty"), dir.path().join("little"));
    assert!(run(&plenty).output().unwrap().status.success());
    let output = under("ulimit -v 4000000", &run(&little));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("can't be pooled"));
    Leavings::of(&little).assert_equals(&Leavings::of(&plenty));
}

/// Whatever the first thing is that can't be opened: it is said, with the way out.
#[test]
#[cfg(unix)]
fn too_few_descriptors_are_an_error_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let mut is_enough = false;
    for most in 4..40 {
        let out = dir.path().join(format!("run-{most}"));
        let output = under(&format!("ulimit -n {most}"), &run(&out));
        let said = String::from_utf8_lossy(&output.stderr);
        is_enough = output.status.success();
        if is_enough {
            break;
        }
        // Below that the system can't load the program.
        if output.status.code() == Some(127) {
            continue;
        }
        assert_eq!(output.status.code(), Some(1), "{most}: {said}");
        assert!(said.contains("error: ") && said.contains("ulimit -n"), "{most}: {said}");
        assert_eq!(said.matches("os error").count(), 1, "{most}: {said}");
    }
    assert!(is_enough, "forty descriptors are enough");
}
