use proptest::prelude::*;
use rand_chacha::rand_core::SeedableRng;

use super::super::architecture::Architecture;
use super::super::rope::{Llama3Rope, RopeScaling, YarnRope};
use super::super::variations::Activation;
use super::*;

fn config(text: &str) -> ModelConfig {
    serde_json::from_str(text).unwrap()
}

fn tiny() -> ModelConfig {
    config(
        r#"{"model_type": "qwen2", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "max_position_embeddings": 32, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
            "sliding_window": 4096, "use_sliding_window": false}"#,
    )
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[test]
fn saved_weights_load_as_they_were() {
    let config = tiny();
    let weights = Weights::random(&config, &mut ChaCha8Rng::seed_from_u64(3));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(WEIGHTS_FILE);
    weights.save(&path).unwrap();
    assert_eq!(Weights::load(&path, &config).unwrap(), weights);
    assert_eq!(Weights::load(folder.path(), &config).unwrap(), weights);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(Weights::from_bytes(&bytes, "embedded", &config).unwrap(), weights);
    // A second save gives the same bytes, and nothing but the file stays behind.
    weights.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn shards_load_by_their_index() {
    let config = tiny();
    let weights = Weights::random(&config, &mut ChaCha8Rng::seed_from_u64(3));
    let folder = tempfile::tempdir().unwrap();
    let mut map = serde_json::Map::new();
    for (shard, tensors) in weights.tensors().chunks(10).enumerate() {
        let name = format!("model-{shard}.safetensors");
        write_tensors(&folder.path().join(&name), tensors, ("format", "pt".into())).unwrap();
        for tensor in tensors {
            map.insert(tensor.name.clone(), name.clone().into());
        }
    }
    let index = serde_json::json!({ "metadata": {}, "weight_map": map });
    std::fs::write(folder.path().join(WEIGHTS_INDEX_FILE), index.to_string()).unwrap();
    assert_eq!(Weights::load(folder.path(), &config).unwrap(), weights);

    // A stale copy in another shard: the index decides.
    let mut last = weights.tensors().chunks(10).last().unwrap().to_vec();
    let stale = NamedTensor { data: vec![7.0; 88], ..weights.tensors()[0].clone() };
    last.push(stale);
    let shard = format!("model-{}.safetensors", weights.tensors().chunks(10).count() - 1);
    write_tensors(&folder.path().join(&shard), &last, ("format", "pt".into())).unwrap();
    let loaded = Weights::load(folder.path(), &config).unwrap();
    assert_eq!(loaded.tensors(), weights.tensors());
    assert!(loaded.notes()[0].contains("model.embed_tokens.weight"), "{:?}", loaded.notes());

    let escape = serde_json::json!({ "weight_map": { "model.norm.weight": "../model.safetensors" } });
    std::fs::write(folder.path().join(WEIGHTS_INDEX_FILE), escape.to_string()).unwrap();
    let error = Weights::load(folder.path(), &config).unwrap_err().to_string();
    assert!(error.contains("not a plain file name"), "{error}");
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let config = tiny();
    let weights = Weights::random(&config, &mut ChaCha8Rng::seed_from_u64(3));
    let load = |edit: &dyn Fn(&mut Vec<NamedTensor>)| {
        let mut tensors = weights.tensors().to_vec();
        edit(&mut tensors);
        Weights::from_tensors(tensors, "a.safetensors", &config).map_err(|error| error.to_string())
    };
    let error = load(&|tensors| drop(tensors.remove(2))).unwrap_err();
    assert!(
        error.contains("a.safetensors: tensor `model.layers.0.self_attn.q_proj.weight` is missing"),
        "{error}"
    );
    let error = load(&|tensors| tensors[0].shape = vec![8, 11]).unwrap_err();
    assert!(error.contains("`model.embed_tokens.weight` has shape [8, 11], expected [11, 8]"), "{error}");
    let extra = |name: &str, data: &[f32]| NamedTensor {
        name: name.to_owned(),
        shape: vec![11, 8],
        data: data.to_vec(),
    };
    let error = load(&|tensors| tensors.push(extra("lm_tail.weight", &[0.0; 88]))).unwrap_err();
    assert!(error.contains("`lm_tail.weight` is unexpected"), "{error}");
    // By the configuration the embedding is the head, whatever the file repeats.
    let other_head = load(&|tensors| tensors.push(extra("lm_head.weight", &[0.0; 88]))).unwrap();
    assert_eq!(other_head.tensors(), weights.tensors());
    assert!(other_head.notes()[0].contains("`lm_head.weight` differs"), "{:?}", other_head.notes());
    let repeated = load(&|tensors| {
        let embedding = tensors[0].data.clone();
        tensors.push(extra("lm_head.weight", &embedding));
    });
    assert_eq!(repeated.unwrap(), weights);
    let with_buffers = load(&|tensors| {
        for name in ["model.rotary_emb.inv_freq", "model.layers.1.self_attn.rotary_emb.inv_freq"] {
            tensors.push(extra(name, &[1.0; 88]));
        }
    });
    assert_eq!(with_buffers.unwrap(), weights);
    let headless = load(&|tensors| {
        for tensor in tensors {
            tensor.name = tensor.name.trim_start_matches("model.").to_owned();
        }
    });
    assert_eq!(headless.unwrap(), weights);
}

/// Witness: f32 values are exact in f64.
#[test]
fn weights_in_f64_are_rounded_to_f32() {
    let (config, weights) = (tiny(), Weights::random(&tiny(), &mut ChaCha8Rng::seed_from_u64(5)));
    let wide: Vec<(String, Vec<usize>, Vec<u8>)> = weights
        .tensors()
        .iter()
        .map(|tensor| {
            let bytes = tensor.data.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect();
            (tensor.name.clone(), tensor.shape.clone(), bytes)
        })
        .collect();
    let views = wide.iter().map(|(name, shape, bytes)| {
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F64, shape.clone(), bytes).unwrap())
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    assert_eq!(Weights::from_bytes(&bytes, "wide", &config).unwrap(), weights);
}

/// Witness: mean and standard deviation of a normal distribution with 5 standard errors of room.
#[test]
fn fresh_weights_are_normal_and_norms_are_one() {
    let config = ModelConfig { vocab_size: 4000, ..tiny() };
    let weights = Weights::random(&config, &mut ChaCha8Rng::seed_from_u64(9));
    let values = &weights.tensors()[0].data;
    let count = values.len() as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let square = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / count;
    assert!(mean.abs() < 5.0 * 0.02 / count.sqrt(), "{mean}");
    assert!((square.sqrt() - 0.02).abs() < 5.0 * 0.02 / (2.0 * count).sqrt(), "{square}");
    for tensor in weights.tensors() {
        let constant = if tensor.name.ends_with("bias") { Some(0.0) } else { None };
        let constant = if tensor.name.contains("norm") { Some(1.0) } else { constant };
        assert!(constant.is_none_or(|c| tensor.data.iter().all(|&x| x == c)), "{}", tensor.name);
    }
}

#[test]
fn configurations_read_back_as_written() {
    let scaling = Llama3Rope {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    let llama = ModelConfig {
        architecture: Architecture::Llama,
        rope_scaling: Some(RopeScaling::Llama3(scaling)),
        attention_bias: true,
        ..tiny()
    };
    let yarn = YarnRope {
        factor: 4.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        attention_factor: YarnRope::default_attention_factor(4.0, None),
        original_max_position_embeddings: 8,
        truncate: false,
    };
    let scaled = [RopeScaling::Yarn(yarn), RopeScaling::Linear(2.0), RopeScaling::Dynamic(3.0)]
        .map(|scaling| ModelConfig { rope_scaling: Some(scaling), ..tiny() });
    let qwen3 = ModelConfig { architecture: Architecture::Qwen3, ..tiny() };
    let varied = crate::actor::tests::varied_configs();
    for config in [tiny(), llama, qwen3].into_iter().chain(scaled).chain(varied) {
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ModelConfig>(&text).unwrap(), config, "{text}");
    }
}

/// Witness: what transformers 5.23 makes of the same keys, found by comparing logits.
#[test]
fn keys_that_contradict_each_other_mean_what_they_mean_to_transformers() {
    let shape = serde_json::json!({
        "vocab_size": 11, "hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 128,
    });
    let read = |more: serde_json::Value| {
        let mut file = shape.clone();
        file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<ModelConfig>(file)
    };
    let windows = |more| -> Vec<Option<usize>> {
        let variations = read(more).unwrap().variations;
        (0..2).map(|layer| variations.attention(layer).window).collect()
    };
    let kinds = ["full_attention", "sliding_attention"];
    let by_kind = serde_json::json!({"sliding_window": 4, "layer_types": kinds});
    for (model_type, flag) in [("smollm3", false), ("smollm3", true), ("mistral", false)] {
        let mut file = by_kind.clone();
        file["model_type"] = model_type.into();
        file["use_sliding_window"] = flag.into();
        assert_eq!(windows(file), [None, Some(4)], "{model_type} {flag}");
    }
    let smollm3 = serde_json::json!({"model_type": "smollm3", "sliding_window": 4});
    assert_eq!(windows(smollm3), [None, None]);

    let gemma = serde_json::json!({"model_type": "gemma3_text", "hidden_act": "silu"});
    assert_eq!(read(gemma).unwrap().variations.activation, Activation::GeluTanh);
    let llama = serde_json::json!({"model_type": "llama", "hidden_activation": "gelu_pytorch_tanh"});
    assert_eq!(read(llama).unwrap().variations.activation, Activation::Silu);
    let flat = serde_json::json!({"model_type": "gemma3_text", "rope_parameters": {"rope_theta": 500.0}});
    assert!(read(flat).unwrap_err().to_string().contains("by kinds of layers"));

    // The rotary embedding's own share counts, but the original context beside the other keys.
    let factors = [1.0; 3];
    let phi = read(serde_json::json!({
        "model_type": "phi3", "partial_rotary_factor": 0.5, "original_max_position_embeddings": 64,
        "rope_parameters": {"rope_type": "longrope", "partial_rotary_factor": 0.75, "short_factor": factors,
                            "long_factor": factors, "original_max_position_embeddings": 32},
    }));
    let phi = phi.unwrap();
    assert_eq!((phi.rotary_dim(), phi.max_position_embeddings), (6, 64));

    // Files that were written anew have both names.
    let both = serde_json::json!({"type": "yarn", "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32});
    let both = read(serde_json::json!({"model_type": "qwen2", "rope_scaling": both})).unwrap();
    assert!(matches!(both.rope_scaling, Some(RopeScaling::Yarn(_))));
}

#[test]
fn configurations_that_would_train_another_network_are_refused() {
    let base = serde_json::to_value(tiny()).unwrap();
    for (key, value, expected) in [
        ("model_type", serde_json::json!("gemma2"), "`model_type` is \"gemma2\", which is unknown"),
        ("partial_rotary_factor", serde_json::json!(0.5), "only phi3"),
        ("attn_logit_softcapping", serde_json::json!(50.0), "must be null"),
        ("mlp_bias", serde_json::json!(true), "`mlp_bias` has no meaning"),
        ("num_key_value_heads", serde_json::json!(3), "multiple of `num_key_value_heads`"),
        ("num_attention_heads", serde_json::json!(0), "`num_attention_heads` is 0"),
        ("head_dim", serde_json::json!(3), "even"),
        ("hidden_act", serde_json::json!("gelu"), "supported are `silu`"),
        ("layer_types", serde_json::json!(vec!["full_attention"; 9]), "`layer_types` has 9 entries"),
        (
            "layer_types",
            serde_json::json!(vec!["linear_attention"; 2]),
            "`layer_types` has \"linear_attention\"",
        ),
        ("rope_scaling", serde_json::json!({"type": "longrope", "factor": 2.0}), "lacks `original_max"),
        ("rope_scaling", serde_json::json!({"type": "su", "factor": 2.0}), "not supported"),
        ("rope_scaling", serde_json::json!({"type": "yarn", "factor": 0.5}), "factor >= 1"),
        (
            "rope_scaling",
            serde_json::json!({"rope_type": "llama3", "factor": 2.0}),
            "lacks `low_freq_factor`",
        ),
        ("rms_norm_eps", serde_json::json!(-1.0), "`rms_norm_eps`"),
    ] {
        let mut file = base.clone();
        file[key] = value;
        let error = serde_json::from_value::<ModelConfig>(file).unwrap_err();
        assert!(error.to_string().contains(expected), "{key}: {error}");
    }
}

/// Witness: the definition, theta^(-2i/d), and the two ends of the stretch for Llama 3.1's constants.
#[test]
fn rotary_frequencies_follow_their_definition() {
    let plain = ModelConfig { head_dim: 128, rope_theta: 500_000.0, ..tiny() };
    let frequencies = plain.rope_frequencies();
    assert_eq!(frequencies.len(), 64);
    assert_eq!(frequencies[0], 1.0);
    assert!((frequencies[32] - 500_000f64.powf(-0.5)).abs() < 1e-15);
    let scaling = Llama3Rope {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    let stretched =
        ModelConfig { rope_scaling: Some(RopeScaling::Llama3(scaling)), ..plain }.rope_frequencies();
    assert_eq!(stretched[0], 1.0);
    assert!((stretched[63] - frequencies[63] / 8.0).abs() < 1e-18);
    assert!(stretched.iter().zip(&frequencies).all(|(s, f)| *s <= *f * (1.0 + 1e-12) && *s >= *f / 8.0));
}

proptest! {
    /// Bytes that a stranger wrote are an error, not a panic.
    #[test]
    fn damaged_files_are_errors(at in 0usize..2000, byte: u8, keep in 0usize..4000) {
        let config = tiny();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        Weights::random(&config, &mut ChaCha8Rng::seed_from_u64(1)).save(&path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at] ^= byte;
        bytes.truncate(keep);
        let error = Weights::from_bytes(&bytes, "damaged", &config).unwrap_err();
        prop_assert!(error_chain(&error).contains("damaged"));
    }
}

#[test]
fn no_safetensors_file_makes_loading_panic_or_grow() {
    let config = tiny();
    let path = tempfile::NamedTempFile::new().unwrap();
    Weights::random(&config, &mut ChaCha8Rng::seed_from_u64(3)).save(path.path()).unwrap();
    let seed = std::fs::read(path.path()).unwrap();
    let words =
        ["\"F16\"", "\"BF16\"", "\"F8_E4M3\"", "[0]", "[]", "18446744073709551615", "\"__metadata__\":{},"];
    exgrpo_core::fuzz::run("safetensors", &[seed], &words, move |bytes| {
        if let Err(error) = Weights::from_bytes(bytes, "fuzz", &config) {
            assert!(error_chain(&error).len() < 10_000);
        }
    });
}

#[test]
fn no_config_makes_reading_panic_or_grow() {
    let seeds = [serde_json::to_string(&tiny()).unwrap(), r#"{"model_type": "llama", "vocab_size": 11, "hidden_size": 8,
        "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 32,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192}}"#.to_owned()];
    let words = [
        "\"qwen3\"",
        "268435456",
        "4096",
        "null",
        "1e308",
        "-1",
        "0",
        "[]",
        "{}",
        "\"head_dim\": 4294967296,",
    ];
    exgrpo_core::fuzz::run("config.json", &seeds.map(String::into_bytes), &words, |bytes| {
        let Ok(config) = serde_json::from_slice::<ModelConfig>(bytes) else { return };
        let shapes = config.parameter_shapes();
        let exact: u128 =
            shapes.iter().map(|shape| shape.shape.iter().map(|&n| n as u128).product::<u128>()).sum();
        assert_eq!(config.num_parameters() as u128, exact);
        assert!(u128::from(largest_file(&config)) / 4 >= exact);
        assert_eq!(config.rope_frequencies().len(), config.head_dim / 2);
    });
}
