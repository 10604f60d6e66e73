//! Rows to test with.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::ProblemChange;
use crate::table::Word;
use exgrpo_core::journal::{EventKind, Slot};

pub(crate) type Source = ChaCha8Rng;

/// A type with values to test with, odd ones among them. `table!` implements it for every row.
pub(crate) trait Arbitrary {
    fn arbitrary(source: &mut Source) -> Self;
}

macro_rules! arbitrary {
    ($($type:ty: $odd:expr, $any:expr;)+) => {$(
        impl Arbitrary for $type {
            fn arbitrary(source: &mut Source) -> Self {
                let odd: &[$type] = &$odd;
                match source.random_range(0..2 * odd.len()) {
                    index if index < odd.len() => odd[index].clone(),
                    _ => ($any)(source),
                }
            }
        }
    )+};
}

arbitrary! {
    u32: [0, u32::MAX], |source: &mut Source| source.random();
    u64: [0, u64::MAX, 1 << 63], |source: &mut Source| source.random();
    f32: [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE, f32::MAX, 1e-45],
        |source: &mut Source| source.random_range(-9.0..9.0);
    f64: [0.0, -0.0, f64::INFINITY, f64::MAX, 5e-324], |source: &mut Source| source.random_range(-9.0..9.0);
    bool: [true, false], |source: &mut Source| source.random();
    String: [String::new(), "a\0b".to_owned(), "\"quoted\",\n\r\t".to_owned(), "零 🙂 é".to_owned(), "x".repeat(70_000)],
        |source: &mut Source| (0..source.random_range(0..60)).map(|_| source.random::<char>()).collect();
}

impl<T: Arbitrary> Arbitrary for Option<T> {
    fn arbitrary(source: &mut Source) -> Self {
        source.random_bool(0.7).then(|| T::arbitrary(source))
    }
}

impl<T: Arbitrary> Arbitrary for Vec<T> {
    fn arbitrary(source: &mut Source) -> Self {
        (0..source.random_range(0..20)).map(|_| T::arbitrary(source)).collect()
    }
}

macro_rules! arbitrary_words {
    ($($type:ty),+) => {$(
        impl Arbitrary for $type {
            fn arbitrary(source: &mut Source) -> Self {
                <$type>::ALL[source.random_range(0..<$type>::ALL.len())]
            }
        }
    )+};
}

arbitrary_words!(exgrpo_core::types::Origin, exgrpo_core::types::Verdict, ProblemChange);

impl Arbitrary for Slot {
    fn arbitrary(source: &mut Source) -> Self {
        Slot::ALL[source.random_range(0..Slot::ALL.len())]
    }
}

impl Arbitrary for EventKind {
    fn arbitrary(source: &mut Source) -> Self {
        <EventKind as Word>::ALL[source.random_range(0..<EventKind as Word>::ALL.len())]
    }
}

pub(super) fn arbitrary_rows<R: Arbitrary>(seed: u64, num_rows: usize) -> Vec<R> {
    let mut source = Source::seed_from_u64(seed);
    (0..num_rows).map(|_| R::arbitrary(&mut source)).collect()
}
