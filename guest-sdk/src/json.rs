//! Just enough JSON for parameters: a flat object of numbers, booleans and strings. A policy stays small without a
//! general parser.

use std::fmt::Write as _;

use crate::{PolicyError, Result};

/// A value of a flat object.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any finite number; integers up to 2^53 are exact.
    Number(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A string.
    Text(String),
}

impl Value {
    /// The value as JSON.
    pub(crate) fn to_json(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Text(text) => quote(text),
        }
    }
}

/// `text` as a JSON string, quotes included.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            control if control < ' ' => {
                // Writing to a string can't fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The members of a flat object in their order. No text at all is an object without members.
///
/// # Errors
/// `text` is no JSON object, a name occurs twice, or a value is null, a list or an object.
pub(crate) fn parse_flat_object(text: &str) -> Result<Vec<(String, Value)>> {
    let mut reader = Reader { text, position: 0 };
    let mut members: Vec<(String, Value)> = Vec::new();
    reader.skip_space();
    if reader.rest().is_empty() {
        return Ok(members);
    }
    reader.expect('{')?;
    if !reader.take('}') {
        loop {
            let name = reader.string()?;
            reader.expect(':')?;
            let value = reader.value(&name)?;
            if members.iter().any(|(known, _)| *known == name) {
                return Err(PolicyError::invalid_config(format!("parameter `{name}` is given twice")));
            }
            members.push((name, value));
            if !reader.take(',') {
                break;
            }
        }
        reader.expect('}')?;
    }
    if !reader.rest().is_empty() {
        return Err(reader.error("the end"));
    }
    Ok(members)
}

/// A place in the text; white space in front of it is always skipped.
struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        self.position += bytes;
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.advance(rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len());
    }

    fn take(&mut self, character: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(character);
        if found {
            self.advance(character.len_utf8());
            self.skip_space();
        }
        found
    }

    fn expect(&mut self, character: char) -> Result<()> {
        if self.take(character) { Ok(()) } else { Err(self.error(&format!("`{character}`"))) }
    }

    fn error(&self, expected: &str) -> PolicyError {
        PolicyError::invalid_config(format!(
            "parameters are no flat JSON object: expected {expected} at byte {}",
            self.position
        ))
    }

    fn value(&mut self, name: &str) -> Result<Value> {
        self.skip_space();
        for (word, value) in [("true", Value::Boolean(true)), ("false", Value::Boolean(false))] {
            if self.rest().starts_with(word) {
                self.advance(word.len());
                return Ok(value);
            }
        }
        match self.rest().chars().next() {
            Some('"') => self.string().map(Value::Text),
            Some('-' | '0'..='9') => self.number().map(Value::Number),
            _ => Err(PolicyError::invalid_config(format!(
                "parameter `{name}` is no number, boolean or string"
            ))),
        }
    }

    fn number(&mut self) -> Result<f64> {
        let rest = self.rest();
        let is_number_part = |c: char| matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E');
        let token = &rest[..rest.find(|c| !is_number_part(c)).unwrap_or(rest.len())];
        // Rust reads all that JSON allows, and a little more.
        let digits = token.strip_prefix('-').unwrap_or(token);
        let leading_zero =
            digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        let bare_point = digits.starts_with('.')
            || digits.ends_with('.')
            || digits.contains(".e")
            || digits.contains(".E");
        match token.parse::<f64>() {
            Ok(number) if number.is_finite() && !leading_zero && !bare_point => {
                self.advance(token.len());
                Ok(number)
            }
            _ => Err(self.error("a finite number")),
        }
    }

    fn string(&mut self) -> Result<String> {
        self.skip_space();
        if !self.rest().starts_with('"') {
            return Err(self.error("a string"));
        }
        self.advance(1);
        let mut string = String::new();
        loop {
            let Some(character) = self.rest().chars().next() else { return Err(self.error("`\"`")) };
            if character < ' ' {
                return Err(self.error("no control character"));
            }
            self.advance(character.len_utf8());
            match character {
                '"' => return Ok(string),
                '\\' => string.push(self.escaped()?),
                other => string.push(other),
            }
        }
    }

    /// The character behind a backslash.
    fn escaped(&mut self) -> Result<char> {
        let Some(character) = self.rest().chars().next() else { return Err(self.error("an escape")) };
        let plain = match character {
            '"' | '\\' | '/' => character,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                self.advance(1);
                return self.unicode();
            }
            _ => return Err(self.error("an escape")),
        };
        self.advance(1);
        Ok(plain)
    }

    /// `XXXX`, or `XXXX\uXXXX` for a pair of surrogates.
    fn unicode(&mut self) -> Result<char> {
        let first = self.hexadecimal()?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        if first < 0xdc00 && self.rest().starts_with("\\u") {
            self.advance(2);
            let second = self.hexadecimal()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return char::from_u32(code).ok_or_else(|| self.error("a character"));
            }
        }
        Err(self.error("a character"))
    }

    fn hexadecimal(&mut self) -> Result<u32> {
        let digits =
            self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            Some(code) => {
                self.advance(4);
                Ok(code)
            }
            None => Err(self.error("four hexadecimal digits")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, parse_flat_object, quote};

    #[test]
    fn flat_objects_are_read() {
        let members =
            parse_flat_object(" {\"a\" : -1.5e2, \"b\":true,\n\"c\":\"x\\\"\\u00e9\\ud83d\\ude00\\n\"} ");
        let expected = [
            ("a".to_owned(), Value::Number(-150.0)),
            ("b".to_owned(), Value::Boolean(true)),
            ("c".to_owned(), Value::Text("x\"\u{e9}\u{1f600}\n".into())),
        ];
        assert_eq!(members.unwrap(), expected);
        assert_eq!(parse_flat_object("{ }").unwrap(), []);
        assert_eq!(parse_flat_object(" ").unwrap(), []);
    }

    #[test]
    fn everything_else_is_refused() {
        let bad = [
            "[]",
            "{",
            "{}x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":null}",
            "{\"a\":[1]}",
            "{\"a\":{}}",
            "{\"a\":01}",
            "{\"a\":.5}",
            "{\"a\":5.}",
            "{\"a\":1e999}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "{\"a\":\"\\ud83d\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"",
            "{a:1}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":truely}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":\"\\u00\u{e9}\"}",
        ];
        for text in bad {
            assert!(parse_flat_object(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quoted_text_reads_back() {
        let text = "a\"b\\c\nd\u{1}\u{e9}\u{1f600}";
        let object = format!("{{{}:{}}}", quote("name"), quote(text));
        assert_eq!(parse_flat_object(&object).unwrap(), [("name".to_owned(), Value::Text(text.into()))]);
    }
}
