//! The digest that tells a retry from another event: of what was received, and by whom.

use sokhoe_record::json::{Node, canonical};

/// Digest of an event's canonical received bytes, before the sender is mixed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentDigest([u8; 32]);

impl ContentDigest {
    /// Digests a received JSON value; order of keys and white space do not matter.
    #[must_use]
    pub fn of_json(node: &Node<'_>) -> Self {
        // Gathered first: digesting a few bytes at a time costs several times as much.
        let mut gathered = Vec::with_capacity(node.raw().len());
        canonical(node, &mut |bytes: &[u8]| gathered.extend_from_slice(bytes));
        Self::of_bytes(&gathered)
    }

    /// Digests received bytes that have no canonical form of their own.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Mixes in the authenticated sender, giving what is sealed with the event.
    #[must_use]
    pub(crate) fn sent_by(self, sender: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(sender.as_bytes());
        *hasher.finalize().as_bytes()
    }
}
