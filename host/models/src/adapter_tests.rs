use serde_json::json;

use super::*;
use exgrpo_engine::ModelConfig;
use exgrpo_engine::lora::parameters;

/// Two layers of Llama, or of another kind.
fn network(kind: &str) -> Vec<Parameter> {
    let config = json!({"model_type": kind, "vocab_size": 5, "hidden_size": 8, "intermediate_size": 6,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 16,
        "head_dim": 4});
    let Value::Object(config) = config else { panic!() };
    parameters(&ModelConfig::from_json(&config).unwrap())
}

fn planned(kind: &str, changes: Value) -> Result<AdapterPlan, String> {
    let (Value::Object(mut config), Value::Object(changes)) =
        (json!({"r": 4, "lora_alpha": 6, "target_modules": ["q_proj"]}), changes)
    else {
        panic!()
    };
    config.extend(changes);
    let plan = Named::of(&config).and_then(|named| named.plan(&network(kind)));
    plan.map_err(|error| format!("{error:#}"))
}

fn adapted(changes: Value) -> Vec<String> {
    planned("llama", changes).unwrap().adapted.into_keys().collect()
}

const Q: [&str; 2] = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"];

/// Witness: check_target_module_exists of PEFT 0.21, read by hand.
#[test]
fn modules_are_named_as_peft_names_them() {
    for (changes, expected) in [
        (json!({}), &Q[..]),
        (json!({"target_modules": ["layers.1.self_attn.q_proj", "other"]}), &Q[1..]),
        (json!({"target_modules": ["attn.q_proj", "proj"]}), &[]),
        (json!({"target_modules": r"model\.layers\.0\..*q_proj|other"}), &Q[..1]),
        (json!({"target_modules": r"(?!.*layers\.0).*\.q_proj"}), &Q[1..]),
        // A pattern is compared with whole names.
        (json!({"target_modules": "q_proj"}), &[]),
        (json!({"exclude_modules": ["layers.0.self_attn.q_proj"]}), &Q[1..]),
        (json!({"exclude_modules": r".*\.1\..*"}), &Q[..1]),
        (json!({"exclude_modules": []}), &Q),
        (json!({"layers_to_transform": [1]}), &Q[1..]),
        (json!({"layers_to_transform": 0, "layers_pattern": "layers"}), &Q[..1]),
        (json!({"layers_to_transform": [0, 1], "layers_pattern": ["blocks", "model.layers"]}), &Q),
        (json!({"layers_to_transform": [0], "layers_pattern": ["blocks"]}), &[]),
        (json!({"layers_to_transform": [-1, 99]}), &[]),
        (json!({"layers_to_transform": []}), &Q),
        // What is saved in full is not adapted, too.
        (json!({"modules_to_save": ["layers.0.self_attn"]}), &Q[1..]),
    ] {
        assert_eq!(adapted(changes.clone()), expected, "{changes}");
    }
    let all = adapted(json!({"target_modules": "All-Linear"}));
    assert_eq!(all.len(), 14);
    assert!(all.iter().all(|name| name.ends_with("_proj")), "{all:?}");
    let all = adapted(json!({"target_modules": ".*"}));
    assert!(all.len() == 16 && all[0] == "lm_head", "{all:?}");
    let fused = planned("phi3", json!({"target_modules": ["qkv_proj", "q_proj"]})).unwrap();
    assert_eq!(fused.adapted.len(), 2);
    assert!(fused.adapted.keys().all(|name| name.ends_with("qkv_proj")));
}

#[test]
fn ranks_and_scales_are_those_of_the_patterns() {
    let of = |changes: Value| planned("llama", changes).unwrap().adapted;
    let scaled = |rank, scale| Adapted { rank, scale };
    assert_eq!(of(json!({}))[Q[0]], scaled(4, 1.5));
    assert_eq!(of(json!({"use_rslora": true}))[Q[0]], scaled(4, 3.0));
    let both = of(
        json!({"rank_pattern": {"layers.0.self_attn.q_proj": 2}, "alpha_pattern": {"^model.layers.[1-9].*": 8}}),
    );
    assert_eq!((both[Q[0]], both[Q[1]]), (scaled(2, 3.0), scaled(4, 2.0)));
    let refused = |changes: Value| planned("llama", changes).unwrap_err();
    let twice = refused(json!({"rank_pattern": {"q_proj": 2, "layers.0.self_attn.q_proj": 3}}));
    assert!(twice.contains("rank_pattern says two things of `model.layers.0"), "{twice}");
    assert!(refused(json!({"alpha_pattern": {"q_proj": 2, "q.proj": 3}})).contains("alpha_pattern says two"));
}

#[test]
fn what_is_saved_in_full_is_told_by_the_end_of_a_name() {
    let whole = |kind: &str, changes: Value| -> Vec<String> {
        planned(kind, changes).unwrap().whole.into_iter().collect()
    };
    // PEFT asks for no whole parts: `norm` is the end of `input_layernorm`, too.
    let norms = whole("llama", json!({"modules_to_save": ["norm"]}));
    assert_eq!((norms.len(), norms[0].as_str()), (5, "model.layers.0.input_layernorm.weight"));
    assert_eq!(whole("llama", json!({"modules_to_save": ["1.mlp"]})).len(), 3);
    assert_eq!(whole("llama", json!({"modules_to_save": ["lm_head"]})), ["lm_head.weight"]);
    let biases = |bias: &str| whole("qwen2", json!({"bias": bias})).len();
    assert_eq!((biases("none"), biases("all"), biases("lora_only")), (0, 6, 2));
    let unknown = planned("llama", json!({"modules_to_save": ["score"]})).unwrap_err();
    assert!(unknown.contains("modules_to_save has \"score\", and the network has no such"), "{unknown}");
}

#[test]
fn a_key_that_is_not_understood_is_named() {
    for (changes, expected) in [
        (json!({"target_modules": null}), "target_modules is not there or null"),
        (json!({"target_modules": ["q_proj", 1]}), "target_modules[1] is 1, it must be a name"),
        (json!({"target_modules": 5}), "target_modules is 5"),
        (json!({"target_modules": "("}), "target_modules has \"(\", which is no usable pattern"),
        (json!({"exclude_modules": "("}), "exclude_modules has \"(\""),
        (json!({"modules_to_save": "lm_head"}), "modules_to_save is \"lm_head\", it must be a list"),
        (json!({"r": 0}), "r is 0, it must be a whole number"),
        (json!({"r": -4}), "r is -4"),
        (json!({"r": 4.5}), "r is 4.5"),
        (json!({"r": "4"}), "r is \"4\""),
        (json!({"r": null}), "r is null"),
        (json!({"lora_alpha": "x"}), "lora_alpha is \"x\", it must be a number"),
        (json!({"lora_alpha": null}), "no lora_alpha"),
        (json!({"bias": true}), "bias is true, it must be none, all or lora_only"),
        (json!({"use_rslora": 1}), "use_rslora is 1, it must be true or false"),
        (json!({"rank_pattern": []}), "rank_pattern is a list of 0, it must be an object"),
        (json!({"rank_pattern": {"q_proj": 0}}), "rank_pattern.q_proj is 0"),
        (json!({"rank_pattern": {"(": 2}}), "rank_pattern has"),
        (json!({"alpha_pattern": {"q_proj\u{1b}": "x"}}), "alpha_pattern.q_proj\\u{1b} is \"x\""),
        (json!({"layers_to_transform": ["0"]}), "layers_to_transform[0] is \"0\""),
        (json!({"layers_to_transform": true}), "layers_to_transform is true"),
        (json!({"layers_to_transform": [0], "layers_pattern": "(a|b)"}), "layers_pattern has \"(a|b)\""),
        (json!({"layers_to_transform": [0], "target_modules": ".*"}), "layers_to_transform goes with a list"),
        (json!({"layers_pattern": "layers"}), "layers_pattern is set and layers_to_transform is not"),
    ] {
        let error = planned("llama", changes).unwrap_err();
        assert!(error.contains(expected) && error.contains("\nhint: "), "{expected}: {error}");
    }
}
