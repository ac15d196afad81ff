//! Stand-ins until the write side lands.
use serde::Serialize;
use sokhoe_record::{EventId, Instant, PersonId};
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContentDigest;
impl ContentDigest {
    pub(crate) fn of_json(_: &sokhoe_record::json::Node<'_>) -> Self {
        Self
    }
    pub(crate) fn of_bytes(_: &[u8]) -> Self {
        Self
    }
}
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Receipt {
    pub(crate) event_id: EventId,
    pub(crate) person_id: Option<PersonId>,
    pub(crate) version: u64,
    pub(crate) recorded_at: Instant,
    #[serde(skip)]
    pub(crate) duplicate: bool,
}
