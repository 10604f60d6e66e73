use super::*;

#[test]
fn a_run_is_never_overwritten_and_has_one_writer() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("runs/first");
    let (run, lock) = RunDir::create(&root).unwrap();
    assert!(matches!(RunDir::create(&root), Err(RunDirError::Locked { .. })));
    fs::write(run.config(), "").unwrap();
    assert!(matches!(RunDir::create(&root), Err(RunDirError::Exists(_))));
    assert!(run.is_being_written().unwrap());
    let error = RunDir::open(&root).unwrap_err();
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(lock);
    assert!(!run.is_being_written().unwrap());
    RunDir::open(&root).unwrap();
    assert!(matches!(RunDir::create(&root), Err(RunDirError::Exists(_))));
}

#[test]
fn what_was_killed_while_it_was_made_is_taken_over_and_nothing_else_is() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("run");
    let (run, lock) = RunDir::create(&root).unwrap();
    fs::create_dir(run.model()).unwrap();
    fs::write(run.model().join("config.json"), "{").unwrap();
    fs::write(root.join(".tmp-run-run.toml"), "seed = ").unwrap();
    run.store_policy(b"abc").unwrap();
    drop(lock);
    let killed = RunDir::open(&root).unwrap_err();
    assert!(killed.to_string().contains("run the same command again"), "{killed}");
    drop(RunDir::create(&root).unwrap());
    assert!(!root.join(".tmp-run-run.toml").exists());

    for own in ["notes.txt", "policies/mine.wasm", "checkpoints/000001", "experiences"] {
        fs::write(root.join(own), "").unwrap();
        assert!(matches!(RunDir::create(&root), Err(RunDirError::Exists(_))), "{own}");
        assert!(matches!(RunDir::open(&root), Err(RunDirError::NotARun(_))), "{own}");
        fs::remove_file(root.join(own)).unwrap();
    }
    // Without our lock it is a folder of somebody's, whatever its names are.
    fs::remove_file(root.join("run.lock")).unwrap();
    assert!(matches!(RunDir::create(&root), Err(RunDirError::Exists(_))));
    assert!(!root.join("run.lock").exists());
}

#[test]
fn what_is_set_aside_keeps_its_place_and_its_bytes() {
    let parent = tempfile::tempdir().unwrap();
    let (run, _lock) = RunDir::create(parent.path().join("run")).unwrap();
    for (round, name) in ["1-after-000003", "2-after-000003"].into_iter().enumerate() {
        let part = run.table("metrics").join("part-000004-000004.parquet");
        fs::create_dir_all(run.checkpoint(4)).unwrap();
        fs::create_dir_all(run.table("metrics")).unwrap();
        fs::write(&part, [round as u8]).unwrap();
        let folder = run.set_aside(3, &[part.clone(), run.checkpoint(4)]).unwrap();
        assert_eq!(folder, run.superseded().join(name));
        assert_eq!(fs::read(folder.join("metrics/part-000004-000004.parquet")).unwrap(), [round as u8]);
        assert!(!part.exists() && !run.checkpoint(4).exists());
    }
    assert_eq!(run.all_checkpoints().unwrap().len(), 2);
}

#[test]
fn named_runs_differ_and_need_no_quoting() {
    let parent = tempfile::tempdir().unwrap();
    let (first, _lock) = RunDir::create_named(parent.path(), "my policy/v2").unwrap();
    let (second, _lock) = RunDir::create_named(parent.path(), "my policy/v2").unwrap();
    assert_ne!(first, second);
    assert!(first.name()[10..].starts_with("-my_policy_v2-"), "{}", first.name());
    assert_eq!(plain(".."), "run");
}

#[test]
fn policies_lie_under_their_content() {
    let parent = tempfile::tempdir().unwrap();
    let (run, _lock) = RunDir::create(parent.path().join("r")).unwrap();
    let digest = run.store_policy(b"abc").unwrap();
    // Witness: printf abc | sha256sum
    assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(run.store_policy(b"abc").unwrap(), digest);
    assert_eq!(fs::read(run.policy(&digest)).unwrap(), b"abc");
    fs::write(run.policy(&digest), b"ab").unwrap();
    run.store_policy(b"abc").unwrap();
    assert_eq!(fs::read(run.policy(&digest)).unwrap(), b"abc", "a damaged one is mended");
}

#[test]
fn checkpoints_are_listed_by_step() {
    let parent = tempfile::tempdir().unwrap();
    let (run, _lock) = RunDir::create(parent.path().join("r")).unwrap();
    for name in ["000020", "000003", ".tmp-checkpoints-000021", "notes", "+00009", "9"] {
        fs::create_dir(run.checkpoints().join(name)).unwrap();
    }
    assert_eq!(run.checkpoint_steps().unwrap(), [3, 20]);
    assert_eq!(run.checkpoint(3).file_name().unwrap(), "000003");
}
