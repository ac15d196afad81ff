//! What decisions need to know of a person: what they stated, where they live. Kept for each version of the record.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sokhoe_access::{PersonFacts, directives};
use sokhoe_record::{PersonId, RecordedEvent, fold};

use crate::streams::{Moment, Streams};
use crate::views::ReadError;

/// People that the cache is laid out for; its limit is bytes.
const PEOPLE_ESTIMATED: usize = 100_000;
/// Memory that the facts of people may take.
const FACTS_BYTES_MAX: u64 = 64 << 20;
/// What a person takes, and each directive.
const PERSON_BYTES: usize = 256;
const DIRECTIVE_BYTES: usize = 320;

/// What is known of a person, as of a durable position.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Whose record it is: the survivor, where the person asked for is merged.
    pub survivor: PersonId,
    /// What they stated, and where they live.
    pub known: Arc<PersonFacts>,
    /// The position that it is true at.
    pub position: u64,
}

#[derive(Debug)]
struct Kept {
    moment: Moment,
    known: Arc<PersonFacts>,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<PersonId, Arc<Kept>> for Weight {
    fn weight(&self, _person: &PersonId, kept: &Arc<Kept>) -> u64 {
        let bytes = PERSON_BYTES + kept.known.directives.len() * DIRECTIVE_BYTES;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// The facts that there is room for.
#[derive(Debug)]
pub(crate) struct AllFacts(Cache<PersonId, Arc<Kept>, Weight>);

impl AllFacts {
    pub(crate) fn new() -> Self {
        let cache = Cache::with_weighter(PEOPLE_ESTIMATED, FACTS_BYTES_MAX, Weight);
        Self(cache)
    }

    /// Returns what is known where it is in memory and still true; does not wait for the disk.
    ///
    /// The inner `None` says that nobody has that id.
    pub(crate) fn at_hand(&self, streams: &Streams, person: PersonId) -> Option<Option<Facts>> {
        let (registry, reader) = (streams.opener().registry(), streams.opener().reader());
        let position = reader.position().get();
        let Some(survivor) = registry.survivor(person, Some(position)) else {
            return Some(None);
        };
        let kept = self.0.get(&survivor)?;
        let holds = streams.holds(&kept.moment, survivor, position);
        holds.then(|| {
            Some(Facts {
                survivor,
                known: Arc::clone(&kept.known),
                position,
            })
        })
    }

    /// Returns what is known as of now, or as of a position; `None` when there was nobody with that id.
    pub(crate) fn of(
        &self,
        streams: &Streams,
        person: PersonId,
        at: Option<u64>,
    ) -> Result<Option<Facts>, ReadError> {
        let (registry, reader) = (streams.opener().registry(), streams.opener().reader());
        let position = at.unwrap_or_else(|| reader.position().get());
        let Some(survivor) = registry.survivor(person, Some(position)) else {
            return Ok(None);
        };
        let members = registry.members(survivor, Some(position));
        let mut events: Vec<RecordedEvent> = Vec::new();
        for member in members.iter().copied() {
            let stream = match streams.get(member) {
                Ok(stream) => stream,
                Err(error) if error.erased() => continue,
                Err(error) => return Err(ReadError::Events(error)),
            };
            let until = stream.partition_point(|event| event.position <= position);
            events.extend_from_slice(stream.get(..until).unwrap_or_default());
        }
        let address = fold(survivor, &events).demographics.current_address;
        let known = Arc::new(PersonFacts {
            directives: directives(survivor, &events),
            commune: address.and_then(|address| address.commune),
        });
        if at.is_none() {
            let moment = Moment {
                members,
                version: u64::try_from(events.len()).unwrap_or(u64::MAX),
                position,
            };
            let kept = Kept {
                moment,
                known: Arc::clone(&known),
            };
            self.0.insert(survivor, Arc::new(kept));
        }
        Ok(Some(Facts {
            survivor,
            known,
            position,
        }))
    }

    pub(crate) fn forget(&self) {
        self.0.clear();
    }
}
