use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;

use super::*;
use crate::prompt::Prompts;
use crate::rng::Streams;

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
    source.weights.save(&again.join(crate::model::WEIGHTS_FILE)).unwrap();
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
