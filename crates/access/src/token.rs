//! The built-in issuer's tokens: Ed25519 JWTs, made and verified.
//!
//! Owns the token's exact shape: `alg` is `EdDSA` and nothing else, one issuer, one audience, integer times.
//! Refuses clocks and randomness: the present second and the token's id are passed in.
//! Invariant: no claim is looked at before the signature over it has been verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sokhoe_record::PersonId;
use thiserror::Error;

use crate::principal::{Principal, Role, sender_of};

/// The issuer that tokens name.
pub const ISSUER: &str = "sokhoe";
/// The audience that tokens name.
pub const AUDIENCE: &str = "sokhoe";
/// How far two clocks may be apart, in seconds, when a token begins or ends.
pub const SKEW_S: i64 = 60;
/// The longest token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// The longest text of one claim, in bytes.
const CLAIM_BYTES_MAX: usize = 256;

const HEADER: &str = r#"{"alg":"EdDSA","typ":"JWT"}"#;

/// Why a token was not accepted; none of the messages repeats the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not three parts of base64url JSON with the claims' types.
    #[error("the token is malformed")]
    Malformed,
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token is too long")]
    TooLong,
    /// Any other algorithm than `EdDSA`, `none` included.
    #[error("the token's algorithm is not EdDSA")]
    Algorithm,
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

#[derive(Serialize, Deserialize, Default)]
struct WireClaims {
    iss: Option<String>,
    aud: Option<String>,
    sub: Option<String>,
    exp: Option<i64>,
    nbf: Option<i64>,
    jti: Option<String>,
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facility: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jurisdiction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    study: Option<String>,
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
            aud: Some(AUDIENCE.to_owned()),
            sub: Some(claims.sub.clone()),
            exp: Some(claims.expires_at_s),
            nbf: Some(claims.not_before_s),
            jti: Some(claims.jti.clone()),
            role: Some(claims.role.word().to_owned()),
            facility: claims.facility.clone(),
            jurisdiction: claims.jurisdiction.clone(),
            person: claims.person.map(|person| person.to_string()),
            study: claims.study.clone(),
        };
        let body = serde_json::to_string(&wire).map_err(|_| TokenError::Malformed)?;
        principal_of(wire)?;
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
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, body) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        check_header(&decode(header)?)?;
        let body = decode(body)?;
        let signature = decode(signature)?;
        UnparsedPublicKey::new(&ED25519, &self.public_key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| TokenError::Signature)?;
        let wire: WireClaims = serde_json::from_slice(&body).map_err(|_| TokenError::Malformed)?;
        let not_before_s = wire.nbf;
        let principal = principal_of(wire)?;
        check_times(not_before_s, principal.expires_at_s, now_s)?;
        Ok(principal)
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

fn check_times(nbf: Option<i64>, exp: i64, now_s: i64) -> Result<(), TokenError> {
    let not_before_s = nbf.ok_or(TokenError::MissingClaim { claim: "nbf" })?;
    if now_s >= exp.saturating_add(SKEW_S) {
        return Err(TokenError::Expired);
    }
    if now_s < not_before_s.saturating_sub(SKEW_S) {
        return Err(TokenError::NotYet);
    }
    Ok(())
}

/// Reads the claims as a principal; the one place where a claim becomes a value.
fn principal_of(wire: WireClaims) -> Result<Principal, TokenError> {
    if required(wire.iss, "iss")? != ISSUER {
        return Err(TokenError::ForeignIssuer);
    }
    if required(wire.aud, "aud")? != AUDIENCE {
        return Err(TokenError::ForeignAudience);
    }
    let sub = required(wire.sub, "sub")?;
    let expires_at_s = wire.exp.ok_or(TokenError::MissingClaim { claim: "exp" })?;
    wire.nbf.ok_or(TokenError::MissingClaim { claim: "nbf" })?;
    let jti = required(wire.jti, "jti")?;
    let role = required(wire.role, "role")?;
    let role: Role = role
        .parse()
        .map_err(|_| TokenError::BadClaim { claim: "role" })?;
    let facility = optional(wire.facility, "facility")?;
    let person = match optional(wire.person, "person")? {
        Some(text) => Some(
            text.parse()
                .map_err(|_| TokenError::BadClaim { claim: "person" })?,
        ),
        None => None,
    };
    if role.staff() && facility.is_none() {
        return Err(TokenError::MissingClaim { claim: "facility" });
    }
    if matches!(role, Role::Citizen | Role::Guardian) && person.is_none() {
        return Err(TokenError::MissingClaim { claim: "person" });
    }
    Ok(Principal {
        sender: sender_of(role, facility.as_deref(), &sub),
        sub,
        role,
        facility,
        jurisdiction: optional(wire.jurisdiction, "jurisdiction")?,
        person,
        study: optional(wire.study, "study")?,
        jti,
        expires_at_s,
    })
}

fn required(claim: Option<String>, name: &'static str) -> Result<String, TokenError> {
    optional(claim, name)?.ok_or(TokenError::MissingClaim { claim: name })
}

fn optional(claim: Option<String>, name: &'static str) -> Result<Option<String>, TokenError> {
    match claim {
        Some(text) if text.is_empty() || text.len() > CLAIM_BYTES_MAX => {
            Err(TokenError::BadClaim { claim: name })
        }
        Some(text) if text.chars().any(char::is_control) => {
            Err(TokenError::BadClaim { claim: name })
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests;
