//! `runs`, `show` and `compare` say what the log has.

use std::path::Path;
use std::process::Stdio;

use exgrpo_core::types::Origin;
use exgrpo_log::{metric, read};

use crate::process::host;
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
