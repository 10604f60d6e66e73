//! `tojson` as transformers defines it for chat templates: Python's `json.dumps`, which differs from other writers in
//! its spaces and from Jinja's own filter in that it doesn't escape for HTML.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::python;

/// Deepest nesting that is written.
const MAX_DEPTH: usize = 64;
/// Widest indent of a level.
const MAX_INDENT: usize = 64;
/// Longest text that is written, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// The filter, with the options that transformers gives it.
pub(super) fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent = options.get::<Option<usize>>("indent")?;
    if let Some(indent) = indent.filter(|&indent| indent > MAX_INDENT) {
        return Err(invalid(format!("tojson: an indent of {indent}, at most {MAX_INDENT} are written")));
    }
    let separators = options.get::<Option<Vec<String>>>("separators")?;
    let (item, key) = match (separators.as_deref(), indent) {
        (Some([item, key]), _) => (item.as_str(), key.as_str()),
        (Some(_), _) => {
            return Err(invalid("tojson takes two separators".to_owned()));
        }
        // Python leaves the space away where a new line follows.
        (None, Some(_)) => (",", ": "),
        (None, None) => (", ", ": "),
    };
    let ensure_ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let sort_keys = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    options.assert_all_used()?;
    let mut writer = Writer { indent, item, key, ensure_ascii, sort_keys, out: String::new() };
    writer.value(value, 0)?;
    Ok(writer.out)
}

fn invalid(text: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, text)
}

struct Writer<'a> {
    indent: Option<usize>,
    item: &'a str,
    key: &'a str,
    ensure_ascii: bool,
    sort_keys: bool,
    out: String,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(invalid(format!("tojson: more than {MAX_DEPTH} levels")));
        }
        if self.out.len() > MAX_BYTES {
            return Err(invalid(format!("tojson: more than {MAX_BYTES} bytes")));
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => self.out.push_str(&value.to_string()),
            ValueKind::Number => self.out.push_str(&match f64::try_from(value.clone())? {
                float if float.is_nan() => "NaN".to_owned(),
                float if float.is_infinite() => if float > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
                float => python::float(float),
            }),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            // Not even where Python's `range` or a filter made it.
            ValueKind::Iterable => return Err(invalid("tojson: not a list".to_owned())),
            ValueKind::Seq => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.container(['[', ']'], items, depth, |writer, item| writer.value(item, depth + 1))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort_keys {
                    keys.sort();
                }
                self.container(['{', '}'], keys, depth, |writer, key| {
                    match key.as_str() {
                        Some(text) => writer.string(text),
                        None => writer.string(&key.to_string()),
                    }
                    writer.out.push_str(writer.key);
                    writer.value(&value.get_item(key)?, depth + 1)
                })?;
            }
            kind => return Err(invalid(format!("tojson can't write a value of type {kind}"))),
        }
        Ok(())
    }

    fn container(
        &mut self,
        [open, close]: [char; 2],
        items: Vec<Value>,
        depth: usize,
        mut write: impl FnMut(&mut Self, &Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(self.item);
            }
            self.new_line(depth + 1);
            write(self, item)?;
        }
        if !items.is_empty() {
            self.new_line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for char in text.chars() {
            match char {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                char if char < ' ' || (self.ensure_ascii && !char.is_ascii()) => {
                    let mut units = [0; 2];
                    for unit in char.encode_utf16(&mut units) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                char => self.out.push(char),
            }
        }
        self.out.push('"');
    }
}
