//! Parameters that a run may set: declared in Rust, shown as a JSON Schema, read from a flat JSON object.

use crate::json::{self, quote};
use crate::{PolicyError, Result};

pub use crate::json::Value;
pub use types::{Limits, ParameterType};

mod types;

/// Declares the parameters of a policy as a struct with public fields.
///
/// Each field has a documentation comment, which a run shows, a type (`f64`, `f32`, `u32`, `i32`, `bool` or `String`), a
/// default, and rules: `within 0.0..=1.0` (also `1..` and `..=9`), `above 0.0`, `one_of ["a", "b"]`. The struct has
/// `Default` and `Clone` and implements [`Parameters`].
///
/// ```
/// use exgrpo_guest_sdk::{Parameters, parameters};
///
/// parameters! {
///     /// What a run may change.
///     pub struct Settings {
///         /// Width of the Gaussian, in success counts.
///         sigma: f64 = 1.0, above 0.0;
///         /// Solved groups in a row after which a question retires.
///         retire_after: u32 = 1, within 1..;
///         /// Which end of the entropies to take.
///         order: String = "lowest".into(), one_of ["lowest", "highest"];
///     }
/// }
///
/// let settings = Settings::parse(r#"{ "sigma": 2 }"#)?;
/// assert_eq!((settings.sigma, settings.retire_after, settings.order.as_str()), (2.0, 1, "lowest"));
///
/// let error = Settings::parse(r#"{ "sigma": 0 }"#).unwrap_err();
/// assert_eq!(error.to_string(), "parameter `sigma` is 0, it must be above 0");
/// # Ok::<(), exgrpo_guest_sdk::PolicyError>(())
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[doc = $struct_doc:literal])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $field:ident: $kind:ty = $default:expr $(, $rule:ident $limit:expr)*;
            )*
        }
    ) => {
        $(#[doc = $struct_doc])*
        #[derive(Debug, Clone, PartialEq)]
        $visibility struct $name {
            $($(#[doc = $doc])* pub $field: $kind,)*
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::Parameters for $name {
            fn declared() -> ::std::vec::Vec<$crate::parameters::Parameter> {
                let defaults = <Self as ::core::default::Default>::default();
                ::std::vec![$(
                    $crate::parameters::Parameter::new(
                        ::core::stringify!($field), ::core::concat!($($doc, "\n",)* ""), &defaults.$field,
                    )
                    $(.$rule($limit))*,
                )*]
            }

            fn from_values(mut values: $crate::parameters::Values) -> $crate::Result<Self> {
                ::core::result::Result::Ok(Self { $($field: values.take(::core::stringify!($field))?,)* })
            }
        }
    };
}

/// The parameters of a policy; implemented by [`parameters!`](crate::parameters!), and by `()` for none.
///
/// ```
/// use exgrpo_guest_sdk::Parameters;
///
/// assert!(<()>::declared().is_empty());
/// assert!(<()>::parse(r#"{ "sigma": 1 }"#).is_err());
/// ```
pub trait Parameters: Sized {
    /// What can be set.
    fn declared() -> Vec<Parameter>;

    /// JSON Schema of an object of these parameters; empty without any.
    fn schema() -> String {
        schema(&Self::declared())
    }

    /// Reads the parameters from a flat JSON object; those left out have their defaults. No text at all is `{}`.
    ///
    /// # Errors
    /// The text is no flat JSON object, a parameter is unknown, or a value breaks a rule; the message names the
    /// parameter.
    fn parse(text: &str) -> Result<Self> {
        Self::from_values(parse(Self::declared(), text)?)
    }

    /// The struct from one value a declared parameter.
    ///
    /// # Errors
    /// A value does not fit the field's type.
    fn from_values(values: Values) -> Result<Self>;
}

impl Parameters for () {
    fn declared() -> Vec<Parameter> {
        Vec::new()
    }

    // The two methods below are written out so that a policy without parameters carries no JSON reader.

    fn schema() -> String {
        String::new()
    }

    fn parse(text: &str) -> Result<Self> {
        let rest: String = text.split_ascii_whitespace().collect();
        if rest.is_empty() || rest == "{}" {
            return Ok(());
        }
        Err(PolicyError::invalid_config("this policy takes no parameters"))
    }

    fn from_values(_: Values) -> Result<Self> {
        Ok(())
    }
}

/// One parameter: its name, documentation, default and rules.
///
/// ```
/// use exgrpo_guest_sdk::parameters::Parameter;
///
/// let sigma = Parameter::new("sigma", " Width, in counts.", &1.0_f64).above(0.0);
/// assert_eq!(sigma.schema(), r#"{"type":"number","exclusiveMinimum":0,"default":1,"description":"Width, in counts."}"#);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    name: &'static str,
    description: String,
    type_name: &'static str,
    default: Value,
    limits: Limits,
    above: Option<f64>,
    one_of: Vec<String>,
}

impl Parameter {
    /// A parameter without rules but those of its type.
    pub fn new<T: ParameterType>(name: &'static str, documentation: &str, default: &T) -> Self {
        let description: Vec<&str> =
            documentation.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        Self {
            name,
            description: description.join(" "),
            type_name: T::TYPE_NAME,
            default: default.to_value(),
            limits: T::LIMITS,
            above: None,
            one_of: Vec::new(),
        }
    }

    /// Requires a number in a range with its ends: `0.0..=1.0`, `1..` or `..=9`.
    pub fn within(mut self, limits: impl Into<Limits>) -> Self {
        let Limits { minimum, maximum } = limits.into();
        self.limits =
            Limits { minimum: minimum.or(self.limits.minimum), maximum: maximum.or(self.limits.maximum) };
        self
    }

    /// Requires a number greater than `limit`.
    pub fn above(mut self, limit: impl Into<f64>) -> Self {
        self.above = Some(limit.into());
        self
    }

    /// Requires one of these strings.
    pub fn one_of<const N: usize>(mut self, choices: [&str; N]) -> Self {
        self.one_of = choices.map(str::to_owned).to_vec();
        self
    }

    /// The parameter's JSON Schema.
    pub fn schema(&self) -> String {
        let mut members = vec![format!("\"type\":{}", quote(self.type_name))];
        let mut number = |keyword: &str, limit: Option<f64>| {
            members.extend(limit.map(|limit| format!("\"{keyword}\":{limit}")));
        };
        number("minimum", self.limits.minimum);
        number("exclusiveMinimum", self.above);
        number("maximum", self.limits.maximum);
        if !self.one_of.is_empty() {
            let choices: Vec<String> = self.one_of.iter().map(|choice| quote(choice)).collect();
            members.push(format!("\"enum\":[{}]", choices.join(",")));
        }
        members.push(format!("\"default\":{}", self.default.to_json()));
        if !self.description.is_empty() {
            members.push(format!("\"description\":{}", quote(&self.description)));
        }
        format!("{{{}}}", members.join(","))
    }

    /// Checks a value against type and rules.
    fn check(&self, value: &Value) -> Result<()> {
        let has_type = match value {
            Value::Number(number) => {
                self.type_name == "number" || (self.type_name == "integer" && number.fract() == 0.0)
            }
            Value::Boolean(_) => self.type_name == "boolean",
            Value::Text(_) => self.type_name == "string",
        };
        let rule = match value {
            _ if !has_type => format!("be of type {}", self.type_name),
            Value::Number(number) => match (self.limits.minimum, self.above, self.limits.maximum) {
                (Some(minimum), _, _) if *number < minimum => format!("be at least {minimum}"),
                (_, Some(limit), _) if *number <= limit => format!("be above {limit}"),
                (_, _, Some(maximum)) if *number > maximum => format!("be at most {maximum}"),
                _ => return Ok(()),
            },
            Value::Text(text) if !self.one_of.is_empty() && !self.one_of.contains(text) => {
                format!("be one of {}", self.one_of.join(", "))
            }
            Value::Boolean(_) | Value::Text(_) => return Ok(()),
        };
        Err(PolicyError::invalid_config(format!(
            "parameter `{}` is {}, it must {rule}",
            self.name,
            value.to_json()
        )))
    }
}

/// One checked value a declared parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Values(Vec<(String, Value)>);

impl Values {
    /// Takes the value of `name`.
    ///
    /// # Errors
    /// There is none, or it is of another type.
    pub fn take<T: ParameterType>(&mut self, name: &str) -> Result<T> {
        let position = self.0.iter().position(|(known, _)| known == name);
        let value = position.map(|position| self.0.swap_remove(position).1);
        value
            .and_then(|value| T::from_value(&value))
            .ok_or_else(|| PolicyError::invalid_config(format!("parameter `{name}` is no {}", T::TYPE_NAME)))
    }
}

fn schema(declared: &[Parameter]) -> String {
    let member = |parameter: &Parameter| format!("{}:{}", quote(parameter.name), parameter.schema());
    let members: Vec<String> = declared.iter().map(member).collect();
    format!("{{\"type\":\"object\",\"properties\":{{{}}},\"additionalProperties\":false}}", members.join(","))
}

fn parse(declared: Vec<Parameter>, text: &str) -> Result<Values> {
    let mut given = json::parse_flat_object(text)?;
    if let Some((name, _)) = given.iter().find(|(name, _)| declared.iter().all(|known| known.name != name)) {
        let known: Vec<&str> = declared.iter().map(|parameter| parameter.name).collect();
        let message = format!("there is no parameter `{name}`; known: {}", known.join(", "));
        return Err(PolicyError::invalid_config(message));
    }
    let mut values = Vec::with_capacity(declared.len());
    for parameter in declared {
        let position = given.iter().position(|(name, _)| name == parameter.name);
        let value = match position {
            Some(position) => given.swap_remove(position).1,
            None => parameter.default.clone(),
        };
        parameter.check(&value)?;
        values.push((parameter.name.to_owned(), value));
    }
    Ok(Values(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::parameters! {
        /// One of each kind.
        struct Every {
            /// A
            /// number.
            number: f64 = 0.5, within 0.0..=1.0;
            /// A small number.
            single: f32 = 0.1;
            /// A count.
            count: u32 = 3, above 1, within ..=9;
            /// Signed.
            signed: i32 = -2;
            /// A flag.
            flag: bool = false;
            /// A "word".
            word: String = "a".into(), one_of ["a", "b"];
        }
    }

    fn message(text: &str) -> String {
        Every::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_schema_shows_types_rules_defaults_and_docs() {
        let expected = concat!(
            r#"{"type":"object","properties":{"#,
            r#""number":{"type":"number","minimum":0,"maximum":1,"default":0.5,"description":"A number."},"#,
            r#""single":{"type":"number","minimum":-340282346638528860000000000000000000000,"#,
            r#""maximum":340282346638528860000000000000000000000,"default":0.1,"description":"A small number."},"#,
            r#""count":{"type":"integer","minimum":0,"exclusiveMinimum":1,"maximum":9,"default":3,"description":"A count."},"#,
            r#""signed":{"type":"integer","minimum":-2147483648,"maximum":2147483647,"default":-2,"description":"Signed."},"#,
            r#""flag":{"type":"boolean","default":false,"description":"A flag."},"#,
            r#""word":{"type":"string","enum":["a","b"],"default":"a","description":"A \"word\"."}"#,
            r#"},"additionalProperties":false}"#,
        );
        assert_eq!(Every::schema(), expected);
        assert_eq!(<()>::schema(), "");
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_eq!(Every::parse(""), Ok(Every::default()));
        let text = r#"{"word":"b","flag":true,"signed":-7,"count":2.0,"single":2.5,"number":1}"#;
        let every = Every::parse(text).unwrap();
        assert_eq!((every.number, every.single, every.count, every.signed), (1.0, 2.5, 2, -7));
        assert_eq!((every.flag, every.word.as_str()), (true, "b"));
    }

    #[test]
    fn messages_name_the_parameter_and_the_rule() {
        assert_eq!(message(r#"{"number":2}"#), "parameter `number` is 2, it must be at most 1");
        assert_eq!(message(r#"{"number":-1}"#), "parameter `number` is -1, it must be at least 0");
        assert_eq!(message(r#"{"count":1}"#), "parameter `count` is 1, it must be above 1");
        assert_eq!(message(r#"{"count":2.5}"#), "parameter `count` is 2.5, it must be of type integer");
        assert_eq!(message(r#"{"flag":"no"}"#), "parameter `flag` is \"no\", it must be of type boolean");
        assert_eq!(message(r#"{"word":"c"}"#), "parameter `word` is \"c\", it must be one of a, b");
        assert_eq!(
            message(r#"{"nmber":1}"#),
            "there is no parameter `nmber`; known: number, single, count, signed, flag, word"
        );
        assert_eq!(<()>::parse(r#"{"x":1}"#).unwrap_err().to_string(), "this policy takes no parameters");
        assert_eq!(<()>::parse(" { } "), Ok(()));
    }
}
