//! Values as Python writes them.

use minijinja::Value;
use minijinja::value::{Tuple, ValueKind};

/// Deepest nesting that is written.
const MAX_DEPTH: usize = 64;

/// True where minijinja would write a value otherwise: floats of many digits, by themselves or inside.
pub(super) fn needs_own_text(value: &Value) -> bool {
    holds_float(value, 0)
}

fn holds_float(value: &Value, depth: usize) -> bool {
    match value.kind() {
        ValueKind::Number => !value.is_integer(),
        ValueKind::Seq if depth < MAX_DEPTH => {
            value.try_iter().is_ok_and(|mut items| items.any(|item| holds_float(&item, depth + 1)))
        }
        ValueKind::Map if depth < MAX_DEPTH => value.try_iter().is_ok_and(|mut keys| {
            keys.any(|key| value.get_item(&key).is_ok_and(|item| holds_float(&item, depth + 1)))
        }),
        _ => false,
    }
}

/// `str(value)`.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out, 0);
    out
}

fn write(value: &Value, out: &mut String, depth: usize) {
    let list = |out: &mut String, open: &str, close: &str, comma_of_one: &str| {
        out.push_str(open);
        let mut count = 0;
        for item in value.try_iter().into_iter().flatten() {
            if count > 0 {
                out.push_str(", ");
            }
            write(&item, out, depth + 1);
            count += 1;
        }
        if count == 1 {
            out.push_str(comma_of_one);
        }
        out.push_str(close);
    };
    match value.kind() {
        ValueKind::Number if !value.is_integer() => {
            out.push_str(&float(value.clone().try_into().unwrap_or(f64::NAN)))
        }
        ValueKind::Seq if depth < MAX_DEPTH => match value.downcast_object_ref::<Tuple>() {
            Some(_) => list(out, "(", ")", ","),
            None => list(out, "[", "]", ""),
        },
        ValueKind::Map if depth < MAX_DEPTH => {
            out.push('{');
            for (index, key) in value.try_iter().into_iter().flatten().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(&key, out, depth + 1);
                out.push_str(": ");
                write(&value.get_item(&key).unwrap_or_default(), out, depth + 1);
            }
            out.push('}');
        }
        // Texts within others are written with quotes: minijinja's way is Python's.
        ValueKind::String if depth > 0 => {
            let listed = Value::from(vec![value.clone()]).to_string();
            out.push_str(listed.trim_start_matches('[').trim_end_matches(']'));
        }
        _ => out.push_str(&value.to_string()),
    }
}

/// True for what Python's `str.isspace` takes for white space: the four separators of ASCII too.
pub(super) fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
}

/// `repr` of a float: the fewest digits that give it back, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let written = format!("{value:e}");
        let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let written = value.to_string();
    if written.contains('.') { written } else { format!("{written}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Witness: Python 3.11.
    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (value, expected) in [
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "1e+20"),
            (1.0, "1.0"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (-0.0, "-0.0"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(float(value), expected);
        }
    }
}
