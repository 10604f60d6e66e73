//! Who fills a slot: taking over, being refused, falling back after a fault, and state that outlives all of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exgrpo_core::columns::{ProblemColumns, TrajectoryColumns};
use exgrpo_core::journal::{BUILTIN, EventKind, Slot};
use exgrpo_policy::{
    Candidate, FailureRule, GuestConfig, Loader, PolicySet, PolicySetError, PolicySource, Probe, Reject,
    Stop, VerifyRequest,
};

fn loader(failure: FailureRule, params: &[(&str, &str)]) -> Loader {
    let params: BTreeMap<String, String> =
        params.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Loader::new(&GuestConfig { failure, ..GuestConfig::default() }, &params).unwrap()
}

fn plain() -> Loader {
    loader(FailureRule::KeepLastGood, &[])
}

/// The file's bytes as if they had been read from `path`; each `version` has a digest of its own.
fn source(file: &Path, path: Option<&str>, version: u8) -> PolicySource {
    let mut bytes = std::fs::read(file).unwrap();
    // A custom section named `v` changes the digest and nothing else.
    bytes.extend([0, 3, 1, b'v', version]);
    PolicySource { path: path.map(PathBuf::from), bytes: bytes.into() }
}

fn candidate(loader: &Loader, file: &Path, path: Option<&str>, version: u8) -> Candidate {
    loader.prepare(source(file, path, version), &Probe { step: 1, ..Probe::default() }).unwrap()
}

fn weight(set: &mut PolicySet, step: u32) -> f32 {
    let weights = set.bucket_weights(step, &[1, 1], 1).unwrap().answer;
    assert_eq!(weights[0], weights[1]);
    weights[0]
}

fn digests(set: &PolicySet) -> Vec<String> {
    Slot::ALL.into_iter().map(|slot| set.digest(slot).to_owned()).collect()
}

const PANIC_AT_2: [(&str, &str); 2] = [("attack", "panic"), ("from_step", "2")];

#[test]
fn a_file_that_changed_replaces_itself_wholly_and_takes_nothing_from_others() {
    let (hostile, exact) = (exgrpo_tests::guest("hostile"), exgrpo_tests::policy("exact_answer"));
    let loader = plain();
    let first = candidate(&loader, &hostile, Some("a.wasm"), 0);
    let mut set = PolicySet::new(&loader, vec![first]).unwrap();
    let fills = |set: &PolicySet| -> Vec<Slot> {
        Slot::ALL.into_iter().filter(|&slot| set.digest(slot) != BUILTIN).collect()
    };
    assert_eq!(fills(&set), [Slot::Sampling, Slot::Trajectories, Slot::Verifier]);

    set.swap(candidate(&loader, &exact, Some("a.wasm"), 0)).unwrap();
    assert_eq!(fills(&set), [Slot::Verifier], "slots that it no longer fills are the built-in's");
    assert_eq!(set.components().len(), 1);
    let (_, events) = set.drain(3);
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::Swap && event.step == 3).count(), 3);

    // Another file fills the slots that are free.
    set.swap(candidate(&loader, &exgrpo_tests::policy("on_policy"), Some("b.wasm"), 0)).unwrap();
    let before = (digests(&set), set.components());
    set.drain(1);
    let refused = set.swap(candidate(&loader, &hostile, Some("a.wasm"), 1));
    assert!(matches!(&refused, Err(Reject::Slot { detail, .. }) if detail.contains("b.wasm")), "{refused:?}");
    assert_eq!((digests(&set), set.components()), before, "a refusal changes nothing");
    let (_, events) = set.drain(1);
    assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::SwapRefused]);
    assert_eq!(events[0].reason, Some("slot"));

    // A candidate without a path is an explicit wish and takes what it can fill.
    set.swap(candidate(&loader, &hostile, None, 2)).unwrap();
    assert_eq!(set.digest(Slot::Sampling), set.digest(Slot::Verifier));
    assert_ne!(set.digest(Slot::Sampling), set.digest(Slot::Retirement), "the rest stays with b.wasm");
}

#[test]
fn two_that_claim_a_slot_and_parameters_that_nobody_takes_are_errors() {
    let hostile = exgrpo_tests::guest("hostile");
    let loader = plain();
    let both = ["a.wasm", "b.wasm"].map(|path| candidate(&loader, &hostile, Some(path), 0));
    let error = PolicySet::new(&loader, both.into()).unwrap_err().to_string();
    assert!(error.contains("a.wasm") && error.contains("b.wasm"), "{error}");

    let other = self::loader(FailureRule::KeepLastGood, &[("atack", "loop")]);
    let error = PolicySet::new(&other, vec![candidate(&other, &hostile, None, 0)]).unwrap_err();
    assert!(matches!(&error, PolicySetError::UnknownParameter { name, .. } if name == "atack"), "{error}");
}

#[test]
fn after_a_fault_the_slot_goes_back_to_the_last_good_one_in_a_restored_set_too() {
    let hostile = exgrpo_tests::guest("hostile");
    let bad = loader(FailureRule::KeepLastGood, &PANIC_AT_2);
    let first = candidate(&plain(), &exgrpo_tests::policy("on_policy"), Some("a.wasm"), 0);
    let good = first.info().digest.clone();
    let mut set = PolicySet::new(&plain(), vec![first]).unwrap();
    weight(&mut set, 1);
    set.swap(candidate(&bad, &hostile, Some("a.wasm"), 0)).unwrap();
    let bad_digest = set.digest(Slot::Sampling).to_owned();
    assert_ne!(bad_digest, good);

    let sources =
        [source(&exgrpo_tests::policy("on_policy"), None, 0).bytes, source(&hostile, None, 0).bytes];
    let snapshots = set.snapshot();
    assert_eq!(snapshots.len(), 2, "the last good one goes into the checkpoint although it is swapped out");
    let restored = PolicySet::restore(&bad, snapshots.into_iter().zip(sources).collect(), &[]).unwrap();

    set.drain(1);
    for mut set in [set, restored] {
        assert_eq!(set.digest(Slot::Sampling), bad_digest);
        weight(&mut set, 2);
        assert_eq!(set.digest(Slot::Sampling), good);
        assert_eq!(set.digest(Slot::Verifier), bad_digest, "other slots stay");
        let (decisions, events) = set.drain(1);
        assert_eq!(decisions[0].digest, good);
        assert!(decisions[0].fault.as_deref().is_some_and(|fault| fault.starts_with("trap")));
        let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
        assert!(kinds.ends_with(&[EventKind::Fault, EventKind::Swap]), "{events:?}");
        weight(&mut set, 3);
        assert!(set.drain(1).0[0].fault.is_none(), "for good, not for one call");
    }
}

#[test]
fn a_file_gets_a_slot_back_that_it_lost_by_a_fault() {
    let files = [
        exgrpo_tests::policy("on_policy"),
        exgrpo_tests::guest("counter"),
        exgrpo_tests::policy("exact_answer"),
    ];
    let bytes = |count: usize| files[..count].iter().map(|file| source(file, None, 0).bytes);
    let bad = loader(FailureRule::KeepLastGood, &[("panic_from", "2")]);
    let first = candidate(&plain(), &files[0], Some("a.wasm"), 0);
    let good = first.info().digest.clone();
    let mut set = PolicySet::new(&plain(), vec![first]).unwrap();
    weight(&mut set, 1);
    // Somebody asks for another component in one slot. From then on its file is watched.
    set.swap(candidate(&bad, &files[1], None, 0)).unwrap();
    let mut snapshots = set.snapshot();
    snapshots[1].path = Some(PathBuf::from("b.wasm"));
    let mut set = PolicySet::restore(&bad, snapshots.into_iter().zip(bytes(2)).collect(), &[]).unwrap();
    weight(&mut set, 2);
    assert_eq!(set.digest(Slot::Sampling), good, "it faulted, the first one stands in");
    set.swap(candidate(&plain(), &files[2], None, 0)).unwrap();
    assert_eq!(set.components().len(), 3, "a swap of other slots unloads nobody");

    let restored = PolicySet::restore(&bad, set.snapshot().into_iter().zip(bytes(3)).collect(), &[]).unwrap();
    for mut set in [set, restored] {
        let fixed = candidate(&plain(), &files[1], Some("b.wasm"), 1);
        let digest = fixed.info().digest.clone();
        set.swap(fixed).unwrap();
        assert_eq!(set.digest(Slot::Sampling), digest);
        assert_eq!(set.digest(Slot::Retirement), good);
        assert_eq!(set.components().len(), 3);
    }
}

#[test]
fn the_failure_rule_decides_who_answers() {
    let hostile = exgrpo_tests::guest("hostile");
    for failure in [FailureRule::BuiltIn, FailureRule::KeepLastGood] {
        let loader = loader(failure, &PANIC_AT_2);
        let mut set = PolicySet::new(&loader, vec![candidate(&loader, &hostile, None, 0)]).unwrap();
        let digest = set.digest(Slot::Sampling).to_owned();
        weight(&mut set, 1);
        weight(&mut set, 2);
        let (decisions, _) = set.drain(1);
        assert_eq!(decisions[0].digest, digest);
        assert_eq!(decisions[1].digest, BUILTIN, "nobody else was ever good");
        assert_eq!(set.digest(Slot::Sampling), digest, "it keeps the slot");
    }
    let loader = loader(FailureRule::Stop, &PANIC_AT_2);
    let mut set = PolicySet::new(&loader, vec![candidate(&loader, &hostile, None, 0)]).unwrap();
    weight(&mut set, 1);
    let stop = set.bucket_weights(2, &[1, 1], 1);
    assert!(matches!(stop, Err(Stop::Fault { step: 2, slot: Slot::Sampling, .. })), "{stop:?}");
}

#[test]
fn state_outlives_checkpoints_faults_and_swaps() {
    let counter = exgrpo_tests::guest("counter");
    let until_5 = loader(FailureRule::KeepLastGood, &[("panic_from", "5")]);
    let mut set = PolicySet::new(&until_5, vec![candidate(&until_5, &counter, Some("a.wasm"), 0)]).unwrap();
    assert_eq!(weight(&mut set, 1), 1.0, "the probe leaves no trace");
    assert_eq!(weight(&mut set, 2), 2.0);

    let snapshots = set.snapshot();
    let json = serde_json::to_string(&snapshots).unwrap();
    assert_eq!(serde_json::from_str::<Vec<exgrpo_policy::PolicySnapshot>>(&json).unwrap(), snapshots);
    let bytes = source(&counter, None, 0).bytes;
    let pairs = snapshots.into_iter().map(|snapshot| (snapshot, Arc::clone(&bytes))).collect();
    let mut restored = PolicySet::restore(&until_5, pairs, &[]).unwrap();
    for step in [3, 4] {
        assert_eq!(weight(&mut restored, step), weight(&mut set, step));
    }

    weight(&mut set, 5);
    assert_eq!(set.drain(1).1.last().unwrap().reason, Some("trap"));
    set.swap(candidate(&plain(), &counter, Some("a.wasm"), 1)).unwrap();
    assert_eq!(weight(&mut set, 6), 5.0, "the call that trapped left no trace");

    let other_format = loader(FailureRule::KeepLastGood, &[("format", "2")]);
    let refused = set.swap(candidate(&other_format, &counter, Some("a.wasm"), 2));
    assert!(
        matches!(&refused, Err(Reject::Probe { function, .. }) if function == "state.restore"),
        "{refused:?}"
    );
    assert_eq!(weight(&mut set, 7), 6.0);

    let pairs = set.snapshot().into_iter().map(|snapshot| (snapshot, Arc::clone(&bytes))).collect();
    let error = format!("{:#}", PolicySet::restore(&plain(), pairs, &[]).unwrap_err());
    assert!(error.contains("the checkpoint names"), "other bytes than the digest's: {error}");
}

/// A sequence that looks random.
fn numbers() -> impl FnMut(u32) -> u32 {
    let mut state = 7u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % u64::from(below)) as u32
    }
}

#[test]
fn built_in_answers_equal_those_of_the_shipped_policies_bit_for_bit() {
    let loader = plain();
    let set_of = |names: &[&str]| {
        let candidates =
            names.iter().map(|name| candidate(&loader, &exgrpo_tests::policy(name), Some(name), 0)).collect();
        PolicySet::new(&loader, candidates).unwrap()
    };
    let mut built_in = set_of(&[]);
    let mut shipped = set_of(&["on_policy", "exact_answer"]);
    let mut paper = set_of(&["gaussian_medium"]);
    let mut next = numbers();

    let words = [
        "0",
        "-0",
        "7",
        "+7",
        "-7",
        "007",
        " 7",
        "7 ",
        "7.",
        "",
        ";",
        "3;7",
        "7;",
        "x",
        "--7",
        "٧",
        "70000000000000000000000",
    ];
    let requests: Vec<VerifyRequest> = (0..2_000)
        .map(|_| VerifyRequest {
            prompt: String::new(),
            reference: words[next(17) as usize].to_owned(),
            response: words[next(17) as usize].to_owned() + words[next(17) as usize],
            finished: next(4) > 0,
        })
        .collect();
    let judged = |set: &mut PolicySet| -> Vec<_> {
        let results = set.verify(1, &requests).unwrap().answer;
        results.into_iter().map(|result| (result.verdict, result.reward.to_bits(), result.answer)).collect()
    };
    assert_eq!(judged(&mut built_in), judged(&mut shipped));

    for group_size in [1, 2, 7, 8] {
        let mut problems = ProblemColumns::default();
        for id in 1..=50 {
            problems.id.push(id);
            problems.num_success.push(next(group_size + 1));
            problems.group_size.push(group_size);
            problems.attempts.push(next(9));
            problems.solved_streak.push(next(3));
            problems.last_step.push(next(9));
            problems.stored.push(next(4));
        }
        let buckets = built_in.buckets(1, group_size).unwrap();
        assert_eq!(buckets, paper.buckets(1, group_size).unwrap());
        let assigned = built_in.assign(1, &problems, buckets.len()).unwrap().answer;
        assert_eq!(assigned, paper.assign(1, &problems, buckets.len()).unwrap().answer);
        assert_eq!(
            built_in.decide(1, &problems).unwrap().answer,
            shipped.decide(1, &problems).unwrap().answer
        );
        let counts: Vec<u32> = (0..=group_size).map(|_| next(3)).collect();
        assert_eq!(
            built_in.bucket_weights(1, &counts, group_size).unwrap().answer,
            shipped.bucket_weights(1, &counts, group_size).unwrap().answer
        );
        assert_eq!(
            built_in.row_weights(1, &problems, &assigned).unwrap(),
            shipped.row_weights(1, &problems, &assigned).unwrap()
        );
        assert_eq!(
            built_in.replay_ratio(1, 8, 0.5, 0.5).unwrap().to_bits(),
            shipped.replay_ratio(1, 8, 0.5, 0.5).unwrap().to_bits()
        );

        let mut trajectories = TrajectoryColumns { offsets: vec![0], ..TrajectoryColumns::default() };
        for _ in 0..60 {
            for _ in 0..next(4) {
                trajectories.id.push(trajectories.id.len() as u64);
                trajectories.entropy.push([0.5, 0.25, -0.0, 0.0, f32::NAN][next(5) as usize]);
                trajectories.logprob.push(-1.0);
                trajectories.reward.push(1.0);
                trajectories.length.push(next(9));
                trajectories.step.push(next(9));
            }
            trajectories.offsets.push(trajectories.id.len() as u32);
        }
        assert_eq!(
            built_in.choose(1, &trajectories, 3).unwrap().answer,
            paper.choose(1, &trajectories, 3).unwrap().answer
        );
    }
    for set in [&mut shipped, &mut paper] {
        assert!(set.drain(1).1.iter().all(|event| event.kind != EventKind::Fault));
    }
}
