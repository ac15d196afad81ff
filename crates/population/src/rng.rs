//! The generator's own random numbers: xoshiro256++ seeded by SplitMix64, integers only.
//!
//! Written here so that a seed means the same city for ever, whatever a library or a platform's
//! mathematics do. It refuses floating point, clocks and the system's entropy.

/// A deterministic stream of random numbers; never for keys or anything secret.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    state: [u64; 4],
}

/// What a stream of random numbers is used for: streams of one household must not echo each other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Composition = 1,
    Life = 2,
    Sizes = 3,
    Stories = 4,
}

impl Rng {
    /// The stream for one purpose and one number (of a household, of a block) under a seed.
    pub(crate) fn new(seed: u64, purpose: Purpose, number: u64) -> Self {
        let mut mix = seed ^ mixed(((purpose as u64) << 56) ^ number);
        let mut next = || {
            mix = mix.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mixed(mix)
        };
        Self {
            state: [next(), next(), next(), next()],
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let shifted = b << 17;
        let c = c ^ a;
        let d = d ^ b;
        self.state = [a ^ d, b ^ c, c ^ shifted, d.rotate_left(45)];
        result
    }

    /// A number below `limit`; 0 when the limit is 0. The bias of the multiplication is below 2⁻³².
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        let high = self.next() >> 32;
        u32::try_from((high * u64::from(limit)) >> 32).unwrap_or(0)
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below(high.abs_diff(low) + 1).cast_signed()
    }

    /// True in `parts` of 10,000 cases.
    pub(crate) fn chance(&mut self, parts: u32) -> bool {
        self.below(10_000) < parts
    }

    /// The index that a list of weights picks; 0 for an empty list.
    pub(crate) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    /// One of the items.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        let index = self.below(u32::try_from(items.len()).unwrap_or(u32::MAX));
        items[index as usize]
    }

    /// A bell-shaped number around `mean` (Irwin–Hall of eight), within about ±4.9 deviations.
    pub(crate) fn around(&mut self, mean: i32, deviation: i32) -> i32 {
        let (first, second) = (self.next(), self.next());
        let lanes = |word: u64| (0..4).map(move |lane| (word >> (16 * lane)) & 0xffff);
        let sum: u64 = lanes(first).chain(lanes(second)).sum();
        // Eight uniforms on 0..65,536: mean 262,140, deviation 65,536 × sqrt(8 / 12) = 53,510.
        let centred = i64::try_from(sum).unwrap_or(0) - 262_140;
        mean + i32::try_from(centred * i64::from(deviation) / 53_510).unwrap_or(0)
    }
}

/// SplitMix64's finaliser: a bijection that spreads every bit.
pub(crate) fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_numbers_for_ever() {
        let mut rng = Rng::new(1, Purpose::Life, 7);
        let drawn = [rng.next(), rng.next(), rng.next()];
        assert_eq!(drawn, GOLDEN, "changing the generator changes every city");
    }

    const GOLDEN: [u64; 3] = [
        8_219_391_990_449_728_567,
        9_528_150_013_086_086_606,
        12_741_431_063_368_226_480,
    ];

    #[test]
    fn bell_has_the_mean_and_deviation_asked_for() {
        let mut rng = Rng::new(3, Purpose::Life, 0);
        let drawn: Vec<f64> = (0..20_000)
            .map(|_| f64::from(rng.around(1_000, 100)))
            .collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!((mean - 1_000.0).abs() < 3.0, "mean {mean}");
        assert!(
            (variance.sqrt() - 100.0).abs() < 3.0,
            "deviation {}",
            variance.sqrt()
        );
    }

    #[test]
    fn weights_are_kept() {
        let mut rng = Rng::new(5, Purpose::Life, 0);
        let mut counts = [0_u32; 3];
        (0..10_000).for_each(|_| counts[rng.weighted(&[1, 0, 3])] += 1);
        assert_eq!(counts[1], 0);
        assert!((2_300..2_700).contains(&counts[0]), "{counts:?}");
    }
}
