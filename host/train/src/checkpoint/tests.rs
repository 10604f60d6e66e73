//! Checkpoints that come back as they were written, and those that must not be taken for one.

use std::fs;
use std::path::PathBuf;

use super::state::STATE;
use super::*;
use crate::dataset::QuestionQueue;
use crate::identity::Identity;
use exgrpo_core::columns::{BucketInfo, Level};
use exgrpo_core::rng::Streams;
use exgrpo_core::types::Completion;
use exgrpo_engine::{Actor, ModelConfig, Precision, Weights};

const MAX: u64 = 1 << 20;

struct Fixture {
    _parent: tempfile::TempDir,
    dir: RunDir,
    actor: Actor,
}

impl Fixture {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let (dir, _lock) = RunDir::create(parent.path().join("run")).unwrap();
        Self { _parent: parent, dir, actor: tiny_actor() }
    }

    fn writer(&self, keep: u32) -> Writer {
        let config = sealed::seal("seed = 1", sealed::Format::Toml);
        Writer::new(self.dir.clone(), config, keep, GuestStates::of(&self.dir))
    }

    fn write(&self, writer: &mut Writer, step: u32) {
        let prepared = writer.prepare(state(step), &self.actor, &pool()).unwrap();
        assert!(!self.file(step, STATE).exists(), "it has no name before its bytes are on the disk");
        let bytes = prepared.bytes();
        writer.publish(prepared).unwrap();
        let sizes =
            FILES.iter().chain([&STATE]).map(|name| fs::metadata(self.file(step, name)).unwrap().len());
        assert_eq!(sizes.sum::<u64>(), bytes);
        assert!(is_checkpoint(&self.dir.checkpoint(step)) && !is_checkpoint(self.dir.root()));
    }

    fn read(&self, step: u32) -> anyhow::Result<(RunState, ExperiencePool)> {
        read(&self.dir, step, MAX, &mut GuestStates::of(&self.dir))
    }

    fn error(&self, step: u32) -> String {
        format!("{:#}", self.read(step).unwrap_err())
    }

    fn file(&self, step: u32, name: &str) -> PathBuf {
        self.dir.checkpoint(step).join(name)
    }
}

fn tiny_actor() -> Actor {
    let config: ModelConfig = serde_json::from_str(
        r#"{"model_type": "qwen2", "vocab_size": 19, "hidden_size": 16, "intermediate_size": 20,
            "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 1, "rms_norm_eps": 1e-6,
            "rope_theta": 1000000.0, "max_position_embeddings": 64, "tie_word_embeddings": true}"#,
    )
    .unwrap();
    let weights = Weights::random(&config, &mut Streams::new(1).stream("test", 0, 0));
    Actor::cpu(config, &weights, Precision::F32, 1).unwrap()
}

pub(super) fn pool() -> ExperiencePool {
    let mut pool = ExperiencePool::new([7, 8, 9].into_iter());
    pool.reset_buckets(1);
    pool.record(1, 1, 4, 1);
    let completion =
        Completion { ids: vec![3, 4], logprobs: vec![-0.5, -1.0], entropies: vec![0.1, 0.2], finished: true };
    pool.store(1, &completion, 1.0, 1, 0);
    pool.assign(1, 0);
    pool
}

pub(super) fn state(step: u32) -> RunState {
    let policy = |digest: &str, slot: &str, state: Option<Vec<u8>>| PolicySnapshot {
        digest: digest.repeat(32),
        slots: vec![slot.to_owned()],
        loaded: true,
        state,
        ..PolicySnapshot::default()
    };
    RunState {
        step,
        weights_version: step,
        seed: 1,
        replay_open: true,
        pass_rate: Some(0.3),
        buckets: vec![BucketInfo { name: "all".to_owned(), level: Level::Medium }],
        queue: QuestionQueue::new(3),
        policies: vec![policy("ab", "sampling", Some(vec![5; 40_000])), policy("cd", "verifier", None)],
        emptied_slots: Vec::new(),
        heldout_before: Some(0.25),
        identity: Some(Identity::default()),
    }
}

#[test]
fn what_was_written_comes_back_and_a_state_is_stored_once() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer(2);
    for step in 1..=4 {
        fixture.write(&mut writer, step);
    }
    assert_eq!(fixture.dir.checkpoint_steps().unwrap(), [3, 4]);
    let (back, back_pool) = fixture.read(4).unwrap();
    assert_eq!((back, back_pool), (state(4), pool()));
    let states: Vec<_> = fs::read_dir(fixture.dir.guest_states()).unwrap().collect();
    assert_eq!(states.len(), 1);
    assert!(states[0].as_ref().unwrap().metadata().unwrap().len() < 1_000);
    assert!(fs::metadata(fixture.file(4, STATE)).unwrap().len() < 4_000, "states are not in the text");
    assert_eq!(config_copy(&fixture.dir), Some(fixture.file(4, CONFIG)));
    assert_eq!(check(&fixture.dir.checkpoint(3)).unwrap(), 3);
    // The newest sound copy: this one is none any more.
    fs::write(fixture.file(4, CONFIG), "seed = 2").unwrap();
    assert_eq!(config_copy(&fixture.dir), Some(fixture.file(3, CONFIG)));
}

#[test]
fn every_damage_to_any_file_is_named() {
    let fixture = Fixture::new();
    fixture.write(&mut fixture.writer(1), 2);
    for name in FILES.into_iter().chain([STATE]) {
        let path = fixture.file(2, name);
        let sound = fs::read(&path).unwrap();
        let mut flipped = sound.clone();
        flipped[sound.len() / 2] ^= 1;
        for damaged in [&sound[..sound.len() / 2], &[], &flipped[..], &[&sound[..], b"x"].concat()] {
            fs::write(&path, damaged).unwrap();
            assert!(fixture.error(2).contains(name), "{}", fixture.error(2));
            assert!(
                check(&fixture.dir.checkpoint(2)).is_err(),
                "{name}: its weights are not to be used either"
            );
        }
        fs::remove_file(&path).unwrap();
        assert!(fixture.error(2).contains(name), "{}", fixture.error(2));
        fs::write(&path, sound).unwrap();
        fixture.read(2).unwrap();
    }
    fs::remove_dir_all(fixture.dir.guest_states()).unwrap();
    assert!(fixture.error(2).contains("guest_states"), "{}", fixture.error(2));
}

/// A state that says something else under a digest of its own: what only range checks can notice.
#[test]
fn a_state_that_can_not_be_is_refused() {
    let fixture = Fixture::new();
    fixture.write(&mut fixture.writer(1), 2);
    let path = fixture.file(2, STATE);
    let sound = sealed::read_sealed(&path, sealed::Format::JsonLines, MAX).unwrap();
    let digest = "ab".repeat(32);
    for (from, to, expected) in [
        (r#""step":2"#, r#""step":999"#, "after step 999"),
        (r#""weights_version":2"#, r#""weights_version":-1"#, "can't be used"),
        (r#""weights_version":2"#, r#""weights_version":0"#, ""),
        (r#""pass_rate":0.3"#, r#""pass_rate":1.5"#, "pass_rate"),
        (r#""heldout_before":0.25"#, r#""heldout_before":-0.1"#, "heldout_before"),
        (r#""num_rows":3"#, r#""num_rows":4"#, "queue is over 4"),
        (r#""remaining":[]"#, r#""remaining":[3]"#, "row 3 of 3"),
        (r#"[{"name":"all","level":"medium"}]"#, "[]", "names 0 buckets"),
        (&digest, "../../../etc", "no SHA-256"),
        (r#"["verifier"]"#, r#"["sampling"]"#, "filled by two policies"),
        (r#""emptied_slots":[]"#, r#""emptied_slots":["verifier"]"#, "although it was emptied"),
        (r#"},null],"state""#, r#"}],"state""#, "another number of policies"),
        (r#""version":2"#, r#""version":3"#, "layout version 3"),
        (r#""name":"pool.safetensors""#, r#""name":"../model/config.json""#, "lists the files"),
        (r#""bytes":40000"#, r#""bytes":4000000000"#, "guest.output_mib"),
    ] {
        assert!(sound.contains(from), "{from} in {sound}");
        fs::write(&path, sealed::seal(&sound.replacen(from, to, 1), sealed::Format::JsonLines)).unwrap();
        match fixture.read(2) {
            Ok((state, _)) => assert!(expected.is_empty() && state.weights_version == 0, "{to}"),
            Err(error) => {
                let error = format!("{error:#}");
                assert!(!expected.is_empty() && error.contains(expected), "{to}: {error}");
            }
        }
    }
    // A pool of later than its checkpoint, under a digest of its own.
    let pool_path = fixture.file(2, "pool.safetensors");
    let pool_digest = sealed::sha256(&fs::read(&pool_path).unwrap());
    let mut later = pool();
    later.record(2, 0, 4, 3);
    fs::write(&pool_path, later.to_bytes().unwrap()).unwrap();
    let digest = sealed::sha256(&fs::read(&pool_path).unwrap());
    fs::write(&path, sealed::seal(&sound.replace(&pool_digest, &digest), sealed::Format::JsonLines)).unwrap();
    assert!(fixture.error(2).contains("row 2 is of a later step"), "{}", fixture.error(2));
    let error = format!("{:#}", state(0).check(0, &pool()).unwrap_err());
    assert!(error.contains("before the first step"), "{error}");

    // Beside a sound state, a file of an older version's name is somebody's own.
    fs::write(&pool_path, pool().to_bytes().unwrap()).unwrap();
    fs::write(&path, sealed::seal(&sound, sealed::Format::JsonLines)).unwrap();
    fs::write(fixture.file(2, "state.json"), "somebody's own").unwrap();
    fixture.read(2).unwrap();
    fs::remove_file(fixture.file(2, "state.json")).unwrap();

    fs::rename(&path, fixture.file(2, "state.json")).unwrap();
    assert!(is_checkpoint(&fixture.dir.checkpoint(2)), "of a version that is told apart");
    assert!(fixture.error(2).contains("layout version 1"), "{}", fixture.error(2));
}

#[test]
fn readable_checkpoints_are_kept_and_what_is_in_the_way_is_set_aside() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer(2);
    for step in 1..=3 {
        fixture.write(&mut writer, step);
    }
    fs::write(fixture.file(3, "pool.safetensors"), "damaged").unwrap();
    fs::create_dir(fixture.dir.checkpoint(5)).unwrap();
    fs::write(fixture.file(5, "notes.txt"), "somebody's own").unwrap();
    fixture.write(&mut writer, 4);
    assert_eq!(fixture.dir.checkpoint_steps().unwrap(), [2, 3, 4, 5], "a damaged one does not count");
    fixture.write(&mut writer, 5);
    assert_eq!(fixture.dir.checkpoint_steps().unwrap(), [4, 5]);
    let kept = fixture.dir.superseded().join("1-after-000004/checkpoints/000005/notes.txt");
    assert_eq!(fs::read_to_string(kept).unwrap(), "somebody's own");
}

#[test]
fn what_an_earlier_process_left_counts_only_when_it_is_whole() {
    let fixture = Fixture::new();
    let mut earlier = fixture.writer(3);
    for step in 1..=3 {
        fixture.write(&mut earlier, step);
    }
    // Its size stays, so that only its content tells.
    let mut damaged = fs::read(fixture.file(3, POOL)).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(fixture.file(3, POOL), damaged).unwrap();
    fixture.write(&mut fixture.writer(2), 4);
    assert_eq!(fixture.dir.checkpoint_steps().unwrap(), [2, 3, 4]);
}

#[test]
fn a_state_that_no_checkpoint_names_any_more_is_removed() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer(1);
    for step in 1..=3 {
        let mut after = state(step);
        after.policies[0].state = Some(vec![step as u8; 40_000]);
        let prepared = writer.prepare(after, &fixture.actor, &pool()).unwrap();
        writer.publish(prepared).unwrap();
        assert_eq!(fs::read_dir(fixture.dir.guest_states()).unwrap().count(), 1);
    }
}

#[test]
fn a_stored_policy_that_is_not_what_its_name_says_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let run = RunDir::at(dir.path());
    fs::create_dir_all(run.policies()).unwrap();
    let digest = sealed::sha256(b"policy");
    let snapshot = || vec![PolicySnapshot { digest: digest.clone(), ..PolicySnapshot::default() }];
    let file = run.policy(&digest);
    fs::write(&file, b"policy").unwrap();
    let read = policy_bytes(&run, snapshot(), 6).unwrap();
    assert_eq!(&*read[0].1, b"policy");
    for (bytes, expected) in [(&b"pilocy"[..], "its SHA-256 is not its name"), (b"policies", &digest)] {
        fs::write(&file, bytes).unwrap();
        let error = format!("{:#}", policy_bytes(&run, snapshot(), 6).unwrap_err());
        assert!(error.contains(expected) && error.contains("put that component there again"), "{error}");
    }
}
