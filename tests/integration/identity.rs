//! A run goes on with what it began with, by content, or not at all.

use std::path::{Path, PathBuf};

use exgrpo_models::{EMBEDDED_CONFIG, EMBEDDED_TOKENIZER};
use exgrpo_train::config::Config;
use exgrpo_train::run::Run;

use crate::runs::small;

const EMBEDDED_WEIGHTS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../host/models/assets/arithmetic/model.safetensors");

/// A run over files of its own.
struct Files {
    dir: tempfile::TempDir,
    rows: Vec<String>,
}

impl Files {
    fn new() -> Self {
        let row = |number: u32| {
            format!("{{\"question\": \"{number}+{number}=\", \"answer\": \"{}\", \"grade\": 1}}", 2 * number)
        };
        let files = Self { dir: tempfile::tempdir().unwrap(), rows: (1..=40).map(row).collect() };
        files.write("train.jsonl", &files.rows);
        files.write("test.jsonl", &files.rows[..5]);
        files
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, rows: &[String]) {
        std::fs::write(self.at(name), rows.join("\n")).unwrap();
    }

    fn config(&self) -> Config {
        let policies = [exgrpo_tests::policy("gaussian_medium"), exgrpo_tests::policy("exact_answer")];
        let mut config = small(&policies, 2);
        config.dataset.train = self.at("train.jsonl").to_string_lossy().into_owned();
        config.dataset.test = self.at("test.jsonl").to_string_lossy().into_owned();
        config
    }

    /// A run with this many steps done.
    fn begin(&self, name: &str, steps: u32) -> PathBuf {
        let out = self.at(name);
        let mut run = Run::create(self.config(), Some(&out)).unwrap();
        (0..steps).for_each(|_| drop(run.step().unwrap()));
        out
    }
}

fn refusal(out: &Path) -> String {
    let error = format!("{:#}", Run::resume(out, Some(4)).err().expect("it is refused"));
    assert!(error.contains("can't go on") && error.contains("hint: "), "{error}");
    error
}

#[test]
fn a_run_is_not_resumed_with_other_rows() {
    let files = Files::new();
    let rows = |change: &dyn Fn(&mut Vec<String>)| {
        let mut rows = files.rows.clone();
        change(&mut rows);
        rows
    };
    let corrected = rows(&|rows| rows[16] = rows[16].replace("\"34\"", "\"35\""));
    let cases: [(&str, Vec<String>, &str); 6] = [
        (
            "train.jsonl",
            rows(&|rows| rows.reverse()),
            "40 of 40 training rows have another question or answer",
        ),
        (
            "train.jsonl",
            corrected,
            "1 of 40 training rows have another question or answer, question 17 first: \"17+17=\"",
        ),
        ("train.jsonl", rows(&|rows| rows.truncate(39)), "the training rows are 39, were 40"),
        (
            "train.jsonl",
            rows(&|rows| rows[3] = rows[3].replace("\"grade\": 1", "\"grade\": 2")),
            "the training rows have other numeric columns",
        ),
        (
            "train.jsonl",
            rows(&|rows| rows[3] = rows[3].replace("\"grade\"", "\"data_source\": \"a\", \"grade\"")),
            "the training rows have other benchmarks",
        ),
        ("test.jsonl", rows(&|rows| rows.truncate(4)), "the held-out rows are 4, were 5"),
    ];
    // With a checkpoint, and killed before the first.
    for steps in [2, 0] {
        let out = files.begin(&format!("run-{steps}"), steps);
        for (name, rows, expected) in &cases {
            let before = std::fs::read(files.at(name)).unwrap();
            files.write(name, rows);
            let error = refusal(&out);
            if steps > 0 {
                assert!(error.contains(expected), "{error}");
            }
            std::fs::write(files.at(name), before).unwrap();
        }
        let mut run = Run::resume(&out, Some(3)).unwrap();
        run.step().unwrap();
    }
}

#[test]
fn a_run_is_not_resumed_with_another_tokenizer() {
    let files = Files::new();
    let out = files.begin("run", 1);
    let path = out.join("model/tokenizer.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n")).unwrap();
    assert!(refusal(&out).contains("the model has other tokenizer"));
}

#[test]
fn a_run_killed_before_its_first_checkpoint_does_not_begin_again_with_other_weights() {
    let files = Files::new();
    let model = files.at("model");
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("config.json"), EMBEDDED_CONFIG).unwrap();
    std::fs::write(model.join("tokenizer.json"), EMBEDDED_TOKENIZER).unwrap();
    let weights = model.join("model.safetensors");
    let sound = std::fs::read(EMBEDDED_WEIGHTS).unwrap();
    std::fs::write(&weights, &sound).unwrap();
    let mut config = files.config();
    config.model.path = model.to_string_lossy().into_owned();
    let out = files.at("run");
    drop(Run::create(config, Some(&out)).unwrap());

    // The last bit of the last weight.
    let mut other = sound.clone();
    let last = other.len() - 4;
    other[last] ^= 1;
    std::fs::write(&weights, other).unwrap();
    assert!(refusal(&out).contains("the model has other weights"));
    std::fs::write(&weights, sound).unwrap();
    Run::resume(&out, Some(1)).unwrap().step().unwrap();
}
