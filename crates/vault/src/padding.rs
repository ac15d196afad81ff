//! Padding of plaintexts before sealing, so that lengths say little.
//!
//! A plaintext is followed by 0x80 and zeros up to the next step. Steps are 32 bytes up to 512,
//! then one sixteenth of the next power of two: 64 up to 1 KiB, 128 up to 2 KiB, and so on. So
//! padding adds at most 32 bytes or about an eighth.

const STEP_BYTES_MIN: usize = 32;
const MARK: u8 = 0x80;

/// Returns the padded length of a plaintext of `len` bytes, without the 16 bytes of the seal.
#[must_use]
pub const fn padded_len(len: usize) -> usize {
    let marked = len + 1;
    let step = marked.next_power_of_two() / 16;
    let step = if step < STEP_BYTES_MIN {
        STEP_BYTES_MIN
    } else {
        step
    };
    marked.div_ceil(step) * step
}

/// Pads the plaintext at the end of `bytes` that begins at `start`.
pub(crate) fn pad(bytes: &mut Vec<u8>, start: usize) {
    let len = bytes.len() - start;
    bytes.push(MARK);
    bytes.resize(start + padded_len(len), 0);
}

/// Removes the padding; `false` when it is not as [`pad`] makes it.
pub(crate) fn unpad(bytes: &mut Vec<u8>) -> bool {
    let Some(mark_at) = bytes.iter().rposition(|byte| *byte != 0) else {
        return false;
    };
    if bytes.get(mark_at) != Some(&MARK) || bytes.len() != padded_len(mark_at) {
        return false;
    }
    bytes.truncate(mark_at);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_as_described() {
        let check = |len: usize, expected: usize| assert_eq!(padded_len(len), expected, "{len}");
        check(0, 32);
        check(31, 32);
        check(32, 64);
        check(256, 288);
        check(511, 512);
        check(512, 576);
        check(1023, 1024);
        check(1024, 1152);
        check(1_048_575, 1_048_576);
    }

    #[test]
    fn every_length_reads_back() {
        for len in 0..3000 {
            let plain: Vec<u8> = (0..len)
                .map(|index| u8::try_from(index % 3).unwrap())
                .collect();
            let mut bytes = plain.clone();
            pad(&mut bytes, 0);
            assert_eq!(bytes.len(), padded_len(len));
            assert!(unpad(&mut bytes));
            assert_eq!(bytes, plain);
        }
    }

    #[test]
    fn other_padding_is_refused() {
        assert!(!unpad(&mut vec![0; 32]));
        assert!(!unpad(&mut Vec::new()));
        assert!(!unpad(&mut vec![1; 32]));
        let mut too_long = vec![MARK];
        too_long.resize(64, 0);
        assert!(!unpad(&mut too_long));
    }
}
