//! Every request of a data subject, with what was decided about it: the queue that clocks run on.
//!
//! A correction of a request shows in the record and its history; the clock runs from what was first written down.

use std::collections::BTreeMap;

use sokhoe_commands::{OpenedEvent, Seen, UnsealError};
use sokhoe_record::{Data, Kind, PersonId, RequestDecision, RequestRight};
use wincode::config::Configuration;
use wincode::{SchemaRead, SchemaWrite};

const SNAPSHOT_VERSION: u32 = 1;
const LIST_BYTES_MAX: usize = 1 << 30;

/// A request and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
pub struct SubjectRequest {
    /// Who asks.
    pub person: PersonId,
    /// The id that the asker gave it.
    pub request_id: String,
    /// Under which right.
    pub right: RequestRight,
    /// When it was recorded, microseconds since 1970 UTC.
    pub made_us: i64,
    /// Whether its answer was given more time.
    pub extended: bool,
    /// The latest decision, and when it was recorded.
    pub decision: Option<(RequestDecision, i64)>,
}

impl SubjectRequest {
    /// Whether nothing more is due.
    #[must_use]
    pub fn settled(&self) -> bool {
        matches!(
            self.decision,
            Some((RequestDecision::Refused | RequestDecision::Done, _))
        )
    }
}

/// What the table needs of one event.
#[derive(Debug)]
pub struct RequestNote {
    person: PersonId,
    request_id: String,
    at_us: i64,
    said: Said,
}

#[derive(Debug)]
enum Said {
    Made(RequestRight),
    Decided(RequestDecision),
}

impl RequestNote {
    /// Notes a request, or a decision about one, that is passed; `None` for all else.
    pub(crate) fn of_seen(event: &Seen<'_>) -> Result<Option<Self>, UnsealError> {
        match event.of_person() {
            Some((_, content))
                if matches!(content.kind, Kind::RequestMade | Kind::RequestDecided) =>
            {
                Ok(Self::of(event.open(content)?))
            }
            _ => Ok(None),
        }
    }

    /// Notes an opened event.
    pub(crate) fn of(opened: &OpenedEvent) -> Option<Self> {
        let (request_id, said) = match &opened.stored.event.data {
            Data::RequestMade(made) => (&made.request_id, Said::Made(made.right)),
            Data::RequestDecided(decided) => (&decided.request_id, Said::Decided(decided.decision)),
            _ => return None,
        };
        Some(Self {
            person: opened.person()?,
            request_id: request_id.clone(),
            at_us: opened.recorded_at_us,
            said,
        })
    }
}

/// All requests, as of one position of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestTable {
    position: u64,
    requests: BTreeMap<(PersonId, String), SubjectRequest>,
}

/// A copy that is written to disk.
#[derive(Debug, SchemaRead, SchemaWrite)]
pub(crate) struct RequestsSnapshot {
    version: u32,
    position: u64,
    requests: Vec<SubjectRequest>,
}

impl RequestsSnapshot {
    /// Returns the bytes; `None` when they would be too many.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let config = Configuration::default().with_preallocation_size_limit::<LIST_BYTES_MAX>();
        wincode::config::serialize(self, config).ok()
    }
}

impl RequestTable {
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn advance(&mut self, position: u64) {
        self.position = self.position.max(position);
    }

    pub(crate) fn apply(&mut self, note: RequestNote) {
        let key = (note.person, note.request_id.clone());
        match note.said {
            // A second request under the same id leaves the clock of the first.
            Said::Made(right) => {
                self.requests.entry(key).or_insert(SubjectRequest {
                    person: note.person,
                    request_id: note.request_id,
                    right,
                    made_us: note.at_us,
                    extended: false,
                    decision: None,
                });
            }
            Said::Decided(decision) => {
                if let Some(request) = self.requests.get_mut(&key) {
                    request.extended |= decision == RequestDecision::Extended;
                    request.decision = Some((decision, note.at_us));
                }
            }
        }
    }

    /// Returns the requests of these people, or of everybody.
    pub(crate) fn of(&self, people: Option<&[PersonId]>) -> Vec<SubjectRequest> {
        let theirs = |request: &&SubjectRequest| {
            people.is_none_or(|people| people.contains(&request.person))
        };
        self.requests.values().filter(theirs).cloned().collect()
    }

    pub(crate) fn snapshot(&self) -> RequestsSnapshot {
        RequestsSnapshot {
            version: SNAPSHOT_VERSION,
            position: self.position,
            requests: self.requests.values().cloned().collect(),
        }
    }

    /// Restores from [`RequestsSnapshot::encode`] bytes; `None` when they cannot be used.
    pub(crate) fn restore(bytes: &[u8]) -> Option<Self> {
        let config = Configuration::default().with_preallocation_size_limit::<LIST_BYTES_MAX>();
        let snapshot: RequestsSnapshot = wincode::config::deserialize_exact(bytes, config).ok()?;
        if snapshot.version != SNAPSHOT_VERSION {
            return None;
        }
        let requests = snapshot.requests.into_iter();
        Some(Self {
            position: snapshot.position,
            requests: requests
                .map(|request| ((request.person, request.request_id.clone()), request))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(id: &str, at_us: i64, said: Said) -> RequestNote {
        RequestNote {
            person: PersonId::from_bytes([1; 16]),
            request_id: id.to_owned(),
            at_us,
            said,
        }
    }

    #[test]
    fn a_request_is_open_until_it_is_refused_or_done_and_a_snapshot_knows_it() {
        let mut table = RequestTable::default();
        table.apply(note("a", 10, Said::Made(RequestRight::View)));
        table.apply(note("a", 99, Said::Made(RequestRight::Erase)));
        table.apply(note("b", 20, Said::Decided(RequestDecision::Done)));
        table.apply(note("a", 30, Said::Decided(RequestDecision::Extended)));
        let only = &table.of(None)[0];
        assert_eq!(
            (only.right, only.made_us, only.extended),
            (RequestRight::View, 10, true)
        );
        assert!(!only.settled());
        table.apply(note("a", 40, Said::Decided(RequestDecision::Done)));
        table.advance(7);
        let bytes = table.snapshot().encode().unwrap();
        let again = RequestTable::restore(&bytes).unwrap();
        assert_eq!((again.position(), again.of(None)), (7, table.of(None)));
        assert!(again.of(None)[0].settled());
        assert!(again.of(Some(&[])).is_empty());
    }
}
