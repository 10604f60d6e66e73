//! Methods of Python's texts and lists that minijinja's own compatibility lacks.

use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::python::is_space;

/// Widest field of a method that pads.
const MAX_WIDTH: usize = 10_000;

/// Calls a method of a value that has no method of its own.
pub(super) fn call(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let own = match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) => of_text(text, method, args)?,
        (ValueKind::Seq, _) => of_list(value, method, args)?,
        _ => None,
    };
    match own {
        Some(answer) => Ok(answer),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, text.to_owned())
}

fn of_text(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let answer = match method {
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            if separator.is_empty() {
                return Err(invalid("an empty separator"));
            }
            let parts = match method {
                "partition" => text.split_once(separator).map(|(before, after)| [before, separator, after]),
                _ => text.rsplit_once(separator).map(|(before, after)| [before, separator, after]),
            };
            let whole = if method == "partition" { [text, "", ""] } else { ["", "", text] };
            Value::from_object(Tuple::from(parts.unwrap_or(whole).map(Value::from).to_vec()))
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "rsplit" => {
            let (separator, most): (Option<&str>, Option<i64>) = from_args(args)?;
            Value::from(rsplit(text, separator, most)?)
        }
        "center" | "ljust" | "rjust" | "zfill" => {
            let (width, fill): (usize, Option<&str>) = from_args(args)?;
            Value::from(padded(text, method, width, fill)?)
        }
        "swapcase" => {
            from_args::<()>(args)?;
            let swap = |letter: char| -> String {
                if letter.is_uppercase() {
                    letter.to_lowercase().collect()
                } else {
                    letter.to_uppercase().collect()
                }
            };
            Value::from(text.chars().map(swap).collect::<String>())
        }
        "index" | "rindex" => {
            let (part,): (&str,) = from_args(args)?;
            let at = if method == "index" { text.find(part) } else { text.rfind(part) };
            let at = at.ok_or_else(|| invalid("substring not found"))?;
            Value::from(text[..at].chars().count())
        }
        "isspace" => {
            from_args::<()>(args)?;
            Value::from(!text.is_empty() && text.chars().all(is_space))
        }
        "strip" | "lstrip" | "rstrip" => {
            let (chars,): (Option<&str>,) = from_args(args)?;
            let is_out =
                |letter: char| chars.map_or_else(|| is_space(letter), |chars| chars.contains(letter));
            Value::from(match method {
                "strip" => text.trim_matches(is_out),
                "lstrip" => text.trim_start_matches(is_out),
                _ => text.trim_end_matches(is_out),
            })
        }
        "split" if args.is_empty() => {
            let words = text.split(is_space).filter(|word| !word.is_empty());
            words.map(Value::from).collect()
        }
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

fn rsplit(text: &str, separator: Option<&str>, most: Option<i64>) -> Result<Vec<String>, Error> {
    let most =
        most.and_then(|most| usize::try_from(most).ok()).map_or(usize::MAX, |most| most.saturating_add(1));
    let mut parts: Vec<String> = match separator {
        Some("") => return Err(invalid("an empty separator")),
        Some(separator) => text.rsplitn(most, separator).map(str::to_owned).collect(),
        None => {
            let (mut parts, mut rest) = (Vec::new(), text.trim_end_matches(is_space));
            while !rest.is_empty() {
                let at = if parts.len() + 1 == most { None } else { rest.rfind(is_space) };
                let begin = at.map_or(0, |at| at + rest[at..].chars().next().map_or(0, char::len_utf8));
                parts.push(rest[begin..].to_owned());
                rest = rest[..at.unwrap_or(0)].trim_end_matches(is_space);
            }
            if let Some(last) = parts.last_mut() {
                *last = last.trim_start_matches(is_space).to_owned();
            }
            parts
        }
    };
    parts.reverse();
    Ok(parts)
}

fn padded(text: &str, method: &str, width: usize, fill: Option<&str>) -> Result<String, Error> {
    if width > MAX_WIDTH {
        return Err(invalid("a field wider than 10000 characters"));
    }
    let fill = match method {
        "zfill" => "0",
        _ => fill.unwrap_or(" "),
    };
    if fill.chars().count() != 1 {
        return Err(invalid("a field is filled with one character"));
    }
    let missing = width.saturating_sub(text.chars().count());
    Ok(match method {
        "ljust" => format!("{text}{}", fill.repeat(missing)),
        "rjust" => format!("{}{text}", fill.repeat(missing)),
        "zfill" => {
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            format!("{sign}{}{digits}", fill.repeat(missing))
        }
        // Python puts the odd one before the text where the width is odd.
        _ => {
            let before = missing / 2 + (missing & width & 1);
            format!("{}{text}{}", fill.repeat(before), fill.repeat(missing - before))
        }
    })
}

fn of_list(list: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "index" => {
            let (item,): (Value,) = from_args(args)?;
            let at = list.try_iter()?.position(|have| have == item);
            at.map(|at| Some(Value::from(at))).ok_or_else(|| invalid("the list has no such item"))
        }
        _ => Ok(None),
    }
}
