//! `exgrpo-host swap` on a run in another process.

use std::path::Path;
use std::process::{Child, Output};
use std::time::Duration;

use exgrpo_core::journal::{EventKind, Slot};
use exgrpo_log::{DecisionRow, EventRow, read};

use crate::process::{host, start};

/// Kills the run when the test ends, whatever way it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn swap(run: &Path, file: &Path) -> Output {
    host(&["swap"]).arg(run).arg(file).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_run_takes_over_what_it_is_asked_to_and_says_why_it_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut run = Running(start(&out, "100000").spawn().unwrap());
    while !out.join("checkpoints/000002").exists() {
        assert!(run.0.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(Duration::from_millis(20));
    }

    let uniform = exgrpo_tests::policy("uniform");
    let accepted = swap(&out, &uniform);
    assert!(accepted.status.success(), "{}", text(&accepted.stderr));

    let whole = std::fs::read(&uniform).unwrap();
    let cut = dir.path().join("cut.wasm");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    for bad in [cut, exgrpo_tests::guest("hostile")] {
        // The hostile guest is fine in itself; it claims the slot of the verifier and answers like one.
        let answer = swap(&out, &bad);
        let is_cut = bad.ends_with("cut.wasm");
        assert_eq!(answer.status.success(), !is_cut, "{}", text(&answer.stderr));
        if is_cut {
            let said = text(&answer.stderr);
            assert!(said.starts_with("error: the run refuses") && said.contains("can't be loaded"), "{said}");
        }
    }
    let nowhere = swap(dir.path(), &uniform);
    assert!(text(&nowhere.stderr).contains("hint: "), "{}", text(&nowhere.stderr));

    // A few steps under the newcomers.
    let at_least = read::metrics(&out).unwrap().len() + 2;
    while read::metrics(&out).unwrap().len() < at_least {
        assert!(run.0.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(run);

    let events: Vec<EventRow> = read::rows(&out).unwrap();
    let swapped: Vec<&EventRow> = events
        .iter()
        .filter(|event| event.kind == EventKind::Swap && event.slot == Some(Slot::Sampling))
        .collect();
    assert_eq!(swapped.len(), 2, "{events:?}");
    let refused: Vec<&EventRow> =
        events.iter().filter(|event| event.kind == EventKind::SwapRefused).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].reason.as_deref(), Some("load"));
    let decisions: Vec<DecisionRow> = read::rows(&out).unwrap();
    for row in decisions.iter().filter(|row| row.function == "bucket-weights") {
        let in_force = swapped.iter().rev().find(|swap| swap.step <= row.step);
        match in_force {
            Some(swap) => assert_eq!(Some(&row.digest), swap.digest.as_ref(), "{row:?}"),
            None => assert!(swapped.iter().all(|swap| swap.digest.as_ref() != Some(&row.digest)), "{row:?}"),
        }
    }
}
