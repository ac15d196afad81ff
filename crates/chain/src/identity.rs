//! The identities and digests that the chain speaks of, each its own type.
//!
//! Sixteen-byte ids that people see ([`StreamId`]) print as a UUID, everything else as hex.

use std::fmt;

macro_rules! byte_newtype {
    ($(#[$doc:meta])* $name:ident, $len:literal, $print:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// All zero bytes: the value for "none yet".
            pub const ZERO: Self = Self([0; $len]);

            /// Borrows the bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                $print(&self.0, formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self)
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }
    };
}

byte_newtype!(
    /// A stream of events: random, and for a person's `record` stream also the person's id.
    StreamId, 16, print_uuid
);
byte_newtype!(
    /// One log, for ever; a restored copy that writes gets another.
    LogId, 16, print_hex
);
byte_newtype!(
    /// A keyed digest of an event id, for exactly-once without showing the id.
    EventKey, 16, print_hex
);
byte_newtype!(
    /// The random salt from which an event's own key is derived.
    Salt, 16, print_hex
);
byte_newtype!(
    /// BLAKE3 of an encoded event header: what streams link and the tree holds.
    EventHash, 32, print_hex
);
byte_newtype!(
    /// BLAKE3 of a commit group's header and frames.
    GroupDigest, 32, print_hex
);
byte_newtype!(
    /// BLAKE3 of the stored (sealed or clear) payload bytes.
    PayloadDigest, 32, print_hex
);
byte_newtype!(
    /// A commitment to the key under which a payload was sealed.
    KeyCommitment, 32, print_hex
);
byte_newtype!(
    /// A SHA-256 hash of a node, leaf or root of an RFC 6962 tree.
    NodeHash, 32, print_hex
);

fn print_hex(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes
        .iter()
        .try_for_each(|byte| write!(formatter, "{byte:02x}"))
}

fn print_uuid(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            formatter.write_str("-")?;
        }
        write!(formatter, "{byte:02x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_id_prints_as_a_uuid() {
        let id = StreamId(std::array::from_fn(|index| u8::try_from(index).unwrap()));
        assert_eq!(id.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }

    #[test]
    fn digest_prints_as_lower_case_hex() {
        assert!(EventHash([0xAB; 32]).to_string().starts_with("abab"));
        assert_eq!(EventHash::ZERO.to_string().len(), 64);
    }
}
