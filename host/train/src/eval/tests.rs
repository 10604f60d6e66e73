use super::*;
use crate::config::{Config, Engine, PromptSection};
use crate::identity::RowsIdentity;
use exgrpo_core::types::Verdict;
use exgrpo_engine::Actor;
use exgrpo_engine::Precision;
use exgrpo_log::read;
use exgrpo_models::ModelSource;
use exgrpo_policy::{GuestConfig, Loader};

/// Ten questions of the default task under two names, and the embedded model.
struct Fixture {
    source: ModelSource,
    actor: Actor,
    benchmarks: Vec<Benchmark>,
    settings: Settings,
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sums.jsonl");
        let rows: String = (1..=10)
            .map(|number| {
                let name = if number % 2 == 0 { "aime" } else { "odd" };
                format!(
                    "{{\"question\": \"{number}+2-1=\", \"answer\": \"{}\", \"data_source\": \"{name}\"}}\n",
                    number + 1
                )
            })
            .collect();
        std::fs::write(&path, rows).unwrap();
        let source = ModelSource::read(&Config::default().model.path).unwrap();
        let path = path.to_string_lossy().into_owned();
        let prompts = Prompts::plain(&source.tokenizer, 0);
        let (benchmarks, _) = read_benchmarks(&path, &Mapping::default(), &prompts, Some(4)).unwrap();
        let actor = Actor::cpu(source.config.clone(), &source.weights, Precision::F32, 1).unwrap();
        let settings = Settings {
            version: Settings::VERSION,
            program: "test".to_owned(),
            model: "embedded:arithmetic".to_owned(),
            datasets: vec![path],
            verifier: "builtin".to_owned(),
            verifier_params: "{}".to_owned(),
            samples: None,
            limit: Some(4),
            temperature: 1.0,
            top_p: 1.0,
            max_new_tokens: 48,
            seed: 3,
            engine: Engine::Cpu,
            precision: Precision::F32,
            prompt: PromptSection::default(),
            guest: GuestConfig::default(),
            identity: Settings::identity_of(&benchmarks, &source, &prompts),
        };
        Self { source, actor, benchmarks, settings, dir }
    }

    fn run(&self, name: &str, stop_after: usize) -> anyhow::Result<Report> {
        let loader = Loader::new(&GuestConfig::default(), &Default::default())?;
        let mut policies = PolicySet::new(&loader, Vec::new())?;
        let mut evaluator = Evaluator {
            settings: &self.settings,
            sampler: &self.actor,
            tokenizer: &self.source.tokenizer,
            stop_ids: &self.source.stop_ids,
            policies: &mut policies,
        };
        evaluator.run(&self.benchmarks, &self.dir.path().join(name), |progress| progress.done < stop_after)
    }
}

#[test]
fn what_is_asked_is_said_with_how_it_is_sampled() {
    let fixture = Fixture::new();
    let said = fixture.settings.asked(&fixture.benchmarks);
    assert!(
        said.starts_with("8 questions x 1 to 32 at temperature 1, up to 48 tokens, seed 3; runs"),
        "{said}"
    );
    let settings = Settings { samples: Some(4), temperature: 0.6, top_p: 0.9, ..fixture.settings.clone() };
    let said = settings.asked(&fixture.benchmarks);
    assert!(said.contains("questions x 4 at temperature 0.6, top_p 0.9, up to"), "{said}");
}

#[test]
fn an_interrupted_evaluation_goes_on_and_equals_one_that_was_not() {
    let mut fixture = Fixture::new();
    let names: Vec<&str> = fixture.benchmarks.iter().map(|benchmark| benchmark.name.as_str()).collect();
    assert_eq!(names, ["aime", "odd"]);
    assert!(fixture.benchmarks.iter().all(|benchmark| benchmark.questions.len() == 4));

    let whole = fixture.run("whole", usize::MAX).unwrap();
    let first = fixture.run("parts", 1).unwrap();
    assert_eq!(first.scores[1].questions, 0, "the second benchmark has not begun");
    assert_eq!(fixture.run("parts", usize::MAX).unwrap(), whole);
    let of = |name: &str| -> Vec<EvaluationRow> { read::rows(&fixture.dir.path().join(name)).unwrap() };
    assert_eq!(of("parts"), of("whole"));

    // What the report says, from the rows: k is 32 for AIME and 1 for the rest.
    let rows = of("whole");
    for (score, samples) in whole.scores.iter().zip([32, 1]) {
        let rows: Vec<&EvaluationRow> = rows.iter().filter(|row| row.benchmark == score.name).collect();
        assert_eq!((rows.len(), score.samples), (4 * samples, samples));
        let correct = rows.iter().filter(|row| row.verdict == Verdict::Correct).count();
        assert!((score.average - correct as f64 / rows.len() as f64).abs() < 1e-12);
    }
    assert!(whole.scores[0].average > 0.2, "the base model knows some of it: {:?}", whole.scores[0]);

    fixture.settings.temperature = 0.5;
    let error = format!("{:#}", fixture.run("whole", usize::MAX).unwrap_err());
    assert!(error.contains("temperature is 0.5, was 1.0") && error.contains("hint: "), "{error}");
}

/// Everything that can change under the same names is refused by name, and finds a directory of its own.
#[test]
fn what_differs_is_named_and_never_added_up() {
    let fixture = Fixture::new();
    fixture.run("out", 1).unwrap();
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut changed = Fixture { settings: fixture.settings.clone(), ..Fixture::new() };
        change(&mut changed.settings);
        assert_ne!(changed.settings.label().unwrap(), fixture.settings.label().unwrap());
        let loader = Loader::new(&GuestConfig::default(), &Default::default()).unwrap();
        let mut evaluator = Evaluator {
            settings: &changed.settings,
            sampler: &fixture.actor,
            tokenizer: &fixture.source.tokenizer,
            stop_ids: &fixture.source.stop_ids,
            policies: &mut PolicySet::new(&loader, Vec::new()).unwrap(),
        };
        let out = fixture.dir.path().join("out");
        format!("{:#}", evaluator.run(&fixture.benchmarks, &out, |_| false).unwrap_err())
    };
    let rows = |settings: &mut Settings, change: &dyn Fn(&mut Vec<Question>)| {
        let mut questions = fixture.benchmarks[1].questions.clone();
        change(&mut questions);
        settings.identity.rows.insert("odd".to_owned(), RowsIdentity::of(&questions));
    };
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Settings));
    let changes: [Change<'_>; 9] = [
        ("the odd rows have other answers", &|s| rows(s, &|rows| rows[2].answer = "99".to_owned())),
        ("the odd rows are 3, were 4", &|s| rows(s, &|rows| rows.truncate(3))),
        ("the odd rows have other questions", &|s| rows(s, &|rows| rows[0].prompt.push(' '))),
        ("the model has other weights", &|s| {
            drop(s.identity.model.insert("weights".to_owned(), "0".to_owned()))
        }),
        ("the model has other tokenizer", &|s| drop(s.identity.model.remove("tokenizer"))),
        ("engine is \"candle\", was \"cpu\"", &|s| s.engine = Engine::Candle),
        ("precision is \"bf16\", was \"f32\"", &|s| s.precision = Precision::Bf16),
        ("verifier_params is", &|s| s.verifier_params = "{\"tolerance\":1}".to_owned()),
        ("guest.fuel_per_request is 5, was 100000000", &|s| s.guest.fuel_per_request = 5),
    ];
    for (expected, change) in changes {
        let error = refused(change);
        assert!(error.contains(expected) && error.contains("hint: "), "{error}");
    }
    let mut renamed = fixture.settings.clone();
    renamed.datasets = vec!["elsewhere.jsonl".to_owned()];
    assert_eq!(renamed.label().unwrap(), fixture.settings.label().unwrap(), "content, not names");
}

#[test]
fn parts_of_another_evaluation_and_damaged_ones_are_refused() {
    let fixture = Fixture::new();
    fixture.run("out", usize::MAX).unwrap();
    let part = |name: &str, number: u32| {
        fixture.dir.path().join(name).join(format!("evaluations/part-{number:06}-{number:06}.parquet"))
    };
    let refused = |name: &str| {
        let error = format!("{:#}", fixture.run(name, usize::MAX).unwrap_err());
        assert!(error.contains("hint: "), "{error}");
        error
    };
    let copy = |name: &str| {
        let out = fixture.dir.path().join(name);
        std::fs::create_dir_all(out.join("evaluations")).unwrap();
        std::fs::copy(fixture.dir.path().join("out/eval.toml"), out.join("eval.toml")).unwrap();
        std::fs::copy(part("out", 1), part(name, 1)).unwrap();
    };
    let asked = fixture.settings.sha256().unwrap();
    // A question that isn't asked any more, as an older dataset left it.
    let rows: Vec<EvaluationRow> = read::rows(&fixture.dir.path().join("out")).unwrap();
    let written = |name: &str, change: &dyn Fn(&mut Vec<EvaluationRow>)| {
        copy(name);
        let mut rows: Vec<EvaluationRow> = rows.iter().filter(|row| row.step == 1).cloned().collect();
        change(&mut rows);
        write_part(&fixture.dir.path().join(name), 1, &asked, &rows).unwrap();
        refused(name)
    };
    assert!(written("older", &|rows| rows[0].question_id ^= 1).contains("was not asked"));
    assert!(written("answer", &|rows| rows[0].reference.push('0')).contains("another text or gold answer"));
    assert!(written("fewer", &|rows| drop(rows.pop())).contains("not hold all completions"));
    assert!(written("twice", &|rows| rows.push(rows[0].clone())).contains("is there twice"));
    assert!(written("number", &|rows| rows[0].step = 2).contains("belongs to part 2"));
    copy("again");
    let mut again: Vec<EvaluationRow> = rows.iter().filter(|row| row.step == 1).cloned().collect();
    again.iter_mut().for_each(|row| row.step = 2);
    write_part(&fixture.dir.path().join("again"), 2, &asked, &again).unwrap();
    assert!(refused("again").contains("in an earlier part too"));

    // The very same questions, asked otherwise.
    copy("other");
    let of_first: Vec<EvaluationRow> = rows.iter().filter(|row| row.step == 1).cloned().collect();
    let other = Settings { temperature: 0.5, ..fixture.settings.clone() }.sha256().unwrap();
    write_part(&fixture.dir.path().join("other"), 1, &other, &of_first).unwrap();
    assert!(refused("other").contains("written by another evaluation"));

    // A value within the data: the file opens as before.
    copy("flipped");
    let mut bytes = std::fs::read(part("flipped", 1)).unwrap();
    bytes[8] ^= 1;
    std::fs::write(part("flipped", 1), bytes).unwrap();
    assert!(refused("flipped").contains("their SHA-256 is another"));

    copy("cut");
    let bytes = std::fs::read(part("cut", 1)).unwrap();
    std::fs::write(part("cut", 1), &bytes[..bytes.len() / 2]).unwrap();
    assert!(refused("cut").contains("part-000001"));
    copy("unnamed");
    std::fs::remove_file(fixture.dir.path().join("unnamed/eval.toml")).unwrap();
    assert!(refused("unnamed").contains("no eval.toml"));
    copy("empty");
    std::fs::write(fixture.dir.path().join("empty/eval.toml"), "").unwrap();
    assert!(refused("empty").contains("names no layout version"));
}
