//! Renders what transformers rendered, public chat templates over conversations, and compares. Templates are others' text:
//! only their list is kept, tests/python/chat_templates.tsv.
//!
//!     python tests/python/chat_templates.py FOLDER_OF_TEMPLATES --list tests/python/chat_templates.tsv --write EXPECTATIONS
//!     EXGRPO_CHAT_EXPECTATIONS=EXPECTATIONS cargo test --release --workspace chat_templates_witness -- --nocapture

use std::collections::HashMap;
use std::path::PathBuf;

use minijinja::{Value, context};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::jinja;

#[test]
fn templates_render_as_transformers_renders_them() {
    let Some(folder) = std::env::var_os("EXGRPO_CHAT_EXPECTATIONS").map(PathBuf::from) else {
        println!("skipped: EXGRPO_CHAT_EXPECTATIONS names no folder");
        return;
    };
    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap().0).collect()
    };
    let part = |value: &Value, key: &str| value.get_attr(key).unwrap();
    let named = |rows: Vec<Value>, key: &str| -> HashMap<String, Value> {
        rows.into_iter().map(|row| (part(&row, key).to_string(), row)).collect()
    };
    let templates = named(lines("templates.jsonl"), "template");
    let conversations = named(lines("conversations.jsonl"), "id");
    let date = chrono::NaiveDate::from_ymd_opt(2024, 7, 6).unwrap();
    let mut environments = HashMap::new();
    let (mut checked, mut wrong) = (0, 0);
    for row in lines("expected.jsonl") {
        let (sha, id) = (part(&row, "template").to_string(), part(&row, "conversation").to_string());
        let environment = environments.entry(sha.clone()).or_insert_with(|| {
            jinja::environment("chat template", part(&templates[&sha], "text").as_str().unwrap(), date)
                .map_err(|error| format!("{error:#}"))
        });
        let asked = &conversations[&id];
        let variables = context! {
            messages => part(asked, "messages"), tools => part(asked, "tools"), documents => (),
            add_generation_prompt => part(asked, "add_generation_prompt"),
            bos_token => "<s>", eos_token => "</s>", pad_token => "<pad>",
        };
        let rendered = match environment {
            Err(error) => Err(error.clone()),
            Ok(environment) => {
                let template = environment.get_template("chat template").unwrap();
                template.render(variables).map_err(|error| format!("{error:#}"))
            }
        };
        let expected = part(&row, "expected");
        checked += 1;
        if rendered.as_deref().ok() != expected.as_str() {
            wrong += 1;
            let why = part(&row, "why");
            println!("{} {id}: {rendered:?}\n  transformers: {expected:?} {why}", &sha[..16]);
        }
    }
    assert_eq!(wrong, 0, "of {checked} renderings");
}

/// JSON as values of a template, the order of keys kept.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Read)
    }
}

struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = Json;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json(Value::from(())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(Json(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Json(list.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut map = Vec::new();
        while let Some((key, Json(value))) = entries.next_entry::<String, Json>()? {
            map.push((Value::from(key), value));
        }
        Ok(Json(Value::from_pairs(map)))
    }
}
