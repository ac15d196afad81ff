//! Bytes as lower-case hexadecimal digits in JSON; each byte has one way of being written.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hex(pub(super) Vec<u8>);

impl Hex {
    /// Returns the bytes where there are exactly so many.
    pub(super) fn array<const BYTES: usize>(&self) -> Option<[u8; BYTES]> {
        self.0.as_slice().try_into().ok()
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&::hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let one_way = !text.bytes().any(|digit| digit.is_ascii_uppercase());
        match ::hex::decode(&text) {
            Ok(bytes) if one_way => Ok(Self(bytes)),
            // What stands there may be anything, so it is not repeated.
            _ => Err(D::Error::invalid_value(
                Unexpected::Other("other text"),
                &"pairs of the digits 0-9 and a-f",
            )),
        }
    }
}
