//! Whose tokens are believed: the built-in issuer's and the providers', but for those that were taken back.
//!
//! A value that is made anew when keys or the list of revoked ids change. Invariant: a token is verified with the keys
//! of the issuer that it names and of no other; nothing else of it is read before its signature holds.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;

use super::claims::CLAIM_BYTES_MAX;
use super::{ISSUER, Parts, Provider, TokenError, Verifier, decode};
use crate::principal::Principal;

/// The most token ids that a list of revoked ones may hold.
const REVOKED_MAX: usize = 1_000_000;

/// The largest list of revoked token ids that is read, in bytes.
pub const REVOKED_BYTES_MAX: usize = 64 << 20;

/// Why a list of revoked token ids is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RevokedError {
    /// Not UTF-8.
    #[error("not a text in UTF-8")]
    NotText,
    /// A line that no token's id can be.
    #[error("line {line} is longer than an id can be ({CLAIM_BYTES_MAX} bytes)")]
    TooLong {
        /// The line, from 1.
        line: usize,
    },
    /// More than a million ids.
    #[error("more than {REVOKED_MAX} ids; ids of tokens that have expired may be left out")]
    TooMany,
}

/// Ids of tokens that were taken back, whoever issued them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    ids: HashSet<Box<str>>,
}

impl Revoked {
    /// Reads a list: one token id (`jti`) a line; empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// [`RevokedError`]: no text, a line that can be no id, too many.
    pub fn parse(text: &[u8]) -> Result<Self, RevokedError> {
        let text = str::from_utf8(text).map_err(|_| RevokedError::NotText)?;
        let mut ids = HashSet::new();
        for (index, line) in text.lines().enumerate() {
            let id = line.trim();
            if id.is_empty() || id.starts_with('#') {
                continue;
            }
            if id.len() > CLAIM_BYTES_MAX {
                return Err(RevokedError::TooLong { line: index + 1 });
            }
            ids.insert(id.into());
            if ids.len() > REVOKED_MAX {
                return Err(RevokedError::TooMany);
            }
        }
        Ok(Self { ids })
    }

    /// Returns how many ids the list holds.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// Whether the token of this id was taken back.
    #[must_use]
    pub fn contains(&self, jti: &str) -> bool {
        self.ids.contains(jti)
    }
}

/// Everything that a token is verified against.
#[derive(Debug, Clone)]
pub struct Trust {
    built_in: Verifier,
    providers: Vec<Provider>,
    revoked: Arc<Revoked>,
}

#[derive(Deserialize)]
struct WireIssuer {
    iss: Option<String>,
}

impl Trust {
    /// Trusts the built-in issuer and these providers; of two providers with one issuer the first counts.
    #[must_use]
    pub fn new(built_in: Verifier, providers: Vec<Provider>, revoked: Arc<Revoked>) -> Self {
        Self {
            built_in,
            providers,
            revoked,
        }
    }

    /// Verifies a token at a second since the Unix epoch and returns who it speaks for.
    ///
    /// Costs about 60 µs; callers on a hot path keep a memory, and empty it when they get another trust.
    ///
    /// # Errors
    /// [`TokenError`] says which check failed first.
    pub fn verify(&self, token: &str, now_s: i64) -> Result<Principal, TokenError> {
        let parts = Parts::of(token)?;
        let principal = match self.provider_of(&parts)? {
            Some(provider) => provider.verify(&parts, now_s)?,
            None => self.built_in.verify_parts(&parts, now_s)?,
        };
        if self.revoked.contains(&principal.jti) {
            return Err(TokenError::Revoked);
        }
        Ok(principal)
    }

    /// Finds the provider whose keys the token asks to be verified with; `None` for the built-in issuer. The claim is
    /// compared with names of the configuration and nothing else; it is believed once the signature holds.
    fn provider_of(&self, parts: &Parts<'_>) -> Result<Option<&Provider>, TokenError> {
        let wire: WireIssuer =
            serde_json::from_slice(&decode(parts.body)?).map_err(|_| TokenError::Malformed)?;
        let issuer = wire.iss.ok_or(TokenError::MissingClaim { claim: "iss" })?;
        if issuer == ISSUER {
            return Ok(None);
        }
        let mut providers = self.providers.iter();
        let named = providers.find(|provider| provider.terms().issuer == issuer);
        named.map(Some).ok_or(TokenError::ForeignIssuer)
    }
}
