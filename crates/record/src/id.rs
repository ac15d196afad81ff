//! Ids of events and people: sixteen bytes each, shown as lower-case UUIDs.

use std::{fmt, str::FromStr};

/// A text that was expected to be a UUID and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a UUID: expected 36 characters, hexadecimal with hyphens")]
pub struct NotAnId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default,
            wincode::SchemaWrite, wincode::SchemaRead,
        )]
        pub struct $name([u8; 16]);

        impl $name {
            /// Makes the id of sixteen bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Returns the sixteen bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Returns the sixteen bytes by value.
            pub const fn into_bytes(self) -> [u8; 16] {
                self.0
            }

            /// Reads a UUID of 36 characters, in either case.
            ///
            /// # Errors
            /// Any other text is refused.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                if text.len() != 36 {
                    return Err(NotAnId);
                }
                uuid::Uuid::try_parse(text).map(|id| Self(id.into_bytes())).map_err(|_| NotAnId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 36];
                f.write_str(uuid::Uuid::from_bytes(self.0).hyphenated().encode_lower(&mut text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let mut text = [0; 36];
                to.serialize_str(uuid::Uuid::from_bytes(self.0).hyphenated().encode_lower(&mut text))
            }
        }

        impl crate::field::Field for $name {
            fn read(
                node: &crate::json::Node<'_>,
                at: crate::field::Path<'_>,
                _limit: usize,
                cx: &mut crate::field::Cx,
            ) -> Option<Self> {
                let read = Self::parse(cx.text(node, at)?);
                if read.is_err() {
                    cx.error(at, "bad_format", "expected a UUID: 36 characters, hexadecimal with hyphens");
                }
                read.ok()
            }

            fn check(&self, at: crate::field::Path<'_>, _limit: usize, cx: &mut crate::field::Cx) {
                if self.0 == [0; 16] {
                    cx.error(at, "missing", "expected an id other than zero");
                }
            }

            fn schema(_limit: usize) -> serde_json::Value {
                serde_json::json!({ "type": "string", "format": "uuid" })
            }
        }
    };
}

id! {
    /// The id that the sender gave an event, unique for ever over all senders.
    EventId
}
id! {
    /// The random id of a person; also the id of the person's `record` stream.
    PersonId
}
