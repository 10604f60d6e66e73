//! From a policy in Rust to the exports of a Wasm module.

use std::cell::RefCell;
use std::thread::LocalKey;

use crate::Policy;

/// Exports a policy's slots. Goes once into a crate, at its top level.
///
/// A slot that is not listed stays with another policy of the run, or with the host's built-in. Name and version are
/// those of the crate's Cargo.toml.
///
/// ```
/// use exgrpo_guest_sdk::{Policy, Result, Sampling};
///
/// struct EveryBucketAlike;
///
/// impl Policy for EveryBucketAlike {
///     type Parameters = ();
///     fn new((): ()) -> Result<Self> {
///         Ok(Self)
///     }
/// }
///
/// impl Sampling for EveryBucketAlike {
///     fn bucket_weights(&self, counts: &[u32], _group_size: u32, _step: u32) -> Result<Vec<f32>> {
///         Ok(vec![1.0; counts.len()])
///     }
/// }
///
/// exgrpo_guest_sdk::export!(EveryBucketAlike: Sampling);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($policy:ident: $($slot:ident),+ $(,)?) => {
        // On every target, so that a missing implementation is an error in `cargo test` already.
        $($crate::__slot!(require $slot $policy);)+

        #[cfg(target_family = "wasm")]
        const _: () = {
            ::std::thread_local! {
                static INSTANCE: ::core::cell::RefCell<::core::option::Option<$policy>> =
                    const { ::core::cell::RefCell::new(::core::option::Option::None) };
            }

            impl $crate::export::Exported for $policy {
                const NAME: &'static str = ::core::env!("CARGO_PKG_NAME");
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
                const STATELESS: bool = true $(&& !$crate::__slot!(is_state $slot))+;

                fn instance() -> &'static ::std::thread::LocalKey<::core::cell::RefCell<::core::option::Option<Self>>> {
                    &INSTANCE
                }
            }

            $crate::bindings::metadata::__export_metadata!($policy with_types_in $crate::bindings::metadata);
            $($crate::__slot!(export $slot $policy);)+
        };
    };
}

/// What [`export!`](crate::export!) does for each slot.
#[doc(hidden)]
#[macro_export]
macro_rules! __slot {
    (require $slot:ident $policy:ident) => {
        const _: () = {
            const fn require<P: $crate::$slot>() {}
            require::<$policy>();
        };
    };
    (is_state State) => { true };
    (is_state $slot:ident) => { false };
    (export Difficulty $policy:ident) => {
        $crate::bindings::difficulty::__export_difficulty!($policy with_types_in $crate::bindings::difficulty);
    };
    (export Retirement $policy:ident) => {
        $crate::bindings::retirement::__export_retirement!($policy with_types_in $crate::bindings::retirement);
    };
    (export Sampling $policy:ident) => {
        $crate::bindings::sampling::__export_sampling!($policy with_types_in $crate::bindings::sampling);
    };
    (export Selection $policy:ident) => {
        $crate::bindings::selection::__export_selection!($policy with_types_in $crate::bindings::selection);
    };
    (export Trajectories $policy:ident) => {
        $crate::bindings::trajectories::__export_trajectories!($policy with_types_in $crate::bindings::trajectories);
    };
    (export Verifier $policy:ident) => {
        $crate::bindings::verifier::__export_verifier!($policy with_types_in $crate::bindings::verifier);
    };
    (export State $policy:ident) => {
        $crate::bindings::state::__export_state!($policy with_types_in $crate::bindings::state);
    };
    (export $slot:ident $policy:ident) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($slot), "` is no slot: expected Difficulty, Retirement, Sampling, Selection, ",
            "Trajectories, Verifier or State"
        ));
    };
}

/// A policy with what [`export!`](crate::export!) knows of it.
#[doc(hidden)]
pub trait Exported: Policy {
    /// Name of its crate.
    const NAME: &'static str;
    /// Version of its crate.
    const VERSION: &'static str;
    /// False when it exports `State`.
    const STATELESS: bool;

    /// Where the instance lives, once it is configured.
    fn instance() -> &'static LocalKey<RefCell<Option<Self>>>;
}
