//! An OpenID provider beside the built-in issuer: what is believed of its tokens, and no more than that.
//!
//! A provider vouches for the roles and facilities that it was configured for; a hospital's sign-in server says
//! nothing about another hospital's staff. Its accounts carry its name, so that they are never those of another issuer.

use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;

use super::claims::{CLAIM_BYTES_MAX, Expected, WireClaims, principal_at};
use super::keys::{Algorithm, KeySet};
use super::{ISSUER, Parts, TokenError, decode};
use crate::principal::{Principal, Role};

/// Values of `amr` (RFC 8176) that say that more than something known was asked for: several factors, a code that is
/// valid once, a key in hardware or software that proved itself, a smart card.
const MULTI_FACTOR_AMR: &[&str] = &["mfa", "otp", "hwk", "swk", "sc"];
/// The longest name of a provider, in bytes.
const NAME_BYTES_MAX: usize = 32;

/// What is believed of one provider; made by the operator, checked by [`ProviderTerms::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderTerms {
    /// Its short name, which stands before its accounts' names in the log: lower-case letters, digits, `-`.
    pub name: String,
    /// The issuer that its tokens name, byte for byte.
    pub issuer: String,
    /// The audience that its tokens must name.
    pub audience: String,
    /// How its tokens may be signed; a token has no say in it.
    pub algorithms: Vec<Algorithm>,
    /// The roles that it may vouch for.
    pub roles: Vec<Role>,
    /// The facilities that it may vouch for; `None` for all.
    pub facilities: Option<Vec<String>>,
    /// The roles whose tokens must say that the account signed in with more than one factor.
    pub multi_factor_roles: Vec<Role>,
    /// Values of `acr` by which the provider says so; values of `amr` are known (RFC 8176).
    pub multi_factor_acr: Vec<String>,
}

/// Why a provider's terms are not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TermsError {
    /// The name is empty, too long or has other characters.
    #[error("the name must be 1 to {NAME_BYTES_MAX} lower-case letters, digits and -")]
    Name,
    /// The issuer is empty, too long or that of the built-in issuer.
    #[error("the issuer must be 1 to {CLAIM_BYTES_MAX} bytes and another than \"{ISSUER}\"")]
    Issuer,
    /// The audience is empty or too long.
    #[error("the audience must be 1 to {CLAIM_BYTES_MAX} bytes")]
    Audience,
    /// No algorithm.
    #[error("name at least one algorithm: EdDSA, ES256, RS256")]
    NoAlgorithm,
    /// No role.
    #[error("name at least one role that the provider may vouch for")]
    NoRole,
}

impl ProviderTerms {
    /// The roles of people who work with others' records or figures, for whom a password alone is too little; the
    /// roles of systems (`hospital`, `dashboard`) and of people who see their own record are not among them.
    pub const STAFF_ROLES: &'static [Role] = &[
        Role::Clinician,
        Role::Station,
        Role::Auditor,
        Role::Epidemiologist,
        Role::Researcher,
        Role::Department,
        Role::Admin,
        Role::Operator,
    ];

    /// Checks the terms.
    ///
    /// # Errors
    /// [`TermsError`] says what is wrong and what would be right.
    pub fn check(&self) -> Result<(), TermsError> {
        let fits = |text: &str| (1..=CLAIM_BYTES_MAX).contains(&text.len());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let name = (1..=NAME_BYTES_MAX).contains(&self.name.len());
        if !name || !self.name.bytes().all(plain) {
            return Err(TermsError::Name);
        }
        if !fits(&self.issuer) || self.issuer == ISSUER {
            return Err(TermsError::Issuer);
        }
        if !fits(&self.audience) {
            return Err(TermsError::Audience);
        }
        if self.algorithms.is_empty() {
            return Err(TermsError::NoAlgorithm);
        }
        if self.roles.is_empty() {
            return Err(TermsError::NoRole);
        }
        Ok(())
    }
}

/// A provider with its present keys; cheap to make anew when the keys change.
#[derive(Debug, Clone)]
pub struct Provider {
    terms: Arc<ProviderTerms>,
    keys: Arc<KeySet>,
    account_prefix: String,
}

/// A provider's header. `kid` names a key of the configured set and is never a path or an address; fields that would
/// bring a key along or change how the token is read are refused, not ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHeader {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    /// Digests of certificates, which some issuers add and nothing here depends on.
    #[serde(rename = "x5t")]
    _x5t: Option<serde::de::IgnoredAny>,
    #[serde(rename = "x5t#S256")]
    _x5t_s256: Option<serde::de::IgnoredAny>,
}

impl Provider {
    /// Makes a provider of these terms and keys.
    #[must_use]
    pub fn new(terms: Arc<ProviderTerms>, keys: Arc<KeySet>) -> Self {
        let account_prefix = format!("{}/", terms.name);
        Self {
            terms,
            keys,
            account_prefix,
        }
    }

    /// Returns what is believed of the provider.
    #[must_use]
    pub fn terms(&self) -> &ProviderTerms {
        &self.terms
    }

    /// Verifies a token of this provider at a second since the Unix epoch.
    pub(super) fn verify(&self, parts: &Parts<'_>, now_s: i64) -> Result<Principal, TokenError> {
        let header: WireHeader =
            serde_json::from_slice(&decode(parts.header)?).map_err(|_| TokenError::Malformed)?;
        let algorithm = Algorithm::of_word(&header.alg)
            .filter(|algorithm| self.terms.algorithms.contains(algorithm))
            .ok_or(TokenError::Algorithm)?;
        check_type(header.typ.as_deref())?;
        let signature = decode(parts.signature)?;
        let kid = header.kid.as_deref();
        self.keys
            .verify(algorithm, kid, parts.signed.as_bytes(), &signature)?;
        let wire: WireClaims =
            serde_json::from_slice(&decode(parts.body)?).map_err(|_| TokenError::Malformed)?;
        let multi_factor = self.multi_factor(&wire);
        let expected = Expected {
            issuer: &self.terms.issuer,
            audience: &self.terms.audience,
            audiences: true,
            account_prefix: &self.account_prefix,
        };
        let principal = principal_at(wire, expected, now_s)?;
        self.vouches(&principal)?;
        if !multi_factor && self.terms.multi_factor_roles.contains(&principal.role) {
            return Err(TokenError::OneFactor);
        }
        Ok(principal)
    }

    /// Whether the provider says that more than one factor was asked for.
    fn multi_factor(&self, wire: &WireClaims) -> bool {
        let methods = wire.amr.iter().flatten();
        let by_method = methods
            .into_iter()
            .any(|method| MULTI_FACTOR_AMR.contains(&method.as_str()));
        let class = wire.acr.as_ref();
        by_method || class.is_some_and(|class| self.terms.multi_factor_acr.contains(class))
    }

    fn vouches(&self, principal: &Principal) -> Result<(), TokenError> {
        if !self.terms.roles.contains(&principal.role) {
            return Err(TokenError::NotVouched { claim: "role" });
        }
        match (&self.terms.facilities, &principal.facility) {
            (Some(own), Some(facility)) if !own.contains(facility) => {
                Err(TokenError::NotVouched { claim: "facility" })
            }
            _ => Ok(()),
        }
    }
}

/// RFC 9068 names access tokens `at+jwt`; media types do not mind their case.
fn check_type(typ: Option<&str>) -> Result<(), TokenError> {
    match typ {
        None => Ok(()),
        Some(typ) if typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("at+jwt") => {
            Ok(())
        }
        Some(_) => Err(TokenError::Malformed),
    }
}
