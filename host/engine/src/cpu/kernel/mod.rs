//! What is compiled for the processor at hand: the register tiles of matrix products, transposing, and a macro that
//! compiles a loop for several vector extensions. The engine's unsafe code is in this folder.
//!
//! Every variant performs the same operations on every element, in the same order, with fused multiply-adds, so
//! that results are equal bit for bit on every machine: vector width decides speed only.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod panel;
mod portable;
mod transpose;

use std::sync::OnceLock;

pub(super) use panel::{Element, Left, Out, Pair, multiply_panel};
pub(super) use transpose::transpose_block;

/// Columns of a panel of the right operand.
pub(super) const PANEL: usize = 32;

/// Vector extension that loops are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extension {
    /// Whatever the target's baseline has.
    Baseline,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The best extension this processor has.
pub(super) fn extension() -> Extension {
    static DETECTED: OnceLock<Extension> = OnceLock::new();
    *DETECTED.get_or_init(|| supported_extensions()[0])
}

/// True when this processor multiplies pairs of bfloat16 values ([`Pair`]).
pub(super) fn multiplies_pairs() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        static DETECTED: OnceLock<bool> = OnceLock::new();
        *DETECTED.get_or_init(|| extension() == Extension::Avx512 && is_x86_feature_detected!("avx512bf16"))
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Every extension this processor has, the best first.
pub(super) fn supported_extensions() -> Vec<Extension> {
    let mut supported = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx2 && avx512 {
            supported.push(Extension::Avx512);
        }
        if avx2 {
            supported.push(Extension::Avx2);
        }
    }
    supported.push(Extension::Baseline);
    supported
}

/// Defines functions whose bodies are compiled once for each vector extension and chosen at run time.
macro_rules! vectorized {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[expect(unsafe_code, reason = "the processor has the features it is called with")]
        #[allow(clippy::too_many_arguments, reason = "slices of one row each, which a struct would only rename")]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn portable($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($arg: $ty),*) $(-> $ret)? { portable($($arg),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $ret)? { portable($($arg),*) }
            match $crate::cpu::kernel::extension() {
                $crate::cpu::kernel::Extension::Baseline => portable($($arg),*),
                // SAFETY: `extension` answers only with extensions that this processor has.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::kernel::Extension::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::kernel::Extension::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    )*};
}
pub(super) use vectorized;
