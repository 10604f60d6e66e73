//! `runs`, `show` and `compare` say what the log has.

use std::path::Path;
use std::process::Stdio;

use exgrpo_core::rundir::RunDir;
use exgrpo_core::sealed;
use exgrpo_core::types::Origin;
use exgrpo_log::{metric, read};

use crate::process::{host, start};
use crate::runs::{finish, small};

fn printed(arguments: &[&str], folder: &Path) -> (String, String, bool) {
    let output = host(arguments).current_dir(folder).stdout(Stdio::piped()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.success())
}

fn cells(page: &str, begin: &str) -> Vec<String> {
    let line =
        page.lines().rfind(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{begin}: {page}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

#[test]
fn runs_are_listed_shown_and_compared_by_what_their_logs_say() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("runs");
    let key = metric::CORRECT_OF.of(Origin::Fresh);
    let mut figures = Vec::new();
    for (name, policies) in [("paper", vec!["gaussian_medium"]), ("baseline", vec!["on_policy"])] {
        for seed in [1, 2] {
            let policies: Vec<_> = policies.iter().map(|name| exgrpo_tests::policy(name)).collect();
            let mut config = small(&policies, if name == "paper" { 4 } else { 3 });
            config.seed = seed;
            let out = folder.join(format!("{name}-{seed}"));
            finish(config, &out);
            let metrics = read::metrics(&out).unwrap();
            let values: Vec<f64> = metrics[1..3].iter().map(|row| row.values[key.key()]).collect();
            figures.push(values.iter().sum::<f64>() / 2.0);
        }
    }

    let (list, _, ok) = printed(&["runs"], dir.path());
    assert!(ok, "{list}");
    assert_eq!(cells(&list, "paper-1")[..4], ["paper-1", "gaussian_medium", "1", "4/4"]);
    assert_eq!(cells(&list, "baseline-2").last().unwrap(), "finished");

    let (page, told, ok) = printed(&["compare", "runs/paper*", "runs/base*", "--last", "2"], dir.path());
    assert!(ok, "{told}");
    assert!(
        page.starts_with("rollout/correct/fresh in percent, mean of its last 2 values up to step 3\n"),
        "{page}"
    );
    assert!(
        page.contains("runs have different lengths: compared at step 3")
            && page.contains("2 pairs are too few")
    );
    let shown = |value: f64| format!("{:.1}", 100.0 * value);
    let signed = |value: f64| format!("{:+.1}", 100.0 * value);
    assert_eq!(
        cells(&page, "gaussian_medium")[..3],
        ["gaussian_medium".to_owned(), "2".to_owned(), shown((figures[0] + figures[1]) / 2.0)]
    );
    // The last line of a condition is its difference to the first.
    let differences = [figures[2] - figures[0], figures[3] - figures[1]];
    let difference = cells(&page, "on_policy");
    assert_eq!(difference[2], signed((differences[0] + differences[1]) / 2.0), "{page}");
    assert_eq!(difference[4..], [signed(differences[0]), signed(differences[1])], "{page}");

    let (shown, _, ok) = printed(&["show", "runs/paper-1"], dir.path());
    assert!(ok && shown.starts_with("paper-1: finished, step 4 of 4\n"), "{shown}");
    assert_eq!(cells(&shown, "trajectories")[1].split(' ').next().unwrap(), "gaussian_medium");

    let (_, told, ok) = printed(&["compare", "runs", "--metric", "rollout/corect"], dir.path());
    assert!(!ok && told.contains("hint: there are rollout/correct"), "{told}");
    // A damaged run hides no other.
    std::fs::write(folder.join("paper-2/run.toml"), "steps = 1\n").unwrap();
    let (list, told, ok) = printed(&["runs"], dir.path());
    assert!(!ok && told.starts_with("warning: runs/paper-2/run.toml"), "{told}");
    assert_eq!(list.lines().count(), 4, "{list}");
}

#[test]
fn a_log_that_lacks_a_part_or_has_another_in_its_place_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    finish(small(&[exgrpo_tests::policy("gaussian_medium")], 4), &run);
    let other = exgrpo_tests::policy("on_policy");
    finish(small(&[other], 4), &dir.path().join("other"));
    let part = |table: &str, step: u32| run.join(table).join(format!("part-{step:06}-{step:06}.parquet"));
    let told = |arguments: &[&str]| printed(arguments, dir.path());
    let show = || told(&["show", "run"]);
    let (intact, said, ok) = show();
    assert!(ok && said.is_empty(), "{said}");

    let kept = dir.path().join("kept");
    let without = |file: &Path, expected: &str| {
        std::fs::rename(file, &kept).unwrap();
        let (_, said, ok) = show();
        assert!(ok && said.contains(expected), "{}: {said}", file.display());
        std::fs::rename(&kept, file).unwrap();
    };
    without(&part("metrics", 2), "warning: run: the log lacks metrics of step 2");
    without(&part("experiences", 3), "warning: run: the log lacks experiences of step 3");
    std::fs::rename(part("metrics", 2), &kept).unwrap();
    for arguments in [&["runs", "run"][..], &["compare", "run", "other"]] {
        let (_, said, ok) = told(arguments);
        assert!(ok && said.contains("warning: run: the log lacks metrics of step 2"), "{said}");
    }
    // Another step's part in its place.
    std::fs::copy(part("metrics", 1), part("metrics", 2)).unwrap();
    let (_, said, ok) = show();
    assert!(!ok && said.contains("it has a row of step 1, which its name does not"), "{said}");
    std::fs::rename(&kept, part("metrics", 2)).unwrap();
    std::fs::rename(part("experiences", 2), &kept).unwrap();
    std::fs::copy(part("experiences", 1), part("experiences", 2)).unwrap();
    let (_, said, _) = show();
    assert!(said.contains("its SHA-256 is not the one recorded"), "{said}");
    std::fs::rename(&kept, part("experiences", 2)).unwrap();
    without(&part("metrics", 4), "the log ends at step 3, and there is a checkpoint of step 4");
    assert_eq!(show(), (intact, String::new(), true));

    // A damaged run does not hide another.
    std::fs::copy(part("metrics", 4), &kept).unwrap();
    std::fs::write(part("metrics", 4), b"PAR1").unwrap();
    let (table, said, ok) = told(&["runs", "run", "other"]);
    assert!(!ok && table.contains("on_policy") && said.contains("part-000004-000004.parquet"), "{said}");
    std::fs::rename(&kept, part("metrics", 4)).unwrap();
}

#[test]
fn a_checkpoint_in_the_place_of_another_is_no_model_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let [run, other] = ["run", "other"].map(|name| dir.path().join(name));
    for (seed, out) in [(1, &run), (2, &other)] {
        let mut config = small(&[], 3);
        config.seed = seed;
        finish(config, out);
    }
    let ask = || printed(&["generate", "--model", "run", "--prompt", "1+1="], dir.path());
    assert!(ask().2);
    let place = RunDir::at(&run).checkpoint(3);
    std::fs::rename(&place, dir.path().join("kept")).unwrap();
    for (from, expected) in [
        (RunDir::at(&run).checkpoint(2), "000003 is of step 2, not of its place"),
        (RunDir::at(&other).checkpoint(3), "000003 is of another run"),
    ] {
        std::fs::create_dir(&place).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, place.join(path.file_name().unwrap())).unwrap();
        }
        let (_, said, ok) = ask();
        assert!(!ok && said.contains(expected), "{said}");
        std::fs::remove_dir_all(&place).unwrap();
    }
    std::fs::rename(dir.path().join("kept"), &place).unwrap();
    assert!(ask().2);
}

/// Makes of a run what commit f1934b9 left: run.toml without format, id and digest, checkpoints of layout 1.
fn make_old(run: &Path, step: u32) {
    let toml = std::fs::read_to_string(run.join("run.toml")).unwrap();
    let settings = "steps = 2\nseed = 3\n[rollout]\nquestions = 4\ngroup_size = 4\n[eval]\nenabled = false\n";
    assert!(toml.contains("questions = 4"));
    let about = "[run]\nexgrpo_version = \"0.0.0\"\nlog_schema_version = 2\nmodel = \"embedded:arithmetic\"\nname = \"old\"\n";
    std::fs::write(run.join("run.toml"), format!("{settings}{about}")).unwrap();
    let checkpoint = RunDir::at(run).checkpoint(step);
    let files = ["model.safetensors", "optimizer.safetensors", "pool.safetensors"].map(|name| {
        let bytes = std::fs::read(checkpoint.join(name)).unwrap();
        format!("[\"{name}\", \"{}\"]", sealed::sha256(&bytes))
    });
    let state =
        format!("{{\"version\": 1, \"files\": [{}], \"state\": {{\"step\": {step}}}}}", files.join(", "));
    std::fs::write(checkpoint.join("state.json"), state).unwrap();
    std::fs::remove_file(checkpoint.join("state.jsonl")).unwrap();
    std::fs::remove_file(checkpoint.join("config.toml")).unwrap();
}

#[test]
fn a_run_of_before_files_had_digests_is_read_and_not_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("old");
    assert!(start(&run, "2").status().unwrap().success());
    let ask = || printed(&["generate", "--model", "old", "--prompt", "1+1="], dir.path());
    let (now, _, ok) = ask();
    assert!(ok);
    make_old(&run, 2);
    let (old, told, ok) = ask();
    assert!(ok && old == now, "{told}");
    assert!(told.contains("warning: old/run.toml was written before such files had a digest"), "{told}");
    let (page, _, ok) = printed(&["show", "old"], dir.path());
    assert!(
        ok && page.starts_with("old: finished, step 2 of 2\nexgrpo 0.0.0, model embedded:arithmetic"),
        "{page}"
    );
    let eval = ["eval", "--model", "old", "--dataset", "embedded:arithmetic/test", "--limit", "2"];
    let (table, told, ok) = printed(&eval, dir.path());
    assert!(ok && table.contains("| 2 |"), "{told}");

    let (_, told, ok) = printed(&["--resume", "old"], dir.path());
    assert!(!ok && told.starts_with("error: old/run.toml was written by exgrpo 0.0.0"), "{told}");
    // One whose state is missing is not passed over for an earlier one.
    let state = RunDir::at(&run).checkpoint(2).join("state.json");
    std::fs::rename(&state, dir.path().join("kept")).unwrap();
    assert!(RunDir::at(&run).checkpoint(1).is_dir());
    let (_, told, ok) = ask();
    assert!(!ok && told.contains("000002 can't be used: its state is missing"), "{told}");
    std::fs::rename(dir.path().join("kept"), &state).unwrap();
    // Its weights are compared all the same.
    let weights = RunDir::at(&run).checkpoint(2).join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let (_, told, ok) = ask();
    assert!(
        !ok && told.contains("model.safetensors is damaged: its SHA-256 is not the one recorded"),
        "{told}"
    );
}
