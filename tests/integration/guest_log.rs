//! Lines that policies log: each is an event of the step that it was written in or before, whatever called the policy.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use exgrpo_core::journal::EventKind;
use exgrpo_policy::{GuestConfig, Loader, PolicySource, Probe};

use crate::compare::Leavings;
use crate::process::{host, start_with};

fn lines(leavings: &Leavings) -> Vec<(u32, &str)> {
    let logged = leavings.events.iter().filter(|event| event.kind == EventKind::GuestLog);
    logged.map(|event| (event.step, event.detail.as_str())).collect()
}

#[test]
fn a_policy_that_logs_everywhere_trains_is_killed_and_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let run = |out: &Path| start_with(&[exgrpo_tests::guest("talker")], out, "4");
    let whole = dir.path().join("whole");
    let output = run(&whole).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let whole = Leavings::of(&whole);
    let logged = lines(&whole);
    for line in ["described", "configured", "made", "kept", "restored", "asked at step 1"] {
        assert!(logged.contains(&(1, line)), "{line} is not among the events of step 1: {logged:?}");
    }
    assert!(logged.contains(&(4, "asked at step 4")), "{logged:?}");
    assert!(logged.iter().all(|&(step, _)| (1..=4).contains(&step)));

    let out = dir.path().join("killed");
    let mut child = run(&out).spawn().unwrap();
    while !out.join("checkpoints/000001").exists() {
        assert!(child.try_wait().unwrap().is_none_or(|status| status.success()), "the run failed");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = host(&["--quiet", "--resume"]).arg(&out).output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    Leavings::of(&out).assert_equals(&whole);
}

#[test]
fn what_a_refused_candidate_logged_is_not_lost() {
    let params = [("attack", "panic"), ("from_step", "0")];
    let params: BTreeMap<String, String> =
        params.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let loader = Loader::new(&GuestConfig::default(), &params).unwrap();
    let source =
        PolicySource::read(exgrpo_tests::guest("hostile"), GuestConfig::default().most_file_bytes()).unwrap();
    let mut log = Vec::new();
    let refused = loader.prepare_logged(&source, &Probe::default(), &mut log);
    assert!(refused.is_err());
    assert!(log.iter().any(|line| line.message.contains("bad parameters at step")), "{log:?}");
}
