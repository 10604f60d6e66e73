//! Integration tests: the real host over shipped policies and hostile guests.

mod buckets;
mod compare;
mod guest_limits;
mod guest_swaps;
mod interruptions;
mod runs;
