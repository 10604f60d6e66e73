//! The Rust types that a parameter can have, and their ranges.

use std::ops::{RangeFrom, RangeInclusive, RangeToInclusive};

use crate::json::Value;

/// The ends of a range, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Smallest value.
    pub minimum: Option<f64>,
    /// Greatest value.
    pub maximum: Option<f64>,
}

impl<T: Into<f64> + Copy> From<RangeInclusive<T>> for Limits {
    fn from(range: RangeInclusive<T>) -> Self {
        Self { minimum: Some((*range.start()).into()), maximum: Some((*range.end()).into()) }
    }
}

impl<T: Into<f64>> From<RangeFrom<T>> for Limits {
    fn from(range: RangeFrom<T>) -> Self {
        Self { minimum: Some(range.start.into()), maximum: None }
    }
}

impl<T: Into<f64>> From<RangeToInclusive<T>> for Limits {
    fn from(range: RangeToInclusive<T>) -> Self {
        Self { minimum: None, maximum: Some(range.end.into()) }
    }
}

/// A type that a parameter can have.
pub trait ParameterType: Sized {
    /// The type's name in a JSON Schema.
    const TYPE_NAME: &'static str;
    /// What the type itself can hold.
    const LIMITS: Limits;

    /// As a value.
    fn to_value(&self) -> Value;
    /// Back from a value of the right kind.
    fn from_value(value: &Value) -> Option<Self>;
}

const NO_LIMITS: Limits = Limits { minimum: None, maximum: None };

impl ParameterType for f64 {
    const TYPE_NAME: &'static str = "number";
    const LIMITS: Limits = NO_LIMITS;

    fn to_value(&self) -> Value {
        Value::Number(*self)
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Number(number) = value { Some(*number) } else { None }
    }
}

impl ParameterType for f32 {
    const TYPE_NAME: &'static str = "number";
    const LIMITS: Limits = Limits { minimum: Some(Self::MIN as f64), maximum: Some(Self::MAX as f64) };

    fn to_value(&self) -> Value {
        // By way of its digits, so that 0.1 is shown as 0.1.
        Value::Number(self.to_string().parse().unwrap_or(f64::from(*self)))
    }

    fn from_value(value: &Value) -> Option<Self> {
        f64::from_value(value).map(|number| number as Self)
    }
}

macro_rules! integer {
    ($($kind:ty),*) => {$(
        impl ParameterType for $kind {
            const TYPE_NAME: &'static str = "integer";
            const LIMITS: Limits = Limits { minimum: Some(Self::MIN as f64), maximum: Some(Self::MAX as f64) };

            fn to_value(&self) -> Value {
                Value::Number(f64::from(*self))
            }

            fn from_value(value: &Value) -> Option<Self> {
                // In range by now, and `as` saturates if not.
                f64::from_value(value).map(|number| number as Self)
            }
        }
    )*};
}

integer!(u32, i32);

impl ParameterType for bool {
    const TYPE_NAME: &'static str = "boolean";
    const LIMITS: Limits = NO_LIMITS;

    fn to_value(&self) -> Value {
        Value::Boolean(*self)
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Boolean(boolean) = value { Some(*boolean) } else { None }
    }
}

impl ParameterType for String {
    const TYPE_NAME: &'static str = "string";
    const LIMITS: Limits = NO_LIMITS;

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone()) } else { None }
    }
}
