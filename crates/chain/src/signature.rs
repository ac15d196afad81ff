//! Ed25519 with one strict rule for what verifies.
//!
//! A signature is taken only if public key `A` and the signature's `R` are canonical encodings,
//! neither is one of the eight low-order points, `S` is reduced, and the equation holds without
//! the cofactor. This is what RFC 8032 allows at its strictest: two verifiers that follow the
//! rule never differ, and no signature verifies under two keys by way of low-order points.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use thiserror::Error;

use crate::note::{NoteSignature, VerifierKey, VerifierKeyError};

/// Why a signature is not taken.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum SignatureError {
    /// The public key is not canonical, or of low order.
    #[error("verify signature: public key is not a canonical point of full order")]
    BadPublicKey,
    /// The signature's point is not canonical, or of low order.
    #[error("verify signature: R is not a canonical point of full order")]
    BadPoint,
    /// The equation does not hold.
    #[error("verify signature: it does not fit message and key")]
    Mismatch,
}

/// Verifies an Ed25519 signature by the strict rule of this module.
///
/// # Errors
/// Says which part of the rule is broken.
pub fn verify(
    public_key: &[u8; 32],
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), SignatureError> {
    if !canonical_full_order(public_key) {
        return Err(SignatureError::BadPublicKey);
    }
    let (point, _) = signature
        .split_first_chunk::<32>()
        .ok_or(SignatureError::BadPoint)?;
    if !canonical_full_order(point) {
        return Err(SignatureError::BadPoint);
    }
    UnparsedPublicKey::new(&ED25519, public_key)
        .verify(message, signature)
        .map_err(|_| SignatureError::Mismatch)
}

/// The y coordinates, sign bit cleared, of the eight points of low order.
const LOW_ORDER_Y: [[u8; 32]; 5] = [
    [0; 32],
    with_first([0; 32], 1),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    FIELD_MINUS_ONE,
];

/// p − 1 for p = 2^255 − 19, little-endian.
const FIELD_MINUS_ONE: [u8; 32] = {
    let mut bytes = with_first([0xFF; 32], 0xEC);
    if let Some((last, _)) = bytes.split_last_mut() {
        *last = 0x7F;
    }
    bytes
};

const fn with_first(mut bytes: [u8; 32], first: u8) -> [u8; 32] {
    if let Some((slot, _)) = bytes.split_first_mut() {
        *slot = first;
    }
    bytes
}

/// Says whether an encoded point has y < p and is not of low order.
///
/// The only other non-canonical encodings (x = 0 with the sign bit) have y = ±1: low order.
fn canonical_full_order(encoded: &[u8; 32]) -> bool {
    let mut y = *encoded;
    if let Some((last, _)) = y.split_last_mut() {
        *last &= 0x7F;
    }
    let below_field = y.iter().rev().le(FIELD_MINUS_ONE.iter().rev());
    below_field && !LOW_ORDER_Y.contains(&y)
}

/// A key that signs notes under a name: the log's identity to the world.
pub struct Signer {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl Signer {
    /// Makes the signer from its 32-byte seed. The name is the log's origin.
    ///
    /// # Errors
    /// When the name cannot stand in a note.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, VerifierKeyError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| VerifierKeyError::BadKeyBytes)?;
        let public_key = <[u8; 32]>::try_from(pair.public_key().as_ref())
            .map_err(|_| VerifierKeyError::BadKeyBytes)?;
        Ok(Self {
            pair,
            verifier: VerifierKey::new(name, public_key)?,
        })
    }

    /// Returns the public half, to hand out.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs bytes that are not a note (tokens have their own key; this is for proofs to come).
    #[must_use]
    pub fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        let made = self.pair.sign(message);
        signature
            .iter_mut()
            .zip(made.as_ref())
            .for_each(|(to, from)| *to = *from);
        signature
    }

    /// Signs the text of a note.
    #[must_use]
    pub fn sign_note(&self, text: &str) -> NoteSignature {
        NoteSignature {
            name: self.verifier.name().to_owned(),
            key_id: self.verifier.key_id(),
            bytes: self.sign_bytes(text.as_bytes()).to_vec(),
        }
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Signer")
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_signature_verifies_and_any_flipped_bit_fails() {
        let signer = Signer::from_seed("example.org/log", &[9; 32]).unwrap();
        let key = *signer.verifier().public_key();
        let signature = signer.sign_bytes(b"message");
        assert_eq!(verify(&key, b"message", &signature), Ok(()));
        assert!(verify(&key, b"massage", &signature).is_err());
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&key, b"message", &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn points_at_or_above_the_field_are_refused() {
        let mut encoded = FIELD_MINUS_ONE;
        for low in 0xED..=0xFF {
            encoded[0] = low;
            assert!(!canonical_full_order(&encoded));
        }
        encoded[0] = 0xEB;
        assert!(canonical_full_order(&encoded));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let signer = Signer::from_seed("example.org/log", &[0xAA; 32]).unwrap();
        let printed = format!("{signer:?}");
        assert!(printed.contains("example.org/log"));
        assert!(!printed.contains("170, 170"));
    }
}
