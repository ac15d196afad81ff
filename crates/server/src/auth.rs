//! From a request's bearer token, or its connection's certificate, to its principal, with a memory of tokens already
//! verified.
//!
//! Verifying costs about 60 µs, remembering well under one. Only successes are remembered, under the token's digest,
//! never past the token's end nor past a change of keys or revoked ids; tokens themselves are not kept.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use sokhoe_access::{Principal, SKEW_S, Trust};

use crate::clock::steady_now;
use crate::config::Limits;
use crate::error::Problem;
use crate::guard::{Certified, Peer};
use crate::metrics::{Metrics, TokenSeen};
use crate::rate::{Allowances, Rate, neighbourhood};

/// Verifies tokens and remembers the ones that held, and how much each client asked for.
#[derive(Debug)]
pub(crate) struct Tokens {
    remembered_max: usize,
    known: RwLock<Known>,
    /// What accounts may ask for, by the digest of their names; `None` for no limit.
    accounts: Option<Allowances<[u8; 32]>>,
    /// What strangers may have refused, by where they come from.
    strangers: Allowances<IpAddr>,
}

/// Why a request has no principal.
enum Unknown {
    /// It said nothing usable.
    Refused(Problem),
    /// Too many before it did not, so it was not looked at.
    Unread(Duration),
}

/// Under one lock, so that nothing is remembered of a trust that was replaced meanwhile.
#[derive(Debug)]
struct Known {
    trust: Arc<Trust>,
    remembered: HashMap<[u8; 32], Arc<Principal>>,
}

impl Tokens {
    pub(crate) fn new(trust: Trust, limits: &Limits) -> Self {
        let accounts = limits.requests_per_s.map(|per_s| Rate {
            per_s,
            burst: per_s.saturating_mul(2),
        });
        let strangers = Rate {
            per_s: limits.refusals_per_s,
            burst: limits.refusals_burst,
        };
        Self {
            remembered_max: limits.tokens_max,
            known: RwLock::new(Known {
                trust: Arc::new(trust),
                remembered: HashMap::new(),
            }),
            accounts: accounts.map(|rate| Allowances::new(rate, limits.clients_max)),
            strangers: Allowances::new(strangers, limits.clients_max),
        }
    }

    /// Believes others from now on; every token is looked at again.
    pub(crate) fn trust_anew(&self, trust: Trust) {
        let mut known = self.write();
        known.trust = Arc::new(trust);
        known.remembered.clear();
    }

    /// Returns who the request speaks for, by its token, or without one by the certificate of its connection, as long as
    /// the client stays within its allowance.
    pub(crate) fn principal(
        &self,
        request: &Request,
        now_s: i64,
        metrics: &Metrics,
    ) -> Result<Arc<Principal>, Problem> {
        let peer = request.extensions().get().map(|Peer(address)| *address);
        let principal = match self.identify(request, peer, now_s, metrics) {
            Ok(principal) => principal,
            Err(Unknown::Unread(wait)) => return Err(too_many_refused(wait, metrics)),
            Err(Unknown::Refused(problem)) => {
                let peer = neighbourhood(peer.unwrap_or(UNKNOWN));
                let within = self.strangers.take(peer, steady_now());
                within.map_err(|wait| too_many_refused(wait, metrics))?;
                return Err(problem);
            }
        };
        if let Some(accounts) = &self.accounts {
            let account = *blake3::hash(principal.sender.as_bytes()).as_bytes();
            accounts.take(account, steady_now()).map_err(|wait| {
                metrics.rate_limited();
                let detail = "this account asks more often than it may; nothing was done; wait as Retry-After says";
                Problem::too_many(detail, wait)
            })?;
        }
        Ok(principal)
    }

    fn identify(
        &self,
        request: &Request,
        peer: Option<IpAddr>,
        now_s: i64,
        metrics: &Metrics,
    ) -> Result<Arc<Principal>, Unknown> {
        let headers = request.headers();
        if let Some(Certified(principal)) = request.extensions().get()
            && !headers.contains_key(header::AUTHORIZATION)
        {
            return Ok(Arc::clone(principal));
        }
        let token = bearer(headers).map_err(Unknown::Refused)?;
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
        // Behind loopback is a proxy: one of the many who come through it must not keep the others out.
        if let Some(peer) = peer.filter(|peer| !peer.is_loopback()) {
            let left = self.strangers.look(&neighbourhood(peer), steady_now());
            left.map_err(Unknown::Unread)?;
        }
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
                Err(Unknown::Refused(Problem::unauthenticated(because)))
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

/// What a request counts as whose peer nobody wrote down, in tests.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn too_many_refused(wait: Duration, metrics: &Metrics) -> Problem {
    metrics.rate_limited();
    let detail = "too many requests without a valid token came from this address; wait as Retry-After says, and send a valid one";
    Problem::too_many(detail, wait)
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

    fn tokens(tokens_max: usize) -> (Tokens, Metrics) {
        limited(&Limits {
            tokens_max,
            ..Limits::default()
        })
    }

    fn limited(limits: &Limits) -> (Tokens, Metrics) {
        let trust = trust(Revoked::default());
        (Tokens::new(trust, limits), Metrics::new(std::iter::empty()))
    }

    fn from(address: &str, mut request: Request) -> Request {
        let peer = Peer(address.parse().unwrap());
        request.extensions_mut().insert(peer);
        request
    }

    #[test]
    fn strangers_who_are_refused_too_often_wait_and_do_not_hurt_others() {
        let (tokens, metrics) = limited(&Limits {
            refusals_per_s: 1,
            refusals_burst: 2,
            ..Limits::default()
        });
        let ask = |address: &str, value: &str| {
            let asked = tokens.principal(&from(address, with(value)), NOW_S, &metrics);
            asked.map(|_| ()).map_err(|problem| problem.kind())
        };
        let known = format!("Bearer {}", token(1));
        for address in ["192.0.2.1", "127.0.0.1"] {
            assert_eq!(ask(address, &known), Ok(()));
            for _ in 0..2 {
                assert_eq!(ask(address, "Bearer x.y.z"), Err(Kind::Unauthenticated));
            }
            assert_eq!(ask(address, "Bearer x.y.z"), Err(Kind::TooMany));
            assert_eq!(ask(address, "Basic eDp5"), Err(Kind::TooMany));
            assert_eq!(ask(address, &known), Ok(()), "who is known comes in");
        }
        let good = format!("Bearer {}", token(2));
        // Elsewhere a token that was never seen waits like the bad ones; behind a proxy it does not.
        assert_eq!(ask("192.0.2.1", &good), Err(Kind::TooMany));
        assert_eq!(ask("127.0.0.1", &good), Ok(()));
        assert_eq!(ask("192.0.2.2", "Bearer x.y.z"), Err(Kind::Unauthenticated));
    }

    #[test]
    fn an_account_that_asks_too_often_waits_whatever_token_it_shows() {
        let (tokens, metrics) = limited(&Limits {
            requests_per_s: Some(1),
            ..Limits::default()
        });
        let ask = |jti| {
            let request = from("127.0.0.1", with(&format!("Bearer {}", token(jti))));
            tokens.principal(&request, NOW_S, &metrics)
        };
        assert!(ask(1).is_ok() && ask(2).is_ok());
        let refused = ask(3).unwrap_err();
        assert_eq!(refused.kind(), Kind::TooMany);
        let response = refused.respond(crate::error::Family::Plain, "1");
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
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
