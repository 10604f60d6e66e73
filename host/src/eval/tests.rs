use super::*;
use crate::config::Config;
use crate::guest::{GuestConfig, Loader};
use crate::model::Precision;
use crate::model_source::ModelSource;
use crate::types::Verdict;

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
            model: "embedded:arithmetic".to_owned(),
            datasets: vec![path],
            verifier: "builtin".to_owned(),
            samples: None,
            limit: Some(4),
            temperature: 1.0,
            top_p: 1.0,
            max_new_tokens: 48,
            seed: 3,
            prompt: PromptSection::default(),
        };
        Self { source, actor, benchmarks, settings, dir }
    }

    fn run(&self, name: &str, stop_after: usize) -> anyhow::Result<Report> {
        let loader = Loader::new(&GuestConfig::default(), &Default::default())?;
        let mut policies = PolicySet::new(&loader, Vec::new())?;
        let mut evaluator = Evaluator {
            settings: &self.settings,
            actor: &self.actor,
            tokenizer: &self.source.tokenizer,
            stop_ids: &self.source.stop_ids,
            policies: &mut policies,
        };
        evaluator.run(&self.benchmarks, &self.dir.path().join(name), |progress| progress.done < stop_after)
    }
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
    assert!(error.contains("other settings") && error.contains("hint: "), "{error}");
}
