//! An issuer's public keys, as a JWKS (RFC 7517) publishes them, and signatures under them.
//!
//! A key serves one algorithm, told by the key itself and never by a token, so no token can have a key used for
//! something else. Refuses secrets: in a set of public keys they are somebody's mistake.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use thiserror::Error;

use super::TokenError;
use super::claims::CLAIM_BYTES_MAX;

/// The largest JWKS that is read, in bytes.
pub const KEY_SET_BYTES_MAX: usize = 256 << 10;
/// The most keys of one JWKS.
const KEYS_MAX: usize = 64;
/// Bytes of an RSA modulus: 2048 bits, below which keys are too weak, to 8192, beyond which verifying takes too long.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
/// The smallest public exponent that FIPS 186-5 allows.
const EXPONENT_MIN: u64 = 65_537;

/// How a token may be signed: asymmetric only, so that whoever verifies cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA with PKCS #1 v1.5 padding and SHA-256, from 2048 bits on.
    Rs256,
}

impl Algorithm {
    /// Every algorithm there is.
    pub const ALL: &'static [Self] = &[Self::EdDsa, Self::Es256, Self::Rs256];

    /// Returns the word in a token's header.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Reads the word, as written in RFC 7518 and 8037 and in no other way.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.word() == word)
    }
}

/// Why a JWKS is not usable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeySetError {
    /// Not a JSON object with a list `keys` of objects.
    #[error("not a JWKS: expected JSON of the form {{\"keys\": [...]}}")]
    Malformed,
    /// More keys than are looked at.
    #[error("more than {KEYS_MAX} keys")]
    TooManyKeys,
    /// A private or symmetric key, which must not lie about.
    #[error("key {index} is a private or symmetric key: publish public keys only, and replace it")]
    Secret {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// A key for signatures with an accepted algorithm that cannot be one.
    #[error("key {index} is no usable {algorithm} key", algorithm = algorithm.word())]
    BadKey {
        /// Its place in the list, from 0.
        index: usize,
        /// What it would be for.
        algorithm: Algorithm,
    },
    /// Two keys that a token could not tell apart.
    #[error("key {index} has the kid and algorithm of another")]
    Twice {
        /// The later one's place in the list, from 0.
        index: usize,
    },
    /// Nothing that a token of the accepted algorithms could be verified with.
    #[error("no key for an accepted algorithm")]
    NoKey,
}

/// The public keys of one issuer that its tokens may be signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    public: Public,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    /// A point, as its algorithm writes it.
    Point(Vec<u8>),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

#[derive(Deserialize)]
struct WireSet {
    keys: Vec<WireKey>,
}

#[derive(Deserialize)]
struct WireKey {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    /// Private parts, whose values are never looked at.
    d: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl KeySet {
    /// Reads a JWKS, keeping the keys for signatures with these algorithms.
    ///
    /// # Errors
    /// [`KeySetError`]: what is no JWKS, holds a secret, a broken key, a key twice, or no key to verify with.
    pub fn parse(json: &[u8], algorithms: &[Algorithm]) -> Result<Self, KeySetError> {
        let wire: WireSet = serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        if wire.keys.len() > KEYS_MAX {
            return Err(KeySetError::TooManyKeys);
        }
        let mut keys: Vec<Key> = Vec::new();
        for (index, key) in wire.keys.into_iter().enumerate() {
            if key.d.is_some() || key.k.is_some() {
                return Err(KeySetError::Secret { index });
            }
            let Some(algorithm) = key.signs_with().filter(|one| algorithms.contains(one)) else {
                continue;
            };
            let public = key.public(algorithm);
            let public = public.ok_or(KeySetError::BadKey { index, algorithm })?;
            let same = |other: &Key| other.kid == key.kid && other.algorithm == algorithm;
            if keys.iter().any(same) {
                return Err(KeySetError::Twice { index });
            }
            keys.push(Key {
                kid: key.kid,
                algorithm,
                public,
            });
        }
        if keys.is_empty() {
            return Err(KeySetError::NoKey);
        }
        Ok(Self { keys })
    }

    /// Returns how many keys tokens may be signed with.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Verifies a signature under the key of this name; without a name the algorithm must have one key only.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        let fits =
            |key: &&Key| key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid);
        let mut fitting = self.keys.iter().filter(fits);
        let key = fitting.next().ok_or(TokenError::UnknownKey)?;
        if fitting.next().is_some() {
            return Err(TokenError::UnknownKey);
        }
        key.verify(signed, signature)
            .map_err(|_| TokenError::Signature)
    }
}

impl Key {
    fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), ring::error::Unspecified> {
        match (&self.public, self.algorithm) {
            (Public::Rsa { n, e }, _) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            }
            (Public::Point(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            (Public::Point(point), _) => {
                UnparsedPublicKey::new(&ED25519, point).verify(signed, signature)
            }
        }
    }
}

impl WireKey {
    /// Returns the algorithm that the key signs with; `None` for keys of other kinds and for other uses.
    fn signs_with(&self) -> Option<Algorithm> {
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("RSA", _) => Algorithm::Rs256,
            _ => return None,
        };
        let for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let ops = self.key_ops.as_ref();
        let verifies = ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let says_so = self
            .alg
            .as_deref()
            .is_none_or(|alg| alg == algorithm.word());
        (for_signatures && verifies && says_so).then_some(algorithm)
    }

    fn public(&self, algorithm: Algorithm) -> Option<Public> {
        if self
            .kid
            .as_ref()
            .is_some_and(|kid| kid.len() > CLAIM_BYTES_MAX)
        {
            return None;
        }
        match algorithm {
            Algorithm::EdDsa => Some(Public::Point(coordinate(self.x.as_deref())?)),
            Algorithm::Es256 => {
                // SEC 1, 2.3.3: an uncompressed point begins with 4.
                let mut point = vec![4];
                point.extend(coordinate(self.x.as_deref())?);
                point.extend(coordinate(self.y.as_deref())?);
                Some(Public::Point(point))
            }
            Algorithm::Rs256 => {
                let n = number(self.n.as_deref())?;
                let e = number(self.e.as_deref())?;
                let exponent = (e.len() <= 8).then(|| {
                    let digits = e.iter();
                    digits.fold(0, |value: u64, byte| value << 8 | u64::from(*byte))
                })?;
                let usable = MODULUS_BYTES.contains(&n.len())
                    && exponent >= EXPONENT_MIN
                    && exponent % 2 == 1;
                usable.then_some(Public::Rsa { n, e })
            }
        }
    }
}

/// Reads a coordinate, which is written with all of its 32 bytes.
fn coordinate(text: Option<&str>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    (bytes.len() == 32).then_some(bytes)
}

/// Reads a number without the zeros that some put before it.
fn number(text: Option<&str>) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}
