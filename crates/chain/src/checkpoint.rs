//! Checkpoints: an origin, a tree size and a root (C2SP tlog-checkpoint), as the text of a note.
//!
//! Refuses sizes with leading zeros, roots that are not 32 bytes, and empty extension lines, so
//! that one checkpoint has exactly one text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::identity::NodeHash;
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::signature::Signer;

/// What a log states about itself at one moment.
///
/// ```
/// use sokhoe_chain::{Checkpoint, Frontier, Signer};
///
/// let signer = Signer::from_seed("example.org/log", &[1; 32])?;
/// let frontier = Frontier::default();
/// let checkpoint = Checkpoint::new("example.org/log", frontier.size(), frontier.root());
/// let note = checkpoint.sign(&signer)?.to_string();
/// assert_eq!(Checkpoint::open(note.as_bytes(), signer.verifier())?, checkpoint);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, also the name of its key.
    pub origin: String,
    /// Leaves in the tree: the last position covered.
    pub size: u64,
    /// Root of the tree.
    pub root: NodeHash,
    /// Lines after the root, kept as they came.
    pub extensions: Vec<String>,
}

/// Why a text is not a checkpoint, or not one to trust.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum CheckpointError {
    /// Fewer than three lines.
    #[error("checkpoint has fewer than three lines")]
    TooFewLines,
    /// The origin line is empty.
    #[error("checkpoint has an empty origin")]
    EmptyOrigin,
    /// The size is not a plain decimal number.
    #[error("checkpoint size is not a decimal number without leading zeros")]
    BadSize,
    /// The root is not base64 of 32 bytes.
    #[error("checkpoint root is not base64 of 32 bytes")]
    BadRoot,
    /// An extension line is empty.
    #[error("checkpoint has an empty extension line")]
    EmptyExtension,
    /// The origin is not the name of the key.
    #[error("checkpoint is of {origin}, the key is of {key_name}")]
    WrongOrigin {
        /// Origin stated.
        origin: String,
        /// Name of the key.
        key_name: String,
    },
    /// The note around it cannot be read or trusted.
    #[error("read the checkpoint's note")]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// Makes a checkpoint without extensions.
    #[must_use]
    pub fn new(origin: &str, size: u64, root: NodeHash) -> Self {
        Self {
            origin: origin.to_owned(),
            size,
            root,
            extensions: Vec::new(),
        }
    }

    /// Writes the text that is signed.
    #[must_use]
    pub fn body(&self) -> String {
        let root = STANDARD.encode(self.root.0);
        let mut body = format!("{}\n{}\n{root}\n", self.origin, self.size);
        for line in &self.extensions {
            body.push_str(line);
            body.push('\n');
        }
        body
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// When it is not exactly a checkpoint's text.
    pub fn parse_body(text: &str) -> Result<Self, CheckpointError> {
        let text = text
            .strip_suffix('\n')
            .ok_or(CheckpointError::TooFewLines)?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::TooFewLines);
        };
        if origin.is_empty() {
            return Err(CheckpointError::EmptyOrigin);
        }
        let plain = size == "0" || !size.starts_with(['0', '+']);
        let size = size
            .parse()
            .ok()
            .filter(|_| plain)
            .ok_or(CheckpointError::BadSize)?;
        let root = STANDARD
            .decode(root)
            .map_err(|_| CheckpointError::BadRoot)?;
        let root = <[u8; 32]>::try_from(root).map_err(|_| CheckpointError::BadRoot)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::EmptyExtension);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root: NodeHash(root),
            extensions,
        })
    }

    /// Signs the checkpoint with the log's key.
    ///
    /// # Errors
    /// When the origin is not the key's name, or cannot stand in a note.
    pub fn sign(&self, signer: &Signer) -> Result<SignedNote, CheckpointError> {
        self.check_origin(signer.verifier())?;
        Self::parse_body(&self.body())?;
        Ok(SignedNote::sign(self.body(), signer)?)
    }

    /// Reads a signed checkpoint and verifies it against a key that the caller trusts.
    ///
    /// # Errors
    /// When it cannot be read, is not signed by that key, or is another log's.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(note)?;
        note.verify(key)?;
        let checkpoint = Self::parse_body(note.text())?;
        checkpoint.check_origin(key)?;
        Ok(checkpoint)
    }

    fn check_origin(&self, key: &VerifierKey) -> Result<(), CheckpointError> {
        if self.origin == key.name() {
            return Ok(());
        }
        let (origin, key_name) = (self.origin.clone(), key.name().to_owned());
        Err(CheckpointError::WrongOrigin { origin, key_name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

    #[test]
    fn body_reads_back() {
        let text = format!("example.com/log\n20852163\n{ROOT}\nextension one\nline two\n");
        let checkpoint = Checkpoint::parse_body(&text).unwrap();
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.extensions.len(), 2);
        assert_eq!(checkpoint.body(), text);
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let check = |text: String, expected: CheckpointError| {
            assert_eq!(Checkpoint::parse_body(&text), Err(expected));
        };
        check("a\n1\n".into(), CheckpointError::TooFewLines);
        check(format!("a\n1\n{ROOT}"), CheckpointError::TooFewLines);
        check(format!("\n1\n{ROOT}\n"), CheckpointError::EmptyOrigin);
        for size in ["", "01", "+1", "-1", "1 ", "18446744073709551616"] {
            check(format!("a\n{size}\n{ROOT}\n"), CheckpointError::BadSize);
        }
        check("a\n1\nAAAA\n".into(), CheckpointError::BadRoot);
        check(format!("a\n1\n{ROOT}\n\n"), CheckpointError::EmptyExtension);
    }

    #[test]
    fn checkpoint_of_another_origin_is_neither_signed_nor_opened() {
        let signer = Signer::from_seed("example.org/a", &[1; 32]).unwrap();
        let other = Checkpoint::new("example.org/b", 0, crate::tree::empty_root());
        assert!(matches!(
            other.sign(&signer),
            Err(CheckpointError::WrongOrigin { .. })
        ));
        let note = SignedNote::sign(other.body(), &signer).unwrap().to_string();
        let opened = Checkpoint::open(note.as_bytes(), signer.verifier());
        assert!(matches!(opened, Err(CheckpointError::WrongOrigin { .. })));
    }
}
