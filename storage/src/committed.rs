//! Commitments to all stream heads: who had which last event at one position, and a proof of it for one stream.
//!
//! The heads of a position are found without holding the writer up: the heads of now are copied, and whatever
//! came after the position is taken back by reading the log behind it. They lie sorted in `cache/heads-at-<position>`,
//! which is used only when it gives the root that the keeper event states, and is made anew from the log otherwise.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sokhoe_chain::heads::HeadProof;
use sokhoe_chain::{
    Aead, EventHash, EventHeader, EventKey, HeadsCommitment, HeadsTree, KeeperBody, NodeHash,
    StreamHead, StreamId, StreamKind, payload_digest, proof, tile,
};

use crate::disk::{Access, DiskFile, read_exact_at, read_file, write_file_atomic};
use crate::draft::Draft;
use crate::error::{Damage, DamageKind, ReadError};
use crate::format::{FORMAT_VERSION, field, put, u32_at, u64_at};
use crate::log::keeper_stream;
use crate::position::Position;
use crate::reader::{Frame, Reader};

const MAGIC: [u8; 8] = *b"SKHHDSAT";
const FIXED_BYTES: usize = 80;
const ENTRY_BYTES: usize = 56;
const NODE_BYTES: usize = 32;
const PREFIX: &str = "heads-at-";
/// Rows of nodes that are kept, at tree levels 8, 16 and 24: a proof reads few bytes then.
const ROWS: u8 = 3;
/// No file is longer: a billion streams would be.
const FILE_BYTES_MAX: u64 = 64 << 30;
/// How long heads that are being published may take to be durable for all.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

/// A keeper event that commits to all heads, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentEvent {
    /// The event.
    pub frame: Frame,
    /// The last position that its heads take into account; it lies before the event's own.
    pub as_of: Position,
    /// What it commits to.
    pub heads: HeadsCommitment,
}

/// All stream heads as of one position, with a proof for each.
pub struct CommittedHeads {
    as_of: Position,
    heads: HeadsCommitment,
    file: Arc<dyn DiskFile>,
}

impl fmt::Debug for CommittedHeads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommittedHeads")
            .field("as_of", &self.as_of)
            .field("heads", &self.heads)
            .finish_non_exhaustive()
    }
}

/// Makes the keeper event that commits to the heads of a position.
#[must_use]
pub fn heads_committed(reader: &Reader, committed: &CommittedHeads) -> Draft {
    let log_id = reader.meta().log_id;
    let body = KeeperBody::HeadsCommitted {
        position: committed.as_of.get(),
        heads: committed.heads,
    };
    let payload = body.encode();
    let digest = payload_digest(&payload);
    let mut header = EventHeader::new(StreamKind::Keeper, keeper_stream(log_id), Aead::Clear);
    header.payload_bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    header.payload_digest = digest;
    header.event_key = EventKey(digest.0.first_chunk().copied().unwrap_or_default());
    Draft::trusted(&header, payload)
}

impl Reader {
    /// Finds the latest commitment to the heads, walking the keeper stream back; `None` when there is none.
    ///
    /// # Errors
    /// Damage or a disk error.
    pub fn last_commitment(&self) -> Result<Option<CommitmentEvent>, ReadError> {
        let keeper = keeper_stream(self.meta().log_id);
        let mut next = self.head(&keeper).map(|head| head.address);
        while let Some(address) = next {
            let frame = self.read_at(address)?;
            next = frame.previous;
            match KeeperBody::decode(&frame.payload) {
                Ok(KeeperBody::HeadsCommitted { position, heads }) => {
                    let as_of = Position::new(position);
                    return Ok(Some(CommitmentEvent {
                        frame,
                        as_of,
                        heads,
                    }));
                }
                Ok(_) => {}
                Err(error) => {
                    let at = (frame.address, Some(frame.position));
                    return self.noting(Err(Damage::in_segment(
                        DamageKind::Misplaced,
                        at.0,
                        at.1,
                        "keeper body",
                    )
                    .expected_found("a keeper body of a known kind", error.to_string())
                    .into()));
                }
            }
        }
        Ok(None)
    }

    /// Returns every stream's head as of a durable position, sorted by stream id; reads the log behind it.
    ///
    /// About 56 bytes a stream are held.
    ///
    /// # Errors
    /// Damage, a disk error, or that the position is not durable.
    pub fn heads_as_of(&self, position: Position) -> Result<Vec<StreamHead>, ReadError> {
        if position > self.position() {
            return Err(self.not_yet(position));
        }
        let now = self.heads();
        // What was copied may show events of a group that is just being published, but none after it.
        let until = self.shared().position_begun();
        while self.position() < until {
            let before = self.position();
            if self.wait_past(before, PUBLISH_TIMEOUT).position == before {
                return Err(self.not_yet(until));
            }
        }
        let mut earlier: HashMap<StreamId, (u64, EventHash)> = HashMap::new();
        let mut scan = self.scan(position.next());
        while scan.position() <= until {
            let Some(frame) = scan.next_frame()? else {
                return Err(self.not_yet(until));
            };
            let header = frame.header()?;
            earlier
                .entry(header.stream)
                .or_insert((header.version.saturating_sub(1), header.previous));
        }
        let mut heads: Vec<StreamHead> = now
            .into_iter()
            .filter_map(|head| match earlier.get(&head.stream) {
                None => Some(head),
                Some((0, _)) => None,
                Some((version, hash)) => Some(StreamHead {
                    version: *version,
                    hash: *hash,
                    ..head
                }),
            })
            .collect();
        heads.sort_unstable();
        Ok(heads)
    }

    fn not_yet(&self, position: Position) -> ReadError {
        ReadError::NotThere {
            what: format!("heads as of position {position}"),
            durable: self.position(),
        }
    }
}

impl CommittedHeads {
    /// Takes the heads of a durable position and keeps them in the cache, for a new commitment. Blocks.
    ///
    /// # Errors
    /// Damage, a disk error, or that the position is not durable.
    pub fn make(reader: &Reader, as_of: Position) -> Result<Self, ReadError> {
        let heads = reader.heads_as_of(as_of)?;
        let (commitment, bytes) = encode(reader, as_of, &heads)?;
        let path = reader.folder().join("cache").join(name_of(as_of));
        let disk = reader.shared().disk.as_ref();
        write_file_atomic(disk, &path, &bytes).map_err(|source| failed(as_of, source))?;
        let file = disk
            .open(&path, Access::Read)
            .map_err(|source| failed(as_of, source))?;
        Ok(Self {
            as_of,
            heads: commitment,
            file,
        })
    }

    /// Takes up a commitment that stands in the log: from the cache when it gives the root, else from the log. Blocks.
    ///
    /// # Errors
    /// Damage, also when the log's heads do not give the root that the log states, or a disk error.
    pub fn take_up(reader: &Reader, event: &CommitmentEvent) -> Result<Self, ReadError> {
        let path = reader.folder().join("cache").join(name_of(event.as_of));
        let disk = reader.shared().disk.as_ref();
        let stored = read_file(disk, &path, FILE_BYTES_MAX).ok();
        if let Some(heads) = stored.and_then(|bytes| decode(reader, event, &bytes)) {
            let file = disk
                .open(&path, Access::Read)
                .map_err(|source| failed(event.as_of, source))?;
            return Ok(Self {
                as_of: event.as_of,
                heads,
                file,
            });
        }
        let made = Self::make(reader, event.as_of)?;
        if made.heads == event.heads {
            return Ok(made);
        }
        let frame = &event.frame;
        reader.noting(Err(Damage::in_segment(
            DamageKind::Link,
            frame.address,
            Some(frame.position),
            "committed heads",
        )
        .expected_found(event.heads.root.to_string(), made.heads.root.to_string())
        .into()))
    }

    /// Removes what the cache holds of other commitments.
    pub fn remove_others(&self, reader: &Reader) {
        let folder = reader.folder().join("cache");
        let disk = reader.shared().disk.as_ref();
        let own = name_of(self.as_of);
        for name in disk.list(&folder).unwrap_or_default() {
            if name.starts_with(PREFIX) && name != own {
                // Left behind it costs room, nothing else.
                let _ = disk.remove(&folder.join(name));
            }
        }
    }

    /// Returns the last position that the heads take into account.
    #[must_use]
    pub fn as_of(&self) -> Position {
        self.as_of
    }

    /// Returns count and root of the heads.
    #[must_use]
    pub fn heads(&self) -> HeadsCommitment {
        self.heads
    }

    /// Proves a stream's head; `None` when it had no event then.
    ///
    /// # Errors
    /// A disk error, or that the cache is no longer as it was written; it is made anew at the next opening.
    pub fn prove(&self, stream: &StreamId) -> Result<Option<HeadProof>, ReadError> {
        let Some((index, head)) = self.find(stream)? else {
            return Ok(None);
        };
        let hashes = proof::prove_inclusion(index, self.heads.streams, |level, node| {
            tile::node_of_row(level, node, |row, first, count| self.row(row, first, count))
                .map_err(NodeError::Read)?
                .ok_or(NodeError::Proof)
        })
        .map_err(|error| match error {
            NodeError::Read(error) => error,
            NodeError::Proof => self.spoiled(),
        })?;
        let found = HeadProof {
            head,
            index,
            hashes,
        };
        found.verify(&self.heads).map_err(|_| self.spoiled())?;
        Ok(Some(found))
    }

    fn find(&self, stream: &StreamId) -> Result<Option<(u64, StreamHead)>, ReadError> {
        let (mut low, mut high) = (0, self.heads.streams);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = self.entries(middle, 1)?;
            let head = entry.first().copied().ok_or_else(|| self.spoiled())?;
            match head.stream.cmp(stream) {
                std::cmp::Ordering::Equal => return Ok(Some((middle, head))),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// Reads nodes of the tree level 8 · row.
    fn row(&self, row: u8, first: u64, count: usize) -> Result<Vec<NodeHash>, ReadError> {
        if row == 0 {
            let heads = self.entries(first, count)?;
            return Ok(heads.iter().map(StreamHead::leaf).collect());
        }
        let before: u64 = (1..row).map(|row| nodes(self.heads.streams, row)).sum();
        let entries = width(self.heads.streams, ENTRY_BYTES);
        let at = width(before + first, NODE_BYTES) + entries + width(1, FIXED_BYTES);
        let bytes = self.read(at, count * NODE_BYTES)?;
        let (hashes, _) = bytes.as_chunks::<NODE_BYTES>();
        Ok(hashes.iter().map(|hash| NodeHash(*hash)).collect())
    }

    fn entries(&self, first: u64, count: usize) -> Result<Vec<StreamHead>, ReadError> {
        let at = width(first, ENTRY_BYTES) + width(1, FIXED_BYTES);
        let bytes = self.read(at, count * ENTRY_BYTES)?;
        let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
        let heads: Option<Vec<StreamHead>> = entries.iter().map(decode_entry).collect();
        heads.ok_or_else(|| self.spoiled())
    }

    fn read(&self, at: u64, count: usize) -> Result<Vec<u8>, ReadError> {
        let mut bytes = vec![0; count];
        read_exact_at(self.file.as_ref(), &mut bytes, at)
            .map_err(|source| failed(self.as_of, source))?;
        Ok(bytes)
    }

    fn spoiled(&self) -> ReadError {
        failed(self.as_of, std::io::ErrorKind::InvalidData.into())
    }
}

enum NodeError {
    Read(ReadError),
    Proof,
}

impl From<proof::ProofError> for NodeError {
    fn from(_: proof::ProofError) -> Self {
        Self::Proof
    }
}

fn name_of(as_of: Position) -> String {
    format!("{PREFIX}{as_of}")
}

fn failed(as_of: Position, source: std::io::Error) -> ReadError {
    ReadError::Io {
        file: format!("cache/{}", name_of(as_of)),
        source,
    }
}

/// Complete nodes at tree level 8 · row.
fn nodes(leaves: u64, row: u8) -> u64 {
    leaves >> (u32::from(row) * tile::TILE_HEIGHT)
}

fn width(count: u64, bytes: usize) -> u64 {
    count.saturating_mul(u64::try_from(bytes).unwrap_or(u64::MAX))
}

fn encode(
    reader: &Reader,
    as_of: Position,
    heads: &[StreamHead],
) -> Result<(HeadsCommitment, Vec<u8>), ReadError> {
    let mut tree = HeadsTree::default();
    let mut rows = vec![Vec::new(); usize::from(ROWS)];
    for head in heads {
        let pushed = tree.push_with(head, |level, _, hash| {
            let row = usize::try_from(level / tile::TILE_HEIGHT).unwrap_or(usize::MAX);
            if let Some(row) = row.checked_sub(1).and_then(|row| rows.get_mut(row))
                && level.is_multiple_of(tile::TILE_HEIGHT)
            {
                row.extend_from_slice(&hash.0);
            }
        });
        pushed.map_err(|error| failed(as_of, std::io::Error::other(error)))?;
    }
    let commitment = tree.finish();
    let mut fixed = [0; FIXED_BYTES];
    put(&mut fixed, 0, &MAGIC);
    put(&mut fixed, 8, &FORMAT_VERSION.to_le_bytes());
    put(&mut fixed, 16, &reader.meta().log_id.0);
    put(&mut fixed, 32, &as_of.get().to_le_bytes());
    put(&mut fixed, 40, &commitment.streams.to_le_bytes());
    put(&mut fixed, 48, &commitment.root.0);
    let mut bytes = Vec::with_capacity(FIXED_BYTES + heads.len() * (ENTRY_BYTES + 1));
    bytes.extend_from_slice(&fixed);
    for head in heads {
        bytes.extend_from_slice(&head.stream.0);
        bytes.extend_from_slice(&head.version.to_le_bytes());
        bytes.extend_from_slice(&head.hash.0);
    }
    rows.iter().for_each(|row| bytes.extend_from_slice(row));
    Ok((commitment, bytes))
}

/// Reads a cached file; `None` unless every byte of it is what the commitment and its own entries give.
fn decode(reader: &Reader, event: &CommitmentEvent, bytes: &[u8]) -> Option<HeadsCommitment> {
    let streams = u64_at(bytes, 40)?;
    let known = field(bytes, 0) == Some(MAGIC) && u32_at(bytes, 8) == Some(FORMAT_VERSION);
    if !known || streams != event.heads.streams {
        return None;
    }
    let end = usize::try_from(streams)
        .ok()?
        .checked_mul(ENTRY_BYTES)?
        .checked_add(FIXED_BYTES)?;
    let (entries, _) = bytes.get(FIXED_BYTES..end)?.as_chunks::<ENTRY_BYTES>();
    let heads: Vec<StreamHead> = entries.iter().map(decode_entry).collect::<Option<_>>()?;
    let (commitment, again) = encode(reader, event.as_of, &heads).ok()?;
    (commitment == event.heads && again == bytes).then_some(commitment)
}

fn decode_entry(bytes: &[u8; ENTRY_BYTES]) -> Option<StreamHead> {
    Some(StreamHead {
        stream: StreamId(field(bytes, 0)?),
        version: u64_at(bytes, 16)?,
        hash: EventHash(field(bytes, 24)?),
    })
}
