//! The evidence bundle: one JSON file that shows a person's chains, or one event, to whoever trusts neither server nor operator.
//!
//! `storage/FORMAT.md` describes it; `tests/verifier/` checks it a second time in Python. What is read here comes from
//! anybody: sizes are limited, unknown members are refused, and nothing is believed but what the signed tree holds.

use serde::{Deserialize, Serialize};
use sokhoe_chain::NodeHash;
use sokhoe_commands::{Evidence, ShownEvent};

mod check;
mod hex;

pub use self::check::{Checked, Flaw, check};
use self::hex::Hex;

/// The format that this program writes, and the only one that it reads.
pub const EVIDENCE_FORMAT: &str = "sokhoe evidence 1";
/// The longest bundle that is read.
pub const EVIDENCE_BYTES_MAX: usize = 128 << 20;

/// A bundle as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    format: String,
    log_id: Hex,
    checkpoint: String,
    commitment: Option<BundledEvent>,
    chains: Vec<BundledChain>,
    events: Vec<BundledEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BundledChain {
    head: BundledHead,
    events: Vec<BundledEvent>,
}

/// The place of a stream's last event among all heads; what it says follows from the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BundledHead {
    index: u64,
    proof: Vec<Hex>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BundledEvent {
    position: u64,
    header: Hex,
    payload: Hex,
    inclusion: Vec<Hex>,
    secret: Option<Hex>,
}

/// Why bytes are no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Longer than any bundle.
    #[error("the bundle has {bytes} bytes; at most {EVIDENCE_BYTES_MAX} are read")]
    TooLong {
        /// Bytes given.
        bytes: usize,
    },
    /// Written in another format.
    #[error("the bundle is of another format, {format:?}; this program reads {EVIDENCE_FORMAT:?}")]
    UnknownFormat {
        /// What it says.
        format: String,
    },
    /// Not what a bundle looks like: cut, or changed.
    #[error("the bundle is cut or changed: {0}")]
    Shape(String),
}

fn hexes(hashes: &[NodeHash]) -> Vec<Hex> {
    hashes.iter().map(|hash| Hex(hash.0.to_vec())).collect()
}

impl BundledEvent {
    fn of(shown: &ShownEvent) -> Self {
        Self {
            position: shown.frame.position.get(),
            header: Hex(shown.frame.header_bytes.to_vec()),
            payload: Hex(shown.frame.payload.clone()),
            inclusion: hexes(&shown.inclusion),
            secret: shown
                .secret
                .as_ref()
                .map(|secret| Hex(secret.as_bytes().to_vec())),
        }
    }
}

impl Bundle {
    /// Writes evidence down.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        let events = |shown: &[ShownEvent]| shown.iter().map(BundledEvent::of).collect();
        let chains = evidence.chains.iter().map(|chain| BundledChain {
            head: BundledHead {
                index: chain.head.index,
                proof: hexes(&chain.head.hashes),
            },
            events: events(&chain.events),
        });
        Self {
            format: EVIDENCE_FORMAT.to_owned(),
            log_id: Hex(evidence.log_id.0.to_vec()),
            checkpoint: evidence.note.clone(),
            commitment: evidence.commitment.as_ref().map(BundledEvent::of),
            chains: chains.collect(),
            events: events(&evidence.events),
        }
    }

    /// Reads a bundle; nothing in it is believed yet.
    ///
    /// # Errors
    /// When it is too long, of another format, cut or changed such that it is no bundle any more.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        if bytes.len() > EVIDENCE_BYTES_MAX {
            return Err(ReadError::TooLong { bytes: bytes.len() });
        }
        let bundle: Self = serde_json::from_slice(bytes).map_err(|error| {
            // The place, not the text: what stands there may be anything.
            let place = format!("line {}, column {}", error.line(), error.column());
            ReadError::Shape(format!("{:?} error at {place}", error.classify()))
        })?;
        if bundle.format != EVIDENCE_FORMAT {
            let format = bundle.format.chars().take(40).collect();
            return Err(ReadError::UnknownFormat { format });
        }
        Ok(bundle)
    }
}
