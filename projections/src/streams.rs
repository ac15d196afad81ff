//! People's streams, opened and kept while there is room: the one cache of the read side.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sokhoe_commands::{OpenedEvent, Opener, UnsealError, record_stream};
use sokhoe_record::{Instant, PersonId, RecordedEvent};

/// What a cached event is taken to weigh besides its sealed size: typed values, strings, pointers.
const EVENT_WEIGHT_BYTES: u64 = 1024;
/// Streams that the cache is laid out for; its limit is bytes.
const STREAMS_ESTIMATED: usize = 100_000;

/// A person's stream as of one version, in the order of versions.
pub(crate) type Stream = Arc<Vec<RecordedEvent>>;

#[derive(Debug, Clone)]
struct StreamWeight;

impl Weighter<PersonId, Stream> for StreamWeight {
    fn weight(&self, _person: &PersonId, stream: &Stream) -> u64 {
        let events = u64::try_from(stream.len()).unwrap_or(u64::MAX);
        events.saturating_mul(EVENT_WEIGHT_BYTES).saturating_add(64)
    }
}

/// The state of a record that something was made of: it holds until one of the streams grows or a merge begins or ends.
/// Versions only grow, so where they are the same, so is everything between.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// Everyone who is part of the record.
    pub(crate) members: Vec<PersonId>,
    /// How many events they had.
    pub(crate) version: u64,
    /// The position that it is true at.
    pub(crate) position: u64,
}

/// Opened streams, bounded by bytes.
#[derive(Debug)]
pub(crate) struct Streams {
    opener: Opener,
    cache: Cache<PersonId, Stream, StreamWeight>,
}

impl Streams {
    pub(crate) fn new(opener: Opener, bytes_max: u64) -> Self {
        let cache = Cache::with_weighter(STREAMS_ESTIMATED, bytes_max, StreamWeight);
        Self { opener, cache }
    }

    /// Returns a person's stream as it is durable now; only what is newer than the cached part is
    /// read and opened.
    pub(crate) fn get(&self, person: PersonId) -> Result<Stream, UnsealError> {
        let id = record_stream(person);
        let Some(head) = self.opener.reader().head(&id) else {
            return Ok(Stream::default());
        };
        let cached = self.cache.get(&person);
        let held = cached.as_ref().map_or(0, |stream| stream.len());
        let version = usize::try_from(head.version).unwrap_or(usize::MAX);
        if let Some(stream) = cached.as_ref().filter(|_| held >= version) {
            return Ok(Arc::clone(stream));
        }
        let newer = match cached.as_ref() {
            Some(_) => {
                let mut frames = self.opener.reader().read_stream_back(
                    &id,
                    Some(head.address),
                    version - held,
                )?;
                frames.reverse();
                frames
                    .iter()
                    .map(|frame| self.opener.open(frame))
                    .collect::<Result<Vec<_>, _>>()?
            }
            None => self.opener.stream(id)?,
        };
        // Taken out of the cache the stream is usually nobody else's, and grows in place.
        self.cache.remove(&person);
        let mut events = cached.map_or_else(Vec::new, |stream| {
            Arc::try_unwrap(stream).unwrap_or_else(|shared| shared.as_ref().clone())
        });
        events.extend(newer.into_iter().map(recorded));
        let stream = Arc::new(events);
        self.cache.insert(person, Arc::clone(&stream));
        Ok(stream)
    }

    /// Tells whether what was made of a record is still true at a position that the log's end was just seen at.
    pub(crate) fn holds(&self, moment: &Moment, survivor: PersonId, position: u64) -> bool {
        let (registry, reader) = (self.opener.registry(), self.opener.reader());
        // Heads are looked at after the position: what they do not show by now was not there then.
        let version = |member: &PersonId| {
            reader
                .head(&record_stream(*member))
                .map_or(0, |h| h.version)
        };
        moment.position <= position
            && registry.members(survivor, Some(position)) == moment.members
            && moment.members.iter().map(version).sum::<u64>() == moment.version
    }

    /// Forgets everything that is kept.
    pub(crate) fn forget(&self) {
        self.cache.clear();
    }

    pub(crate) fn opener(&self) -> &Opener {
        &self.opener
    }
}

/// The event as the fold takes it.
pub(crate) fn recorded(opened: OpenedEvent) -> RecordedEvent {
    RecordedEvent {
        person: PersonId::from_bytes(opened.stream.0),
        position: opened.position,
        version: opened.version,
        recorded_at: Instant::from_micros(opened.recorded_at_us),
        hash: opened.hash.0,
        previous_hash: opened.previous.0,
        recorded_by: opened.stored.recorded_by,
        event: opened.stored.event,
    }
}
