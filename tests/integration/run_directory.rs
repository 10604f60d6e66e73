//! What a run's directory survives: kills before it begins, damaged and missing files, and files of somebody else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use exgrpo_core::journal::EventKind;
use exgrpo_core::sealed::{self, Format};
use exgrpo_log::{EventRow, read};
use exgrpo_pool::ExperiencePool;

use crate::compare::Leavings;
use crate::process::{host, start};

const STEPS: &str = "4";

fn run_it(command: &mut std::process::Command) -> String {
    let output = command.output().unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    text
}

fn resume(out: &Path) -> Output {
    host(&["--quiet", "--resume"]).arg(out).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What `--resume` says when it refuses: one error, with a way out.
fn refusal(out: &Path) -> String {
    let output = resume(out);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("error: ") && text.contains("hint: ") && !text.contains("panicked"), "{text}");
    text
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => fs::copy(entry.path(), to.join(entry.file_name())).map(|_| ()).unwrap(),
        }
    }
}

/// Bytes of every Parquet file under `dir`, wherever it lies.
fn all_parts(dir: &Path) -> BTreeMap<Vec<u8>, PathBuf> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_parts(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.insert(fs::read(&path).unwrap(), path);
        }
    }
    found
}

fn assert_nothing_is_lost(before: &BTreeMap<Vec<u8>, PathBuf>, out: &Path) {
    let after = all_parts(out);
    for (bytes, path) in before {
        assert!(after.contains_key(bytes), "{} is gone", path.display());
    }
}

/// A finished run to spoil copies of.
struct Whole {
    dir: tempfile::TempDir,
    leavings: Leavings,
}

impl Whole {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        run_it(&mut start(&dir.path().join("whole"), STEPS));
        let leavings = Leavings::of(&dir.path().join("whole"));
        Self { dir, leavings }
    }

    fn copy(&self, name: &str) -> PathBuf {
        let out = self.dir.path().join(name);
        copy(&self.dir.path().join("whole"), &out);
        out
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before_and_nothing_is_lost() {
    let whole = Whole::new();
    for file in ["state.jsonl", "pool.safetensors", "model.safetensors", "optimizer.safetensors"] {
        let out = whole.copy(file);
        let before = all_parts(&out);
        flip(&out.join("checkpoints/000004").join(file));
        let output = resume(&out);
        let text = said(&output);
        assert!(output.status.success(), "{text}");
        assert!(text.contains(file) && text.contains("going on from") && text.contains("000003"), "{text}");
        assert!(text.contains("steps 4 to 4") && text.contains("superseded/1-after-000003"), "{text}");
        assert_nothing_is_lost(&before, &out);
        assert!(out.join("superseded/1-after-000003/checkpoints/000004").join(file).exists());
        Leavings::of(&out).assert_equals(&whole.leavings);
    }
    // A folder of somebody's is no checkpoint, and blocks nothing.
    let out = whole.copy("stray");
    fs::create_dir(out.join("checkpoints/000009")).unwrap();
    fs::write(out.join("checkpoints/000009/notes.txt"), "mine").unwrap();
    let text = run_it(host(&["--quiet", "--steps", "5", "--resume"]).arg(&out));
    assert!(text.contains("000009 is no checkpoint"), "{text}");
    assert_eq!(read::metrics(&out).unwrap().len(), 5);
    assert!(out.join("superseded/1-after-000004/checkpoints/000009/notes.txt").exists());
}

#[test]
fn without_a_checkpoint_nothing_is_removed_unless_the_user_says_so() {
    let whole = Whole::new();
    let damaged = whole.copy("damaged");
    for step in ["000003", "000004"] {
        flip(&damaged.join("checkpoints").join(step).join("pool.safetensors"));
    }
    let gone = whole.copy("gone");
    fs::remove_dir_all(gone.join("checkpoints")).unwrap();
    for (out, expected) in [(&damaged, "000003/pool.safetensors"), (&gone, "a log up to step 4")] {
        let before = all_parts(out);
        let text = refusal(out);
        assert!(text.contains(expected) && text.contains("--start-over"), "{text}");
        assert_eq!(all_parts(out), before, "nothing was touched");
        // A change of policies that the run decided on is part of what it did.
        fs::create_dir_all(out.join("swaps")).unwrap();
        fs::write(out.join("swaps/000001.json"), "decided then").unwrap();
        let text = run_it(host(&["--quiet", "--start-over", "--resume"]).arg(out));
        let set_aside = fs::read(out.join("superseded/1-after-000000/swaps/000001.json")).unwrap();
        assert_eq!(set_aside, b"decided then");
        assert!(text.contains("steps 1 to 4"), "{text}");
        assert_nothing_is_lost(&before, out);
        Leavings::of(out).assert_equals(&whole.leavings);
    }
    // Killed between the first step's rows and the first checkpoint: that step is made again.
    let early = whole.copy("early");
    fs::remove_dir_all(early.join("checkpoints")).unwrap();
    fs::create_dir(early.join("checkpoints")).unwrap();
    for table in exgrpo_log::TABLES {
        for part in read::parts(&early, table).unwrap().into_iter().filter(|part| part.first > 1) {
            fs::remove_file(part.path).unwrap();
        }
    }
    let before = all_parts(&early);
    let text = run_it(host(&["--quiet", "--resume"]).arg(&early));
    assert!(text.contains("steps 1 to 1"), "{text}");
    assert_nothing_is_lost(&before, &early);
    Leavings::of(&early).assert_equals(&whole.leavings);
}

#[test]
fn a_damaged_run_toml_is_refused_with_the_way_back() {
    let whole = Whole::new();
    let out = whole.copy("run");
    let path = out.join("run.toml");
    let sound = fs::read_to_string(&path).unwrap();
    let spoilt = [
        String::new(),
        sound[..sound.len() / 2].to_owned(),
        sound.replacen("questions = 4\n", "", 1),
        sound.replacen("seed = 3", "seed = 4", 1),
    ];
    for text in spoilt {
        assert_ne!(text, sound);
        fs::write(&path, text).unwrap();
        let text = refusal(&out);
        assert!(text.contains("run.toml") && text.contains("checkpoints/000004/config.toml"), "{text}");
        assert!(text.lines().count() <= 2, "{text}");
    }
    fs::remove_file(&path).unwrap();
    let text = refusal(&out);
    let (_, command) = text.trim_end().split_once("cp ").unwrap();
    let (from, to) = command.split_once(' ').unwrap();
    fs::copy(from, to).unwrap();
    run_it(host(&["--quiet", "--resume"]).arg(&out));
    Leavings::of(&out).assert_equals(&whole.leavings);
}

#[test]
fn missing_tables_and_parts_and_checkpoints_of_another_run_are_told() {
    let whole = Whole::new();
    let other = whole.dir.path().join("other");
    run_it(&mut start(&other, STEPS));

    let out = whole.copy("tables");
    fs::remove_dir_all(out.join("decisions")).unwrap();
    fs::remove_file(out.join("metrics/part-000002-000002.parquet")).unwrap();
    fs::copy(
        other.join("experiences/part-000003-000003.parquet"),
        out.join("experiences/part-000003-000003.parquet"),
    )
    .unwrap();
    let text = run_it(host(&["--quiet", "--steps", "5", "--resume"]).arg(&out));
    for expected in ["lacks decisions of step", "lacks metrics of step 2", "experiences/part-000003"] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(!out.join("experiences/part-000003-000003.parquet").exists(), "rows of two runs are never mixed");
    assert_eq!(read::metrics(&out).unwrap().len(), 4);

    let out = whole.copy("checkpoint");
    fs::remove_dir_all(out.join("checkpoints/000004")).unwrap();
    copy(&other.join("checkpoints/000004"), &out.join("checkpoints/000004"));
    let text = said(&resume(&out));
    assert!(text.contains("of another run") && text.contains("going on from"), "{text}");
    Leavings::of(&out).assert_equals(&whole.leavings);
}

#[test]
fn every_early_kill_leaves_a_directory_that_the_same_command_takes() {
    let dir = tempfile::tempdir().unwrap();
    let kills = std::env::var("EXGRPO_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let mut num_unbegun = 0;
    for kill in 0..kills {
        let out = dir.path().join(format!("killed-{kill}"));
        let mut child = start(&out, "1").spawn().unwrap();
        // Killed while the directory is being made, from its first file to its last.
        while !out.exists() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended early");
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_micros(700 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
        if out.join("run.toml").exists() {
            run_it(host(&["--quiet", "--resume"]).arg(&out));
        } else {
            num_unbegun += 1;
            let text = refusal(&out);
            assert!(text.contains("killed before it began"), "{text}");
            run_it(&mut start(&out, "1"));
        }
        assert_eq!(read::metrics(&out).unwrap().len(), 1);
    }
    assert!(num_unbegun > 0, "no kill came early enough");
}

#[test]
fn checkpoints_come_when_they_are_due_and_the_log_tells_the_truth() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    run_it(start(&out, "8").args(["--set", "checkpoint.every=3", "--set", "checkpoint.keep=9"]));
    let steps = exgrpo_core::rundir::RunDir::at(&out).checkpoint_steps().unwrap();
    assert_eq!(steps, [1, 3, 6, 8], "the first, the multiples, the last");
    let events: Vec<EventRow> = read::rows(&out).unwrap();
    let logged: Vec<u32> =
        events.iter().filter(|event| event.kind == EventKind::Checkpoint).map(|event| event.step).collect();
    assert_eq!(logged, steps);
    for row in read::metrics(&out).unwrap() {
        let seconds = row.values.get("time/checkpoint_s");
        assert_eq!(seconds.is_some_and(|&seconds| seconds > 0.0), steps.contains(&row.step), "{row:?}");
        let of = |key: &str| row.values[key];
        let stages = ["time/select_s", "time/rollout_s", "time/verify_s", "time/update_s"].map(of);
        let step_s = of("time/step_s");
        assert!(stages.iter().all(|&seconds| seconds > 0.0), "{row:?}");
        assert!(stages.iter().sum::<f64>() <= step_s, "{row:?}");
        assert!(of("time/guest_s") > 0.0 && of("time/guest_s") < 64.0 * step_s, "{row:?}");
        let tokens = of("time/tokens_per_s") * step_s;
        assert!((0.5..=1.001).contains(&(tokens / of("rollout/tokens"))), "{row:?}");
    }
}

/// Removes the parts of the steps after `last`.
fn shorten(out: &Path, last: u32) {
    for table in exgrpo_log::TABLES {
        for part in read::parts(out, table).unwrap().into_iter().filter(|part| part.last > last) {
            fs::remove_file(part.path).unwrap();
        }
    }
}

#[test]
fn a_run_goes_on_from_the_newest_checkpoint_within_its_log() {
    let whole = Whole::new();
    let text = run_it(host(&["--quiet", "--resume"]).arg(whole.copy("sound")));
    assert!(!text.contains("can't resume"), "{text}");

    let out = whole.copy("shorter");
    shorten(&out, 3);
    let text = run_it(host(&["--quiet", "--resume"]).arg(&out));
    assert!(text.contains("000004: the log ends at step 3; going on from"), "{text}");
    Leavings::of(&out).assert_equals(&whole.leavings);

    // Rows that are gone are gone; the run is not.
    let out = whole.copy("without");
    shorten(&out, 0);
    let text = run_it(host(&["--quiet", "--steps", "5", "--resume"]).arg(&out));
    assert!(text.contains("the log ends at step 0") && text.contains("going on from"), "{text}");
    assert_eq!(read::metrics(&out).unwrap().iter().map(|row| row.step).collect::<Vec<_>>(), [5]);

    // A single step is not thrown away without a word either.
    let out = whole.dir.path().join("one");
    run_it(&mut start(&out, "1"));
    flip(&out.join("checkpoints/000001/pool.safetensors"));
    assert!(refusal(&out).contains("000001/pool.safetensors"));
}

/// Changes what the checkpoint of step 4 says, under a digest of its own.
fn forge(out: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let path = out.join("checkpoints/000004/state.jsonl");
    let body = sealed::read_sealed(&path, Format::JsonLines, 1 << 20).unwrap();
    let mut file: serde_json::Value = serde_json::from_str(&body).unwrap();
    change(&mut file);
    fs::write(&path, sealed::seal(&file.to_string(), Format::JsonLines)).unwrap();
}

/// The log-probs at another temperature are what an older version left of a run at a temperature.
#[test]
fn a_sealed_checkpoint_that_can_not_be_of_this_run_is_not_gone_on_from() {
    let whole = Whole::new();
    for (key, number, expected) in [
        ("seed", 4, "it has the seed 4, the run has 3"),
        ("weights_version", 999, "999 updates can't have been made in 4 steps"),
    ] {
        let out = whole.copy(key);
        forge(&out, |file| file["state"][key] = number.into());
        let text = run_it(host(&["--quiet", "--resume"]).arg(&out));
        assert!(text.contains(expected) && text.contains("going on from"), "{text}");
        Leavings::of(&out).assert_equals(&whole.leavings);
    }
    let out = whole.copy("temperature");
    let path = out.join("checkpoints/000004/pool.safetensors");
    let pool = ExperiencePool::from_bytes(&fs::read(&path).unwrap()).unwrap();
    let bytes = pool.recorded_at(0.7).to_bytes().unwrap();
    fs::write(&path, &bytes).unwrap();
    forge(&out, |file| {
        let files = file["files"].as_array_mut().unwrap();
        let record = files.iter_mut().find(|record| record["name"] == "pool.safetensors").unwrap();
        record["sha256"] = sealed::sha256(&bytes).into();
        record["bytes"] = bytes.len().into();
    });
    assert!(refusal(&out).contains("log-probs at temperature 0.7"));
}
