//! Templates as transformers renders them: Jinja2 in Python, over minijinja. What minijinja does otherwise is set right
//! here, by what it lets be replaced ([`filters`], [`methods`]), or in the template's text ([`source`]).

mod filters;
mod generators;
mod json;
mod methods;
mod python;
mod source;

use anyhow::Context;
use chrono::NaiveDate;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, Tuple, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// Work that one rendering may do, 64 bytes of text made a unit: templates come from strangers. A long conversation takes a
/// hundredth of it.
const FUEL: u64 = 5_000_000;

/// An environment with one template, `name`, set up as transformers sets its own up.
///
/// # Errors
/// The text is not a template; the line is named.
pub(super) fn environment(
    name: &'static str,
    text: &str,
    date: NaiveDate,
) -> anyhow::Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.context("the chat templates' syntax is refused")?);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(methods::call);
    environment.set_formatter(|out, state, value| match python::needs_own_text(value) {
        true => out.write_str(&python::text(value)).map_err(Error::from),
        false => minijinja::escape_formatter(out, state, value),
    });
    environment.add_filter("tojson", json::to_json);
    environment.add_filter("int", filters::int);
    environment.add_filter("float", filters::float);
    environment.add_filter("default", filters::default);
    environment.add_filter("d", filters::default);
    environment.add_filter("string", filters::string);
    environment.add_filter("join", filters::join);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("escape", filters::escape);
    environment.add_filter("e", filters::escape);
    environment.add_filter("pprint", filters::pprint);
    generators::add(&mut environment);
    // The template itself, whose blocks are the only thing it has.
    environment.add_global("self", minijinja::context! {});
    environment.add_test("iterable", filters::is_iterable);
    environment.add_test("sequence", filters::is_sequence);
    environment.add_function("raise_exception", refuse);
    environment.add_function("cycler", |items: Rest<Value>| minijinja_contrib::globals::cycler(items.0));
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
    environment.add_function("strftime_now", move |format: String| format_date(date, &format));
    environment.add_function(source::LOOPED, looped);
    environment.add_function(source::FORMATTED, formatted);
    environment.add_function(source::ADDED, filters::added);
    environment.add_template_owned(name, source::for_minijinja(text))?;
    Ok(environment)
}

/// What a `for` goes over: an error for what Python doesn't iterate, the letters of a text one by one.
fn looped(state: &mut State, value: Value) -> Result<Value, Error> {
    if value.kind() == ValueKind::Iterable {
        // The loop knows its length all the same.
        return Ok(value.try_iter()?.collect());
    }
    if value.is_none() || !value.is_undefined() && value.try_iter().is_err() {
        let kind = value.kind();
        return Err(Error::new(ErrorKind::InvalidOperation, format!("{kind} is not iterable")));
    }
    match value.as_str() {
        Some(text) => {
            state.consume_fuel(text.len() as u64)?;
            Ok(text.chars().map(|letter| letter.to_string()).map(Value::from).collect())
        }
        None => Ok(value),
    }
}

/// `format % operand` of Python.
fn formatted(format: &str, operand: Value) -> Result<String, Error> {
    let arguments: Vec<Value> = match operand.downcast_object_ref::<Tuple>() {
        Some(_) => operand.try_iter()?.collect(),
        None if operand.kind() == ValueKind::Map => {
            let mut named = Vec::new();
            for key in operand.try_iter()? {
                named.push((key.to_string(), operand.get_item(&key)?));
            }
            // A map goes by its names, or as a whole.
            match format.contains("%(") {
                true => vec![Value::from(named.into_iter().collect::<Kwargs>())],
                false => vec![operand],
            }
        }
        None => vec![operand],
    };
    minijinja::formatting::format(minijinja::formatting::FormatStyle::Printf, format, &arguments)
}

fn refuse(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// What `datetime.strftime` gives for midnight of `date`.
fn format_date(date: NaiveDate, format: &str) -> Result<String, Error> {
    use std::fmt::Write;
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    let mut text = String::new();
    // chrono reports a directive that it doesn't know as a formatting error.
    write!(text, "{}", midnight.format(format)).map_err(|_| {
        Error::new(ErrorKind::InvalidOperation, format!("{format:?} is not a format of dates"))
    })?;
    Ok(text)
}
