//! Promises of sealing.

use proptest::prelude::*;
use sokhoe_chain::StreamKind;

use super::*;

const LOG: LogId = LogId([0x10; 16]);

fn key(stream: u8, secret: u8) -> StreamKey {
    StreamKey::new(StreamId([stream; 16]), 1, Zeroizing::new([secret; 32]))
}

fn header(key: &StreamKey, sealed: &Sealed) -> EventHeader {
    let mut header = EventHeader::new(StreamKind::Record, key.stream(), Aead::Aes256Gcm);
    sealed.describe(&mut header);
    header
}

proptest! {
    #[test]
    fn every_payload_opens_to_itself(plain in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let key = key(1, 7);
        let sealed = seal_event(&key, LOG, &plain).unwrap();
        prop_assert_eq!(sealed.bytes.len(), padding::padded_len(plain.len()) + TAG_BYTES);
        let header = header(&key, &sealed);
        prop_assert_eq!(header.payload_bytes as usize, sealed.bytes.len());
        prop_assert_eq!(open_event(&key, LOG, &header, &sealed.bytes), Ok(plain));
    }
}

#[test]
fn sealing_twice_shares_no_salt_key_or_byte() {
    let key = key(1, 7);
    let (one, two) = (
        seal_event(&key, LOG, b"same").unwrap(),
        seal_event(&key, LOG, b"same").unwrap(),
    );
    assert_ne!(one.salt, two.salt);
    assert_ne!(one.commitment, two.commitment);
    assert_ne!(one.bytes, two.bytes);
}

#[test]
fn each_wrong_part_has_its_own_error() {
    let right = key(1, 7);
    let sealed = seal_event(&right, LOG, b"payload").unwrap();
    let good = header(&right, &sealed);
    let check = |key: &StreamKey, log: LogId, header: EventHeader, expected: OpenError| {
        assert_eq!(open_event(key, log, &header, &sealed.bytes), Err(expected));
    };
    check(&key(1, 8), LOG, good, OpenError::WrongKey);
    check(&right, LogId([9; 16]), good, OpenError::BrokenSeal);
    check(
        &right,
        LOG,
        EventHeader {
            salt: Salt([0; 16]),
            ..good
        },
        OpenError::WrongKey,
    );
    check(
        &right,
        LOG,
        EventHeader {
            commitment: KeyCommitment([0; 32]),
            ..good
        },
        OpenError::WrongKey,
    );
    check(
        &right,
        LOG,
        EventHeader {
            payload_digest: PayloadDigest([0; 32]),
            ..good
        },
        OpenError::WrongDigest,
    );
    check(
        &right,
        LOG,
        EventHeader {
            aead: Aead::Clear,
            ..good
        },
        OpenError::NotSealed,
    );
    let wrong = OpenError::WrongStream {
        expected: good.stream,
        found: StreamId([2; 16]),
    };
    check(&key(2, 7), LOG, good, wrong);
}

#[test]
fn any_flipped_bit_is_caught_by_the_digest_and_behind_it_by_the_seal() {
    let key = key(1, 7);
    let sealed = seal_event(&key, LOG, b"payload").unwrap();
    let good = header(&key, &sealed);
    for bit in 0..sealed.bytes.len() * 8 {
        let mut flipped = sealed.bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            open_event(&key, LOG, &good, &flipped),
            Err(OpenError::WrongDigest)
        );
        let forged = EventHeader {
            payload_digest: payload_digest(&flipped),
            ..good
        };
        assert_eq!(
            open_event(&key, LOG, &forged, &flipped),
            Err(OpenError::BrokenSeal)
        );
    }
}

#[test]
fn event_secret_opens_its_event_and_no_other() {
    let key = key(1, 7);
    let one = seal_event(&key, LOG, b"one").unwrap();
    let two = seal_event(&key, LOG, b"two").unwrap();
    let secret = EventSecret::from_bytes(*key.event_secret(&one.salt).as_bytes());
    let opened = open_with_secret(&secret, LOG, &header(&key, &one), &one.bytes);
    assert_eq!(opened.as_deref(), Ok(b"one".as_slice()));
    let other = open_with_secret(&secret, LOG, &header(&key, &two), &two.bytes);
    assert_eq!(other, Err(OpenError::WrongKey));
}

/// What was sealed once must open for ever: bytes of the first version of this format.
#[test]
fn sealed_bytes_are_golden() {
    let key = key(1, 7);
    let salt = Salt([0x5A; 16]);
    let (event_key, commitment) = key.event_secret(&salt).key_and_commitment();
    let mut bytes = b"golden".to_vec();
    padding::pad(&mut bytes, 0);
    let associated = associated(LOG, key.stream, &salt, Suite::Blake3, Compression::None);
    aead::seal(&event_key, NONCE, &associated, &mut bytes).unwrap();
    assert_eq!(
        commitment.to_string(),
        "7961bebf94ec0bc22859746e2491bacc090a1765c2d5d9bce6349e732c0e5b2e"
    );
    assert_eq!(
        payload_digest(&bytes).to_string(),
        "46be4724912bb69d73696dded5c8c03d3da8a3656816d2d7288d61ff7f9d66f0"
    );
}

#[test]
fn debug_output_shows_no_secret() {
    let key = key(1, 0xAB);
    let secret = key.event_secret(&Salt::ZERO);
    let printed = format!("{key:?} {secret:?}");
    assert!(
        !printed.contains("171") && !printed.contains("abab"),
        "{printed}"
    );
}
