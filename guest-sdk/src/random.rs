//! Random numbers from the seed that the host hands to a call: the same seed gives the same numbers on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014): small, quick, and good enough to choose rows.
///
/// ```
/// use exgrpo_guest_sdk::Random;
///
/// let mut random = Random::new(7);
/// let die = random.below(6);
/// assert!(die < 6);
/// assert_eq!(die, Random::new(7).below(6), "same seed, same number");
/// ```
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator that starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..n`, all equally likely; 0 when `n` is 0 or 1.
    pub fn below(&mut self, n: usize) -> usize {
        if n < 2 {
            return 0;
        }
        // The high half of a product spreads 2^64 values over n; the few low halves that would make some numbers
        // likelier than others are drawn again.
        let n = n as u64;
        let surplus = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.bits()) * u128::from(n);
            if product as u64 >= surplus {
                return (product >> 64) as usize;
            }
        }
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    /// Witness: the first outputs for seed 1234567 that the algorithm's reference implementation in C gives.
    #[test]
    fn bits_are_those_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        assert_eq!(
            [random.bits(), random.bits(), random.bits()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn below_is_even_and_in_range() {
        let mut random = Random::new(1);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7)] += 1;
        }
        // Standard deviation is 93.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 500), "{counts:?}");
        assert_eq!((random.below(0), random.below(1)), (0, 0));
        assert!((0..1000).all(|_| (0.0..1.0).contains(&random.unit())));
    }
}
