//! From a verified token's claims to a principal: the one place where a claim becomes a value.
//!
//! Refuses what is missing, of another type, empty or too long; a text where a number belongs is no time.

use serde::{Deserialize, Serialize};

use super::{SKEW_S, TokenError};
use crate::principal::{Principal, Role, sender_of};

/// The longest text of one claim, in bytes.
pub(super) const CLAIM_BYTES_MAX: usize = 256;

/// The claims as they stand in a token; what else a token says is nobody's business here.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct WireClaims {
    pub(super) iss: Option<String>,
    pub(super) aud: Option<OneOrMany>,
    pub(super) sub: Option<String>,
    pub(super) exp: Option<i64>,
    pub(super) nbf: Option<i64>,
    pub(super) jti: Option<String>,
    pub(super) role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) facility: Option<OneOrMany>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jurisdiction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) person: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) study: Option<String>,
    /// How the account signed in (RFC 8176); read for providers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amr: Option<Vec<String>>,
    /// How strongly the account signed in, in its issuer's words; read for providers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acr: Option<String>,
}

/// A claim that some issuers write as a list.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What a token must say of where it comes from and for whom it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    /// Whether the audience may stand in a list; the built-in issuer writes none.
    pub(super) audiences: bool,
    /// What stands before the account's name, so that accounts of two issuers are never one.
    pub(super) account_prefix: &'a str,
}

/// Reads the claims as a principal at a second since the Unix epoch.
pub(super) fn principal_at(
    wire: WireClaims,
    expected: Expected<'_>,
    now_s: i64,
) -> Result<Principal, TokenError> {
    let not_before_s = wire.nbf;
    let principal = principal_of(wire, expected)?;
    check_times(not_before_s, principal.expires_at_s, now_s)?;
    Ok(principal)
}

/// Reads the claims as a principal, whatever the time is.
pub(super) fn principal_of(
    wire: WireClaims,
    expected: Expected<'_>,
) -> Result<Principal, TokenError> {
    if required(wire.iss, "iss")? != expected.issuer {
        return Err(TokenError::ForeignIssuer);
    }
    check_audience(wire.aud, expected)?;
    let sub = required(wire.sub, "sub")?;
    let sub = format!("{}{sub}", expected.account_prefix);
    let expires_at_s = wire.exp.ok_or(TokenError::MissingClaim { claim: "exp" })?;
    wire.nbf.ok_or(TokenError::MissingClaim { claim: "nbf" })?;
    let jti = required(wire.jti, "jti")?;
    let role: Role = required(wire.role, "role")?
        .parse()
        .map_err(|_| TokenError::BadClaim { claim: "role" })?;
    let facility = match wire.facility {
        Some(OneOrMany::Many(all)) if all.len() > 1 => return Err(TokenError::SeveralFacilities),
        Some(OneOrMany::Many(_)) => return Err(TokenError::BadClaim { claim: "facility" }),
        Some(OneOrMany::One(code)) => optional(Some(code), "facility")?,
        None => None,
    };
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

fn check_audience(aud: Option<OneOrMany>, expected: Expected<'_>) -> Result<(), TokenError> {
    let ours = match aud {
        None => return Err(TokenError::MissingClaim { claim: "aud" }),
        Some(OneOrMany::One(audience)) => audience == expected.audience,
        Some(OneOrMany::Many(_)) if !expected.audiences => return Err(TokenError::Malformed),
        Some(OneOrMany::Many(all)) => all.iter().any(|audience| audience == expected.audience),
    };
    ours.then_some(()).ok_or(TokenError::ForeignAudience)
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
