//! Every limit obeyed and violated, with a real guest; and components that are refused before they run.

use std::collections::BTreeMap;
use std::sync::Arc;

use exgrpo_core::columns::TrajectoryColumns;
use exgrpo_core::journal::{EventKind, Slot};
use exgrpo_core::types::Verdict;
use exgrpo_policy::{GuestConfig, Loader, PolicySet, PolicySource, Probe, Reject, VerifyRequest};

fn config() -> GuestConfig {
    GuestConfig {
        fuel_per_call: 20_000_000,
        fuel_per_request: 2_000_000,
        deadline_ms: 5_000,
        memory_mib: 16,
        stack_kib: 128,
        output_mib: 1,
        ..GuestConfig::default()
    }
}

fn loader(config: &GuestConfig, attack: &str, amount: u32, from_step: u32) -> Loader {
    let params =
        [("attack", attack.to_owned()), ("amount", amount.to_string()), ("from_step", from_step.to_string())];
    let params: BTreeMap<String, String> = params.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    Loader::new(config, &params).unwrap()
}

fn hostile_set(config: &GuestConfig, attack: &str, amount: u32) -> PolicySet {
    let loader = loader(config, attack, amount, 2);
    let source =
        PolicySource::read(exgrpo_tests::guest("hostile"), GuestConfig::default().most_file_bytes()).unwrap();
    let candidate = loader.prepare(source, &Probe { step: 1, ..Probe::default() }).unwrap();
    PolicySet::new(&loader, vec![candidate]).unwrap()
}

/// Asks for bucket weights at a step before and at one after the attack begins. Answers the typed reason of the fault.
fn reason_of(config: &GuestConfig, attack: &str, amount: u32) -> Option<&'static str> {
    let mut set = hostile_set(config, attack, amount);
    assert_eq!(set.bucket_weights(1, &[1, 2, 0], 2).unwrap().answer, [1.0, 1.0, 1.0], "{attack}");
    set.drain(1);
    let weights = set.bucket_weights(2, &[1, 2, 0], 2).unwrap().answer;
    assert_eq!(weights.len(), 3, "somebody else answers");
    assert!(weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0));
    let (decisions, events) = set.drain(1);
    let fault = events.iter().find(|event| event.kind == EventKind::Fault);
    assert_eq!(fault.is_some(), decisions.iter().any(|decision| decision.fault.is_some()));
    if let Some(event) = fault {
        assert_eq!(event.slot, Some(Slot::Sampling));
        assert!(event.digest.is_some());
    }
    fault.map(|event| event.reason.unwrap())
}

#[test]
fn each_limit_is_obeyed_and_violated() {
    let config = config();
    for (attack, obeyed, violated, reason) in [
        ("work", 10_000, 20_000_000, "fuel"),
        ("memory", 4, 64, "memory"),
        ("recursion", 50, 1_000_000, "stack"),
    ] {
        assert_eq!(reason_of(&config, attack, obeyed), None, "{attack} below its limit");
        let have = reason_of(&config, attack, violated);
        // Recursion on the shadow stack runs out of its memory before the frames run out of theirs.
        let is_stack = attack == "recursion" && matches!(have, Some("stack" | "trap"));
        assert!(have == Some(reason) || is_stack, "{attack}: {have:?}");
    }
}

#[test]
fn the_deadline_stops_a_guest_that_has_fuel_left() {
    let config = GuestConfig { fuel_per_call: u64::MAX / 4, deadline_ms: 100, ..config() };
    assert_eq!(reason_of(&config, "loop", 0), Some("deadline"));
}

#[test]
fn wrong_answers_are_typed() {
    let config = config();
    for (attack, reason) in [
        ("panic", "trap"),
        ("refuse", "refused"),
        ("nan", "non-finite"),
        ("negative", "negative"),
        ("wrong-length", "wrong-length"),
    ] {
        assert_eq!(reason_of(&config, attack, 0), Some(reason), "{attack}");
    }
    let mut set = hostile_set(&config, "out-of-range", 0);
    let columns = TrajectoryColumns {
        offsets: vec![0, 2],
        id: vec![1, 2],
        entropy: vec![0.5, 0.2],
        logprob: vec![-1.0; 2],
        reward: vec![1.0; 2],
        length: vec![3; 2],
        step: vec![1; 2],
        extra: Vec::new(),
    };
    assert_eq!(set.choose(1, &columns, 0).unwrap().answer, [Some(0)]);
    assert_eq!(
        set.choose(2, &columns, 0).unwrap().answer,
        [Some(1)],
        "the built-in takes the lowest entropy"
    );
    let (_, events) = set.drain(1);
    assert!(events.iter().any(|event| event.reason == Some("out-of-range")), "{events:?}");
}

#[test]
fn a_reward_outside_of_its_range_costs_its_row_the_verdict() {
    let request = |response: &str| VerifyRequest {
        prompt: String::new(),
        reference: "2".to_owned(),
        response: response.to_owned(),
        finished: true,
    };
    let requests = ["2", "!", "3"].map(request);
    for (attack, hundredths, expected) in [
        ("reward", 50, (Verdict::Correct, 0.5)),
        ("reward", 0, (Verdict::Correct, 0.0)),
        ("reward", 300, (Verdict::Unscorable, f32::NAN)),
        ("negative", 0, (Verdict::Unscorable, f32::NAN)),
    ] {
        let mut set = hostile_set(&config(), attack, hundredths);
        let results = set.verify(1, &requests).unwrap().answer;
        assert_eq!((results[0].verdict, results[2].verdict), (Verdict::Correct, Verdict::Incorrect));
        assert_eq!((results[1].verdict, results[1].reward.to_bits()), (expected.0, expected.1.to_bits()));
        let (decisions, events) = set.drain(1);
        let is_fault = expected.0 == Verdict::Unscorable;
        assert_eq!(
            decisions.iter().any(|decision| decision.fault.is_some()),
            is_fault,
            "{attack} {hundredths}"
        );
        assert_eq!(events.iter().any(|event| event.reason == Some("out-of-range")), is_fault, "{events:?}");
    }
}

#[test]
fn a_panic_leaves_its_message_in_the_log() {
    let mut set = hostile_set(&config(), "panic", 0);
    set.bucket_weights(2, &[1], 0).unwrap();
    let (_, events) = set.drain(1);
    assert!(events.iter().any(|event| event.detail.contains("bad parameters at step 2")), "{events:?}");
}

#[test]
fn candidates_that_misbehave_in_their_probe_or_are_no_policies_are_refused() {
    for attack in ["loop", "memory", "panic", "nan", "out-of-range"] {
        let loader = loader(&config(), attack, 64, 0);
        let source =
            PolicySource::read(exgrpo_tests::guest("hostile"), GuestConfig::default().most_file_bytes())
                .unwrap();
        let refused = loader.prepare(source, &Probe { step: 1, ..Probe::default() });
        assert!(matches!(refused, Err(Reject::Probe { .. })), "{attack}");
    }
    let whole = std::fs::read(exgrpo_tests::policy("uniform")).unwrap();
    let plain = Loader::new(&config(), &BTreeMap::new()).unwrap();
    for bytes in [&whole[..whole.len() / 2], b"not wasm", b"", b"\0asm\x01\0\0\0"] {
        let source = PolicySource { path: None, bytes: Arc::from(bytes) };
        let refused = plain.prepare(source, &Probe::default());
        assert!(matches!(refused, Err(Reject::Load { .. })));
    }
}

#[test]
fn one_bad_row_costs_one_verdict_whatever_the_number_of_threads() {
    let request = |response: String| VerifyRequest {
        prompt: "1+1=".to_owned(),
        reference: "2".to_owned(),
        response,
        finished: true,
    };
    let requests: Vec<VerifyRequest> = (0..200)
        .map(|row| match row {
            7 | 123 => request(format!("{row}!")),
            row if row % 2 == 0 => request("2".to_owned()),
            row => request(row.to_string()),
        })
        .collect();
    for (attack, verdict) in [("loop", Verdict::OutOfBudget), ("panic", Verdict::Unscorable)] {
        let judged: Vec<_> = [1, 2, 4]
            .into_iter()
            .map(|threads| {
                let mut set = hostile_set(&GuestConfig { threads, ..config() }, attack, 0);
                set.verify(1, &requests)
                    .unwrap()
                    .answer
                    .into_iter()
                    .map(|result| (result.verdict, result.fuel))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(judged[0], judged[1]);
        assert_eq!(judged[0], judged[2]);
        for (row, (have, _)) in judged[0].iter().enumerate() {
            let expected = match row {
                7 | 123 => verdict,
                row if row % 2 == 0 => Verdict::Correct,
                _ => Verdict::Incorrect,
            };
            assert_eq!(*have, expected, "{attack} row {row}");
        }
    }
}

/// Fuel of a call after the attack began, and its fault.
fn fuel_of(config: &GuestConfig, attack: &str, amount: u32) -> (u64, Option<String>) {
    let mut set = hostile_set(config, attack, amount);
    set.bucket_weights(2, &[1, 2, 0], 2).unwrap();
    let decision = set.drain(1).0.remove(0);
    (decision.fuel, decision.fault)
}

#[test]
fn fuel_and_memory_are_allowed_up_to_their_limits() {
    let (needed, fault) = fuel_of(&config(), "work", 200_000);
    assert_eq!(fault, None);
    assert_eq!(fuel_of(&config(), "work", 200_000).0, needed, "fuel repeats");
    for (fuel_per_call, fault) in [(needed + needed / 100, None), (needed - needed / 100, Some("fuel"))] {
        let config = GuestConfig { fuel_per_call, ..config() };
        assert_eq!(reason_of(&config, "work", 200_000), fault, "{fuel_per_call} of {needed}");
    }
    for (mebibytes, fault) in [(14, None), (16, Some("memory"))] {
        assert_eq!(reason_of(&config(), "memory", mebibytes), fault, "{mebibytes} MiB of 16");
    }
}

#[test]
fn an_honest_answer_may_fill_the_output_limit_but_not_pass_it() {
    let mut set = hostile_set(&config(), "none", 0);
    for (buckets, fault) in [(250_000, None), (270_000, Some("output-size"))] {
        set.bucket_weights(2, &vec![1; buckets], 2).unwrap();
        let (_, events) = set.drain(1);
        let have = events.iter().find(|event| event.kind == EventKind::Fault).and_then(|event| event.reason);
        assert_eq!(have, fault, "{buckets} weights of 4 bytes, 1 MiB allowed");
    }
    assert_eq!(reason_of(&config(), "huge-output", 2), Some("output-size"), "more than was asked for, too");
}

fn load(config: &GuestConfig, bytes: &[u8]) -> Result<(), Reject> {
    let plain = Loader::new(config, &BTreeMap::new()).unwrap();
    plain.prepare(PolicySource { path: None, bytes: Arc::from(bytes) }, &Probe::default()).map(drop)
}

#[test]
fn files_that_are_cut_damaged_foreign_or_too_large_are_refused() {
    let whole = std::fs::read(exgrpo_tests::policy("uniform")).unwrap();
    // What follows the interface descriptions are names for backtraces; without them a policy is whole.
    let names = whole.windows(5).position(|bytes| bytes == b"\x04name").unwrap() - 4;
    for part in 0..60 {
        let length = names * part / 60;
        let refused = load(&config(), &whole[..length]);
        assert!(matches!(refused, Err(Reject::Load { .. })), "first {length} bytes: {refused:?}");
    }
    // A changed byte may go unnoticed, in a constant say, but is never worse than a refusal.
    for part in 0..60 {
        let mut bytes = whole.clone();
        let place = 8 + (bytes.len() - 8) * part / 60;
        bytes[place] ^= 0xff;
        let _taken_or_refused = load(&config(), &bytes);
    }

    let replaced = |from: &[u8], to: &[u8]| {
        let mut bytes = whole.clone();
        let places: Vec<usize> = bytes
            .windows(from.len())
            .enumerate()
            .filter(|(_, at)| *at == from)
            .map(|(place, _)| place)
            .collect();
        assert!(!places.is_empty());
        for place in places {
            bytes[place..place + to.len()].copy_from_slice(to);
        }
        bytes
    };
    let foreign = load(&config(), &replaced(b"exgrpo:policy", b"others:policy"));
    assert!(matches!(foreign, Err(Reject::Load { .. })), "{foreign:?}");
    let newer = load(&config(), &replaced(b"@0.1.0", b"@7.1.0"));
    assert!(matches!(newer, Err(Reject::Load { .. })), "{newer:?}");
    // A component that is valid and empty.
    let empty = load(&config(), b"\0asm\x0d\0\x01\0");
    assert!(matches!(&empty, Err(Reject::Load { detail, .. }) if detail.contains("metadata")), "{empty:?}");

    // A custom section of 1 MiB: allowed by 2, refused by 1.
    let mut large = whole.clone();
    large.extend([0, 0x80, 0x80, 0x40, 1, b'v']);
    large.extend(vec![0; (1 << 20) - 2]);
    let limited = |file_mib| load(&GuestConfig { file_mib, ..config() }, &large);
    assert_eq!(limited(2), Ok(()));
    assert!(matches!(limited(1), Err(Reject::Load { detail, .. }) if detail.contains("file_mib")));
}

#[test]
fn a_row_has_its_own_fuel_and_the_same_verdict_alone_as_in_company() {
    let request = |response: &str| VerifyRequest {
        prompt: String::new(),
        reference: "2".to_owned(),
        response: response.to_owned(),
        finished: true,
    };
    let requests: Vec<VerifyRequest> = (0..150).map(|row| request(["2", "!", "3"][row % 3])).collect();
    let needed = hostile_set(&config(), "work", 50_000).verify(1, &[request("!")]).unwrap().answer[0].fuel;
    for (fuel_per_request, verdict) in
        [(needed + needed / 100, Verdict::Incorrect), (needed - needed / 100, Verdict::OutOfBudget)]
    {
        let mut set = hostile_set(&GuestConfig { fuel_per_request, ..config() }, "work", 50_000);
        let verdicts = |results: Vec<exgrpo_policy::VerifyResult>| -> Vec<Verdict> {
            results.into_iter().map(|result| result.verdict).collect()
        };
        let together = verdicts(set.verify(1, &requests).unwrap().answer);
        assert_eq!(together[..3], [Verdict::Correct, verdict, Verdict::Incorrect]);
        let mut alone = Vec::new();
        for request in &requests {
            alone.extend(verdicts(set.verify(1, std::slice::from_ref(request)).unwrap().answer));
        }
        assert_eq!(together, alone);
        let mut backwards = requests.clone();
        backwards.reverse();
        let mut backwards = verdicts(set.verify(1, &backwards).unwrap().answer);
        backwards.reverse();
        assert_eq!(together, backwards);
    }
}

/// Not a test: prints what policies cost. `cargo test --release -p exgrpo-tests -- --ignored --nocapture cost`.
#[test]
#[ignore = "measures and asserts nothing"]
fn cost_of_policies() {
    let plain = Loader::new(&GuestConfig::default(), &BTreeMap::new()).unwrap();
    let mut candidates = Vec::new();
    for name in ["gaussian_medium", "exact_answer"] {
        let source =
            PolicySource::read(exgrpo_tests::policy(name), GuestConfig::default().most_file_bytes()).unwrap();
        let started = std::time::Instant::now();
        candidates.push(plain.prepare(source, &Probe::default()).unwrap());
        eprintln!("{name}: loaded and probed in {:?}", started.elapsed());
    }
    let mut set = PolicySet::new(&plain, candidates).unwrap();
    let requests = vec![
        VerifyRequest {
            prompt: "38+47-19=".to_owned(),
            reference: "66".to_owned(),
            response: "38+47=85;85-19=66;66".to_owned(),
            finished: true,
        };
        256
    ];
    let rows = 1_000;
    let problems = exgrpo_core::columns::ProblemColumns {
        id: (0..rows).collect(),
        num_success: (0..rows as u32).map(|row| row % 9).collect(),
        group_size: vec![8; rows as usize],
        attempts: vec![8; rows as usize],
        solved_streak: vec![0; rows as usize],
        last_step: vec![1; rows as usize],
        stored: vec![1; rows as usize],
        extra: Vec::new(),
    };
    let trajectories = TrajectoryColumns {
        offsets: (0..=64).collect(),
        id: (0..64).collect(),
        entropy: vec![0.5; 64],
        logprob: vec![-1.0; 64],
        reward: vec![1.0; 64],
        length: vec![9; 64],
        step: vec![1; 64],
        extra: Vec::new(),
    };
    let median = |call: &mut dyn FnMut()| {
        let mut times: Vec<_> = (0..101)
            .map(|_| {
                let started = std::time::Instant::now();
                call();
                started.elapsed()
            })
            .collect();
        times.sort();
        times[50]
    };
    eprintln!("verify 256: {:?}", median(&mut || drop(set.verify(1, &requests).unwrap())));
    let step = median(&mut || {
        set.assign(1, &problems, 9).unwrap();
        set.bucket_weights(1, &[1; 9], 8).unwrap();
        set.choose(1, &trajectories, 1).unwrap();
    });
    eprintln!("assign 1000 + weights + choose 64: {step:?}");
}
