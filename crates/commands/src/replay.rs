//! The registry at start: from its snapshot and the log's tail, which brings a follower on too.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sokhoe_chain::{EventKey, StreamKind};
use sokhoe_record::PersonId;
use sokhoe_registry::{Change, IdRuns, Registry, changes_of, concerns};
use sokhoe_storage::{Position, Progress, Reader, Step};
use sokhoe_vault::Vault;

use crate::cache;
use crate::following::{Follow, Notes, Seen};
use crate::lookup::root_of;
use crate::opening::{OpenedEvent, Opener, UnsealError};

const SNAPSHOT: &str = "registry";
/// Events replayed before event ids may leave memory.
const LOOK_EVERY: u64 = 10_000;
/// How long a wait for what is in a snapshot to become durable goes on before the log's state is looked at.
const DURABLE_WAIT: Duration = Duration::from_millis(100);

/// The registry while it is brought on by the log.
pub(crate) struct Replay {
    opener: Opener,
    position: u64,
    /// Ids of events up to here are known.
    known: u64,
    looked: u64,
}

impl Replay {
    /// Goes on from the position that the opener's registry is true at.
    pub(crate) fn new(opener: &Opener, position: u64, known: u64) -> Self {
        Self {
            opener: opener.clone(),
            position,
            known,
            looked: position,
        }
    }
}

/// What the registry needs of an event.
pub(crate) struct Noted {
    key: EventKey,
    changes: Changes,
}

enum Changes {
    Made(Vec<Change>),
    /// What a correction changes depends on the entry at its root, which could not be told yet.
    Of(Box<(OpenedEvent, PersonId)>),
}

impl Follow for Replay {
    type Note = Noted;

    fn position(&self) -> u64 {
        self.position
    }

    fn note(opener: &Opener, event: &Seen<'_>) -> Result<Option<Noted>, UnsealError> {
        let header = event.header();
        if header.stream_kind == StreamKind::Keeper {
            return Ok(None);
        }
        // An id is taken even where the key of its event was destroyed.
        let key = header.event_key;
        let changes = match event.of_person() {
            Some((person, content)) if concerns(content.kind) => {
                let opened = event.open(content)?;
                let root = match opened.corrects() {
                    Some(_) => event.root(opener, opened)?,
                    None => None,
                };
                let corrected = root.map(|root| &root.stored.event.data);
                if opened.mirror() {
                    Changes::Made(Vec::new())
                } else if opened.corrects().is_some() && root.is_none() {
                    Changes::Of(Box::new((opened.clone(), person)))
                } else {
                    Changes::Made(changes_of(&opened.stored.event, person, corrected, opener))
                }
            }
            _ => Changes::Made(Vec::new()),
        };
        Ok(Some(Noted { key, changes }))
    }

    fn apply(&mut self, notes: Notes<Noted>, until: u64) -> Result<(), UnsealError> {
        for (position, note) in notes {
            self.apply_one(position, note)?;
        }
        self.position = until;
        if until - self.looked >= LOOK_EVERY {
            self.looked = until;
            // Memory stays bounded however much is replayed; what cannot be written stays in memory.
            if let Err(error) = self.opener.registry.settle_ids(until, false) {
                tracing::warn!(%error, "event ids stay in memory: no run of them is written");
            }
        }
        Ok(())
    }
}

impl Replay {
    fn apply_one(&self, position: u64, note: Noted) -> Result<(), UnsealError> {
        let registry = &self.opener.registry;
        if position > self.known {
            registry.retake(note.key, position);
        }
        let changes = match note.changes {
            Changes::Made(changes) => changes,
            Changes::Of(correction) => {
                let (opened, person) = *correction;
                let root = root_of(&self.opener, &opened)?;
                let corrected = root.as_ref().map(|root| &root.stored.event.data);
                changes_of(&opened.stored.event, person, corrected, &self.opener)
            }
        };
        if changes.is_empty() {
            return Ok(());
        }
        if let Err(refused) = registry.apply(&changes, position) {
            // The writer decided by the same rules in the same order, so this is damage or a bug.
            tracing::error!(position, %refused, "the log holds a change that the registry refuses");
        }
        Ok(())
    }
}

/// The registry, and a follower that is brought on with it as far as it can be.
struct Beside<F> {
    registry: Replay,
    follower: F,
    /// The follower met an event that it could not apply and stays there; it will meet it again and say so.
    failed: bool,
}

impl<F: Follow> Follow for Beside<F> {
    type Note = (Option<Noted>, Option<F::Note>);

    fn position(&self) -> u64 {
        self.registry.position().min(self.follower.position())
    }

    fn note(opener: &Opener, event: &Seen<'_>) -> Result<Option<Self::Note>, UnsealError> {
        let noted = (Replay::note(opener, event)?, F::note(opener, event)?);
        Ok(Some(noted).filter(|noted| !matches!(noted, (None, None))))
    }

    fn apply(&mut self, notes: Notes<Self::Note>, until: u64) -> Result<(), UnsealError> {
        let (registered, reached) = (self.registry.position(), self.follower.position());
        let (mut noted, mut followed) = (Vec::with_capacity(notes.len()), Vec::new());
        for (position, (of_registry, of_follower)) in notes {
            let new = of_registry.filter(|_| position > registered);
            noted.extend(new.map(|note| (position, note)));
            let new = of_follower.filter(|_| position > reached);
            followed.extend(new.map(|note| (position, note)));
        }
        if until > registered {
            self.registry.apply(noted, until)?;
        }
        if until > reached && !self.failed {
            self.failed = self.follower.apply(followed, until).is_err();
        }
        Ok(())
    }
}

/// Brings the registry and a follower on to the log's end.
pub(crate) fn replay<F: Follow>(
    registry: Replay,
    follower: F,
    progress: &Progress,
) -> Result<F, UnsealError> {
    let opener = registry.opener.clone();
    let end = opener.reader.position().get();
    let mut beside = Beside {
        registry,
        follower,
        failed: false,
    };
    let from = beside.position();
    opener.bring_on(&mut beside, end, |reached| {
        progress.say(Step {
            doing: "applying events",
            done: reached.saturating_sub(from),
            total: end.saturating_sub(from),
            unit: "events",
        });
    })?;
    Ok(beside.follower)
}

/// Reads the snapshot; an empty registry at position 0 when there is none that can be used.
pub(crate) fn read_snapshot(vault: &Vault, reader: &Reader) -> (Registry, u64) {
    let nothing = || (Registry::new(), 0);
    let Some(bytes) = cache::read(reader, vault, SNAPSHOT) else {
        return nothing();
    };
    match Registry::restore(&bytes) {
        Ok((registry, position)) if position <= reader.position().get() => (registry, position),
        Ok(_) => nothing(),
        Err(error) => {
            tracing::warn!(%error, "the registry's snapshot is not used");
            nothing()
        }
    }
}

/// Lets a registry that is true at a position keep its event ids beside the log.
pub(crate) fn keep_ids(registry: &mut Registry, position: u64, reader: &Reader) -> io::Result<u64> {
    let place = IdRuns {
        disk: Arc::clone(reader.disk()),
        folder: reader.folder().join("cache/ids"),
        log: reader.meta().log_id,
        keys: Arc::new(reader.clone()),
    };
    registry.keep_ids(place, position, reader.position().get())
}

/// Writes the snapshot while the writer goes on, once all that is in it is durable; returns its position.
///
/// `None` where the log stopped before that.
pub(crate) fn write_snapshot(opener: &Opener) -> Option<u64> {
    let (bytes, position) = opener.registry.snapshot(opener.reader.position().get());
    let wanted = Position::new(position);
    while opener.reader.position() < wanted {
        let before = Position::new(position - 1);
        let _ = opener.reader.wait_past(before, DURABLE_WAIT);
        if !opener.reader.status().open() {
            break;
        }
    }
    (opener.reader.position() >= wanted).then(|| {
        opener.write_cache(SNAPSHOT, &bytes);
        position
    })
}
