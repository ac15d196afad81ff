//! From a request's bearer token, or its connection's certificate, to its principal, with a memory of tokens already
//! verified.
//!
//! Verifying costs about 60 µs, remembering well under one. Only successes are remembered, under the token's digest,
//! never past the token's end nor past a change of keys or revoked ids; tokens themselves are not kept.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use sokhoe_access::{Principal, SKEW_S, Trust};

use crate::error::Problem;
use crate::guard::Certified;
use crate::metrics::{Metrics, TokenSeen};

/// Verifies tokens and remembers the ones that held.
#[derive(Debug)]
pub(crate) struct Tokens {
    remembered_max: usize,
    known: RwLock<Known>,
}

/// Under one lock, so that nothing is remembered of a trust that was replaced meanwhile.
#[derive(Debug)]
struct Known {
    trust: Arc<Trust>,
    remembered: HashMap<[u8; 32], Arc<Principal>>,
}

impl Tokens {
    pub(crate) fn new(trust: Trust, remembered_max: usize) -> Self {
        Self {
            remembered_max,
            known: RwLock::new(Known {
                trust: Arc::new(trust),
                remembered: HashMap::new(),
            }),
        }
    }

    /// Believes others from now on; every token is looked at again.
    pub(crate) fn trust_anew(&self, trust: Trust) {
        let mut known = self.write();
        known.trust = Arc::new(trust);
        known.remembered.clear();
    }

    /// Returns who the request speaks for: by its token, or without one by the certificate of its connection.
    pub(crate) fn principal(
        &self,
        request: &Request,
        now_s: i64,
        metrics: &Metrics,
    ) -> Result<Arc<Principal>, Problem> {
        let headers = request.headers();
        if let Some(Certified(principal)) = request.extensions().get()
            && !headers.contains_key(header::AUTHORIZATION)
        {
            return Ok(Arc::clone(principal));
        }
        let token = bearer(headers)?;
        let key = *blake3::hash(token.as_bytes()).as_bytes();
        let trust = {
            let known = self.read();
            let remembered = known.remembered.get(&key);
            if let Some(principal) = remembered.filter(|principal| lives(principal, now_s)) {
                metrics.token(TokenSeen::Remembered);
                return Ok(Arc::clone(principal));
            }
            Arc::clone(&known.trust)
        };
        match trust.verify(token, now_s) {
            Ok(principal) => {
                metrics.token(TokenSeen::Verified);
                let principal = Arc::new(principal);
                self.remember(&trust, key, Arc::clone(&principal), now_s);
                Ok(principal)
            }
            Err(error) => {
                metrics.token(TokenSeen::Refused);
                let because = error.to_string();
                tracing::info!(because, "a token was refused");
                Err(Problem::unauthenticated(because))
            }
        }
    }

    fn remember(&self, trust: &Arc<Trust>, key: [u8; 32], principal: Arc<Principal>, now_s: i64) {
        let mut known = self.write();
        if !Arc::ptr_eq(&known.trust, trust) {
            return;
        }
        let remembered = &mut known.remembered;
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

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
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
    use sokhoe_access::{Claims, Issuer, Revoked, Role};

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

    fn with(value: &str) -> Request {
        let mut request = Request::default();
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().append(header::AUTHORIZATION, value);
        request
    }

    fn tokens(remembered_max: usize) -> (Tokens, Metrics) {
        let trust = trust(Revoked::default());
        (
            Tokens::new(trust, remembered_max),
            Metrics::new(std::iter::empty()),
        )
    }

    fn trust(revoked: Revoked) -> Trust {
        let built_in = Issuer::from_seed(&[7; 32]).verifier();
        Trust::new(built_in, Vec::new(), Arc::new(revoked))
    }

    #[test]
    fn a_remembered_token_that_is_revoked_is_refused_from_then_on() {
        let (tokens, metrics) = tokens(10);
        let (one, other) = (
            with(&format!("Bearer {}", token(1))),
            with(&format!("Bearer {}", token(2))),
        );
        assert!(tokens.principal(&one, NOW_S, &metrics).is_ok());
        tokens.trust_anew(trust(Revoked::parse(b"1\n").unwrap()));
        let refused = tokens.principal(&one, NOW_S, &metrics).unwrap_err();
        assert_eq!(refused.kind(), Kind::Unauthenticated);
        assert!(tokens.principal(&other, NOW_S, &metrics).is_ok());
        tokens.trust_anew(trust(Revoked::default()));
        assert!(tokens.principal(&one, NOW_S, &metrics).is_ok());
    }

    #[test]
    fn what_was_verified_under_an_older_trust_is_not_remembered() {
        let (tokens, metrics) = tokens(10);
        let before = Arc::clone(&tokens.read().trust);
        let headers = with(&format!("Bearer {}", token(1)));
        let principal = tokens.principal(&headers, NOW_S, &metrics).unwrap();
        tokens.trust_anew(trust(Revoked::parse(b"1\n").unwrap()));
        tokens.remember(&before, [0; 32], principal, NOW_S);
        assert!(tokens.read().remembered.is_empty());
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
    fn a_certificate_speaks_where_no_token_does() {
        let (tokens, metrics) = tokens(10);
        let account = sokhoe_access::SystemAccount {
            name: "his.example.vn".to_owned(),
            account: "by-certificate".to_owned(),
            role: Role::Hospital,
            facility: Some("99001".to_owned()),
        };
        let certified = |mut request: Request| {
            let system = Certified(Arc::new(account.principal()));
            request.extensions_mut().insert(system);
            tokens.principal(&request, NOW_S, &metrics)
        };
        assert_eq!(certified(Request::default()).unwrap().sub, "by-certificate");
        let both = certified(with(&format!("Bearer {}", token(1))));
        assert_eq!(both.unwrap().sub, "his");
        assert!(
            certified(with("Bearer x.y.z")).is_err(),
            "no way round a bad token"
        );
    }

    #[test]
    fn the_memory_is_bounded() {
        let (tokens, metrics) = tokens(4);
        for jti in 0..20 {
            let headers = with(&format!("bearer {}", token(jti)));
            assert!(tokens.principal(&headers, NOW_S, &metrics).is_ok());
            assert!(tokens.read().remembered.len() <= 4);
        }
    }

    #[test]
    fn anything_but_one_bearer_token_is_refused() {
        let (tokens, metrics) = tokens(4);
        let mut twice = with(&format!("Bearer {}", token(1)));
        twice
            .headers_mut()
            .append(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        let all = [
            Request::default(),
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
