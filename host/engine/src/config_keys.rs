//! Which key of a `config.json` has a value of the wrong kind: what serde says of one names the kinds alone.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::config::ModelConfigError;
use super::config_file::ConfigFile;
use exgrpo_core::escape::{foreign, quoted};

/// Entries of a list that are looked at one by one.
const MOST_ENTRIES: usize = 10_000;

/// The keys of a file.
///
/// # Errors
/// Names the key that is missing or has a value of the wrong kind.
pub(super) fn read(object: &Map<String, Value>) -> Result<ConfigFile, ModelConfigError> {
    let parse = |object: Map<String, Value>| ConfigFile::deserialize(Value::Object(object));
    let error = match parse(object.clone()) {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    // Each key alone, among others that are right.
    let among = |key: &str, value: Value| {
        let mut right = needed();
        right.insert(key.to_owned(), value);
        parse(right).map(|_| ()).map_err(|error| error.to_string())
    };
    for (key, value) in object {
        if let Err(said) = among(key, value.clone()) {
            return Err(culprit(key.clone(), value, said, &|value| among(key, value)));
        }
    }
    // Whatever is there is right.
    let said = error.to_string();
    let missing = said.split('`').nth(1).filter(|_| said.starts_with("missing field"));
    Err(ModelConfigError::Invalid(match missing {
        Some(key) => format!("`{key}` is missing"),
        None => said,
    }))
}

/// The keys that every file has.
fn needed() -> Map<String, Value> {
    let keys = [
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "max_position_embeddings",
    ];
    keys.into_iter().map(|key| (key.to_owned(), json!(1))).collect()
}

/// The innermost value that is wrong, of which `said` was said; `test` puts a value in the place of `value`.
fn culprit(
    key: String,
    value: &Value,
    said: String,
    test: &dyn Fn(Value) -> Result<(), String>,
) -> ModelConfigError {
    match value {
        // Where a list can stand at all.
        Value::Array(list) if test(Value::Array(Vec::new())).is_ok() => {
            for (index, entry) in list.iter().take(MOST_ENTRIES).enumerate() {
                let alone = |entry| test(Value::Array(vec![entry]));
                if let Err(said) = alone(entry.clone()) {
                    return culprit(format!("{key}[{index}]"), entry, said, &alone);
                }
            }
        }
        Value::Object(object) if test(Value::Object(Map::new())).is_ok() => {
            for (name, entry) in object {
                let alone = |entry| test(json!({ name.as_str(): entry }));
                if let Err(said) = alone(entry.clone()) {
                    return culprit(format!("{key}.{name}"), entry, said, &alone);
                }
            }
        }
        _ => {}
    }
    let wanted = said.rsplit_once("expected ").map_or(said.as_str(), |(_, wanted)| wanted);
    let wanted = match wanted {
        "f64" => "a number",
        "usize" => "a whole number that is not negative",
        "u8" => "a whole number between 0 and 255",
        "a boolean" => "true or false",
        "a string" => "a text",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    ModelConfigError::Invalid(format!("`{}` is {}, it must be {wanted}", foreign(&key), shown(value)))
}

/// A value of a JSON file as people are shown it: short, and without what steers a terminal.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text).to_string(),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".to_owned(),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_the_wrong_kind_is_named_with_its_key() {
        let said = |key: &str, value: Value| {
            let mut object = needed();
            object.insert("model_type".to_owned(), "llama".into());
            object.insert(key.to_owned(), value);
            read(&object).unwrap_err().to_string()
        };
        for (key, value, expected) in [
            ("rms_norm_eps", json!("x\u{1b}"), "`rms_norm_eps` is \"x\\u{1b}\", it must be a number"),
            ("hidden_size", json!(64.5), "`hidden_size` is 64.5, it must be a whole number"),
            ("head_dim", json!(-1), "`head_dim` is -1, it must be a whole number that is not negative"),
            (
                "use_sliding_window",
                json!("true"),
                "`use_sliding_window` is \"true\", it must be true or false",
            ),
            ("model_type", json!(["llama"]), "`model_type` is a list of 1, it must be a text"),
            ("architectures", json!("X"), "`architectures` is \"X\", it must be a list"),
            ("layer_types", json!(["a", 1]), "`layer_types[1]` is 1, it must be a text"),
            ("rope_scaling", json!("linear"), "`rope_scaling` is \"linear\", it must be an object"),
            (
                "rope_scaling",
                json!({"rope_type": "yarn", "factor": {}}),
                "`rope_scaling.factor` is an object",
            ),
            (
                "rope_parameters",
                json!({"full_attention": {"rope_theta": 1}, "sliding_attention": {"short_factor": [1, "y"]}}),
                "`rope_parameters.sliding_attention.short_factor[1]` is \"y\", it must be a number",
            ),
        ] {
            let said = said(key, value);
            assert!(said.contains(expected), "{key}: {said}");
        }
        let mut without = needed();
        without.remove("vocab_size");
        assert!(read(&without).unwrap_err().to_string().ends_with("`vocab_size` is missing"));
        assert!(read(&needed()).is_ok());
    }
}
