//! The answer to an accepted event.

use serde::Serialize;
use sokhoe_chain::EventHash;
use sokhoe_record::{EventId, Instant, PersonId};

/// What a sender keeps: `hash` is what the chain links and the tree holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The sender's id of the event.
    pub event_id: EventId,
    /// Whose record it went to; `None` for system streams.
    pub person_id: Option<PersonId>,
    /// 1-based place in its stream.
    pub version: u64,
    /// 1-based place in the log.
    pub position: u64,
    /// The event hash, as hex.
    #[serde(serialize_with = "hex")]
    pub hash: EventHash,
    /// When the log took it.
    pub recorded_at: Instant,
    /// Whether the event had been taken before; the rest is then the first receipt.
    #[serde(skip)]
    pub duplicate: bool,
}

fn hex<S: serde::Serializer>(hash: &EventHash, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(hash)
}
