//! The embedded Tephra, driven as its own benches drive it: their segments, the default writer.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, anyhow};
use tephra::event::{Event, EventType, Tag, Tags};
use tephra::log::set::{SegmentConfig, SegmentSet};
use tephra::writer::{WriteCoordinator, WriteHandle, WriterConfig};
use tephra::{Position, Query, QueryItem};

use super::{Client, PAYLOAD_BYTES, Store};
use crate::random::Random;

/// As in Tephra's own benches, so that the seconds it takes to seal an index seldom fall into a turn.
const SEGMENT_BYTES: usize = 1 << 30;

/// A running Tephra.
pub struct Tephra {
    handle: WriteHandle,
    people: usize,
    bytes: AtomicU64,
    _coordinator: WriteCoordinator,
}

impl std::fmt::Debug for Tephra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tephra").finish_non_exhaustive()
    }
}

impl Tephra {
    /// Makes an empty store.
    ///
    /// # Errors
    /// When Tephra does not start.
    pub fn open(folder: &Path, people: usize) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let set = SegmentSet::open(folder, SegmentConfig::new(SEGMENT_BYTES))
            .map_err(|error| anyhow!("open Tephra's segments: {error}"))?;
        let (coordinator, handle) = WriteCoordinator::start(set, WriterConfig::default())
            .map_err(|error| anyhow!("start Tephra: {error}"))?;
        Ok(Self {
            handle,
            people,
            bytes: AtomicU64::new(0),
            _coordinator: coordinator,
        })
    }
}

impl Store for Tephra {
    fn name(&self) -> &'static str {
        "Tephra"
    }

    fn people(&self) -> usize {
        self.people
    }

    fn client(&self, seed: u64) -> anyhow::Result<Box<dyn Client + '_>> {
        Ok(Box::new(Writer {
            store: self,
            random: Random::from_seed(seed),
            payload: [0; PAYLOAD_BYTES],
            event_type: EventType::new("recorded").map_err(|error| anyhow!("{error}"))?,
        }))
    }

    fn appended(&self) -> (f64, Option<f64>) {
        (self.bytes.load(Ordering::Relaxed) as f64, None)
    }
}

struct Writer<'a> {
    store: &'a Tephra,
    random: Random,
    payload: [u8; PAYLOAD_BYTES],
    event_type: EventType,
}

impl Writer<'_> {
    fn event(&self, person: usize) -> anyhow::Result<Event> {
        let tags = Tags::new(vec![tag(person)?]).ok().context("make tags")?;
        Event::new(&self.event_type, &tags, &self.payload)
            .ok()
            .context("encode an event")
    }
}

impl Client for Writer<'_> {
    fn append(&mut self, people: &[usize]) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(people.len());
        let mut bytes = 0;
        for person in people {
            self.random.fill(&mut self.payload);
            let event = self.event(*person)?;
            bytes += event.as_bytes().len() + 8;
            events.push(event);
        }
        self.store
            .handle
            .append(events, None)
            .map_err(|error| anyhow!("append to Tephra: {error}"))?;
        self.store
            .bytes
            .fetch_add(u64::try_from(bytes)?, Ordering::Relaxed);
        Ok(())
    }

    fn read(&mut self, person: usize) -> anyhow::Result<usize> {
        let tags = Tags::new(vec![tag(person)?]).ok().context("make tags")?;
        let query = Query::item(QueryItem::with_tags(tags));
        let mut events = self.store.handle.read(&query, Position::ZERO, None);
        let mut count = 0;
        while let Some(event) = events.next() {
            event.map_err(|error| anyhow!("read from Tephra: {error}"))?;
            count += 1;
        }
        Ok(count)
    }
}

fn tag(person: usize) -> anyhow::Result<Tag> {
    Tag::new(format!("person:{person:032x}"))
        .ok()
        .context("make a tag")
}
