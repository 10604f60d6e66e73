use super::*;
use exgrpo_engine::Capabilities;

fn resolve(overrides: &[&str]) -> anyhow::Result<Config> {
    Config::resolve(None, &overrides.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
}

#[test]
fn a_value_brings_no_other_keys_along_and_a_seed_can_be_written() {
    let resolve = |item: &str| Config::resolve(None, &[item.to_owned()]);
    for item in ["optim.lr=1\nseed=5", "seed=5\n[optim]\nlr=1", "seed=9223372036854775808"] {
        assert!(resolve(item).is_err(), "{item}");
    }
    assert_eq!(resolve("prompt.system=a\nb = 1").unwrap().prompt.system.as_deref(), Some("a\nb = 1"));
    assert!(Config { seed: 1 << 63, ..Config::default() }.validate().is_err());
    assert!(Config { seed: (1 << 63) - 1, ..Config::default() }.validate().is_ok());
}

#[test]
fn overrides_reach_their_key_and_survive_a_round_trip() {
    let config = resolve(&[
        "rollout.questions=16",
        "mode=reference",
        "policy.files=[\"a.wasm\"]",
        "objective.clip=never",
    ])
    .unwrap();
    assert_eq!((config.rollout.questions, config.mode), (16, Mode::Reference));
    assert_eq!(config.objective.clip, Clip::Never);
    let again: Config = toml::from_str(&config.to_toml().unwrap()).unwrap();
    assert_eq!(again, config);
}

#[test]
fn other_data_and_models_get_no_lengths_and_no_test_questions_of_the_default_task() {
    let lengths = |config: &Config| (config.rollout.max_prompt_tokens, config.rollout.max_new_tokens);
    let default = resolve(&[]).unwrap();
    assert_eq!(lengths(&default), (32, 64));
    assert_eq!((default.dataset.test.as_str(), default.eval.enabled), ("embedded:arithmetic/test", true));

    let own = resolve(&["dataset.train=own.jsonl", "rollout.max_new_tokens=100"]).unwrap();
    assert_eq!((lengths(&own), own.rollout.questions), ((0, 100), 0));
    assert_eq!((own.dataset.test.as_str(), own.eval.enabled), ("", false));

    let own = resolve(&["dataset.train=own.jsonl", "dataset.test=test.jsonl", "model.path=own"]).unwrap();
    assert_eq!((lengths(&own), own.eval.enabled), ((0, 0), true));
    let model = resolve(&["model.path=own", "rollout.max_prompt_tokens=7"]).unwrap();
    assert_eq!((lengths(&model), model.eval.enabled), ((7, 0), true));
    let same = resolve(&["dataset.train=embedded:arithmetic/train"]).unwrap();
    assert_eq!((lengths(&same), same.eval.enabled), ((32, 64), true));

    let error = format!("{:#}", resolve(&["dataset.train=own.jsonl", "eval.enabled=true"]).unwrap_err());
    assert!(error.contains("hint: set dataset.test"), "{error}");
}

#[test]
fn what_an_engine_can_not_do_is_refused_by_its_key() {
    let default = resolve(&[]).unwrap();
    default.check_engine(Capabilities::ALL).unwrap();
    for (overrides, can, key) in [
        (vec![], Capabilities { trains: false, ..Capabilities::ALL }, "a run"),
        (vec![], Capabilities { entropies: false, ..Capabilities::ALL }, "replay.enabled"),
        (
            vec!["replay.enabled=false"],
            Capabilities { entropies: false, ..Capabilities::ALL },
            "objective.entropy_coefficient",
        ),
        (
            vec!["replay.enabled=false", "objective.kl_coefficient=0.01"],
            Capabilities { scores: false, ..Capabilities::ALL },
            "objective.kl_coefficient",
        ),
        (vec![], Capabilities { grad_norm: false, ..Capabilities::ALL }, "optim.skip_grad_norm"),
    ] {
        let error = resolve(&overrides).unwrap().check_engine(can).unwrap_err().to_string();
        assert!(error.starts_with(key), "{error}");
    }
}

#[test]
fn a_kind_of_objective_brings_its_papers_settings_along() {
    let dapo = resolve(&["objective.kind=dapo", "objective.clip_epsilon_high=0.3"]).unwrap().objective;
    assert_eq!((dapo.clip, dapo.clip_epsilon_high), (Clip::Always, Some(0.3)));
    assert_eq!((dapo.advantage, dapo.aggregation), (Advantage::Standardized, Aggregation::TokenMean));
    let gspo = resolve(&["objective.kind=gspo"]).unwrap().objective;
    assert_eq!((gspo.clip_epsilon, gspo.aggregation), (3e-4, Aggregation::SequenceMean));
    assert!(
        resolve(&["objective.clip_epsilon_high=0.3"])
            .unwrap_err()
            .root_cause()
            .to_string()
            .contains("clip_epsilon_high")
    );
}

#[test]
fn learning_rates_rise_and_fall() {
    let optim = |overrides: &[&str]| resolve(overrides).unwrap().optim;
    let flat = optim(&[]);
    assert!([1, 2, 1_000_000].into_iter().all(|step| flat.lr_at(step) == flat.lr));
    let linear = optim(&["steps=20", "optim.lr=1.0", "optim.warmup_steps=4", "optim.decay=linear"]);
    assert_eq!(linear.decay_steps, 20, "what a longer run would change is written down");
    // By hand: a quarter a step, then 16 steps of a sixteenth less.
    for (step, lr) in [(1, 0.25), (4, 1.0), (5, 1.0), (6, 0.9375), (20, 0.0625), (21, 0.0), (30, 0.0)] {
        assert!((linear.lr_at(step) - lr).abs() < 1e-12, "{step}: {}", linear.lr_at(step));
    }
    let cosine = optim(&["steps=8", "optim.lr=1.0", "optim.decay=cosine"]);
    for (step, lr) in [(1, 1.0), (3, 0.853_553), (5, 0.5), (9, 0.0)] {
        assert!((cosine.lr_at(step) - lr).abs() < 1e-6, "{step}: {}", cosine.lr_at(step));
    }
    for wrong in ["optim.decay_steps=5", "optim.decay=up"] {
        assert!(resolve(&[wrong]).is_err(), "{wrong}");
    }
    assert!(resolve(&["optim.decay=linear", "optim.warmup_steps=150"]).is_err());
}

#[test]
fn ratios_are_of_what_they_are_asked_to_be() {
    for (overrides, temperature) in [
        (vec![], 1.0),
        (vec!["rollout.temperature=0.7", "objective.ratio_of=sampler"], 0.7),
        (vec!["rollout.temperature=0.7", "objective.ratio_of=model-uncorrected", "rollout.top_p=0.9"], 1.0),
        (vec!["eval.temperature=0.6", "eval.top_p=0.5"], 1.0),
    ] {
        assert_eq!(resolve(&overrides).unwrap().score_temperature(), temperature, "{overrides:?}");
    }
}

#[test]
fn unknown_keys_and_contradictions_name_the_key() {
    for (item, expected) in [
        ("rollout.question=16", "question"),
        ("model.engine=tpu", "tpu"),
        ("rollout.group_size=1", "group_size"),
        ("rollout.questions=31", "objective.updates"),
        ("replay.max_success=8", "max_success"),
        ("rollout.top_p=0.0", "top_p"),
        ("replay.experience_ratio=1.5", "experience_ratio"),
        ("replay.min_reward=1.5", "min_reward"),
        ("rollout.temperature=0.7", "objective.ratio_of=sampler"),
        ("rollout.top_p=0.9", "objective.ratio_of=model-uncorrected"),
        ("optim.lr=-1.0", "lr"),
        ("steps=0", "steps"),
        ("checkpoint.max_share=0.0", "max_share"),
        ("prompt.template=own", "prompt.text"),
        ("prompt.text=x", "prompt.template"),
        ("prompt.date=today", "prompt.date"),
        ("seed", "no `=`"),
    ] {
        let error = format!("{:#}", resolve(&[item]).unwrap_err());
        assert!(error.contains(expected), "{item}: {error}");
    }
    let error = resolve(&["objective.ratio_of=sampler", "rollout.top_p=0.9"]).unwrap_err();
    assert!(format!("{error:#}").contains("nucleus"), "{error:#}");
    let error = resolve(&["model.engine=candle", "model.threads=2"]).unwrap_err();
    assert!(format!("{error:#}").contains("model.threads"), "{error:#}");
}
