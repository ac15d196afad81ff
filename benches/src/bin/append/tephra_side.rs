//! The embedded Tephra, driven as its own benches drive it: their segments, the default writer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use sokhoe_benches::load::Load;
use sokhoe_benches::random::Random;
use sokhoe_record::PersonId;
use tephra::event::{Event, EventType, Tag, Tags};
use tephra::log::set::{SegmentConfig, SegmentSet};
use tephra::writer::{WriteCoordinator, WriteHandle, WriterConfig};

use crate::{PAYLOAD_BYTES, Side, load};

/// As in Tephra's own benches, so that the seconds it takes to seal an index seldom fall into a turn.
const SEGMENT_BYTES: usize = 1 << 30;
/// Events of one request while the people are made.
const SETUP_EVENTS: usize = 500;

/// A running Tephra.
pub(crate) struct Tephra {
    handle: WriteHandle,
    people: Arc<[PersonId]>,
    bytes: AtomicU64,
    seeds: AtomicU64,
    _coordinator: WriteCoordinator,
}

impl Tephra {
    /// Makes a store, and in it one event for each person.
    pub(crate) fn open(folder: &Path, people: Arc<[PersonId]>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let set = SegmentSet::open(folder, SegmentConfig::new(SEGMENT_BYTES))
            .map_err(|error| anyhow!("open Tephra's segments: {error}"))?;
        let (coordinator, handle) = WriteCoordinator::start(set, WriterConfig::default())
            .map_err(|error| anyhow!("start Tephra: {error}"))?;
        let side = Self {
            handle,
            people,
            bytes: AtomicU64::new(0),
            seeds: AtomicU64::new(3),
            _coordinator: coordinator,
        };
        let mut client = side.client()?;
        for part in side.people.chunks(SETUP_EVENTS) {
            client.append(&side, part)?;
        }
        Ok(side)
    }

    fn client(&self) -> anyhow::Result<Client> {
        let seed = self.seeds.fetch_add(1, Ordering::Relaxed);
        let event_type = EventType::new("recorded").map_err(|error| anyhow!("{error}"))?;
        Ok(Client {
            random: Random::from_seed(seed),
            payload: [0; PAYLOAD_BYTES],
            event_type,
        })
    }
}

struct Client {
    random: Random,
    payload: [u8; PAYLOAD_BYTES],
    event_type: EventType,
}

impl Client {
    fn append(&mut self, side: &Tephra, people: &[PersonId]) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(people.len());
        let mut bytes = 0;
        for person in people {
            self.random.fill(&mut self.payload);
            let event = self.event(*person)?;
            bytes += event.as_bytes().len() + 8;
            events.push(event);
        }
        side.handle
            .append(events, None)
            .map_err(|error| anyhow!("append to Tephra: {error}"))?;
        side.bytes
            .fetch_add(u64::try_from(bytes)?, Ordering::Relaxed);
        Ok(())
    }

    fn event(&self, person: PersonId) -> anyhow::Result<Event> {
        let tag = Tag::new(format!("person:{person}"))
            .ok()
            .context("make a tag")?;
        let tags = Tags::new(vec![tag]).ok().context("make tags")?;
        Event::new(&self.event_type, &tags, &self.payload)
            .ok()
            .context("encode an event")
    }
}

impl Side for Tephra {
    fn name(&self) -> &'static str {
        "Tephra"
    }

    fn load(&self, writers: usize, events: usize, time: Duration) -> anyhow::Result<Load> {
        let event_type = self.client()?.event_type;
        load(writers, time, |number| {
            let seed = self.seeds.fetch_add(1, Ordering::Relaxed) << 8 | number as u64;
            let mut client = Client {
                random: Random::from_seed(seed),
                payload: [0; PAYLOAD_BYTES],
                event_type: event_type.clone(),
            };
            let mut chosen = Vec::with_capacity(events);
            move || {
                chosen.clear();
                chosen.extend(
                    (0..events).map(|_| self.people[client.random.below(self.people.len())]),
                );
                client.append(self, &chosen)
            }
        })
    }

    fn appended(&self) -> (f64, Option<f64>) {
        (self.bytes.load(Ordering::Relaxed) as f64, None)
    }
}
