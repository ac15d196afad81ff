//! Tokens of providers: what is believed of them, and every way to be believed more that is refused.

use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use super::*;

const ID: &str = "https://id.example.vn/realms/health";

/// The keys of an invented provider, one for each algorithm. The RSA key was made for these tests and is used nowhere.
struct Idp {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

impl Idp {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let pkcs8 = pkcs8.unwrap();
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        Self {
            ed: Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &random).unwrap(),
            rsa: RsaKeyPair::from_pkcs8(include_bytes!("rsa-2048.pk8")).unwrap(),
        }
    }

    fn jwk(&self, algorithm: Algorithm) -> Value {
        match algorithm {
            Algorithm::EdDsa => json!({
                "kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig",
                "x": URL_SAFE_NO_PAD.encode(self.ed.public_key())}),
            Algorithm::Es256 => {
                let point = self.ec.public_key().as_ref();
                json!({
                    "kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256",
                    "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
                    "y": URL_SAFE_NO_PAD.encode(&point[33..])})
            }
            Algorithm::Rs256 => {
                let public = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
                json!({
                    "kty": "RSA", "kid": "rsa", "key_ops": ["verify"],
                    "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e)})
            }
        }
    }

    fn key_set(&self) -> Value {
        let keys: Vec<Value> = Algorithm::ALL.iter().map(|one| self.jwk(*one)).collect();
        json!({"keys": keys})
    }

    fn sign(&self, header: &Value, body: &Value, with: Algorithm) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(body));
        let random = SystemRandom::new();
        let signature = match with {
            Algorithm::EdDsa => self.ed.sign(signed.as_bytes()).as_ref().to_vec(),
            Algorithm::Es256 => {
                let signature = self.ec.sign(&random, signed.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                let made = self.rsa.sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    signed.as_bytes(),
                    &mut signature,
                );
                made.unwrap();
                signature
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn terms() -> ProviderTerms {
    ProviderTerms {
        name: "moh".to_owned(),
        issuer: ID.to_owned(),
        audience: "sokhoe-hanoi".to_owned(),
        algorithms: Algorithm::ALL.to_vec(),
        roles: vec![Role::Clinician, Role::Hospital, Role::Citizen],
        facilities: Some(vec!["99001".to_owned(), "99003".to_owned()]),
        multi_factor_roles: ProviderTerms::STAFF_ROLES.to_vec(),
        multi_factor_acr: vec!["gold".to_owned()],
    }
}

fn trust_in(idp: &Idp, terms: ProviderTerms) -> Trust {
    let keys = KeySet::parse(idp.key_set().to_string().as_bytes(), &terms.algorithms);
    let provider = Provider::new(Arc::new(terms), Arc::new(keys.unwrap()));
    Trust::new(issuer().verifier(), vec![provider], Arc::default())
}

fn clinician() -> Value {
    json!({
        "iss": ID, "aud": "sokhoe-hanoi", "sub": "u-17", "exp": NOW_S + 600, "nbf": NOW_S,
        "jti": "t1", "role": "clinician", "facility": "99001", "amr": ["pwd", "otp"],
        "iat": NOW_S, "email": "not read"})
}

fn header(alg: &str, kid: &str) -> Value {
    json!({"alg": alg, "typ": "JWT", "kid": kid})
}

/// What becomes of a clinician's token with one claim changed; `null` takes it away.
fn changed(claim: &str, value: Value) -> Result<Principal, TokenError> {
    let idp = Idp::new();
    let mut body = clinician();
    body[claim] = value;
    if body[claim].is_null() {
        body.as_object_mut().unwrap().remove(claim);
    }
    let token = idp.sign(&header("ES256", "ec"), &body, Algorithm::Es256);
    trust_in(&idp, terms()).verify(&token, NOW_S)
}

#[test]
fn each_algorithm_verifies_under_its_own_key() {
    let idp = Idp::new();
    let trust = trust_in(&idp, terms());
    for (algorithm, kid) in [
        (Algorithm::EdDsa, "ed"),
        (Algorithm::Es256, "ec"),
        (Algorithm::Rs256, "rsa"),
    ] {
        let token = idp.sign(&header(algorithm.word(), kid), &clinician(), algorithm);
        let principal = trust.verify(&token, NOW_S).unwrap();
        assert_eq!(principal.sub, "moh/u-17");
        assert_eq!(principal.sender, "clinician:moh/u-17@99001");
        let unnamed = json!({"alg": algorithm.word(), "typ": "at+jwt", "x5t": "abc"});
        let token = idp.sign(&unnamed, &clinician(), algorithm);
        assert!(trust.verify(&token, NOW_S).is_ok(), "one key, no kid");
    }
}

#[test]
fn the_built_in_issuer_is_believed_beside_a_provider() {
    let trust = trust_in(&Idp::new(), terms());
    let token = issuer().issue(&hospital()).unwrap();
    assert_eq!(trust.verify(&token, NOW_S).unwrap().sub, "his");
    let foreign = issuer().sign(HEADER, &json!({"iss": "https://elsewhere"}).to_string());
    assert_eq!(
        trust.verify(&foreign, NOW_S),
        Err(TokenError::ForeignIssuer)
    );
}

#[test]
fn neither_speaks_for_the_other() {
    let idp = Idp::new();
    let trust = trust_in(&idp, terms());
    let mut body = body();
    body["role"] = "admin".into();
    let posing = idp.sign(
        &json!({"alg": "EdDSA", "typ": "JWT"}),
        &body,
        Algorithm::EdDsa,
    );
    assert_eq!(trust.verify(&posing, NOW_S), Err(TokenError::Signature));
    let posing = issuer().sign(&header("EdDSA", "ed").to_string(), &clinician().to_string());
    assert_eq!(trust.verify(&posing, NOW_S), Err(TokenError::Signature));
}

#[test]
fn keys_are_not_confused() {
    let idp = Idp::new();
    let trust = trust_in(&idp, terms());
    // A name that belongs to a key of another algorithm names none.
    for (alg, kid, with) in [
        ("EdDSA", "rsa", Algorithm::EdDsa),
        ("RS256", "ec", Algorithm::Rs256),
        ("ES256", "ed", Algorithm::Es256),
    ] {
        let token = idp.sign(&header(alg, kid), &clinician(), with);
        assert_eq!(trust.verify(&token, NOW_S), Err(TokenError::UnknownKey));
    }
    // Signed with one algorithm, said to be another.
    let token = idp.sign(&header("RS256", "rsa"), &clinician(), Algorithm::Es256);
    assert_eq!(trust.verify(&token, NOW_S), Err(TokenError::Signature));
    for alg in [
        "none", "None", "HS256", "RS384", "PS256", "ES256K", "es256", "",
    ] {
        let token = idp.sign(&header(alg, "rsa"), &clinician(), Algorithm::Rs256);
        assert_eq!(trust.verify(&token, NOW_S), Err(TokenError::Algorithm));
    }
}

#[test]
fn an_algorithm_that_the_provider_does_not_use_is_refused() {
    let idp = Idp::new();
    let only = ProviderTerms {
        algorithms: vec![Algorithm::Es256],
        ..terms()
    };
    let trust = trust_in(&idp, only);
    let token = idp.sign(&header("RS256", "rsa"), &clinician(), Algorithm::Rs256);
    assert_eq!(trust.verify(&token, NOW_S), Err(TokenError::Algorithm));
}

#[test]
fn a_kid_is_a_name_and_nothing_else() {
    let idp = Idp::new();
    let trust = trust_in(&idp, terms());
    for kid in [
        "../../../../dev/null",
        "/proc/sys/kernel/hostname",
        "http://127.0.0.1/keys",
        "ec' OR '1'='1",
        "",
        "EC",
    ] {
        let token = idp.sign(&header("ES256", kid), &clinician(), Algorithm::Es256);
        assert_eq!(trust.verify(&token, NOW_S), Err(TokenError::UnknownKey));
    }
}

#[test]
fn a_header_brings_no_key_along() {
    let idp = Idp::new();
    let trust = trust_in(&idp, terms());
    for (field, value) in [
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("jwk", idp.jwk(Algorithm::Es256)),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
    ] {
        let mut header = header("ES256", "ec");
        header[field] = value;
        let token = idp.sign(&header, &clinician(), Algorithm::Es256);
        assert_eq!(
            trust.verify(&token, NOW_S),
            Err(TokenError::Malformed),
            "{field}"
        );
    }
}

#[test]
fn times_of_a_provider_are_integers_and_all_there() {
    for claim in ["exp", "nbf"] {
        for value in [json!("1900000000"), json!(1.9e9), json!(true), json!([1])] {
            assert_eq!(changed(claim, value), Err(TokenError::Malformed), "{claim}");
        }
    }
    for claim in ["iss", "aud", "sub", "exp", "nbf", "jti", "role", "facility"] {
        let missing = Err(TokenError::MissingClaim { claim });
        assert_eq!(changed(claim, Value::Null), missing);
    }
    assert_eq!(
        changed("exp", json!(NOW_S - SKEW_S)),
        Err(TokenError::Expired)
    );
    assert!(changed("exp", json!(NOW_S - SKEW_S + 1)).is_ok());
    assert_eq!(
        changed("nbf", json!(NOW_S + SKEW_S + 1)),
        Err(TokenError::NotYet)
    );
    assert!(changed("nbf", json!(NOW_S + SKEW_S)).is_ok());
}

#[test]
fn the_audience_is_ours_alone_or_in_a_list() {
    assert!(changed("aud", json!(["account", "sokhoe-hanoi"])).is_ok());
    for other in [json!("sokhoe"), json!([]), json!(["sokhoe-hanoi2"])] {
        assert_eq!(changed("aud", other), Err(TokenError::ForeignAudience));
    }
}

#[test]
fn a_provider_vouches_for_its_own_only() {
    assert_eq!(
        changed("role", json!("admin")),
        Err(TokenError::NotVouched { claim: "role" })
    );
    assert_eq!(
        changed("facility", json!("99002")),
        Err(TokenError::NotVouched { claim: "facility" })
    );
    assert!(changed("facility", json!("99003")).is_ok());
    assert_eq!(
        changed("facility", json!(["99001", "99003"])),
        Err(TokenError::SeveralFacilities)
    );
}

#[test]
fn staff_sign_in_with_more_than_a_password() {
    for amr in [json!(["pwd"]), json!([]), Value::Null] {
        assert_eq!(changed("amr", amr), Err(TokenError::OneFactor));
    }
    assert_eq!(changed("amr", json!("mfa")), Err(TokenError::Malformed));
    let idp = Idp::new();
    let mut by_class = clinician();
    by_class["amr"] = json!(["pwd"]);
    for (acr, ok) in [("gold", true), ("bronze", false)] {
        by_class["acr"] = acr.into();
        let token = idp.sign(&header("EdDSA", "ed"), &by_class, Algorithm::EdDsa);
        let verified = trust_in(&idp, terms()).verify(&token, NOW_S);
        assert_eq!(verified.is_ok(), ok, "{acr}");
    }
    // Systems and citizens are not asked, and a policy without roles asks nobody.
    by_class["role"] = "hospital".into();
    let token = idp.sign(&header("EdDSA", "ed"), &by_class, Algorithm::EdDsa);
    assert!(trust_in(&idp, terms()).verify(&token, NOW_S).is_ok());
    by_class["role"] = "clinician".into();
    let nobody = ProviderTerms {
        multi_factor_roles: Vec::new(),
        ..terms()
    };
    let token = idp.sign(&header("EdDSA", "ed"), &by_class, Algorithm::EdDsa);
    assert!(trust_in(&idp, nobody).verify(&token, NOW_S).is_ok());
}

#[test]
fn a_revoked_id_is_refused_whoever_issued_it() {
    let idp = Idp::new();
    let revoked = Revoked::parse("# lost tablet\n\n  t1 \r\n1\n".as_bytes()).unwrap();
    assert_eq!(revoked.count(), 2);
    let keys = KeySet::parse(idp.key_set().to_string().as_bytes(), Algorithm::ALL).unwrap();
    let provider = Provider::new(Arc::new(terms()), Arc::new(keys));
    let trust = Trust::new(issuer().verifier(), vec![provider], Arc::new(revoked));
    let ours = issuer().issue(&hospital()).unwrap();
    let theirs = idp.sign(&header("EdDSA", "ed"), &clinician(), Algorithm::EdDsa);
    for token in [ours, theirs] {
        assert_eq!(trust.verify(&token, NOW_S), Err(TokenError::Revoked));
    }
    assert_eq!(
        Revoked::parse(format!("a\n{}", "x".repeat(257)).as_bytes()),
        Err(RevokedError::TooLong { line: 2 })
    );
    assert_eq!(Revoked::parse(b"\xff"), Err(RevokedError::NotText));
}

#[test]
fn a_key_set_that_is_none_says_why() {
    let idp = Idp::new();
    let with = |field: &str, value: Value, algorithm| {
        let mut jwk = idp.jwk(algorithm);
        jwk[field] = value;
        let set = json!({"keys": [jwk]}).to_string();
        KeySet::parse(set.as_bytes(), Algorithm::ALL)
    };
    let bad = |algorithm| KeySetError::BadKey {
        index: 0,
        algorithm,
    };
    for (field, value, algorithm, expected) in [
        (
            "d",
            json!("AAAA"),
            Algorithm::EdDsa,
            KeySetError::Secret { index: 0 },
        ),
        (
            "k",
            json!("AAAA"),
            Algorithm::Rs256,
            KeySetError::Secret { index: 0 },
        ),
        ("use", json!("enc"), Algorithm::Rs256, KeySetError::NoKey),
        ("alg", json!("HS256"), Algorithm::Rs256, KeySetError::NoKey),
        ("kty", json!("oct"), Algorithm::EdDsa, KeySetError::NoKey),
        ("x", json!("AAAA"), Algorithm::EdDsa, bad(Algorithm::EdDsa)),
        ("y", Value::Null, Algorithm::Es256, bad(Algorithm::Es256)),
        ("n", json!("AAAA"), Algorithm::Rs256, bad(Algorithm::Rs256)),
        ("e", json!("AQ"), Algorithm::Rs256, bad(Algorithm::Rs256)),
        ("e", json!("AQAA"), Algorithm::Rs256, bad(Algorithm::Rs256)),
        ("kid", json!(7), Algorithm::Rs256, KeySetError::Malformed),
    ] {
        assert_eq!(with(field, value, algorithm), Err(expected), "{field}");
    }
    let twice = json!({"keys": [idp.jwk(Algorithm::EdDsa), idp.jwk(Algorithm::EdDsa)]});
    let parse = |text: &str| KeySet::parse(text.as_bytes(), Algorithm::ALL);
    assert_eq!(
        parse(&twice.to_string()),
        Err(KeySetError::Twice { index: 1 })
    );
    for text in ["", "[]", "{}", "{\"keys\": {}}"] {
        assert_eq!(parse(text), Err(KeySetError::Malformed));
    }
    let many = json!({"keys": vec![idp.jwk(Algorithm::EdDsa); 65]});
    assert_eq!(parse(&many.to_string()), Err(KeySetError::TooManyKeys));
}

#[test]
fn terms_that_would_believe_too_much_or_nothing_are_refused() {
    assert_eq!(terms().check(), Ok(()));
    let check = |change: fn(&mut ProviderTerms)| {
        let mut terms = terms();
        change(&mut terms);
        terms.check()
    };
    assert_eq!(
        check(|t| t.name = "Moh/x".to_owned()),
        Err(TermsError::Name)
    );
    assert_eq!(check(|t| t.name.clear()), Err(TermsError::Name));
    assert_eq!(
        check(|t| t.issuer = ISSUER.to_owned()),
        Err(TermsError::Issuer)
    );
    assert_eq!(check(|t| t.audience.clear()), Err(TermsError::Audience));
    assert_eq!(
        check(|t| t.algorithms.clear()),
        Err(TermsError::NoAlgorithm)
    );
    assert_eq!(check(|t| t.roles.clear()), Err(TermsError::NoRole));
}
