//! Filters and tests that Jinja2 defines otherwise than minijinja.

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::python;

/// Widest text that `pprint` writes on one line, as Python's does.
const LINE: usize = 80;

/// `int(default=0, base=10)`: what can't be read is the default.
pub(super) fn int(value: &Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let (named, base) = (options.get::<Option<Value>>("default")?, options.get::<Option<u32>>("base")?);
    options.assert_all_used()?;
    let default = default.or(named).unwrap_or_else(|| Value::from(0));
    let base = base.unwrap_or(10);
    if !(2..=36).contains(&base) {
        return Err(Error::new(ErrorKind::InvalidOperation, "int: a base is between 2 and 36"));
    }
    let of_float = |float: f64| match float.is_finite() && float.abs() < 1e38 {
        true => Value::from(float as i128),
        false => default.clone(),
    };
    Ok(match value.kind() {
        ValueKind::Bool => Value::from(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => value.clone(),
        ValueKind::Number => f64::try_from(value.clone()).map_or(default.clone(), of_float),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default().trim().replace('_', "");
            match i128::from_str_radix(&without_prefix(&text, base), base) {
                Ok(int) => Value::from(int),
                Err(_) => text.parse().map_or(default.clone(), of_float),
            }
        }
        _ => default,
    })
}

/// `text` without the prefix that Python allows for a base: `0x`, `0o`, `0b`.
fn without_prefix(text: &str, base: u32) -> String {
    let marks = match base {
        16 => ['x', 'X'],
        8 => ['o', 'O'],
        2 => ['b', 'B'],
        _ => return text.to_owned(),
    };
    let digits = text.trim_start_matches(['-', '+']);
    let sign = &text[..text.len() - digits.len()];
    match digits.strip_prefix('0').and_then(|digits| digits.strip_prefix(marks)) {
        // A second sign is no number in any base.
        Some(digits) if !digits.starts_with(['-', '+']) => format!("{sign}{digits}"),
        _ => text.to_owned(),
    }
}

/// `float(default=0.0)`: what can't be read is the default.
pub(super) fn float(value: &Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let named = options.get::<Option<Value>>("default")?;
    options.assert_all_used()?;
    let default = default.or(named).unwrap_or_else(|| Value::from(0.0));
    Ok(match value.kind() {
        ValueKind::Bool => Value::from(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).map_or(default, Value::from),
        ValueKind::String => {
            value.as_str().unwrap_or_default().trim().parse::<f64>().map_or(default, Value::from)
        }
        _ => default,
    })
}

/// `default(default_value='', boolean=false)`.
pub(super) fn default(value: &Value, given: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let named = options.get::<Option<Value>>("default_value")?;
    let boolean = options.get::<Option<Value>>("boolean")?;
    options.assert_all_used()?;
    let other = given.first().cloned().or(named).unwrap_or_else(|| Value::from(""));
    let boolean = given.get(1).cloned().or(boolean).is_some_and(|boolean| boolean.is_true());
    Ok(if value.is_undefined() || boolean && !value.is_true() { other } else { value.clone() })
}

/// `str(value)`.
pub(super) fn string(value: &Value) -> Value {
    match value.kind() {
        ValueKind::String => value.clone(),
        _ => Value::from(python::text(value)),
    }
}

/// `join(d='', attribute=none)`: items as Python writes them.
pub(super) fn join(
    value: &Value,
    separator: Option<Value>,
    attribute: Option<Value>,
    options: Kwargs,
) -> Result<String, Error> {
    let separator = separator.or(options.get::<Option<Value>>("d")?);
    let attribute = attribute.or(options.get::<Option<Value>>("attribute")?).filter(|name| !name.is_none());
    options.assert_all_used()?;
    if value.is_undefined() {
        return Ok(String::new());
    }
    let separator = separator.map(|separator| python::text(&separator)).unwrap_or_default();
    let mut joined = String::new();
    for (index, item) in value.try_iter()?.enumerate() {
        if index > 0 {
            joined.push_str(&separator);
        }
        let item = match &attribute {
            Some(path) => part(&item, path)?,
            None => item,
        };
        joined.push_str(&python::text(&item));
    }
    Ok(joined)
}

/// The part of `item` at a dotted path or an index.
fn part(item: &Value, path: &Value) -> Result<Value, Error> {
    let Some(names) = path.as_str() else { return item.get_item(path) };
    names.split('.').try_fold(item.clone(), |item, name| match name.parse::<usize>() {
        Ok(index) => item.get_item(&Value::from(index)),
        Err(_) => item.get_attr(name),
    })
}

/// `str(value).strip(chars)`.
pub(super) fn trim(value: &Value, chars: Option<&str>) -> String {
    let text = python::text(value);
    let is_out =
        |letter: char| chars.map_or_else(|| python::is_space(letter), |chars| chars.contains(letter));
    text.trim_matches(is_out).to_owned()
}

/// `markupsafe.escape(value)`: text that is safe already stays.
pub(super) fn escape(value: &Value) -> Value {
    if value.is_safe() {
        return value.clone();
    }
    let text = python::text(value);
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&#39;"),
            '"' => escaped.push_str("&#34;"),
            other => escaped.push(other),
        }
    }
    Value::from_safe_string(escaped)
}

/// Texts with `+` between them, of which one is safe: the others are escaped.
pub(super) fn added(texts: Rest<Value>) -> Result<Value, Error> {
    if let Some(other) = texts.iter().find(|value| value.as_str().is_none()) {
        let problem = format!("{} can't be added to a safe text", other.kind());
        return Err(Error::new(ErrorKind::InvalidOperation, problem));
    }
    let has_safe = texts.iter().any(Value::is_safe);
    let added: String = match has_safe {
        true => texts.iter().map(|text| escape(text).to_string()).collect(),
        false => texts.iter().filter_map(Value::as_str).collect(),
    };
    Ok(if has_safe { Value::from_safe_string(added) } else { Value::from(added) })
}

/// Python's `pprint.pformat` of what fits on a line.
pub(super) fn pprint(value: &Value) -> Result<String, Error> {
    let listed = python::text(&Value::from(vec![sorted(value, 0)?]));
    let text = listed.get(1..listed.len() - 1).unwrap_or_default();
    if text.len() > LINE {
        let problem = format!("pprint: more than {LINE} characters are laid out in another way");
        return Err(Error::new(ErrorKind::InvalidOperation, problem));
    }
    Ok(text.to_owned())
}

/// A value with the names of its maps in order, as `pprint` has them.
fn sorted(value: &Value, depth: usize) -> Result<Value, Error> {
    const MAX_DEPTH: usize = 32;
    if depth > MAX_DEPTH {
        return Err(Error::new(ErrorKind::InvalidOperation, "pprint: nested too deeply"));
    }
    match value.kind() {
        ValueKind::Seq => value.try_iter()?.map(|item| sorted(&item, depth + 1)).collect(),
        ValueKind::Map => {
            let mut names: Vec<Value> = value.try_iter()?.collect();
            if names.iter().all(|name| name.as_str().is_some()) {
                names.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
            let pairs =
                names.into_iter().map(|name| Ok((name.clone(), sorted(&value.get_item(&name)?, depth + 1)?)));
            pairs.collect::<Result<Vec<_>, Error>>().map(Value::from_iter)
        }
        _ => Ok(value.clone()),
    }
}

/// True for what Python's `iter` takes: not for none.
pub(super) fn is_iterable(value: &Value) -> bool {
    match value.kind() {
        // Asking would use it up.
        ValueKind::Iterable | ValueKind::Undefined => true,
        ValueKind::None => false,
        _ => value.try_iter().is_ok(),
    }
}

/// True for what has a length and items: texts and maps too.
pub(super) fn is_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined)
}
