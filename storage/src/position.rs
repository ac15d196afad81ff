//! Positions in the log and addresses in its files.
//!
//! A position counts events from 1 and never changes; an address is where a frame or group lies now.
//! Neither is hashed into an event, so that a stream can move to another log engine.

use std::fmt;

/// Counts events of the whole log: the first event is position 1, and 0 means "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// The place before the first event.
    pub const ZERO: Position = Position(0);

    /// Makes a position from its count.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// Returns the count.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Places a byte of the log: segment number (from 1) in the upper half, offset in its file in the lower.
///
/// On disk it is one u64, and 0 means "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u64);

impl Address {
    /// Makes an address from a segment number and an offset.
    #[must_use]
    pub const fn new(segment: u32, offset: u32) -> Self {
        Self(((segment as u64) << 32) | offset as u64)
    }

    /// Reads the disk's form; 0 is no address.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Option<Self> {
        if raw == 0 { None } else { Some(Self(raw)) }
    }

    /// Returns the disk's form.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Returns the disk's form of an address that may be missing.
    #[must_use]
    pub fn raw_or_zero(address: Option<Self>) -> u64 {
        address.map_or(0, Self::raw)
    }

    /// Returns the segment's number.
    #[must_use]
    pub const fn segment(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Returns the offset in the segment's file, in bytes.
    #[must_use]
    pub const fn offset(self) -> u32 {
        let [.., a, b, c, d] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Returns the address a number of bytes further in the same segment.
    #[must_use]
    pub(crate) fn plus(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment(), self.offset())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}
