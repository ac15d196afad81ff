//! Tokens: those of the built-in issuer, made and verified, and those of OpenID providers, verified.
//!
//! Owns the exact shape of a token: an algorithm that is fixed for its issuer, one issuer, one audience, integer times.
//! Refuses clocks, randomness and I/O: the present second, a token's id and the contents of files are passed in.
//! Invariant: no claim is believed before the signature over it has been verified; `iss` alone is read before, to
//! choose whose keys to verify it with.

mod claims;
mod keys;
mod provider;
mod trust;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::Deserialize;
use sokhoe_record::PersonId;
use thiserror::Error;

use crate::principal::{Principal, Role};
use claims::{Expected, OneOrMany, WireClaims, principal_at, principal_of};
pub use keys::{Algorithm, KEY_SET_BYTES_MAX, KeySet, KeySetError};
pub use provider::{Provider, ProviderTerms, TermsError};
pub use trust::{REVOKED_BYTES_MAX, Revoked, RevokedError, Trust};

/// The issuer that tokens of the built-in issuer name.
pub const ISSUER: &str = "sokhoe";
/// The audience that tokens of the built-in issuer name.
pub const AUDIENCE: &str = "sokhoe";
/// How far two clocks may be apart, in seconds, when a token begins or ends.
pub const SKEW_S: i64 = 60;
/// The longest token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4096;

const HEADER: &str = r#"{"alg":"EdDSA","typ":"JWT"}"#;
/// What the built-in issuer's tokens say of themselves.
const BUILT_IN: Expected<'static> = Expected {
    issuer: ISSUER,
    audience: AUDIENCE,
    audiences: false,
    account_prefix: "",
};

/// Why a token was not accepted; none of the messages repeats the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not three parts of base64url JSON with the claims' types.
    #[error("the token is malformed")]
    Malformed,
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token is too long")]
    TooLong,
    /// Any other algorithm than the issuer's own, `none` included.
    #[error("the token's algorithm is not one that its issuer signs with")]
    Algorithm,
    /// No key of the issuer has the name that the token says, or it says none and there are several.
    #[error("the token is signed with a key that is not among its issuer's")]
    UnknownKey,
    /// The signature does not belong to these bytes and this issuer's key.
    #[error("the token's signature does not hold")]
    Signature,
    /// The token has ended.
    #[error("the token has expired")]
    Expired,
    /// The token has not begun.
    #[error("the token is not valid yet")]
    NotYet,
    /// Another issuer.
    #[error("the token is from another issuer")]
    ForeignIssuer,
    /// Meant for another service.
    #[error("the token is for another audience")]
    ForeignAudience,
    /// More than one facility, between which nobody could choose.
    #[error(
        "the token names several facilities in the claim facility: ask for one that names the facility you act for"
    )]
    SeveralFacilities,
    /// The provider may not say this of anybody.
    #[error("the token's issuer may not vouch for its claim {claim}")]
    NotVouched {
        /// The claim's name.
        claim: &'static str,
    },
    /// The role needs a second factor, and the provider does not say that there was one.
    #[error("the role needs a sign-in with a second factor, stated in the claim amr or acr")]
    OneFactor,
    /// The token's id is on the list of those taken back.
    #[error("the token has been revoked")]
    Revoked,
    /// A required claim is missing.
    #[error("the token lacks the claim {claim}")]
    MissingClaim {
        /// The claim's name.
        claim: &'static str,
    },
    /// A claim is there but holds nothing usable.
    #[error("the token's claim {claim} is not usable")]
    BadClaim {
        /// The claim's name.
        claim: &'static str,
    },
}

/// What the issuer is asked to put into a token; issuer and audience are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The account.
    pub sub: String,
    /// What the caller is.
    pub role: Role,
    /// The facility; required for staff.
    pub facility: Option<String>,
    /// The administrative unit.
    pub jurisdiction: Option<String>,
    /// The person; required for citizens and guardians.
    pub person: Option<PersonId>,
    /// The study.
    pub study: Option<String>,
    /// A unique id for the token; the caller brings the randomness.
    pub jti: String,
    /// When the token begins, seconds since the Unix epoch.
    pub not_before_s: i64,
    /// When the token ends, seconds since the Unix epoch.
    pub expires_at_s: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHeader {
    alg: String,
    typ: Option<String>,
}

/// The built-in issuer: signs tokens with one Ed25519 key.
pub struct Issuer {
    key: Ed25519KeyPair,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer(..)")
    }
}

impl Issuer {
    /// Makes the issuer whose key grows from this seed.
    ///
    /// # Panics
    /// Never: any 32 bytes are an Ed25519 seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(seed);
        Self {
            key: key.expect("any 32 bytes are an Ed25519 seed"),
        }
    }

    /// Returns the verifier of this issuer's tokens.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let mut public_key = [0; 32];
        public_key.copy_from_slice(self.key.public_key().as_ref());
        Verifier { public_key }
    }

    /// Signs a token with these claims.
    ///
    /// # Errors
    /// Refuses claims that [`Verifier::verify`] would refuse for a missing or unusable claim.
    pub fn issue(&self, claims: &Claims) -> Result<String, TokenError> {
        let wire = WireClaims {
            iss: Some(ISSUER.to_owned()),
            aud: Some(OneOrMany::One(AUDIENCE.to_owned())),
            sub: Some(claims.sub.clone()),
            exp: Some(claims.expires_at_s),
            nbf: Some(claims.not_before_s),
            jti: Some(claims.jti.clone()),
            role: Some(claims.role.word().to_owned()),
            facility: claims.facility.clone().map(OneOrMany::One),
            jurisdiction: claims.jurisdiction.clone(),
            person: claims.person.map(|person| person.to_string()),
            study: claims.study.clone(),
            amr: None,
            acr: None,
        };
        let body = serde_json::to_string(&wire).map_err(|_| TokenError::Malformed)?;
        principal_of(wire, BUILT_IN)?;
        Ok(self.sign(HEADER, &body))
    }

    fn sign(&self, header: &str, body: &str) -> String {
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(body, &mut token);
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        token
    }
}

/// Verifies the built-in issuer's tokens with its public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    public_key: [u8; 32],
}

impl Verifier {
    /// Makes a verifier of tokens under this public key.
    #[must_use]
    pub const fn new(public_key: [u8; 32]) -> Self {
        Self { public_key }
    }

    /// Verifies a token at a second since the Unix epoch and returns who it speaks for.
    ///
    /// Costs about 60 µs; callers on a hot path keep a cache.
    ///
    /// # Errors
    /// [`TokenError`] says which check failed first: shape, algorithm, signature, issuer, audience, times, claims.
    pub fn verify(&self, token: &str, now_s: i64) -> Result<Principal, TokenError> {
        self.verify_parts(&Parts::of(token)?, now_s)
    }

    fn verify_parts(&self, parts: &Parts<'_>, now_s: i64) -> Result<Principal, TokenError> {
        check_header(&decode(parts.header)?)?;
        let body = decode(parts.body)?;
        let signature = decode(parts.signature)?;
        UnparsedPublicKey::new(&ED25519, &self.public_key)
            .verify(parts.signed.as_bytes(), &signature)
            .map_err(|_| TokenError::Signature)?;
        let wire: WireClaims = serde_json::from_slice(&body).map_err(|_| TokenError::Malformed)?;
        principal_at(wire, BUILT_IN, now_s)
    }
}

/// A token taken apart, nothing of it decoded.
struct Parts<'a> {
    header: &'a str,
    body: &'a str,
    signature: &'a str,
    /// Header and body, over which the signature is.
    signed: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, body) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        Ok(Self {
            header,
            body,
            signature,
            signed,
        })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)
}

fn check_header(bytes: &[u8]) -> Result<(), TokenError> {
    let header: WireHeader = serde_json::from_slice(bytes).map_err(|_| TokenError::Malformed)?;
    if header.alg != "EdDSA" {
        return Err(TokenError::Algorithm);
    }
    match header.typ.as_deref() {
        None | Some("JWT") => Ok(()),
        Some(_) => Err(TokenError::Malformed),
    }
}

#[cfg(test)]
mod tests;
