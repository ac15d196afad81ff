//! AES-256-GCM as this crate uses it: keys of 32 bytes, tags of 16.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Bytes that sealing adds.
pub(crate) const TAG_BYTES: usize = 16;

/// A wrapped 32-byte key.
pub(crate) const WRAPPED_BYTES: usize = 48;

/// The seal is broken: wrong key, wrong associated data or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

fn key(bytes: &[u8; 32]) -> Result<LessSafeKey, Broken> {
    UnboundKey::new(&AES_256_GCM, bytes)
        .map(LessSafeKey::new)
        .map_err(|_| Broken)
}

/// Seals all of `bytes` and appends the tag.
pub(crate) fn seal(
    secret: &[u8; 32],
    nonce: [u8; 12],
    associated: &[u8],
    bytes: &mut Vec<u8>,
) -> Result<(), Broken> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    key(secret)?
        .seal_in_place_append_tag(nonce, Aad::from(associated), bytes)
        .map_err(|_| Broken)
}

/// Opens all of `bytes` in place and removes the tag.
pub(crate) fn open(
    secret: &[u8; 32],
    nonce: [u8; 12],
    associated: &[u8],
    bytes: &mut Vec<u8>,
) -> Result<(), Broken> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    let plain_len = key(secret)?
        .open_in_place(nonce, Aad::from(associated), bytes)
        .map_err(|_| Broken)?
        .len();
    bytes.truncate(plain_len);
    Ok(())
}

/// Wraps a key under another.
pub(crate) fn wrap(
    under: &[u8; 32],
    nonce: [u8; 12],
    associated: &[u8],
    wrapped: &[u8; 32],
) -> Result<[u8; WRAPPED_BYTES], Broken> {
    let mut bytes = [0; WRAPPED_BYTES];
    let (body, tag_slot) = bytes.split_at_mut(32);
    body.copy_from_slice(wrapped);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key(under)?
        .seal_in_place_separate_tag(nonce, Aad::from(associated), body)
        .map_err(|_| Broken)?;
    tag_slot.copy_from_slice(tag.as_ref());
    Ok(bytes)
}

/// Unwraps what [`wrap`] made.
pub(crate) fn unwrap(
    under: &[u8; 32],
    nonce: [u8; 12],
    associated: &[u8],
    wrapped: &[u8; WRAPPED_BYTES],
) -> Result<Zeroizing<[u8; 32]>, Broken> {
    let mut bytes = Zeroizing::new(*wrapped);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let plain = key(under)?
        .open_in_place(nonce, Aad::from(associated), bytes.as_mut_slice())
        .map_err(|_| Broken)?;
    plain
        .first_chunk::<32>()
        .map(|secret| Zeroizing::new(*secret))
        .ok_or(Broken)
}
