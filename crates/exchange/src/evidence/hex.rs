//! Bytes as lower-case hexadecimal digits in JSON; each byte has one way of being written.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hex(pub(super) Vec<u8>);

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl Hex {
    /// Returns the bytes where there are exactly so many.
    pub(super) fn array<const BYTES: usize>(&self) -> Option<[u8; BYTES]> {
        self.0.as_slice().try_into().ok()
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?');
        let text: Vec<u8> = self
            .0
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect();
        serializer.serialize_str(&String::from_utf8_lossy(&text))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let byte = |[high, low]: &[u8; 2]| Some(value(*high)? << 4 | value(*low)?);
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        match bytes.filter(|_| rest.is_empty()) {
            Some(bytes) => Ok(Self(bytes)),
            None => Err(D::Error::invalid_value(
                Unexpected::Other("other text"),
                &"pairs of the digits 0-9 and a-f",
            )),
        }
    }
}
