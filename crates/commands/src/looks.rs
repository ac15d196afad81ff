//! Writing down who looked: what must be durable before anything of a record is shown.

use sokhoe_chain::{EventHeader, StreamId, StreamKind};
use sokhoe_codec::Stored;
use sokhoe_record::{Data, Event, EventId, Instant, Occurred, PersonId, PersonRef};
use sokhoe_registry::Digests;
use sokhoe_storage::Position;

use crate::house::House;
use crate::opening::{OpenedEvent, Opener, UnsealError};
use crate::prepare::{Prepared, Target, seal};
use crate::receipt::Receipt;
use crate::refusal::Refusal;
use crate::stage::Plan;
use crate::submission::{Unsent, WhenFull};

/// Who is written down as the sender of what the server writes itself.
const SERVER: &str = "server";

/// Something that is written into a person's access stream.
#[derive(Debug, Clone)]
pub struct Look {
    /// Whose record it is about.
    pub person: PersonId,
    /// The facility that whoever looked acts for.
    pub facility: Option<String>,
    /// What is written down: a look, a refusal, a broken glass, a review.
    pub data: Data,
}

impl House {
    /// Writes looks down, all or none; returns once they are durable.
    pub(crate) async fn witness(&self, looks: Vec<Look>) -> Result<Vec<Receipt>, Refusal> {
        let mut unsent = Unsent::default();
        // A reader waits like a sender of many lines: whoever is refused for want of a place would go without a record.
        let place = self.place(WhenFull::Wait, &mut unsent).await?;
        let now = Instant::from_micros(self.clock.now_us());
        let prepared = looks
            .into_iter()
            .map(|look| prepare(&self.opener, look, now))
            .collect::<Result<Vec<_>, _>>()?;
        let (request, receiver) = self.request(prepared, place)?;
        self.gathered.add(request);
        match receiver.await {
            Ok(Ok(receipts)) => Ok(receipts),
            _ => Err(Refusal::Stopped),
        }
    }
}

fn prepare(opener: &Opener, look: Look, now: Instant) -> Result<Prepared, Refusal> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| {
        tracing::error!(%error, "the system gives no random bytes");
        Refusal::Internal
    })?;
    let event_id = EventId::from_bytes(id);
    let stored = Stored {
        event: Event {
            event_id,
            person: Some(PersonRef::Id(look.person)),
            occurred_at: Occurred::At(now),
            facility: look.facility,
            author: None,
            source: None,
            data: look.data,
        },
        recorded_by: SERVER.to_owned(),
        // Nothing was received.
        content: [0; 32],
        cause: None,
    };
    let (kind, key) = (stored.event.kind(), opener.event(&event_id));
    let target = Target {
        stream: opener.access_stream(look.person),
        kind: StreamKind::Access,
        key,
    };
    let frames: Vec<(EventHeader, Vec<u8>)> = seal(opener, &stored, &[target])?;
    let plan = Plan {
        event_id,
        kind,
        key,
        person: Some(look.person),
        // Whoever is refused is written down as well, and nobody is refused for a person that is not there.
        known: true,
        changes: Vec::new(),
        expected_version: None,
        frame_count: 1,
    };
    Ok(Prepared { plan, frames })
}

impl Opener {
    /// Returns the stream of who looked at a person's record: derived, so that the log does not tell whose it is.
    #[must_use]
    pub fn access_stream(&self, person: PersonId) -> StreamId {
        let secrets = self.vault.secrets();
        let derived = secrets.derive("sokhoe:access-stream:v1", &[person.as_bytes()]);
        StreamId(derived.first_chunk().copied().unwrap_or_default())
    }

    /// Returns who looked at a person's record, newest first: at most `limit` of one access stream, those before a
    /// position of the log.
    ///
    /// # Errors
    /// When they cannot be read or opened.
    pub fn looks(
        &self,
        person: PersonId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<OpenedEvent>, UnsealError> {
        let stream = self.access_stream(person);
        let mut next = self.reader.head(&stream).map(|head| head.address);
        // A page that goes on begins behind the last event of the one before, without walking there.
        let last = Some(before).filter(|before| *before <= self.reader.position().get());
        if let Some(before) = last.filter(|before| *before > 0) {
            let frame = self.reader.read_position(Position::new(before))?;
            if frame.header.stream == stream {
                next = frame.previous;
            }
        }
        let mut events = Vec::new();
        while let Some(address) = next.filter(|_| events.len() < limit) {
            let asked = limit - events.len();
            let frames = self
                .reader
                .read_stream_back(&stream, Some(address), asked)?;
            next = frames.last().and_then(|frame| frame.previous);
            let wanted = frames.iter().filter(|frame| frame.position.get() < before);
            for frame in wanted {
                events.push(self.open(frame)?);
            }
        }
        Ok(events)
    }
}
