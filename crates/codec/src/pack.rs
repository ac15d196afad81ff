//! Stored events made smaller before they are sealed, each by itself.
//!
//! A payload of some 350 bytes repeats little within itself and much of what every event says: a built-in zstd
//! dictionary holds that. A dictionary is part of the format, so a file under `dictionaries/` is never changed; a
//! better one is another [`Compression`]. It was made from an invented city (`benches`, `dictionary`).
//! What is packed is one event of one sender, padded afterwards, so its length tells no more than lengths did.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::sync::LazyLock;

use sokhoe_chain::Compression;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::CParameter;

use crate::CodecError;

const DICTIONARY_1: &[u8] = include_bytes!("../dictionaries/1.zdict");
/// What a zstd frame begins with; not stored.
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// 1.3 µs an event here; level 3 takes 1.6 µs and saves another 2 %.
const LEVEL: i32 = 1;
/// The longest stored event: no frame of the log holds more.
pub const STORED_BYTES_MAX: usize = 1 << 20;

static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY_1, LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY_1));

thread_local! {
    // A context takes longer to make than an event to pack.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Makes a stored event smaller; returns it as it is where that does not help.
#[must_use]
pub fn pack(stored: &[u8]) -> (Compression, Cow<'_, [u8]>) {
    let packed = PACKER.with_borrow_mut(|kept| -> io::Result<Vec<u8>> {
        let packer = match kept {
            Some(packer) => packer,
            None => kept.insert(packer()?),
        };
        packer.compress(stored)
    });
    match packed {
        Ok(mut frame) if frame.len() < stored.len() && frame.starts_with(&MAGIC) => {
            frame.drain(..MAGIC.len());
            (Compression::ZstdDictionary1, Cow::Owned(frame))
        }
        _ => (Compression::None, Cow::Borrowed(stored)),
    }
}

/// Gives a stored event back as it was before it was packed.
///
/// # Errors
/// When the bytes are no such frame, or one of more than [`STORED_BYTES_MAX`].
pub fn unpack(compression: Compression, packed: &[u8]) -> Result<Cow<'_, [u8]>, CodecError> {
    match compression {
        Compression::None => Ok(Cow::Borrowed(packed)),
        Compression::ZstdDictionary1 => unpack_frame(packed)
            .map(Cow::Owned)
            .map_err(CodecError::Unpacked),
    }
}

fn unpack_frame(packed: &[u8]) -> io::Result<Vec<u8>> {
    let frame = [MAGIC.as_slice(), packed].concat();
    // The frame says its size; memory is claimed only up to the limit, whatever it says.
    let size = Decompressor::upper_bound(&frame).filter(|size| *size <= STORED_BYTES_MAX);
    let size = size.ok_or_else(|| io::Error::other("it states no size, or one past the limit"))?;
    UNPACKER.with_borrow_mut(|kept| {
        let unpacker = match kept {
            Some(unpacker) => unpacker,
            None => kept.insert(Decompressor::with_prepared_dictionary(&DECODER)?),
        };
        unpacker.decompress(&frame, size)
    })
}

fn packer() -> io::Result<Compressor<'static>> {
    let mut packer = Compressor::with_prepared_dictionary(&ENCODER)?;
    // The header names the dictionary and the seal covers every byte.
    packer.set_parameter(CParameter::DictIdFlag(false))?;
    packer.set_parameter(CParameter::ChecksumFlag(false))?;
    packer.set_parameter(CParameter::ContentSizeFlag(true))?;
    Ok(packer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_back() {
        for stored in [
            b"".as_slice(),
            b"x",
            b"the quick brown fox",
            &[7; 4000],
            &vec![0x5A; STORED_BYTES_MAX],
        ] {
            let (compression, packed) = pack(stored);
            assert!(packed.len() <= stored.len());
            assert_eq!(unpack(compression, &packed).unwrap(), stored);
        }
    }

    #[test]
    fn what_does_not_shrink_is_left_as_it_is() {
        let random: Vec<u8> = (0..200_u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
            .collect();
        let (compression, packed) = pack(&random);
        assert_eq!(
            (compression, packed.as_ref()),
            (Compression::None, random.as_slice())
        );
    }

    #[test]
    fn a_frame_past_the_limit_claims_no_memory() {
        let huge = zstd::bulk::compress(&vec![0; STORED_BYTES_MAX + 1], 1).unwrap();
        let refused = unpack(Compression::ZstdDictionary1, &huge[4..]);
        assert!(matches!(refused, Err(CodecError::Unpacked(_))));
    }

    #[test]
    fn bytes_once_packed_are_read_for_ever() {
        let packed = [
            32, 77, 181, 1, 0, 248, 32, 32, 32, 108, 111, 105, 110, 99, 32, 32, 107, 103, 32, 105,
            99, 100, 49, 48, 32, 73, 49, 48, 32, 32, 32, 56, 52, 56, 48, 45, 54, 6, 252, 109, 84,
            82, 1, 225, 83, 247, 142, 46, 121, 118, 184, 68, 84, 100, 40, 21, 196, 233, 1,
        ];
        let stored =
            b"observation 8480-6 mm[Hg] loinc 29463-7 kg icd10 I10 99001 observation 8480-6";
        let unpacked = unpack(Compression::ZstdDictionary1, &packed).unwrap();
        assert_eq!(unpacked.as_ref(), stored);
    }

    #[test]
    fn damaged_frames_are_errors_never_panics() {
        let stored = [1, 2, 3, 4].repeat(100);
        let (compression, packed) = pack(&stored);
        for at in 0..packed.len() {
            assert!(unpack(compression, &packed[..at]).is_err(), "cut at {at}");
            let mut flipped = packed.to_vec();
            flipped[at] ^= 0x10;
            let _ = unpack(compression, &flipped);
        }
    }

    #[test]
    fn the_first_dictionary_is_what_it_was() {
        let digest = DICTIONARY_1
            .iter()
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
            });
        assert_eq!(
            (DICTIONARY_1.len(), digest),
            (32_768, 15_790_522_139_809_649_143)
        );
    }
}
