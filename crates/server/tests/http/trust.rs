//! Tokens of providers at a running server: keys that are rotated, tokens that are taken back, attacks that are counted.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use sokhoe_access::{Algorithm, Claims, ProviderTerms, Role};
use sokhoe_server::{ProviderFile, ServerConfig, TrustFiles};
use tempfile::TempDir;

use crate::house::{House, NOW_S, bearer_of, claims};
use crate::peer::{Answer, send};

/// A provider with a house that believes it.
struct Realm {
    house: House,
    folder: TempDir,
}

impl Realm {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.json");
        let revoked = folder.path().join("revoked");
        std::fs::write(&keys, key_set(&[(1, "a")])).unwrap();
        std::fs::write(&revoked, "# nobody\n").unwrap();
        let terms = ProviderTerms {
            name: "moh".to_owned(),
            issuer: "https://id.example.vn".to_owned(),
            audience: "sokhoe".to_owned(),
            algorithms: vec![Algorithm::EdDsa],
            roles: vec![Role::Clinician, Role::Hospital],
            facilities: None,
            multi_factor_roles: ProviderTerms::STAFF_ROLES.to_vec(),
            multi_factor_acr: Vec::new(),
        };
        let config = ServerConfig {
            trust: TrustFiles {
                providers: vec![ProviderFile { terms, keys }],
                revoked: Some(revoked),
            },
            reload_every: Duration::from_millis(20),
            ..ServerConfig::default()
        };
        let house = House::of(config).await;
        Self { house, folder }
    }

    fn write(&self, file: &str, content: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(&new, self.path(file)).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    async fn ask(&self, bearer: &str) -> Answer {
        let headers = [("authorization", bearer)];
        send(self.house.addr, "GET /v1/catalogue", &headers, "").await
    }

    /// Asks until the answer has this status.
    async fn until(&self, bearer: &str, status: u16) -> Answer {
        let asking = async {
            loop {
                let answer = self.ask(bearer).await;
                if answer.status == status {
                    return answer;
                }
            }
        };
        let answer = tokio::time::timeout(Duration::from_secs(20), asking).await;
        answer.expect("the answer changes")
    }

    async fn counted(&self, name: &str) -> u64 {
        let metrics = send(self.house.addr, "GET /metrics", &[], "").await.body;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    }
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn key_set(keys: &[(u8, &str)]) -> String {
    let jwk = |(seed, kid): &(u8, &str)| {
        let x = URL_SAFE_NO_PAD.encode(key(*seed).public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x})
    };
    json!({"keys": keys.iter().map(jwk).collect::<Vec<_>>()}).to_string()
}

fn body() -> Value {
    json!({
        "iss": "https://id.example.vn", "aud": "sokhoe", "sub": "u-1", "jti": "t-1", "nbf": NOW_S - 10,
        "exp": NOW_S + 600, "role": "clinician", "facility": "99001", "amr": ["pwd", "mfa"]})
}

fn signed(header: &Value, body: &Value, seed: u8) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(body));
    let signature = key(seed).sign(signed.as_bytes());
    format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn bearer(body: &Value, seed: u8, kid: &str) -> String {
    signed(&json!({"alg": "EdDSA", "kid": kid}), body, seed)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_without_a_restart() {
    let realm = Realm::open().await;
    let (old, new) = (bearer(&body(), 1, "a"), bearer(&body(), 2, "b"));
    assert_eq!(realm.ask(&old).await.status, 200);
    assert_eq!(realm.ask(&new).await.status, 401);
    realm.write("keys.json", &key_set(&[(1, "a"), (2, "b")]));
    realm.until(&new, 200).await;
    assert_eq!(realm.ask(&old).await.status, 200);
    // The old key is withdrawn: its tokens, remembered ones among them, are worth nothing.
    realm.write("keys.json", &key_set(&[(2, "b")]));
    realm.until(&old, 401).await;
    assert_eq!(realm.ask(&new).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_read_leave_the_last_good_ones_in_force() {
    let realm = Realm::open().await;
    let token = bearer(&body(), 1, "a");
    for content in ["{", "{\"keys\": []}"] {
        let failed = realm.counted("sokhoe_reloads_failed_total").await;
        realm.write("keys.json", content);
        while realm.counted("sokhoe_reloads_failed_total").await == failed {}
        assert_eq!(realm.ask(&token).await.status, 200, "{content}");
    }
    let failed = realm.counted("sokhoe_reloads_failed_total").await;
    std::fs::remove_file(realm.path("keys.json")).unwrap();
    while realm.counted("sokhoe_reloads_failed_total").await == failed {}
    assert_eq!(realm.ask(&token).await.status, 200);
    realm.write("keys.json", &key_set(&[(2, "b")]));
    realm.until(&token, 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_refused_though_it_was_remembered() {
    let realm = Realm::open().await;
    let ours = bearer_of(
        realm.house.issuer(),
        Claims {
            jti: "ours".to_owned(),
            ..claims(Role::Hospital)
        },
    );
    let theirs = bearer(&body(), 1, "a");
    for token in [&ours, &theirs] {
        assert_eq!(realm.ask(token).await.status, 200);
    }
    realm.write("revoked", "t-1\nours\n");
    for token in [&ours, &theirs] {
        let refused = realm.until(token, 401).await;
        assert!(refused.body.contains("revoked"), "{refused:?}");
    }
    realm.write("revoked", "t-1\n");
    realm.until(&ours, 200).await;
    assert_eq!(realm.ask(&theirs).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_with_tokens_are_401_counted_and_not_repeated() {
    let realm = Realm::open().await;
    let with = |claim: &str, value: Value| {
        let mut body = body();
        body[claim] = value;
        bearer(&body, 1, "a")
    };
    let header = |header: Value| signed(&header, &body(), 1);
    let attacks = [
        (header(json!({"alg": "none"})), "algorithm"),
        (header(json!({"alg": "HS256", "kid": "a"})), "algorithm"),
        (header(json!({"alg": "RS256", "kid": "a"})), "algorithm"),
        (
            header(json!({"alg": "EdDSA", "kid": "../../../dev/null"})),
            "key",
        ),
        (
            header(json!({"alg": "EdDSA", "jku": "https://evil.example"})),
            "malformed",
        ),
        (bearer(&body(), 2, "a"), "signature"),
        (with("exp", json!("1999999999")), "malformed"),
        (with("exp", Value::Null), "exp"),
        (with("nbf", json!(NOW_S + 61)), "not valid yet"),
        (with("exp", json!(NOW_S - 61)), "expired"),
        (with("aud", json!("another")), "audience"),
        (with("iss", json!("https://evil.example")), "issuer"),
        (with("jti", Value::Null), "jti"),
        (with("role", json!("admin")), "role"),
        (with("amr", json!(["pwd"])), "second factor"),
        (
            with("facility", json!(["99001", "99002"])),
            "several facilities",
        ),
    ];
    for (token, because) in &attacks {
        let answer = realm.ask(token).await;
        assert_eq!(answer.status, 401, "{because}: {answer:?}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(because), "{because}: {detail}");
        assert!(!answer.body.contains(&token[7..40]), "no token is repeated");
    }
    let refused = realm.counted("sokhoe_tokens_refused_total").await;
    assert_eq!(refused, u64::try_from(attacks.len()).unwrap());
    assert_eq!(realm.ask(&bearer(&body(), 1, "a")).await.status, 200);
}
