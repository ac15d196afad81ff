//! Stream keys, sealing and opening of payloads, and destroying keys.
//!
//! Owns the key folder (described byte for byte in `KEYS.md`) and the randomness of keys and salts. Refuses to know what is sealed. Invariants: a key is on disk before the
//! first frame under it is; no key is on disk unwrapped but the root; any flipped bit in the
//! folder is detected and named; a destroyed key differs from a missing one.
#![deny(clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod aead;
mod blob;
mod check;
mod error;
mod file;
mod generation;
mod journal;
mod key_service;
mod keyring;
mod manifest;
mod padding;
mod random;
mod seal;
mod sealed_file;
mod secrets;
mod shard;
mod vault;

pub use blob::{BLOB_BYTES_MAX, BlobDigest, BlobError, SealedBlob};
pub use check::{KeyFilesChecked, check_key_files, unused_by};
pub use error::{KeyError, VaultError};
pub use file::KeyFolder;
pub use key_service::{KeyService, KeyServiceError, RootKey};
pub use padding::padded_len;
pub use seal::{
    EventSecret, OpenError, PLAINTEXT_BYTES_MAX, SealError, Sealed, StreamKey, open_event,
    open_with_secret, seal_event,
};
pub use secrets::LogSecrets;
pub use vault::{Opened, Vault};
