//! Says of most fingerprints that a run does not hold them, without looking into it.
//!
//! A split block Bloom filter, as Parquet's: a fingerprint sets one bit in each of the eight words of one 32-byte
//! block. The block comes from the fingerprint's high bits and the bits from its low ones, so a sorted run fills its
//! filter from one end to the other.

/// Bits that a filter spends on each fingerprint: of fingerprints that are not there some 0.7 % pass.
const BITS_PER_KEY: usize = 12;
pub(super) const BLOCK_BYTES: usize = 32;
const WORDS: usize = BLOCK_BYTES / 4;
/// Odd constants of the published format, one a word.
const SALTS: [u32; WORDS] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    blocks: Vec<[u32; WORDS]>,
}

impl Filter {
    /// Makes an empty filter for so many fingerprints.
    pub(super) fn sized(keys: u64) -> Self {
        let keys = usize::try_from(keys).unwrap_or(usize::MAX);
        let blocks = keys
            .saturating_mul(BITS_PER_KEY)
            .div_ceil(BLOCK_BYTES * 8)
            .max(1);
        Self {
            blocks: vec![[0; WORDS]; blocks],
        }
    }

    pub(super) fn insert(&mut self, fingerprint: u64) {
        let at = self.block_of(fingerprint);
        if let Some(block) = self.blocks.get_mut(at) {
            for (word, bit) in block.iter_mut().zip(bits(fingerprint)) {
                *word |= bit;
            }
        }
    }

    pub(super) fn may_hold(&self, fingerprint: u64) -> bool {
        let block = self.blocks.get(self.block_of(fingerprint));
        block.is_some_and(|block| {
            block
                .iter()
                .zip(bits(fingerprint))
                .all(|(word, bit)| word & bit != 0)
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK_BYTES
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for word in self.blocks.iter().flatten() {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Self {
        let (words, _) = bytes.as_chunks::<4>();
        let (blocks, _) = words.as_chunks::<WORDS>();
        Self {
            blocks: blocks
                .iter()
                .map(|block| block.map(u32::from_le_bytes))
                .collect(),
        }
    }

    fn block_of(&self, fingerprint: u64) -> usize {
        let wide = u128::from(fingerprint) * self.blocks.len() as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }
}

fn bits(fingerprint: u64) -> [u32; WORDS] {
    // The block was chosen by the high bits.
    let [a, b, c, d, ..] = fingerprint.to_le_bytes();
    let low = u32::from_le_bytes([a, b, c, d]);
    SALTS.map(|salt| 1 << (low.wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spreads a counter as keyed digests are spread.
    fn fingerprint(number: u64) -> u64 {
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }

    #[test]
    fn a_filter_forgets_nothing_and_lets_few_others_pass() {
        let mut filter = Filter::sized(100_000);
        (0..100_000).for_each(|n| filter.insert(fingerprint(n)));
        assert!((0..100_000).all(|n| filter.may_hold(fingerprint(n))));
        let passed = (100_000..200_000)
            .filter(|n| filter.may_hold(fingerprint(*n)))
            .count();
        assert!(passed < 1_500, "{passed} of 100,000 others pass");
    }

    #[test]
    fn a_filter_is_the_same_after_writing_and_reading() {
        let mut filter = Filter::sized(1000);
        (0..1000).for_each(|n| filter.insert(fingerprint(n)));
        let mut bytes = Vec::new();
        filter.write(&mut bytes);
        assert_eq!(bytes.len(), filter.bytes());
        assert_eq!(Filter::read(&bytes), filter);
    }
}
