//! From a request's bearer token to its principal, with a memory of tokens already verified.
//!
//! Verifying costs about 60 µs, remembering well under one. Only successes are remembered, under the token's digest,
//! never past the token's end; tokens themselves are not kept.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::{HeaderMap, header};
use sokhoe_access::{Principal, SKEW_S, Verifier};

use crate::error::Problem;
use crate::metrics::{Metrics, TokenSeen};

/// Verifies tokens and remembers the ones that held.
#[derive(Debug)]
pub(crate) struct Tokens {
    verifier: Verifier,
    remembered_max: usize,
    remembered: RwLock<HashMap<[u8; 32], Arc<Principal>>>,
}

impl Tokens {
    pub(crate) fn new(verifier: Verifier, remembered_max: usize) -> Self {
        Self {
            verifier,
            remembered_max,
            remembered: RwLock::default(),
        }
    }

    /// Returns who the request speaks for.
    pub(crate) fn principal(
        &self,
        headers: &HeaderMap,
        now_s: i64,
        metrics: &Metrics,
    ) -> Result<Arc<Principal>, Problem> {
        let token = bearer(headers)?;
        let key = *blake3::hash(token.as_bytes()).as_bytes();
        if let Some(principal) = self.recall(&key, now_s) {
            metrics.token(TokenSeen::Remembered);
            return Ok(principal);
        }
        match self.verifier.verify(token, now_s) {
            Ok(principal) => {
                metrics.token(TokenSeen::Verified);
                let principal = Arc::new(principal);
                self.remember(key, Arc::clone(&principal), now_s);
                Ok(principal)
            }
            Err(error) => {
                metrics.token(TokenSeen::Refused);
                Err(Problem::unauthenticated(error.to_string()))
            }
        }
    }

    fn recall(&self, key: &[u8; 32], now_s: i64) -> Option<Arc<Principal>> {
        let remembered = self
            .remembered
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let principal = remembered.get(key)?;
        lives(principal, now_s).then(|| Arc::clone(principal))
    }

    fn remember(&self, key: [u8; 32], principal: Arc<Principal>, now_s: i64) {
        let mut remembered = self
            .remembered
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= self.remembered_max {
            remembered.retain(|_, principal| lives(principal, now_s));
        }
        if remembered.len() >= self.remembered_max {
            // Many live tokens: forgetting half keeps the cost of this small on average.
            let mut keep = false;
            remembered.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        remembered.insert(key, principal);
    }
}

fn lives(principal: &Principal, now_s: i64) -> bool {
    now_s < principal.expires_at_s.saturating_add(SKEW_S)
}

/// Takes the token out of the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Problem::unauthenticated(
            "send the header Authorization: Bearer <token>",
        ));
    };
    if values.next().is_some() {
        return Err(Problem::unauthenticated(
            "send one Authorization header, not several",
        ));
    }
    let scheme_and_token = value.to_str().ok().and_then(|text| text.split_once(' '));
    match scheme_and_token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Problem::unauthenticated(
            "the Authorization header is not of the form Bearer <token>",
        )),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use sokhoe_access::{Claims, Issuer, Role};

    use super::*;
    use crate::error::Kind;

    const NOW_S: i64 = 1_800_000_000;

    fn token(jti: usize) -> String {
        let claims = Claims {
            sub: "his".to_owned(),
            role: Role::Hospital,
            facility: Some("99001".to_owned()),
            jurisdiction: None,
            person: None,
            study: None,
            jti: jti.to_string(),
            not_before_s: NOW_S,
            expires_at_s: NOW_S + 600,
        };
        Issuer::from_seed(&[7; 32]).issue(&claims).unwrap()
    }

    fn with(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        headers
    }

    fn tokens(remembered_max: usize) -> (Tokens, Metrics) {
        let verifier = Issuer::from_seed(&[7; 32]).verifier();
        (
            Tokens::new(verifier, remembered_max),
            Metrics::new(std::iter::empty()),
        )
    }

    #[test]
    fn a_remembered_token_ends_when_it_says() {
        let (tokens, metrics) = tokens(10);
        let headers = with(&format!("Bearer {}", token(1)));
        assert!(tokens.principal(&headers, NOW_S, &metrics).is_ok());
        assert!(tokens.principal(&headers, NOW_S + 600, &metrics).is_ok());
        let late = tokens
            .principal(&headers, NOW_S + 600 + SKEW_S, &metrics)
            .unwrap_err();
        assert_eq!(late.kind(), Kind::Unauthenticated);
    }

    #[test]
    fn the_memory_is_bounded() {
        let (tokens, metrics) = tokens(4);
        for jti in 0..20 {
            let headers = with(&format!("bearer {}", token(jti)));
            assert!(tokens.principal(&headers, NOW_S, &metrics).is_ok());
            assert!(tokens.remembered.read().unwrap().len() <= 4);
        }
    }

    #[test]
    fn anything_but_one_bearer_token_is_refused() {
        let (tokens, metrics) = tokens(4);
        let mut twice = with(&format!("Bearer {}", token(1)));
        twice.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        let all = [
            HeaderMap::new(),
            with("Basic eDp5"),
            with("Bearer"),
            with("Bearer x.y.z"),
            twice,
        ];
        for headers in all {
            assert!(
                tokens.principal(&headers, NOW_S, &metrics).is_err(),
                "{headers:?}"
            );
        }
    }
}
