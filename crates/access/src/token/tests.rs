//! Attacks on tokens: each is refused, and for the reason that is said.

mod providers;

use super::*;

const NOW_S: i64 = 1_800_000_000;
const PERSON: &str = "0192f0c1-7a3b-4c11-9e2f-0242ac120002";

fn issuer() -> Issuer {
    Issuer::from_seed(&[7; 32])
}

fn hospital() -> Claims {
    Claims {
        sub: "his".to_owned(),
        role: Role::Hospital,
        facility: Some("99001".to_owned()),
        jurisdiction: None,
        person: None,
        study: None,
        jti: "1".to_owned(),
        not_before_s: NOW_S,
        expires_at_s: NOW_S + 3600,
    }
}

/// A body that verifies, for an attack to change.
fn body() -> serde_json::Value {
    serde_json::json!({
        "iss": "sokhoe", "aud": "sokhoe", "sub": "his", "exp": NOW_S + 3600, "nbf": NOW_S,
        "jti": "1", "role": "hospital", "facility": "99001"
    })
}

fn signed(body: &str) -> Result<Principal, TokenError> {
    issuer()
        .verifier()
        .verify(&issuer().sign(HEADER, body), NOW_S)
}

fn with(claim: &str, value: serde_json::Value) -> Result<Principal, TokenError> {
    let mut body = body();
    body[claim] = value;
    signed(&body.to_string())
}

#[test]
fn an_issued_token_verifies_as_its_claims() {
    let token = issuer().issue(&hospital()).unwrap();
    let principal = issuer().verifier().verify(&token, NOW_S).unwrap();
    assert_eq!(principal.role, Role::Hospital);
    assert_eq!(principal.facility.as_deref(), Some("99001"));
    assert_eq!(principal.sender, "hospital:his@99001");
    assert_eq!(principal.expires_at_s, NOW_S + 3600);
}

#[test]
fn a_citizen_token_carries_its_person() {
    let person = PERSON.parse().ok();
    let claims = Claims {
        role: Role::Citizen,
        facility: None,
        person,
        ..hospital()
    };
    let token = issuer().issue(&claims).unwrap();
    assert_eq!(
        issuer().verifier().verify(&token, NOW_S).unwrap().person,
        person
    );
}

#[test]
fn another_algorithm_is_refused_even_with_our_signature() {
    for alg in ["none", "None", "HS256", "RS256", "ES256", "eddsa", ""] {
        let header = serde_json::json!({"alg": alg, "typ": "JWT"}).to_string();
        let token = issuer().sign(&header, &body().to_string());
        assert_eq!(
            issuer().verifier().verify(&token, NOW_S),
            Err(TokenError::Algorithm),
            "{alg}"
        );
    }
}

#[test]
fn an_unsigned_token_is_refused() {
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let header = URL_SAFE_NO_PAD.encode(HEADER);
    let body = URL_SAFE_NO_PAD.encode(body().to_string());
    let verify = |token: String| issuer().verifier().verify(&token, NOW_S);
    assert_eq!(
        verify(format!("{none}.{body}.")),
        Err(TokenError::Algorithm)
    );
    assert_eq!(
        verify(format!("{header}.{body}.")),
        Err(TokenError::Signature)
    );
    assert_eq!(
        verify(format!("{header}.{body}")),
        Err(TokenError::Malformed)
    );
}

#[test]
fn a_header_with_more_in_it_is_refused() {
    for header in [
        r#"{"alg":"EdDSA","jwk":{"kty":"OKP"}}"#,
        r#"{"alg":"EdDSA","crit":["b64"]}"#,
        r#"{"alg":"none","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt"}"#,
        r#"{"typ":"JWT"}"#,
    ] {
        let token = issuer().sign(header, &body().to_string());
        assert_eq!(
            issuer().verifier().verify(&token, NOW_S),
            Err(TokenError::Malformed)
        );
    }
}

#[test]
fn a_foreign_key_is_refused() {
    let token = Issuer::from_seed(&[8; 32]).issue(&hospital()).unwrap();
    assert_eq!(
        issuer().verifier().verify(&token, NOW_S),
        Err(TokenError::Signature)
    );
}

#[test]
fn an_altered_payload_is_refused() {
    let token = issuer().issue(&hospital()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let mut body = body();
    body["role"] = "admin".into();
    let forged = URL_SAFE_NO_PAD.encode(body.to_string());
    let forged = format!("{}.{forged}.{}", parts[0], parts[2]);
    assert_eq!(
        issuer().verifier().verify(&forged, NOW_S),
        Err(TokenError::Signature)
    );
}

#[test]
fn every_flipped_character_is_refused() {
    let token = issuer().issue(&hospital()).unwrap();
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(bytes).unwrap();
        assert!(
            issuer().verifier().verify(&forged, NOW_S).is_err(),
            "at {at}"
        );
    }
}

#[test]
fn times_bind_with_a_minute_of_skew() {
    let token = issuer().issue(&hospital()).unwrap();
    let verify = |now_s| issuer().verifier().verify(&token, now_s);
    assert!(verify(NOW_S - SKEW_S).is_ok());
    assert_eq!(verify(NOW_S - SKEW_S - 1), Err(TokenError::NotYet));
    assert!(verify(NOW_S + 3600 + SKEW_S - 1).is_ok());
    assert_eq!(verify(NOW_S + 3600 + SKEW_S), Err(TokenError::Expired));
}

#[test]
fn times_are_integers() {
    for claim in ["exp", "nbf"] {
        for value in [
            serde_json::json!("1900000000"),
            serde_json::json!(1.9e9),
            true.into(),
        ] {
            assert_eq!(with(claim, value), Err(TokenError::Malformed));
        }
        assert_eq!(
            with(claim, serde_json::Value::Null),
            Err(TokenError::MissingClaim { claim })
        );
    }
}

#[test]
fn a_foreign_issuer_or_audience_is_refused() {
    assert_eq!(with("iss", "other".into()), Err(TokenError::ForeignIssuer));
    assert_eq!(
        with("aud", "other".into()),
        Err(TokenError::ForeignAudience)
    );
    assert_eq!(
        with("aud", serde_json::json!(["sokhoe"])),
        Err(TokenError::Malformed)
    );
}

#[test]
fn a_missing_claim_is_named() {
    for claim in ["iss", "aud", "sub", "exp", "nbf", "jti", "role", "facility"] {
        let mut body = body();
        body.as_object_mut().unwrap().remove(claim);
        assert_eq!(
            signed(&body.to_string()),
            Err(TokenError::MissingClaim { claim })
        );
    }
    assert_eq!(
        with("role", "citizen".into()),
        Err(TokenError::MissingClaim { claim: "person" })
    );
    assert_eq!(
        with("role", "root".into()),
        Err(TokenError::BadClaim { claim: "role" })
    );
    assert_eq!(
        with("sub", "".into()),
        Err(TokenError::BadClaim { claim: "sub" })
    );
    assert_eq!(
        with("sub", "a\nb".into()),
        Err(TokenError::BadClaim { claim: "sub" })
    );
    assert_eq!(
        with("person", "42".into()),
        Err(TokenError::BadClaim { claim: "person" })
    );
}

#[test]
fn a_token_names_one_facility() {
    let facilities = serde_json::json!(["99001", "99002"]);
    assert_eq!(
        with("facility", facilities),
        Err(TokenError::SeveralFacilities)
    );
    assert_eq!(
        with("facility", serde_json::json!(["99001"])),
        Err(TokenError::BadClaim { claim: "facility" })
    );
    let twice = body().to_string().replace(
        r#""facility":"99001""#,
        r#""facility":"99001","facility":"99002""#,
    );
    assert_eq!(signed(&twice), Err(TokenError::Malformed));
}

#[test]
fn rubbish_is_refused() {
    let verifier = issuer().verifier();
    for token in ["", ".", "..", "...", "a.b.c", "eyJ9.e30.e30", "ü.ü.ü"] {
        assert!(verifier.verify(token, NOW_S).is_err(), "{token}");
    }
    let long = "a".repeat(TOKEN_BYTES_MAX + 1);
    assert_eq!(verifier.verify(&long, NOW_S), Err(TokenError::TooLong));
}

#[test]
fn what_cannot_be_verified_is_not_issued() {
    let claims = Claims {
        facility: None,
        ..hospital()
    };
    assert_eq!(
        issuer().issue(&claims),
        Err(TokenError::MissingClaim { claim: "facility" })
    );
}
