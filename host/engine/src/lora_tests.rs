use super::*;
use crate::tensor_file::write_tensors;

fn config() -> ModelConfig {
    serde_json::from_str(
        r#"{"model_type": "llama", "vocab_size": 5, "hidden_size": 4, "intermediate_size": 6, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 16}"#,
    )
    .unwrap()
}

fn tensor(name: &str, shape: &[usize], value: impl Fn(usize) -> f32) -> NamedTensor {
    let data = (0..shape.iter().product()).map(value).collect();
    NamedTensor { name: format!("{PREFIX}{name}"), shape: shape.to_vec(), data }
}

/// A plan for modules of one rank, and for parameters in full.
fn plan(adapted: &[&str], rank: usize, scale: f64, whole: &[&str]) -> AdapterPlan {
    AdapterPlan {
        adapted: adapted.iter().map(|module| ((*module).to_owned(), Adapted { rank, scale })).collect(),
        whole: whole.iter().map(|name| (*name).to_owned()).collect(),
        ties: false,
    }
}

fn merged_into(
    config: &ModelConfig,
    tensors: &[NamedTensor],
    plan: &AdapterPlan,
) -> Result<(Weights, Weights), String> {
    let before = Weights::random(config, &mut exgrpo_core::rng::Streams::new(3).stream("weights", 0, 0));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("adapter_model.safetensors");
    write_tensors(&path, tensors, ("format", "pt".to_owned())).unwrap();
    let mut after = before.clone();
    merge(&mut after, config, &path, plan).map_err(|error| error.to_string())?;
    Ok((before, after))
}

fn merged(tensors: &[NamedTensor], plan: &AdapterPlan) -> Result<(Weights, Weights), String> {
    merged_into(&config(), tensors, plan)
}

/// By hand: A = [1 2 3 4], B = [1, 0, 2, -1]ᵀ, scale 6; and all ones of rank 4, scale 3.
#[test]
fn a_product_is_added_to_what_it_adapts_and_to_nothing_else() {
    let name = "model.layers.0.self_attn.q_proj";
    let up = [1.0, 0.0, 2.0, -1.0];
    let pair = [
        tensor(&format!("{name}{}", LINEAR[0]), &[1, 4], |index| index as f32 + 1.0),
        tensor(&format!("{name}{}", LINEAR[1]), &[4, 1], |index| up[index]),
    ];
    let (before, after) = merged(&pair, &plan(&[name], 1, 6.0, &[])).unwrap();
    for (before, after) in before.tensors().iter().zip(after.tensors()) {
        for (index, (&before, &value)) in before.data.iter().zip(&after.data).enumerate() {
            let added = 6.0 * up.get(index / 4).copied().unwrap_or(0.0) * ((index % 4) as f32 + 1.0);
            let expected = if after.name == format!("{name}.weight") { before + added } else { before };
            assert!((value - expected).abs() < 1e-5, "{} {index}: {value}, {expected}", after.name);
        }
    }
    let ones = [
        tensor(&format!("{name}{}", LINEAR[0]), &[4, 4], |_| 1.0),
        tensor(&format!("{name}{}", LINEAR[1]), &[4, 4], |_| 1.0),
    ];
    let (before, after) = merged(&ones, &plan(&[name], 4, 3.0, &[])).unwrap();
    let at =
        |weights: &Weights| weights.tensors().iter().find(|t| t.name.contains("q_proj")).unwrap().data[5];
    assert!((at(&after) - at(&before) - 12.0).abs() < 1e-5);
}

/// By hand: rank 1 each. Row v of the embedding gets A[v] · B; down_proj has a scale of its own.
#[test]
fn embeddings_and_modules_with_their_own_scale_are_adapted_too() {
    let down = "model.layers.0.mlp.down_proj";
    let mut plan = plan(&[EMBED, down], 1, 6.0, &[]);
    plan.adapted.insert(down.to_owned(), Adapted { rank: 1, scale: 2.0 });
    let columns = tensor("model.embed_tokens.lora_embedding_A", &[1, 5], |row| row as f32);
    let tensors = [
        columns.clone(),
        tensor("model.embed_tokens.lora_embedding_B", &[4, 1], |column| 1.0 - column as f32),
        tensor(&format!("{down}{}", LINEAR[0]), &[1, 6], |_| 1.0),
        tensor(&format!("{down}{}", LINEAR[1]), &[4, 1], |_| 3.0),
    ];
    let (before, after) = merged(&tensors, &plan).unwrap();
    for (before, after) in before.tensors().iter().zip(after.tensors()) {
        for (index, (&before, &value)) in before.data.iter().zip(&after.data).enumerate() {
            let added = match after.name.as_str() {
                "model.embed_tokens.weight" => 6.0 * (index / 4) as f32 * (1.0 - (index % 4) as f32),
                name if name.starts_with(down) => 2.0 * 3.0,
                _ => 0.0,
            };
            assert!((value - before - added).abs() < 1e-4, "{} {index}", after.name);
        }
    }
    assert!(merged(&[columns], &plan).unwrap_err().contains("no partner"));
}

#[test]
fn what_does_not_fit_is_named() {
    let name = "model.layers.0.mlp.up_proj";
    let down = |shape: &[usize]| tensor(&format!("{name}{}", LINEAR[0]), shape, |_| 1.0);
    let up = tensor(&format!("{name}{}", LINEAR[1]), &[6, 2], |_| 1.0);
    let wanted = plan(&[name], 2, 1.0, &[]);
    let refused = |tensors: &[NamedTensor], plan: &AdapterPlan| merged(tensors, plan).unwrap_err();
    assert!(refused(&[down(&[2, 4])], &wanted).contains("no partner"));
    assert!(refused(&[down(&[2, 5]), up.clone()], &wanted).contains("expected [rank, 4]"));
    let stranger = tensor(&format!("model.layers.7.mlp.up_proj{}", LINEAR[1]), &[6, 2], |_| 1.0);
    assert!(refused(&[stranger], &plan(&[], 2, 1.0, &[])).contains("adapts nothing"));
    let vast = plan(&[name], 2, 1e308, &[]);
    assert!(refused(&[down(&[2, 4]), up], &vast).contains("not finite"));
}

#[test]
fn tensors_and_configuration_name_the_same_or_the_first_that_differs_is_named() {
    let name = "model.layers.0.mlp.up_proj";
    let pair = [
        tensor(&format!("{name}{}", LINEAR[0]), &[2, 4], |_| 1.0),
        tensor(&format!("{name}{}", LINEAR[1]), &[6, 2], |_| 1.0),
    ];
    let norm = tensor("model.norm.weight", &[4], |_| 0.5);
    let with_norm: Vec<NamedTensor> = pair.iter().chain([&norm]).cloned().collect();
    let gate = "model.layers.0.mlp.gate_proj";
    assert!(merged(&pair, &plan(&[name], 2, 1.0, &[])).is_ok());
    for (tensors, plan, expected) in [
        (
            &pair[..],
            plan(&[], 2, 1.0, &[]),
            "there is an adapter of `model.layers.0.mlp.up_proj`, which the conf",
        ),
        (
            &pair,
            plan(&[name, gate], 2, 1.0, &[]),
            "names `model.layers.0.mlp.gate_proj`, of which there is no",
        ),
        (
            &pair,
            plan(&[name], 4, 1.0, &[]),
            "up_proj.lora_A.weight` has rank 2, the adapter's configuration says 4",
        ),
        (
            &pair,
            plan(&[name], 2, 1.0, &["model.norm.weight"]),
            "names `model.norm.weight`, which is not there",
        ),
        (
            &with_norm,
            plan(&[name], 2, 1.0, &[]),
            "`model.norm.weight` is there in full, which the configuration",
        ),
    ] {
        let error = merged(tensors, &plan).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let (_, after) = merged(&with_norm, &plan(&[name], 2, 1.0, &["model.norm.weight"])).unwrap();
    assert!(
        after.tensors().iter().any(|tensor| tensor.name == "model.norm.weight" && tensor.data == [0.5; 4])
    );
    // A vocabulary that was changed is in the file, named or not; twice, nobody knows which counts.
    let head = |name: &str| tensor(name, &[5, 4], |_| 0.5);
    let (_, after) = merged(&[head("lm_head.modules_to_save.weight")], &plan(&[], 2, 1.0, &[])).unwrap();
    assert_eq!(after.tensors().last().unwrap().data, [0.5; 20]);
    let twice = [head("lm_head.modules_to_save.weight"), head("lm_head.weight")];
    assert!(merged(&twice, &plan(&[], 2, 1.0, &[])).unwrap_err().contains("too"));
}

#[test]
fn an_embedding_that_is_the_head_too_is_taken_where_both_stay_one() {
    let config = ModelConfig { tie_word_embeddings: true, ..config() };
    let own = Weights::random(&config, &mut exgrpo_core::rng::Streams::new(3).stream("weights", 0, 0));
    let same = |name: &str| NamedTensor { name: format!("{PREFIX}{name}"), ..own.tensors()[0].clone() };
    let other = |name: &str| tensor(name, &[5, 4], |_| 0.5);
    let (embed, head) = ("model.embed_tokens.weight", "lm_head.weight");
    let nothing = plan(&[], 1, 1.0, &[]);
    let ties = AdapterPlan { ties: true, ..nothing.clone() };
    let merged =
        |tensors: &[NamedTensor], plan: &AdapterPlan| merged_into(&config, tensors, plan).map(|_| ());
    assert_eq!(merged(&[same(embed)], &nothing), Ok(()));
    assert_eq!(merged(&[other(embed), other(head)], &nothing), Ok(()));
    assert_eq!(merged(&[other(embed)], &ties), Ok(()));
    assert!(merged(&[other(embed)], &nothing).unwrap_err().contains("is the head too"));
    assert!(merged(&[other(embed), same(head)], &nothing).unwrap_err().contains("is the head too"));
    assert!(merged(&[], &plan(&[HEAD], 1, 1.0, &[])).unwrap_err().contains("is the embedding too"));
    assert!(merged(&[], &plan(&[], 1, 1.0, &[head])).unwrap_err().contains("not there in full"));
    assert_eq!(parameters(&config).last().unwrap().name(), head);
}
