//! C2SP signed notes: a text, a blank line, and signature lines.
//!
//! Signature lines of unknown keys or algorithms (witnesses, ML-DSA) are kept and ignored.
//! A line that bears a known key's name and id but does not verify makes the note invalid.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::signature::{self, SignatureError, Signer};

/// Largest note that is read: far above any checkpoint with its witnesses.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Most signature lines of a note: as the reference implementation allows.
pub const NOTE_SIGNATURES_MAX: usize = 100;

const SIGNATURE_PREFIX: &str = "— ";
const ED25519_ALGORITHM: u8 = 1;

/// A public Ed25519 key under a name: `name+hex id+base64`.
///
/// ```
/// use sokhoe_chain::VerifierKey;
///
/// let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
/// let key: VerifierKey = text.parse()?;
/// assert_eq!(key.to_string(), text);
/// # Ok::<(), sokhoe_chain::VerifierKeyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key_id: u32,
    public_key: [u8; 32],
}

/// Why a text is not a verifier key.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum VerifierKeyError {
    /// Not three parts with `+` between.
    #[error("verifier key is not of the form name+id+key")]
    NotThreeParts,
    /// The name is empty or holds a space, a control character or `+`.
    #[error("key name is empty, or holds a space, a control character or +")]
    BadName,
    /// The id is not eight lower-case hexadecimal digits.
    #[error("key id is not eight lower-case hexadecimal digits")]
    BadId,
    /// The key is not base64 of an Ed25519 key.
    #[error("key is not base64 of an algorithm byte and an Ed25519 key")]
    BadKeyBytes,
    /// The algorithm byte is not Ed25519's.
    #[error("key has algorithm {0}, only 1 (Ed25519) is known")]
    UnknownAlgorithm(u8),
    /// The id is not the one that name and key give.
    #[error("key id {stated:08x} does not fit name and key, which give {computed:08x}")]
    IdDoesNotFit {
        /// Id in the text.
        stated: u32,
        /// Id by the rule.
        computed: u32,
    },
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Who signed.
    pub name: String,
    /// Which of the signer's keys.
    pub key_id: u32,
    /// What follows the id: for Ed25519, 64 bytes.
    pub bytes: Vec<u8>,
}

/// A note with its signatures, verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// Why a note cannot be read or trusted.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("note has {bytes} bytes, at most {NOTE_BYTES_MAX} are read")]
    TooLong {
        /// Bytes given.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("note is not UTF-8")]
    NotUtf8,
    /// Text empty, without final line end, or with control characters.
    #[error("note text is empty, does not end its last line, or holds a control character")]
    BadText,
    /// No blank line before signatures.
    #[error("note has no blank line before its signatures")]
    NoSignatures,
    /// More than [`NOTE_SIGNATURES_MAX`] lines.
    #[error("note has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// A signature line is malformed.
    #[error("signature line {line} of the note is malformed")]
    BadSignatureLine {
        /// 1-based line among the signatures.
        line: usize,
    },
    /// No line bears the key.
    #[error("note is not signed by {name} with key {key_id:08x}")]
    NotSignedBy {
        /// The key's name.
        name: String,
        /// The key's id.
        key_id: u32,
    },
    /// A line bears the key and does not verify.
    #[error("signature of {name} on the note is wrong")]
    WrongSignature {
        /// The key's name.
        name: String,
        /// Why.
        source: SignatureError,
    },
}

impl VerifierKey {
    /// Makes a key from its parts.
    ///
    /// # Errors
    /// When the name cannot stand in a note.
    pub fn new(name: &str, public_key: [u8; 32]) -> Result<Self, VerifierKeyError> {
        if !valid_name(name) {
            return Err(VerifierKeyError::BadName);
        }
        Ok(Self {
            name: name.to_owned(),
            key_id: key_id(name, &public_key),
            public_key,
        })
    }

    /// Returns the name, which is the log's origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the first four bytes of SHA-256(name ‖ 0x0A ‖ algorithm ‖ key), big-endian.
    #[must_use]
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// Returns the raw public key.
    #[must_use]
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_ALGORITHM];
        key.extend_from_slice(&self.public_key);
        write!(
            formatter,
            "{}+{:08x}+{}",
            self.name,
            self.key_id,
            STANDARD.encode(key)
        )
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.trim_end_matches('\n').splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VerifierKeyError::NotThreeParts);
        };
        let hexadecimal = id
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if id.len() != 8 || !hexadecimal {
            return Err(VerifierKeyError::BadId);
        }
        let stated = u32::from_str_radix(id, 16).map_err(|_| VerifierKeyError::BadId)?;
        let bytes = STANDARD
            .decode(key)
            .map_err(|_| VerifierKeyError::BadKeyBytes)?;
        let (algorithm, raw) = bytes.split_first().ok_or(VerifierKeyError::BadKeyBytes)?;
        if *algorithm != ED25519_ALGORITHM {
            return Err(VerifierKeyError::UnknownAlgorithm(*algorithm));
        }
        let public_key = <[u8; 32]>::try_from(raw).map_err(|_| VerifierKeyError::BadKeyBytes)?;
        let parsed = Self::new(name, public_key)?;
        if parsed.key_id == stated {
            Ok(parsed)
        } else {
            Err(VerifierKeyError::IdDoesNotFit {
                stated,
                computed: parsed.key_id,
            })
        }
    }
}

impl SignedNote {
    /// Signs a text with one key.
    ///
    /// # Errors
    /// When the text cannot stand in a note.
    pub fn sign(text: String, signer: &Signer) -> Result<Self, NoteError> {
        check_text(&text)?;
        let signatures = vec![signer.sign_note(&text)];
        Ok(Self { text, signatures })
    }

    /// Reads a note; nothing is verified yet.
    ///
    /// # Errors
    /// When the bytes are not a signed note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: bytes.len() });
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?;
        let (before, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let text = format!("{before}\n");
        check_text(&text)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (index, line) in lines.split('\n').enumerate() {
            if index == NOTE_SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            let parsed = parse_signature_line(line);
            signatures.push(parsed.ok_or(NoteError::BadSignatureLine { line: index + 1 })?);
        }
        Ok(Self { text, signatures })
    }

    /// Returns the signed text, unverified.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns all signature lines, known or not.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature line, such as a witness's cosignature.
    pub fn add_signature(&mut self, signature: NoteSignature) {
        self.signatures.push(signature);
    }

    /// Verifies that the key's holder signed this text.
    ///
    /// # Errors
    /// When no line bears the key, or one does and is wrong.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let mut signed = false;
        let of_key = |line: &&NoteSignature| line.name == key.name && line.key_id == key.key_id;
        for line in self.signatures.iter().filter(of_key) {
            <&[u8; 64]>::try_from(line.bytes.as_slice())
                .map_err(|_| SignatureError::Mismatch)
                .and_then(|bytes| signature::verify(&key.public_key, self.text.as_bytes(), bytes))
                .map_err(|source| NoteError::WrongSignature {
                    name: key.name.clone(),
                    source,
                })?;
            signed = true;
        }
        if signed {
            Ok(())
        } else {
            Err(NoteError::NotSignedBy {
                name: key.name.clone(),
                key_id: key.key_id,
            })
        }
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.text)?;
        for line in &self.signatures {
            let mut bytes = line.key_id.to_be_bytes().to_vec();
            bytes.extend_from_slice(&line.bytes);
            writeln!(
                formatter,
                "{SIGNATURE_PREFIX}{} {}",
                line.name,
                STANDARD.encode(bytes)
            )?;
        }
        Ok(())
    }
}

fn valid_name(name: &str) -> bool {
    let forbidden = |letter: char| letter == '+' || letter.is_whitespace() || letter.is_control();
    !name.is_empty() && !name.chars().any(forbidden)
}

fn key_id(name: &str, public_key: &[u8; 32]) -> u32 {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519_ALGORITHM])
        .chain_update(public_key)
        .finalize()
        .into();
    u32::from_be_bytes(crate::fixed::field::<0, 4, 32>(&digest))
}

fn check_text(text: &str) -> Result<(), NoteError> {
    let control = |letter: char| letter < ' ' && letter != '\n';
    if !text.ends_with('\n') || text.len() < 2 || text.chars().any(control) {
        return Err(NoteError::BadText);
    }
    Ok(())
}

fn parse_signature_line(line: &str) -> Option<NoteSignature> {
    let (name, encoded) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
    let decoded = STANDARD.decode(encoded).ok()?;
    let (key_id, bytes) = decoded.split_first_chunk::<4>()?;
    (valid_name(name) && !bytes.is_empty()).then(|| NoteSignature {
        name: name.to_owned(),
        key_id: u32::from_be_bytes(*key_id),
        bytes: bytes.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(name: &str, seed: u8) -> Signer {
        Signer::from_seed(name, &[seed; 32]).unwrap()
    }

    #[test]
    fn signed_note_reads_back_and_verifies() {
        let signer = signer("example.org/log", 3);
        let note = SignedNote::sign("first\n\nsecond\n".to_owned(), &signer).unwrap();
        let read = SignedNote::parse(note.to_string().as_bytes()).unwrap();
        assert_eq!(read, note);
        assert_eq!(read.verify(signer.verifier()), Ok(()));
    }

    #[test]
    fn unknown_signature_lines_are_kept_and_ignored() {
        let known = signer("example.org/log", 3);
        let mut note = SignedNote::sign("text\n".to_owned(), &known).unwrap();
        let cosignature = NoteSignature {
            name: "witness.example/w".into(),
            key_id: 7,
            bytes: vec![1; 2428],
        };
        note.add_signature(cosignature.clone());
        let read = SignedNote::parse(note.to_string().as_bytes()).unwrap();
        assert_eq!(read.signatures().last(), Some(&cosignature));
        assert_eq!(read.verify(known.verifier()), Ok(()));
        let stranger = signer("example.org/other", 4);
        assert!(matches!(
            read.verify(stranger.verifier()),
            Err(NoteError::NotSignedBy { .. })
        ));
    }

    #[test]
    fn wrong_signature_under_the_keys_name_is_refused_even_beside_a_right_one() {
        let signer = signer("example.org/log", 3);
        let mut note = SignedNote::sign("text\n".to_owned(), &signer).unwrap();
        note.add_signature(signer.sign_note("other\n"));
        assert!(matches!(
            note.verify(signer.verifier()),
            Err(NoteError::WrongSignature { .. })
        ));
    }

    #[test]
    fn malformed_notes_are_refused() {
        let check = |bytes: &[u8], expected: NoteError| {
            assert_eq!(SignedNote::parse(bytes), Err(expected));
        };
        check(b"text\n", NoteError::NoSignatures);
        check(
            b"text\n\nno dash\n",
            NoteError::BadSignatureLine { line: 1 },
        );
        check("text\n\n— a AAAAAA==".as_bytes(), NoteError::NoSignatures);
        check("te\txt\n\n— a AAAAAAA=\n".as_bytes(), NoteError::BadText);
        check(
            "text\n\n— a AAAAAA==\n".as_bytes(),
            NoteError::BadSignatureLine { line: 1 },
        );
        check(&[0xFF, b'\n', b'\n'], NoteError::NotUtf8);
        check(
            &vec![b'a'; NOTE_BYTES_MAX + 1],
            NoteError::TooLong {
                bytes: NOTE_BYTES_MAX + 1,
            },
        );
        let many = format!(
            "text\n\n{}",
            "— a AAAAAAA=\n".repeat(NOTE_SIGNATURES_MAX + 1)
        );
        check(many.as_bytes(), NoteError::TooManySignatures);
    }

    #[test]
    fn verifier_key_with_a_wrong_part_is_refused() {
        let good = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        assert!(good.parse::<VerifierKey>().is_ok());
        let check = |text: &str| assert!(text.parse::<VerifierKey>().is_err(), "{text}");
        check("");
        check("example.com/foo+530d903a");
        check(&good.replace("530d903a", "530d903b"));
        check(&good.replace("530d903a", "530D903A"));
        check(&good.replace("foo", "fop"));
        check(&good.replace("+Aeky", "+Beky"));
        check(&good.replace("example.com/foo", "a b"));
    }
}
