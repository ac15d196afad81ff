//! The clear, fixed bodies of keeper events, which a verifier without keys can read.
//!
//! A body is 16 bytes of head (kind u8, layout version u8 = 1, zero up to 16) and fixed fields,
//! all little-endian:
//!
//! | kind | name | fields after the head |
//! |--:|---|---|
//! | 1 | `segment_closed` | segment u64, first position u64, event count u64, data end u64, footer digest 32 |
//! | 2 | `heads_committed` | position u64 (heads are those after it), streams u64, root 32 |
//! | 3 | `key_epoch_started` | epoch u32, zero u32 |
//! | 4 | `person_erased` | reserved |
//! | 5 | `log_continued` | reserved: old origin, size and root of a restored log |
//!
//! Bodies hold no personal data.

use thiserror::Error;

use crate::fixed::{field, set_field};
use crate::heads::HeadsCommitment;
use crate::identity::NodeHash;

const LAYOUT: u8 = 1;
const SEGMENT_CLOSED: u8 = 1;
const HEADS_COMMITTED: u8 = 2;
const KEY_EPOCH_STARTED: u8 = 3;
const SEGMENT_CLOSED_BYTES: usize = 80;
const HEADS_COMMITTED_BYTES: usize = 64;
const KEY_EPOCH_STARTED_BYTES: usize = 24;

/// What a keeper event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeeperBody {
    /// A segment was closed; from here on the tree covers its footer's digest.
    SegmentClosed {
        /// Number of the segment.
        segment: u64,
        /// Position of its first event.
        first_position: u64,
        /// Events in it.
        event_count: u64,
        /// Offset of the footer.
        data_end: u64,
        /// The footer's digest.
        footer_digest: [u8; 32],
    },
    /// All stream heads were committed to.
    HeadsCommitted {
        /// The last position that the heads take into account.
        position: u64,
        /// The commitment.
        heads: HeadsCommitment,
    },
    /// New stream keys are made under a new epoch.
    KeyEpochStarted {
        /// The epoch.
        epoch: u32,
    },
}

/// Why bytes are not a keeper body.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum KeeperError {
    /// The kind is unknown to this version.
    #[error("keeper body has unknown kind {0}")]
    UnknownKind(u8),
    /// The layout version is unknown.
    #[error("keeper body of kind {kind} has unknown layout {layout}")]
    UnknownLayout {
        /// Kind stated.
        kind: u8,
        /// Layout stated.
        layout: u8,
    },
    /// The length does not fit the kind.
    #[error("keeper body of kind {kind} has {bytes} bytes")]
    WrongLength {
        /// Kind stated.
        kind: u8,
        /// Bytes given.
        bytes: usize,
    },
    /// Reserved bytes are not zero.
    #[error("keeper body of kind {kind} has non-zero reserved bytes")]
    ReservedNotZero {
        /// Kind stated.
        kind: u8,
    },
    /// There are no bytes.
    #[error("keeper body is empty")]
    Empty,
}

impl KeeperBody {
    /// Encodes to the stored bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            Self::SegmentClosed {
                segment,
                first_position,
                event_count,
                data_end,
                footer_digest,
            } => {
                let mut bytes = head::<SEGMENT_CLOSED_BYTES>(SEGMENT_CLOSED);
                set_field::<16, 8, _>(&mut bytes, segment.to_le_bytes());
                set_field::<24, 8, _>(&mut bytes, first_position.to_le_bytes());
                set_field::<32, 8, _>(&mut bytes, event_count.to_le_bytes());
                set_field::<40, 8, _>(&mut bytes, data_end.to_le_bytes());
                set_field::<48, 32, _>(&mut bytes, footer_digest);
                bytes.to_vec()
            }
            Self::HeadsCommitted { position, heads } => {
                let mut bytes = head::<HEADS_COMMITTED_BYTES>(HEADS_COMMITTED);
                set_field::<16, 8, _>(&mut bytes, position.to_le_bytes());
                set_field::<24, 8, _>(&mut bytes, heads.streams.to_le_bytes());
                set_field::<32, 32, _>(&mut bytes, heads.root.0);
                bytes.to_vec()
            }
            Self::KeyEpochStarted { epoch } => {
                let mut bytes = head::<KEY_EPOCH_STARTED_BYTES>(KEY_EPOCH_STARTED);
                set_field::<16, 4, _>(&mut bytes, epoch.to_le_bytes());
                bytes.to_vec()
            }
        }
    }

    /// Decodes stored bytes.
    ///
    /// # Errors
    /// Unknown kinds and layouts, wrong lengths, non-zero reserved bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeeperError> {
        match bytes.first() {
            None => Err(KeeperError::Empty),
            Some(&SEGMENT_CLOSED) => sized(bytes).map(segment_closed),
            Some(&HEADS_COMMITTED) => sized(bytes).map(heads_committed),
            Some(&KEY_EPOCH_STARTED) => key_epoch_started(sized(bytes)?),
            Some(&unknown) => Err(KeeperError::UnknownKind(unknown)),
        }
    }
}

fn head<const N: usize>(kind: u8) -> [u8; N] {
    let mut bytes = [0; N];
    set_field::<0, 2, N>(&mut bytes, [kind, LAYOUT]);
    bytes
}

/// Checks length and head, which every kind has alike.
fn sized<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], KeeperError> {
    let kind = bytes.first().copied().ok_or(KeeperError::Empty)?;
    let sized = <&[u8; N]>::try_from(bytes).map_err(|_| KeeperError::WrongLength {
        kind,
        bytes: bytes.len(),
    })?;
    let [layout] = field::<1, 1, N>(sized);
    if layout != LAYOUT {
        return Err(KeeperError::UnknownLayout { kind, layout });
    }
    if field::<2, 14, N>(sized) != [0; 14] {
        return Err(KeeperError::ReservedNotZero { kind });
    }
    Ok(sized)
}

fn segment_closed(bytes: &[u8; SEGMENT_CLOSED_BYTES]) -> KeeperBody {
    KeeperBody::SegmentClosed {
        segment: u64::from_le_bytes(field::<16, 8, _>(bytes)),
        first_position: u64::from_le_bytes(field::<24, 8, _>(bytes)),
        event_count: u64::from_le_bytes(field::<32, 8, _>(bytes)),
        data_end: u64::from_le_bytes(field::<40, 8, _>(bytes)),
        footer_digest: field::<48, 32, _>(bytes),
    }
}

fn heads_committed(bytes: &[u8; HEADS_COMMITTED_BYTES]) -> KeeperBody {
    KeeperBody::HeadsCommitted {
        position: u64::from_le_bytes(field::<16, 8, _>(bytes)),
        heads: HeadsCommitment {
            streams: u64::from_le_bytes(field::<24, 8, _>(bytes)),
            root: NodeHash(field::<32, 32, _>(bytes)),
        },
    }
}

fn key_epoch_started(bytes: &[u8; KEY_EPOCH_STARTED_BYTES]) -> Result<KeeperBody, KeeperError> {
    if field::<20, 4, _>(bytes) != [0; 4] {
        return Err(KeeperError::ReservedNotZero {
            kind: KEY_EPOCH_STARTED,
        });
    }
    Ok(KeeperBody::KeyEpochStarted {
        epoch: u32::from_le_bytes(field::<16, 4, _>(bytes)),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bodies() -> [KeeperBody; 3] {
        [
            KeeperBody::SegmentClosed {
                segment: 1,
                first_position: 2,
                event_count: 3,
                data_end: 4,
                footer_digest: [5; 32],
            },
            KeeperBody::HeadsCommitted {
                position: 6,
                heads: HeadsCommitment {
                    streams: 7,
                    root: NodeHash([8; 32]),
                },
            },
            KeeperBody::KeyEpochStarted { epoch: 9 },
        ]
    }

    #[test]
    fn encodings_are_golden() {
        let [closed, heads, epoch] = bodies().map(|body| body.encode());
        let words = |kind: u8, values: &[u64]| {
            let mut bytes = vec![kind, 1];
            bytes.extend([0; 14]);
            values
                .iter()
                .for_each(|value| bytes.extend(value.to_le_bytes()));
            bytes
        };
        assert_eq!(closed, [words(1, &[1, 2, 3, 4]), vec![5; 32]].concat());
        assert_eq!(heads, [words(2, &[6, 7]), vec![8; 32]].concat());
        assert_eq!(epoch, words(3, &[9]));
    }

    #[test]
    fn bodies_read_back_and_truncations_are_refused() {
        for body in bodies() {
            let bytes = body.encode();
            assert_eq!(KeeperBody::decode(&bytes), Ok(body));
            for end in 0..bytes.len() {
                assert!(KeeperBody::decode(&bytes[..end]).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..90), kind in 0_u8..6,
        ) {
            bytes.iter_mut().take(16).for_each(|byte| *byte = 0);
            [kind, 1].iter().zip(bytes.iter_mut()).for_each(|(from, to)| *to = *from);
            if let Ok(body) = KeeperBody::decode(&bytes) {
                prop_assert_eq!(body.encode(), bytes);
            }
        }
    }
}
