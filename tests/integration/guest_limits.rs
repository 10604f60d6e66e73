//! Every limit obeyed and violated, with a real guest; and components that are refused before they run.

use std::collections::BTreeMap;
use std::sync::Arc;

use exgrpo_host::columns::TrajectoryColumns;
use exgrpo_host::guest::{GuestConfig, Loader, PolicySet, PolicySource, Probe, Reject, VerifyRequest};
use exgrpo_host::journal::{EventKind, Slot};
use exgrpo_host::types::Verdict;

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
    let source = PolicySource::read(exgrpo_tests::hostile()).unwrap();
    let candidate = loader.prepare(source, &Probe { step: 1, ..Probe::default() }).unwrap();
    PolicySet::new(&loader, vec![candidate]).unwrap()
}

/// Asks for bucket weights at a step before and at one after the attack begins. Answers the typed reason of the fault.
fn reason_of(config: &GuestConfig, attack: &str, amount: u32) -> Option<&'static str> {
    let mut set = hostile_set(config, attack, amount);
    assert_eq!(set.bucket_weights(1, &[1, 2, 0], 2).unwrap(), [1.0, 1.0, 1.0], "{attack}");
    set.drain();
    let weights = set.bucket_weights(2, &[1, 2, 0], 2).unwrap();
    assert_eq!(weights.len(), 3, "somebody else answers");
    assert!(weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0));
    let (decisions, events) = set.drain();
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
        ("huge-output", 0, 2, "output-size"),
    ] {
        if attack != "huge-output" {
            assert_eq!(reason_of(&config, attack, obeyed), None, "{attack} below its limit");
        }
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
    assert_eq!(set.choose(1, &columns, 0).unwrap(), [Some(0)]);
    assert_eq!(set.choose(2, &columns, 0).unwrap(), [Some(1)], "the built-in takes the lowest entropy");
    let (_, events) = set.drain();
    assert!(events.iter().any(|event| event.reason == Some("out-of-range")), "{events:?}");
}

#[test]
fn a_panic_leaves_its_message_in_the_log() {
    let mut set = hostile_set(&config(), "panic", 0);
    set.bucket_weights(2, &[1], 0).unwrap();
    let (_, events) = set.drain();
    assert!(events.iter().any(|event| event.detail.contains("bad parameters at step 2")), "{events:?}");
}

#[test]
fn candidates_that_misbehave_in_their_probe_or_are_no_policies_are_refused() {
    for attack in ["loop", "memory", "panic", "nan", "out-of-range"] {
        let loader = loader(&config(), attack, 64, 0);
        let source = PolicySource::read(exgrpo_tests::hostile()).unwrap();
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
    let requests: Vec<VerifyRequest> = (0..40)
        .map(|row| match row {
            7 | 23 => request(format!("{row}!")),
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
                    .into_iter()
                    .map(|result| (result.verdict, result.fuel))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(judged[0], judged[1]);
        assert_eq!(judged[0], judged[2]);
        for (row, (have, _)) in judged[0].iter().enumerate() {
            let expected = match row {
                7 | 23 => verdict,
                row if row % 2 == 0 => Verdict::Correct,
                _ => Verdict::Incorrect,
            };
            assert_eq!(*have, expected, "{attack} row {row}");
        }
    }
}
