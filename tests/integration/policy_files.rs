//! Damaged policies are refused or work, and never do worse. `EXGRPO_FUZZ` says how many are tried.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use exgrpo_core::contain::{self, Budget};
use exgrpo_policy::{GuestConfig, Loader, PolicySource, Probe};

/// Numbers that look random.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below.max(1)
    }
}

/// One to five changes: bits, bytes, numbers of varying length, pieces cut or doubled.
fn damaged(file: &[u8], number: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..1 + number(5) {
        let (at, len) = (number(bytes.len()), number(40));
        let end = (at + len).min(bytes.len());
        match number(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << number(8),
            1 if at < bytes.len() => bytes[at] = number(256) as u8,
            2 => drop(bytes.splice(at..(at + 5).min(bytes.len()), [0xff, 0xff, 0xff, 0xff, 0x0f])),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                let to = number(bytes.len());
                drop(bytes.splice(to..to, piece));
            }
            _ if number(10) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}

/// Interface descriptions that name another package, or another version: with two that name each other, the encoder went on
/// until its stack was used up (found by the test below).
#[test]
fn interface_descriptions_that_name_other_packages_are_refused() {
    let sound = std::fs::read(exgrpo_tests::policy("exact_answer")).unwrap();
    let loader = Loader::new(&GuestConfig::default(), &BTreeMap::new()).unwrap();
    let mut tried = 0;
    for (name, place, byte) in [("exgrpo:policy/", 1, b'b'), ("policy@0.1.0", 11, b'1')] {
        let places = sound.windows(name.len()).enumerate().filter(|(_, window)| *window == name.as_bytes());
        for (at, _) in places {
            let mut bytes = sound.clone();
            bytes[at + place] = byte;
            if let Err(refused) =
                loader.prepare(PolicySource { path: None, bytes: bytes.into() }, &Probe::default())
            {
                tried += usize::from(
                    refused.to_string().contains("names another package than exgrpo:policy@0.1.0"),
                );
            }
        }
    }
    assert!(tried >= 8, "{tried}");
}

#[test]
fn no_policy_file_makes_loading_panic_or_grow() {
    let cases = std::env::var("EXGRPO_FUZZ").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100);
    let seeds = [exgrpo_tests::policy("exact_answer"), exgrpo_tests::guest("counter")]
        .map(|path| std::fs::read(path).unwrap());
    let loader = Loader::new(&GuestConfig::default(), &BTreeMap::new()).unwrap();
    let budget = Budget { memory: 500_000_000, time: Duration::from_secs(60) };
    let mut number = numbers();
    let mut taken = 0;
    for case in 0..cases {
        let bytes: Arc<[u8]> = damaged(&seeds[case % seeds.len()], &mut number).into();
        let (loader, source) = (loader.clone(), PolicySource { path: None, bytes });
        let answer = contain::run(budget, move || match loader.prepare(source, &Probe::default()) {
            Ok(_) => true,
            Err(reject) => {
                assert!(reject.to_string().len() < 20_000);
                false
            }
        });
        taken += usize::from(answer.unwrap_or_else(|breach| panic!("case {case}: {breach}")));
    }
    assert!(taken < cases, "some damage is seen");
}
