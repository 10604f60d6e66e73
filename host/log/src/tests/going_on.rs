//! What happens to parts when a run goes on: nothing is removed, and nothing damaged or foreign stays among them.

use super::*;

fn go_on(run_dir: &Path, step: u32) -> Vec<String> {
    RunLog::open(run_dir, RUN, keys(), begin(Some(step))).unwrap().notes().to_vec()
}

fn part_of(run_dir: &Path, table: &str, step: u32) -> std::path::PathBuf {
    part::Part::new(run_dir, table, step, step).path
}

/// Every part under `superseded`, with its bytes, by its place in the run.
fn set_aside(run_dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let folders = fs::read_dir(run_dir.join("superseded")).into_iter().flatten();
    folders.flat_map(|folder| files(&folder.unwrap().path())).collect()
}

#[test]
fn parts_of_later_steps_are_set_aside_with_all_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    write_steps(dir.path(), 1..=5, None);
    let before = files(dir.path());
    let notes = go_on(dir.path(), 3);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].contains("steps 4 to 5") && notes[0].ends_with("superseded/1-after-000003"),
        "{notes:?}"
    );
    let (kept, aside) = (files(dir.path()), set_aside(dir.path()));
    assert_eq!((kept.len(), aside.len()), (3 * 4, 2 * 4));
    let both: BTreeMap<_, _> = kept.into_iter().chain(aside).collect();
    assert!(both == before);
    assert!(go_on(dir.path(), 3).is_empty(), "a log that ends there is left alone");

    // The same steps again, and once more set aside: the first ones stay.
    write_steps(dir.path(), 4..=4, Some(3));
    go_on(dir.path(), 0);
    assert!(files(dir.path()).is_empty());
    assert_eq!(fs::read_dir(dir.path().join("superseded")).unwrap().count(), 2);
}

#[test]
fn parts_that_are_gone_are_named_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    write_steps(dir.path(), 1..=6, None);
    fs::remove_file(part_of(dir.path(), "problems", 2)).unwrap();
    fs::remove_file(part_of(dir.path(), "metrics", 3)).unwrap();
    fs::remove_file(part_of(dir.path(), "metrics", 4)).unwrap();
    fs::remove_dir_all(dir.path().join("decisions")).unwrap();
    let before = files(dir.path());
    let notes = go_on(dir.path(), 6).join("\n");
    for expected in ["decisions of step 1 to 2, 5 to 6:", "metrics of step 3 to 4:", "problems of step 2:"] {
        assert!(notes.contains(expected), "{notes}");
    }
    assert!(files(dir.path()) == before, "what is there stays");
    // A log that ends before the step that the run goes on after.
    assert!(go_on(dir.path(), 8).join("\n").contains("metrics of step 3 to 4, 7 to 8:"));
}

#[test]
fn damaged_parts_and_those_of_another_run_leave_the_tables() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_steps(dir.path(), 1..=6, None);
    let mut log = RunLog::open(other.path(), "another run", keys(), Begin::New).unwrap();
    append_step(&mut log, 1);
    log.flush(1, 1).unwrap();

    let damage = |table: &str, step: u32| {
        let path = part_of(dir.path(), table, step);
        let mut bytes = fs::read(&path).unwrap();
        // Within the data: the file opens as before.
        bytes[8] ^= 1;
        fs::write(&path, bytes).unwrap();
        path
    };
    // No later part vouches for the last one.
    let damaged = [damage("experiences", 2), damage("metrics", 3), damage("metrics", 6)];
    let foreign = [part_of(dir.path(), "events", 1), part_of(dir.path(), "metrics", 5)];
    for (path, table) in foreign.iter().zip(["decisions", "metrics"]) {
        fs::copy(part_of(other.path(), table, 1), path).unwrap();
    }
    let unlisted = part_of(dir.path(), "events", 2);
    fs::write(&unlisted, encode("events", EventRow::schema(), EventRow::arrays(&[]), Vec::new()).unwrap())
        .unwrap();
    let notes = go_on(dir.path(), 6).join("\n");
    for path in damaged.iter().chain(&foreign).chain([&unlisted]) {
        assert!(!path.exists() && notes.contains(&*path.to_string_lossy()), "{}: {notes}", path.display());
    }
    assert_eq!(set_aside(dir.path()).len(), 6);
    assert_eq!(files(dir.path()).len(), 6 * 4 - 4, "nothing else went");
    assert_eq!(go_on(dir.path(), 6).len(), 2, "what is gone is told again, no more");
}
