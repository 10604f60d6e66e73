//! How a policy says no.

use std::fmt;

/// What a policy's methods return; the error is a [`PolicyError`] unless said otherwise.
///
/// ```
/// use exgrpo_guest_sdk::{PolicyError, Result};
///
/// fn mean(values: &[f32]) -> Result<f32> {
///     if values.is_empty() {
///         return Err(PolicyError::invalid_input("no values to average"));
///     }
///     Ok(values.iter().sum::<f32>() / values.len() as f32)
/// }
/// assert_eq!(mean(&[1.0, 2.0]), Ok(1.5));
/// ```
pub type Result<T, E = PolicyError> = std::result::Result<T, E>;

/// Why a policy could not answer. The host counts and logs it, and goes on as the run's failure rule says.
///
/// ```
/// use exgrpo_guest_sdk::PolicyError;
///
/// let error = PolicyError::failed("no question has a weight");
/// assert_eq!(error.to_string(), "no question has a weight");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyError {
    /// The host sent something that the policy can't work with.
    InvalidInput(String),
    /// The parameters are not acceptable.
    InvalidConfig(String),
    /// Anything else.
    Failed(String),
}

impl PolicyError {
    /// The arguments of a call make no sense to the policy.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::InvalidInput(message.into())
    }

    /// A parameter, or a combination of them, is not acceptable.
    pub fn invalid_config(message: impl Into<String>) -> Self {
        Self::InvalidConfig(message.into())
    }

    /// Any other failure.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::InvalidInput(message) | Self::InvalidConfig(message) | Self::Failed(message)) = self;
        f.write_str(message)
    }
}

impl std::error::Error for PolicyError {}
