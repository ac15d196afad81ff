//! Damaged bytes: an error or another event, never a panic, never a large allocation.

use proptest::prelude::{any, prop_assert, proptest};
use proptest::{collection::vec, sample::Index};
use sokhoe_codec::{CodecError, LATEST, Stored, decode, glimpse};
use sokhoe_record::validate;

use crate::golden;

/// Uses what was decoded in the ways that a reader does; whatever it says, nothing may panic.
fn usable(stored: Stored) {
    let _ = serde_json::to_string(&stored.event);
    let _ = stored.event.data.sections();
    let _ = (
        stored.event.occurred_at.earliest(),
        stored.event.occurred_at.latest(),
    );
    let _ = validate(&stored.event.into());
}

/// Decodes damaged bytes; they must not pass for the event that was stored.
fn damaged(original: &Stored, bytes: &[u8]) {
    let glimpsed = glimpse(bytes);
    assert!(glimpsed.is_ok() || decode(bytes).is_err(), "{bytes:?}");
    if let Ok(stored) = decode(bytes) {
        assert!(stored != *original, "{:?} was not noticed", bytes);
        usable(stored);
    }
}

#[test]
fn bytes_cut_short_are_refused_at_every_length() {
    for (kind, bytes) in golden::all() {
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{kind} cut to {length}");
        }
    }
}

#[test]
fn a_flipped_byte_is_an_error_or_another_event() {
    for (_, bytes) in golden::all() {
        let original = decode(&bytes).unwrap();
        let mut flipped = bytes.clone();
        for at in 0..bytes.len() {
            for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                flipped[at] = bytes[at] ^ mask;
                damaged(&original, &flipped);
            }
            flipped[at] = bytes[at];
        }
    }
}

#[test]
fn a_length_of_two_to_the_sixtieth_anywhere_allocates_nothing() {
    let huge = [&[253][..], &(1_u64 << 60).to_le_bytes()].concat();
    for (_, bytes) in golden::all() {
        let original = decode(&bytes).unwrap();
        for at in 0..bytes.len() {
            damaged(&original, &[&bytes[..at], &huge, &bytes[at + 1..]].concat());
        }
    }
}

#[test]
fn what_this_program_does_not_know_is_named() {
    let (_, bytes) = golden::all().swap_remove(0);
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        decode(&bytes)
    };
    assert!(matches!(
        with(0, 2),
        Err(CodecError::UnknownFormat { found: 2 })
    ));
    let kind = with(2, 0xFF);
    assert!(matches!(
        kind,
        Err(CodecError::UnknownSchema {
            kind: 0xFF01,
            version: 1
        })
    ));
    let version = with(4, 0xFF);
    assert!(matches!(
        version,
        Err(CodecError::UnknownSchema {
            kind: 1,
            version: 0xFF01
        })
    ));
    assert!(matches!(
        decode(&bytes[..4]),
        Err(CodecError::TooShort { bytes: 4 })
    ));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..2_000)) {
        decode(&bytes).map(usable).ok();
    }

    #[test]
    fn random_data_of_any_kind_never_panics(row in any::<Index>(), data in vec(any::<u8>(), 0..500)) {
        let (kind, ..) = row.get(LATEST);
        let (_, bytes) = golden::all().into_iter().find(|(of, _)| of == kind).unwrap();
        let original = decode(&bytes).unwrap();
        let content = bytes.windows(32).position(|window| window == original.content).unwrap();
        let cause = if original.cause.is_some() { 17 } else { 1 };
        let envelope = content + 32 + cause;
        damaged(&original, &[&bytes[..envelope], &data].concat());
    }

    #[test]
    fn bytes_after_the_end_are_refused(row in any::<Index>(), more in vec(any::<u8>(), 1..50)) {
        let (_, mut bytes) = row.get(&golden::all()).clone();
        bytes.extend(more);
        prop_assert!(matches!(decode(&bytes), Err(CodecError::Malformed(_))));
    }

    #[test]
    fn several_wounds_at_once_never_panic(
        row in any::<Index>(),
        wounds in vec((any::<Index>(), any::<u8>()), 1..20),
    ) {
        let (_, mut bytes) = row.get(&golden::all()).clone();
        for (at, byte) in wounds {
            *at.get_mut(&mut bytes) = byte;
        }
        decode(&bytes).map(usable).ok();
    }
}
