//! Mutations of small valid files, for tests of what reads files of strangers.
//!
//! `EXGRPO_FUZZ` is the number of inputs a target, 300 when it isn't set. A target fails when it panics, takes more than
//! 500 MB or longer than a minute; the inputs are shrunk before they are shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::contain::{self, Budget};

/// What one input may take.
const BUDGET: Budget = Budget { memory: 500_000_000, time: Duration::from_secs(60) };

/// One change of a file. Places are taken modulo its length.
#[derive(Debug, Clone)]
enum Mutation {
    Flip {
        at: usize,
        bit: u8,
    },
    Byte {
        at: usize,
        value: u8,
    },
    /// Four or eight bytes as a number, little end first.
    Number {
        at: usize,
        value: u64,
        is_wide: bool,
    },
    /// The run of digits behind a place as another number.
    Digits {
        at: usize,
        value: u64,
    },
    Cut {
        at: usize,
        len: usize,
    },
    Truncate {
        at: usize,
    },
    /// A copy of a piece at another place.
    Copy {
        from: usize,
        len: usize,
        at: usize,
        times: usize,
    },
    Insert {
        at: usize,
        bytes: Vec<u8>,
    },
    /// A word of the format, in place of as many bytes or between two.
    Word {
        at: usize,
        word: usize,
        replaces: bool,
    },
    /// Everything else goes.
    Noise {
        bytes: Vec<u8>,
    },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = || any::<u32>().prop_map(|at| at as usize);
    let number = || {
        prop_oneof![
            Just(0),
            Just(1),
            Just(u64::MAX),
            Just(i64::MAX as u64),
            Just(i64::MIN as u64),
            Just(u64::from(u32::MAX)),
            Just(i32::MAX as u64),
            Just(1 << 40),
            any::<u64>(),
            0..300u64
        ]
    };
    let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
    prop_oneof![
        4 => (at(), 0..8u8).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        4 => (at(), any::<u8>()).prop_map(|(at, value)| Mutation::Byte { at, value }),
        4 => (at(), number(), any::<bool>()).prop_map(|(at, value, is_wide)| Mutation::Number { at, value, is_wide }),
        4 => (at(), number()).prop_map(|(at, value)| Mutation::Digits { at, value }),
        3 => (at(), 1..40usize).prop_map(|(at, len)| Mutation::Cut { at, len }),
        1 => at().prop_map(|at| Mutation::Truncate { at }),
        3 => (at(), 1..80usize, at(), 1..20usize)
            .prop_map(|(from, len, at, times)| Mutation::Copy { from, len, at, times }),
        2 => (at(), bytes(20)).prop_map(|(at, bytes)| Mutation::Insert { at, bytes }),
        5 => (at(), at(), any::<bool>()).prop_map(|(at, word, replaces)| Mutation::Word { at, word, replaces }),
        1 => bytes(200).prop_map(|bytes| Mutation::Noise { bytes }),
    ]
}

impl Mutation {
    fn apply(&self, file: &mut Vec<u8>, words: &[&str]) {
        let len = file.len();
        let place = |at: usize| at % (len + 1);
        let overwrite = |file: &mut Vec<u8>, at: usize, bytes: &[u8]| {
            let end = (at + bytes.len()).min(len);
            file.splice(at..end, bytes.iter().copied());
        };
        match self {
            Self::Flip { at, bit } => {
                if let Some(byte) = file.get_mut(place(*at)) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Byte { at, value } => overwrite(file, place(*at), &[*value]),
            Self::Number { at, value, is_wide: true } => overwrite(file, place(*at), &value.to_le_bytes()),
            Self::Number { at, value, .. } => overwrite(file, place(*at), &(*value as u32).to_le_bytes()),
            Self::Digits { at, value } => {
                let is_digit = |byte: &u8| byte.is_ascii_digit();
                let Some(begin) =
                    file[place(*at)..].iter().position(is_digit).map(|index| place(*at) + index)
                else {
                    return;
                };
                let end =
                    file[begin..].iter().position(|byte| !is_digit(byte)).map_or(len, |index| begin + index);
                file.splice(begin..end, value.to_string().into_bytes());
            }
            Self::Cut { at, len: count } => {
                let begin = place(*at);
                file.drain(begin..(begin + count).min(len));
            }
            Self::Truncate { at } => file.truncate(place(*at)),
            Self::Copy { from, len: count, at, times } => {
                let begin = place(*from);
                let piece = file[begin..(begin + count).min(len)].repeat(*times);
                file.splice(place(*at)..place(*at), piece);
            }
            Self::Insert { at, bytes } => {
                file.splice(place(*at)..place(*at), bytes.iter().copied());
            }
            Self::Word { at, word, replaces } if !words.is_empty() => {
                let (begin, word) = (place(*at), words[word % words.len()].as_bytes());
                let end = if *replaces { (begin + word.len()).min(len) } else { begin };
                file.splice(begin..end, word.iter().copied());
            }
            Self::Word { .. } => {}
            Self::Noise { bytes } => *file = bytes.clone(),
        }
    }
}

/// Feeds mutations of `seeds` to `target`, with `words` of the format thrown in.
pub fn run(name: &str, seeds: &[Vec<u8>], words: &[&str], target: impl Fn(&[u8]) + Send + Sync + 'static) {
    let cases = std::env::var("EXGRPO_FUZZ").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    let config = Config { cases, failure_persistence: None, max_shrink_time: 60_000, ..Config::default() };
    let target = Arc::new(target);
    for seed in seeds {
        target(seed);
    }
    let slowest_us = AtomicU64::new(0);
    let inputs = (0..seeds.len(), proptest::collection::vec(mutation(), 0..6));
    let outcome = TestRunner::new(config).run(&inputs, |(seed, mutations)| {
        let mut file = seeds[seed].clone();
        mutations.iter().for_each(|mutation| mutation.apply(&mut file, words));
        let (target, input, begin) = (Arc::clone(&target), file.clone(), Instant::now());
        let outcome = contain::run(BUDGET, move || target(&input));
        slowest_us.fetch_max(begin.elapsed().as_micros() as u64, Ordering::Relaxed);
        let shown = String::from_utf8_lossy(&file[..file.len().min(3_000)]).into_owned();
        outcome.map_err(|breach| TestCaseError::fail(format!("{breach} over {shown:?}")))
    });
    report(name, cases, slowest_us.into_inner());
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}

fn report(name: &str, cases: u32, slowest_us: u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("peak memory not known");
    println!("{name}: {cases} inputs, the slowest took {} ms; {peak}", slowest_us / 1_000);
}
