//! `sokhoe token`: makes bearer tokens of the built-in issuer, beside a running server or without one.

use anyhow::Context;
use serde_json::json;
use sokhoe_access::{Claims, Issuer, Role};
use sokhoe_record::Instant;
use sokhoe_vault::LogSecrets;

use crate::arguments::TokenArguments;
use crate::clock;
use crate::config::{Config, Folders};
use crate::failure::{Outcome, usage};
use crate::folder;
use crate::output::Output;

pub(crate) fn run(
    arguments: &TokenArguments,
    config: &Config,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let folders = config.folders()?;
    check(arguments)?;
    let issuer = issuer(&folders)?;
    let claims = Claims {
        sub: arguments
            .subject
            .clone()
            .unwrap_or_else(|| arguments.role.to_string()),
        role: arguments.role,
        facility: arguments.facility.clone(),
        jurisdiction: arguments.jurisdiction.clone(),
        person: arguments.person,
        study: arguments.study.clone(),
        jti: uuid::Uuid::new_v4().to_string(),
        not_before_s: clock::now_s(),
        expires_at_s: clock::now_s() + i64::from(arguments.hours) * 3600,
    };
    let token = issuer.issue(&claims).context("sign the token")?;
    if arguments.json {
        let expires_at = Instant::from_micros(claims.expires_at_s.saturating_mul(1_000_000));
        output.json(&json!({
            "token": token, "role": claims.role.word(), "subject": claims.sub,
            "expires_at": expires_at,
        }))?;
    } else {
        output.line(token)?;
    }
    Ok(Outcome::Done)
}

/// Names the flag that a role needs, before the issuer speaks of claims.
fn check(arguments: &TokenArguments) -> anyhow::Result<()> {
    let role = arguments.role;
    let missing = if role.staff() && arguments.facility.is_none() {
        Some("--facility CODE")
    } else if matches!(role, Role::Citizen | Role::Guardian) && arguments.person.is_none() {
        Some("--person ID")
    } else {
        None
    };
    missing.map_or(Ok(()), |flag| {
        Err(usage(format!("a token for the role {role} needs {flag}")))
    })
}

/// The issuer of a data folder, by its key folder.
pub(crate) fn issuer(folders: &Folders) -> anyhow::Result<Issuer> {
    let meta = folder::meta(&folders.data)?;
    let secrets = LogSecrets::load(&folders.keys, meta.log_id)?;
    Ok(Issuer::from_seed(&secrets.issuer_seed()))
}
