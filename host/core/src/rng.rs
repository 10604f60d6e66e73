//! Named random streams. Every draw of a run comes from a stream that is a function of the run's seed, a name, a
//! step and an index, so a resumed run draws what an unbroken one draws, whatever ran before it in the process.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// The run's seed, from which all streams derive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// Streams of the run with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The generator named `name` at `step`; `index` tells several of one step apart.
    pub fn stream(&self, name: &str, step: u64, index: u64) -> ChaCha8Rng {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(step.to_le_bytes());
        hash.update(index.to_le_bytes());
        hash.update(name.as_bytes());
        ChaCha8Rng::from_seed(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::RngCore;

    #[test]
    fn streams_differ_by_every_part_of_their_name_and_repeat() {
        let draw = |seed, name, step, index| Streams::new(seed).stream(name, step, index).next_u64();
        let base = draw(1, "rollout", 2, 3);
        assert_eq!(base, draw(1, "rollout", 2, 3));
        for other in [
            draw(2, "rollout", 2, 3),
            draw(1, "select", 2, 3),
            draw(1, "rollout", 3, 3),
            draw(1, "rollout", 2, 4),
        ] {
            assert_ne!(base, other);
        }
    }
}
