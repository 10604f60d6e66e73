//! The run's parameters, matched against what a policy says it takes.
//!
//! A policy declares its parameters as a plain JSON Schema: an object whose `properties` have the type `number`,
//! `integer`, `boolean` or `string`, with `default`, `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum` and
//! `enum` where they apply. The run gives texts, `name=value` or `policy.name=value`; the latter is for one policy and
//! wins. A policy is handed every property with the value in force.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Parameters of one policy.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Resolved {
    /// Values in force, defaults included.
    pub(super) values: Map<String, Value>,
    /// Keys of the run's parameters that were used.
    pub(super) used: BTreeSet<String>,
    /// Names that the policy takes.
    pub(super) known: Vec<String>,
}

/// Takes from `given` what the schema of the policy `name` declares.
pub(super) fn resolve(
    schema: &str,
    name: &str,
    given: &BTreeMap<String, String>,
) -> Result<Resolved, String> {
    let mut resolved = Resolved::default();
    if schema.trim().is_empty() {
        return Ok(resolved);
    }
    let schema: Value =
        serde_json::from_str(schema).map_err(|error| format!("its parameter schema is no JSON: {error}"))?;
    let Some(schema) = schema.as_object() else {
        return Err("its parameter schema is no JSON object".to_owned());
    };
    if schema.get("type").is_some_and(|kind| kind != "object") {
        return Err("its parameter schema must have the type `object`".to_owned());
    }
    let none = Map::new();
    let properties = match schema.get("properties") {
        None => &none,
        Some(Value::Object(properties)) => properties,
        Some(_) => return Err("`properties` of its parameter schema is no JSON object".to_owned()),
    };
    for (parameter, declared) in properties {
        resolved.known.push(parameter.clone());
        let qualified = format!("{name}.{parameter}");
        let mut text = None;
        for key in [parameter, &qualified] {
            if let Some(value) = given.get(key) {
                resolved.used.insert(key.clone());
                text = Some(value);
            }
        }
        let value = match (text, declared.get("default")) {
            (Some(text), _) => parse(parameter, declared, text)?,
            (None, Some(default)) => default.clone(),
            (None, None) => continue,
        };
        check(parameter, declared, &value)?;
        resolved.values.insert(parameter.clone(), value);
    }
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if let Some(required) = required.as_str()
            && !resolved.values.contains_key(required)
        {
            return Err(format!("it needs the parameter `{required}`: give {required}=VALUE"));
        }
    }
    Ok(resolved)
}

fn parse(parameter: &str, declared: &Value, text: &str) -> Result<Value, String> {
    let kind = declared.get("type").and_then(Value::as_str).unwrap_or("string");
    let wrong = || format!("parameter `{parameter}` must be of type {kind}, `{text}` is not");
    match kind {
        "string" => Ok(Value::String(text.to_owned())),
        "boolean" => text.parse::<bool>().map(Value::Bool).map_err(|_| wrong()),
        "integer" => text.parse::<i64>().map(Value::from).map_err(|_| wrong()),
        "number" => {
            let number = text.parse::<f64>().map_err(|_| wrong())?;
            serde_json::Number::from_f64(number).map(Value::Number).ok_or_else(wrong)
        }
        other => Err(format!("parameter `{parameter}` is declared with the unknown type `{other}`")),
    }
}

fn check(parameter: &str, declared: &Value, value: &Value) -> Result<(), String> {
    let right_type = match declared.get("type").and_then(Value::as_str) {
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        _ => true,
    };
    if !right_type {
        return Err(format!("the default {value} of parameter `{parameter}` is not of its declared type"));
    }
    if let Some(number) = value.as_f64() {
        let bound = |name: &str| declared.get(name).and_then(Value::as_f64);
        let broken = [
            ("at least", bound("minimum").filter(|&least| number < least)),
            ("at most", bound("maximum").filter(|&most| number > most)),
            ("above", bound("exclusiveMinimum").filter(|&least| number <= least)),
            ("below", bound("exclusiveMaximum").filter(|&most| number >= most)),
        ];
        for (word, bound) in broken {
            if let Some(bound) = bound {
                return Err(format!("parameter `{parameter}` is {value}, must be {word} {bound}"));
            }
        }
    }
    if let Some(allowed) = declared.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        return Err(format!("parameter `{parameter}` is {value}, must be one of {}", allowed.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"object","properties":{
        "mu":{"type":"number","default":0.5,"minimum":0,"maximum":1},
        "sigma":{"type":"number","default":1.0,"exclusiveMinimum":0},
        "after":{"type":"integer","default":1},
        "mode":{"type":"string","enum":["a","b"],"default":"a"}},"additionalProperties":false}"#;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn defaults_hold_unless_given_and_the_qualified_name_wins() {
        let run = given(&[("mu", "0.25"), ("paper.mu", "0.75"), ("other.mu", "1"), ("x", "1")]);
        let resolved = resolve(SCHEMA, "paper", &run).unwrap();
        assert_eq!(
            Value::Object(resolved.values),
            serde_json::json!({"mu": 0.75, "sigma": 1.0, "after": 1, "mode": "a"})
        );
        assert_eq!(resolved.used, ["mu".to_owned(), "paper.mu".to_owned()].into());
        assert_eq!(resolve("", "paper", &run).unwrap(), Resolved::default());
    }

    #[test]
    fn a_value_outside_of_the_schema_is_refused_by_name() {
        for (pair, part) in [
            (("mu", "1.5"), "must be at most 1"),
            (("sigma", "0"), "must be above 0"),
            (("sigma", "NaN"), "must be of type number"),
            (("after", "1.5"), "must be of type integer"),
            (("mode", "c"), "must be one of \"a\", \"b\""),
        ] {
            let error = resolve(SCHEMA, "paper", &given(&[pair])).unwrap_err();
            assert!(error.contains(part) && error.contains(pair.0), "{error}");
        }
        let needs = r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#;
        assert!(resolve(needs, "paper", &given(&[])).unwrap_err().contains("needs the parameter `n`"));
    }
}
