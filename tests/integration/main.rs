//! Integration tests: the real host over shipped policies and hostile guests.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod buckets;
mod compare;
mod guest_limits;
mod interruptions;
mod runs;
