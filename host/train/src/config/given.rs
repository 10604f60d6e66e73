//! Defaults for data and models that the user gives.

use anyhow::bail;

use super::Config;

/// Learning rate for models that others have trained, the paper's: that of the small default model destroys them.
const PRETRAINED_LR: f64 = 1e-6;

/// What the defaults say of the default task is not said of other data and other models: without test questions of
/// their own there are none, and sizes that aren't set are left to data and model.
pub(super) fn suit(table: &mut toml::Table) -> anyhow::Result<()> {
    let default = Config::default();
    let at = |table: &toml::Table, section: &str, key: &str| -> Option<toml::Value> {
        table.get(section)?.as_table()?.get(key).cloned()
    };
    let is_other = |section: &str, key: &str, default: &str| {
        at(table, section, key).is_some_and(|value| value.as_str().is_some_and(|text| text != default))
    };
    let other_data = is_other("dataset", "train", &default.dataset.train);
    let other_model = is_other("model", "path", &default.model.path);
    let kind = at(table, "objective", "kind").and_then(|kind| kind.as_str().map(str::to_owned));
    let decay = at(table, "optim", "decay");
    let decays = decay.is_some_and(|decay| decay.as_str() != Some("constant"));
    let steps = table.get("steps").cloned().unwrap_or_else(|| toml::Value::Integer(i64::from(default.steps)));
    let mut suit = |section: &str, key: &str, value: toml::Value| {
        let entry = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let Some(section) = entry.as_table_mut() {
            section.entry(key).or_insert(value);
        }
    };
    match kind.as_deref() {
        Some("dapo") => variant(&mut suit, 0.2, 0.28, "token-mean"),
        Some("gspo") => variant(&mut suit, 3e-4, 4e-4, "sequence-mean"),
        Some("cispo") => variant(&mut suit, 1.0, 4.0, "token-mean"),
        _ => {}
    }
    if decays {
        suit("optim", "decay_steps", steps);
    }
    if other_data {
        suit("dataset", "test", toml::Value::String(String::new()));
        suit("rollout", "questions", toml::Value::Integer(0));
    }
    if other_model {
        suit("optim", "lr", toml::Value::Float(PRETRAINED_LR));
    }
    if other_data || other_model {
        suit("rollout", "max_prompt_tokens", toml::Value::Integer(0));
        suit("rollout", "max_new_tokens", toml::Value::Integer(0));
    }
    if at(table, "dataset", "test").is_some_and(|test| test.as_str() == Some("")) {
        if at(table, "eval", "enabled").is_some_and(|enabled| enabled.as_bool() == Some(true)) {
            bail!("eval.enabled = true, but there are no questions to evaluate on\nhint: set dataset.test");
        }
        let entry = table.entry("eval").or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let Some(section) = entry.as_table_mut() {
            section.insert("enabled".to_owned(), toml::Value::Boolean(false));
        }
    }
    Ok(())
}

/// What the paper of an objective's kind says where the configuration doesn't: clipping in every step, its range, standardized
/// advantages, and what the loss is a mean over.
fn variant(
    suit: &mut impl FnMut(&str, &str, toml::Value),
    epsilon: f64,
    epsilon_high: f64,
    aggregation: &str,
) {
    let text = |text: &str| toml::Value::String(text.to_owned());
    suit("objective", "clip", text("always"));
    suit("objective", "clip_epsilon", toml::Value::Float(epsilon));
    suit("objective", "clip_epsilon_high", toml::Value::Float(epsilon_high));
    suit("objective", "advantage", text("standardized"));
    suit("objective", "aggregation", text(aggregation));
}
