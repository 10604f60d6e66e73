//! What every policy is, whatever slots it fills.

use crate::{Parameters, Result};

/// A policy: made from its parameters once, then asked again and again.
///
/// All methods take `&self`, because a policy is a pure function of its arguments: the host may ask many instances of it
/// at once, and make them anew at will. A policy that must remember something keeps it in a `RefCell` and exports
/// [`State`](crate::State).
///
/// Iterate over a `BTreeMap` rather than a `HashMap`: the latter's order differs between instances, so that
/// a repeated run would not repeat.
///
/// ```
/// use exgrpo_guest_sdk::{Policy, PolicyError, Result, parameters, testing};
///
/// parameters! {
///     /// Two ages, in steps.
///     pub struct Ages {
///         /// Youngest that counts.
///         youngest: u32 = 0;
///         /// Oldest that counts.
///         oldest: u32 = 100, within 1..=10_000;
///     }
/// }
///
/// struct MiddleAged(Ages);
///
/// impl Policy for MiddleAged {
///     type Parameters = Ages;
///
///     fn new(parameters: Ages) -> Result<Self> {
///         // Each parameter is in its range by now; what remains is how they go together.
///         if parameters.youngest > parameters.oldest {
///             return Err(PolicyError::invalid_config("youngest is above oldest"));
///         }
///         Ok(Self(parameters))
///     }
/// }
///
/// assert_eq!(testing::policy::<MiddleAged>("{}")?.0.oldest, 100);
/// assert!(testing::policy::<MiddleAged>(r#"{ "youngest": 101 }"#).is_err());
/// # Ok::<(), PolicyError>(())
/// ```
pub trait Policy: Sized + 'static {
    /// What a run may set: a struct declared with [`parameters!`](crate::parameters!), or `()` for nothing.
    type Parameters: Parameters;

    /// Makes the policy.
    ///
    /// # Errors
    /// The parameters are fine each, but not together.
    fn new(parameters: Self::Parameters) -> Result<Self>;
}
