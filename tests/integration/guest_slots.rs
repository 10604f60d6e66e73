//! Who keeps a slot and who loses it: newcomers that prove themselves or do not, slots that are emptied, files that move
//! a slot from one to another, and components that override each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exgrpo_core::columns::ProblemColumns;
use exgrpo_core::journal::{BUILTIN, Event, EventKind, Slot};
use exgrpo_log::{DecisionRow, read};
use exgrpo_policy::{Candidate, GuestConfig, Loader, PolicySet, PolicySource, Probe, Reject};

use crate::runs::{finish, small};

fn loader(params: &[(&str, &str)]) -> Loader {
    let params: BTreeMap<String, String> =
        params.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Loader::new(&GuestConfig::default(), &params).unwrap()
}

/// The file's bytes as if they had been read from `path`; each `version` has a digest of its own.
fn source(file: &Path, path: Option<&str>, version: u8) -> PolicySource {
    let mut bytes = std::fs::read(file).unwrap();
    bytes.extend([0, 3, 1, b'v', version]);
    PolicySource { path: path.map(PathBuf::from), bytes: bytes.into() }
}

fn candidate(loader: &Loader, file: &Path, path: Option<&str>, version: u8) -> Candidate {
    loader.prepare(source(file, path, version), &Probe { step: 1, ..Probe::default() }).unwrap()
}

/// The set as a checkpoint gives it back.
fn restored(loader: &Loader, set: &PolicySet, sources: &[PolicySource]) -> PolicySet {
    let with_bytes = set.snapshot().into_iter().map(|snapshot| {
        let found = sources.iter().find(|source| {
            let candidate = loader.prepare((*source).clone(), &Probe { step: 1, ..Probe::default() });
            candidate.unwrap().info().digest == snapshot.digest
        });
        (snapshot, Arc::clone(&found.unwrap().bytes))
    });
    let emptied: Vec<String> = set.emptied_slots().iter().map(|slot| slot.as_str().to_owned()).collect();
    PolicySet::restore(loader, with_bytes.collect(), &emptied).unwrap()
}

fn asked_for_weights(set: &mut PolicySet, step: u32) -> String {
    set.bucket_weights(step, &[1, 1], 1).unwrap().by
}

fn of_kind(events: &[Event], kind: EventKind) -> Vec<&Event> {
    events.iter().filter(|event| event.kind == kind).collect()
}

#[test]
fn a_newcomer_that_always_traps_in_one_function_gives_the_slot_back_to_its_predecessor() {
    let bad = loader(&[("attack", "panic"), ("from_step", "2")]);
    let files = [
        source(&exgrpo_tests::policy("on_policy"), None, 0),
        source(&exgrpo_tests::guest("hostile"), None, 0),
    ];
    let first = candidate(&loader(&[]), &exgrpo_tests::policy("on_policy"), None, 0);
    let good = first.info().digest.clone();
    let mut set = PolicySet::new(&loader(&[]), vec![first]).unwrap();
    asked_for_weights(&mut set, 1);
    set.swap(candidate(&bad, &exgrpo_tests::guest("hostile"), None, 0)).unwrap();
    // It answers two functions of three well, for as long as replay has not begun.
    let problems = ProblemColumns::default();
    set.row_weights(2, &problems, &[]).unwrap();
    set.replay_ratio(2, 8, 0.5, 0.5).unwrap();

    let again = restored(&loader(&[]), &set, &files);
    for (place, mut set) in [("at once", set), ("resumed", again)] {
        assert_ne!(set.digest(Slot::Sampling), good, "{place}");
        // The restored set has the parameters of a sound run: only the first one traps.
        if place == "at once" {
            assert_eq!(asked_for_weights(&mut set, 2), good, "the predecessor answers");
            assert_eq!(asked_for_weights(&mut set, 3), good, "for good");
            assert!(set.drain(3).0.last().unwrap().fault.is_none());
        } else {
            let waits = |set: &PolicySet| set.snapshot().iter().any(|member| !member.predecessor.is_empty());
            assert!(waits(&set), "the predecessor waits");
            assert_ne!(asked_for_weights(&mut set, 2), good, "the third function is answered well");
            assert!(!waits(&set), "now the newcomer has proven itself");
        }
    }
}

#[test]
fn a_newcomer_that_has_proven_itself_keeps_the_slot_when_it_faults() {
    let bad = loader(&[("attack", "panic"), ("from_step", "3")]);
    let first = candidate(&loader(&[]), &exgrpo_tests::policy("on_policy"), None, 0);
    let mut set =
        PolicySet::new(&bad, vec![candidate(&bad, &exgrpo_tests::guest("hostile"), None, 0)]).unwrap();
    set.swap(first).unwrap();
    set.swap(candidate(&bad, &exgrpo_tests::guest("hostile"), None, 1)).unwrap();
    let newcomer = set.digest(Slot::Sampling).to_owned();
    let problems = ProblemColumns::default();
    set.row_weights(2, &problems, &[]).unwrap();
    set.replay_ratio(2, 8, 0.5, 0.5).unwrap();
    assert_eq!(asked_for_weights(&mut set, 2), newcomer);
    assert_eq!(asked_for_weights(&mut set, 3), BUILTIN);
    assert_eq!(set.digest(Slot::Sampling), newcomer);
}

#[test]
fn two_that_do_not_prove_themselves_end_with_the_one_before_both() {
    let bad = loader(&[("attack", "panic"), ("from_step", "2")]);
    let hostile = exgrpo_tests::guest("hostile");
    let first = candidate(&loader(&[]), &exgrpo_tests::policy("on_policy"), None, 0);
    let good = first.info().digest.clone();
    let mut set = PolicySet::new(&loader(&[]), vec![first]).unwrap();
    for version in 0..6 {
        set.swap(candidate(&bad, &hostile, None, version)).unwrap();
        set.row_weights(2, &ProblemColumns::default(), &[]).unwrap();
    }
    assert_eq!(asked_for_weights(&mut set, 2), good);
}

#[test]
fn files_that_move_or_exchange_slots_are_ready_together() {
    let plain = loader(&[]);
    let (hostile, exact) = (exgrpo_tests::guest("hostile"), exgrpo_tests::policy("exact_answer"));
    let (counter, on_policy) = (exgrpo_tests::guest("counter"), exgrpo_tests::policy("on_policy"));
    let at_start =
        || vec![candidate(&plain, &hostile, Some("a.wasm"), 0), candidate(&plain, &exact, Some("c.wasm"), 0)];
    assert!(PolicySet::new(&plain, at_start()).is_err(), "both fill the verifier");

    // a: sampling, trajectories, verifier. It shrinks to the verifier and b takes sampling.
    let starts = vec![
        candidate(&plain, &hostile, Some("a.wasm"), 0),
        candidate(&plain, &exgrpo_tests::guest("talker"), Some("b.wasm"), 0),
    ];
    let mut set = PolicySet::new(&plain, starts).unwrap();
    let grown = candidate(&plain, &on_policy, Some("b.wasm"), 1);
    let refused = set.swap(grown.clone());
    assert!(matches!(&refused, Err(Reject::Slot { detail, .. }) if detail.contains("a.wasm")), "{refused:?}");
    assert!(set.ready(&[&grown]).is_empty());
    let shrunk = candidate(&plain, &exact, Some("a.wasm"), 1);
    assert_eq!(set.ready(&[&grown, &shrunk]), [0, 1]);
    set.take_over(grown).unwrap();
    set.take_over(shrunk).unwrap();
    let table = set.slot_table();
    assert!(table.contains("on_policy") && table.contains("): retirement, sampling | "), "{table}");
    assert_eq!(set.components().len(), 2);

    // An exchange: a gets sampling, b gets the verifier.
    let exchange =
        [candidate(&plain, &counter, Some("a.wasm"), 2), candidate(&plain, &exact, Some("b.wasm"), 2)];
    assert!(set.ready(&[&exchange[0]]).is_empty() && set.ready(&[&exchange[1]]).is_empty());
    assert_eq!(set.ready(&[&exchange[0], &exchange[1]]), [0, 1]);
    for candidate in exchange {
        set.take_over(candidate).unwrap();
    }
    let table = set.slot_table();
    assert!(table.contains("counter 0.1.0"), "{table}");
    assert!(table.ends_with("built in: difficulty, retirement, selection, trajectories"), "{table}");
    // Two that claim one slot wait, whoever came first.
    let both = [candidate(&plain, &exact, Some("d.wasm"), 3), candidate(&plain, &exact, Some("e.wasm"), 4)];
    assert!(set.ready(&[&both[0], &both[1]]).is_empty());
}

#[test]
fn a_slot_that_was_emptied_stays_so_until_somebody_asks_for_it() {
    let plain = loader(&[]);
    let chooser = exgrpo_tests::guest("chooser");
    let counter = candidate(&plain, &exgrpo_tests::guest("counter"), None, 0);
    let first = candidate(&plain, &chooser, Some("a.wasm"), 0);
    let mut set = PolicySet::new(&plain, vec![first, counter]).unwrap();
    let (_, events) = set.drain(1);
    let warned = of_kind(&events, EventKind::Warning);
    assert_eq!(warned.len(), 1, "{events:?}");
    assert_eq!((warned[0].reason, warned[0].step), (Some("override"), 1));
    assert!(set.override_warning().unwrap().contains("swap RUN --slot selection builtin"));

    set.empty_slot(Slot::Selection);
    set.note_slots();
    let (_, events) = set.drain(2);
    assert!(of_kind(&events, EventKind::Warning).is_empty(), "nothing overrides anything now");
    assert_eq!(of_kind(&events, EventKind::Swap)[0].reason, Some("emptied"));
    let table = &of_kind(&events, EventKind::Slots)[0].detail;
    assert!(table.contains("selection (emptied)") && !table.contains('\n'), "{table}");
    assert!(!set.fills_selection());

    let sources = [source(&chooser, None, 0), source(&exgrpo_tests::guest("counter"), None, 0)];
    let again = restored(&plain, &set, &sources);
    for mut set in [set, again] {
        set.swap(candidate(&plain, &chooser, Some("a.wasm"), 1)).unwrap();
        assert!(!set.fills_selection(), "a file that is built again does not undo a wish");
        assert_ne!(set.digest(Slot::Retirement), BUILTIN);
        set.empty_slot(Slot::Retirement);
        let refused = set.swap(candidate(&plain, &chooser, Some("a.wasm"), 2));
        assert!(
            matches!(&refused, Err(Reject::Slot { detail, .. }) if detail.contains("emptied")),
            "{refused:?}"
        );
        set.swap(candidate(&plain, &chooser, None, 3)).unwrap();
        assert!(set.fills_selection(), "an explicit wish does");
    }
}

/// A sampler that traps from step 3 on: who is asked is not who answers.
#[test]
fn rows_name_who_answered_also_after_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    let policies = [exgrpo_tests::guest("counter"), exgrpo_tests::policy("exact_answer")];
    let mut config = small(&policies, 6);
    config.policy.params.insert("panic_from".to_owned(), 3.into());
    config.guest.failure = exgrpo_policy::FailureRule::KeepLastGood;
    let leavings = finish(config, dir.path());
    let decisions: Vec<DecisionRow> = read::rows(dir.path()).unwrap();
    let answered = |step: u32, function: &str| {
        let mut rows = decisions.iter().filter(|row| row.step == step && row.function == function);
        rows.next_back().map(|row| row.digest.clone())
    };
    let drawn: Vec<_> = leavings.experiences.iter().filter(|row| row.drawn_from_bucket.is_some()).collect();
    assert!(drawn.iter().any(|row| row.step < 3) && drawn.iter().any(|row| row.step >= 3));
    for row in &drawn {
        let expected =
            if row.step < 3 { answered(row.step, "bucket-weights") } else { Some(BUILTIN.to_owned()) };
        assert_eq!(row.sampling_digest, expected, "step {}", row.step);
    }
    for row in &leavings.experiences {
        assert_eq!(Some(&row.verifier_digest), answered(row.step, "verify").as_ref());
        assert_eq!(row.difficulty_digest, answered(row.step, "assign"));
        assert_eq!(row.retirement_digest, answered(row.step, "decide"));
        assert!(row.verifier_fuel > 0, "{row:?}");
    }
}
