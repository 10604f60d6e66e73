use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;

use super::*;
use crate::prompt::Prompts;
use exgrpo_core::rng::Streams;

/// The embedded model's shape with weights of its own.
pub(super) fn weights() -> (ModelConfig, Weights) {
    let config: ModelConfig = serde_json::from_slice(EMBEDDED_CONFIG).unwrap();
    let weights = Weights::random(&config, &mut Streams::new(7).stream("weights", 0, 0));
    (config, weights)
}

/// A directory whose weights are in two shards.
fn sharded(folder: &Path) -> Weights {
    let (config, weights) = weights();
    let whole = folder.join("whole");
    weights.save(&whole).unwrap();
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::remove_file(&whole).unwrap();
    let parsed = SafeTensors::deserialize(&bytes).unwrap();
    let mut map = BTreeMap::new();
    for (shard, parity) in [("model-00001-of-00002.safetensors", 0), ("model-00002-of-00002.safetensors", 1)]
    {
        let part: Vec<_> =
            parsed.tensors().into_iter().enumerate().filter(|(i, _)| i % 2 == parity).collect();
        map.extend(part.iter().map(|(_, (name, _))| (name.clone(), shard)));
        let views = part.into_iter().map(|(_, tensor)| tensor);
        safetensors::serialize_to_file(views, None, &folder.join(shard)).unwrap();
    }
    let index = serde_json::json!({"metadata": {}, "weight_map": map});
    std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    let mut json = serde_json::to_value(&config).unwrap();
    json["eos_token_id"] = 1.into();
    std::fs::write(folder.join("config.json"), json.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), EMBEDDED_TOKENIZER).unwrap();
    weights
}

/// The error that a model gives: one line, then one hint.
pub(super) fn failure(path: &Path) -> String {
    let error = format!("{:#}", ModelSource::read(&path.to_string_lossy()).unwrap_err());
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines.len() == 2 && lines[1].starts_with("hint: "), "{error}");
    error
}

#[test]
fn a_sharded_directory_is_read_with_its_chat_template() {
    let dir = tempfile::tempdir().unwrap();
    let expected = sharded(dir.path());
    let tokenizer_config = serde_json::json!({
        "bos_token": null,
        "eos_token": {"content": "<eos>", "special": true},
        "chat_template": [
            {"name": "tool_use", "template": "x"},
            {"name": "default", "template": "{{ messages[0].content }}={{ eos_token }}"},
        ],
    });
    std::fs::write(dir.path().join("tokenizer_config.json"), tokenizer_config.to_string()).unwrap();
    std::fs::write(dir.path().join("generation_config.json"), r#"{"eos_token_id": [1, 0]}"#).unwrap();
    let source = ModelSource::read(&dir.path().to_string_lossy()).unwrap();
    assert_eq!(source.weights, expected);
    assert_eq!(source.stop_ids, [1, 0]);
    let prompts = Prompts::new(&PromptSection::default(), &source).unwrap();
    assert_eq!(prompts.render(&[Message::new("user", "1+2")]).unwrap(), "1+2=<eos>");
    let ids = prompts.encode("1+2", None).unwrap();
    assert_eq!(source.tokenizer.decode_all(&ids).unwrap().replace(' ', ""), "1+2=<eos>");

    std::fs::write(dir.path().join("chat_template.jinja"), "{{ messages[0].content }}").unwrap();
    let source = ModelSource::read(&dir.path().to_string_lossy()).unwrap();
    assert_eq!(source.chat_template.as_deref(), Some("{{ messages[0].content }}"));
}

#[test]
fn files_that_are_written_are_the_same_model_again() {
    let dir = tempfile::tempdir().unwrap();
    sharded(dir.path());
    let source = ModelSource::read(&dir.path().to_string_lossy()).unwrap();
    let again = dir.path().join("again");
    std::fs::create_dir(&again).unwrap();
    source.write_files(&again, Some("{{ messages[0].content }}")).unwrap();
    source.weights.save(&again.join(exgrpo_engine::WEIGHTS_FILE)).unwrap();
    let again = ModelSource::read(&again.to_string_lossy()).unwrap();
    assert_eq!((again.config, again.weights), (source.config, source.weights));
    assert_eq!((again.stop_ids, again.tokenizer_text), (source.stop_ids, source.tokenizer_text));
    assert_eq!(again.chat_template.as_deref(), Some("{{ messages[0].content }}"));
}

#[test]
fn a_model_that_cannot_be_used_says_why_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    assert!(failure(&at("nowhere")).contains("there is no"));
    std::fs::write(at("notes.txt"), "hello").unwrap();
    assert!(failure(&at("notes.txt")).contains("is not a GGUF file"));
    assert!(failure(dir.path()).contains("has no config.json"));

    sharded(dir.path());
    let spoil = |name: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let good = std::fs::read(at(name)).unwrap();
        std::fs::write(at(name), change(good.clone())).unwrap();
        let error = failure(dir.path());
        std::fs::write(at(name), good).unwrap();
        error
    };
    let edit = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replacen(from, to, 1).into_bytes()
    };
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let shard = "model-00002-of-00002.safetensors";
    let error = spoil(shard, &half);
    assert!(error.contains(shard) && error.contains("cut short"), "{error}");
    assert!(spoil("model.safetensors.index.json", &half).contains("index"));
    assert!(spoil("tokenizer.json", &half).contains("not a tokenizer file"));
    assert!(spoil("config.json", &half).contains("config.json is not usable"));
    let error = spoil("config.json", &edit("\"llama\"", "\"mamba\""));
    assert!(error.contains("mamba") && error.contains("Qwen3"), "{error}");
    let error = spoil("config.json", &edit("\"vocab_size\":18", "\"vocab_size\":17"));
    assert!(error.contains("has a token 17"), "{error}");
    let error = spoil("config.json", &edit("\"vocab_size\":18", "\"vocab_size\":19"));
    assert!(error.contains("do config.json and the weights belong"), "{error}");
    let error = spoil("config.json", &edit("\"eos_token_id\":1", "\"eos_token_id\":18"));
    assert!(error.contains("no token of its tokenizer"), "{error}");
    let error = spoil("config.json", &edit("\"eos_token_id\":1", "\"eos_token_id\":null"));
    assert!(error.contains("never end"), "{error}");
    std::fs::remove_file(at(shard)).unwrap();
    assert!(failure(dir.path()).contains(shard));
    std::fs::remove_file(at("tokenizer.json")).unwrap();
    assert!(failure(dir.path()).contains("has no tokenizer.json"));
}

/// A folder whose `config.json` has one more key.
fn with_key(folder: &Path, key: &str, value: Value) {
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    config[key] = value;
    write(folder, "config.json", &config);
}

#[test]
fn quantized_weights_are_refused_and_a_leftover_of_them_is_said() {
    use serde_json::json;
    for (asked, name) in [
        (json!({"quant_method": "gptq", "bits": 4}), "(gptq)"),
        (json!({"load_in_4bit": true}), "(bitsandbytes)"),
        (json!({}), "(empty)"),
    ] {
        let (source, weights) = changed(&|folder| with_key(folder, "quantization_config", asked.clone()));
        assert_eq!(source.weights, weights);
        assert!(source.notes.len() == 1 && source.notes[0].contains(name), "{:?}", source.notes);
        let dir = tempfile::tempdir().unwrap();
        source.write_files(dir.path(), None).unwrap();
        let written = std::fs::read_to_string(dir.path().join("config.json")).unwrap();
        assert!(!written.contains("quantization_config"), "{written}");
    }
    let dir = tempfile::tempdir().unwrap();
    sharded(dir.path());
    for (key, asked, expected) in [
        ("quantization_config", json!({"quant_method": "bitnet\u{1b}"}), "of the method \"bitnet\\u{1b}\""),
        ("quantization_config", json!({"bits": 4}), "an object without quant_method"),
        ("quantization_config", json!("fp8"), "quantization_config is \"fp8\""),
        (
            "compression_config",
            json!({"quant_method": "compressed-tensors"}),
            "compression_config is of the method",
        ),
    ] {
        with_key(dir.path(), "quantization_config", Value::Null);
        with_key(dir.path(), "compression_config", Value::Null);
        with_key(dir.path(), key, asked);
        let error = failure(dir.path());
        assert!(error.contains(expected) && error.contains("quantized weights are not read"), "{error}");
    }
    // Tensors of other types and names are what the key says.
    with_key(dir.path(), "compression_config", Value::Null);
    with_key(dir.path(), "quantization_config", json!({"quant_method": "gptq"}));
    let shard = dir.path().join("model-00002-of-00002.safetensors");
    let bytes = std::fs::read(&shard).unwrap();
    let at = bytes.windows(5).position(|part| part == b"\"F32\"").unwrap();
    let whole = [&bytes[..at], b"\"I32\"", &bytes[at + 5..]].concat();
    std::fs::write(&shard, whole).unwrap();
    let error = failure(dir.path());
    assert!(
        error.contains("has quantized weights (quantization_config in its config.json: gptq)"),
        "{error}"
    );
    assert!(error.contains("is I32") && error.contains("hint: take the model's checkpoint"), "{error}");
}

/// Files of a model in one folder, changed by hand; what reading it says.
fn changed(change: &dyn Fn(&Path)) -> (ModelSource, Weights) {
    let dir = tempfile::tempdir().unwrap();
    let weights = sharded(dir.path());
    change(dir.path());
    (ModelSource::read(&dir.path().to_string_lossy()).unwrap(), weights)
}

fn write(folder: &Path, name: &str, value: &Value) {
    std::fs::write(folder.join(name), value.to_string()).unwrap();
}

#[test]
fn special_tokens_count_where_they_are_named() {
    let (source, _) = changed(&|folder| {
        write(folder, "tokenizer_config.json", &serde_json::json!({"eos_token": "<eos>", "pad_token": null}));
        let map = serde_json::json!({"bos_token": {"content": "<bos>"}, "pad_token": "<pad>", "eos_token": "<other>"});
        write(folder, "special_tokens_map.json", &map);
    });
    let tokens = &source.special_tokens;
    assert_eq!(
        (tokens.bos.as_deref(), tokens.eos.as_deref(), tokens.pad.as_deref()),
        (Some("<bos>"), Some("<eos>"), None)
    );
}

#[test]
fn what_is_odd_but_harmless_is_said_and_not_refused() {
    let with_token = |id: u32, content: &str| {
        let content = content.to_owned();
        move |folder: &Path| {
            let mut tokenizer: Value = serde_json::from_slice(EMBEDDED_TOKENIZER).unwrap();
            let token = serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true});
            tokenizer["added_tokens"].as_array_mut().unwrap().push(token);
            write(folder, "tokenizer.json", &tokenizer);
        }
    };
    let (source, _) = changed(&with_token(18, "[PAD]"));
    assert!(source.notes[0].contains("\"[PAD]\"") && source.notes.len() == 1, "{:?}", source.notes);
    let error = source.tokenizer.encode("1+[PAD]").unwrap_err().to_string();
    assert!(error.contains("the network doesn't know"), "{error}");
    assert!(source.tokenizer.encode("1+1=").is_ok());

    let (source, _) = changed(&|folder| {
        write(folder, "generation_config.json", &serde_json::json!({"eos_token_id": [1, 99]}));
    });
    assert_eq!(source.stop_ids, [1]);
    assert!(source.notes[0].contains("eos_token_id 99"), "{:?}", source.notes);

    let template = |end: &str| {
        let text = format!("{{% for m in messages %}}{{{{ m.content }}}}{end}{{% endfor %}}");
        move |folder: &Path| {
            let config = serde_json::json!({"chat_template": text, "eos_token": "<eos>"});
            write(folder, "tokenizer_config.json", &config);
        }
    };
    let (source, _) = changed(&template("<unk>\n"));
    assert!(
        source.notes[0].contains("\"<unk>\"") && source.notes[0].contains("hint: add 2 "),
        "{:?}",
        source.notes
    );
    let (source, _) = changed(&template("{{ eos_token }}"));
    assert!(source.notes.iter().all(|note| !note.contains("ends an answer")), "{:?}", source.notes);
}

#[test]
fn an_adapter_is_merged_into_its_model() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("base");
    std::fs::create_dir(&base).unwrap();
    let before = sharded(&base);
    let adapter = dir.path().join("adapter");
    std::fs::create_dir(&adapter).unwrap();
    let mut config = serde_json::json!({"peft_type": "LORA", "base_model_name_or_path": "../base", "lora_alpha": 4, "r": 2,
        "use_dora": false, "alpha_pattern": {}, "target_modules": ["down_proj"], "layers_to_transform": [0]});
    write(&adapter, "adapter_config.json", &config);
    let matrix =
        before.tensors().iter().position(|t| t.name == "model.layers.0.mlp.down_proj.weight").unwrap();
    let [outputs, inputs] = before.tensors()[matrix].shape[..] else { panic!() };
    let ones =
        |count: usize| vec![1.0f32; count].iter().flat_map(|one| one.to_le_bytes()).collect::<Vec<u8>>();
    let (down, up) = (ones(2 * inputs), ones(outputs * 2));
    let view = |shape: [usize; 2], bytes| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap()
    };
    let name = |part: &str| format!("base_model.model.model.layers.0.mlp.down_proj.lora_{part}.weight");
    let views = [(name("A"), view([2, inputs], &down)), (name("B"), view([outputs, 2], &up))];
    safetensors::serialize_to_file(views, None, &adapter.join("adapter_model.safetensors")).unwrap();
    let source = ModelSource::read(&adapter.to_string_lossy()).unwrap();
    for (index, (before, after)) in before.tensors().iter().zip(source.weights.tensors()).enumerate() {
        // alpha / rank · (1·1 + 1·1) = 4
        let added = if index == matrix { 4.0 } else { 0.0 };
        assert!(
            before.data.iter().zip(&after.data).all(|(a, b)| (a + added - b).abs() < 1e-5),
            "{}",
            after.name
        );
    }
    for (key, value, expected) in [
        ("use_dora", Value::Bool(true), "use_dora"),
        ("peft_type", "IA3".into(), "only LORA"),
        ("peft_type", 5.into(), "peft_type is 5"),
        ("task_type", "SEQ_CLS".into(), "task_type is \"SEQ_CLS\""),
        ("target_parameters", serde_json::json!(["x"]), "target_parameters"),
        ("use_something_new", Value::Bool(true), "use_something_new"),
        ("init_lora_weights", "pissa".into(), "init_lora_weights is \"pissa\""),
        ("base_model_name_or_path", 5.into(), "base_model_name_or_path is 5"),
        ("target_modules", serde_json::json!(["up_proj"]), "names `model.layers.0.mlp.up_proj`, of which"),
        ("exclude_modules", serde_json::json!(["layers.0.mlp.down_proj"]), "there is an adapter of"),
        ("layers_to_transform", Value::Null, "names `model.layers.1.mlp.down_proj`, of which"),
        ("r", 4.into(), "has rank 2, the adapter's configuration says 4"),
        ("modules_to_save", serde_json::json!(["norm"]), "input_layernorm.weight`, which is not there"),
        ("base_model_name_or_path", "../nowhere".into(), "nowhere"),
        ("lora_alpha", Value::Null, "no lora_alpha"),
    ] {
        let good = config[key].take();
        config[key] = value;
        write(&adapter, "adapter_config.json", &config);
        let error = format!("{:#}", ModelSource::read(&adapter.to_string_lossy()).unwrap_err());
        assert!(error.contains(expected) && error.contains("hint: "), "{key}: {error}");
        config[key] = good;
    }
}
