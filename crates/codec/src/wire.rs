//! The bincode wire format as this project uses it: little-endian, variable-length integers and
//! lengths, one-byte tags, a bound on what a decoder allocates, no trailing bytes.
//!
//! The tag of an enum is the place of its variant, from 0. So words are added at the end of their `words!`
//! list only, never moved, never taken out; the tests of this file pin all of them. A variant that cannot
//! stand at the end names its tag by `#[wincode(tag = …)]`.

use wincode::config::Configuration;
use wincode::int_encoding::{LittleEndian, VarInt};
use wincode::io::Reader;
use wincode::len::BincodeLen;
use wincode::{SchemaRead, SchemaWrite};

use crate::CodecError;

/// The most that one list or text of a stored event may claim, in bytes; a frame holds 1 MiB.
const ALLOCATION_BYTES_MAX: usize = 4 << 20;

/// The configuration's type, which bounds of generic code name.
pub(crate) type Wire =
    Configuration<true, ALLOCATION_BYTES_MAX, BincodeLen, LittleEndian, VarInt, u8>;

const fn wire() -> Wire {
    Configuration::new()
}

/// Appends a value to bytes.
pub(crate) fn put<T>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError>
where
    T: SchemaWrite<Wire, Src = T>,
{
    wincode::config::serialize_into(out, value, wire()).map_err(CodecError::Unencodable)
}

/// Reads one value and gives back the bytes after it.
pub(crate) fn take<'a, T>(bytes: &mut &'a [u8]) -> Result<T, CodecError>
where
    T: SchemaRead<'a, Wire, Dst = T>,
{
    T::get(bytes.by_ref()).map_err(CodecError::Malformed)
}

/// Reads one value that must use up all bytes.
pub(crate) fn take_all<'a, T>(bytes: &'a [u8]) -> Result<T, CodecError>
where
    T: SchemaRead<'a, Wire, Dst = T>,
{
    wincode::config::deserialize_exact(bytes, wire()).map_err(CodecError::Malformed)
}

#[cfg(test)]
mod tests;
