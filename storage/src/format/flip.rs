//! Finds the one flipped bit that explains a wrong CRC32C.
//!
//! CRC32C separates all single-bit errors of messages far longer than ours, so the answer is unique.

use super::{crc_without_field, u32_at};

/// The reflected Castagnoli polynomial.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// A bit of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bit {
    pub(crate) byte: usize,
    pub(crate) bit: u8,
}

impl Bit {
    /// Turns the bit over.
    pub(crate) fn flip(self, bytes: &mut [u8]) {
        if let Some(byte) = bytes.get_mut(self.byte) {
            *byte ^= 1 << self.bit;
        }
    }
}

/// Finds the bit whose flip makes the structure agree with the CRC stored at `crc_at`.
pub(crate) fn single_flip(bytes: &[u8], crc_at: usize) -> Option<Bit> {
    let stored = u32_at(bytes, crc_at)?;
    let syndrome = stored ^ crc_without_field(bytes, crc_at);
    if syndrome.count_ones() == 1 {
        let bit = syndrome.trailing_zeros();
        let byte = crc_at + usize::try_from(bit / 8).ok()?;
        return Some(Bit {
            byte,
            bit: u8::try_from(bit % 8).ok()?,
        });
    }
    let bits = (bytes.len().checked_sub(4)?).checked_mul(8)?;
    let mut effect = 1_u32;
    for from_end in 1..=bits {
        effect = (effect >> 1) ^ if effect & 1 == 1 { POLYNOMIAL } else { 0 };
        if effect == syndrome {
            let index = bits - from_end;
            let byte = index / 8;
            let byte = if byte >= crc_at { byte + 4 } else { byte };
            return Some(Bit {
                byte,
                bit: u8::try_from(index % 8).ok()?,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::put;

    #[test]
    fn every_flipped_bit_is_found() {
        for crc_at in [4, 32, 60] {
            let mut good: Vec<u8> = (0..64_u8).map(|n| n.wrapping_mul(37)).collect();
            let crc = crc_without_field(&good, crc_at);
            put(&mut good, crc_at, &crc.to_le_bytes());
            for byte in 0..good.len() {
                for bit in 0..8 {
                    let expected = Bit { byte, bit };
                    let mut bad = good.clone();
                    expected.flip(&mut bad);
                    assert_eq!(single_flip(&bad, crc_at), Some(expected));
                }
            }
        }
    }
}
