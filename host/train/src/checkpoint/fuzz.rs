//! Recorded files with any damage: what reads them answers or refuses, and never panics, hangs or takes much memory.
//! Digests are put right again where there are some, so that the checks behind them are reached.

use std::path::Path;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::state::StateFile;
use super::tests::{pool, state};
use super::*;
use crate::config::{Config, RunToml};
use exgrpo_core::rng::Streams;
use exgrpo_core::sealed::Format;

/// Feeds `target` with damaged `seeds`: 300 of them, or as many as `EXGRPO_FUZZ` says. The number of the one that fails
/// is in the panic's message, and makes it again.
fn run(name: &str, seeds: &[Vec<u8>], words: &[&str], target: impl Fn(&[u8])) {
    let cases = std::env::var("EXGRPO_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    for seed in seeds {
        target(seed);
    }
    for case in 0..cases {
        let mut stream = Streams::new(case).stream(name, 0, 0);
        let mut bytes = seeds[stream.random_range(0..seeds.len())].clone();
        for _ in 0..stream.random_range(1..5) {
            damage(&mut bytes, words, &mut stream);
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&bytes)));
        assert!(outcome.is_ok(), "{name}: case {case}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

/// One change somewhere: a bit, a byte, a number in binary or in digits, a word of the format, a piece that is cut out,
/// copied or put in, or the end.
fn damage(bytes: &mut Vec<u8>, words: &[&str], stream: &mut ChaCha8Rng) {
    const NUMBERS: [u64; 8] = [0, 1, 999, 1 << 31, u32::MAX as u64, 1 << 40, i64::MAX as u64, u64::MAX];
    let at = stream.random_range(0..=bytes.len());
    let end = (at + stream.random_range(1..40)).min(bytes.len());
    let number = NUMBERS[stream.random_range(0..NUMBERS.len())];
    match stream.random_range(0..9) {
        0 if at < end => bytes[at] ^= 1 << stream.random_range(0..8),
        1 if at < end => bytes[at] = stream.random(),
        2 => {
            let four = (at + 4).min(bytes.len());
            bytes.splice(at..four, (number as u32).to_le_bytes());
        }
        3 => {
            let eight = (at + 8).min(bytes.len());
            bytes.splice(at..eight, number.to_le_bytes());
        }
        4 => {
            let begin = bytes[at..].iter().position(u8::is_ascii_digit).map_or(bytes.len(), |gap| at + gap);
            let digits = bytes[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            bytes.splice(begin..begin + digits, number.to_string().into_bytes());
        }
        5 if !words.is_empty() => {
            let word = words[stream.random_range(0..words.len())];
            bytes.splice(at..at, word.bytes());
        }
        6 => drop(bytes.drain(at..end)),
        7 => {
            let piece = bytes[at..end].repeat(stream.random_range(1..5));
            let to = stream.random_range(0..=bytes.len());
            bytes.splice(to..to, piece);
        }
        _ => bytes.truncate(at),
    }
}

#[test]
fn any_state_is_used_or_refused() {
    let guest_states = vec![Some(StateRef { sha256: "ef".repeat(32), bytes: 40_000 }), None];
    let mut with_queue = state(2);
    with_queue.queue.take(1, &Streams::new(1), |_| false);
    for policy in &mut with_queue.policies {
        policy.state = None;
    }
    let text = StateFile::new(Vec::new(), guest_states, with_queue).to_text().unwrap();
    let body = sealed::unseal(&text, Format::JsonLines, Path::new("state")).unwrap().to_owned();
    let seeds = [text.clone().into_bytes(), body.into_bytes()];
    let words =
        ["null", "-1", "1e999", "[", "{", "\"", "4294967296", "18446744073709551616", "[[[[", "\\u0000"];
    run("state", &seeds, &words, |bytes| {
        let Ok(changed) = std::str::from_utf8(bytes) else { return };
        let unsealed = sealed::unseal(changed, Format::JsonLines, Path::new("state"));
        assert!(unsealed.is_err() || changed == text, "a change went unnoticed");
        let Ok(file) = StateFile::from_body(changed) else { return };
        let mut state = file.state;
        if state.check(2, &pool()).is_ok() {
            let rows = state.queue.take(5, &Streams::new(1), |_| false);
            assert!(rows.iter().all(|&row| row < 3));
        }
    });
}

#[test]
fn any_run_toml_is_used_or_refused() {
    let about: toml::Table = "name = \"a\"\nmodel = \"embedded:arithmetic\"".parse().unwrap();
    let written = RunToml::new(Config::default(), about).unwrap();
    let path = Path::new("run.toml");
    let body = sealed::unseal(&written.text, Format::Toml, path).unwrap().to_owned();
    let seeds = [written.text.clone().into_bytes(), body.into_bytes()];
    let words =
        ["[run]", "[[", "= ", "inf", "nan", "\"\"\"", "1979-05-27", "-1", "{ a = ", "18446744073709551616"];
    run("run.toml", &seeds, &words, |bytes| {
        let parsed = RunToml::parse(bytes, path);
        assert!(parsed.is_err() || bytes == written.text.as_bytes(), "a change went unnoticed");
        let sealed_again = sealed::seal(&String::from_utf8_lossy(bytes), Format::Toml);
        if let Ok(read) = RunToml::parse(sealed_again.as_bytes(), path) {
            read.config.validate().unwrap();
        }
    });
}

#[test]
fn any_pool_is_used_or_refused() {
    let sound = pool();
    let seeds = [sound.to_bytes().unwrap(), ExperiencePool::new([1].into_iter()).to_bytes().unwrap()];
    let words = ["problem/stored", "\"U64\"", "\"F32\"", "[0,8]", "[4294967295]", "data_offsets", "\"1\""];
    run("pool", &seeds, &words, |bytes| {
        let Ok(mut pool) = ExperiencePool::from_bytes(bytes) else { return };
        assert_eq!(ExperiencePool::from_bytes(&pool.to_bytes().unwrap()).unwrap(), pool);
        if pool.check_as_of(2, 2).is_err() {
            return;
        }
        let rows: Vec<u32> = (0..pool.num_questions() as u32).collect();
        let weights = vec![1.0; pool.counts().len()];
        let mut rng = Streams::new(1).stream("fuzz", 0, 0);
        for draw in pool.draw(&weights, 3, &mut rng) {
            assert!(!pool.problem(draw.row).retired && !pool.experiences(draw.row).is_empty());
        }
        pool.problem_columns(&rows);
        for row in rows {
            pool.record(row, 1, 4, 3);
            pool.retire(row);
            pool.revive(row);
            pool.set_weight(row, 2.0);
        }
        pool.reset_buckets(2);
    });
}

#[test]
fn any_stored_state_of_a_policy_is_used_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (run_dir, _lock) = RunDir::create(dir.path().join("run")).unwrap();
    let content: Vec<u8> = (0..4_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
    let named = GuestStates::of(&run_dir).store(&content).unwrap();
    let path = run_dir.guest_states().join(format!("{}.gz", named.sha256));
    let seeds = [std::fs::read(&path).unwrap()];
    run("guest state", &seeds, &[], |bytes| {
        std::fs::write(&path, bytes).unwrap();
        if let Ok(state) = GuestStates::of(&run_dir).load(&named, 1 << 20) {
            assert_eq!(state, content);
        }
    });
}
