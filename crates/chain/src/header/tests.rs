//! Promises of the event header.

use proptest::prelude::*;

use super::*;
use crate::event_hash;

fn full() -> EventHeader {
    EventHeader {
        retention: RetentionClass(3),
        key_epoch: 0x0403_0201,
        payload_bytes: 288,
        attachment_bytes: 0,
        batch: Some(Batch {
            id: 0x1122_3344_5566_7788,
            index: 2,
            count: 9,
        }),
        version: 5,
        recorded_at_us: 1_790_000_000_000_001,
        event_key: EventKey([0xE1; 16]),
        salt: Salt([0x5A; 16]),
        commitment: KeyCommitment([0xC0; 32]),
        payload_digest: PayloadDigest([0xD1; 32]),
        previous: EventHash([0x9E; 32]),
        ..EventHeader::new(StreamKind::Record, StreamId([0x51; 16]), Aead::Aes256Gcm)
    }
}

#[test]
fn encoding_is_golden() {
    let mut expected = vec![1, 1, 0, 0, 3, 1, 0, 0];
    expected.extend([1, 2, 3, 4, 0x20, 1, 0, 0, 0, 0, 0, 0, 2, 0, 9, 0]);
    expected.extend([0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
    expected.extend([0x51; 16]);
    expected.extend([5, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend(1_790_000_000_000_001_i64.to_le_bytes());
    expected.extend([0xE1; 16]);
    expected.extend([0x5A; 16]);
    expected.extend([0xC0; 32]);
    expected.extend([0xD1; 32]);
    expected.extend([0x9E; 32]);
    let bytes = full().encode();
    assert_eq!(bytes.as_slice(), expected.as_slice());
    assert_eq!(
        event_hash(&bytes).to_string(),
        "215a6ec704cfe7f8a3dc810c431d65d5fc4b4d17c05a0557cb9e63b1d6c184f4"
    );
}

#[test]
fn decode_returns_what_was_encoded() {
    assert_eq!(EventHeader::decode(&full().encode()), Ok(full()));
    let keeper = EventHeader::new(StreamKind::Keeper, StreamId([1; 16]), Aead::Clear);
    assert_eq!(EventHeader::decode(&keeper.encode()), Ok(keeper));
}

#[test]
fn stamping_changes_only_the_writers_fields() {
    let stamped = Stamp {
        version: 77,
        previous: EventHash([4; 32]),
        recorded_at_us: -3,
    };
    let mut bytes = full().encode();
    stamp(&mut bytes, stamped);
    let expected = EventHeader {
        version: 77,
        previous: EventHash([4; 32]),
        recorded_at_us: -3,
        ..full()
    };
    assert_eq!(bytes, expected.encode());
    assert_eq!(stamp_of(&bytes), stamped);
    assert_eq!(stream_of(&bytes), expected.stream);
    assert_eq!(event_key_of(&bytes), expected.event_key);
    assert_eq!(payload_bytes_of(&bytes), 288);
}

#[test]
fn unknown_and_reserved_values_are_named() {
    let check = |offset: usize, value: u8, expected: HeaderError| {
        let mut bytes = full().encode();
        bytes[offset] = value;
        assert_eq!(EventHeader::decode(&bytes), Err(expected));
    };
    check(0, 0, HeaderError::UnknownSuite(0));
    check(0, 2, HeaderError::UnknownSuite(2));
    check(1, 9, HeaderError::UnknownAead(9));
    check(2, 2, HeaderError::UnknownCompression(2));
    check(3, 1, HeaderError::ReservedNotZero { offset: 3 });
    check(5, 0, HeaderError::UnknownStreamKind(0));
    check(7, 1, HeaderError::ReservedNotZero { offset: 6 });
    check(
        1,
        0,
        HeaderError::SealingDoesNotFit {
            kind: StreamKind::Record,
            aead: Aead::Clear,
        },
    );
    check(
        20,
        9,
        HeaderError::BatchInconsistent {
            id: 0x1122_3344_5566_7788,
            index: 9,
            count: 9,
        },
    );
}

proptest! {
    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(
        tail in proptest::collection::vec(any::<u8>(), EVENT_HEADER_BYTES - 8),
        retention: u8,
        sealed: bool,
    ) {
        let mut bytes = [0_u8; EVENT_HEADER_BYTES];
        bytes[8..].copy_from_slice(&tail);
        bytes[0] = 1;
        bytes[4] = retention;
        bytes[1] = u8::from(sealed);
        bytes[5] = if sealed { 2 } else { 4 };
        if let Ok(header) = EventHeader::decode(&bytes) {
            prop_assert_eq!(header.encode(), bytes);
        }
    }

    #[test]
    fn any_flipped_bit_changes_the_event_hash(offset in 0..EVENT_HEADER_BYTES, bit in 0_u32..8) {
        let bytes = full().encode();
        let mut flipped = bytes;
        flipped[offset] ^= 1 << bit;
        prop_assert_ne!(event_hash(&bytes), event_hash(&flipped));
    }
}
